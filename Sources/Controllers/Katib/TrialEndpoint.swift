public import KubeModel

/// Where a trial's pod answers with its metrics: `source.httpGet` of a collector of the kind PrometheusMetric.
public struct TrialEndpoint: Sendable, Equatable {
    public let port: Int
    /// With a slash in front, and a query if one was given.
    public let path: String
    public let isSecure: Bool
    public let headers: [(name: String, value: String)]

    /// - Parameter request: as core/v1's HTTPGetAction; the validation has seen it.
    public init(_ request: JSON) {
        port = request["port"].intValue ?? request["port"].stringValue.flatMap { Int($0) } ?? 0
        path = request["path"].stringValue ?? "/metrics"
        isSecure = request["scheme"].stringValue?.uppercased() == "HTTPS"
        headers = request["httpHeaders"].elements.map { ($0["name"].stringValue ?? "", $0["value"].stringValue ?? "") }
    }

    public static func == (left: TrialEndpoint, right: TrialEndpoint) -> Bool {
        (left.port, left.path, left.isSecure) == (right.port, right.path, right.isSecure) && left.headers.elementsEqual(right.headers) { $0 == $1 }
    }
}

import KubeModel
import NIOCore
import NIOHTTP1
import Synchronization

/// Counts requests as upstream's apiserver does (apiserver/pkg/endpoints/metrics): by verb and resource, with their times.
final class RequestMetrics: Sendable {
    /// Whether a group, version, plural and subresource are served: nobody's made-up paths are to become labels.
    typealias Known = @Sendable (_ path: ResourcePath) -> Bool

    private let table = SeriesTable()
    private let readOnly = Atomic(0)
    private let mutating = Atomic(0)
    private let isKnown: Known

    init(isKnown: @escaping Known) { self.isKnown = isKnown }

    /// Counts a request as under way.
    func begin(_ path: RequestPath, _ request: Request) -> Call {
        let labels = Self.labels(path, request)
        let isLong = labels.verb == "WATCH" || labels.verb == "CONNECT" || labels.subresource == "log"
        let call = Call(self, labels, path, isLong: isLong, isMutating: request.method != .GET && request.method != .HEAD)
        if isLong {
            series(call).active.wrappingAdd(1, ordering: .relaxed)
        } else {
            addInFlight(1, call)
        }
        return call
    }

    fileprivate func end(_ call: Call, code: Int) {
        let series = series(call)
        series.count(code: code, took: .now - call.start)
        if call.isLong { series.active.wrappingSubtract(1, ordering: .relaxed) } else { addInFlight(-1, call) }
    }

    private func addInFlight(_ amount: Int, _ call: Call) {
        if call.isMutating { mutating.wrappingAdd(amount, ordering: .relaxed) } else { readOnly.wrappingAdd(amount, ordering: .relaxed) }
    }

    private func series(_ call: Call) -> RequestSeries {
        if let found = table.find(call.labels) { return found }
        if case .resource(let path) = call.path, !isKnown(path) { return table.insert(RequestLabels(verb: call.labels.verb)) }
        return table.insert(call.labels)
    }

    // MARK: Labels

    private static let connections: Set<String> = ["exec", "attach", "portforward", "proxy"]

    static func labels(_ path: RequestPath, _ request: Request) -> RequestLabels {
        guard case .resource(let resource) = path else {
            return RequestLabels(verb: verb(request.method), subresource: name(of: path))
        }
        let isWatch = resource.watches || request.query.flag("watch") && request.method == .GET
        let subresource = resource.subresource ?? ""
        var labels = RequestLabels(verb: verb(request.method))
        if connections.contains(subresource) {
            labels.verb = "CONNECT"
        } else if isWatch {
            labels.verb = "WATCH"
        } else if resource.name == nil {
            if labels.verb == "GET" { labels.verb = "LIST" }
            if labels.verb == "DELETE" { labels.verb = "DELETECOLLECTION" }
        } else if labels.verb == "PATCH", MediaType.content(request.headers)?.name == PatchBody.apply {
            labels.verb = "APPLY"
        }
        labels.isDryRun = request.query["dryRun"] == "All"
        (labels.group, labels.version, labels.resource, labels.subresource) = (resource.group, resource.version, resource.plural, subresource)
        let isOne = resource.name != nil && !isWatch || request.method == .POST
        labels.scope = isOne ? "resource" : resource.namespace != nil ? "namespace" : "cluster"
        return labels
    }

    private static func verb(_ method: HTTPMethod) -> String {
        switch method {
        case .GET, .HEAD: "GET"
        case .POST: "POST"
        case .PUT: "PUT"
        case .PATCH: "PATCH"
        case .DELETE: "DELETE"
        default: "other"
        }
    }

    private static func name(of path: RequestPath) -> String {
        switch path {
        case .health(let segments): "/\(segments[0])"
        case .version: "/version"
        case .metrics: "/metrics"
        case .openAPIv2: "/openapi/v2"
        case .openAPIv3Index, .openAPIv3: "/openapi/v3"
        case .issuer, .issuerKeys: "/openid"
        case .lab: "/kindling"
        case .index, .legacyVersions, .groups, .group, .resources, .resource, .unknown: ""
        }
    }

    // MARK: What is told

    var families: [MetricFamily] {
        let series = table.all
        var totals: [MetricFamily.Sample] = []
        var times: [MetricFamily.Sample] = []
        var active: [MetricFamily.Sample] = []
        for one in series {
            let (dry, labels) = (("dry_run", one.labels.isDryRun ? "All" : ""), one.labels)
            let rest = [
                ("group", labels.group), ("resource", labels.resource), ("scope", labels.scope), ("subresource", labels.subresource),
                ("verb", labels.verb), ("version", labels.version),
            ]
            for (index, code) in RequestSeries.codes.enumerated() where one.byCode[index] > 0 {
                totals.append(.init(Double(one.byCode[index]), labels: [("code", "\(code)"), ("component", "apiserver"), dry] + rest))
            }
            times += Self.histogram(one, [("component", "apiserver"), dry] + rest)
            let now = one.active.load(ordering: .relaxed)
            if now > 0 { active.append(.init(Double(now), labels: [("component", "apiserver")] + rest)) }
        }
        return [
            MetricFamily("apiserver_request_total", .counter, help: "Requests that were answered.", totals),
            MetricFamily("apiserver_request_duration_seconds", .histogram, help: "Seconds from a request to the end of its answer.", times),
            MetricFamily("apiserver_longrunning_requests", .gauge, help: "Watches, followed logs and streams that are open.", active),
            MetricFamily(
                "apiserver_current_inflight_requests", .gauge, help: "Other requests that are being answered.",
                [
                    .init(Double(mutating.load(ordering: .relaxed)), labels: [("request_kind", "mutating")]),
                    .init(Double(readOnly.load(ordering: .relaxed)), labels: [("request_kind", "readOnly")]),
                ]),
        ]
    }

    private static func histogram(_ series: RequestSeries, _ labels: [(String, String)]) -> [MetricFamily.Sample] {
        var sum = 0
        var samples: [MetricFamily.Sample] = []
        for index in 0..<series.byTime.count {
            sum += series.byTime[index]
            let bound = RequestSeries.bounds.indices.contains(index) ? MetricsText.number(Double(RequestSeries.bounds[index]) / 1000) : "+Inf"
            samples.append(.init(Double(sum), labels: labels.map { ($0.0, $0.1) } + [("le", bound)], suffix: "_bucket"))
        }
        guard sum > 0 else { return [] }
        let time = Double(series.nanoseconds.load(ordering: .relaxed)) / 1e9
        return samples + [.init(time, labels: labels.map { ($0.0, $0.1) }, suffix: "_sum"), .init(Double(sum), labels: labels.map { ($0.0, $0.1) }, suffix: "_count")]
    }
}

extension RequestMetrics {
    /// A request that is being answered. Its end counts once, whatever becomes of it.
    final class Call: Sendable {
        fileprivate let metrics: RequestMetrics
        fileprivate let labels: RequestLabels
        fileprivate let path: RequestPath
        fileprivate let isLong: Bool
        fileprivate let isMutating: Bool
        fileprivate let start = ContinuousClock.now
        private let code = Atomic(500)
        private let hasEnded = Atomic(false)

        fileprivate init(_ metrics: RequestMetrics, _ labels: RequestLabels, _ path: RequestPath, isLong: Bool, isMutating: Bool) {
            self.metrics = metrics
            self.labels = labels
            self.path = path
            self.isLong = isLong
            self.isMutating = isMutating
        }

        deinit { end() }

        fileprivate func end() {
            guard !hasEnded.exchange(true, ordering: .relaxed) else { return }
            metrics.end(self, code: code.load(ordering: .relaxed))
        }

        /// Counts the end of the answer, which for one that comes in pieces is that of its last piece.
        func answered(_ response: Response) -> Response {
            code.store(Int(response.status.code), ordering: .relaxed)
            var response = response
            switch response.body {
            case .bytes: end()
            case .stream(let body):
                response.body = .stream { writer in
                    defer { self.end() }
                    try await body(writer)
                }
            case .upgrade(let upgrade):
                response.body = .upgrade(Upgrade(framing: upgrade.framing) { CountedSession(session: upgrade.makeSession($0), call: self) })
            }
            return response
        }
    }

    private struct CountedSession: UpgradedSession {
        let session: any UpgradedSession
        let call: Call

        func receive(_ piece: ByteBuffer) async throws { try await session.receive(piece) }
        func inputEnded() { session.inputEnded() }
        func run() async throws {
            defer { call.end() }
            try await session.run()
        }
    }
}

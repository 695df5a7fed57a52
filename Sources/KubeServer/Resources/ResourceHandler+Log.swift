import Catalogue
import KubeModel
import NIOCore
import NIOHTTP1
import Registry

/// `pods/log` (upstream: pkg/registry/core/pod/strategy.go LogLocation).
extension ResourceHandler {
    func log(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        guard let pod = catalogue.get(target.key(name)) else { throw APIStatus.notFound("pods", group: "", name: name) }
        guard let logs else { throw APIStatus(code: 503, reason: "ServiceUnavailable", message: "this server has no node that keeps logs") }
        let options = try logOptions(request.query)
        let container = try container(of: pod, request.query["container"] ?? "", logs)
        // As upstream: what has no node yet has an empty log.
        if (pod.spec["nodeName"].stringValue ?? "").isEmpty { return Response(type: "text/plain", bytes: ByteBuffer()) }
        let pieces = try await logs.open(namespace: pod.namespace, name: name, container: container, options)
        return Response(
            headers: ["Content-Type": "text/plain"],
            body: .stream { writer in
                for try await piece in pieces where !piece.isEmpty { try await writer(ByteBuffer(bytes: piece)) }
            })
    }

    private func logOptions(_ query: Query) throws(APIStatus) -> PodLogOptions {
        var options = PodLogOptions()
        options.follows = query.flag("follow")
        options.wantsPrevious = query.flag("previous")
        options.hasTimestamps = query.flag("timestamps")
        options.tailLines = try query.integer("tailLines")
        options.limitBytes = try query.integer("limitBytes")
        let seconds = try query.integer("sinceSeconds")
        let time = query["sinceTime"].flatMap { $0.isEmpty ? nil : $0 }
        var causes: [APIStatus.Cause] = []
        if let lines = options.tailLines, lines < 0 {
            causes.append(.invalid("tailLines", JSON(lines), "must be greater than or equal to 0"))
        }
        if let bytes = options.limitBytes, bytes < 1 { causes.append(.invalid("limitBytes", JSON(bytes), "must be greater than 0")) }
        if seconds != nil, time != nil { causes.append(.forbidden("sinceTime", "at most one of `sinceTime` or `sinceSeconds` may be specified")) }
        if let seconds {
            if seconds < 1 { causes.append(.invalid("sinceSeconds", JSON(seconds), "must be greater than 0")) }
            options.since = clock() - .seconds(max(0, seconds))
        }
        if let time {
            options.since = Timestamp(parsing: time)
            if options.since == nil { causes.append(.invalid("sinceTime", .string(time), "must be an RFC 3339 time")) }
        }
        if !causes.isEmpty { throw .invalid(kind: "PodLogOptions", group: "", name: "", causes: causes) }
        return options
    }

    /// The container that is meant: the named one, or the only one.
    private func container(of pod: StoredObject, _ wanted: String, _ logs: any PodLogs) throws(APIStatus) -> String {
        func names(_ field: String) -> [String] { pod.spec[field].elements.compactMap { $0["name"].stringValue } }
        let main = names("containers")
        let all = names("initContainers") + main + names("ephemeralContainers")
        if wanted.isEmpty {
            if main.count == 1 { return main[0] }
            throw .badRequest("a container name must be specified for pod \(pod.name), choose one of: [\(all.joined(separator: " "))]")
        }
        guard all.contains(wanted) || logs.extraContainers(of: pod).contains(wanted) else {
            throw .badRequest("container \(wanted) is not valid for pod \(pod.name)")
        }
        return wanted
    }
}

import Catalogue
import KubeModel
import NIOCore
import NIOHTTP1
import Registry

/// `pods/proxy` and `services/proxy`: any HTTP request, sent on to what listens in a pod, which may upgrade the connection.
extension ResourceHandler {
    func proxy(_ target: Target, _ name: String, _ request: Request) async throws -> Response {
        let kind = target.kind
        guard kind.resource == .pods || kind.resource == .services else { throw Router.notFound }
        guard let reference = ProxyTarget.Reference(name) else { throw APIStatus.badRequest("invalid \(kind.singular) request \"\(name)\"") }
        guard let object = catalogue.get(target.key(reference.name)) else { throw APIStatus.notFound(kind.plural, group: "", name: reference.name) }
        let (prefix, rest) = Self.proxied(request.path)
        let query = request.queryText.isEmpty ? "" : "?\(request.queryText)"
        if rest.isEmpty, request.method == .GET || request.method == .HEAD, ProxyClient.wantedUpgrade(request.headers) == nil {
            // Links relative to the pod's root must stay below the proxy.
            return Response(status: .movedPermanently, headers: ["Location": "\(prefix)/\(query)"])
        }
        let destination = kind.resource == .pods ? try ProxyTarget.pod(reference, object) : try ProxyTarget.service(reference, object, catalogue)
        return try await ProxyClient(target: destination, prefix: prefix).send(request, uri: (rest.isEmpty ? "/" : rest) + query)
    }

    /// The path up to and with `proxy`, and what stands behind it, as it was sent.
    static func proxied(_ path: String) -> (prefix: String, rest: String) {
        // /api/v1/namespaces/{namespace}/{plural}/{name}/proxy
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let count = 8
        guard parts.count > count else { return (path, "") }
        return (parts.prefix(count).joined(separator: "/"), "/" + parts.dropFirst(count).joined(separator: "/"))
    }
}

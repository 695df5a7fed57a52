import Catalogue
import KubeModel
import Registry

/// Connections into pods and services, as webhooks and policies are asked about them: operation CONNECT, and the options of
/// the request as the object.
extension ResourceHandler {
    static let connectOptions = ["exec": "PodExecOptions", "attach": "PodAttachOptions", "portforward": "PodPortForwardOptions", "proxy": "ProxyOptions"]

    func admitConnection(_ target: Target, _ name: String, _ subresource: String, _ kind: String, _ request: Request) async throws {
        var object: JSON = ["apiVersion": "v1"]
        switch (subresource, target.kind.plural) {
        case ("proxy", let plural):
            object["kind"] = .string(plural == "services" ? "ServiceProxyOptions" : "PodProxyOptions")
            let (_, rest) = Self.proxied(request.path)
            object["path"] = .string(rest)
        case ("portforward", _):
            object["kind"] = .string(kind)
            object["ports"] = .array(request.query.values("ports").compactMap { Int($0).map { JSON($0) } })
        default:
            object["kind"] = .string(kind)
            for flag in ["stdin", "stdout", "stderr", "tty"] where request.query[flag] != nil { object[flag] = .bool(request.query.flag(flag)) }
            if let container = request.query["container"], !container.isEmpty { object["container"] = .string(container) }
            let command = request.query.values("command")
            if !command.isEmpty { object["command"] = .array(command.map(JSON.string)) }
        }
        _ = try await registry.admit(
            .connect, target.kind, namespace: target.namespace ?? "", name: name, subresource: subresource, object, user: request.user.asAdmissionUser)
    }
}

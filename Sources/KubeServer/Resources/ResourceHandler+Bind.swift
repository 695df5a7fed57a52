import KubeModel
import NIOHTTP1
import Registry

extension ResourceHandler {
    /// `pods/NAME/binding`, and `bindings` as older schedulers ask for it.
    /// - Parameter name: the pod's where the path names it.
    func bind(_ target: Target, _ name: String?, _ request: Request) async throws -> Response {
        var binding = try RequestBody.object(request).value
        if let kind = binding["kind"].stringValue, kind != "Binding" { throw APIStatus.badRequest("expected a Binding in the body, found \(kind)") }
        let own = binding["metadata"]["name"].stringValue ?? ""
        if let name, !own.isEmpty, own != name { throw APIStatus.badRequest("name in URL does not match name in Binding object") }
        guard let pod = name ?? (own.isEmpty ? nil : own) else { throw APIStatus.badRequest("name is required") }
        binding["apiVersion"] = "v1"
        binding["kind"] = "Binding"
        let isDryRun = try WriteParameters.isDryRun(request.query.values("dryRun"))
        let namespace = target.namespace ?? ""
        if let pods = registry.kind(.pods) {
            _ = try await registry.admit(
                .create, pods, namespace: namespace, name: pod, subresource: "binding", binding, user: request.user.asAdmissionUser, isDryRun: isDryRun)
        }
        try await registry.bind(namespace: namespace, name: pod, binding, isDryRun: isDryRun)
        return .json(["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success"], status: .created)
    }
}

import Access
import KubeModel
import NIOHTTP1

extension AccessRequest {
    /// What a request to the API wants to do (upstream: apiserver/pkg/endpoints/request/requestinfo.go).
    init(_ path: RequestPath, _ request: Request) {
        guard case .resource(let resource) = path else {
            self.init(verb: request.method.rawValue.lowercased(), path: request.path)
            return
        }
        var name = resource.name ?? ""
        let verb = ResourceHandler.verb(of: request.method, resource, isWatch: request.query.flag("watch"))
        if name.isEmpty, verb == "list" || verb == "watch" { name = Self.name(selectedBy: request.query["fieldSelector"] ?? "") }
        self.init(
            verb: verb, group: resource.group, resource: resource.plural, subresource: resource.subresource ?? "",
            // A namespace lies in itself: a Role there may let somebody look at it.
            namespace: resource.namespace ?? (resource.plural == "namespaces" && resource.group.isEmpty ? resource.name ?? "" : ""), name: name)
    }

    /// A list that can only find one object is a look at that object.
    private static func name(selectedBy selector: String) -> String {
        guard let name = (try? FieldSelector(parsing: selector))?.requiredValue(of: "metadata.name"), Names.pathSegment(name).isEmpty else { return "" }
        return name
    }

    /// The answer to somebody who may not (upstream: responsewriters.ForbiddenStatusError).
    func forbidden(_ user: User, _ verdict: Verdict) -> APIStatus {
        let refusal = refusal(for: user.name)
        return .forbidden(resource, group: group, name: name, verdict.reason.isEmpty ? refusal : "\(refusal): \(verdict.reason)")
    }
}

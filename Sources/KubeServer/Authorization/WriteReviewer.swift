import Access
import KubeModel
import Registry

/// Looks at what somebody is about to write where the rights to the request alone do not settle it.
struct WriteReviewer: Sendable {
    let authorizer: Authorizer

    /// The options of a write request, with the look at its result that its sender needs.
    func options(_ request: Request, _ target: Target, duplicates: [String]) throws(APIStatus) -> WriteOptions {
        var options = try WriteParameters.options(request, duplicates: duplicates)
        options.spelling = target.spelling
        let user = request.user
        if user.isAdministrator { return options }
        let (authorizer, resource) = (authorizer, target.stored.resource)
        let escalation = EscalationGuard.concerns(resource) ? EscalationGuard(authorizer: authorizer) : nil
        let certificates = resource == .certificateSigningRequests ? CertificateGuard(authorizer: authorizer) : nil
        // Server-side apply of an object that is not there creates it, and so does a PUT of some kinds, which is a right of its own.
        let mustMayCreate = request.method == .PATCH || request.method == .PUT
        options.review = { new, old throws(APIStatus) in
            if mustMayCreate, old == nil {
                let name = new["metadata"]["name"].stringValue ?? ""
                let create = AccessRequest(
                    verb: "create", group: target.kind.group, resource: target.kind.plural, namespace: target.namespace ?? "", name: name)
                let verdict = authorizer.verdict(user, create)
                guard verdict.isAllowed else { throw create.forbidden(user, verdict) }
            }
            try escalation?.check(user, resource, new, old: old)
            try certificates?.check(user, new, old: old, subresource: target.subresource)
        }
        return options
    }
}

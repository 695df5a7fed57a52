import Access
import KubeModel

/// Decides at the door: who is it, in whose name, and may they.
struct AccessControl: Sendable {
    let authenticator: any Authenticator
    let authorizer: Authorizer

    /// - Returns: the user in whose name the request is to be answered.
    /// - Throws: 401 for credentials that are not good, 403 for somebody who may not; whoever shows none is
    ///   `system:anonymous`.
    func admit(_ request: Request, _ path: RequestPath) async throws(APIStatus) -> User {
        let sender = try await sender(request.credentials)
        let user = try Impersonation(authorizer: authorizer).user(for: sender, request.headers)
        let wanted = AccessRequest(path, request)
        let verdict = authorizer.verdict(user, wanted)
        guard verdict.isAllowed else { throw wanted.forbidden(user, verdict) }
        return user
    }

    private func sender(_ credentials: Credentials) async throws(APIStatus) -> User {
        if let user = await authenticator.authenticate(credentials) { return user }
        guard credentials.isEmpty else { throw .unauthorized }
        return .anonymous
    }
}

import Access
import KubeModel
import Registry

extension Authorizer {
    /// What an expression of a policy or webhook asks.
    func answer(_ asked: AdmissionUser, _ question: CELAccessQuestion) -> CELAccessAnswer {
        let user = User(name: asked.name, uid: asked.uid, groups: asked.groups, extra: asked.extra)
        let request =
            if let path = question.path { AccessRequest(verb: question.verb, path: path) } else {
                AccessRequest(
                    verb: question.verb, group: question.group, resource: question.resource, subresource: question.subresource,
                    namespace: question.namespace, name: question.name)
            }
        let verdict = verdict(user, request)
        return CELAccessAnswer(isAllowed: verdict.isAllowed, reason: verdict.reason)
    }
}

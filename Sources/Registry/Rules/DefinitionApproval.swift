import KubeModel

/// Groups of the Kubernetes community want an approval, or the admission that there is none (apiextensions/validation, validateAPIApproval).
enum DefinitionApproval {
    private static let annotation = "api-approved.kubernetes.io"
    private static let page = "see https://github.com/kubernetes/enhancements/pull/1111"

    private enum State: Equatable { case given, missing, invalid }

    static func validate(_ definition: JSON, _ old: JSON?) -> [APIStatus.Cause] {
        let group = definition["spec"]["group"].stringValue ?? ""
        let isProtected = ["k8s.io", "kubernetes.io"].contains { group == $0 || group.hasSuffix(".\($0)") }
        let found = state(definition)
        guard isProtected, old.map({ state($0) != found }) ?? true else { return [] }
        let field = "metadata.annotations[\(annotation)]"
        let rule = "protected groups must have approval annotation \(JSON.quoted(annotation))"
        switch found {
        case .given: return []
        case .missing: return [.required(field, "\(rule), \(page)")]
        case .invalid:
            let text = definition["metadata"]["annotations"][annotation]
            return [.invalid(field, text, "\(rule) with either a URL or a reason starting with \(JSON.quoted("unapproved")), \(page)")]
        }
    }

    private static func state(_ definition: JSON) -> State {
        guard let text = definition["metadata"]["annotations"][annotation].stringValue, !text.isEmpty else { return .missing }
        if text.hasPrefix("unapproved") { return .given }
        let parts = text.split(separator: "://", maxSplits: 1)
        return parts.count == 2 && parts[1].first != "/" ? .given : .invalid
    }
}

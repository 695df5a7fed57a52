import Catalogue
import KubeModel

/// The conditions of a namespace that is being deleted (upstream: pkg/controller/namespace/deletion/status_condition_utils.go).
struct NamespaceConditions {
    private struct Condition {
        let type: String
        let holds: Bool
        let reason: String
        let message: String
    }

    private let conditions: [Condition]

    /// - Parameter remaining: what is in it still.
    init(_ remaining: [StoredObject]) {
        // Upstream writes the group behind a dot even where it is empty.
        let kinds = Self.tally(remaining.map { "\($0.key.resource.resource).\($0.key.resource.group)" }, "has")
        let finalizers = Self.tally(remaining.flatMap(\.finalizers), "in")
        conditions = [
            Condition(
                type: "NamespaceDeletionDiscoveryFailure", holds: false, reason: "ResourcesDiscovered", message: "All resources successfully discovered"),
            Condition(
                type: "NamespaceDeletionGroupVersionParsingFailure", holds: false, reason: "ParsedGroupVersions",
                message: "All legacy kube types successfully parsed"),
            Condition(
                type: "NamespaceDeletionContentFailure", holds: false, reason: "ContentDeleted",
                message: "All content successfully deleted, may be waiting on finalization"),
            kinds.isEmpty
                ? Condition(type: "NamespaceContentRemaining", holds: false, reason: "ContentRemoved", message: "All content successfully removed")
                : Condition(
                    type: "NamespaceContentRemaining", holds: true, reason: "SomeResourcesRemain", message: "Some resources are remaining: \(kinds)"),
            finalizers.isEmpty
                ? Condition(
                    type: "NamespaceFinalizersRemaining", holds: false, reason: "ContentHasNoFinalizers",
                    message: "All content-preserving finalizers finished")
                : Condition(
                    type: "NamespaceFinalizersRemaining", holds: true, reason: "SomeFinalizersRemain",
                    message: "Some content in the namespace has finalizers remaining: \(finalizers)"),
        ]
    }

    /// `pods. has 2 resource instances, secrets. has 1 resource instances`.
    private static func tally(_ names: [String], _ verb: String) -> String {
        var counts: [String: Int] = [:]
        for name in names { counts[name, default: 0] += 1 }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key) \(verb) \($0.value) resource instances" }.joined(separator: ", ")
    }

    func write(into status: inout JSON, at now: Timestamp) {
        var written = status["conditions"].elements
        for condition in conditions {
            let position = written.firstIndex { $0["type"].stringValue == condition.type }
            let before = position.map { written[$0] } ?? .null
            let holds: JSON = condition.holds ? "True" : "False"
            let isSame = before["status"] == holds
            let after: JSON = [
                "type": .string(condition.type), "status": holds, "lastTransitionTime": isSame ? before["lastTransitionTime"] : .string("\(now)"),
                "reason": .string(condition.reason), "message": .string(condition.message),
            ]
            if let position { written[position] = after } else { written.append(after) }
        }
        status["conditions"] = .array(written)
    }
}

import Catalogue
import KubeModel

/// What a write of `status` changes beside the status (upstream: `PrepareForUpdate` and `GetResetFields` of the status strategies).
enum StatusRules {
    /// Built-in kinds whose metadata is out of its reach, as those of custom kinds are.
    private static let keepsMetadata: Set<GroupResource> = [
        .flowSchemas, .priorityLevels, .validatingAdmissionPolicies, .apiServices, .certificateSigningRequests,
    ]
    /// Single fields of metadata that are.
    private static let keepsFields: [GroupResource: [String]] = [.deployments: ["labels"], .pods: ["ownerReferences"]]

    private static func keepsAll(_ kind: Kind) -> Bool { kind.isCustom || keepsMetadata.contains(kind.resource) }

    static func metadata(from new: JSON, over old: JSON, _ kind: Kind) -> JSON {
        if keepsAll(kind) { return old }
        var metadata = new
        for field in keepsFields[kind.resource] ?? [] {
            if old.has(field) { metadata[field] = old[field] } else { metadata.remove(field) }
        }
        return metadata
    }

    /// Fields that nobody owns by a write of the status.
    static func ignoredFields(_ kind: Kind) -> FieldSet {
        if keepsAll(kind) { return FieldSet(paths: [["spec"], ["metadata"]]) }
        return FieldSet(paths: [["spec"]] + (keepsFields[kind.resource] ?? []).map { ["metadata", $0] })
    }
}

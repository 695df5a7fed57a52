/// How server-side apply takes over from `kubectl apply` without it: fields that the manager `kubectl-client-side-apply` has only
/// because of the last applied configuration are no conflicts for the manager `kubectl`, and that configuration stays in step
/// (upstream: managedfields/internal/lastappliedmanager.go and lastappliedupdater.go).
extension ServerSideApply {
    public static let lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration"
    private static let heir = "kubectl"

    /// As `apply`, for an object that is there.
    public static func applyAfterClientSide(
        live: JSON, applied: JSON, schema: Schema?, manager: String, apiVersion: String, force: Bool, time: Timestamp,
        subresource: String = "", ignoring: FieldSet = FieldSet()
    ) throws(APIStatus) -> Outcome {
        func attempt(force: Bool) throws(APIStatus) -> Outcome {
            try apply(
                live: live, applied: applied, schema: schema, manager: manager, apiVersion: apiVersion, force: force, time: time,
                subresource: subresource, ignoring: ignoring)
        }
        var outcome = try attempt(force: force)
        guard manager == heir, let text = live["metadata"]["annotations"][lastAppliedAnnotation].stringValue, !text.isEmpty else { return outcome }
        if !outcome.conflicts.isEmpty, let own = stillApplied(text, live, schema, apiVersion) {
            outcome.conflicts.removeAll { own.contains($0.path) }
            if outcome.conflicts.isEmpty { outcome = try attempt(force: true) }
        }
        if outcome.conflicts.isEmpty { keepInStep(&outcome, with: applied) }
        return outcome
    }

    /// The fields of the last applied configuration that the object still has as they were applied.
    private static func stillApplied(_ text: String, _ live: JSON, _ schema: Schema?, _ apiVersion: String) -> FieldSet? {
        guard let last = try? JSONParser.parse(Array(text.utf8)), last["apiVersion"].stringValue == apiVersion else { return nil }
        let comparison = FieldComparison.compare(last, ManagedFields.withoutManagedFields(live), schema: schema)
        return FieldSet.of(last, schema: schema).difference(comparison.modified).difference(comparison.added).difference(comparison.removed)
    }

    /// The annotation becomes what was applied now, or goes where all annotations together would be too large.
    private static func keepInStep(_ outcome: inout Outcome, with applied: JSON) {
        var annotations = outcome.object["metadata"]["annotations"]
        guard annotations[lastAppliedAnnotation].stringValue?.isEmpty == false else { return }
        var configuration = ManagedFields.withoutManagedFields(applied)
        if configuration["metadata"].has("annotations") { configuration["metadata"]["annotations"].remove(lastAppliedAnnotation) }
        let text = String(decoding: configuration.encoded(), as: UTF8.self) + "\n"
        annotations[lastAppliedAnnotation] = .string(text)
        let size = annotations.members.reduce(0) { $0 + $1.key.utf8.count + ($1.value.stringValue?.utf8.count ?? 0) }
        if size > largestAnnotations { annotations.remove(lastAppliedAnnotation) }
        if annotations != outcome.object["metadata"]["annotations"] { outcome.changesObject = true }
        outcome.object["metadata"]["annotations"] = annotations
    }

    /// Bytes (upstream: TotalAnnotationSizeLimitB).
    private static let largestAnnotations = 256 << 10
}

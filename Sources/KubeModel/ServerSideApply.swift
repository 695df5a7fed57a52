/// Server-side apply with the semantics of structured-merge-diff (merge/update.go) and of the field manager around it.
public enum ServerSideApply {
    /// A field that an applier wants to set otherwise than its manager did.
    public struct Conflict: Sendable, Equatable {
        public var manager: ManagedFields.Entry
        public var path: [FieldPathElement]
        public var pathText: String { path.map(\.description).joined() }
    }

    public struct Outcome: Sendable {
        /// The object as it is to be stored, its managedFields included; the live one where there are conflicts.
        public var object: JSON
        /// `metadata.managedFields` of that object.
        public var managedFields: JSON
        /// Empty unless another manager owns a field that would change and `force` was not given.
        public var conflicts: [Conflict]
        /// Whether anything but managedFields differs from the live object.
        public var changesObject: Bool
    }

    /// Applies a configuration.
    /// - Parameters:
    ///   - live: the object as it is, with its managedFields; nil to create it.
    ///   - applied: the configuration, without managedFields.
    ///   - schema: of the kind; nil for unknown ones, whose lists are then atomic.
    ///   - manager: the field manager's name, which a request must give.
    ///   - force: whether to take fields over from other managers.
    ///   - ignoring: fields that this request cannot set, such as `status` of the main resource.
    /// - Throws: 400 for an applied list with the same key twice, or managedFields in the configuration.
    public static func apply(
        live: JSON?, applied: JSON, schema: Schema?, manager: String, apiVersion: String, force: Bool, time: Timestamp,
        subresource: String = "", ignoring: FieldSet = FieldSet()
    ) throws(APIStatus) -> Outcome {
        if !applied["metadata"]["managedFields"].elements.isEmpty { throw .badRequest("metadata.managedFields must be nil") }
        if let problem = FieldMerge.duplicateKey(in: applied, schema: schema) {
            throw .badRequest("failed to create typed patch object: \(problem)")
        }
        let before = ManagedFields.withoutManagedFields(live ?? [:])
        var managed = startingPoint(live, before, schema, time)
        let configuration = ManagedFields.withoutManagedFields(applied)
        let fields = FieldSet.of(configuration, schema: schema).difference(ManagedFields.serverFields).recursiveDifference(ignoring)
        let mine = ManagedFields.Entry(
            manager: manager, operation: .apply, apiVersion: apiVersion, time: time, subresource: subresource, fields: fields)
        let previous = managed.entries.first { $0.isSameManager(as: mine) }
        managed.entries.removeAll { $0.isSameManager(as: mine) }

        let merged = FieldMerge.merge(before, configuration, schema: schema)
        let result = prune(merged, last: previous?.fields, owned: managed.entries.map(\.fields) + [fields], schema: schema)
        let comparison = FieldComparison.compare(before, result, schema: schema)
        let changed = comparison.added.union(comparison.modified).recursiveDifference(ignoring)
        let conflicts = force ? [] : Self.conflicts(managed, changed)
        guard conflicts.isEmpty else {
            let list = live?["metadata"]["managedFields"] ?? .null
            return Outcome(object: live ?? .null, managedFields: list, conflicts: conflicts, changesObject: false)
        }
        for index in managed.entries.indices {
            managed.entries[index].fields = managed.entries[index].fields.difference(changed).difference(comparison.removed.recursiveDifference(ignoring))
        }
        managed.entries.removeAll { $0.fields.isEmpty }
        let isChanged = live == nil || result != before
        add(mine, previous, to: &managed, keepsTime: !isChanged)
        var object = result
        object["metadata"]["managedFields"] = managed.json
        return Outcome(object: object, managedFields: managed.json, conflicts: [], changesObject: isChanged)
    }

    /// The managers so far. What was there before anything was tracked is kept from being taken for the applier's.
    private static func startingPoint(_ live: JSON?, _ before: JSON, _ schema: Schema?, _ time: Timestamp) -> ManagedFields {
        let managed = ManagedFields(json: live?["metadata"]["managedFields"] ?? .null)
        guard let live, managed.entries.isEmpty else { return managed }
        let fields = FieldSet.of(before, schema: schema).difference(ManagedFields.serverFields)
        guard !fields.isEmpty else { return managed }
        let first = ManagedFields.Entry(
            manager: "before-first-apply", operation: .update, apiVersion: live["apiVersion"].stringValue ?? "", time: time, fields: fields)
        return ManagedFields(entries: [first])
    }

    /// An apply that changes nothing keeps its time, so that the object stays as it was.
    private static func add(
        _ entry: ManagedFields.Entry, _ previous: ManagedFields.Entry?, to managed: inout ManagedFields, keepsTime: Bool
    ) {
        guard !entry.fields.isEmpty else { return }
        var entry = entry
        if keepsTime, let previous, previous.fields == entry.fields, previous.apiVersion == entry.apiVersion { entry.time = previous.time }
        managed.entries.append(entry)
    }

    /// Removes what this applier applied last time and not now, unless somebody else owns it.
    private static func prune(_ merged: JSON, last: FieldSet?, owned: [FieldSet], schema: Schema?) -> JSON {
        guard let last, !last.isEmpty else { return merged }
        let lastNamed = last.withNamedFields(schema)
        var pruned = FieldMerge.remove(lastNamed, from: merged, schema: schema) ?? [:]
        let all = FieldSet.of(merged, schema: schema).withNamedFields(schema)
        // Everything that somebody owns comes back, with what was not removed in the first place.
        let managed = owned.reduce(FieldSet()) { $0.union($1) }.withNamedFields(schema)
        let kept = FieldSet.of(pruned, schema: schema).withNamedFields(schema).union(managed)
        pruned = FieldMerge.remove(all.difference(kept), from: merged, schema: schema) ?? [:]
        // Nothing goes that this applier did not own.
        let left = FieldSet.of(pruned, schema: schema).withNamedFields(schema)
        return FieldMerge.remove(all.difference(left).intersection(lastNamed), from: merged, schema: schema) ?? [:]
    }

    private static func conflicts(_ managed: ManagedFields, _ changed: FieldSet) -> [Conflict] {
        managed.entries.flatMap { entry in
            entry.fields.intersection(changed).paths.map { Conflict(manager: entry, path: $0) }
        }
    }
}

extension APIStatus {
    /// 409 with upstream's text: `Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas`.
    public static func applyConflict(_ conflicts: [ServerSideApply.Conflict]) -> APIStatus {
        let causes = conflicts.map {
            Cause(reason: "FieldManagerConflict", message: "conflict with \($0.manager.label)", field: $0.pathText)
        }
        var message = "Apply failed with \(conflicts.count) conflicts: "
        if let only = conflicts.first, conflicts.count == 1 {
            message = "Apply failed with 1 conflict: conflict with \(only.manager.label): \(only.pathText)"
        } else {
            let groups = Dictionary(grouping: conflicts, by: \.manager.label).sorted { $0.key < $1.key }
            message += groups.map { label, list in
                "conflicts with \(label):" + list.map { "\n- \($0.pathText)" }.joined()
            }.joined(separator: "\n")
        }
        return APIStatus(code: 409, reason: "Conflict", message: message, causes: causes)
    }
}

/// `metadata.managedFields`: who set which fields of an object.
public struct ManagedFields: Sendable, Equatable {
    public enum Operation: String, Sendable { case apply = "Apply", update = "Update" }

    /// One manager's fields.
    public struct Entry: Sendable, Equatable {
        public var manager: String
        public var operation: Operation
        public var apiVersion: String
        public var time: Timestamp?
        /// `status`, `scale` … where the fields were set through a subresource; else empty.
        public var subresource: String
        public var fields: FieldSet

        public init(
            manager: String, operation: Operation, apiVersion: String, time: Timestamp?, subresource: String = "", fields: FieldSet
        ) {
            self.manager = manager
            self.operation = operation
            self.apiVersion = apiVersion
            self.time = time
            self.subresource = subresource
            self.fields = fields
        }

        /// Whether two entries are one manager's. An applier is the same at any version of the API.
        func isSameManager(as other: Entry) -> Bool {
            guard manager == other.manager, operation == other.operation, subresource == other.subresource else { return false }
            return operation == .apply || apiVersion == other.apiVersion
        }

        /// The form of conflict messages: `"kubectl" using apps/v1`.
        var label: String {
            let quoted = JSON.quoted(manager) + (subresource.isEmpty ? "" : " with subresource \(JSON.quoted(subresource))")
            return operation == .update ? "\(quoted) using \(apiVersion)" : quoted
        }
    }

    public var entries: [Entry]

    /// More managers that only update than this are folded into one (upstream: capManagersManager).
    static let updateManagerLimit = 10
    static let bucketName = "ancient-changes"

    /// What the server sets itself is nobody's (upstream: stripMetaManager).
    static let serverFields = FieldSet(
        paths: [["apiVersion"], ["kind"], ["metadata"]]
            + ["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion"]
            .map { ["metadata", $0] })

    public init(entries: [Entry] = []) { self.entries = entries }

    /// Reads `metadata.managedFields`; an entry with an operation or format that is not known is left out.
    public init(json: JSON) {
        entries = json.elements.compactMap { entry in
            guard let operation = Operation(rawValue: entry["operation"].stringValue ?? "") else { return nil }
            guard entry["fieldsType"].stringValue ?? "FieldsV1" == "FieldsV1" else { return nil }
            return Entry(
                manager: entry["manager"].stringValue ?? "", operation: operation, apiVersion: entry["apiVersion"].stringValue ?? "",
                time: entry["time"].stringValue.flatMap(Timestamp.init(parsing:)), subresource: entry["subresource"].stringValue ?? "",
                fields: FieldSet(fieldsV1: entry["fieldsV1"]))
        }
    }

    /// The form of `metadata.managedFields`: appliers first, then by time and name.
    public var json: JSON {
        let sorted = entries.sorted { a, b in
            if a.operation != b.operation { return a.operation == .apply }
            let (x, y) = (a.time ?? Timestamp(seconds: .min), b.time ?? Timestamp(seconds: .min))
            if x.seconds != y.seconds { return x.seconds < y.seconds }
            return (a.manager, a.apiVersion, a.subresource) < (b.manager, b.apiVersion, b.subresource)
        }
        return .array(sorted.map { entry in
            var object: JSON = ["manager": .string(entry.manager), "operation": .string(entry.operation.rawValue)]
            object["apiVersion"] = .string(entry.apiVersion)
            if let time = entry.time { object["time"] = .string(time.description) }
            object["fieldsType"] = "FieldsV1"
            object["fieldsV1"] = entry.fields.fieldsV1
            if !entry.subresource.isEmpty { object["subresource"] = .string(entry.subresource) }
            return object
        })
    }

    /// The `metadata.managedFields` of an object after a create or update.
    /// - Parameters:
    ///   - old: the object before, with its managedFields; nil for a create.
    ///   - new: the object as it will be stored; its own managedFields do not count.
    ///   - time: when it happened.
    ///   - ignoring: fields that this operation cannot set, such as `status` of the main resource.
    /// - Returns: the list to put into the new object.
    public static func recordUpdate(
        old: JSON?, new: JSON, schema: Schema?, manager: String, apiVersion: String, time: Timestamp, subresource: String = "",
        ignoring: FieldSet = FieldSet()
    ) -> JSON {
        var managed = ManagedFields(json: old?["metadata"]["managedFields"] ?? .null)
        let comparison = FieldComparison.compare(withoutManagedFields(old ?? [:]), withoutManagedFields(new), schema: schema)
        let changed = comparison.added.union(comparison.modified)
        for index in managed.entries.indices {
            managed.entries[index].fields = managed.entries[index].fields.difference(changed).difference(comparison.removed)
        }
        managed.entries.removeAll { $0.fields.isEmpty }
        let fields = changed.difference(serverFields).recursiveDifference(ignoring)
        managed.add(
            Entry(manager: manager, operation: .update, apiVersion: apiVersion, time: time, subresource: subresource, fields: fields))
        managed.capUpdaters()
        return managed.json
    }

    private mutating func add(_ entry: Entry) {
        guard !entry.fields.isEmpty else { return }
        guard let index = entries.firstIndex(where: { $0.isSameManager(as: entry) }) else {
            entries.append(entry)
            return
        }
        entries[index].fields = entries[index].fields.union(entry.fields)
        entries[index].time = entry.time
    }

    /// Folds the oldest updaters into one entry, where there are too many.
    private mutating func capUpdaters() {
        let updaters = entries.filter { $0.operation == .update && $0.subresource.isEmpty }
        guard updaters.count > Self.updateManagerLimit else { return }
        let ordered = updaters.sorted { ($0.time?.seconds ?? 0) < ($1.time?.seconds ?? 0) }
        for old in ordered.prefix(updaters.count - Self.updateManagerLimit + 1) {
            entries.removeAll { $0 == old }
            add(Entry(manager: Self.bucketName, operation: .update, apiVersion: old.apiVersion, time: old.time, fields: old.fields))
        }
    }

    static func withoutManagedFields(_ object: JSON) -> JSON {
        guard object["metadata"].has("managedFields") else { return object }
        var object = object
        object["metadata"].remove("managedFields")
        return object
    }
}

public import KubeModel

/// The view and the pen of one write: reads see the committed objects, the writes of the same batch before this one,
/// and its own. Nothing is kept when the body throws. Runs on the writer's queue and must not block.
public final class WriteTransaction {
    private let committed: (ObjectKey) -> StoredObject?
    private let committedList: (GroupResource, String?) -> [StoredObject]
    private let committedDependents: (String) -> [StoredObject]
    /// What earlier writes of the same batch staged; shared, so a write costs what it changes and no more.
    private let earlier: [ObjectKey: StoredObject?]
    private(set) var staged: [ObjectKey: StoredObject?] = [:]
    private(set) var changes: [Change] = []
    private(set) var observations: [Observation] = []
    private(set) var forgotten: [ForgottenObservations] = []
    private(set) var runs: [TrialRun] = []
    /// Set when the body threw: nothing of it is kept.
    var isAbandoned = false
    /// The revision of the newest change, staged ones included.
    private(set) public var revision: Int64

    init(
        revision: Int64, earlier: [ObjectKey: StoredObject?], committed: @escaping (ObjectKey) -> StoredObject?,
        list: @escaping (GroupResource, String?) -> [StoredObject], dependents: @escaping (String) -> [StoredObject]
    ) {
        self.revision = revision
        self.earlier = earlier
        self.committed = committed
        self.committedList = list
        self.committedDependents = dependents
    }

    public func get(_ key: ObjectKey) -> StoredObject? {
        if let object = staged[key] ?? earlier[key] { return object }
        return committed(key)
    }

    /// Objects of a kind, in the order of their namespaces and names.
    public func list(_ resource: GroupResource, namespace: String? = nil) -> [StoredObject] {
        merge(committedList(resource, namespace)) { $0.resource == resource && (namespace == nil || $0.namespace == namespace) }
    }

    /// Objects that name an object of this uid among their owners.
    public func dependents(of uid: String) -> [StoredObject] {
        merge(committedDependents(uid)) { _ in true }
            .filter { $0.value["metadata"]["ownerReferences"].elements.contains { $0["uid"].stringValue == uid } }
    }

    private func merge(_ objects: [StoredObject], _ isWanted: (ObjectKey) -> Bool) -> [StoredObject] {
        if staged.isEmpty, earlier.isEmpty { return objects }
        // Few have changed, and many are listed: those are laid into these, which are sorted already.
        let changed = earlier.filter { isWanted($0.key) }.merging(staged.filter { isWanted($0.key) }) { $1 }
        if changed.isEmpty { return objects }
        var merged: [StoredObject] = []
        merged.reserveCapacity(objects.count + changed.count)
        var next = objects.startIndex
        for (key, object) in changed.sorted(by: { $0.key < $1.key }) {
            let place = objects[next...].partitioningIndex { $0.key >= key }
            merged += objects[next..<place]
            next = place < objects.endIndex && objects[place].key == key ? place + 1 : place
            if let object { merged.append(object) }
        }
        return merged + objects[next...]
    }

    /// Stores an object and gives it the next revision, which becomes its `metadata.resourceVersion`.
    /// - Parameter intent: what the user asked for; `nil` where no user wrote the object.
    @discardableResult
    public func put(_ key: ObjectKey, _ value: JSON, intent: JSON?) -> StoredObject {
        let previous = get(key)
        revision += 1
        var value = value
        value["metadata"]["resourceVersion"] = .string(String(revision))
        let object = StoredObject(key: key, revision: revision, value: value, intent: intent)
        staged[key] = .some(object)
        changes.append(Change(kind: previous == nil ? .added : .modified, object: object, previous: previous))
        return object
    }

    /// Removes an object for good; its last form with the deletion's revision, or `nil` where there was none.
    @discardableResult
    public func delete(_ key: ObjectKey) -> StoredObject? {
        guard let previous = get(key) else { return nil }
        revision += 1
        var value = previous.value
        value["metadata"]["resourceVersion"] = .string(String(revision))
        let object = StoredObject(key: key, revision: revision, value: value, intent: previous.intent)
        staged[key] = .some(nil)
        changes.append(Change(kind: .deleted, object: object, previous: previous))
        return object
    }

    /// Adds metric values of trials to the catalogue's history.
    public func append(_ new: [Observation]) { observations += new }

    /// Keeps what a trial's run has cost, in the place of what was kept of it before.
    public func record(_ run: TrialRun) { runs.append(run) }

    /// Removes the metric values of one trial, and where all go, what is known of its run.
    /// - Parameter places: only those whose place in the trial's log lies in it; `nil` means all.
    public func forgetObservations(of trial: TrialKey, in places: ClosedRange<Int64>? = nil) {
        forgotten.append(ForgottenObservations(trial: trial, places: places ?? .min ... .max))
    }
}

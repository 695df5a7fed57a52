import DequeModule

/// All objects and the newest changes, in memory. Reads and watches are served from here; the writer changes it only
/// after SQLite has made the change durable.
struct MemoryState {
    struct Table {
        var objects: [ObjectKey: StoredObject] = [:]
        /// Keys in the order of lists (namespace, name); made when a list asks for it.
        var sorted: [ObjectKey]?
        /// The revision of the newest change that was published.
        var lastChange: Int64 = 0
    }

    private(set) var revision: Int64
    private var tables: [GroupResource: Table] = [:]
    private var byUID: [String: ObjectKey] = [:]
    private var owned: [String: Set<ObjectKey>] = [:]
    private var changes: Deque<Change> = []
    /// Changes at or before this revision are no longer in the log.
    private var forgotten: Int64
    private let window: Int
    private var subscribers: [GroupResource: [UInt64: Subscriber]] = [:]

    init(revision: Int64, window: Int) {
        self.revision = revision
        self.forgotten = revision
        self.window = window
    }

    subscript(key: ObjectKey) -> StoredObject? { tables[key.resource]?.objects[key] }

    func object(uid: String) -> StoredObject? { byUID[uid].flatMap { self[$0] } }

    func dependents(of uid: String) -> [StoredObject] { (owned[uid] ?? []).compactMap { self[$0] }.sorted { $0.key < $1.key } }

    func count(_ resource: GroupResource) -> Int { tables[resource]?.objects.count ?? 0 }

    func lastChange(of resources: [GroupResource]) -> Int64 { resources.reduce(0) { max($0, tables[$1]?.lastChange ?? 0) } }

    var resources: [GroupResource] { tables.filter { !$0.value.objects.isEmpty }.map(\.key) }

    mutating func list(_ resource: GroupResource, namespace: String?) -> [StoredObject] {
        guard var table = tables[resource] else { return [] }
        let keys: [ObjectKey]
        if let sorted = table.sorted {
            keys = sorted
        } else {
            keys = table.objects.keys.sorted()
            table.sorted = keys
            tables[resource] = table
        }
        guard let namespace else { return keys.compactMap { table.objects[$0] } }
        let start = keys.partitioningIndex { $0.namespace >= namespace }
        var found: [StoredObject] = []
        for key in keys[start...] {
            guard key.namespace == namespace else { break }
            if let object = table.objects[key] { found.append(object) }
        }
        return found
    }

    /// Takes over an object that was read from the file; no change is announced.
    mutating func load(_ object: StoredObject) {
        tables[object.key.resource, default: Table()].objects[object.key] = object
        index(object)
    }

    /// Applies changes that are durable now, remembers them and tells the watches.
    mutating func publish(_ new: [Change]) {
        for change in new {
            let key = change.object.key
            if let previous = change.previous { unindex(previous) }
            switch change.kind {
            case .added:
                tables[key.resource, default: Table()].objects[key] = change.object
                tables[key.resource]?.sorted = nil
                index(change.object)
            case .modified:
                tables[key.resource, default: Table()].objects[key] = change.object
                index(change.object)
            case .deleted:
                tables[key.resource]?.objects[key] = nil
                tables[key.resource]?.sorted = nil
            }
            tables[key.resource]?.lastChange = change.revision
            revision = change.revision
            changes.append(change)
            for subscriber in (subscribers[key.resource] ?? [:]).values { subscriber.offer(change) }
        }
        while changes.count > window, let oldest = changes.popFirst() { forgotten = oldest.revision }
    }

    mutating func subscribe(_ subscriber: Subscriber, identifier: UInt64, resource: GroupResource, since: Int64) throws(RevisionExpired) {
        guard since >= forgotten else { throw RevisionExpired(requested: since, oldest: forgotten) }
        let start = changes.partitioningIndex { $0.revision > since }
        for change in changes[start...] where change.object.key.resource == resource { subscriber.offer(change) }
        subscribers[resource, default: [:]][identifier] = subscriber
    }

    mutating func unsubscribe(_ identifier: UInt64, resource: GroupResource) { subscribers[resource]?[identifier] = nil }

    mutating func finishSubscribers() {
        for subscriber in subscribers.values.flatMap(\.values) { subscriber.finish() }
        subscribers = [:]
    }

    private mutating func index(_ object: StoredObject) {
        let metadata = object.value["metadata"]
        if let uid = metadata["uid"].stringValue { byUID[uid] = object.key }
        for owner in metadata["ownerReferences"].elements {
            if let uid = owner["uid"].stringValue { owned[uid, default: []].insert(object.key) }
        }
    }

    private mutating func unindex(_ object: StoredObject) {
        let metadata = object.value["metadata"]
        if let uid = metadata["uid"].stringValue { byUID[uid] = nil }
        for owner in metadata["ownerReferences"].elements {
            guard let uid = owner["uid"].stringValue else { continue }
            owned[uid]?.remove(object.key)
            if owned[uid]?.isEmpty == true { owned[uid] = nil }
        }
    }
}

extension RandomAccessCollection {
    /// The first index whose element satisfies a predicate that is false for a prefix and true for the rest.
    func partitioningIndex(where belongsToRest: (Element) -> Bool) -> Index {
        var low = startIndex
        var length = count
        while length > 0 {
            let half = length / 2
            let middle = index(low, offsetBy: half)
            if belongsToRest(self[middle]) {
                length = half
            } else {
                low = index(after: middle)
                length -= half + 1
            }
        }
        return low
    }
}

import DequeModule

/// All objects and the newest changes, in memory. Reads and watches are served from here; the writer changes it only
/// after SQLite has made the change durable.
struct MemoryState {
    struct Table {
        var objects: [ObjectKey: StoredObject] = [:]
        /// The revision of the newest change that was published.
        var lastChange: Int64 = 0
        /// The same in the order of lists (namespace, name). Made when a list first asks for it, kept in order after.
        var sorted: [StoredObject]?

        /// Where a key is, or belongs, among the sorted.
        func place(of key: ObjectKey) -> Int { sorted?.partitioningIndex { $0.key >= key } ?? 0 }

        mutating func put(_ object: StoredObject) {
            let isKnown = objects.updateValue(object, forKey: object.key) != nil
            guard sorted != nil else { return }
            let index = place(of: object.key)
            if isKnown { sorted?[index] = object } else { sorted?.insert(object, at: index) }
        }

        mutating func remove(_ key: ObjectKey) {
            guard objects.removeValue(forKey: key) != nil, sorted != nil else { return }
            let index = place(of: key)
            sorted?.remove(at: index)
        }
    }

    private(set) var revision: Int64
    private var tables: [GroupResource: Table] = [:]
    private var byUID: [String: ObjectKey] = [:]
    private var owned: [String: Set<ObjectKey>] = [:]
    private var changes: Deque<Change> = []
    /// Changes at or before this revision are no longer in the log.
    private var forgotten: Int64
    private let window: Int
    /// Those who watch a kind: in one namespace, or in all (nil). A change costs what is told of it, not what is watched.
    private var subscribers: [GroupResource: [String?: [UInt64: Subscriber]]] = [:]

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
        guard let all = sorted(resource) else { return [] }
        guard let namespace else { return all }
        let start = all.partitioningIndex { $0.namespace >= namespace }
        let end = all[start...].partitioningIndex { $0.namespace > namespace }
        return Array(all[start..<end])
    }

    private mutating func sorted(_ resource: GroupResource) -> [StoredObject]? {
        guard let table = tables[resource] else { return nil }
        if let sorted = table.sorted { return sorted }
        let sorted = table.objects.values.sorted { $0.key < $1.key }
        tables[resource]?.sorted = sorted
        return sorted
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
                tables[key.resource, default: Table()].put(change.object)
                index(change.object)
            case .modified:
                tables[key.resource, default: Table()].put(change.object)
                index(change.object)
            case .deleted:
                tables[key.resource]?.remove(key)
            }
            tables[key.resource]?.lastChange = change.revision
            revision = change.revision
            changes.append(change)
            guard let interested = subscribers[key.resource] else { continue }
            for subscriber in (interested[nil] ?? [:]).values { subscriber.offer(change) }
            for subscriber in (interested[key.namespace] ?? [:]).values { subscriber.offer(change) }
        }
        while changes.count > window, let oldest = changes.popFirst() { forgotten = oldest.revision }
    }

    mutating func subscribe(_ subscriber: Subscriber, identifier: UInt64, resource: GroupResource, since: Int64) throws(RevisionExpired) {
        guard since >= forgotten else { throw RevisionExpired(requested: since, oldest: forgotten) }
        let start = changes.partitioningIndex { $0.revision > since }
        for change in changes[start...] where change.object.key.resource == resource { subscriber.offer(change) }
        subscribers[resource, default: [:]][subscriber.namespace, default: [:]][identifier] = subscriber
    }

    mutating func unsubscribe(_ identifier: UInt64, resource: GroupResource, namespace: String?) {
        subscribers[resource]?[namespace]?[identifier] = nil
        if subscribers[resource]?[namespace]?.isEmpty == true { subscribers[resource]?[namespace] = nil }
    }

    mutating func finishSubscribers() {
        for subscriber in subscribers.values.flatMap(\.values).flatMap(\.values) { subscriber.finish() }
        subscribers = [:]
    }

    private mutating func index(_ object: StoredObject) {
        if !object.uid.isEmpty { byUID[object.uid] = object.key }
        for uid in object.ownerUIDs { owned[uid, default: []].insert(object.key) }
    }

    private mutating func unindex(_ object: StoredObject) {
        if !object.uid.isEmpty { byUID[object.uid] = nil }
        for uid in object.ownerUIDs {
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

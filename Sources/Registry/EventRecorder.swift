import Catalogue
import KubeModel
import Logging
import Synchronization

/// Writes Events (core/v1) about objects. Equal ones are counted up, as client-go's correlator does, and those of one
/// moment are written together in the background: no caller waits for the disk.
final class EventRecorder: Sendable {
    /// Above this many Events the oldest are forgotten; upstream keeps them for an hour.
    static let limit = 4_000

    private struct Signature: Hashable {
        let uid: String
        let type: String
        let reason: String
        let message: String
        let source: String
        let fieldPath: String?
    }

    private struct Entry: Sendable {
        let key: ObjectKey
        var value: JSON
    }

    private struct State {
        var known: [Signature: ObjectKey] = [:]
        var order: [Signature] = []
        var waiting: [ObjectKey: Entry] = [:]
        var isWriting = false
    }

    private let catalogue: Catalogue
    private let logger: Logger
    private let state = Mutex(State())

    init(catalogue: Catalogue, logger: Logger) {
        self.catalogue = catalogue
        self.logger = logger
    }

    func record(
        about object: StoredObject, kind: Kind, type: String, reason: String, message: String, source: String, fieldPath: String?, at now: Timestamp
    ) {
        let message = String(message.prefix(1024))
        let signature = Signature(uid: object.uid, type: type, reason: reason, message: message, source: source, fieldPath: fieldPath)
        let mustWrite = state.withLock { state in
            if let key = state.known[signature], let value = state.waiting[key]?.value ?? catalogue.get(key)?.value {
                state.waiting[key] = Entry(key: key, value: Self.counted(value, now))
            } else {
                let entry = Self.entry(about: object, kind, signature, now)
                state.known[signature] = entry.key
                state.order.append(signature)
                if state.order.count > Self.limit {
                    for old in state.order.prefix(Self.limit / 4) { state.known[old] = nil }
                    state.order.removeFirst(Self.limit / 4)
                }
                state.waiting[entry.key] = entry
            }
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustWrite { Task { await write() } }
    }

    private static func counted(_ value: JSON, _ now: Timestamp) -> JSON {
        var value = value
        value["count"] = JSON((value["count"].intValue ?? 1) + 1)
        value["lastTimestamp"] = .string(now.description)
        return value
    }

    private static func entry(about object: StoredObject, _ kind: Kind, _ signature: Signature, _ now: Timestamp) -> Entry {
        let namespace = object.namespace.isEmpty ? "default" : object.namespace
        let name = "\(object.name.prefix(230)).\(String(now.seconds &* 1_000_000_000 &+ Int64(now.nanoseconds), radix: 16))\(String(UInt16.random(in: 0 ... .max), radix: 16))"
        var involved: JSON = [
            "apiVersion": .string(kind.apiVersion), "kind": .string(kind.kind), "name": .string(object.name), "uid": .string(object.uid),
            "resourceVersion": .string(String(object.revision)),
        ]
        if !object.namespace.isEmpty { involved["namespace"] = .string(object.namespace) }
        if let path = signature.fieldPath { involved["fieldPath"] = .string(path) }
        let value: JSON = [
            "apiVersion": "v1", "kind": "Event",
            "metadata": [
                "name": .string(name), "namespace": .string(namespace), "uid": .string(UniqueIdentifier.random()), "creationTimestamp": .string(now.description),
            ],
            "involvedObject": involved, "reason": .string(signature.reason), "message": .string(signature.message), "type": .string(signature.type),
            "source": ["component": .string(signature.source)], "firstTimestamp": .string(now.description), "lastTimestamp": .string(now.description), "count": 1,
            "eventTime": .null, "reportingComponent": .string(signature.source), "reportingInstance": "",
        ]
        return Entry(key: ObjectKey(.events, namespace: namespace, name: name), value: value)
    }

    /// Writes what waits until nothing does.
    private func write() async {
        while true {
            let entries = state.withLock { state in
                let entries = state.waiting.values.map { $0 }
                state.waiting = [:]
                if entries.isEmpty { state.isWriting = false }
                return entries
            }
            if entries.isEmpty { return }
            do {
                try await catalogue.write { transaction in
                    for entry in entries {
                        // A namespace that went away in between takes no more Events.
                        guard transaction.get(ObjectKey(.namespaces, name: entry.key.namespace)) != nil else { continue }
                        transaction.put(entry.key, entry.value, intent: nil)
                    }
                }
            } catch {
                logger.warning("events were not kept", metadata: ["count": "\(entries.count)", "error": "\(error)"])
            }
        }
    }
}

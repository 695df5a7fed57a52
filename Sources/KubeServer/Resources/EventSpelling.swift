import KubeModel
import Registry

/// An Event is one object under two spellings: `v1`, in which it is stored, and `events.k8s.io/v1`
/// (upstream: pkg/apis/core/v1 and pkg/apis/events/v1 conversion).
enum EventSpelling {
    static let group = "events.k8s.io"

    /// Names of `v1` and what the same field is called in `events.k8s.io/v1`.
    private static let names: KeyValuePairs = [
        "involvedObject": "regarding", "message": "note", "source": "deprecatedSource", "firstTimestamp": "deprecatedFirstTimestamp",
        "lastTimestamp": "deprecatedLastTimestamp", "count": "deprecatedCount", "reportingComponent": "reportingController",
    ]
    private static let toNew = Dictionary(uniqueKeysWithValues: names.map { ($0.key, $0.value) })
    private static let toCore = Dictionary(uniqueKeysWithValues: names.map { ($0.value, $0.key) })

    /// Whether a kind's objects are stored as another kind's.
    static func isOther(_ kind: Kind) -> Bool { kind.group == group && kind.plural == "events" }

    static func new(_ event: JSON) -> JSON { renamed(event, toNew, apiVersion: "\(group)/v1") }
    static func core(_ event: JSON) -> JSON { renamed(event, toCore, apiVersion: "v1") }

    /// A field of a selector in the stored spelling.
    static func coreField(_ field: String) -> String {
        let parts = field.split(separator: ".", maxSplits: 1)
        guard let first = parts.first, let name = toCore[String(first)] else { return field }
        return parts.count == 2 ? "\(name).\(parts[1])" : name
    }

    private static func renamed(_ event: JSON, _ names: [String: String], apiVersion: String) -> JSON {
        var members = JSONObject()
        for (key, value) in event.members { members[names[key] ?? key] = value }
        // A patch need not say what it is of.
        if members["apiVersion"] != nil { members["apiVersion"] = .string(apiVersion) }
        return .object(members)
    }
}

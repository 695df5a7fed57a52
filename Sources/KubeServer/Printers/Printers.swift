import KubeModel

/// Computes one cell of a table from an object.
typealias Printer = @Sendable (_ object: JSON, _ now: Timestamp) -> JSON

/// The rules behind the columns of built-in kinds, by the names that etc/schemas gives them (upstream:
/// pkg/printers/internalversion/printers.go).
enum Printers {
    static let byName: [String: Printer] = {
        var all: [String: Printer] = [:]
        for part in [pods, workloads, storage, network, events, nodes, policies, admission, drivers, cluster] { all.merge(part) { first, _ in first } }
        return all
    }()

    static func none(_ text: String?) -> JSON { .string(text.flatMap { $0.isEmpty ? nil : $0 } ?? "<none>") }

    static func joined(_ texts: [String], _ separator: String = ",") -> JSON { .string(texts.joined(separator: separator)) }

    static func count(_ value: JSON) -> JSON { JSON(value.intValue ?? 0) }

    /// `key=value` pairs sorted by key; `<none>` where there are none.
    static func labels(_ map: JSON) -> JSON {
        let pairs = map.stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return pairs.isEmpty ? "<none>" : joined(pairs)
    }

    /// A `metav1.LabelSelector` as text.
    static func selector(_ selector: JSON) -> JSON {
        guard let parsed = try? LabelSelector(object: selector) else { return "<error>" }
        return none(parsed.description)
    }

    static func time(_ value: JSON) -> Timestamp? { value.stringValue.flatMap(Timestamp.init(parsing:)) }

    /// Whether a condition of that type is `True`.
    static func hasCondition(_ object: JSON, _ type: String) -> Bool {
        object["status"]["conditions"].elements.contains { $0["type"].stringValue == type && $0["status"].stringValue == "True" }
    }
}

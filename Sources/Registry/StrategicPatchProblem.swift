import KubeModel

/// What a strategic merge patch is told that gives a field a value of another type: upstream converts the patched object by
/// another path than a whole body (apiserver: handlers/patch.go, applyPatchToObject; apimachinery: runtime/converter.go).
enum StrategicPatchProblem {
    /// - Returns: the problem in upstream's words; the same one where it is of another kind.
    static func of(_ problem: APIStatus, patch: JSON) -> APIStatus {
        guard let words = words(problem.message) else { return problem }
        return .invalid(kind: "", group: "", name: "", causes: [.invalid("patch", .string(goText(patch)), words)])
    }

    /// From `… cannot unmarshal string into Go struct field X.y of type map[string]string`.
    private static func words(_ message: String) -> String? {
        guard let found = message.firstRange(of: "cannot unmarshal "), let type = message.firstRange(of: " of type ") else { return nil }
        let source = message[found.upperBound...].prefix { $0 != " " }
        let target = message[type.upperBound...]
        let value = ["number": "float64", "object": "map[string]interface {}", "array": "[]interface {}"][source] ?? String(source)
        if target.hasPrefix("map[") { return "cannot restore map from \(value)" }
        if target.hasPrefix("[]") { return "cannot restore slice from \(value)" }
        // Named types with a package are structs.
        if target.contains(".") { return "cannot restore struct from: \(value)" }
        return "cannot convert \(value) to \(target)"
    }

    /// A value as Go's `%+v` prints it: `map[metadata:map[labels:invalid]]`.
    private static func goText(_ value: JSON) -> String {
        switch value {
        case .object(let members): "map[" + members.sorted { $0.key < $1.key }.map { "\($0.key):\(goText($0.value))" }.joined(separator: " ") + "]"
        case .array(let elements): "[" + elements.map(goText).joined(separator: " ") + "]"
        case .null: "<nil>"
        default: value.stringValue ?? value.text
        }
    }
}

import KubeModel

/// Replaces `{{tag}}` in the strings of a template (argo util/template/replace.go, simple tags).
struct Substitution {
    /// A tag that has no value where it must have one.
    struct Unresolved: Error, CustomStringConvertible {
        let tag: String
        var description: String { "failed to resolve {{\(tag)}}" }
    }

    /// Values by tag, e.g. `inputs.parameters.message`.
    var values: [String: String]

    init(_ values: [String: String] = [:]) { self.values = values }

    func adding(_ more: [String: String]) -> Substitution { Substitution(values.merging(more) { $1 }) }

    /// Replaces what has a value; other tags stay as they are.
    func apply(_ value: JSON) -> JSON {
        switch value {
        case .string(let text): return text.contains("{{") ? .string(apply(text)) : value
        case .array(let elements): return .array(elements.map { apply($0) })
        case .object(let members): return .object(members.mapValues { apply($0) })
        default: return value
        }
    }

    func apply(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "{{") {
            result += rest[..<open.lowerBound]
            let after = rest[open.upperBound...]
            guard let close = after.firstRange(of: "}}") else { return result + rest[open.lowerBound...] }
            // A tag inside a tag is replaced first: {{inputs.parameters.{{x}}}}.
            if let inner = after[..<close.lowerBound].ranges(of: "{{").last {
                let resolved = apply(String(rest[inner.lowerBound..<close.upperBound]))
                let isResolved = !resolved.hasPrefix("{{")
                let rebuilt = String(rest[open.lowerBound..<inner.lowerBound]) + resolved
                if isResolved { return result + apply(rebuilt + rest[close.upperBound...]) }
                result += rebuilt
                rest = rest[close.upperBound...]
                continue
            }
            let tag = Self.trimmed(after[..<close.lowerBound])
            if let value = values[tag] { result += value } else { result += rest[open.lowerBound..<close.upperBound] }
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    /// The first tag left in a value that needs one, of the prefixes that must be known when a node starts.
    static func firstUnresolved(in value: JSON, prefixes: [String] = ["inputs.parameters.", "workflow.", "item", "steps.", "tasks.", "="]) -> Unresolved? {
        switch value {
        case .string(let text):
            var rest = text[...]
            while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
                let tag = trimmed(rest[open.upperBound..<close.lowerBound])
                if prefixes.contains(where: { tag.hasPrefix($0) }), !tag.contains(".outputs.artifacts.") { return Unresolved(tag: tag) }
                rest = rest[close.upperBound...]
            }
            return nil
        case .array(let elements): return elements.lazy.compactMap { firstUnresolved(in: $0, prefixes: prefixes) }.first
        case .object(let members): return members.values.lazy.compactMap { firstUnresolved(in: $0, prefixes: prefixes) }.first
        default: return nil
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}

/// What is wrong with a JSONPath template or its evaluation.
public struct JSONPathError: Error, Sendable, Equatable, CustomStringConvertible {
    public let problem: String
    public var description: String { "error parsing jsonpath: \(problem)" }
}

/// kubectl's JSONPath (client-go/util/jsonpath): templates such as `{range .items[*]}{.metadata.name}{"\n"}{end}`, or one path without
/// braces as printer columns and `custom-columns` have it.
public struct JSONPath: Sendable {
    /// A part of a template.
    indirect enum Node: Sendable {
        case text(String)
        case path([Step])
        case range([Step], body: [Node])
    }

    enum Step: Sendable {
        case root
        case current
        case field(String)
        /// `*` or `[*]`.
        case all
        /// `..`
        case descend
        /// `[from:to:step]`
        case slice(from: Int?, to: Int?, step: Int?)
        case index(Int)
        case union([Step])
        case filter(Filter)
    }

    enum Comparison: String, Sendable { case equal = "==", notEqual = "!=", lessOrEqual = "<=", greaterOrEqual = ">=", less = "<", greater = ">" }

    /// `[?(@.type=="Ready")]`; without a comparison it asks whether the path finds anything.
    indirect enum Filter: Sendable {
        case exists([Step])
        case compare(Operand, Comparison, Operand)
    }

    enum Operand: Sendable {
        case path([Step])
        case literal(JSON)
    }

    let nodes: [Node]

    /// Reads a template, or a single path: `{.a.b}`, `.a.b`, `a.b`, `$.a.b`.
    public init(parsing text: String) throws(JSONPathError) {
        var parser = JSONPathParser(text)
        nodes = text.utf8.contains(UInt8(ascii: "{")) ? try parser.template() : [.path(try parser.barePath())]
    }

    /// What the template's paths find, one after the other; nothing where a member is missing.
    public func evaluate(_ object: JSON) -> [JSON] {
        var evaluation = JSONPathEvaluation(root: object)
        return evaluation.values(nodes, current: object)
    }

    /// The template filled in: several values of one path with spaces between them, texts as they are, the rest as JSON.
    /// - Parameter allowsMissing: whether a member that is missing is left out, as kubectl does with `-o jsonpath`, or an error.
    public func render(_ object: JSON, allowsMissing: Bool = true) throws(JSONPathError) -> String {
        var evaluation = JSONPathEvaluation(root: object)
        let text = evaluation.render(nodes, current: object)
        if !allowsMissing, let missing = evaluation.missing { throw JSONPathError(problem: "\(missing) is not found") }
        return text
    }
}

struct JSONPathEvaluation {
    private let root: JSON
    /// `..` several times over multiplies what is found; no table cell needs more.
    private static let resultLimit = 100_000
    /// The first member that was not there.
    private(set) var missing: String?

    init(root: JSON) { self.root = root }

    mutating func values(_ nodes: [JSONPath.Node], current: JSON) -> [JSON] {
        var found: [JSON] = []
        for node in nodes {
            switch node {
            case .text: break
            case .path(let steps): found += follow(steps, from: current)
            case .range(let steps, let body):
                for element in follow(steps, from: current) { found += values(body, current: element) }
            }
        }
        return found
    }

    mutating func render(_ nodes: [JSONPath.Node], current: JSON) -> String {
        var text = ""
        for node in nodes {
            switch node {
            case .text(let literal): text += literal
            case .path(let steps): text += follow(steps, from: current).map(Self.text).joined(separator: " ")
            case .range(let steps, let body):
                for element in follow(steps, from: current) { text += render(body, current: element) }
            }
        }
        return text
    }

    private static func text(_ value: JSON) -> String {
        switch value {
        case .string(let text): text
        case .null: ""
        default: value.text
        }
    }

    private mutating func follow(_ steps: [JSONPath.Step], from current: JSON) -> [JSON] {
        var values = [current]
        for step in steps {
            if case .root = step {
                values = [root]
                continue
            }
            var next: [JSON] = []
            for value in values where next.count < Self.resultLimit { take(step, value, into: &next) }
            values = next
        }
        return values
    }

    private mutating func take(_ step: JSONPath.Step, _ value: JSON, into found: inout [JSON]) {
        switch step {
        case .root, .current: found.append(value)
        case .field(let name):
            if let member = value.objectValue?[name] { found.append(member) } else { miss(name) }
        case .all:
            switch value {
            case .array(let elements): found += elements
            case .object(let members): found += members.values
            default: break
            }
        case .descend: Self.descend(value, into: &found)
        case .index(let index):
            let elements = value.elements
            let position = index < 0 ? index + elements.count : index
            if elements.indices.contains(position) { found.append(elements[position]) } else { miss("[\(index)]") }
        case .slice(let from, let to, let step): Self.slice(value.elements, from, to, step, into: &found)
        case .union(let steps): for step in steps { take(step, value, into: &found) }
        case .filter(let filter):
            let candidates: [JSON] = value.arrayValue ?? value.objectValue.map { Array($0.values) } ?? []
            for element in candidates where holds(filter, element) { found.append(element) }
        }
    }

    private mutating func miss(_ name: String) { if missing == nil { missing = name } }

    private static func descend(_ value: JSON, into found: inout [JSON]) {
        found.append(value)
        switch value {
        case .array(let elements): for element in elements { descend(element, into: &found) }
        case .object(let members): for member in members.values { descend(member, into: &found) }
        default: break
        }
    }

    private static func slice(_ elements: [JSON], _ from: Int?, _ to: Int?, _ step: Int?, into found: inout [JSON]) {
        func clamp(_ index: Int) -> Int { min(max(index < 0 ? index + elements.count : index, 0), elements.count) }
        let (start, end) = (clamp(from ?? 0), clamp(to ?? elements.count))
        guard start < end else { return }
        for position in stride(from: start, to: end, by: max(step ?? 1, 1)) { found.append(elements[position]) }
    }

    private func holds(_ filter: JSONPath.Filter, _ element: JSON) -> Bool {
        // Its own evaluation: what a filter does not find is no missing member.
        var inner = JSONPathEvaluation(root: root)
        switch filter {
        case .exists(let steps): return !inner.follow(steps, from: element).isEmpty
        case .compare(let left, let comparison, let right):
            guard let a = inner.value(left, element), let b = inner.value(right, element) else { return false }
            return Self.compare(a, comparison, b)
        }
    }

    private mutating func value(_ operand: JSONPath.Operand, _ element: JSON) -> JSON? {
        switch operand {
        case .literal(let value): value
        case .path(let steps): follow(steps, from: element).first
        }
    }

    private static func compare(_ a: JSON, _ comparison: JSONPath.Comparison, _ b: JSON) -> Bool {
        switch comparison {
        case .equal: return a == b
        case .notEqual: return a != b
        default: break
        }
        let order: Int
        if let x = a.doubleValue, let y = b.doubleValue {
            order = x < y ? -1 : x > y ? 1 : 0
        } else if let x = a.stringValue, let y = b.stringValue {
            order = x < y ? -1 : x > y ? 1 : 0
        } else {
            return false
        }
        switch comparison {
        case .less: return order < 0
        case .lessOrEqual: return order <= 0
        case .greater: return order > 0
        default: return order >= 0
        }
    }
}

/// A node of a parsed expression. Macros are nodes of their own; operators are calls of functions with cel-go's names, e.g. `_+_`.
final class CELNode: Sendable {
    struct Element: Sendable {
        let value: CELNode
        /// Written `?value`: left out where the optional is empty.
        let isOptional: Bool
    }

    struct Entry: Sendable {
        let key: CELNode
        let value: CELNode
        let isOptional: Bool
    }

    /// A macro that runs over a list or map.
    struct Loop: Sendable {
        enum Kind: Sendable { case all, exists, existsOne, map, filter, transformList, transformMap, transformMapEntry }
        let kind: Kind
        /// One variable (element, or key of a map) or two (index or key, and value).
        let variables: [String]
        let range: CELNode
        /// Of `map` and the transforms, where there is one.
        let condition: CELNode?
        let body: CELNode
    }

    enum Kind: Sendable {
        case literal(CELValue)
        case identifier(String)
        case select(CELNode, String, isOptional: Bool)
        case has(CELNode, String)
        case call(String, target: CELNode?, [CELNode])
        case and([CELNode])
        case or([CELNode])
        case list([Element])
        case map([Entry])
        case loop(Loop)
        /// `cel.bind(name, value, body)`
        case bind(String, CELNode, CELNode)
        /// `value.optMap(name, body)`; flat where the body is an optional itself.
        case optionalMap(CELNode, String, CELNode, isFlat: Bool)
    }

    let kind: Kind
    /// In Unicode scalars from the start of the source.
    let position: Int
    /// Of the tree below, itself included: bounds the recursion of everything that walks it.
    let depth: Int

    init(_ kind: Kind, at position: Int) {
        self.kind = kind
        self.position = position
        depth = 1 + (Self.children(of: kind).map(\.depth).max() ?? 0)
    }

    private static func children(of kind: Kind) -> [CELNode] {
        switch kind {
        case .literal, .identifier: []
        case .select(let operand, _, _), .has(let operand, _): [operand]
        case .call(_, let target, let arguments): arguments + [target].compactMap { $0 }
        case .and(let parts), .or(let parts): parts
        case .list(let elements): elements.map(\.value)
        case .map(let entries): entries.flatMap { [$0.key, $0.value] }
        case .loop(let loop): [loop.range, loop.body] + [loop.condition].compactMap { $0 }
        case .bind(_, let value, let body), .optionalMap(let value, _, let body, _): [value, body]
        }
    }

    /// `a.b.c` for a chain of plain selections of an identifier; nil for anything else.
    var qualifiedName: String? {
        switch kind {
        case .identifier(let name): name
        case .select(let operand, let field, isOptional: false): operand.qualifiedName.map { "\($0).\(field)" }
        default: nil
        }
    }
}

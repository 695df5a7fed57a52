/// Tokens to a tree (cel-spec, "Syntax"), by precedence climbing so that nesting costs few stack frames.
struct CELParser {
    /// cel-go's limits.
    static let recursionLimit = 250
    static let sizeLimit = 100_000

    private let source: String
    private var tokens: [(token: CELToken, position: Int)] = []
    private var index = 0
    private var nesting = 0

    static func parse(_ source: String) throws(CELCompileError) -> CELNode {
        let size = source.unicodeScalars.count
        if size > sizeLimit {
            let message = "expression code point size exceeds limit: size: \(size), limit \(sizeLimit)"
            throw CELCompileError(source: "", issues: [.init(position: 0, message: message)])
        }
        var lexer = CELLexer(source)
        var parser = CELParser(source: source, tokens: try lexer.tokens())
        let node = try parser.expression()
        if parser.token != .end { throw parser.unexpected() }
        return node
    }

    private init(source: String, tokens: [(token: CELToken, position: Int)]) {
        self.source = source
        self.tokens = tokens
    }

    var token: CELToken { tokens[index].token }
    var position: Int { tokens[index].position }
    private mutating func advance() { if index < tokens.count - 1 { index += 1 } }

    func fail(_ message: String, at position: Int) -> CELCompileError {
        CELCompileError(source: source, issues: [.init(position: position, message: message)])
    }

    private func unexpected(_ wanted: String = "") -> CELCompileError {
        let found =
            switch token {
            case .end: "<EOF>"
            case .symbol(let text), .identifier(let text): text
            case .string(let text): JSON.quoted(text)
            default: "literal"
            }
        let tail = wanted.isEmpty ? "extraneous input '\(found)' expecting <EOF>" : "mismatched input '\(found)' expecting \(wanted)"
        return fail("Syntax error: " + tail, at: position)
    }

    private mutating func accept(_ symbol: String) -> Bool {
        guard token == .symbol(symbol) else { return false }
        advance()
        return true
    }

    private mutating func expect(_ symbol: String) throws(CELCompileError) {
        guard accept(symbol) else { throw unexpected("'\(symbol)'") }
    }

    private func checked(_ node: CELNode) throws(CELCompileError) -> CELNode {
        guard node.depth <= Self.recursionLimit else {
            throw fail("expression recursion limit exceeded: \(Self.recursionLimit)", at: node.position)
        }
        return node
    }

    // MARK: Operators

    mutating func expression() throws(CELCompileError) -> CELNode {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Self.recursionLimit else { throw fail("expression recursion limit exceeded: \(Self.recursionLimit)", at: position) }
        let condition = try binary(0)
        let start = position
        guard accept("?") else { return condition }
        let first = try binary(0)
        try expect(":")
        let second = try expression()
        return try checked(CELNode(.call("_?_:_", target: nil, [condition, first, second]), at: start))
    }

    /// Operators with their level, the loosest first.
    private static let levels: [String: Int] = [
        "||": 0, "&&": 1, "<": 2, "<=": 2, ">": 2, ">=": 2, "==": 2, "!=": 2, "in": 2, "+": 3, "-": 3, "*": 4, "/": 4, "%": 4,
    ]

    private var operatorHere: (text: String, level: Int)? {
        switch token {
        case .symbol(let text): Self.levels[text].map { (text, $0) }
        case .identifier("in"): ("in", 2)
        default: nil
        }
    }

    private mutating func binary(_ least: Int) throws(CELCompileError) -> CELNode {
        var left = try unary()
        while let (text, level) = operatorHere, level >= least {
            let start = position
            advance()
            if level < 2 {
                // Chains of && and || are one node: a long list of conditions is not a deep tree.
                var parts = [left, try binary(level + 1)]
                while token == .symbol(text) {
                    advance()
                    parts.append(try binary(level + 1))
                }
                left = try checked(CELNode(level == 0 ? .or(parts) : .and(parts), at: start))
            } else {
                let right = try binary(level + 1)
                left = try checked(CELNode(.call(text == "in" ? "@in" : "_\(text)_", target: nil, [left, right]), at: start))
            }
        }
        return left
    }

    private mutating func unary() throws(CELCompileError) -> CELNode {
        let start = position
        for symbol in ["!", "-"] where token == .symbol(symbol) {
            var count = 0
            while accept(symbol) { count += 1 }
            if symbol == "-", let literal = try negativeLiteral(count, start) { return try member(from: literal) }
            let operand = try member(from: try primary())
            return count % 2 == 0 ? operand : try checked(CELNode(.call(symbol == "!" ? "!_" : "-_", target: nil, [operand]), at: start))
        }
        return try member(from: try primary())
    }

    /// `-9223372036854775808` is a literal, not the negation of one that does not fit.
    private mutating func negativeLiteral(_ count: Int, _ start: Int) throws(CELCompileError) -> CELNode? {
        guard count == 1 else { return nil }
        switch token {
        case .int(let magnitude):
            guard magnitude <= UInt64(Int64.max) + 1 else { throw fail("Syntax error: invalid int literal", at: start) }
            advance()
            return CELNode(.literal(.int(Int64(truncatingIfNeeded: 0 &- magnitude))), at: start)
        case .double(let value):
            advance()
            return CELNode(.literal(.double(-value)), at: start)
        default: return nil
        }
    }

    // MARK: Members

    private mutating func member(from start: CELNode) throws(CELCompileError) -> CELNode {
        var node = start
        while true {
            let place = position
            if accept(".") {
                let isOptional = accept("?")
                let field = try name()
                if !isOptional, accept("(") {
                    let arguments = try list(until: ")")
                    node = try CELMacros.expand(field, target: node, arguments, at: place, self)
                        ?? CELNode(.call(field, target: node, arguments), at: place)
                } else {
                    node = CELNode(.select(node, field, isOptional: isOptional), at: place)
                }
            } else if accept("[") {
                let function = accept("?") ? "_[?_]" : "_[_]"
                let key = try expression()
                try expect("]")
                node = CELNode(.call(function, target: nil, [node, key]), at: place)
            } else {
                return node
            }
            node = try checked(node)
        }
    }

    private mutating func name() throws(CELCompileError) -> String {
        guard case .identifier(let name) = token, !["true", "false", "null", "in"].contains(name) else { throw unexpected("IDENTIFIER") }
        advance()
        return name
    }

    private mutating func list(until end: String) throws(CELCompileError) -> [CELNode] {
        var nodes: [CELNode] = []
        if accept(end) { return nodes }
        while true {
            nodes.append(try expression())
            if accept(end) { return nodes }
            try expect(",")
        }
    }

    private static let reserved: Set<String> = [
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var",
        "void", "while",
    ]

    private mutating func primary() throws(CELCompileError) -> CELNode {
        let start = position
        switch token {
        case .int(let magnitude):
            guard let value = Int64(exactly: magnitude) else { throw fail("Syntax error: invalid int literal", at: start) }
            return literal(.int(value))
        case .uint(let value): return literal(.uint(value))
        case .double(let value): return literal(.double(value))
        case .string(let value): return literal(.string(value))
        case .bytes(let value): return literal(.bytes(value))
        case .identifier("true"): return literal(.bool(true))
        case .identifier("false"): return literal(.bool(false))
        case .identifier("null"): return literal(.null)
        case .identifier: return try identifier()
        case .symbol("."):
            advance()
            return try identifier()
        case .symbol("("):
            advance()
            let inner = try expression()
            try expect(")")
            return inner
        case .symbol("["):
            advance()
            return try listLiteral(start)
        case .symbol("{"):
            advance()
            return try mapLiteral(start)
        default: throw unexpected("{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}")
        }
    }

    private mutating func literal(_ value: CELValue) -> CELNode {
        let node = CELNode(.literal(value), at: position)
        advance()
        return node
    }

    private mutating func identifier() throws(CELCompileError) -> CELNode {
        let start = position
        let name = try name()
        if Self.reserved.contains(name) { throw fail("reserved identifier: \(name)", at: start) }
        guard accept("(") else { return CELNode(.identifier(name), at: start) }
        let arguments = try list(until: ")")
        return try CELMacros.expand(name, target: nil, arguments, at: start, self) ?? checked(CELNode(.call(name, target: nil, arguments), at: start))
    }

    private mutating func listLiteral(_ start: Int) throws(CELCompileError) -> CELNode {
        var elements: [CELNode.Element] = []
        while !accept("]") {
            let isOptional = accept("?")
            elements.append(.init(value: try expression(), isOptional: isOptional))
            if accept("]") { break }
            try expect(",")
        }
        return try checked(CELNode(.list(elements), at: start))
    }

    private mutating func mapLiteral(_ start: Int) throws(CELCompileError) -> CELNode {
        var entries: [CELNode.Entry] = []
        while !accept("}") {
            let isOptional = accept("?")
            let key = try expression()
            try expect(":")
            entries.append(.init(key: key, value: try expression(), isOptional: isOptional))
            if accept("}") { break }
            try expect(",")
        }
        return try checked(CELNode(.map(entries), at: start))
    }
}

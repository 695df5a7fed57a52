/// What is wrong with a regular expression.
public struct PatternError: Error, Sendable, Equatable, CustomStringConvertible {
    public let problem: String
    public let expression: String
    public var description: String { "error parsing regexp: \(problem): `\(expression)`" }
}

/// Regular expressions in the syntax of Go's regexp package (RE2): schemas, Katib's metric filters. Matching takes time
/// in proportion to text × expression, whatever the expression (R. Pike's virtual machine), so expressions from users are safe.
///
/// Known: literals, `.`, classes with ranges and `[:alpha:]`, `\d \w \s \b` and their opposites, `\x41`, `\x{1F600}`, `\Q…\E`, groups
/// `( )`, `(?: )`, `(?P<name> )`, flags `i`, `s`, `m`, `U`, `|`, `* + ? {n,m}` with their lazy forms, `^ $ \A \z`. Not known: `\p{…}`.
public struct Pattern: Sendable, CustomStringConvertible {
    /// One match: the whole and the groups, those that took no part nil.
    public struct Match: Sendable, Equatable {
        public var groups: [Substring?]
        public var whole: Substring { groups.first.flatMap { $0 } ?? "" }
    }

    public let description: String
    let program: [PatternInstruction]
    /// Groups that are kept, without the whole.
    public let groupCount: Int
    /// How many steps a character can cost at most.
    var size: Int { program.count }

    /// - Throws: `PatternError` where the text is no expression, repeats too often (Go: 1000) or grows too large.
    public init(_ expression: String) throws(PatternError) {
        description = expression
        var parser = PatternParser(expression)
        let tree = try parser.parse()
        groupCount = parser.groupCount
        var compiler = PatternCompiler()
        compiler.emit(tree)
        guard compiler.program.count <= PatternCompiler.limit else {
            throw PatternError(problem: "expression too large", expression: String(expression.prefix(200)))
        }
        program = compiler.program + [.match]
    }

    /// Whether the expression matches anywhere in the text.
    public func matches(_ text: String) -> Bool {
        var machine = PatternMachine(program, Array(text.unicodeScalars), slots: 0)
        return machine.run(from: 0) != nil
    }

    /// The leftmost match.
    public func firstMatch(in text: String) -> Match? { allMatches(in: text, limit: 1).first }

    /// All matches that do not overlap, from left to right.
    public func allMatches(in text: String, limit: Int = .max) -> [Match] {
        let scalars = Array(text.unicodeScalars)
        var indices: [String.Index]?
        var matches: [Match] = []
        var start = 0
        var machine = PatternMachine(program, scalars, slots: (groupCount + 1) * 2)
        while start <= scalars.count, matches.count < limit, let slots = machine.run(from: start) {
            let positions = indices ?? Array(text.unicodeScalars.indices) + [text.endIndex]
            indices = positions
            let groups = (0...groupCount).map { group -> Substring? in
                let (from, to) = (slots[group * 2], slots[group * 2 + 1])
                return from < 0 || to < 0 ? nil : text[positions[from]..<positions[to]]
            }
            matches.append(Match(groups: groups))
            start = slots[1] > slots[0] ? slots[1] : slots[1] + 1
        }
        return matches
    }
}

/// A set of characters.
struct PatternClass: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } != isNegated }

    mutating func add(_ first: Unicode.Scalar, _ last: Unicode.Scalar) { ranges.append(first.value...last.value) }

    /// With the other case of its ASCII letters.
    var ignoringCase: PatternClass {
        var result = self
        for range in ranges {
            for (letters, shift) in [(UInt32(0x41)...0x5A, Int64(32)), (UInt32(0x61)...0x7A, -32)] where range.overlaps(letters) {
                let both = range.clamped(to: letters)
                result.ranges.append(UInt32(Int64(both.lowerBound) + shift)...UInt32(Int64(both.upperBound) + shift))
            }
        }
        return result
    }

    static let digit = PatternClass(ranges: [0x30...0x39])
    static let word = PatternClass(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = PatternClass(ranges: [0x09...0x0A, 0x0C...0x0D, 0x20...0x20])
    static let named: [String: PatternClass] = [
        "alnum": PatternClass(ranges: [0x30...0x39, 0x41...0x5A, 0x61...0x7A]), "alpha": PatternClass(ranges: [0x41...0x5A, 0x61...0x7A]),
        "ascii": PatternClass(ranges: [0...0x7F]), "blank": PatternClass(ranges: [0x09...0x09, 0x20...0x20]),
        "cntrl": PatternClass(ranges: [0...0x1F, 0x7F...0x7F]), "digit": digit, "graph": PatternClass(ranges: [0x21...0x7E]),
        "lower": PatternClass(ranges: [0x61...0x7A]), "print": PatternClass(ranges: [0x20...0x7E]),
        "punct": PatternClass(ranges: [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E]),
        "space": PatternClass(ranges: [0x09...0x0D, 0x20...0x20]), "upper": PatternClass(ranges: [0x41...0x5A]), "word": word,
        "xdigit": PatternClass(ranges: [0x30...0x39, 0x41...0x46, 0x61...0x66]),
    ]
}

enum PatternAssertion: Sendable { case textStart, textEnd, lineStart, lineEnd, wordBoundary, notWordBoundary }

indirect enum PatternNode: Sendable {
    case empty
    case scalar(Unicode.Scalar)
    case set(PatternClass)
    case assertion(PatternAssertion)
    case sequence([PatternNode])
    case choice([PatternNode])
    case group(PatternNode, Int)
    case repetition(PatternNode, least: Int, most: Int?, isLazy: Bool)
}

enum PatternInstruction: Sendable {
    case scalar(Unicode.Scalar)
    case set(PatternClass)
    case assertion(PatternAssertion)
    /// Goes on at both, the first with precedence.
    case split(Int, Int)
    case jump(Int)
    case save(Int)
    case match
}

struct PatternCompiler {
    static let limit = 20_000
    private(set) var program: [PatternInstruction] = []

    mutating func emit(_ node: PatternNode) {
        guard program.count <= Self.limit else { return }
        switch node {
        case .empty: break
        case .scalar(let scalar): program.append(.scalar(scalar))
        case .set(let set): program.append(.set(set))
        case .assertion(let assertion): program.append(.assertion(assertion))
        case .sequence(let parts): for part in parts { emit(part) }
        case .choice(let branches): emit(choice: branches)
        case .group(let inner, let number):
            program.append(.save(number * 2))
            emit(inner)
            program.append(.save(number * 2 + 1))
        case .repetition(let inner, let least, let most, let isLazy): emit(repetition: inner, least, most, isLazy)
        }
    }

    private mutating func emit(choice branches: [PatternNode]) {
        var ends: [Int] = []
        for (index, branch) in branches.enumerated() {
            if index == branches.count - 1 {
                emit(branch)
                break
            }
            let split = program.count
            program.append(.match)
            emit(branch)
            ends.append(program.count)
            program.append(.match)
            program[split] = .split(split + 1, program.count)
        }
        for end in ends { program[end] = .jump(program.count) }
    }

    private mutating func emit(repetition inner: PatternNode, _ least: Int, _ most: Int?, _ isLazy: Bool) {
        func split(_ inside: Int, _ behind: Int) -> PatternInstruction { isLazy ? .split(behind, inside) : .split(inside, behind) }
        for _ in 0..<least where program.count <= Self.limit { emit(inner) }
        guard let most else {
            let start = program.count
            program.append(.match)
            emit(inner)
            program.append(.jump(start))
            program[start] = split(start + 1, program.count)
            return
        }
        var splits: [Int] = []
        for _ in least..<max(most, least) where program.count <= Self.limit {
            splits.append(program.count)
            program.append(.match)
            emit(inner)
        }
        for position in splits { program[position] = split(position + 1, program.count) }
    }
}

/// All threads advance together, one character at a time; of two at the same instruction the one with precedence stays.
struct PatternMachine {
    private struct Threads {
        var order: [Int] = []
        var slots: [[Int]] = []
        /// Where in `order` an instruction stands; valid only where `order` agrees.
        var places: [Int]

        init(_ count: Int) { places = [Int](repeating: -1, count: count) }

        func has(_ instruction: Int) -> Bool {
            let place = places[instruction]
            return place >= 0 && place < order.count && order[place] == instruction
        }
        mutating func clear() {
            order.removeAll(keepingCapacity: true)
            slots.removeAll(keepingCapacity: true)
        }
        mutating func add(_ instruction: Int, _ captured: [Int]) {
            places[instruction] = order.count
            order.append(instruction)
            slots.append(captured)
        }
    }

    private let program: [PatternInstruction]
    private let text: [Unicode.Scalar]
    private let slotCount: Int

    init(_ program: [PatternInstruction], _ text: [Unicode.Scalar], slots: Int) {
        self.program = program
        self.text = text
        slotCount = slots
    }

    /// The positions of the leftmost match at or behind a position; empty where no slots are wanted, nil where there is none.
    mutating func run(from start: Int) -> [Int]? {
        var current = Threads(program.count)
        var next = Threads(program.count)
        var found: [Int]?
        var position = start
        while true {
            if found == nil {
                var slots = [Int](repeating: -1, count: slotCount)
                if slotCount > 0 { slots[0] = position }
                follow(0, position, slots, &current)
            }
            if current.order.isEmpty, found != nil { break }
            next.clear()
            threads: for index in current.order.indices {
                let instruction = current.order[index]
                switch program[instruction] {
                case .match:
                    var slots = current.slots[index]
                    if slotCount > 0 { slots[1] = position }
                    found = slots
                    if slotCount == 0 { return slots }
                    // Threads of lower precedence are cut off.
                    break threads
                case .scalar(let scalar):
                    if position < text.count, text[position] == scalar { follow(instruction + 1, position + 1, current.slots[index], &next) }
                case .set(let set):
                    if position < text.count, set.contains(text[position]) { follow(instruction + 1, position + 1, current.slots[index], &next) }
                default: break
                }
            }
            guard position < text.count else { break }
            position += 1
            swap(&current, &next)
        }
        return found
    }

    /// Adds the instruction and all that it leads to without taking a character.
    private func follow(_ start: Int, _ position: Int, _ slots: [Int], _ threads: inout Threads) {
        var stack: [(instruction: Int, slots: [Int])] = [(start, slots)]
        while let (instruction, slots) = stack.popLast() {
            if threads.has(instruction) { continue }
            threads.add(instruction, slots)
            switch program[instruction] {
            case .jump(let target): stack.append((target, slots))
            case .split(let first, let second):
                stack.append((second, slots))
                stack.append((first, slots))
            case .save(let slot):
                var changed = slots
                if slot < slotCount { changed[slot] = position }
                stack.append((instruction + 1, changed))
            case .assertion(let assertion): if holds(assertion, position) { stack.append((instruction + 1, slots)) }
            default: break
            }
        }
    }

    private func holds(_ assertion: PatternAssertion, _ position: Int) -> Bool {
        switch assertion {
        case .textStart: position == 0
        case .textEnd: position == text.count
        case .lineStart: position == 0 || text[position - 1] == "\n"
        case .lineEnd: position == text.count || text[position] == "\n"
        case .wordBoundary: isWord(position - 1) != isWord(position)
        case .notWordBoundary: isWord(position - 1) == isWord(position)
        }
    }

    private func isWord(_ position: Int) -> Bool { text.indices.contains(position) && PatternClass.word.contains(text[position]) }
}

/// A checked expression, ready to be evaluated: variables are places in a frame, calls know their overloads.
indirect enum CELCode: Sendable {
    struct Element: Sendable {
        let value: CELCode
        let isOptional: Bool
    }

    struct Entry: Sendable {
        let key: CELCode
        let value: CELCode
        let isOptional: Bool
    }

    struct Loop: Sendable {
        let kind: CELNode.Loop.Kind
        /// Where the variables are in the frame.
        let slots: [Int]
        let range: CELCode
        let condition: CELCode?
        let body: CELCode
    }

    case constant(CELValue)
    case variable(Int, String)
    case select(CELCode, String)
    case selectOptional(CELCode, String)
    case has(CELCode, String)
    case and([CELCode])
    case or([CELCode])
    case conditional(CELCode, CELCode, CELCode)
    case list([Element])
    case map([Entry])
    case loop(Loop)
    case bind(Int, CELCode, CELCode)
    case optionalMap(CELCode, Int, CELCode, isFlat: Bool)
    case call([CELOverload], [CELCode])
}

/// One signature of a function and what it does.
struct CELOverload: Sendable {
    typealias Run = @Sendable (_ machine: inout CELMachine, _ arguments: [CELValue]) throws(CELError) -> CELValue

    let name: String
    /// Called as `a.f(b)`; `a` is then the first parameter.
    let isMember: Bool
    let parameters: [CELType]
    let result: CELType
    let run: Run

    init(_ name: String, member: Bool = false, _ parameters: [CELType], _ result: CELType, _ run: @escaping Run) {
        self.name = name
        isMember = member
        self.parameters = parameters
        self.result = result
        self.run = run
    }

    /// Whether values are of the kinds that the signature wants; elements of lists are not looked at.
    func accepts(_ arguments: [CELValue]) -> Bool {
        guard arguments.count == parameters.count else { return false }
        for (value, parameter) in zip(arguments, parameters) where !Self.accepts(value, parameter) { return false }
        return true
    }

    private static func accepts(_ value: CELValue, _ type: CELType) -> Bool {
        switch (type, value) {
        case (.dyn, _), (.parameter, _), (.variable, _), (.error, _): true
        case (.null, .null), (.bool, .bool), (.int, .int), (.uint, .uint), (.double, .double), (.string, .string), (.bytes, .bytes): true
        case (.timestamp, .timestamp), (.duration, .duration), (.type, .type), (.list, .list), (.map, .map), (.optional, .optional): true
        case (.object, .map): true
        case (.opaque(let name), _): name == value.typeName
        default: false
        }
    }
}

/// The state of one evaluation: variables, and what it has cost so far.
public struct CELMachine {
    var slots: [CELValue?]
    /// In the units of cel-go: about one a step and one for ten characters that are looked at.
    private(set) var cost = 0
    let limit: Int

    init(slots: [CELValue?], limit: Int) {
        self.slots = slots
        self.limit = limit
    }

    mutating func charge(_ steps: Int) throws(CELError) {
        let (sum, overflow) = cost.addingReportingOverflow(steps)
        cost = overflow ? .max : sum
        if cost > limit { throw .costExceeded }
    }

    /// For looking at so many characters or elements.
    mutating func charge(size: Int) throws(CELError) { try charge((size + 9) / 10) }
}

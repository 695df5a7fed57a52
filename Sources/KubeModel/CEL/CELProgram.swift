/// A compiled expression: immutable, evaluated any number of times on any thread.
public struct CELProgram: Sendable {
    /// A variable that the expression may use.
    public struct Variable: Sendable {
        public let name: String
        public let type: CELType

        public init(_ name: String, _ type: CELType) {
            self.name = name
            self.type = type
        }
    }

    public let source: String
    public let resultType: CELType
    /// The names of the variables that the expression looks at.
    public let used: Set<String>
    private let code: CELCode
    private let slotCount: Int
    private let names: [String]

    /// Parses and checks an expression.
    /// - Throws: `CELCompileError` with everything that is wrong.
    public init(_ source: String, variables: [Variable]) throws(CELCompileError) {
        self.source = source
        let node = try CELParser.parse(source)
        var checker = CELChecker(source: source, variables: variables)
        let (type, code) = checker.check(node)
        if !checker.issues.isEmpty { throw CELCompileError(source: source, issues: checker.issues) }
        resultType = checker.resolved(type)
        self.code = code
        used = checker.used
        slotCount = checker.slotCount
        names = variables.map(\.name)
    }

    /// Evaluates the expression.
    /// - Parameters:
    ///   - values: of the variables; one that is missing is an error where the expression looks at it.
    ///   - limit: what the evaluation may cost, in cel-go's units.
    /// - Returns: the value or what went wrong, and what it cost.
    public func evaluate(_ values: [String: CELValue], limit: Int) -> (result: Result<CELValue, CELError>, cost: Int) {
        var slots = [CELValue?](repeating: nil, count: slotCount)
        for (index, name) in names.enumerated() { slots[index] = values[name] }
        var machine = CELMachine(slots: slots, limit: limit)
        do throws(CELError) {
            let value = try machine.evaluate(code)
            return (.success(value), machine.cost)
        } catch {
            return (.failure(error), machine.cost)
        }
    }
}

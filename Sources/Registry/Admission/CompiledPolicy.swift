import KubeModel

/// The expressions of a ValidatingAdmissionPolicy as programs.
struct CompiledPolicy: Sendable {
    typealias Program = Result<CELProgram, AdmissionExpressions.CompileProblem>

    struct Validation: Sendable {
        let expression: String
        let message: String
        let reason: String
        let program: Program
        let messageProgram: Program?
    }

    /// One expression that does not compile, with its place in the policy.
    struct Problem: Sendable {
        let field: String
        let expression: String
        let detail: String
    }

    let name: String
    let spec: JSON
    let conditions: [Program]
    /// In the order of the policy; each may look at those before it.
    let variables: [(name: String, program: Program)]
    let validations: [Validation]
    let annotations: [Program]
    let problems: [Problem]

    var failsOpen: Bool { spec["failurePolicy"].stringValue == "Ignore" }
    var hasParams: Bool { !spec["paramKind"].isNull }

    /// - Parameter type: of `object` and `oldObject`; dyn but where the policy is checked against one kind.
    init(_ policy: JSON, type: CELType = .dyn) {
        name = policy["metadata"]["name"].stringValue ?? ""
        let spec = policy["spec"]
        self.spec = spec
        var problems: [Problem] = []
        let base = AdmissionExpressions.variables(hasParams: !spec["paramKind"].isNull, type: type)
        // Upstream's messages ask for no rights.
        let silent = AdmissionExpressions.variables(hasParams: !spec["paramKind"].isNull, hasAuthorizer: false, type: type)
        func compile(_ json: JSON, _ field: String, _ scope: [CELProgram.Variable], _ wanted: [CELType]) -> Program {
            let text = (json.stringValue ?? "").trimmed
            let made = AdmissionExpressions.compile(text, scope, returning: wanted)
            if case .failure(let problem) = made { problems.append(Problem(field: field, expression: text, detail: problem.detail)) }
            return made
        }
        conditions = spec["matchConditions"].elements.enumerated().map { compile($0.element["expression"], "spec.matchConditions[\($0.offset)].expression", base, [.bool]) }
        var scope = base
        var variables: [(name: String, program: Program)] = []
        for (index, variable) in spec["variables"].elements.enumerated() {
            let name = variable["name"].stringValue ?? ""
            let program = compile(variable["expression"], "spec.variables[\(index)].expression", scope, [])
            variables.append((name, program))
            // One that does not compile has been reported: what uses it need not be.
            var type = CELType.dyn
            if case .success(let made) = program { type = made.resultType }
            scope.append(.init("variables.\(name)", type))
        }
        self.variables = variables
        let messageScope = silent + scope.dropFirst(base.count)
        validations = spec["validations"].elements.enumerated().map { index, validation in
            let field = "spec.validations[\(index)]"
            let text = validation["messageExpression"].stringValue ?? ""
            return Validation(
                expression: (validation["expression"].stringValue ?? "").trimmed, message: (validation["message"].stringValue ?? "").trimmed,
                reason: validation["reason"].stringValue ?? "Invalid", program: compile(validation["expression"], "\(field).expression", scope, [.bool]),
                messageProgram: text.trimmed.isEmpty ? nil : compile(validation["messageExpression"], "\(field).messageExpression", messageScope, [.string]))
        }
        annotations = spec["auditAnnotations"].elements.enumerated().map {
            compile($0.element["valueExpression"], "spec.auditAnnotations[\($0.offset)].valueExpression", scope, [.string, .null])
        }
        self.problems = problems
    }
}

/// The expressions of one policy on one request: variables are computed when something first looks at them.
struct PolicyEvaluation {
    let policy: CompiledPolicy
    var values: [String: CELValue]
    private var budget = AdmissionExpressions.budget
    private var failures: [String: String] = [:]

    init(_ policy: CompiledPolicy, _ values: [String: CELValue]) {
        self.policy = policy
        self.values = values
    }

    /// - Throws: in upstream's words.
    mutating func evaluate(_ program: CompiledPolicy.Program) throws(AdmissionExpressions.EvaluationProblem) -> CELValue {
        let made: CELProgram
        switch program {
        case .failure(let problem): throw .init(message: problem.detail)
        case .success(let program): made = program
        }
        try compute(variablesOf: made)
        do throws(AdmissionExpressions.EvaluationProblem) {
            return try AdmissionExpressions.evaluate(made, values, budget: &budget)
        } catch {
            throw explained(error, made)
        }
    }

    private mutating func compute(variablesOf program: CELProgram) throws(AdmissionExpressions.EvaluationProblem) {
        for variable in policy.variables where program.used.contains("variables.\(variable.name)") {
            let key = "variables.\(variable.name)"
            if values[key] != nil || failures[key] != nil { continue }
            do throws(AdmissionExpressions.EvaluationProblem) { values[key] = try evaluate(variable.program) } catch {
                if error.isOutOfBudget { throw error }
                failures[key] = "composited variable \"\(variable.name)\" fails to evaluate: \(error.message)"
            }
        }
    }

    /// A variable that failed is no error until something looks at it.
    private func explained(_ problem: AdmissionExpressions.EvaluationProblem, _ program: CELProgram) -> AdmissionExpressions.EvaluationProblem {
        guard let error = problem.error else { return problem }
        for (key, failure) in failures where error.message == "no such attribute(s): \(key)" {
            return .init(message: "expression '\(program.source)' resulted in error: \(failure)")
        }
        return problem
    }
}

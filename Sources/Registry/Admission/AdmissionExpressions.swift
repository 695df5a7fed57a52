public import KubeModel
import Synchronization

/// Says whether somebody may do something.
public typealias AccessDecider = @Sendable (_ user: AdmissionUser, _ question: CELAccessQuestion) -> CELAccessAnswer

/// The expressions of webhooks and policies: what they may look at, and what a request gives them to look at
/// (upstream: admission/plugin/cel).
enum AdmissionExpressions {
    /// What the expressions of one policy may cost together for one request, and its match conditions
    /// (k8s.io/apiserver/pkg/apis/cel: RuntimeCELCostBudget, RuntimeCELCostBudgetMatchConditions).
    static let budget = 10_000_000
    static let conditionBudget = 2_500_000
    private static let callLimit = 1_000_000

    private static func object(_ fields: [(String, JSON)]) -> JSON {
        var properties: JSON = [:]
        for (name, schema) in fields { properties[name] = schema }
        return ["type": "object", "properties": properties]
    }

    private static let text: JSON = ["type": "string"]
    private static let texts: JSON = ["type": "array", "items": ["type": "string"]]
    private static let textMap: JSON = ["type": "object", "additionalProperties": ["type": "string"]]
    private static let time: JSON = ["type": "string", "format": "date-time"]
    /// What CEL calls dyn: of the schemas that rules can use, this one has a value of any form.
    private static let anything: JSON = ["x-kubernetes-int-or-string": true]

    /// `request`, as upstream's BuildRequestType.
    static let requestView: CELView = {
        let kind = object([("group", text), ("version", text), ("kind", text)])
        let resource = object([("group", text), ("version", text), ("resource", text)])
        let extra: JSON = ["type": "object", "additionalProperties": texts]
        let user = object([("username", text), ("uid", text), ("groups", texts), ("extra", extra)])
        let request = object([
            ("kind", kind), ("resource", resource), ("subResource", text), ("requestKind", kind), ("requestResource", resource),
            ("requestSubResource", text), ("name", text), ("namespace", text), ("operation", text), ("userInfo", user),
            ("dryRun", ["type": "boolean"]), ("options", anything),
        ])
        return CELView(schema: Schema(json: request, structural: true), isResource: false)
    }()

    /// `namespaceObject`, as upstream's BuildNamespaceType: without managedFields and owners.
    static let namespaceView: CELView = {
        let number: JSON = ["type": "integer"]
        let metadata = object([
            ("name", text), ("generateName", text), ("namespace", text), ("labels", textMap), ("annotations", textMap), ("UID", text), ("uid", text),
            ("creationTimestamp", time), ("deletionGracePeriodSeconds", number), ("deletionTimestamp", time), ("generation", number),
            ("resourceVersion", text), ("finalizers", texts),
        ])
        let condition = object([("status", text), ("type", text), ("lastTransitionTime", time), ("message", text), ("reason", text)])
        let namespace = object([
            ("metadata", metadata), ("spec", object([("finalizers", texts)])),
            ("status", object([("conditions", ["type": "array", "items": condition]), ("phase", text)])),
        ])
        return CELView(schema: Schema(json: namespace, structural: true), isResource: false)
    }()

    /// The variables of every expression.
    /// - Parameters:
    ///   - hasParams: whether there is a `params`.
    ///   - hasAuthorizer: whether the expression may ask what somebody may do.
    ///   - type: of `object` and `oldObject`, where expressions are checked against one kind.
    static func variables(hasParams: Bool, hasAuthorizer: Bool = true, type: CELType = .dyn) -> [CELProgram.Variable] {
        var variables: [CELProgram.Variable] = [
            .init("object", type), .init("oldObject", type), .init("request", requestView.type ?? .dyn),
            .init("namespaceObject", namespaceView.type ?? .dyn),
        ]
        if hasParams { variables.append(.init("params", .dyn)) }
        if hasAuthorizer { variables += [.init("authorizer", CELAuthorizer.type), .init("authorizer.requestResource", CELAuthorizer.checkType)] }
        return variables
    }

    /// - Returns: the program, or why there is none, in upstream's words.
    static func compile(_ expression: String, _ variables: [CELProgram.Variable], returning wanted: [CELType]) -> Result<CELProgram, CompileProblem> {
        let program: CELProgram
        do throws(CELCompileError) { program = try CELProgram(expression, variables: variables) } catch {
            return .failure(CompileProblem(detail: "compilation failed: \(error)"))
        }
        let found = "\(program.resultType)"
        if wanted.isEmpty || found == "dyn" || wanted.contains(where: { "\($0)" == found }) { return .success(program) }
        let names = wanted.map { "\($0)" }
        let list = names.count == 1 ? names[0] : "one of [\(names.joined(separator: " "))]"
        return .failure(CompileProblem(detail: "must evaluate to \(list) but got \(found)"))
    }

    struct CompileProblem: Error, Sendable { let detail: String }

    /// What a request gives expressions.
    /// - Parameters:
    ///   - namespace: the Namespace that the request is in; null for none.
    ///   - params: null for none.
    ///   - decider: who may do what; without one there is no `authorizer`.
    static func values(
        _ request: AdmissionRequest, as matched: AdmissionRequest.Target, namespace: JSON, params: JSON?, decider: AccessDecider?
    ) throws(CELError) -> [String: CELValue] {
        var described = request.json(as: matched)
        // Fields that upstream's type says are always there.
        if described["name"].isNull { described["name"] = "" }
        var values: [String: CELValue] = [
            "object": .untyped(request.present(request.object, as: matched)), "oldObject": .untyped(request.present(request.oldObject, as: matched)),
            "request": try CELValue(described, requestView),
        ]
        values["namespaceObject"] = namespace.isNull ? .null : try CELValue(namespace, namespaceView)
        if let params { values["params"] = .untyped(params) }
        if let decider {
            let authorizer = Self.authorizer(of: request, decider)
            values["authorizer"] = .authorizer(authorizer)
            values["authorizer.requestResource"] = .authorizer(authorizer.check(Self.question(about: request)))
        }
        return values
    }

    private static func authorizer(of request: AdmissionRequest, _ decider: @escaping AccessDecider) -> CELAuthorizer {
        CELAuthorizer { question in
            guard let account = question.account else { return decider(request.user, question) }
            let groups = ["system:serviceaccounts", "system:serviceaccounts:\(account.namespace)"]
            return decider(AdmissionUser(name: "system:serviceaccount:\(account.namespace):\(account.name)", groups: groups), question)
        }
    }

    private static func question(about request: AdmissionRequest) -> CELAccessQuestion {
        var question = CELAccessQuestion()
        (question.group, question.resource, question.subresource) = (request.target.group, request.target.resource, request.subresource)
        (question.namespace, question.name) = (request.namespace, request.name)
        return question
    }

    /// Evaluates within what is left of a budget.
    /// - Throws: in upstream's words.
    static func evaluate(_ program: CELProgram, _ values: [String: CELValue], budget: inout Int) throws(EvaluationProblem) -> CELValue {
        guard budget > 0 else { throw .outOfBudget }
        let (result, cost) = program.evaluate(values, limit: callLimit)
        guard cost <= budget else {
            budget = 0
            throw .outOfBudget
        }
        budget -= cost
        switch result {
        case .success(let value): return value
        case .failure(let error): throw EvaluationProblem(message: "expression '\(program.source)' resulted in error: \(error)", error: error)
        }
    }

    struct EvaluationProblem: Error, Sendable {
        let message: String
        var error: CELError?
        static let outOfBudget = Self(message: "validation failed due to running out of cost budget, no further validation rules will be run")
    }

    /// What match conditions say: whether the request matches, or why they cannot tell.
    /// A condition that is false settles it, whatever else fails.
    static func conditions(_ programs: [Result<CELProgram, CompileProblem>], _ values: [String: CELValue]) -> Result<Bool, EvaluationProblem> {
        var budget = conditionBudget
        var problems: [String] = []
        for program in programs {
            switch program {
            case .failure(let problem): problems.append(problem.detail)
            case .success(let program):
                do throws(EvaluationProblem) {
                    if case .bool(false) = try evaluate(program, values, budget: &budget) { return .success(false) }
                } catch { problems.append(error.message) }
            }
        }
        if problems.isEmpty { return .success(true) }
        return .failure(EvaluationProblem(message: problems.count == 1 ? problems[0] : "[\(problems.joined(separator: ", "))]"))
    }
}

/// Compiled conditions of webhooks, by their text: the same configuration is asked at every write.
final class ConditionCache: Sendable {
    private static let limit = 1000
    private let programs = Mutex<[String: Result<CELProgram, AdmissionExpressions.CompileProblem>]>([:])

    func program(_ expression: String) -> Result<CELProgram, AdmissionExpressions.CompileProblem> {
        if let known = programs.withLock({ $0[expression] }) { return known }
        let made = AdmissionExpressions.compile(expression, AdmissionExpressions.variables(hasParams: false), returning: [.bool])
        programs.withLock {
            if $0.count >= Self.limit { $0 = [:] }
            $0[expression] = made
        }
        return made
    }
}

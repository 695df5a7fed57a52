import Catalogue
import KubeModel
import Synchronization

/// Evaluates the ValidatingAdmissionPolicies that are bound (upstream: admission/plugin/policy/validating).
final class PolicyAdmission: Sendable {
    private struct Known: Sendable {
        let generation: Int
        let policy: CompiledPolicy
    }

    private struct Denial {
        let message: String
        let reason: String
    }

    private let catalogue: Catalogue
    /// The kind that `apiVersion` and `kind` name.
    private let kind: @Sendable (_ of: JSON) -> Kind?
    private let decider: @Sendable () -> AccessDecider?
    private let compiled = Mutex<[String: Known]>([:])
    private static let messageLimit = 5 << 10

    init(catalogue: Catalogue, kind: @escaping @Sendable (JSON) -> Kind?, decider: @escaping @Sendable () -> AccessDecider?) {
        self.catalogue = catalogue
        self.decider = decider
        self.kind = kind
    }

    private func compile(_ policy: StoredObject) -> CompiledPolicy {
        let generation = policy.metadata["generation"].intValue ?? 0
        if let known = compiled.withLock({ $0[policy.uid] }), known.generation == generation { return known.policy }
        let made = CompiledPolicy(policy.value)
        compiled.withLock {
            // Policies that have gone are not kept for long.
            if $0.count > 500 { $0 = [:] }
            $0[policy.uid] = Known(generation: generation, policy: made)
        }
        return made
    }

    /// - Returns: what the user is to be warned of.
    /// - Throws: `APIStatus` of the first policy that denies the request.
    func validate(_ request: AdmissionRequest) throws -> [String] {
        let bindings = catalogue.list(.validatingAdmissionPolicyBindings).objects.sorted { $0.name < $1.name }
        if bindings.isEmpty { return [] }
        let matcher = AdmissionMatcher(catalogue: catalogue)
        var denials: [Denial] = []
        var warnings: [String] = []
        for stored in catalogue.list(.validatingAdmissionPolicies).objects.sorted(by: { $0.name < $1.name }) {
            guard let target = try matcher.match(resources: stored.spec["matchConstraints"], request) else { continue }
            let policy = compile(stored)
            for binding in bindings where binding.spec["policyName"].stringValue == stored.name {
                if !binding.spec["matchResources"].isNull, try matcher.match(resources: binding.spec["matchResources"], request) == nil { continue }
                try apply(policy, binding, request, target, &denials, &warnings)
            }
        }
        guard let denial = denials.first else { return warnings }
        throw Self.status(of: denial, request)
    }

    private func apply(
        _ policy: CompiledPolicy, _ binding: StoredObject, _ request: AdmissionRequest, _ target: AdmissionRequest.Target, _ denials: inout [Denial],
        _ warnings: inout [String]
    ) throws {
        let denied = "ValidatingAdmissionPolicy '\(policy.name)' with binding '\(binding.name)' denied request: "
        let all: [JSON?]
        do throws(BindingProblem) { all = try params(policy, binding, request) } catch {
            if !policy.failsOpen { denials.append(Denial(message: "\(denied)failed to configure binding: \(error.message)", reason: "Invalid")) }
            return
        }
        let actions = binding.spec["validationActions"].elements.compactMap(\.stringValue)
        for param in all {
            for decision in decide(policy, request, target, param) {
                if actions.contains("Deny") || decision.deniesAlways { denials.append(Denial(message: denied + decision.message, reason: decision.reason)) }
                if actions.contains("Warn"), !decision.deniesAlways {
                    warnings.append("Validation failed for ValidatingAdmissionPolicy '\(policy.name)' with binding '\(binding.name)': \(decision.message)")
                }
            }
        }
    }

    // MARK: One policy

    private struct Decision {
        let message: String
        var reason = "Invalid"
        /// An audit annotation that fails denies whatever the binding's actions are.
        var deniesAlways = false
    }

    /// What speaks against the request.
    private func decide(_ policy: CompiledPolicy, _ request: AdmissionRequest, _ target: AdmissionRequest.Target, _ param: JSON?) -> [Decision] {
        func failed(_ message: String) -> [Decision] { policy.failsOpen ? [] : [Decision(message: message)] }
        var namespace = JSON.null
        if !request.namespace.isEmpty, !request.isAboutNamespace {
            namespace = catalogue.get(ObjectKey(.namespaces, name: request.namespace))?.value ?? .null
        }
        let values: [String: CELValue]
        do throws(CELError) {
            values = try AdmissionExpressions.values(
                request, as: target, namespace: namespace, params: policy.hasParams ? param ?? .null : nil, decider: decider())
        } catch { return failed(error.message) }
        switch AdmissionExpressions.conditions(policy.conditions, values) {
        case .success(false): return []
        case .success(true): break
        case .failure(let problem): return failed(problem.message)
        }
        var evaluation = PolicyEvaluation(policy, values)
        var decisions: [Decision] = []
        for validation in policy.validations {
            do throws(AdmissionExpressions.EvaluationProblem) {
                if case .bool(true) = try evaluation.evaluate(validation.program) { continue }
                decisions.append(Decision(message: message(validation, &evaluation), reason: validation.reason))
            } catch { decisions += failed(error.message) }
        }
        for annotation in policy.annotations {
            do throws(AdmissionExpressions.EvaluationProblem) { _ = try evaluation.evaluate(annotation) } catch {
                if !policy.failsOpen { decisions.append(Decision(message: error.message, deniesAlways: true)) }
            }
        }
        return decisions
    }

    private func message(_ validation: CompiledPolicy.Validation, _ evaluation: inout PolicyEvaluation) -> String {
        if let program = validation.messageProgram, case .string(let text)? = try? evaluation.evaluate(program) {
            let message = text.trimmed
            if !message.isEmpty, message.utf8.count <= Self.messageLimit, !message.utf8.contains(0x0A) { return message }
        }
        return validation.message.isEmpty ? "failed expression: \(validation.expression)" : validation.message
    }

    // MARK: Parameters

    private struct BindingProblem: Error { let message: String }

    /// The objects that a binding names as parameters: one evaluation for each; `nil` where there are none to look at.
    private func params(_ policy: CompiledPolicy, _ binding: StoredObject, _ request: AdmissionRequest) throws(BindingProblem) -> [JSON?] {
        let (wanted, reference) = (policy.spec["paramKind"], binding.spec["paramRef"])
        if wanted.isNull || reference.isNull { return [nil] }
        guard let kind = kind(wanted) else {
            let shown = "\(wanted["apiVersion"].stringValue ?? ""), Kind=\(wanted["kind"].stringValue ?? "")"
            throw BindingProblem(message: "paramKind kind `\(shown)` not known")
        }
        var namespace = reference["namespace"].stringValue ?? ""
        if kind.isNamespaced {
            if namespace.isEmpty { namespace = request.namespace }
            if namespace.isEmpty { throw BindingProblem(message: "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources") }
        } else if !namespace.isEmpty {
            throw BindingProblem(message: "paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        }
        var found: [StoredObject] = []
        if let name = reference["name"].stringValue, !name.isEmpty {
            found = catalogue.get(ObjectKey(kind.resource, namespace: namespace, name: name)).map { [$0] } ?? []
        } else {
            let selector: LabelSelector
            do throws(APIStatus) { selector = try LabelSelector(object: reference["selector"]) } catch { throw BindingProblem(message: error.message) }
            found = catalogue.list(kind.resource, namespace: kind.isNamespaced ? namespace : nil).objects.filter { selector.matches($0.labels) }
        }
        if found.isEmpty, reference["parameterNotFoundAction"].stringValue == "Deny" {
            throw BindingProblem(message: "no params found for policy binding with `Deny` parameterNotFoundAction")
        }
        return found.map(\.value)
    }

    // MARK: Refusing

    /// As `admission.NewForbidden` words it, with the code of the reason.
    private static func status(of denial: Denial, _ request: AdmissionRequest) -> APIStatus {
        var name = request.name.isEmpty ? request.object["metadata"]["name"].stringValue ?? "" : request.name
        if name.isEmpty { name = "Unknown/generated" }
        var status = APIStatus.forbidden(request.target.resource, group: request.target.group, name: name, denial.message)
        status.reason = denial.reason
        status.causes = [APIStatus.Cause(reason: "", message: denial.message, field: "")]
        switch denial.reason {
        case "Forbidden": status.code = 403
        case "Unauthorized": status.code = 401
        case "RequestEntityTooLarge": status.code = 413
        default: status.code = 422
        }
        return status
    }
}

extension AdmissionExpressions.EvaluationProblem {
    var isOutOfBudget: Bool { error == nil && message == Self.outOfBudget.message || error?.isCost == true }
}

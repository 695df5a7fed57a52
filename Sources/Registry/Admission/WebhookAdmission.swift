import Catalogue
import KubeModel
import Logging

/// Calls the webhooks of the configurations that are stored (upstream: admission/plugin/webhook/mutating and validating).
struct WebhookAdmission: Sendable {
    /// Brings what a webhook made of an object into stored form again: decoding, pruning, defaults.
    typealias Settle = @Sendable (inout JSON) throws -> Void

    let catalogue: Catalogue
    let transport: any WebhookTransport
    let conditions: ConditionCache
    let logger: Logger
    let decider: AccessDecider?

    private struct Hook: Sendable {
        let configuration: String
        let json: JSON
        let index: Int
        var identity: String { "\(configuration)/\(index)" }
        var name: String { json["name"].stringValue ?? "" }
    }

    /// The webhooks of a kind of configuration: configurations by name, their webhooks as written.
    private func hooks(_ resource: GroupResource) -> [Hook] {
        catalogue.list(resource).objects.sorted { $0.name < $1.name }.flatMap { configuration in
            configuration.value["webhooks"].elements.enumerated().map { Hook(configuration: configuration.name, json: $0.element, index: $0.offset) }
        }
    }

    // MARK: Mutating

    /// Calls the mutating webhooks one after the other; those that ask for it once more when a later one changed the object.
    /// - Returns: the object, and what the webhooks want the user to be warned of.
    func mutate(_ request: AdmissionRequest, settle: Settle) async throws -> (object: JSON, warnings: [String]) {
        var state = Mutation(request: request)
        let hooks = hooks(.mutatingWebhookConfigurations)
        for hook in hooks { try await call(hook, &state, settle) }
        guard state.wantsAnotherRound else { return (state.request.object, state.warnings) }
        let again = state.toCallAgain
        for hook in hooks where again.contains(hook.identity) { try await call(hook, &state, settle) }
        return (state.request.object, state.warnings)
    }

    private struct Mutation {
        var request: AdmissionRequest
        var warnings: [String] = []
        var called: Set<String> = []
        var toCallAgain: Set<String> = []
        var wantsAnotherRound = false
    }

    private func call(_ hook: Hook, _ state: inout Mutation, _ settle: Settle) async throws {
        guard let target = try wanted(hook, state.request) else { return }
        let review = WebhookReview(hook: hook.json, request: state.request, target: target, mutates: true)
        let answer: WebhookReview.Answer
        do throws(WebhookReview.Failure) { answer = try await review.ask(transport) } catch {
            try decide(error, hook, state.request)
            return remember(hook, &state)
        }
        state.warnings += answer.warnings
        if let patch = answer.patch {
            let before = state.request.object
            state.request.object = try patched(before, patch, hook, target, state.request, settle)
            if state.request.object != before {
                state.toCallAgain.formUnion(state.called)
                state.called = []
                state.wantsAnotherRound = true
            }
        }
        remember(hook, &state)
    }

    private func remember(_ hook: Hook, _ state: inout Mutation) {
        if hook.json["reinvocationPolicy"].stringValue == "IfNeeded" { state.called.insert(hook.identity) }
    }

    private func patched(
        _ object: JSON, _ patch: JSON, _ hook: Hook, _ target: AdmissionRequest.Target, _ request: AdmissionRequest, _ settle: Settle
    ) throws -> JSON {
        var made: JSON
        do throws(APIStatus) { made = try JSONPatch.apply(patch, to: request.present(object, as: target)) } catch {
            throw APIStatus.internalError("the patch of admission webhook \"\(hook.name)\" does not apply: \(error.message)")
        }
        guard made["metadata"].objectValue != nil || object["metadata"].isNull else {
            throw APIStatus.internalError("admission webhook \"\(hook.name)\" left an object without metadata")
        }
        made["apiVersion"] = object["apiVersion"]
        made["kind"] = object["kind"]
        try settle(&made)
        return made
    }

    // MARK: Validating

    /// Calls the validating webhooks all at once.
    /// - Returns: warnings, in the order of the webhooks.
    func validate(_ request: AdmissionRequest) async throws -> [String] {
        var reviews: [(hook: Hook, review: WebhookReview)] = []
        for hook in hooks(.validatingWebhookConfigurations) {
            guard let target = try wanted(hook, request) else { continue }
            reviews.append((hook, WebhookReview(hook: hook.json, request: request, target: target, mutates: false)))
        }
        if reviews.isEmpty { return [] }
        let transport = transport
        let outcomes = await withTaskGroup(of: (Int, Result<WebhookReview.Answer, WebhookReview.Failure>).self) { group in
            for (index, entry) in reviews.enumerated() {
                group.addTask {
                    do throws(WebhookReview.Failure) { return (index, .success(try await entry.review.ask(transport))) } catch { return (index, .failure(error)) }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        var warnings: [String] = []
        for (index, entry) in reviews.enumerated() {
            switch outcomes[index] {
            case .success(let answer): warnings += answer.warnings
            case .failure(let failure): try decide(failure, entry.hook, request)
            case nil: break
            }
        }
        return warnings
    }

    // MARK: Common

    /// The version in which a webhook wants the request; `nil` where it does not want it.
    private func wanted(_ hook: Hook, _ request: AdmissionRequest) throws -> AdmissionRequest.Target? {
        let matcher = AdmissionMatcher(catalogue: catalogue)
        guard let target = try matcher.match(hook.json, rules: hook.json["rules"].elements, request) else { return nil }
        let expressions = hook.json["matchConditions"].elements.compactMap { $0["expression"].stringValue }
        if expressions.isEmpty { return target }
        let values: [String: CELValue]
        do throws(CELError) { values = try AdmissionExpressions.values(request, as: target, namespace: .null, params: nil, decider: decider) } catch {
            throw APIStatus.internalError("\(error)")
        }
        switch AdmissionExpressions.conditions(expressions.map(conditions.program), values) {
        case .success(let matches): return matches ? target : nil
        case .failure(let problem):
            if mayFail(hook, request) { return nil }
            throw APIStatus.forbidden(request.target.resource, group: request.target.group, name: request.name, problem.message)
        }
    }

    /// Whether the request goes on where this webhook gives no answer. In kube-system it always does: what the lab itself
    /// needs is not at the mercy of a webhook that is gone.
    private func mayFail(_ hook: Hook, _ request: AdmissionRequest) -> Bool {
        hook.json["failurePolicy"].stringValue == "Ignore" || request.namespace == "kube-system"
    }

    /// - Throws: what the request is refused with; nothing where the failure may be passed over.
    private func decide(_ failure: WebhookReview.Failure, _ hook: Hook, _ request: AdmissionRequest) throws {
        switch failure {
        case .status(let status): throw status
        case .unanswered(let problem):
            let words = "failed calling webhook \"\(hook.name)\": \(problem)"
            guard mayFail(hook, request) else { throw APIStatus.internalError(words) }
            logger.warning("a webhook is passed over", metadata: ["configuration": "\(hook.configuration)", "problem": "\(words)"])
        }
    }
}

import Catalogue
import KubeModel
import Logging
import Synchronization

/// What stands between a request and its write beside the lab's own rules: webhooks and policies.
final class AdmissionHooks: Sendable {
    private let catalogue: Catalogue
    private let policies: PolicyAdmission
    private let conditions = ConditionCache()
    private let logger: Logger
    private let transport = Mutex<(any WebhookTransport)?>(nil)
    private let decider: DeciderBox

    init(catalogue: Catalogue, logger: Logger, kind: @escaping @Sendable (JSON) -> Kind?) {
        self.catalogue = catalogue
        self.logger = logger
        let decider = DeciderBox()
        self.decider = decider
        policies = PolicyAdmission(catalogue: catalogue, kind: kind) { decider.current }
    }

    /// Shared with the policies.
    private final class DeciderBox: Sendable {
        private let decider = Mutex<AccessDecider?>(nil)
        var current: AccessDecider? { decider.withLock { $0 } }
        func use(_ new: @escaping AccessDecider) { decider.withLock { $0 = new } }
    }

    func decide(by decider: @escaping AccessDecider) { self.decider.use(decider) }

    func connect(_ transport: any WebhookTransport) { self.transport.withLock { $0 = transport } }

    /// The way to webhooks; `nil` where there is none.
    var webhooks: (any WebhookTransport)? { transport.withLock { $0 } }

    /// Whether anybody wants to see requests: without, no write pays for admission.
    var isWatching: Bool {
        [GroupResource.mutatingWebhookConfigurations, .validatingWebhookConfigurations, .validatingAdmissionPolicyBindings].contains { catalogue.count($0) > 0 }
    }

    private func webhooks(_ resource: GroupResource) -> WebhookAdmission? {
        guard catalogue.count(resource) > 0, let transport = transport.withLock({ $0 }) else { return nil }
        return WebhookAdmission(catalogue: catalogue, transport: transport, conditions: conditions, logger: logger, decider: decider.current)
    }

    func mutate(_ request: AdmissionRequest, settle: WebhookAdmission.Settle) async throws -> (object: JSON, warnings: [String]) {
        guard !request.isExempt, let webhooks = webhooks(.mutatingWebhookConfigurations) else { return (request.object, []) }
        return try await webhooks.mutate(request, settle: settle)
    }

    func validate(_ request: AdmissionRequest) async throws -> [String] {
        if request.isExempt { return [] }
        let warnings = try policies.validate(request)
        return warnings + (try await webhooks(.validatingWebhookConfigurations)?.validate(request) ?? [])
    }
}

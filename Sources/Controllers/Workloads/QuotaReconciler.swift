public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Keeps `status` of v1 ResourceQuotas: what is allowed, and what is used. Admission counts up; this counts down
/// (upstream: pkg/controller/resourcequota).
public struct QuotaReconciler: Reconciler {
    public let name = "resourcequota-controller"
    public let sources: [EventSource]
    private let client: Client

    public init(client: Client) {
        self.client = client
        let catalogue = client.catalogue
        // A quota may count objects of any kind; of custom kinds those that were there at the start.
        let counted = client.registry.storedResources.filter { $0 != .events && $0 != .resourceQuotas }
        sources = [.objects(.resourceQuotas)] + counted.map { resource in
            EventSource(resource) { change in
                guard catalogue.count(.resourceQuotas) > 0, Self.concernsUsage(change, resource) else { return [] }
                return catalogue.list(.resourceQuotas, namespace: change.object.namespace).objects.map(\.key)
            }
        }
    }

    private static func concernsUsage(_ change: Change, _ resource: GroupResource) -> Bool {
        guard let previous = change.previous, change.kind == .modified else { return true }
        return QuotaUsage.amounts(of: previous.value, resource) != QuotaUsage.amounts(of: change.object.value, resource)
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        // First the quota, then the objects: what is charged in between changes the quota, and this count is thrown away.
        guard let quota = client.get(key) else { return .done }
        let used = QuotaUsage.total(for: quota.value) { client.list($0, namespace: key.namespace) }
        let (before, hard) = (quota.status, quota.spec["hard"])
        try await client.updateStatus(key, uid: quota.uid) { status in
            guard status == before else { return }
            status = ["hard": hard.isNull ? [:] : hard, "used": QuotaUsage.json(used)]
        }
        return .done
    }
}

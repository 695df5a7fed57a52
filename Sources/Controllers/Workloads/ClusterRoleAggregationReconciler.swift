import Access
public import Catalogue
public import ControllerRuntime
import KubeModel
public import Registry

/// Keeps the rules of aggregated ClusterRoles: those of all roles that their selectors match (upstream:
/// pkg/controller/clusterroleaggregation).
public struct ClusterRoleAggregationReconciler: Reconciler {
    public let name = "clusterrole-aggregation-controller"
    public let concurrency = 1
    public let sources: [EventSource]
    private let client: Client

    public init(client: Client) {
        self.client = client
        let catalogue = client.catalogue
        // Whatever changes in one role may change any aggregated one.
        sources = [
            EventSource(.clusterRoles) { _ in
                catalogue.list(.clusterRoles).objects.filter { ClusterRoleAggregation.isAggregated($0.value) }.map(\.key)
            }
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let role = client.get(key), ClusterRoleAggregation.isAggregated(role.value), !role.isBeingDeleted else { return .done }
        let rules = JSON.array(ClusterRoleAggregation.rules(for: role.value, among: client.list(.clusterRoles)))
        try await client.update(key, uid: role.uid) { if $0["rules"] != rules { $0["rules"] = rules } }
        return .done
    }
}

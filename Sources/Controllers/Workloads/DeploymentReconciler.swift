public import Catalogue
public import ControllerRuntime
public import KubeModel
public import Registry

/// apps/v1 Deployments: a ReplicaSet for each form of the template, and the way from one to the next.
public struct DeploymentReconciler: Reconciler {
    public let name = "deployment-controller"
    public let sources: [EventSource]
    private let client: Client
    private let clock: TimeSource

    public init(client: Client, clock: TimeSource = .system) {
        self.client = client
        self.clock = clock
        let catalogue = client.catalogue
        // With strategy Recreate the new pods wait for the last old one to be gone.
        let endings = EventSource(.pods) { change in
            guard change.kind == .deleted || PodFacts(change.object).isTerminal else { return [] }
            let owner = change.object.controllerReference
            guard owner["kind"].stringValue == "ReplicaSet", let set = catalogue.object(uid: owner["uid"].stringValue ?? "") else { return [] }
            let deployment = set.controllerReference
            guard deployment["kind"].stringValue == "Deployment", let name = deployment["name"].stringValue else { return [] }
            return [ObjectKey(.deployments, namespace: set.namespace, name: name)]
        }
        sources = [
            .objects(.deployments), .controlled(.replicaSets, by: .deployments, kind: "Deployment"), endings,
            Ownership.orphans(.replicaSets, of: .deployments, in: catalogue),
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let deployment = client.get(key), let selector = Ownership.selector(of: deployment), !selector.isEmpty else { return .done }
        let sets = try await Ownership(client: client, owner: deployment, selector: selector).claim(.replicaSets)
        var rollout = Rollout(client: client, clock: clock, deployment: deployment, sets: sets)
        return try await rollout.run()
    }
}

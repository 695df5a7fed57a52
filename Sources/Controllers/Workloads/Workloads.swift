public import ControllerRuntime
public import KubeModel
public import Registry

/// The reconcilers of this module, each with a client of its own name.
///
/// - Parameters:
///   - certificate: the authority's certificate in PEM, for `kube-root-ca.crt`.
///   - clock: the time, for tests.
///   - metrics: what pods use; without it autoscalers say that they know nothing.
/// - Note: `CustomKindCollector` has to run beside them for kinds that are defined later.
public func workloadReconcilers(
    registry: Registry, certificate: String, clock: TimeSource = .system, addresses: ServiceAddresses = .standard,
    metrics: (any PodMetricsSource)? = nil
) -> [any Reconciler] {
    func client(_ manager: String) -> Client { Client(registry: registry, manager: manager) }
    return [
        JobReconciler(client: client("job-controller"), clock: clock),
        StatefulSetReconciler(client: client("statefulset-controller"), clock: clock),
        GarbageCollector(client: client("garbage-collector")),
        NamespaceReconciler(client: client("namespace-controller"), clock: clock),
        DefinitionReconciler(client: client("customresourcedefinition-controller")),
        ServiceAccountReconciler(client: client("serviceaccount-controller"), certificate: certificate),
        EndpointsReconciler(client: client("endpoint-controller"), addresses: addresses),
        EventReaper(client: client("event-ttl"), clock: clock),
        ReplicaReconciler(.replicaSet, client: client("replicaset-controller"), clock: clock),
        ReplicaReconciler(.replicationController, client: client("replication-controller"), clock: clock),
        DeploymentReconciler(client: client("deployment-controller"), clock: clock),
        DaemonSetReconciler(client: client("daemonset-controller"), clock: clock),
        CronJobReconciler(client: client("cronjob-controller"), clock: clock),
        EndpointSliceReconciler(client: client("endpointslice-controller")),
        EndpointSliceMirror(client: client("endpointslicemirroring-controller")),
        EphemeralVolumeReconciler(client: client("ephemeral-volume-controller")),
        DisruptionReconciler(client: client("disruption-controller"), clock: clock),
        QuotaReconciler(client: client("resourcequota-controller")),
        AutoscalerReconciler(client: client("horizontal-pod-autoscaler"), metrics: metrics, clock: clock),
        TaintReconciler(client: client("taint-eviction-controller"), clock: clock),
        PodCollector(client: client("pod-garbage-collector-controller"), clock: clock),
    ]
}

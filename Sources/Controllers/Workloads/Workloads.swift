public import ControllerRuntime
public import KubeModel
public import Registry

/// The reconcilers of this module, each with a client of its own name.
///
/// - Parameters:
///   - certificate: the authority's certificate in PEM, for `kube-root-ca.crt`.
///   - clock: the time, for tests.
/// - Note: `CustomKindCollector` has to run beside them for kinds that are defined later.
public func workloadReconcilers(
    registry: Registry, certificate: String, clock: TimeSource = .system, addresses: ServiceAddresses = .standard
) -> [any Reconciler] {
    func client(_ manager: String) -> Client { Client(registry: registry, manager: manager) }
    return [
        JobReconciler(client: client("job-controller"), clock: clock),
        StatefulSetReconciler(client: client("statefulset-controller"), clock: clock),
        GarbageCollector(client: client("garbage-collector")),
        NamespaceReconciler(client: client("namespace-controller"), clock: clock),
        ServiceAccountReconciler(client: client("serviceaccount-controller"), certificate: certificate),
        EndpointsReconciler(client: client("endpoint-controller"), addresses: addresses),
        EventReaper(client: client("event-ttl"), clock: clock),
    ]
}

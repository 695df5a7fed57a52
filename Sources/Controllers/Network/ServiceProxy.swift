public import Catalogue
public import ControllerRuntime
import KubeModel
public import LabNetwork
public import Logging
public import Registry

/// Where the ports of the node are listened on: the host's loopback.
public protocol NodePortHost: Sendable {
    /// Leads a port of the host's loopback to a Service. Again with another target, it leads there from then on.
    /// - Throws: where the port is somebody else's, with words for the user.
    func open(_ port: HostPort, target: PortTarget) async throws
    /// Closes all but these, also what an earlier labd left open.
    func closeAll(except ports: Set<HostPort>) async
}

/// Leads what is sent to Services to their endpoints (upstream: kube-proxy). An open connection stays where it is; the rules outlive
/// labd and are put right by differences when the next one starts.
public struct ServiceProxy: Reconciler {
    public let name = "service-proxy"
    /// All Services are one table: so many changes of it are one.
    public let concurrency = 32
    public let sources: [EventSource]
    private let state: ServiceProxyState

    public init(client: Client, host: any NodePortHost, logger: Logger) {
        state = ServiceProxyState(client: client, host: host, logger: logger)
        sources = [
            .objects(.services),
            EventSource(.endpoints) { [ObjectKey(.services, namespace: $0.object.namespace, name: $0.object.name)] },
            EventSource(.endpointSlices) { change in
                let names = Set([change.object, change.previous].compactMap { $0?.labels[ServiceEndpoints.serviceLabel] })
                return names.map { ObjectKey(.services, namespace: change.object.namespace, name: $0) }
            },
        ]
    }

    public func reconcile(_ key: ObjectKey) async throws -> ReconcileResult { try await state.reconcile(key) }
}

/// What is known of each Service, and the table of all.
private actor ServiceProxyState {
    private let client: Client
    private let host: any NodePortHost
    private let logger: Logger
    private let filter = PacketFilter(table: ServiceTable.name)
    /// Only where there is no packet filter.
    private var relay: ServiceRelay?
    private var rules: [ObjectKey: ServiceRules] = [:]
    private var isComplete = false
    private var isApplied = false
    private let runs = SharedRuns()
    /// Endpoints that spoke UDP when the kernel's flows were looked through last; nil before the first time.
    private var datagramEndpoints: Set<PortTarget>?
    /// What is open, by port of the node, and of which Services it was said that theirs is not.
    private var open: [HostPort: PortTarget] = [:]
    private var refused: [HostPort: ObjectKey] = [:]
    /// Whether what an earlier labd left open was looked through.
    private var isTidy = false

    init(client: Client, host: any NodePortHost, logger: Logger) {
        self.client = client
        self.host = host
        self.logger = logger
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        if !isComplete { try await runs.run { [self] in try await apply() } }
        // Also after the first look at all: this one may have changed since.
        look(at: key)
        if !isApplied || refused.values.contains(key) { try await runs.run { [self] in try await apply() } }
        return refused.values.contains(key) ? .requeue(after: Self.retry) : .done
    }

    private func look(at key: ObjectKey) {
        if let service = client.get(key) {
            let new = rules(of: service)
            if rules.updateValue(new, forKey: key) != new { isApplied = false }
        } else if rules.removeValue(forKey: key) != nil {
            isApplied = false
        }
    }

    /// One at a time.
    private func apply() async throws {
        if !isComplete {
            // The first time: what is not among all of them is an earlier labd's and goes.
            try await choose()
            for service in client.list(.services) { rules[service.key] = rules(of: service) }
            isComplete = true
        }
        if !isApplied {
            // What changes from here on is for the next time.
            isApplied = true
            do {
                if let relay {
                    await relay.apply(rules.values.flatMap(\.leads))
                } else {
                    try await filter.apply(ServiceTable.table(rules.values))
                    forgetDatagrams()
                }
            } catch {
                isApplied = false
                throw error
            }
        }
        await openPorts()
    }

    /// Whether the packet filter leads to endpoints, or labd itself.
    private func choose() async throws {
        guard let problem = await PacketFilter.problem() else { return try ServiceRange.route() }
        logger.warning("Services are carried by labd itself, and end with it", metadata: ["why": "\(problem)"])
        relay = ServiceRelay(logger: logger)
    }

    private func rules(of service: StoredObject) -> ServiceRules {
        ServiceRules(
            name: "\(service.namespace)/\(service.name)", service: service.value, endpoints: ServiceEndpoints.all(of: service.key, in: client.catalogue))
    }

    /// A client that goes on sending datagrams from one port is sent to where its first went, whether or not that is still there.
    private func forgetDatagrams() {
        let living: Set<PortTarget> = rules.values.reduce(into: []) { $0.formUnion($1.datagramEndpoints) }
        if let datagramEndpoints, datagramEndpoints.isSubset(of: living) {
            self.datagramEndpoints = living
            return
        }
        do throws(NetworkError) {
            try DatagramFlows.forget(to: ServiceRange.range, except: living)
            datagramEndpoints = living
        } catch {
            logger.warning("UDP flows to endpoints that are gone go on", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Ports of the node

    /// A port that another program has may become free, and nobody tells.
    private static let retry = Duration.seconds(30)

    private func openPorts() async {
        var wanted: [HostPort: (target: PortTarget, service: ObjectKey)] = [:]
        for (key, rules) in rules { for (port, target) in rules.hostPorts { wanted[port] = (target, key) } }
        if !isTidy || open.keys.contains(where: { wanted[$0] == nil }) { await host.closeAll(except: Set(wanted.keys)) }
        isTidy = true
        open = open.filter { wanted[$0.key]?.target == $0.value }
        refused = refused.filter { wanted[$0.key]?.service == $0.value }
        for (port, (target, key)) in wanted where open[port] == nil {
            do {
                try await host.open(port, target: target)
                open[port] = target
                refused[port] = nil
            } catch {
                guard refused.updateValue(key, forKey: port) == nil, let service = client.get(key) else { continue }
                client.event(service, type: "Warning", reason: "NodePortUnavailable", message: "\(error)")
            }
        }
    }
}

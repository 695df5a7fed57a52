import Access
import Catalogue
import ClusterNetwork
import ControllerRuntime
import Dispatch
import Glibc
import Images
import Katib
import KubeModel
import KubeServer
import Logging
import NIOSSL
import LabNetwork
import Node
import Notebooks
import Registry
import Sandbox
import Workflows
import Workloads

/// The daemon: makes the parts, puts them together and runs them until it is told to stop. It holds no logic of its own;
/// starting after a crash is the same as starting.
public struct Daemon: Sendable {
    private let options: DaemonOptions
    private let logger: Logger

    public init(options: DaemonOptions, logger: Logger) {
        self.options = options
        self.logger = logger
    }

    /// Runs until SIGTERM or SIGINT. Pods go on when it returns.
    public func run() async throws {
        let paths = options.paths
        do {
            for directory in [paths.state, paths.runtime] { try Files.makeDirectory(directory, mode: 0o700) }
        } catch {
            throw DaemonError.directory(problem: "\(error); give the lab another directory with --state")
        }
        // SQLite takes an empty file for a new database; beside keys of an earlier start it is one that lost its content.
        if Files.size(paths.catalogue) == 0, Files.size("\(paths.keys)/ca.crt") != nil {
            throw DaemonError.directory(
                problem: "the catalogue \(paths.catalogue) is empty, and this lab has run before: put a backup in its place with "
                    + "'lab restore FILE', or remove it to start with an empty lab")
        }
        let catalogue = try Catalogue(path: paths.catalogue)
        let authority = try Authority(directory: paths.keys)
        let registry = try Registry(catalogue: catalogue, logger: logger, rules: KatibRules.all, moreRules: AccessRules.all)
        let tokens = TokenIssuer(key: try authority.tokenKey(), catalogue: catalogue, clock: .system)
        try await bootstrap(registry, authority)
        let helper = HelperClient(runtimeDirectory: paths.runtime)
        let (network, pods) = try await makeNetwork(helper)
        let uplink = options.hasUplink ? try await helper.uplinkUp() : nil
        if let uplink { try await network.allowEgress(through: uplink) }
        let policies = PolicyEnforcer(catalogue: catalogue)
        let agent = try await makeNode(registry, helper, network, tokens, policies)
        let names = try await NameService.start(
            catalogue: catalogue, domain: Self.clusterDomain, pods: pods, nameservers: uplink?.nameservers ?? [], logger: logger)
        let database = try await DBManagerServer(
            DBManager(registry: registry), address: "\(PodNetwork.gateway)", socketPath: "\(paths.runtime)/\(DBManagerServer.socketName)",
            logger: logger)
        let exposer = LoopbackExposer(helper: helper, logger: logger)
        let networking: [any Reconciler] = [
            ServiceProxy(client: Client(registry: registry, manager: "kube-proxy"), host: NodePorts(helper: helper, logger: logger), logger: logger), policies,
        ]
        let server = APIServer(
            registry: registry, logs: PodLogsAdapter(agent: agent), streams: PodStreamsAdapter(agent: agent),
            operations: LabOperationsAdapter(agent: agent, network: network, resolver: try await resolver(helper)), metrics: MetricsAdapter(agent: agent),
            loopback: LoopbackDialerAdapter(helper: helper), authenticator: authenticator(tokens), tokens: tokens,
            version: VersionInfo(gitVersion: "\(Version.kubernetes)+kindling-\(Version.kindling)"), logger: logger)
        // Named as upstream's, for probes that ask for it.
        server.addHealthCheck("etcd") { !catalogue.isClosed }
        let statistics = ReconcilerStatistics()
        let metrics = DaemonMetrics(agent: agent, statistics: statistics)
        server.addMetrics { await metrics.families() }
        let socket = try await listen(helper)
        let tls = try serverContext(authority)
        let podSocket = try network.listenForPods()
        try writeAccess(authority, port: socket.port)
        try await agent.start()
        let stop = StopSignal()
        logger.info("serving", metadata: ["port": "\(socket.port)", "pid": "\(getpid())", "state": "\(paths.state)"])
        let serving = Task { await serve(server, [socket.descriptor, podSocket], tls) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await serving.value }
            group.addTask { await runControllers(registry, agent, exposer, networking, authority, tokens, statistics) }
            group.addTask { await stop.wait() }
            group.addTask { await endWithState(agent) }
            // Whatever ends first ends the daemon: a server that cannot serve is no use.
            await group.next()
            server.shutDown()
            // Requests under way are answered first: that of `lab down` is one of them.
            await serving.value
            group.cancelAll()
        }
        await names.stop()
        await database.stop()
        await agent.shutdown()
        unlink(paths.record)
        try catalogue.close()
        logger.info("stopped")
    }

    // MARK: The parts

    private func authenticator(_ tokens: TokenIssuer) -> any Authenticator {
        AuthenticatorChain([
            CertificateAuthenticator(), ServiceAccountAuthenticator(tokens: tokens), UsersFileAuthenticator(path: options.paths.users, logger: logger),
        ])
    }

    /// The network of pods, and the addresses that they have.
    private func makeNetwork(_ helper: HelperClient) async throws -> (PodNetwork, IPv4Range) {
        let paths = options.paths
        let host = try await helper.host()
        let range = AddressPool.chooseRange(hostRoutes: host.routes)
        let configuration = PodNetworkConfiguration(directory: "\(paths.state)/networks", range: range, mtu: host.mtu)
        let inUse = NodeAgent.recordedAddresses(stateDirectory: paths.state)
        return (try await PodNetwork.start(configuration, inUse: inUse, logger: logger), range)
    }

    private func resolver(_ helper: HelperClient) async throws -> String {
        let search = PodFiles.clusterSearch(namespace: "default", host: try await helper.host().search, domain: Self.clusterDomain)
        return PodFiles.resolvConf(nameservers: [ServiceRange.nameserver.description], search: search)
    }

    private func makeNode(
        _ registry: Registry, _ helper: HelperClient, _ network: PodNetwork, _ tokens: TokenIssuer, _ policies: PolicyEnforcer
    ) async throws -> NodeAgent {
        let paths = options.paths
        let host = try await helper.host()
        let share = try ShareDirectory.locate(explicit: options.share)
        let images = ImageStore(state: paths.state, share: share, cache: CacheDirectory.standard(isRoot: options.isRoot))
        var settings = NodeSettings(name: Self.nodeName(), stateDirectory: paths.state)
        settings.cpuOvercommit = options.cpuOvercommit
        settings.deviceDirectories = options.deviceDirectories
        settings.gpuSlices = options.gpuSlices
        settings.sharedDirectories = paths.shared
        settings.clusterDomain = Self.clusterDomain
        settings.clusterDNS = ServiceRange.nameserver.description
        settings.nameservers = host.nameservers
        settings.searchDomains = host.search
        settings.version = Version.kubernetes
        settings.apiAddress = APIService.address.description
        // gRPC's own resolver asks for both families; without the second entry it would ask name servers that know nothing of us.
        settings.services = ["", "::ffff:"].map { (ip: "\($0)\(PodNetwork.gateway)", hostnames: DBManager.names) }
        let runtime = try SandboxRuntime(configuration: SandboxConfiguration(shimPath: options.shim, instance: Self.instance(paths.state)))
        do { try await helper.remember(groups: runtime.ownGroups) } catch {
            logger.warning("empty control groups will stay behind", metadata: ["error": "\(error)"])
        }
        return try NodeAgent(
            registry: registry, runtime: runtime, network: network, images: images, settings: settings, logger: logger,
            tokens: TokenManager(issuer: tokens, catalogue: registry.catalogue), gate: policies)
    }

    private func listen(_ helper: HelperClient) async throws -> ListeningSocket {
        let recorded = DaemonRecord(path: options.paths.state + "/endpoint.json")?.port
        if options.port != 0 { return try await helper.listen(name: "api", port: options.port) }
        // The port of the last time keeps kubeconfigs valid; 6443 is what people expect of the first lab.
        for port in [recorded, 6443].compactMap({ $0 }) {
            if let socket = try await helper.listenIfFree(name: "api", port: port) { return socket }
            logger.info("the port is taken, trying another", metadata: ["port": "\(port)"])
        }
        return try await helper.listen(name: "api")
    }

    private func serverContext(_ authority: Authority) throws -> NIOSSLContext {
        let credential = try authority.serverCredential()
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(credential.certificate.utf8)).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(credential.key.utf8), format: .pem)))
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.pem.utf8)))
        configuration.certificateVerification = .optionalVerification
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return try NIOSSLContext(configuration: configuration)
    }

    /// Writes the kubeconfig and says where the API is; the record comes last, as `lab up` waits for it.
    private func writeAccess(_ authority: Authority, port: Int) throws {
        let paths = options.paths
        let config = Kubeconfig.make(port: port, authority: authority.pem, admin: try authority.adminCredential())
        try Files.write(YAML.dump(config), to: paths.kubeconfig, mode: 0o600)
        let record = DaemonRecord(pid: getpid(), port: port, version: Version.kindling, started: TimeSource.system.now.description)
        try Files.write(record.json.text + "\n", to: paths.state + "/endpoint.json", mode: 0o600)
        try Files.write(record.json.text + "\n", to: paths.record, mode: 0o600)
    }

    // MARK: Running

    private func serve(_ server: APIServer, _ listeners: [Int32], _ tls: NIOSSLContext) async {
        do { try await server.serve(listeners: listeners, tls: tls) } catch is CancellationError {} catch {
            logger.error("the API server ended", metadata: ["error": "\(error)"])
        }
    }

    private func runControllers(
        _ registry: Registry, _ agent: NodeAgent, _ exposer: LoopbackExposer, _ networking: [any Reconciler], _ authority: Authority, _ tokens: TokenIssuer,
        _ statistics: ReconcilerStatistics
    ) async {
        let manager = ControllerManager(catalogue: registry.catalogue, logger: logger, statistics: statistics)
        let workloads = workloadReconcilers(registry: registry, certificate: authority.pem, metrics: MetricsAdapter(agent: agent))
        let katib: [any Reconciler] = [
            ExperimentReconciler(registry: registry), SuggestionReconciler(registry: registry, transport: SuggestionConnector()),
            TrialReconciler(
                registry: registry, logs: TrialLogAdapter(agent: agent), archive: TrialLogFiles(directory: options.paths.trials), logger: logger),
        ]
        let access: [any Reconciler] = [
            ClusterRoleAggregationReconciler(client: Client(registry: registry, manager: "clusterrole-aggregation-controller")),
            TokenSecretReconciler(
                client: Client(registry: registry, manager: "serviceaccount-token-controller"), tokens: tokens, certificate: authority.pem),
        ]
        let cluster: [any Reconciler] = [
            APIServiceReconciler(client: Client(registry: registry, manager: "apiservice-registration-controller"), answered: AnsweredGroups.all),
            FlowControlReconciler(client: Client(registry: registry, manager: "flowcontrol-controller")),
            CertificateSigner(client: Client(registry: registry, manager: "csrsigning"), authority: authority),
        ]
        let others: [any Reconciler] =
            access + cluster + [WorkflowReconciler(registry: registry, outputs: StepOutputAdapter(agent: agent))]
            + notebookReconcilers(registry: registry, exposer: exposer)
            + networking
        await withDiscardingTaskGroup { group in
            group.addTask { await manager.run(workloads + katib + others + agent.reconcilers) }
            if let collector = workloads.lazy.compactMap({ $0 as? GarbageCollector }).first {
                let client = Client(registry: registry, manager: "garbage-collector")
                group.addTask { await CustomKindCollector(client: client, manager: manager, beside: collector).run() }
            }
        }
    }

    /// On a full disk the lab serves what it has: its user frees space through it.
    private func bootstrap(_ registry: Registry, _ authority: Authority) async throws {
        do { try await Bootstrap.run(registry, certificate: authority.pem) } catch let error as CatalogueError {
            guard case .full = error, registry.catalogue.count(.namespaces) > 0 else { throw error }
            logger.warning("the disk is full: what every lab has was not looked after", metadata: ["error": "\(error)"])
        }
    }

    /// Returns when the state directory was removed under the lab, with all pods ended. The helper looks too, and ends what is left.
    private func endWithState(_ agent: NodeAgent) async {
        let place = Files.identity(options.paths.state)
        while Files.identity(options.paths.state) == place, Files.size(options.paths.catalogue) != nil {
            do { try await Task.sleep(for: .seconds(2)) } catch { return }
        }
        logger.error("the state directory was removed: the lab ends", metadata: ["state": "\(options.paths.state)"])
        _ = await agent.stopPods(longest: 2)
    }

    // MARK: Names

    private static let clusterDomain = "cluster.local"

    /// The machine's name as a DNS subdomain.
    private static func nodeName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, buffer.count - 1)
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
        return Names.dns1123Subdomain(name).isEmpty ? name : "kindling"
    }

    /// Tells the control groups of labs side by side apart.
    private static func instance(_ state: String) -> String {
        String(state.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }, radix: 16)
    }
}

/// Waits for SIGTERM or SIGINT without polling.
private final class StopSignal: Sendable {
    private let stream: AsyncStream<Void>
    // Kept for as long as signals are wanted; touched by nobody.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        self.stream = stream
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.finish() }
            source.resume()
            return source
        }
    }

    func wait() async { for await _ in stream {} }
}

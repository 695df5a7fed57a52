import Catalogue
import KubeModel
import Logging
import Registry

/// What all parts of the node share.
final class NodeContext: Sendable {
    let client: Client
    let runtime: any ContainerRuntime
    let network: any PodNetworking
    let images: any ImageResolver
    let prober: any Prober
    let settings: NodeSettings
    let machine: Machine
    let devices: DevicePool
    let logger: Logger
    let clock: @Sendable () -> Timestamp
    /// The pods that want to be looked at.
    let queue: WakeQueue
    /// The pods that wait for a ConfigMap, a Secret, a claim or an image.
    let blocked = BlockedPods()
    let configUsers = ConfigUsers()
    /// Tokens of service accounts for projected volumes.
    let tokens: (any ServiceAccountTokens)?
    /// Asked before a pod's first container starts.
    let gate: (any PodGate)?

    init(
        client: Client, runtime: any ContainerRuntime, network: any PodNetworking, images: any ImageResolver, prober: any Prober,
        tokens: (any ServiceAccountTokens)?, gate: (any PodGate)? = nil, settings: NodeSettings, machine: Machine, logger: Logger, clock: @escaping @Sendable () -> Timestamp
    ) {
        self.client = client
        self.runtime = runtime
        self.network = network
        self.images = images
        self.prober = prober
        self.tokens = tokens
        self.gate = gate
        self.settings = settings
        self.machine = machine
        devices = DevicePool(inventory: machine.devices)
        self.logger = logger
        self.clock = clock
        queue = WakeQueue()
    }

    var catalogue: Catalogue { client.catalogue }
    var now: Timestamp { clock() }
    var allocatable: Amounts { machine.allocatable(settings) }

    func config(namespace: String) -> ConfigLookup {
        let catalogue = catalogue
        return ConfigLookup(namespace: namespace) { catalogue.get($0) }
    }
}

import CSandbox
import Dispatch
import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// One pod's network: its address and the namespace that its containers join.
public struct PodEndpoint: Hashable, Codable, Sendable {
    public let address: IPv4Address
    /// A bind mount in labd's mount namespace; `lab-shim run` joins it.
    public let namespacePath: String
    /// The veth's end in labd's namespace.
    public let interface: String
}

public struct PodNetworkConfiguration: Sendable {
    /// Holds a file for each namespace, and nothing else. In labd's mount namespace.
    public var directory: String
    /// Addresses of pods; the same across restarts while pods live.
    public var range: IPv4Range
    /// Bytes.
    public var mtu: Int
    /// Networks kept ready for the next pods.
    public var poolSize: Int

    public init(directory: String, range: IPv4Range, mtu: Int = 1500, poolSize: Int = 16) {
        self.directory = directory
        self.range = range
        self.mtu = mtu
        self.poolSize = poolSize
    }
}

/// The networks of all pods of a lab. A pod has a network namespace, a routed point-to-point veth into labd's, and an
/// address with prefix 32; labd's namespace is the router. Networks are made beforehand, off the way of a starting pod, and
/// one whose pod has ended is given to a later pod once nothing in it holds a socket: making one costs 2 ms and removing
/// one 28, of which most is waiting for the kernel's readers.
public final class PodNetwork: Sendable {
    /// Next hop of every pod; an address of lo in labd's namespace, from which labd speaks with pods.
    public static let gateway = IPv4Address(bits: 0xa9fe_0101)

    private struct State {
        var addresses: AddressPool
        var ready: [PodEndpoint] = []
        var taken: [IPv4Address: PodEndpoint] = [:]
        var filling = false
        var stopped = false
        var failure: NetworkError?
    }

    private let configuration: PodNetworkConfiguration
    private let maker: PodNetworkMaker
    private let logger: Logger
    private let state: Mutex<State>
    // One kernel operation at a time, which is what its routing lock would make of it anyway.
    private let queue = DispatchQueue(label: "kindling.pod-network")

    /// The first loading of the packet filter, which must not come after a later one.
    private let closing: Task<Void, Never>

    /// Networks that survived a restart of labd, and addresses asked for that did not.
    public let adopted: [PodEndpoint]
    public let missing: [IPv4Address]

    /// Makes labd's network namespace the router of pods, takes over the networks of `inUse`, and begins to fill the pool.
    /// - Parameter inUse: addresses of the pods that live, from the catalogue.
    public static func start(
        _ configuration: PodNetworkConfiguration, inUse: [IPv4Address], logger: Logger
    ) async throws(NetworkError) -> PodNetwork {
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<PodNetwork, NetworkError>, Never>) in
            DispatchQueue.global().async {
                done.resume(
                    returning: Result { () throws(NetworkError) in
                        try PodNetwork(configuration, maker: PodNetworkMaker(configuration), inUse: inUse, logger: logger)
                    })
            }
        }
        let network = try result.get()
        network.fill()
        return network
    }

    private init(
        _ configuration: PodNetworkConfiguration, maker: PodNetworkMaker, inUse: [IPv4Address], logger: Logger
    ) throws(NetworkError) {
        self.configuration = configuration
        self.maker = maker
        self.logger = logger
        closing = Task { [logger] in
            do {
                try await Firewall.load(uplink: nil)
            } catch {
                logger.info("no packet filter for pods: \(error)")
            }
        }
        let found = try maker.leftovers()
        let wanted = Set(inUse)
        adopted = found.filter { wanted.contains($0.address) }
        missing = inUse.filter { address in !found.contains { $0.address == address } }
        var state = State(addresses: AddressPool(range: configuration.range, inUse: found.map(\.address) + inUse))
        for endpoint in adopted { state.taken[endpoint.address] = endpoint }
        self.state = Mutex(state)
        // The pool of the labd before, and pods that ended while none ran.
        for endpoint in found where !wanted.contains(endpoint.address) { recycle(endpoint) }
        for address in missing { giveBack(address) }
    }

    /// The network for a new pod; from the pool if it has one. Throws `noAddress` or `system`.
    public func take() async throws(NetworkError) -> PodEndpoint {
        let endpoint = state.withLock { state -> PodEndpoint? in
            guard !state.stopped, !state.ready.isEmpty else { return nil }
            let endpoint = state.ready.removeFirst()
            state.taken[endpoint.address] = endpoint
            return endpoint
        }
        fill()
        if let endpoint { return endpoint }
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<PodEndpoint, NetworkError>, Never>) in
            queue.async { done.resume(returning: Result { () throws(NetworkError) in try self.make() }) }
        }
        let made = try result.get()
        state.withLock { $0.taken[made.address] = made }
        return made
    }

    /// Gives a network back when no process of its pod is left. Returns at once. Twice is no error.
    public func release(_ endpoint: PodEndpoint) {
        guard state.withLock({ $0.taken.removeValue(forKey: endpoint.address) }) != nil else { return }
        recycle(endpoint)
    }

    /// The network of a pod that lives, for one that was adopted too.
    public func endpoint(for address: IPv4Address) -> PodEndpoint? { state.withLock { $0.taken[address] } }

    /// Lets pods out through the uplink, under its address. Throws with the remedy if nft is not there.
    public func allowEgress(through uplink: UplinkStatus) async throws(NetworkError) {
        guard uplink.state == .up, !uplink.interface.isEmpty else {
            throw NetworkError(.system, "the uplink is \(uplink.state.rawValue); open it first (HelperClient.uplinkUp)")
        }
        await closing.value
        try await Firewall.load(uplink: uplink)
    }

    /// Pods reach only each other again.
    public func denyEgress() async throws(NetworkError) {
        await closing.value
        try await Firewall.load(uplink: nil)
    }

    /// Ends the filling of the pool. The pool itself is left to the next labd unless pods are removed, and then all goes.
    public func shutdown(removingPods: Bool) async {
        await withCheckedContinuation { done in
            queue.async { [self] in
                let all = state.withLock { state -> [PodEndpoint] in
                    state.stopped = true
                    guard removingPods else { return [] }
                    defer {
                        state.ready = []
                        state.taken = [:]
                    }
                    return state.ready + state.taken.values
                }
                for endpoint in all { remove(endpoint) }
                done.resume()
            }
        }
    }

    /// A TCP connection to a port of the pod's own loopback, which is what `kubectl port-forward` reaches. The caller owns the
    /// descriptor.
    public func connect(toLoopbackOf endpoint: PodEndpoint, port: Int) async throws(NetworkError) -> Int32 {
        let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Int32, NetworkError>, Never>) in
            DispatchQueue.global().async {
                done.resume(returning: Result { () throws(NetworkError) in try Self.connect(endpoint, port) })
            }
        }
        return try result.get()
    }

    private static func connect(_ endpoint: PodEndpoint, _ port: Int) throws(NetworkError) -> Int32 {
        guard let port = UInt16(exactly: port) else { throw NetworkError(.system, "expected a port up to 65535, found \(port)") }
        let fd = kd_socket_in(endpoint.namespacePath, 0)
        guard fd >= 0 else { throw .system(fd, "joining the network of \(endpoint.address)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let rc = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard rc == 0 else {
            let error = errno
            close(fd)
            throw .system(error, "connecting to port \(port) in the pod at \(endpoint.address)")
        }
        return fd
    }

    /// Returns when the pool is full, or could not be filled.
    func waitUntilFilled() async {
        while state.withLock({ $0.filling }) {
            await withCheckedContinuation { done in queue.async { done.resume() } }
        }
    }

    /// Networks ready for a pod at this moment.
    public var readyCount: Int { state.withLock { $0.ready.count } }
}

// What runs on the queue.
extension PodNetwork {
    private func fill() {
        let start = state.withLock { state -> Bool in
            guard !state.filling, !state.stopped, state.ready.count < configuration.poolSize else { return false }
            state.filling = true
            return true
        }
        if start { queue.async { self.fillOne() } }
    }

    // One network to a turn of the queue, so that a pod that found the pool empty waits for one, not for all.
    private func fillOne() {
        let goOn = state.withLock { state -> Bool in
            if state.stopped { state.filling = false }
            return !state.stopped
        }
        guard goOn else { return }
        let made = Result { () throws(NetworkError) in try make() }
        let more = state.withLock { state -> Bool in
            if case .success(let endpoint) = made { state.ready.append(endpoint) }
            let more = state.ready.count < configuration.poolSize && !state.stopped
            if case .failure = made { state.filling = false } else { state.filling = more }
            return state.filling
        }
        if case .failure(let error) = made {
            let new = state.withLock { state in
                defer { state.failure = error }
                return state.failure != error
            }
            if new { logger.warning("cannot make a pod network in advance: \(error)") }
        }
        if more { queue.async { self.fillOne() } }
    }

    private func make() throws(NetworkError) -> PodEndpoint {
        // An address may still have an interface that the kernel is taking down; the next one has not.
        var attempts = 0
        while true {
            let address = try Result { () throws(NetworkError) in
                try state.withLock { state throws(NetworkError) in try state.addresses.take() }
            }.get()
            do throws(NetworkError) {
                return try maker.make(address)
            } catch {
                state.withLock { $0.addresses.release(address) }
                attempts += 1
                guard attempts < 8, maker.isStale(address) else { throw error }
            }
        }
    }

    private func recycle(_ endpoint: PodEndpoint) {
        queue.async { [self] in
            let room = state.withLock { !$0.stopped && $0.ready.count < configuration.poolSize }
            guard room, configuration.range.contains(endpoint.address), maker.isReusable(endpoint) else { return remove(endpoint) }
            state.withLock { $0.ready.append(endpoint) }
        }
    }

    private func remove(_ endpoint: PodEndpoint) {
        do throws(NetworkError) {
            try maker.remove(endpoint)
            giveBack(endpoint.address)
        } catch {
            logger.warning("cannot remove the network of \(endpoint.address): \(error)")
        }
    }

    private func giveBack(_ address: IPv4Address) { state.withLock { $0.addresses.release(address) } }
}

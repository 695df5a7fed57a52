import ClusterNetwork
import LabNetwork
import Logging
import NIOPosix

/// The ports of the node on the host's loopback. A connection goes on from labd to the Service's own address, where the packet filter
/// chooses an endpoint as it does for pods.
actor NodePorts: NodePortHost {
    private static let prefix = "nodeport/"
    private let helper: HelperClient
    private let logger: Logger
    private var forwarders: [Int: PortForwarder] = [:]

    init(helper: HelperClient, logger: Logger) {
        self.helper = helper
        self.logger = logger
    }

    func open(port: Int, target: PortTarget) async throws {
        if let forwarder = forwarders[port] { return forwarder.setTarget(target) }
        guard let socket = try await helper.listenIfFree(name: Self.prefix + String(port), port: port) else {
            throw DaemonError.nodePort(number: port)
        }
        forwarders[port] = try await PortForwarder.start(socket, target: target, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
    }

    func closeAll(except ports: Set<Int>) async {
        for (port, forwarder) in forwarders where !ports.contains(port) {
            forwarders[port] = nil
            await forwarder.stop()
        }
        do {
            for open in try await helper.ports() where open.name.hasPrefix(Self.prefix) && !ports.contains(open.port) {
                try await helper.close(name: open.name)
            }
        } catch {
            logger.warning("ports of Services stay open in the helper", metadata: ["error": "\(error)"])
        }
    }
}

import ClusterNetwork
import LabNetwork
import Logging
import NIOPosix

/// The ports of the node on the host's loopback. What arrives goes on from labd to the Service's own address, where an endpoint is
/// chosen as it is for pods.
actor NodePorts: NodePortHost {
    private enum Carrier {
        case stream(PortForwarder)
        case datagrams(DatagramRelay)
    }

    private let helper: HelperClient
    private let logger: Logger
    private var open: [HostPort: (carrier: Carrier, targets: TargetChooser)] = [:]

    init(helper: HelperClient, logger: Logger) {
        self.helper = helper
        self.logger = logger
    }

    private static func name(_ port: HostPort) -> String { "\(port.transport)/nodeport/\(port.number)" }

    func open(_ port: HostPort, target: PortTarget) async throws {
        if let found = open[port] { return found.targets.set([target]) }
        guard let socket = try await helper.listenIfFree(name: Self.name(port), port: port.number) else {
            throw DaemonError.nodePort(number: port.number)
        }
        let group = MultiThreadedEventLoopGroup.singleton
        let targets = TargetChooser([target])
        if port.transport == "udp" {
            open[port] = (.datagrams(try await DatagramRelay.start(socket, targets: targets, group: group)), targets)
        } else {
            open[port] = (.stream(try await PortForwarder.start(socket, targets: targets, group: group, logger: logger)), targets)
        }
    }

    func closeAll(except ports: Set<HostPort>) async {
        for (port, found) in open where !ports.contains(port) {
            open[port] = nil
            switch found.carrier {
            case .stream(let forwarder): await forwarder.stop()
            case .datagrams(let relay): await relay.stop()
            }
        }
        let names = Set(ports.map(Self.name))
        do {
            for open in try await helper.ports() where open.name.contains("/nodeport/") && !names.contains(open.name) {
                try await helper.close(name: open.name)
            }
        } catch {
            logger.warning("ports of Services stay open in the helper", metadata: ["error": "\(error)"])
        }
    }
}

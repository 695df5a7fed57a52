import LabNetwork
import Logging
import NIOPosix

/// Leads to endpoints without a packet filter: labd has the addresses of Services itself and carries what arrives (upstream's
/// former mode `userspace`). Endpoints see the node as their client, and connections end with labd.
actor ServiceRelay {
    private struct Place: Hashable {
        var address: IPv4Address
        var transport: String
        var port: Int
    }

    private enum Carrier {
        case stream(PortForwarder)
        case datagrams(DatagramRelay)
    }

    private let logger: Logger
    private let group = MultiThreadedEventLoopGroup.singleton
    private var open: [Place: (carrier: Carrier, targets: TargetChooser)] = [:]

    init(logger: Logger) { self.logger = logger }

    /// Opens and closes what is to be. A port without endpoints is closed, so that its clients are refused.
    func apply(_ leads: [ServiceLead]) async {
        var wanted: [Place: ServiceLead] = [:]
        for lead in leads where !lead.targets.isEmpty && lead.port.transport != "sctp" {
            wanted[Place(address: lead.address, transport: lead.port.transport, port: lead.port.number)] = lead
            if let nodePort = lead.nodePort { wanted[Place(address: PodNetwork.gateway, transport: lead.port.transport, port: nodePort)] = lead }
        }
        for (place, found) in open where wanted[place] == nil {
            open[place] = nil
            switch found.carrier {
            case .stream(let forwarder): await forwarder.stop()
            case .datagrams(let relay): await relay.stop()
            }
        }
        for (place, lead) in wanted {
            let affinity = lead.affinity.map { Duration.seconds($0) }
            if let found = open[place] {
                found.targets.set(lead.targets, affinity: affinity)
                continue
            }
            do {
                open[place] = try await start(place, TargetChooser(lead.targets, affinity: affinity))
            } catch {
                logger.warning("a Service cannot be carried", metadata: ["address": "\(place.address)", "port": "\(place.port)", "error": "\(error)"])
            }
        }
    }

    private func start(_ place: Place, _ targets: TargetChooser) async throws(NetworkError) -> (Carrier, TargetChooser) {
        let socket = try ServiceRange.listen(at: place.address, port: place.port, isDatagram: place.transport == "udp")
        if place.transport == "udp" { return (.datagrams(try await DatagramRelay.start(socket, targets: targets, group: group)), targets) }
        return (.stream(try await PortForwarder.start(socket, targets: targets, group: group, logger: logger)), targets)
    }
}

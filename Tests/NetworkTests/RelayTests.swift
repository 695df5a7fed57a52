import Glibc
import NIOPosix
import Testing

@testable import LabNetwork

@Suite struct RelayTests {
    private func target(_ number: Int) -> PortTarget { PortTarget(address: IPv4Address(bits: 0x0a58_0000 + UInt32(number)), port: 80) }

    @Test func aClientStaysWithItsTargetForAWhile() throws {
        let now = ContinuousClock.now
        let client = try #require(IPv4Address("10.88.0.9"))
        let chooser = TargetChooser((0..<50).map(target), affinity: .seconds(60))
        let first = try #require(chooser.choose(for: client, now: now))
        for second in 1...20 { #expect(chooser.choose(for: client, now: now + .seconds(second * 59)) == first, "each connection begins the time anew") }
        var later = now + .seconds(20 * 59)
        var others: Set<PortTarget> = []
        for _ in 0..<20 {
            later += .seconds(61)
            others.insert(try #require(chooser.choose(for: client, now: later)))
        }
        #expect(others.count > 1)
        chooser.set([target(7)], affinity: .seconds(60))
        #expect(chooser.choose(for: client, now: later) == target(7) && chooser.has(target(7)) && !chooser.has(target(8)))
        chooser.set([])
        #expect(chooser.choose(for: client) == nil)
    }

    @Test func withoutAffinityAllTargetsHaveTheirTurn() {
        let chooser = TargetChooser((0..<4).map(target))
        #expect(Set((0..<400).compactMap { _ in chooser.choose(for: IPv4Address(bits: 1)) }).count == 4)
    }

    private func datagram() -> Socket { Socket(Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)) }

    @Test func datagramsAreCarriedBothWaysAndGoElsewhereWhenTheirTargetIsGone() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (front, client) = (datagram(), datagram())
        let servers = [datagram(), datagram()]
        for socket in servers + [front] { #expect(socket.bind("127.0.0.1")) }
        let loopback = try #require(IPv4Address("127.0.0.1"))
        let chooser = TargetChooser([PortTarget(address: loopback, port: servers[0].port)])
        let port = front.port
        let relay = try await DatagramRelay.start(
            ListeningSocket(name: "test", address: "127.0.0.1", port: port, descriptor: front.fd), targets: chooser, group: group)
        #expect(client.connect("127.0.0.1", port))
        for (number, server) in servers.enumerated() {
            chooser.set([PortTarget(address: loopback, port: server.port)])
            for round in [UInt8(number), 100] {
                let answer = await blocking { () -> [UInt8] in
                    client.write([round])
                    server.answer { $0 + [9] }
                    return client.readPacket()
                }
                #expect(answer == [round, 9])
            }
        }
        await relay.stop()
        for socket in servers + [client] { socket.end() }
        try await group.shutdownGracefully()
    }
}

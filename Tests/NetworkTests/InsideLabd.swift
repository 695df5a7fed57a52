import CSandbox
import Logging
import NIOPosix
import Testing

@testable import LabNetwork

#if canImport(Glibc)
import Glibc
#endif

enum Inside {
    /// Set when this program runs as labd, by HelperTests.
    static var directory: String? { getenv("KINDLING_TEST_INSIDE").map { String(cString: $0) } }
}

/// What needs labd's namespaces; these tests run only there.
@Suite(.serialized, .enabled(if: Inside.directory != nil)) struct InsideLabd {
    private let logger = Logger(label: "test")

    private func network(_ name: String = #function, pool: Int = 4, inUse: [IPv4Address] = []) async throws -> PodNetwork {
        let range = try #require(IPv4Range("10.88.0.0/16"))
        let directory = try #require(Inside.directory) + "/run/netns"
        return try await PodNetwork.start(
            PodNetworkConfiguration(directory: directory, range: range, poolSize: pool), inUse: inUse, logger: logger)
    }

    private func socket(in pod: PodEndpoint, datagram: Bool = false) -> Socket {
        Socket(kd_socket_in(pod.namespacePath, datagram ? 1 : 0))
    }

    @Test func twoPodsSpeakWithEachOtherAndWithLabd() async throws {
        let network = try await network()
        let a = try await network.take()
        let b = try await network.take()
        #expect(a.address != b.address)
        let server = socket(in: a)
        #expect(server.listen("0.0.0.0", 80), "a pod may serve a low port")
        for client in [socket(in: b), Socket.tcp()] {
            #expect(client.connect(a.address.description, 80))
            let accepted = server.accept()
            #expect(client.write([1, 2, 3]) && accepted.read(3) == [1, 2, 3])
            client.end()
            accepted.end()
        }
        server.end()
        await network.shutdown(removingPods: true)
    }

    @Test func aPodCannotSendUnderAnothersAddress() async throws {
        let network = try await network()
        let liar = try await network.take()
        let receiver = try await network.take()
        let inbox = socket(in: receiver, datagram: true)
        #expect(inbox.bind("0.0.0.0", 9000))
        // The liar gives itself a second address, as a pod with more rights than it should have might.
        let namespace = open(liar.namespacePath, O_RDONLY)
        let netlink = await blocking { kd_nl_open_in(namespace) }
        #expect(kd_nl_address_add(netlink, "lo", 0x0a58_6363, 32) == 0)
        let forged = socket(in: liar, datagram: true)
        #expect(forged.bind("10.88.99.99") && forged.send([66], to: receiver.address.description, 9000))
        let honest = socket(in: liar, datagram: true)
        #expect(honest.send([42], to: receiver.address.description, 9000))
        #expect(inbox.read(1) == [42])
        for fd in [namespace, netlink, forged.fd, honest.fd, inbox.fd] { close(fd) }
        await network.shutdown(removingPods: true)
    }

    @Test func aPodCannotReachLabdsOwnPorts() async throws {
        let network = try await network()
        try await network.denyEgress()
        let pod = try await network.take()
        let own = Socket.tcp()
        #expect(own.listen("0.0.0.0"))
        let gateway = socket(in: pod)
        #expect(!gateway.connect(PodNetwork.gateway.description, own.port))
        let loopback = socket(in: pod)
        #expect(!loopback.connect("127.0.0.1", own.port))
        let twin = Socket.tcp()
        #expect(twin.connect("127.0.0.1", own.port))
        for socket in [own, gateway, loopback, twin] { socket.end() }
        await network.shutdown(removingPods: true)
    }

    @Test func aRestartKeepsLivingPodsAndCleansUpTheRest() async throws {
        let first = try await network()
        let living = try await first.take()
        let ended = try await first.take()
        let server = socket(in: living)
        #expect(server.listen("0.0.0.0", 8080))
        await first.waitUntilFilled()
        await first.shutdown(removingPods: false)

        let unknown = try #require(IPv4Address("10.88.77.77"))
        let second = try await network(inUse: [living.address, unknown])
        #expect(second.adopted == [living] && second.missing == [unknown])
        #expect(second.endpoint(for: living.address) == living && second.endpoint(for: ended.address) == nil)
        await second.waitUntilFilled()
        #expect(second.readyCount >= 4)
        let client = Socket.tcp()
        #expect(client.connect(living.address.description, 8080), "the pod was not disturbed")
        client.end()
        server.end()
        await second.shutdown(removingPods: true)
        #expect(try await sh("ls", [try #require(Inside.directory) + "/run/netns"]) == "")
    }

    @Test func aReleasedNetworkIsReusedOnlyWhenNothingIsLeftInIt() async throws {
        let network = try await network(pool: 1)
        await network.waitUntilFilled()
        let busy = try await network.take()
        let left = socket(in: busy)
        network.release(busy)
        for _ in 0..<3 {
            let next = try await network.take()
            #expect(next.address != busy.address)
        }
        left.end()
        await network.shutdown(removingPods: true)
    }

    @Test func takingOneFromThePoolIsQuick() async throws {
        let network = try await network(pool: 32)
        await network.waitUntilFilled()
        var times: [Duration] = []
        let clock = ContinuousClock()
        for _ in 0..<24 {
            let start = clock.now
            _ = try await network.take()
            times.append(clock.now - start)
        }
        times.sort()
        print("take from the pool: median \(times[12]), slowest \(times[23])")
        #expect(times[12] < .milliseconds(1))
        await network.shutdown(removingPods: true)
    }

    @Test func aTableIsKeptByDifferencesAndFoundAgain() async throws {
        let network = try await network()
        let (client, server) = (try await network.take(), try await network.take())
        try ServiceRange.route()
        // Far more than a user's lab may tell the kernel at once.
        let table = RuleTableTests.table(services: 400, endpoint: server.address.description)
        try await PacketFilter(table: table.name).apply(table)
        let listing = try await sh("nft", ["list", "table", "ip", table.name])
        let found = try #require(RuleState(listing: listing))
        let changes = RulePlan(from: found, to: table).transactions.flatMap { $0 }
        #expect(changes.isEmpty, "the next labd finds nothing to change")

        let listener = socket(in: server)
        #expect(listener.listen("0.0.0.0", 8080))
        let open = socket(in: client)
        #expect(open.connect("10.96.2.100", 80))
        let accepted = listener.accept()
        #expect(Socket.tcp().connect("10.96.1.1", 80), "labd itself is led there too")
        listener.accept().end()

        // The next labd wants less: what is open goes on.
        let filter = PacketFilter(table: table.name)
        try await filter.apply(RuleTableTests.table(services: 2, endpoint: server.address.description))
        let left = try #require(RuleState(listing: try await sh("nft", ["list", "table", "ip", table.name])))
        #expect(left.chains.count { $0.hasPrefix("service-") } == 2 && left.sets.count == 4)
        #expect(open.write([7]) && accepted.read(1) == [7])
        #expect(!socket(in: client).connect("10.96.2.100", 80))
        try await filter.remove()
        for socket in [listener, open, accepted] { socket.end() }
        await network.shutdown(removingPods: true)
    }

    @Test func aFlowOfDatagramsToAnEndpointThatIsGoneIsForgotten() async throws {
        let network = try await network()
        let (client, first, second) = (try await network.take(), try await network.take(), try await network.take())
        try ServiceRange.route()
        func table(_ endpoint: PodEndpoint) -> RuleTable {
            var table = RuleTableTests.table(services: 0)
            let chain = RuleTable.Chain("service", ["meta l4proto udp dnat to \(endpoint.address):53"])
            table.chains = [chain]
            table.permanent["led"]?.elements = ["10.96.1.1 . udp . 53": "goto \(chain.name)"]
            return table
        }
        let filter = PacketFilter(table: "kindling-test")
        try await filter.apply(table(first))
        let inboxes = [first, second].map { socket(in: $0, datagram: true) }
        for inbox in inboxes { #expect(inbox.bind("0.0.0.0", 53)) }
        let sender = socket(in: client, datagram: true)
        #expect(sender.bind("0.0.0.0", 4000) && sender.send([1], to: "10.96.1.1", 53) && inboxes[0].read(1) == [1])
        try await filter.apply(table(second))
        #expect(sender.send([2], to: "10.96.1.1", 53) && inboxes[0].read(1) == [2], "the kernel remembers the flow")
        try DatagramFlows.forget(to: ServiceRange.range, except: [PortTarget(address: first.address, port: 53)])
        #expect(sender.send([3], to: "10.96.1.1", 53) && inboxes[0].read(1) == [3], "one that is still there is left alone")
        try DatagramFlows.forget(to: ServiceRange.range, except: [PortTarget(address: second.address, port: 53)])
        #expect(sender.send([4], to: "10.96.1.1", 53) && inboxes[1].read(1) == [4])
        try await filter.remove()
        for socket in inboxes + [sender] { socket.end() }
        await network.shutdown(removingPods: true)
    }

    @Test func aForwarderCarriesBothDirectionsAndHalfClose() async throws {
        let network = try await network()
        let pod = try await network.take()
        let server = socket(in: pod)
        #expect(server.listen("0.0.0.0", 8888))
        let front = Socket.tcp()
        #expect(front.listen("127.0.0.1"))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listening = ListeningSocket(name: "test", address: "127.0.0.1", port: front.port, descriptor: front.fd)
        let forwarder = try await PortForwarder.start(
            listening, target: PortTarget(address: pod.address, port: 8888), group: group, logger: logger)

        // More than all buffers on the way hold, answered only after the client has closed its half.
        let block = (0..<4093).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let payload = (0..<2048).flatMap { _ in block }
        async let answered = blocking { () -> Int in
            let connection = server.accept()
            let request = connection.read()
            connection.write(request)
            connection.end()
            return request.count
        }
        let port = front.port
        let client = Socket.tcp()
        let answer = await blocking { () -> [UInt8] in
            guard client.connect("127.0.0.1", port), client.write(payload) else { return [] }
            client.finishWriting()
            return client.read()
        }
        let received = await answered
        #expect(received == payload.count)
        let same = answer == payload
        #expect(same, "\(answer.count) of \(payload.count) bytes")
        client.end()

        forwarder.setTarget(nil)
        let early = Socket.tcp()
        #expect(early.connect("127.0.0.1", port))
        #expect(early.read() == [])
        early.end()
        await forwarder.stop()
        #expect(!Socket.tcp().connect("127.0.0.1", port))
        server.end()
        try await group.shutdownGracefully()
        await network.shutdown(removingPods: true)
    }

    @Test func aConnectionCanBeMadeToAPodsLoopback() async throws {
        let network = try await network()
        let pod = try await network.take()
        let server = socket(in: pod)
        #expect(server.listen("127.0.0.1", 5000))
        let fd = try await network.connect(toLoopbackOf: pod, port: 5000)
        let accepted = server.accept()
        #expect(Socket(fd).write([9]) && accepted.read(1) == [9])
        for socket in [server, accepted, Socket(fd)] { socket.end() }
        await #expect(throws: NetworkError.self) { try await network.connect(toLoopbackOf: pod, port: 5001) }
        await network.shutdown(removingPods: true)
    }
}

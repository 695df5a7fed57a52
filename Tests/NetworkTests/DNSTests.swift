import Glibc
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import LabNetwork

@Suite struct DNSTests {
    private let name: DNSName
    private let zone: DNSName

    init() throws {
        name = try #require(DNSName("Web.team.svc.cluster.local"))
        zone = try #require(DNSName("cluster.local."))
    }

    private var soa: DNSRecord {
        DNSRecord(name: zone, ttl: 5, data: .soa(server: zone, mailbox: zone, serial: 7, refresh: 1, retry: 2, expire: 3, minimum: 5))
    }

    private func query(_ type: DNSType = .a, size: UInt16? = nil, name: DNSName? = nil) -> DNSMessage {
        var query = DNSMessage(id: 0xbeef)
        query.wantsRecursion = true
        query.questions = [DNSQuestion(name: name ?? self.name, type: type)]
        query.extension = size.map { DNSExtension(size: $0) }
        return query
    }

    // MARK: Codec

    @Test func aMessageIsReadAsItWasWritten() throws {
        var message = query(.any, size: 4096).answer(.noSuchName)
        message.isAuthoritative = true
        message.answers = [
            DNSRecord(name: name, ttl: 5, data: .a(IPv4Address(bits: 0x0a60_0014))),
            DNSRecord(name: name, ttl: 5, data: .name(.cname, try #require(DNSName("example.org")))),
            DNSRecord(name: name, ttl: 0, data: .srv(priority: 1, weight: 2, port: 8080, target: name)),
            DNSRecord(name: zone, ttl: .max, data: .text([Array("1.1.0".utf8), []])),
            DNSRecord(name: zone, ttl: 9, data: .other(DNSType(rawValue: 99), [1, 2, 3])),
        ]
        message.authority = [soa]
        message.additional = [DNSRecord(name: name, ttl: 5, data: .a(IPv4Address(bits: 1)))]
        #expect(try DNSMessage(bytes: message.bytes()) == message)
    }

    @Test func namesAreCompressedAndCompareWithoutCase() throws {
        var message = query().answer(.noError)
        message.answers = (0..<3).map { DNSRecord(name: DNSName("WEB.team.svc.Cluster.local") ?? zone, ttl: 5, data: .a(IPv4Address(bits: $0))) }
        let bytes = message.bytes()
        #expect(bytes.count == 12 + 28 + 4 + 3 * 16, "each answer's name is a pointer of two bytes")
        #expect(try DNSMessage(bytes: bytes).answers.allSatisfy { $0.name == name })
        #expect(DNSName("a.B") == DNSName("A.b.") && DNSName("a") != DNSName("b"))
    }

    @Test func wrongNamesAreNone() {
        #expect(DNSName("") == nil && DNSName("a..b") == nil && DNSName(".a") == nil)
        #expect(DNSName(String(repeating: "a", count: 64)) == nil)
        #expect(DNSName(Array(repeating: String(repeating: "a", count: 63), count: 4).joined(separator: ".")) == nil)
        #expect(DNSName(".")?.labels.isEmpty == true)
        #expect(DNSName(labels: [[0x2e, 0x5c, 7]])?.description == "\\.\\\\\\007.")
        #expect(IPv4Address(reverse: DNSName("5.0.88.10.in-addr.arpa") ?? zone) == IPv4Address("10.88.0.5"))
        #expect(IPv4Address(reverse: DNSName("0.88.10.in-addr.arpa") ?? zone) == nil)
    }

    @Test(arguments: [
        [0xc0, 12], [0xc0, 14], [1, 0x61], [0x40, 0], [63], [1, 0x61, 0xc0, 12, 0, 1, 0, 1],
    ] as [[UInt8]])
    func aHostileNameIsRefused(_ tail: [UInt8]) {
        #expect(throws: DNSFault.self) { try DNSMessage(bytes: [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + tail) }
    }

    /// Bytes of anybody: no crash, no endless reading; and what can be read says the same when it is written again.
    @Test func randomBytesAndDamagedMessagesAreReadOrRefused() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = Seeded(seed)
        var message = query(.srv, size: 1232).answer(.noError)
        message.answers = (0..<4).map { DNSRecord(name: name, ttl: 5, data: .srv(priority: 0, weight: 1, port: $0, target: zone)) }
        message.authority = [soa]
        let good = message.bytes()
        var readable = 0
        for round in 0..<20_000 {
            var bytes = good
            if round % 4 == 0 {
                bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            } else {
                for _ in 0...Int.random(in: 0...4, using: &random) { bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random) }
                if round % 3 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
            }
            guard let read = try? DNSMessage(bytes: bytes) else { continue }
            readable += 1
            let again = read.bytes(limit: 1 << 20)
            #expect(try DNSMessage(bytes: again) == read, "seed \(seed), round \(round): \(bytes)")
        }
        #expect(readable > 100, "seed \(seed)")
    }

    // MARK: Answers

    private func responder(_ found: DNSLookup, forwarder: DNSForwarder? = nil) -> DNSResponder { DNSResponder(forwarder: forwarder) { _ in found } }

    private func answer(_ responder: DNSResponder, _ bytes: [UInt8], limit: Int = Int(DNSLimits.datagram)) throws -> DNSMessage {
        guard case .answer(let answer) = responder.step(bytes, limit: limit) else { throw DNSFault(offset: 0, problem: "no answer") }
        #expect(answer.count <= limit)
        return try DNSMessage(bytes: answer)
    }

    private var many: DNSLookup { .records((0..<100).map { DNSRecord(name: name, ttl: 5, data: .a(IPv4Address(bits: $0))) }) }

    @Test(arguments: [(nil, 512), (100, 512), (900, 900), (65000, 1232)] as [(UInt16?, Int)])
    func aLongAnswerIsTruncatedToWhatTheClientTakes(_ size: UInt16?, _ most: Int) throws {
        guard case .answer(let bytes) = responder(many).step(query(size: size).bytes(), limit: Int(DNSLimits.datagram)) else { throw CancellationError() }
        let truncated = try DNSMessage(bytes: bytes)
        #expect(truncated.isTruncated && bytes.count <= most && bytes.count > most - 32, "\(bytes.count)")
        #expect((truncated.extension != nil) == (size != nil))
        let whole = try answer(responder(many), query().bytes(), limit: 65535)
        #expect(!whole.isTruncated && whole.answers.count == 100)
    }

    @Test func whatIsNoOrdinaryQueryIsAnsweredAsItDeserves() throws {
        let zone = responder(.nothing(soa))
        guard case .silence = zone.step(query().answer(.noError).bytes(), limit: 512) else { throw CancellationError() }
        guard case .silence = zone.step([1, 2, 3], limit: 512) else { throw CancellationError() }
        #expect(try answer(zone, [1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0]).code == .formatError)
        var other = query()
        other.operation = 4
        #expect(try answer(zone, other.bytes()).code == .notImplemented)
        other = query()
        other.questions[0].class = 3
        #expect(try answer(zone, other.bytes()).code == .refused)
        other = query(size: 1232)
        other.extension?.version = 1
        #expect(try answer(zone, other.bytes()).code == .badVersion)
        other = query()
        other.questions = []
        #expect(try answer(zone, other.bytes()).code == .formatError)
        let empty = try answer(zone, query(.aaaa).bytes())
        #expect(empty.code == .noError && empty.answers.isEmpty && empty.authority == [soa] && empty.isAuthoritative && empty.id == 0xbeef)
        #expect(try answer(responder(.noSuchName(soa)), query().bytes()).code == .noSuchName)
    }

    @Test func withoutAWayOutOtherNamesAreRefusedAndTheReasonSaid() throws {
        let refused = try answer(responder(.elsewhere), query(size: 1232).bytes())
        #expect(refused.code == .refused && !refused.offersRecursion)
        guard case .answer(let bytes) = responder(.elsewhere).step(query(size: 1232).bytes(), limit: 1232) else { throw CancellationError() }
        #expect(String(decoding: bytes, as: UTF8.self).contains("lab up --uplink"))
    }

    // MARK: On the wire

    @Test func datagramsAndStreamsAreServedAndOthersAreAsked() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let logger = Logger(label: "test")
        let (zone, name, many) = (zone, name, many)
        let outside = try #require(DNSName("example.org"))
        // The host's name server.
        let upstream = try await DNSServer.start(
            address: "127.0.0.1", port: 0,
            responder: DNSResponder(forwarder: nil) { .records([DNSRecord(name: $0.name, ttl: 60, data: .a(IPv4Address(bits: 0x0102_0304)))]) },
            group: group, logger: logger)
        // The first one does not answer.
        let forwarder = try #require(DNSForwarder(servers: ["not an address", "127.0.0.1"], port: upstream.port, group: group))
        let server = try await DNSServer.start(
            address: "127.0.0.1", port: 0,
            responder: DNSResponder(forwarder: forwarder) { question in
                if question.name == outside { return .elsewhere }
                if question.name == zone { return .alias(DNSRecord(name: zone, ttl: 5, data: .name(.cname, outside)), of: outside) }
                return many
            }, group: group, logger: logger)
        let port = server.port

        let datagram = Socket(Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0))
        #expect(datagram.connect("127.0.0.1", port))
        func ask(_ message: DNSMessage) async throws -> DNSMessage {
            try DNSMessage(bytes: await blocking { datagram.write(message.bytes()); return datagram.readPacket() })
        }
        let short = try await ask(query())
        #expect(short.isTruncated && short.id == 0xbeef && !short.answers.isEmpty)
        let forwarded = try await ask(query(name: outside))
        #expect(forwarded.id == 0xbeef && forwarded.answers.map(\.data) == [.a(IPv4Address(bits: 0x0102_0304))])
        let alias = try await ask(query(name: zone))
        #expect(alias.questions[0].name == zone && alias.answers.map(\.data) == [.name(.cname, outside), .a(IPv4Address(bits: 0x0102_0304))])

        let stream = Socket.tcp()
        #expect(stream.connect("127.0.0.1", port))
        // Two queries at once, of which the second comes in two pieces.
        let whole = query().bytes()
        let second = query(name: outside).bytes()
        let framed = [UInt8(whole.count >> 8), UInt8(whole.count & 255)] + whole + [UInt8(second.count >> 8), UInt8(second.count & 255)] + second
        let answers = try await blocking { () -> [[UInt8]] in
            stream.write(Array(framed.dropLast(5)))
            stream.write(Array(framed.suffix(5)))
            return (0..<2).map { _ in
                let length = stream.read(2)
                return length.count == 2 ? stream.read(Int(length[0]) << 8 | Int(length[1])) : []
            }
        }.map { try DNSMessage(bytes: $0) }
        #expect(answers[0].answers.count == 100 && !answers[0].isTruncated && answers[0].questions[0].name == name)
        #expect(answers[1].answers.count == 1)
        for socket in [datagram, stream] { socket.end() }
        await server.stop()
        await upstream.stop()
        let gone = DNSForwarder(servers: ["127.0.0.1"], port: port, group: group)
        #expect(await gone?.ask(whole, isStream: false) == nil)
        try await group.shutdownGracefully()
    }
}

/// Numbers that a seed decides, so that a failure can be had again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

import NIOCore
import NIOHTTP1
import Testing

@testable import KubeModel
@testable import KubeServer

/// A client of upgraded connections, by hand: bytes in, bytes out.
final class RawClient {
    typealias Reader = NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var reader: Reader
    private let writer: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var buffer = ByteBuffer()
    private(set) var status = 0
    private(set) var head = ""

    init(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) {
        reader = inbound.makeAsyncIterator()
        writer = outbound
    }

    func write(_ bytes: ByteBuffer) async throws { try await writer.write(bytes) }

    /// Sends a request and reads the response's head. What `more` has is sent in the same packet.
    func request(_ method: String, _ uri: String, _ headers: [String], more: ByteBuffer = ByteBuffer()) async throws {
        var bytes = ByteBuffer(string: ([ "\(method) \(uri) HTTP/1.1", "Host: localhost"] + headers + ["", ""]).joined(separator: "\r\n"))
        bytes.writeImmutableBuffer(more)
        try await write(bytes)
        while let line = try await line(), !line.isEmpty { head += line + "\n" }
        status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
    }

    func upgrade(_ uri: String, _ subprotocol: String, more: ByteBuffer = ByteBuffer()) async throws {
        let names = subprotocol.isEmpty ? [] : ["Sec-WebSocket-Protocol: \(subprotocol)"]
        let headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        try await request("GET", uri, headers + names, more: more)
    }

    private func fill() async throws -> Bool {
        guard var piece = try await reader.next() else { return false }
        buffer.writeBuffer(&piece)
        return true
    }

    private func line() async throws -> String? {
        while true {
            if let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let text = buffer.readString(length: end - buffer.readerIndex + 1)
                return text?.filter { !$0.isNewline }
            }
            guard try await fill() else { return nil }
        }
    }

    func bytes(_ count: Int) async throws -> ByteBuffer? {
        while buffer.readableBytes < count { guard try await fill() else { return nil } }
        return buffer.readSlice(length: count)
    }

    /// All until the end.
    func rest() async throws -> String {
        while try await fill() {}
        return String(buffer: buffer)
    }

    struct Frame: Equatable {
        var opcode: UInt8
        var payload: [UInt8]
        var text: String { String(decoding: payload.dropFirst(), as: UTF8.self) }
        var code: Int { payload.count < 2 ? 0 : Int(payload[0]) << 8 | Int(payload[1]) }
    }

    /// The next frame of a WebSocket; `nil` when the connection has closed.
    func frame() async throws -> Frame? {
        guard var head = try await bytes(2), let first: UInt8 = head.readInteger(), let second: UInt8 = head.readInteger() else { return nil }
        var length = Int(second & 0x7f)
        if length == 126, var more = try await bytes(2) { length = Int(more.readInteger(as: UInt16.self) ?? 0) }
        if length == 127, var more = try await bytes(8) { length = Int(more.readInteger(as: UInt64.self) ?? 0) }
        guard let payload = try await bytes(length) else { return nil }
        return Frame(opcode: first & 0x0f, payload: Array(payload.readableBytesView))
    }

    /// What comes on one channel until the close frame, whose code is given too.
    func channels() async throws -> (text: [UInt8: String], close: Int?) {
        var text: [UInt8: String] = [:]
        while let frame = try await frame() {
            if frame.opcode == 8 { return (text, frame.code) }
            if let channel = frame.payload.first { text[channel, default: ""] += frame.text }
        }
        return (text, nil)
    }
}

/// A masked frame as clients send it.
func masked(_ opcode: UInt8, _ payload: [UInt8], final: Bool = true, mask: Bool = true, reserved: UInt8 = 0) -> ByteBuffer {
    var frame = ByteBuffer(integer: (final ? 0x80 : 0) | reserved << 4 | opcode)
    let bit: UInt8 = mask ? 0x80 : 0
    if payload.count < 126 {
        frame.writeInteger(bit | UInt8(payload.count))
    } else if payload.count < 65536 {
        frame.writeInteger(bit | 126)
        frame.writeInteger(UInt16(payload.count))
    } else {
        frame.writeInteger(bit | 127)
        frame.writeInteger(UInt64(payload.count))
    }
    let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    if mask { frame.writeBytes(key) }
    frame.writeBytes(payload.enumerated().map { mask ? $1 ^ key[$0 % 4] : $1 })
    return frame
}

@Suite("Streams into pods", .serialized)
struct StreamTests {
    private static let root = "/api/v1/namespaces/team/pods/p"

    private static func pod(_ phase: String = "Running") -> JSON {
        [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "namespace": "team", "uid": "u1"],
            "spec": ["nodeName": "here", "containers": [["name": "main", "image": "x"]], "initContainers": [["name": "asleep", "image": "x"]]],
            "status": ["phase": .string(phase)],
        ]
    }

    /// Runs a client against a server over a real TLS socket.
    private func withClient(_ streams: FakeStreams = FakeStreams(), _ body: @escaping (RawClient) async throws -> Void) async throws {
        let lab = try await Lab(streams: streams)
        try await lab.put(.pods, Self.pod())
        let server = try await LiveServer(lab)
        let connection = try await server.connectRaw()
        try await connection.executeThenClose { inbound, outbound in try await body(RawClient(inbound, outbound)) }
        // The server ends with its last reference.
        withExtendedLifetime(server) {}
    }

    /// Copies its input to its output and tells what it read on its errors.
    private static let cat: FakeStreams.Program = { _, process in
        var count = 0
        while let piece = await process.input.next() {
            count += piece.readableBytes
            await process.print(Array(piece.readableBytesView))
        }
        await process.print("\(count)", .error)
        return 7
    }

    @Test func version5HalfClosesInputAndTellsTheExitCode() async throws {
        let streams = FakeStreams(Self.cat)
        try await withClient(streams) { client in
            // The first message comes in one packet with the request.
            try await client.upgrade("\(Self.root)/exec?command=cat&command=-&stdin=true&stdout=1&stderr=1", "v5.channel.k8s.io", more: masked(2, [0, 104, 105]))
            #expect(client.status == 101)
            #expect(client.head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") && client.head.contains("v5.channel.k8s.io"))
            try await client.write(masked(9, Array("ping".utf8)))
            // A message in fragments with a ping in between, one for a channel that nobody has, an empty one.
            try await client.write(masked(2, [0, 33], final: false))
            try await client.write(masked(9, []))
            try await client.write(masked(0, [34]))
            try await client.write(masked(2, [9, 1, 2]))
            try await client.write(masked(2, []))
            try await client.write(masked(2, [255, 0]))
            var pongs = 0
            var text: [UInt8: String] = [:]
            while let frame = try await client.frame(), frame.opcode != 8 {
                if frame.opcode == 10 { pongs += 1 } else if let channel = frame.payload.first { text[channel, default: ""] += frame.text }
            }
            #expect(pongs == 2 && text[1] == "hi!\"" && text[2] == "4")
            let status = try JSONParser.parse(Array((text[3] ?? "").utf8))
            #expect(status["status"] == "Failure" && status["reason"] == "NonZeroExitCode")
            #expect(status["details"]["causes"].elements.first == ["reason": "ExitCode", "message": "7"])
        }
        let command = try #require(streams.seen.withLock { $0.first })
        #expect(command.command == ["cat", "-"] && command.container == "main" && command.takesInput)
    }

    @Test func olderProtocolsAreSpoken() async throws {
        for (name, sent, expected) in [
            ("v4.channel.k8s.io", [0, 97] as [UInt8], "a"), ("", [0, 97], "a"), ("channel.k8s.io", [0, 97], "a"),
            ("base64.channel.k8s.io", Array("0YQ==".utf8), "YQ=="), ("v4.base64.channel.k8s.io", Array("0YQ==".utf8), "YQ=="),
        ] {
            let echo = FakeStreams { _, process in
                if let piece = await process.input.next() { await process.print(Array(piece.readableBytesView)) }
                return 0
            }
            try await withClient(echo) { client in
                try await client.upgrade("\(Self.root)/exec?command=x&stdin=1&stdout=1", name)
                #expect(client.status == 101)
                try await client.write(masked(name.contains("base64") ? 1 : 2, sent))
                let (text, close) = try await client.channels()
                let isText = name.contains("base64")
                #expect(text[isText ? UInt8(ascii: "1") : 1] == expected && close == 1000, "\(name)")
                // Without a version success is silence.
                let outcome = text[isText ? UInt8(ascii: "3") : 3] ?? ""
                #expect(name.hasPrefix("v4") ? !outcome.isEmpty : outcome.isEmpty)
            }
        }
    }

    @Test func sizesOfTheTerminalArrive() async throws {
        let streams = FakeStreams { command, process in
            while process.sizes.count < 2, !Task.isCancelled { await Task.yield() }
            await process.print("\(command.usesTerminal) \(command.wantsErrors) \(process.sizes)")
            return 0
        }
        try await withClient(streams) { client in
            try await client.upgrade("\(Self.root)/exec?command=x&tty=true&stdout=1&stderr=1&stdin=1", "v4.channel.k8s.io")
            try await client.write(masked(2, [4] + Array(#"{"Width":80,"Height":24}"#.utf8)))
            try await client.write(masked(2, [4] + Array(#"{"Width":99999,"Height":1}"#.utf8)))
            try await client.write(masked(2, [4] + Array(#"{"Width":132,"Height":43}"#.utf8)))
            #expect(try await client.channels().text[1] == "true false [[80, 24], [132, 43]]")
        }
    }

    @Test func aCommandThatCannotRunIsAnOutcome() async throws {
        try await withClient { client in
            try await client.upgrade("\(Self.root)/exec?command=missing&stdout=1", "v5.channel.k8s.io")
            let status = try JSONParser.parse(Array((try await client.channels().text[3] ?? "").utf8))
            #expect(status["reason"] == "InternalError" && status["code"] == 500)
            #expect(status["message"].stringValue == "Internal error occurred: error executing command in container: executable file not found in $PATH")
        }
    }

    @Test func whatCannotBeIsRefusedBeforeTheUpgrade() async throws {
        let cases: [(String, String, Int, String)] = [
            ("\(Self.root)x/exec?command=a&stdout=1", "v5.channel.k8s.io", 404, "pods \\\"px\\\" not found"),
            ("\(Self.root)/exec?stdout=1", "v5.channel.k8s.io", 400, "you must specify at least one command"),
            ("\(Self.root)/exec?command=a&stdout=0&stderr=0", "v5.channel.k8s.io", 400, "at least 1 of stdin, stdout, stderr"),
            ("\(Self.root)/exec?command=a&container=nobody", "v5.channel.k8s.io", 400, "container nobody is not valid for pod p"),
            ("\(Self.root)/exec?command=a&container=asleep", "v5.channel.k8s.io", 500, "container not found (\"asleep\")"),
            ("\(Self.root)/exec?command=a", "v99.channel.k8s.io", 403, "client supports [v99.channel.k8s.io]"),
            ("\(Self.root)/portforward?ports=0", "v4.channel.k8s.io", 400, "unable to parse"),
            ("\(Self.root)/portforward", "v4.channel.k8s.io", 400, "is required"),
        ]
        for (uri, name, status, text) in cases {
            try await withClient { client in
                try await client.upgrade(uri, name)
                let rest = try await client.rest()
                #expect(client.status == status && rest.contains(text), "\(uri): \(client.status) \(rest)")
            }
        }
        try await withClient { client in
            try await client.request("GET", "\(Self.root)/exec?command=a", [])
            #expect(client.status == 400)
        }
        try await withClient { client in
            try await client.request("POST", "\(Self.root)/exec?command=a", ["Content-Length: 0", "Connection: Upgrade", "Upgrade: spdy/9"])
            #expect(client.status == 400)
        }
    }

    /// Each breaks RFC 6455 in its own way; the server says so, closes, and goes on with others.
    @Test func hostileFramesEndTheirConnectionOnly() async throws {
        let cases: [(ByteBuffer, Int)] = [
            (masked(2, [0, 1], mask: false), 1002), (masked(2, [0, 1], reserved: 4), 1002), (masked(3, [0]), 1002), (masked(0, [0]), 1002),
            (masked(1, [0, 0xff, 0xfe]), 1007), (masked(9, [UInt8](repeating: 0, count: 126)), 1002), (masked(9, [1], final: false), 1002),
            // A frame that claims 2^62 bytes, and one over the limit.
            (ByteBuffer(bytes: [0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), 1009),
            (ByteBuffer(bytes: [0x82, 0xff, 0, 0, 0, 0, 0x02, 0, 0, 1, 1, 2, 3, 4]), 1009),
        ]
        for (frame, code) in cases {
            try await withClient(FakeStreams(Self.cat)) { client in
                try await client.upgrade("\(Self.root)/exec?command=cat&stdin=1&stdout=1", "v5.channel.k8s.io")
                try await client.write(frame)
                #expect(try await client.channels().close == code, "\(frame)")
            }
        }
        // A message that is begun anew before its end.
        try await withClient(FakeStreams(Self.cat)) { client in
            try await client.upgrade("\(Self.root)/exec?command=cat&stdin=1&stdout=1", "v5.channel.k8s.io")
            try await client.write(masked(2, [0, 1], final: false))
            try await client.write(masked(2, [0, 1]))
            #expect(try await client.channels().close == 1002)
        }
    }

    @Test func theServerAnswersTheClientsClose() async throws {
        try await withClient(FakeStreams(Self.cat)) { client in
            try await client.upgrade("\(Self.root)/exec?command=cat&stdin=1&stdout=1", "v5.channel.k8s.io")
            try await client.write(masked(8, [0x03, 0xe9]))
            #expect(try await client.channels().close == 1001)
            #expect(try await client.frame() == nil)
        }
    }

    @Test func spdyCarriesACommand() async throws {
        let streams = FakeStreams(Self.cat)
        try await withClient(streams) { client in
            let headers = ["Content-Length: 0", "Connection: Upgrade", "Upgrade: SPDY/3.1", "X-Stream-Protocol-Version: v9.channel.k8s.io, v4.channel.k8s.io"]
            try await client.request("POST", "\(Self.root)/exec?command=cat&stdin=true&stdout=true&stderr=true", headers)
            #expect(client.status == 101 && client.head.contains("X-Stream-Protocol-Version: v4.channel.k8s.io"))
            let spdy = SPDYClient()
            for (index, type) in ["error", "stdin", "stdout", "stderr"].enumerated() {
                try await client.write(spdy.open(UInt32(2 * index + 1), ["streamtype": type]))
            }
            try await client.write(SPDYEncoder.data(stream: 3, Array("hello".utf8), isFinished: false))
            try await client.write(SPDYEncoder.data(stream: 3, [UInt8](), isFinished: true))
            var text: [UInt32: String] = [:]
            var finished: Set<UInt32> = []
            while let head = try await client.bytes(8), let first = head.getInteger(at: head.readerIndex, as: UInt32.self),
                let second = head.getInteger(at: head.readerIndex + 4, as: UInt32.self)
            {
                let body = try await client.bytes(Int(second & 0xff_ffff)) ?? ByteBuffer()
                if first >> 31 == 0 {
                    text[first, default: ""] += String(buffer: body)
                    if second >> 24 & 1 == 1 { finished.insert(first) }
                } else if first & 0xffff == 7 {
                    break
                }
            }
            #expect(text[5] == "hello" && text[7] == "5" && finished == [1, 5, 7])
            let status = try JSONParser.parse(Array((text[1] ?? "").utf8))
            #expect(status["details"]["causes"].elements.first?["message"] == "7")
        }
    }

    @Test func portsAreForwardedOverChannels() async throws {
        try await withClient { client in
            try await client.upgrade("\(Self.root)/portforward?ports=8080,1", "v4.channel.k8s.io")
            #expect(client.status == 101)
            var text: [UInt8: [UInt8]] = [:]
            try await client.write(masked(2, [0] + Array("echo".utf8)))
            while text[0]?.count ?? 0 < 6 || text[3]?.count ?? 0 < 10, let frame = try await client.frame() {
                text[frame.payload[0], default: []] += frame.payload.dropFirst()
            }
            #expect(text[0] == [0x90, 0x1f] + Array("echo".utf8) && text[1] == [0x90, 0x1f] && text[2] == [1, 0])
            #expect(String(decoding: text[3, default: []].dropFirst(2), as: UTF8.self).hasPrefix("error forwarding port 1 to pod team/p, uid u1: connect: connection refused"))
        }
    }

    @Test func manyConnectionsGoThroughATunnelAtOnce() async throws {
        try await withClient { client in
            try await client.upgrade("\(Self.root)/portforward", "SPDY/3.1+portforward.k8s.io")
            #expect(client.status == 101 && client.head.contains("SPDY/3.1+portforward.k8s.io"))
            let spdy = SPDYClient()
            let count = 100
            for number in 0..<count {
                for (offset, type) in ["error", "data"].enumerated() {
                    let frame = spdy.open(UInt32(4 * number + 2 * offset + 1), ["streamtype": type, "port": "8080", "requestid": String(number)])
                    try await client.write(masked(2, Array(frame.readableBytesView)))
                }
            }
            for number in 0..<count {
                let frame = SPDYEncoder.data(stream: UInt32(4 * number + 3), Array("connection \(number)".utf8), isFinished: true)
                try await client.write(masked(2, Array(frame.readableBytesView)))
            }
            var inner = ByteBuffer()
            var decoder = SPDYDecoder()
            var text: [UInt32: String] = [:]
            var finished: Set<UInt32> = []
            while finished.count < 2 * count, let frame = try await client.frame() {
                inner = ByteBuffer(bytes: frame.payload)
                decoder.take(inner)
                while let part = try decoder.next() {
                    guard case .data(let stream, let bytes, let isFinished) = part else { continue }
                    text[stream, default: ""] += String(buffer: bytes)
                    if isFinished { finished.insert(stream) }
                }
            }
            #expect(finished.count == 2 * count)
            for number in 0..<count { #expect(text[UInt32(4 * number + 3)] == "connection \(number)") }
        }
    }

    @Test func discoveryNamesTheStreams() async throws {
        let lab = try await Lab()
        let resources = try await lab.router.get("/api/v1").json["resources"].elements
        for (name, kind) in [("exec", "PodExecOptions"), ("attach", "PodAttachOptions"), ("portforward", "PodPortForwardOptions")] {
            let found = resources.first { $0["name"].stringValue == "pods/\(name)" }
            #expect(found?["kind"].stringValue == kind && found?["verbs"] == ["create", "get"])
        }
    }
}

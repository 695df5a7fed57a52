import Glibc
import KubeModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// A command in a running container: standard input and output are this process's own. Speaks `v5.channel.k8s.io` over a WebSocket.
struct ExecSession {
    let access: APIAccess
    /// Of the pod's subresource `exec`.
    let path: String
    let container: String
    let command: [String]
    let usesTerminal: Bool

    /// The first byte of a message.
    private enum Stream {
        static let input: UInt8 = 0
        static let output: UInt8 = 1
        static let errors: UInt8 = 2
        static let outcome: UInt8 = 3
        static let size: UInt8 = 4
        static let close: UInt8 = 255
    }

    private static let subprotocol = "v5.channel.k8s.io"
    private static let messageMax = 1 << 20

    private enum Upgrade: Sendable {
        case stream(NIOAsyncChannel<WebSocketFrame, WebSocketFrame>)
        case refused
    }

    private var uri: String {
        var query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("tty", usesTerminal ? "true" : "false")]
        if !usesTerminal { query.append(("stderr", "true")) }
        query += command.map { ("command", $0) }
        return path + "?" + query.map { "\($0.0)=\(PercentCoding.encode($0.1))" }.joined(separator: "&")
    }

    /// Runs it to its end.
    /// - Returns: its exit status.
    /// - Throws: `CommandError` where it cannot be started, or the connection breaks.
    func run() async throws -> Int32 {
        guard case .stream(let channel) = try await connect() else {
            throw CommandError("the lab does not let a command run in \(container): see '\(LabContext.current.command) status'")
        }
        let terminal = usesTerminal ? try RawTerminal() : nil
        defer { terminal?.restore() }
        return try await channel.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await send(outbound) }
                if usesTerminal { group.addTask { try await tellSizes(outbound) } }
                defer { group.cancelAll() }
                return try await receive(inbound, outbound)
            }
        }
    }

    private func connect() async throws -> Upgrade {
        let (host, port) = try Self.address(access.server)
        let context = try NIOSSLContext(configuration: try access.tls())
        let isAddress = (try? SocketAddress(ipAddress: host, port: port)) != nil
        var headers: HTTPHeaders = ["Host": "\(host):\(port)", "Sec-WebSocket-Protocol": Self.subprotocol]
        headers.add(name: "User-Agent", value: "lab")
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: headers)
        let result = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: host, port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host))
                let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(maxFrameSize: Self.messageMax) { channel, _ in
                    channel.eventLoop.makeCompletedFuture {
                        .stream(try NIOAsyncChannel<WebSocketFrame, WebSocketFrame>(wrappingChannelSynchronously: channel))
                    }
                }
                let configuration = NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: head, upgraders: [upgrader]) { channel in
                    channel.eventLoop.makeCompletedFuture { .refused }
                }
                return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                    configuration: NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration))
            }
        }
        return try await result.get()
    }

    /// `https://127.0.0.1:6443` in its parts.
    static func address(_ server: String) throws(CommandError) -> (host: String, port: Int) {
        let rest = server.hasPrefix("https://") ? server.dropFirst(8) : server[...]
        guard let colon = rest.lastIndex(of: ":"), let port = Int(rest[rest.index(after: colon)...].prefix { $0 != "/" }) else {
            throw CommandError("expected https://HOST:PORT in the kubeconfig, found '\(server)'")
        }
        return (rest[..<colon].filter { $0 != "[" && $0 != "]" }, port)
    }

    private static func frame(_ channel: UInt8, _ bytes: some Sequence<UInt8>) -> WebSocketFrame {
        var data = ByteBuffer()
        data.writeInteger(channel)
        data.writeBytes(bytes)
        return WebSocketFrame(fin: true, opcode: .binary, maskKey: .random(), data: data)
    }

    // MARK: To the container

    private func send(_ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) async throws {
        for await bytes in StandardInput.pieces() { try await outbound.write(Self.frame(Stream.input, bytes)) }
        if !Task.isCancelled { try await outbound.write(Self.frame(Stream.close, [Stream.input])) }
    }

    private func tellSizes(_ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) async throws {
        for await size in RawTerminal.sizes() {
            let text: JSON = ["Width": JSON(size.width), "Height": JSON(size.height)]
            try await outbound.write(Self.frame(Stream.size, text.encoded()))
        }
    }

    // MARK: From the container

    private func receive(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    ) async throws -> Int32 {
        for try await frame in inbound {
            switch frame.opcode {
            case .ping: try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData))
            case .binary:
                var data = frame.unmaskedData
                guard let channel = data.readInteger(as: UInt8.self) else { continue }
                switch channel {
                case Stream.output: if data.readableBytes > 0 { Output.bytes(data.readableBytesView) }
                case Stream.errors: if data.readableBytes > 0 { Output.errorBytes(data.readableBytesView) }
                case Stream.outcome: return try Self.status(String(buffer: data))
                default: break
                }
            case .connectionClose: throw CommandError("the lab ended the connection", reason: APIClient.away)
            default: break
            }
        }
        throw CommandError("the connection to the lab broke", reason: APIClient.away)
    }

    /// The exit status that a `v1.Status` tells.
    static func status(_ text: String) throws(CommandError) -> Int32 {
        guard let status = try? JSONParser.parse(text) else { throw CommandError("the lab's answer is no Status: \(text.prefix(200))") }
        if status["status"].stringValue == "Success" { return 0 }
        let cause = status["details"]["causes"].elements.first { $0["reason"].stringValue == "ExitCode" }
        if let code = cause?["message"].stringValue.flatMap({ Int32($0) }) { return code }
        throw CommandError(status["message"].stringValue ?? "the command failed", reason: status["reason"].stringValue ?? "")
    }
}

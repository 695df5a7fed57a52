import KubeModel
import NIOCore

/// The WebSocket subprotocols whose messages begin with the number of a channel (upstream: apimachinery/pkg/util/httpstream/wsstream).
enum ChannelProtocol: String, CaseIterable, Sendable {
    /// With a close signal for single channels (KEP 4006).
    case version5 = "v5.channel.k8s.io"
    case version4 = "v4.channel.k8s.io"
    case version4Base64 = "v4.base64.channel.k8s.io"
    case plain = "channel.k8s.io"
    case base64 = "base64.channel.k8s.io"
    /// The client named none.
    case unnamed = ""

    /// The channel whose messages say which other one is closed.
    static let closeChannel: UInt8 = 255

    var isBase64: Bool { self == .version4Base64 || self == .base64 }
    /// Success and failure are told as a `v1.Status`.
    var tellsStatus: Bool { self == .version5 || self == .version4 || self == .version4Base64 }

    enum Message: Equatable {
        case data(channel: UInt8, ByteBuffer)
        case close(channel: UInt8)
    }

    /// Reads a message of the client's; `nil` for one that means nothing: upstream passes over those too.
    func decode(_ message: ByteBuffer) -> Message? {
        var message = message
        guard let first = message.readInteger(as: UInt8.self) else { return nil }
        if isBase64 {
            guard first >= UInt8(ascii: "0"), let data = Base64.decode(String(buffer: message)) else { return nil }
            return .data(channel: first - UInt8(ascii: "0"), ByteBuffer(bytes: data))
        }
        if self == .version5, first == Self.closeChannel {
            return message.readInteger(as: UInt8.self).map { .close(channel: $0) }
        }
        return .data(channel: first, message)
    }

    func encode(channel: UInt8, _ bytes: some Collection<UInt8>) -> ByteBuffer {
        if isBase64 { return ByteBuffer(string: String(channel) + Base64.encode(bytes)) }
        var message = ByteBuffer()
        message.reserveCapacity(bytes.count + 1)
        message.writeInteger(channel)
        message.writeBytes(bytes)
        return message
    }
}

/// A remote command over a WebSocket with channels: 0 input, 1 output, 2 errors, 3 outcome, 4 sizes of the terminal.
final class ChannelCommandSession: UpgradedSession {
    private enum Channel {
        static let input: UInt8 = 0
        static let output: UInt8 = 1
        static let errors: UInt8 = 2
        static let outcome: UInt8 = 3
        static let sizes: UInt8 = 4
    }

    private let channels: ChannelProtocol
    private let command: RemoteCommand
    private let writer: BodyWriter
    private let input: Inbox?
    private let sizes: Inbox?

    init(_ channels: ChannelProtocol, _ command: RemoteCommand, _ writer: BodyWriter) {
        self.channels = channels
        self.writer = writer
        self.command = command
        input = command.command.takesInput ? Inbox() : nil
        sizes = command.command.usesTerminal ? Inbox(limit: 16 << 10) : nil
    }

    func receive(_ piece: ByteBuffer) async throws {
        switch channels.decode(piece) {
        case .data(Channel.input, let bytes): await input?.put(bytes)
        case .data(Channel.sizes, let bytes): await sizes?.put(bytes)
        case .close(Channel.input): input?.finish()
        case .data, .close, nil: break
        }
    }

    func inputEnded() {
        input?.finish()
        sizes?.finish()
    }

    func run() async throws {
        // As upstream does: tells the client that the connection stands.
        let first = command.command.wantsOutput ? Channel.output : command.command.wantsErrors ? Channel.errors : Channel.outcome
        try await writer(channels.encode(channel: first, []))
        try await command.run(over: Transport(channels: channels, writer: writer, input: input, sizes: sizes))
    }

    private struct Transport: CommandTransport {
        let channels: ChannelProtocol
        let writer: BodyWriter
        let input: Inbox?
        let sizes: Inbox?

        func send(_ bytes: [UInt8], _ stream: PodOutput) async throws {
            try await writer(channels.encode(channel: stream == .output ? Channel.output : Channel.errors, bytes))
        }

        func finish(_ outcome: CommandOutcome) async throws {
            let text = channels.tellsStatus ? outcome.status.encoded() : Array(outcome.text.utf8)
            if !text.isEmpty { try await writer(channels.encode(channel: Channel.outcome, text)) }
        }
    }
}

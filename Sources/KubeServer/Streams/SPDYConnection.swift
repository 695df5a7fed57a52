import NIOCore
import Synchronization

/// The server's side of a SPDY/3.1 connection on which a client opens streams. As upstream's library (moby/spdystream) it knows no
/// flow control: who does not read holds up the connection, after a while.
final class SPDYConnection: Sendable {
    /// How many streams a client may have open.
    static let streamLimit = 1024

    private struct State: ~Copyable {
        var decoder = SPDYDecoder()
        let encoder = SPDYEncoder()
        var streams: [UInt32: SPDYStream] = [:]
        var last: UInt32 = 0
        var isClosing = false
    }

    private let writer: BodyWriter
    /// Says why a stream is refused; `nil` accepts it.
    private let check: @Sendable ([String: String]) -> String?
    private let opened: @Sendable (SPDYStream) -> Void
    private let state = Mutex(State())

    /// - Parameter opened: gets each accepted stream, in order; must not block.
    init(
        _ writer: BodyWriter, check: @escaping @Sendable ([String: String]) -> String?, opened: @escaping @Sendable (SPDYStream) -> Void
    ) {
        self.writer = writer
        self.check = check
        self.opened = opened
    }

    func receive(_ bytes: ByteBuffer) async throws {
        state.withLock { $0.decoder.take(bytes) }
        while let frame = try state.withLock({ state throws(SPDYError) in try state.decoder.next() }) {
            switch frame {
            case .open(let number, let headers, let isFinished): try await open(number, headers, isFinished)
            case .data(let number, let bytes, let isFinished):
                guard let stream = state.withLock({ $0.streams[number] }) else { continue }
                if bytes.readableBytes > 0 { await stream.inbox.put(bytes) }
                if isFinished { end(stream) }
            case .reset(let number):
                guard let stream = state.withLock({ $0.streams.removeValue(forKey: number) }) else { continue }
                stream.wasReset()
            // Odd numbers are the client's; others would be answers to pings that we never send.
            case .ping(let number) where number % 2 == 1: try await writer(SPDYEncoder.ping(number))
            case .goAway: state.withLock { $0.isClosing = true }
            case .ping, .other: break
            }
        }
    }

    private func open(_ number: UInt32, _ headers: [String: String], _ isFinished: Bool) async throws {
        let isValid = state.withLock { state in
            let isValid = number % 2 == 1 && number > state.last
            if isValid { state.last = number }
            return isValid
        }
        guard isValid else { return try await writer(SPDYEncoder.reset(stream: number, status: 1)) }
        let hasRoom = state.withLock { !$0.isClosing && $0.streams.count < Self.streamLimit }
        guard hasRoom, check(headers) == nil else { return try await writer(SPDYEncoder.reset(stream: number, status: 3)) }
        let stream = SPDYStream(number, headers, self)
        // Data before the reply is dropped by clients, so the reply goes out before anybody knows of the stream.
        let reply = try state.withLock { state throws(SPDYError) in
            state.streams[number] = stream
            return try state.encoder.reply(stream: number)
        }
        try await writer(reply)
        opened(stream)
        if isFinished { end(stream) }
    }

    private func end(_ stream: SPDYStream) {
        stream.inbox.finish()
        if stream.remoteEnded() { forget(stream) }
    }

    fileprivate func write(_ bytes: some Collection<UInt8> & Sendable, _ stream: SPDYStream, isFinished: Bool) async throws {
        try await writer(SPDYEncoder.data(stream: stream.number, bytes, isFinished: isFinished))
    }

    fileprivate func forget(_ stream: SPDYStream) { state.withLock { _ = $0.streams.removeValue(forKey: stream.number) } }

    /// The client sends no more.
    func inputEnded() {
        let streams = state.withLock { state in
            state.isClosing = true
            return Array(state.streams.values)
        }
        for stream in streams { stream.inbox.finish() }
    }

    /// Tells the client that the connection is about to close.
    func goAway() async throws { try await writer(SPDYEncoder.goAway(last: state.withLock { $0.last })) }
}

/// One stream that the client has opened.
final class SPDYStream: Sendable {
    private struct Ends {
        var remote = false
        var local = false
        var isReset = false
    }

    let number: UInt32
    /// By lower-case name.
    let headers: [String: String]
    let inbox = Inbox()
    private let connection: SPDYConnection
    private let ends = Mutex(Ends())

    fileprivate init(_ number: UInt32, _ headers: [String: String], _ connection: SPDYConnection) {
        self.number = number
        self.headers = headers
        self.connection = connection
    }

    /// False when the client has reset the stream, or we have finished it.
    @discardableResult
    func send(_ bytes: some Collection<UInt8> & Sendable) async throws -> Bool {
        if ends.withLock({ $0.isReset || $0.local }) { return false }
        try await connection.write(bytes, self, isFinished: false)
        return true
    }

    /// Nothing more comes from us.
    func finish() async throws {
        let (isFirst, isDone) = ends.withLock { ends in
            defer { ends.local = true }
            return (!ends.local && !ends.isReset, ends.remote)
        }
        guard isFirst else { return }
        try await connection.write([UInt8](), self, isFinished: true)
        if isDone { connection.forget(self) }
    }

    /// - Returns: whether both directions are done.
    fileprivate func remoteEnded() -> Bool {
        ends.withLock { ends in
            ends.remote = true
            return ends.local
        }
    }

    fileprivate func wasReset() {
        ends.withLock { $0.isReset = true }
        inbox.finish()
    }
}

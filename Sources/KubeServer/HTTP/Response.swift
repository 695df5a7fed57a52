import KubeModel
import NIOCore
import NIOHTTP1

/// What the server answers: whole, or in pieces as they come to be.
struct Response: Sendable {
    enum Body: Sendable {
        case bytes(ByteBuffer)
        /// Writes pieces until it returns; cancelled when the client goes away or the server shuts down.
        case stream(@Sendable (BodyWriter) async throws -> Void)
        /// The connection speaks another protocol from now on.
        case upgrade(Upgrade)
    }

    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    var body: Body
    private var warnings = WarningRecorder()

    init(status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:], body: Body = .bytes(ByteBuffer())) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    init(status: HTTPResponseStatus = .ok, type: String, bytes: ByteBuffer) {
        self.init(status: status, headers: ["Content-Type": type], body: .bytes(bytes))
    }

    static func text(_ text: String, status: HTTPResponseStatus = .ok) -> Response {
        Response(status: status, type: "text/plain; charset=utf-8", bytes: ByteBuffer(string: text))
    }

    /// With a newline at its end, as Go's encoder writes it.
    static func json(_ value: JSON, status: HTTPResponseStatus = .ok) -> Response {
        Response(status: status, type: MediaType.json, bytes: ByteBuffer(bytes: value.encoded() + [UInt8(ascii: "\n")]))
    }

    /// The error as a `v1.Status`.
    static func failure(_ problem: APIStatus) -> Response {
        var response = json(problem.json, status: HTTPResponseStatus(statusCode: problem.code))
        response.warn(problem.warnings)
        if let seconds = problem.retryAfterSeconds { response.headers.add(name: "Retry-After", value: String(seconds)) }
        return response
    }

    /// Adds `Warning: 299` headers, which kubectl prints: each text once, and not too much of it.
    mutating func warn(_ texts: [String]) {
        if texts.isEmpty { return }
        for text in texts { warnings.add(text) }
        headers.remove(name: "Warning")
        for header in warnings.headers { headers.add(name: "Warning", value: header) }
    }
}

/// The open end of a streamed body. Waits while the client is slow to read.
struct BodyWriter: Sendable {
    let write: @Sendable (ByteBuffer) async throws -> Void
    /// Ends this direction of an upgraded connection.
    let finish: @Sendable () async throws -> Void

    init(_ write: @escaping @Sendable (ByteBuffer) async throws -> Void, finish: @escaping @Sendable () async throws -> Void = {}) {
        self.write = write
        self.finish = finish
    }

    func callAsFunction(_ bytes: ByteBuffer) async throws { try await write(bytes) }
}

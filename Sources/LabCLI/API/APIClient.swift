import AsyncHTTPClient
import KubeModel
import LabDaemon
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Speaks to the lab's API over TLS with the kubeconfig's client certificate; trusts the lab's own authority and nobody else.
final class APIClient: Sendable {
    struct Response: Sendable {
        let status: Int
        let body: ByteBuffer

        func json() throws(CommandError) -> JSON {
            do { return try JSONParser.parse(body.readableBytesView) } catch {
                throw CommandError("the lab's answer is no JSON (\(error)): is something else listening on its port?")
            }
        }
    }

    static let longest: TimeAmount = .hours(24 * 365)
    private let http: HTTPClient
    private let access: APIAccess
    private let command: String

    /// The namespace that the kubeconfig's context names.
    var defaultNamespace: String { access.namespace }
    var server: String { access.server }

    private init(_ access: APIAccess, group: any EventLoopGroup, command: String) throws(CommandError) {
        self.access = access
        self.command = command
        var configuration = HTTPClient.Configuration(tlsConfiguration: try access.tls())
        configuration.timeout.connect = .seconds(5)
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        // A lab that is not there is told at once; whoever wants to wait tries again.
        configuration.connectionPool.retryConnectionEstablishment = false
        // A watch, each followed log and a request in between all have their own connection.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        http = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// Gives the body a client of the current lab and closes it afterwards.
    static func use<Result>(_ body: (APIClient) async throws -> Result) async throws -> Result {
        let context = LabContext.current
        return try await use(try APIAccess.read(context.paths.kubeconfig, command: context.command), body)
    }

    static func use<Result>(_ access: APIAccess, _ body: (APIClient) async throws -> Result) async throws -> Result {
        let client = try APIClient(access, group: MultiThreadedEventLoopGroup.singleton, command: LabContext.current.command)
        do {
            let result = try await body(client)
            try? await client.http.shutdown()
            return result
        } catch {
            try? await client.http.shutdown()
            throw error
        }
    }

    // MARK: Requests

    /// One request and its whole answer, whatever its status.
    func exchange(
        _ method: HTTPMethod, _ path: String, query: [(String, String)] = [], body: [UInt8]? = nil,
        contentType: String = "application/json",
        accept: String = "application/json", timeout: TimeAmount = .seconds(90)
    ) async throws -> Response {
        let response = try await open(method, path, query, body, contentType, accept, deadline: .now() + timeout)
        do {
            return Response(status: Int(response.status.code), body: try await response.body.collect(upTo: 512 << 20))
        } catch {
            throw translate(error)
        }
    }

    /// One request whose answer must be JSON and say that it went well.
    /// - Throws: `CommandError` with the API's own message and reason where it refused.
    func request(
        _ method: HTTPMethod, _ path: String, query: [(String, String)] = [], body: JSON? = nil, contentType: String = "application/json",
        accept: String = "application/json"
    ) async throws -> JSON {
        let response = try await exchange(method, path, query: query, body: body?.encoded(), contentType: contentType, accept: accept)
        guard (200..<300).contains(response.status) else { throw Self.refusal(response) }
        return try response.json()
    }

    /// A request whose answer goes on: a watch, a followed log.
    func stream(_ path: String, query: [(String, String)] = [], accept: String = "application/json") async throws -> HTTPClientResponse.Body
    {
        let response = try await open(.GET, path, query, nil, "", accept, deadline: .now() + Self.longest)
        guard (200..<300).contains(Int(response.status.code)) else {
            let body = try await response.body.collect(upTo: 16 << 20)
            throw Self.refusal(Response(status: Int(response.status.code), body: body))
        }
        return response.body
    }

    private func open(
        _ method: HTTPMethod, _ path: String, _ query: [(String, String)], _ body: [UInt8]?, _ contentType: String, _ accept: String,
        deadline: NIODeadline
    ) async throws -> HTTPClientResponse {
        var url = access.server + path
        if !query.isEmpty {
            url += "?" + query.map { "\(PercentCoding.encode($0.0))=\(PercentCoding.encode($0.1))" }.joined(separator: "&")
        }
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers.add(name: "Accept", value: accept)
        request.headers.add(name: "User-Agent", value: "lab/\(Version.kindling)")
        if let body {
            request.headers.add(name: "Content-Type", value: contentType)
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        do {
            return try await http.execute(request, deadline: deadline)
        } catch {
            throw translate(error)
        }
    }

    // MARK: Errors

    /// The API's refusal as an error with its own words.
    static func refusal(_ response: Response) -> CommandError {
        let status = try? JSONParser.parse(response.body.readableBytesView)
        if let status, let message = status["message"].stringValue {
            let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
            return CommandError(line, reason: status["reason"].stringValue ?? "")
        }
        return CommandError("the API answered \(response.status): \(String(buffer: response.body).prefix(300))")
    }

    private func translate(_ error: any Error) -> any Error {
        if error is CancellationError || error is CommandError { return error }
        if let problem = error as? HTTPClientError {
            if problem == .cancelled { return CancellationError() }
            if problem == .connectTimeout || problem == .deadlineExceeded {
                return CommandError("the lab at \(access.server) does not answer in time: see '\(command) status'", reason: Self.away)
            }
            if problem == .remoteConnectionClosed {
                return CommandError("the lab at \(access.server) closed the connection", reason: Self.away)
            }
        }
        if error is NIOSSLError || error is BoringSSLError {
            return CommandError(
                "what answers at \(access.server) is not the lab of this kubeconfig: its keys differ; '\(command) up' writes it anew"
            )
        }
        if error is NIOConnectionError || error is IOError || error is ChannelError {
            return CommandError("no lab answers at \(access.server): start it with '\(command) up'", reason: Self.away)
        }
        return CommandError("the request to \(access.server) failed: \(error)", reason: Self.away)
    }

    /// The reason of errors that a new connection may mend.
    static let away = "Away"
}

/// Percent-encoding for paths and queries: everything that is not unreserved (RFC 3986).
enum PercentCoding {
    private static let digits = Array("0123456789ABCDEF".utf8)

    static func encode(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: bytes.append(byte)
            default: bytes += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

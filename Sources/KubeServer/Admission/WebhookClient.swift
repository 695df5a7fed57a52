import Catalogue
import KubeModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Registry

/// Connects to the loopback of the machine, which is not that of labd's own network namespace.
public protocol LoopbackDialer: Sendable {
    /// A connected TCP socket that does not block; the caller closes it.
    /// - Throws: with the system's words, e.g. `connection refused`.
    func connect(address: String, port: Int) async throws -> CInt
}

/// Calls admission webhooks over HTTPS: one connection a call, nobody waits on a thread.
struct WebhookClient: WebhookTransport {
    let catalogue: Catalogue
    /// `nil` where labd sees the machine's own loopback.
    let loopback: (any LoopbackDialer)?

    func post(_ body: [UInt8], to endpoint: WebhookEndpoint, timeoutSeconds: Int) async throws(WebhookProblem) -> [UInt8] {
        let url = endpoint.url
        let head = "Post \"\(url)?timeout=\(timeoutSeconds)s\": "
        do {
            let call = WebhookCall(seconds: timeoutSeconds)
            defer { call.end() }
            let location = try Location(url)
            let context = try Self.context(endpoint)
            let channel = try await open(endpoint, location, context, call)
            return try await call.exchange(channel, location, "\(location.path)?timeout=\(timeoutSeconds)s", body)
        } catch let problem as WebhookProblem {
            throw WebhookProblem(head + problem.description)
        } catch let answer as WebhookCall.Refusal {
            // The webhook was reached: Go's client does not name the URL then.
            throw WebhookProblem(answer.description)
        } catch {
            throw WebhookProblem(head + Self.words(error))
        }
    }

    // MARK: Where to

    struct Location {
        let host: String
        let port: Int
        let path: String

        /// - Throws: where it is no HTTPS URL; configurations with such are refused when they are made.
        init(_ url: String) throws(WebhookProblem) {
            guard url.hasPrefix("https://") else { throw WebhookProblem("expected a URL that begins with https://") }
            let rest = url.dropFirst("https://".count)
            let authority = rest.prefix { $0 != "/" }
            path = authority.endIndex == rest.endIndex ? "/" : String(rest[authority.endIndex...])
            if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
                host = String(authority[authority.index(after: authority.startIndex)..<close])
                port = Int(authority[authority.index(after: close)...].dropFirst()) ?? 443
            } else {
                let colon = authority.lastIndex(of: ":")
                host = String(authority[..<(colon ?? authority.endIndex)])
                port = colon.flatMap { Int(authority[authority.index(after: $0)...]) } ?? 443
            }
        }

        var isLoopback: Bool { host == "localhost" || host == "::1" || (host.hasPrefix("127.") && isAddress) }
        var isAddress: Bool { (try? SocketAddress(ipAddress: host, port: 1)) != nil }
        var header: String { port == 443 ? host : "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
    }

    private func open(
        _ endpoint: WebhookEndpoint, _ location: Location, _ context: NIOSSLContext, _ call: WebhookCall
    ) async throws -> any Channel {
        let name = location.isAddress ? nil : location.host
        let bootstrap = ClientBootstrap(group: call.loop).connectTimeout(.seconds(Int64(call.seconds))).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try call.prepare(channel, context, serverName: name) }
        }
        switch endpoint.place {
        case .service(let namespace, let service, _, let port):
            let target = try resolve(namespace, service, port)
            return try await bootstrap.connect(host: target.address, port: target.port).get()
        case .url where location.isLoopback && loopback != nil:
            guard let loopback else { throw WebhookProblem("no way to the machine's loopback") }
            let address = location.host == "localhost" ? "127.0.0.1" : location.host
            let socket: CInt
            do { socket = try await loopback.connect(address: address, port: location.port) } catch {
                throw WebhookProblem("dial tcp \(address):\(location.port): connect: \(error)")
            }
            return try await bootstrap.withConnectedSocket(socket).get()
        case .url: return try await bootstrap.connect(host: location.host, port: location.port).get()
        }
    }

    /// A ready pod behind the service.
    private func resolve(_ namespace: String, _ name: String, _ port: Int) throws(WebhookProblem) -> ProxyTarget {
        guard let service = catalogue.get(ObjectKey(.services, namespace: namespace, name: name)) else { throw WebhookProblem("service \"\(name)\" not found") }
        guard let reference = ProxyTarget.Reference("https:\(name):\(port)") else { throw WebhookProblem("service \"\(name)\" not found") }
        guard service.spec["ports"].elements.contains(where: { $0["port"].intValue == port }) else {
            throw WebhookProblem("no service port \(port) found for service \"\(name)\"")
        }
        do throws(APIStatus) { return try ProxyTarget.service(reference, service, catalogue) } catch { throw WebhookProblem(error.message) }
    }

    private static func context(_ endpoint: WebhookEndpoint) throws(WebhookProblem) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .fullVerification
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            if !endpoint.authorities.isEmpty {
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(endpoint.authorities))
            }
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw WebhookProblem("unable to load root certificates: \(error)")
        }
    }

    // MARK: What went wrong, as Go's client words it

    static func words(_ error: any Error) -> String {
        if let error = error as? NIOConnectionError, let first = error.connectionErrors.first {
            return "dial tcp \(error.host):\(error.port): connect: \(plain(first.error))"
        }
        if case .connectTimeout? = error as? ChannelError { return timedOut }
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") { return "tls: failed to verify certificate: x509: certificate signed by unknown authority" }
        if text.contains("unableToValidateCertificate") || error is NIOSSLExtraError {
            return "tls: failed to verify certificate: x509: certificate is not valid for the name of the webhook"
        }
        return plain(error)
    }

    static let timedOut = "context deadline exceeded"

    private static func plain(_ error: any Error) -> String {
        let text = "\(error)"
        if text.contains("errno: 111") || text.lowercased().contains("connection refused") { return "connection refused" }
        if text.contains("errno: 113") || text.lowercased().contains("no route to host") { return "no route to host" }
        return text
    }
}

import KubeModel
import NIOCore
import NIOHTTP1
import NIOSSL

/// `httpGet` as kubelet asks it: no certificate is verified, redirects on the same host are followed, every status from 200
/// to 399 is a yes (upstream: pkg/probe/http).
struct HTTPProbe {
    /// Redirects that are followed, and bytes of a body that are read.
    private static let redirectLimit = 10
    private static let bodyLimit = 10 * 1024

    let agent: String
    let limit: Deadline

    func get(_ target: HTTPTarget) async -> ProbeOutcome {
        var current = target
        for _ in 0...Self.redirectLimit {
            let answer: Answer
            do {
                answer = try await send(current)
            } catch is ProbeTimeout {
                return .failure("Get \"\(current.url)\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
            } catch {
                let text = Exchange.text(error)
                let isDialing = text.hasPrefix("connect:") || text.hasPrefix("lookup")
                return .failure("Get \"\(current.url)\": \(isDialing ? "dial tcp \(current.authority): " : "")\(text)")
            }
            guard let location = answer.location else { return judge(answer) }
            guard let next = Self.follow(location, from: current) else {
                return .failure("Get \"\(location)\": unsupported redirect")
            }
            if next.host != target.host { return .warning("Probe terminated redirects, Response body: \(answer.body)") }
            current = next
        }
        return .failure("Get \"\(current.path)\": stopped after \(Self.redirectLimit) redirects")
    }

    /// A page of at most so many bytes. No redirect is followed.
    /// - Returns: the page, or why there is none.
    func page(_ target: HTTPTarget, limit bytes: Int) async -> Result<String, PageProblem> {
        do {
            let answer = try await send(target, bodyLimit: bytes)
            guard answer.status == 200 else { return .failure(PageProblem(description: "\(target.url) answered with status \(answer.status)")) }
            guard answer.body.utf8.count < bytes else { return .failure(PageProblem(description: "\(target.url) is larger than \(bytes >> 20) MiB")) }
            return .success(answer.body)
        } catch {
            return .failure(PageProblem(description: "\(target.url): \(error is ProbeTimeout ? "no answer in time" : Exchange.text(error))"))
        }
    }

    private func judge(_ answer: Answer) -> ProbeOutcome {
        (200..<400).contains(answer.status) ? .success : .failure("HTTP probe failed with statuscode: \(answer.status)")
    }

    fileprivate struct Answer: Sendable {
        var status: Int
        /// Of a status that redirects.
        var location: String?
        var body: String
    }

    private func send(_ target: HTTPTarget, bodyLimit: Int = bodyLimit) async throws -> Answer {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target.path)
        for header in target.headers { head.headers.add(name: header.name, value: header.value) }
        // A header that is given empty is left out; one that is not given has kubelet's value.
        for (name, value) in [("User-Agent", agent), ("Accept", "*/*"), ("Host", target.authority)] {
            if head.headers[name].isEmpty { head.headers.add(name: name, value: value) }
            if head.headers[name] == [""] { head.headers.remove(name: name) }
        }
        if head.headers["Host"].isEmpty { head.headers.add(name: "Host", value: target.authority) }
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        let request = head
        return try await Exchange.run(NetworkAddress(host: target.host, port: target.port), limit) { channel, promise in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                if target.isSecure {
                    let name = (try? SocketAddress(ipAddress: target.host, port: target.port)) == nil ? target.host : nil
                    try pipeline.addHandler(NIOSSLClientHandler(context: TLS.context.get(), serverHostname: name))
                }
                try pipeline.addHTTPClientHandlers()
                try pipeline.addHandler(ResponseHandler(request, bodyLimit: bodyLimit, promise))
            }
        }
    }

    private enum TLS {
        static let context = Result {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            return try NIOSSLContext(configuration: configuration)
        }
    }

    /// The target that a `Location` names: a whole URL, a path from the root, or one beside the present path.
    static func follow(_ location: String, from origin: HTTPTarget) -> HTTPTarget? {
        var next = origin
        let lower = location.lowercased()
        for (scheme, isSecure) in [("http://", false), ("https://", true)] where lower.hasPrefix(scheme) {
            let rest = location.dropFirst(scheme.count)
            let authority = rest.prefix { !"/?#".contains($0) }
            guard let (host, port) = split(authority) else { return nil }
            let path = rest.dropFirst(authority.count).prefix { $0 != "#" }
            next.isSecure = isSecure
            next.host = host
            next.port = port ?? (isSecure ? 443 : 80)
            next.path = path.hasPrefix("/") ? String(path) : "/\(path)"
            return next
        }
        if location.hasPrefix("//") { return follow((origin.isSecure ? "https:" : "http:") + location, from: origin) }
        if lower.prefix(while: { $0 != "/" && $0 != "?" }).contains(":") { return nil }
        let path = location.prefix { $0 != "#" }
        if path.hasPrefix("/") {
            next.path = String(path)
        } else {
            let base = origin.path.prefix { $0 != "?" }
            if path.hasPrefix("?") || path.isEmpty {
                next.path = String(base + path)
            } else {
                next.path = String(base[...(base.lastIndex(of: "/") ?? base.startIndex)] + path)
            }
        }
        return next
    }

    private static func split(_ authority: Substring) -> (host: String, port: Int?)? {
        let text = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let rest = text[text.index(after: end)...]
            return (String(text[..<end].dropFirst()), rest.hasPrefix(":") ? Int(rest.dropFirst()) : nil)
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let host = parts.first, !host.isEmpty else { return nil }
        if parts.count == 2, Int(parts[1]) == nil { return nil }
        return (String(host), parts.count == 2 ? Int(parts[1]) : nil)
    }
}

/// Why a page could not be had, in words for the user.
struct PageProblem: Error, CustomStringConvertible {
    let description: String
}

private final class ResponseHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPRequestHead
    private let bodyLimit: Int
    private let promise: EventLoopPromise<HTTPProbe.Answer>
    private var answer: HTTPProbe.Answer?
    private var body: [UInt8] = []

    init(_ request: HTTPRequestHead, bodyLimit: Int, _ promise: EventLoopPromise<HTTPProbe.Answer>) {
        self.request = request
        self.bodyLimit = bodyLimit
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let status = Int(head.status.code)
            let location = [301, 302, 303, 307, 308].contains(status) ? head.headers.first(name: "Location") : nil
            answer = HTTPProbe.Answer(status: status, location: location, body: "")
        case .body(let part):
            body += part.readableBytesView.prefix(bodyLimit - body.count)
            if body.count >= bodyLimit { finish() }
        case .end: finish()
        }
    }

    private func finish() {
        guard var answer else { return }
        answer.body = String(decoding: body, as: UTF8.self)
        promise.succeed(answer)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A server that has answered may hang up without TLS's goodbye.
        if case NIOSSLError.uncleanShutdown = error { finish() }
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { promise.fail(ConnectionEnded()) }
}

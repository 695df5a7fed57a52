import Crypto
import KubeModel
import NIOCore
import NIOHTTP1

/// How a client wants to leave HTTP.
enum StreamRequest: Equatable {
    /// Subprotocols in the client's order, and the key of the handshake.
    case webSocket(protocols: [String], key: String)
    /// Versions of the stream protocol in the client's order.
    case spdy(versions: [String])

    /// - Throws: 400 where no upgrade, or none that is known, is asked for.
    init(_ request: Request) throws(APIStatus) {
        let headers = request.headers
        let wantsUpgrade = headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
        guard wantsUpgrade, let target = headers.first(name: "upgrade") else { throw .badRequest("Upgrade request required") }
        switch target.lowercased() {
        case "websocket":
            guard request.method == .GET, headers.first(name: "sec-websocket-version") == "13", let key = headers.first(name: "sec-websocket-key"),
                Base64.decode(key)?.count == 16
            else { throw .badRequest("the WebSocket handshake must be a GET with version 13 and a key of 16 bytes (RFC 6455, 4.2.1)") }
            self = .webSocket(protocols: headers[canonicalForm: "sec-websocket-protocol"].map(String.init), key: key)
        case "spdy/3.1": self = .spdy(versions: headers[canonicalForm: "x-stream-protocol-version"].map(String.init))
        default: throw .badRequest("unable to upgrade: \"\(target)\" is not known; expected websocket or SPDY/3.1")
        }
    }

    /// The response to a WebSocket's handshake.
    static func webSocket(_ name: String, key: String, sendsText: Bool, _ session: @escaping @Sendable (BodyWriter) -> any UpgradedSession) -> Response {
        // RFC 6455, 4.2.2: the key and this number, hashed, show that the server has understood.
        let digest = Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        var headers: HTTPHeaders = ["Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": Base64.encode(Array(digest))]
        if !name.isEmpty { headers.add(name: "Sec-WebSocket-Protocol", value: name) }
        return Response(
            status: .switchingProtocols, headers: headers, body: .upgrade(Upgrade(framing: .webSocket(sendsText: sendsText), makeSession: session)))
    }

    static func spdy(_ name: String, _ session: @escaping @Sendable (BodyWriter) -> any UpgradedSession) -> Response {
        let headers: HTTPHeaders = ["Upgrade": "SPDY/3.1", "Connection": "Upgrade", "X-Stream-Protocol-Version": name]
        return Response(status: .switchingProtocols, headers: headers, body: .upgrade(Upgrade(framing: .bytes, makeSession: session)))
    }

    /// The first of the client's names that the server knows. A client that gives none gets the unnamed one, where there is one.
    static func negotiate(_ wanted: [String], _ known: [String]) -> String? {
        if wanted.isEmpty { return known.contains("") ? "" : nil }
        return wanted.first { known.contains($0) }
    }

    /// 403 and the names that are known, as upstream answers.
    static func refusal(_ wanted: [String], _ known: [String]) -> Response {
        var response = Response.text(
            "unable to upgrade: unable to negotiate protocol: client supports [\(wanted.joined(separator: " "))], server accepts "
                + "[\(known.joined(separator: " "))]\n", status: .forbidden)
        for name in known where !name.isEmpty { response.headers.add(name: "X-Accepted-Stream-Protocol-Versions", value: name) }
        return response
    }
}

import KubeModel
import NIOHTTP1

/// A bearer token among the subprotocols of a WebSocket, since browsers cannot send it in a header of its own (upstream:
/// apiserver/pkg/authentication/request/websocket). Another subprotocol must stand beside it.
enum SocketToken {
    private static let prefix = "base64url.bearer.authorization.k8s.io."
    private static let header = "sec-websocket-protocol"

    /// The token; `nil` where there is none, or none that can be read.
    static func token(in headers: HTTPHeaders) -> String? {
        guard headers.contains(name: header), headers[canonicalForm: "upgrade"].contains(where: { $0.lowercased() == "websocket" }) else { return nil }
        let protocols = headers[canonicalForm: header]
        guard let found = protocols.first(where: { $0.hasPrefix(prefix) }), protocols.contains(where: { !$0.hasPrefix(prefix) }) else { return nil }
        // base64url without padding, RFC 4648, 5.
        let text = found.dropFirst(prefix.count)
        guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") }) else { return nil }
        let plain = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        let padding = String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
        guard let bytes = Base64.decode(plain + padding), let token = String(validating: bytes, as: UTF8.self), !token.isEmpty else { return nil }
        return token
    }

    /// Takes the token out: whoever the connection leads to must not have it.
    static func hide(in headers: inout HTTPHeaders) {
        let protocols = headers[canonicalForm: header]
        guard protocols.contains(where: { $0.hasPrefix(prefix) }) else { return }
        headers.remove(name: header)
        let rest = protocols.filter { !$0.hasPrefix(prefix) }.joined(separator: ", ")
        if !rest.isEmpty { headers.add(name: header, value: rest) }
    }
}

/// A path to a value inside a JSON document (RFC 6901), e.g. `/spec/containers/0/image`; `~1` stands for `/` and `~0` for `~`.
struct JSONPointer {
    let tokens: [String]

    init(_ text: String) throws(APIStatus) {
        guard !text.isEmpty else {
            tokens = []
            return
        }
        guard text.hasPrefix("/") else {
            throw .badRequest("JSON patch: expected a path that begins with '/', found \(JSON.quoted(text))")
        }
        tokens = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(Self.unescape)
    }

    private static func unescape(_ token: Substring) -> String {
        guard token.utf8.contains(UInt8(ascii: "~")) else { return String(token) }
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in token.utf8 {
            if isEscaped {
                isEscaped = false
                switch byte {
                case UInt8(ascii: "0"): bytes.append(UInt8(ascii: "~"))
                case UInt8(ascii: "1"): bytes.append(UInt8(ascii: "/"))
                default: bytes += [UInt8(ascii: "~"), byte]
                }
            } else if byte == UInt8(ascii: "~") {
                isEscaped = true
            } else {
                bytes.append(byte)
            }
        }
        if isEscaped { bytes.append(UInt8(ascii: "~")) }
        return String(decoding: bytes, as: UTF8.self)
    }

    func isPrefix(of other: JSONPointer) -> Bool { other.tokens.starts(with: tokens) && other.tokens.count > tokens.count }
}

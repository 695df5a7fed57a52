import KubeModel
import NIOCore
import NIOHTTP1

/// One HTTP request, read to its end.
struct Request: Sendable {
    let method: HTTPMethod
    /// The path as it was sent, still percent-encoded, without the query.
    let path: String
    let query: Query
    /// The query as it was sent.
    let queryText: String
    let headers: HTTPHeaders
    let body: ByteBuffer
    let credentials: Credentials
    /// In whose name it is answered; the router finds out.
    var user = User.anonymous
    /// Where it came from; `nil` for one that did not come over a connection.
    var origin: Origin?

    /// The client's end of a connection.
    struct Origin: Sendable {
        let address: String?
        /// Done when the client has gone.
        let closed: EventLoopFuture<Void>
    }

    init(method: HTTPMethod, uri: String, headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer(), credentials: Credentials = Credentials()) {
        self.method = method
        let target = Self.target(of: uri)
        if let mark = target.firstIndex(of: "?") {
            path = String(target[..<mark])
            queryText = String(target[target.index(after: mark)...])
            query = Query(parsing: target[target.index(after: mark)...])
        } else {
            path = String(target)
            queryText = ""
            query = Query()
        }
        self.headers = headers
        self.body = body
        self.credentials = credentials
    }

    /// The path and query of a request line; an absolute URI, as a proxy sends it, loses its scheme and host.
    private static func target(of uri: String) -> Substring {
        let withoutFragment = uri.prefix { $0 != "#" }
        guard !withoutFragment.hasPrefix("/") else { return withoutFragment }
        var rest = withoutFragment
        for scheme in ["https://", "http://"] where rest.lowercased().hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            guard let slash = rest.firstIndex(of: "/") else { return "/" }
            return rest[slash...]
        }
        return rest
    }
}

/// The parameters behind a path's question mark.
struct Query: Sendable {
    private(set) var items: [(name: String, value: String)] = []

    init() {}

    init(parsing text: Substring) {
        for part in text.split(separator: "&") {
            let equals = part.firstIndex(of: "=") ?? part.endIndex
            let name = PercentEncoding.decode(part[..<equals], plusIsSpace: true)
            let value = equals == part.endIndex ? "" : PercentEncoding.decode(part[part.index(after: equals)...], plusIsSpace: true)
            if let name, let value { items.append((name, value)) }
        }
    }

    /// The first value of a parameter; `nil` where it is not given.
    subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    func values(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

    /// A flag as Go's `strconv.ParseBool` and the API's query conversion read it: given without a value it is true.
    func flag(_ name: String) -> Bool {
        guard let value = self[name] else { return false }
        return !["false", "0", "f", "F", "False", "FALSE"].contains(value)
    }

    /// A whole number.
    /// - Throws: 400 where the value is none.
    func integer(_ name: String) throws(APIStatus) -> Int? {
        guard let text = self[name], !text.isEmpty else { return nil }
        guard let number = Int(text) else { throw .badRequest("invalid query parameter \(name): expected an integer, found \"\(text)\"") }
        return number
    }
}

/// RFC 3986 percent-encoding.
enum PercentEncoding {
    /// The text without its percent signs; `nil` where one of them is not followed by two hexadecimal digits or the result is no UTF-8.
    static func decode(_ text: Substring, plusIsSpace: Bool = false) -> String? {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

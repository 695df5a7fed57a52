/// Kinds of records, by IANA's numbers.
public struct DNSType: Hashable, Sendable, RawRepresentable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let a = DNSType(rawValue: 1)
    public static let ns = DNSType(rawValue: 2)
    public static let cname = DNSType(rawValue: 5)
    public static let soa = DNSType(rawValue: 6)
    public static let ptr = DNSType(rawValue: 12)
    public static let txt = DNSType(rawValue: 16)
    public static let aaaa = DNSType(rawValue: 28)
    public static let srv = DNSType(rawValue: 33)
    public static let opt = DNSType(rawValue: 41)
    public static let any = DNSType(rawValue: 255)
}

/// The outcome of a query (RFC 1035, 4.1.1; RFC 6891 for the one above 15).
public struct DNSCode: Hashable, Sendable, RawRepresentable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let noError = DNSCode(rawValue: 0)
    public static let formatError = DNSCode(rawValue: 1)
    public static let serverFailure = DNSCode(rawValue: 2)
    public static let noSuchName = DNSCode(rawValue: 3)
    public static let notImplemented = DNSCode(rawValue: 4)
    public static let refused = DNSCode(rawValue: 5)
    public static let badVersion = DNSCode(rawValue: 16)
}

public struct DNSQuestion: Hashable, Sendable {
    public var name: DNSName
    public var type: DNSType
    /// 1 is the Internet, 255 any.
    public var `class`: UInt16

    public init(name: DNSName, type: DNSType, class: UInt16 = 1) {
        self.name = name
        self.type = type
        self.class = `class`
    }
}

/// What a record says.
public enum DNSData: Hashable, Sendable {
    case a(IPv4Address)
    case name(DNSType, DNSName)
    case srv(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName)
    case soa(server: DNSName, mailbox: DNSName, serial: UInt32, refresh: UInt32, retry: UInt32, expire: UInt32, minimum: UInt32)
    /// Strings of up to 255 bytes.
    case text([[UInt8]])
    /// Of a kind that is carried and not understood.
    case other(DNSType, [UInt8])

    public var type: DNSType {
        switch self {
        case .a: .a
        case .name(let type, _), .other(let type, _): type
        case .srv: .srv
        case .soa: .soa
        case .text: .txt
        }
    }
}

public struct DNSRecord: Hashable, Sendable {
    public var name: DNSName
    /// Seconds.
    public var ttl: UInt32
    public var data: DNSData

    public init(name: DNSName, ttl: UInt32, data: DNSData) {
        self.name = name
        self.ttl = ttl
        self.data = data
    }
}

/// The pseudo record that extends the protocol (RFC 6891).
public struct DNSExtension: Hashable, Sendable {
    /// Bytes of the largest datagram that its sender takes.
    public var size: UInt16
    public var version: UInt8
    /// Why there is no better answer (RFC 8914); only in answers.
    public var reason: (code: UInt16, text: String)?

    public init(size: UInt16, version: UInt8 = 0, reason: (code: UInt16, text: String)? = nil) {
        self.size = size
        self.version = version
        self.reason = reason
    }

    public static func == (a: DNSExtension, b: DNSExtension) -> Bool {
        a.size == b.size && a.version == b.version && a.reason?.code == b.reason?.code && a.reason?.text == b.reason?.text
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(size)
        hasher.combine(version)
    }
}

/// A query or an answer.
public struct DNSMessage: Hashable, Sendable {
    public var id: UInt16
    public var isAnswer = false
    /// 0 is an ordinary query.
    public var operation: UInt8 = 0
    public var isAuthoritative = false
    public var isTruncated = false
    public var wantsRecursion = false
    public var offersRecursion = false
    public var code = DNSCode.noError
    public var questions: [DNSQuestion] = []
    public var answers: [DNSRecord] = []
    public var authority: [DNSRecord] = []
    public var additional: [DNSRecord] = []
    public var `extension`: DNSExtension?

    public init(id: UInt16) { self.id = id }

    /// An empty answer to this query.
    public func answer(_ code: DNSCode) -> DNSMessage {
        var answer = DNSMessage(id: id)
        answer.isAnswer = true
        answer.operation = operation
        answer.wantsRecursion = wantsRecursion
        answer.code = code
        answer.questions = questions
        if `extension` != nil { answer.extension = DNSExtension(size: DNSLimits.datagram) }
        return answer
    }
}

public enum DNSLimits {
    /// Of datagrams both ways, in bytes: what crosses every link in one piece (dnsflagday.net/2020).
    public static let datagram: UInt16 = 1232
    /// What a client takes that says nothing of it (RFC 1035, 4.2.1).
    public static let classic = 512
}

/// Why bytes are no message of DNS.
public struct DNSFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where, in bytes from the start.
    public let offset: Int
    public let problem: String

    public var description: String { "expected a DNS message, found at byte \(offset): \(problem)" }
}

/// Reads messages. What arrives is anybody's: every length is checked, and a pointer must lead back, so that no name is endless.
struct DNSReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Parameter bytes: a whole message; what follows its last record is no part of it and no error.
    static func message(_ bytes: [UInt8]) throws(DNSFault) -> DNSMessage {
        var reader = DNSReader(bytes)
        return try reader.message()
    }

    private mutating func message() throws(DNSFault) -> DNSMessage {
        var message = DNSMessage(id: try number16())
        let flags = try number16()
        message.isAnswer = flags & 0x8000 != 0
        message.operation = UInt8(truncatingIfNeeded: flags >> 11 & 15)
        message.isAuthoritative = flags & 0x400 != 0
        message.isTruncated = flags & 0x200 != 0
        message.wantsRecursion = flags & 0x100 != 0
        message.offersRecursion = flags & 0x80 != 0
        message.code = DNSCode(rawValue: flags & 15)
        let counts = (try number16(), try number16(), try number16(), try number16())
        for _ in 0..<counts.0 {
            message.questions.append(DNSQuestion(name: try name(), type: DNSType(rawValue: try number16()), class: try number16()))
        }
        for _ in 0..<counts.1 { if let record = try record(&message) { message.answers.append(record) } }
        for _ in 0..<counts.2 { if let record = try record(&message) { message.authority.append(record) } }
        for _ in 0..<counts.3 { if let record = try record(&message) { message.additional.append(record) } }
        return message
    }

    /// Nil for the record that extends the message, which becomes a part of it.
    private mutating func record(_ message: inout DNSMessage) throws(DNSFault) -> DNSRecord? {
        let start = offset
        let name = try name()
        let type = DNSType(rawValue: try number16())
        let size = try number16()
        let ttl = try number32()
        let length = Int(try number16())
        guard offset + length <= bytes.count else { throw fault("a record of \(length) bytes, which is more than there is") }
        let end = offset + length
        if type == .opt {
            guard name.labels.isEmpty, message.extension == nil else { throw DNSFault(offset: start, problem: "a second or misplaced OPT record") }
            message.extension = DNSExtension(size: size, version: UInt8(truncatingIfNeeded: ttl >> 16))
            message.code = DNSCode(rawValue: UInt16(truncatingIfNeeded: ttl >> 24) << 4 | message.code.rawValue)
            offset = end
            return nil
        }
        let data = try data(type, end)
        guard offset == end else { throw fault("a record of kind \(type.rawValue) that does not fill its \(length) bytes") }
        return DNSRecord(name: name, ttl: ttl, data: data)
    }

    private mutating func data(_ type: DNSType, _ end: Int) throws(DNSFault) -> DNSData {
        switch type {
        case .a: return .a(IPv4Address(bits: try number32()))
        case .cname, .ptr, .ns: return .name(type, try name())
        case .srv: return .srv(priority: try number16(), weight: try number16(), port: try number16(), target: try name())
        case .soa:
            return .soa(
                server: try name(), mailbox: try name(), serial: try number32(), refresh: try number32(), retry: try number32(),
                expire: try number32(), minimum: try number32())
        case .txt:
            var strings: [[UInt8]] = []
            while offset < end { strings.append(try take(Int(try number8()))) }
            return .text(strings)
        default: return .other(type, try take(end - offset))
        }
    }

    // MARK: Names

    private mutating func name() throws(DNSFault) -> DNSName {
        var labels: [[UInt8]] = []
        var length = 1
        var place = offset
        // Where reading goes on after the name: behind its first pointer.
        var after: Int?
        // Each pointer must lead before every place that was read yet.
        var limit = offset
        while true {
            guard place < bytes.count else { throw DNSFault(offset: place, problem: "the end within a name") }
            let byte = bytes[place]
            switch byte >> 6 {
            case 0:
                place += 1
                if byte == 0 {
                    offset = after ?? place
                    guard let name = DNSName(labels: labels) else { throw DNSFault(offset: place, problem: "a name of more than 255 bytes") }
                    return name
                }
                let end = place + Int(byte)
                length += Int(byte) + 1
                guard end <= bytes.count, length <= 255 else { throw DNSFault(offset: place, problem: "a label that is too long") }
                labels.append(Array(bytes[place..<end]))
                place = end
            case 3:
                guard place + 1 < bytes.count else { throw DNSFault(offset: place, problem: "the end within a pointer") }
                let target = Int(byte & 0x3f) << 8 | Int(bytes[place + 1])
                if after == nil { after = place + 2 }
                guard target < limit else { throw DNSFault(offset: place, problem: "a pointer that does not lead back") }
                limit = target
                place = target
            default: throw DNSFault(offset: place, problem: "a label of an unknown kind")
            }
        }
    }

    // MARK: Numbers

    private mutating func number8() throws(DNSFault) -> UInt8 {
        guard offset < bytes.count else { throw fault("the end") }
        defer { offset += 1 }
        return bytes[offset]
    }

    private mutating func number16() throws(DNSFault) -> UInt16 { UInt16(try number8()) << 8 | UInt16(try number8()) }
    private mutating func number32() throws(DNSFault) -> UInt32 { UInt32(try number16()) << 16 | UInt32(try number16()) }

    private mutating func take(_ count: Int) throws(DNSFault) -> [UInt8] {
        guard count >= 0, offset + count <= bytes.count else { throw fault("\(count) bytes wanted, which is more than there is") }
        defer { offset += count }
        return Array(bytes[offset..<(offset + count)])
    }

    private func fault(_ problem: String) -> DNSFault { DNSFault(offset: offset, problem: problem) }
}

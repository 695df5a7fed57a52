/// Writes messages, with names compressed (RFC 1035, 4.1.4).
struct DNSWriter {
    private var bytes: [UInt8] = []
    private var places: [[[UInt8]]: Int] = [:]

    /// The message in at most `limit` bytes. What does not fit is left out: additional records silently, as they are a courtesy;
    /// others with the mark that the answer is truncated, which sends the client to TCP.
    static func bytes(_ message: DNSMessage, limit: Int = 65535) -> [UInt8] {
        var writer = DNSWriter()
        let reserved = message.extension.map { 11 + ($0.reason.map { 6 + min($0.text.utf8.count, 200) } ?? 0) } ?? 0
        let room = limit - reserved
        writer.bytes = [UInt8](repeating: 0, count: 12)
        var counts: [UInt16] = [0, 0, 0, 0]
        var isFull = false
        for question in message.questions {
            writer.name(question.name)
            writer.number16(question.type.rawValue)
            writer.number16(question.class)
            counts[0] += 1
        }
        for (index, records) in [message.answers, message.authority, message.additional].enumerated() where !isFull {
            for record in records {
                let end = writer.bytes.count
                writer.record(record)
                if writer.bytes.count > room || counts[index + 1] == UInt16.max {
                    writer.forget(after: end)
                    isFull = index < 2
                    break
                }
                counts[index + 1] += 1
            }
        }
        if let more = message.extension {
            writer.extend(more, code: message.code)
            counts[3] += 1
        }
        writer.header(message, isTruncated: message.isTruncated || isFull, counts)
        return writer.bytes
    }

    private mutating func forget(after end: Int) {
        bytes.removeSubrange(end...)
        places = places.filter { $0.value < end }
    }

    private mutating func header(_ message: DNSMessage, isTruncated: Bool, _ counts: [UInt16]) {
        var flags: UInt16 = UInt16(message.operation & 15) << 11 | message.code.rawValue & 15
        if message.isAnswer { flags |= 0x8000 }
        if message.isAuthoritative { flags |= 0x400 }
        if isTruncated { flags |= 0x200 }
        if message.wantsRecursion { flags |= 0x100 }
        if message.offersRecursion { flags |= 0x80 }
        for (index, number) in ([message.id, flags] + counts).enumerated() {
            bytes[index * 2] = UInt8(number >> 8)
            bytes[index * 2 + 1] = UInt8(number & 255)
        }
    }

    private mutating func record(_ record: DNSRecord) {
        name(record.name)
        number16(record.data.type.rawValue)
        number16(1)
        number32(record.ttl)
        let start = bytes.count
        number16(0)
        data(record.data)
        let length = bytes.count - start - 2
        bytes[start] = UInt8(truncatingIfNeeded: length >> 8)
        bytes[start + 1] = UInt8(truncatingIfNeeded: length)
    }

    private mutating func data(_ data: DNSData) {
        switch data {
        case .a(let address): number32(address.bits)
        case .name(_, let target): name(target)
        case .srv(let priority, let weight, let port, let target):
            for number in [priority, weight, port] { number16(number) }
            // Not compressed: RFC 2782.
            name(target, isCompressed: false)
        case .soa(let server, let mailbox, let serial, let refresh, let retry, let expire, let minimum):
            name(server)
            name(mailbox)
            for number in [serial, refresh, retry, expire, minimum] { number32(number) }
        case .text(let strings):
            for string in strings {
                bytes.append(UInt8(min(255, string.count)))
                bytes += string.prefix(255)
            }
        case .other(_, let raw): bytes += raw.prefix(65535)
        }
    }

    private mutating func extend(_ more: DNSExtension, code: DNSCode) {
        bytes.append(0)
        number16(DNSType.opt.rawValue)
        number16(more.size)
        number32(UInt32(code.rawValue >> 4) << 24 | UInt32(more.version) << 16)
        guard let reason = more.reason else { return number16(0) }
        let text = Array(reason.text.utf8.prefix(200))
        number16(UInt16(6 + text.count))
        number16(15)
        number16(UInt16(2 + text.count))
        number16(reason.code)
        bytes += text
    }

    private mutating func name(_ name: DNSName, isCompressed: Bool = true) {
        let keys = name.lowercased
        for (index, label) in name.labels.enumerated() {
            let rest = Array(keys[index...])
            if isCompressed, let place = places[rest] {
                number16(0xc000 | UInt16(place))
                return
            }
            if bytes.count < 0x4000, places[rest] == nil { places[rest] = bytes.count }
            bytes.append(UInt8(label.count))
            bytes += label
        }
        bytes.append(0)
    }

    private mutating func number16(_ number: UInt16) { bytes += [UInt8(number >> 8), UInt8(number & 255)] }

    private mutating func number32(_ number: UInt32) {
        number16(UInt16(number >> 16))
        number16(UInt16(number & 0xffff))
    }
}

extension DNSMessage {
    /// Reads a whole message, as it came in a datagram.
    public init(bytes: [UInt8]) throws(DNSFault) { self = try DNSReader.message(bytes) }

    /// The message as it is sent.
    /// - Parameter limit: in bytes; an answer that has no room is marked as truncated.
    public func bytes(limit: Int = 65535) -> [UInt8] { DNSWriter.bytes(self, limit: limit) }
}

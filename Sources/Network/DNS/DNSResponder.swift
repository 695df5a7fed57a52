/// What is known of a name.
public enum DNSLookup: Hashable, Sendable {
    /// The answer is here, from the zone's own authority.
    case records([DNSRecord], additional: [DNSRecord] = [])
    /// The name is there and has nothing of the kind asked for; with the zone's SOA.
    case nothing(DNSRecord)
    case noSuchName(DNSRecord)
    /// The name is another name for one that is not of this zone.
    case alias(DNSRecord, of: DNSName)
    /// The name belongs to others.
    case elsewhere
}

/// Answers queries: what the zone knows itself, and for all else what the servers say that are asked in turn.
public struct DNSResponder: Sendable {
    /// Gives what the zone knows; called on the threads of the server, so it must not block.
    public let lookup: @Sendable (DNSQuestion) -> DNSLookup
    /// Whom to ask about other names; nil where the lab has no way out, and then such queries are refused.
    public let forwarder: DNSForwarder?

    public init(forwarder: DNSForwarder?, lookup: @escaping @Sendable (DNSQuestion) -> DNSLookup) {
        self.forwarder = forwarder
        self.lookup = lookup
    }

    /// How a query goes on.
    enum Step: Sendable {
        /// Nothing is said to what is no query.
        case silence
        case answer([UInt8])
        /// Somebody else has to be asked.
        case forward(DNSMessage, alias: DNSRecord?)
    }

    /// - Parameter limit: the bytes that an answer may have whatever its client says; for datagrams `DNSLimits.datagram`.
    func step(_ bytes: [UInt8], limit: Int) -> Step {
        // Without these there is nobody to answer; and an answer is never answered, or two servers might talk for ever.
        guard bytes.count >= 12, bytes[2] & 0x80 == 0 else { return .silence }
        let query: DNSMessage
        do throws(DNSFault) { query = try DNSMessage(bytes: bytes) } catch {
            var broken = DNSMessage(id: UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
            broken.operation = bytes[2] >> 3 & 15
            return .answer(broken.answer(.formatError).bytes())
        }
        func done(_ code: DNSCode) -> Step { .answer(query.answer(code).bytes(limit: Self.room(for: query, limit))) }
        if let more = query.extension, more.version > 0 { return done(.badVersion) }
        guard query.operation == 0 else { return done(.notImplemented) }
        guard query.questions.count == 1 else { return done(.formatError) }
        guard [1, 255].contains(query.questions[0].class) else { return done(.refused) }
        var answer = query.answer(.noError)
        answer.isAuthoritative = true
        answer.offersRecursion = forwarder != nil
        switch lookup(query.questions[0]) {
        case .records(let records, let additional):
            answer.answers = records
            answer.additional = additional
        case .nothing(let start): answer.authority = [start]
        case .noSuchName(let start):
            answer.authority = [start]
            answer.code = .noSuchName
        case .alias(let alias, let target):
            answer.answers = [alias]
            guard forwarder != nil, query.wantsRecursion, query.questions[0].type != .cname else { break }
            var question = query
            question.questions[0].name = target
            return .forward(question, alias: alias)
        case .elsewhere:
            if forwarder != nil, query.wantsRecursion { return .forward(query, alias: nil) }
            return .answer(Self.refusal(of: query).bytes(limit: Self.room(for: query, limit)))
        }
        return .answer(answer.bytes(limit: Self.room(for: query, limit)))
    }

    private static func refusal(of query: DNSMessage) -> DNSMessage {
        var answer = query.answer(.refused)
        answer.answers = []
        // Prohibited (RFC 8914, 4.19): dig and resolvectl show the text.
        answer.extension?.reason = (18, "this lab has no way out; its user starts one with: lab up --uplink")
        return answer
    }

    /// Asks others and makes the answer to the first query of what they say.
    /// - Parameters:
    ///   - bytes: the query as it came.
    ///   - isStream: whether it came over TCP and may be asked on that way.
    func forward(_ query: DNSMessage, alias: DNSRecord?, bytes: [UInt8], limit: Int, isStream: Bool) async -> [UInt8] {
        let failure = { (code: DNSCode) in query.answer(code).bytes(limit: Self.room(for: query, limit)) }
        guard let forwarder else { return failure(.serverFailure) }
        guard let alias else {
            // As it came: what is not understood here may be understood there.
            guard var answer = await forwarder.ask(bytes, isStream: isStream) else { return failure(.serverFailure) }
            answer[0] = bytes[0]
            answer[1] = bytes[1]
            return answer
        }
        var answer = query.answer(.noError)
        answer.questions[0].name = alias.name
        answer.answers = [alias]
        answer.offersRecursion = true
        if let raw = await forwarder.ask(query.bytes(), isStream: isStream), let found = try? DNSMessage(bytes: raw), found.code == .noError {
            answer.answers += found.answers
            answer.isTruncated = found.isTruncated
        }
        return answer.bytes(limit: Self.room(for: query, limit))
    }

    static func room(for query: DNSMessage, _ limit: Int) -> Int {
        // Over TCP nobody's wish for small datagrams counts.
        if limit > Int(DNSLimits.datagram) { return limit }
        return min(limit, max(DNSLimits.classic, Int(query.extension?.size ?? 0)))
    }
}

/// Sizes, conversions and the tests of strings (cel-spec, "List of Standard Definitions").
enum CELStandard {
    static let all: [CELOverload] = sizes + conversions + strings

    private static let sizes: [CELOverload] = [CELType.string, .bytes, .list(CELLibrary.a), .map(CELLibrary.a, CELLibrary.b)].flatMap { type in
        [false, true].map { isMember in
            CELOverload("size", member: isMember, [type], .int) { (machine, values) throws(CELError) in
                switch values[0] {
                case .string(let text):
                    try machine.charge(size: text.utf8.count)
                    return .int(Int64(text.unicodeScalars.count))
                case .bytes(let bytes): return .int(Int64(bytes.count))
                case .list(let list): return .int(Int64(list.count))
                case .map(let map): return .int(Int64(map.count))
                default: throw .noOverload
                }
            }
        }
    }

    private static func convert(_ name: String, _ types: [CELType], _ result: CELType, _ run: @escaping @Sendable (CELValue) throws(CELError) -> CELValue) -> [CELOverload] {
        types.map { type in
            CELOverload(name, [type], result) { (machine, values) throws(CELError) in
                if case .string(let text) = values[0] { try machine.charge(size: text.utf8.count) }
                if case .bytes(let bytes) = values[0] { try machine.charge(size: bytes.count) }
                return try run(values[0])
            }
        }
    }

    private static let conversions: [CELOverload] =
        convert("int", [.int, .uint, .double, .string, .timestamp, .duration], .int, CELConversion.int)
        + convert("uint", [.int, .uint, .double, .string], .uint, CELConversion.uint)
        + convert("double", [.int, .uint, .double, .string], .double, CELConversion.double)
        + convert("string", [.bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration], .string, CELConversion.string)
        + convert("string", [.opaque("net.IP"), .opaque("net.CIDR")], .string) { value in .string(CELText.plain(value)) }
        + convert("bytes", [.bytes, .string], .bytes) { (value) throws(CELError) in
            if case .string(let text) = value { return .bytes(Array(text.utf8)) }
            return value
        }
        + convert("bool", [.bool, .string], .bool) { (value) throws(CELError) in
            guard case .string(let text) = value else { return value }
            if ["1", "t", "T", "TRUE", "true", "True"].contains(text) { return .bool(true) }
            if ["0", "f", "F", "FALSE", "false", "False"].contains(text) { return .bool(false) }
            throw CELError("strconv.ParseBool: parsing \(JSON.quoted(text)): invalid syntax")
        }
        + convert("timestamp", [.timestamp, .string, .int], .timestamp) { (value) throws(CELError) in try CELTime.timestamp(value) }
        + convert("duration", [.duration, .string, .int], .duration) { (value) throws(CELError) in try CELTime.duration(value) }
        + [
            CELOverload("dyn", [CELLibrary.a], .dyn) { (_, values) throws(CELError) in values[0] },
            CELOverload("type", [CELLibrary.a], .type) { (_, values) throws(CELError) in .type(values[0].typeName) },
        ]

    private static func test(_ name: String, _ run: @escaping @Sendable ([UInt8], [UInt8]) -> Bool) -> CELOverload {
        CELOverload(name, member: true, [.string, .string], .bool) { (machine, values) throws(CELError) in
            guard case .string(let text) = values[0], case .string(let part) = values[1] else { throw .noOverload }
            try machine.charge(size: text.utf8.count + part.utf8.count)
            return .bool(run(Array(text.utf8), Array(part.utf8)))
        }
    }

    private static let strings: [CELOverload] = [
        test("contains") { text, part in CELSearch.first(of: part, in: text, from: 0) != nil },
        test("startsWith") { text, part in text.starts(with: part) },
        test("endsWith") { text, part in text.count >= part.count && text[(text.count - part.count)...].elementsEqual(part) },
    ]
}

/// Conversions between numbers and text, with Go's words where they fail.
enum CELConversion {
    static func int(_ value: CELValue) throws(CELError) -> CELValue {
        switch value {
        case .int: return value
        case .uint(let number):
            guard let whole = Int64(exactly: number) else { throw .integerOverflow }
            return .int(whole)
        case .double(let number):
            // Like cel-go, which leaves the very ends of the range out: they are no exact doubles.
            guard number > -0x1p63, number < 0x1p63 else { throw .integerOverflow }
            return .int(Int64(number))
        case .string(let text):
            guard let number = Int64(text) else { throw CELError("strconv.ParseInt: parsing \(JSON.quoted(text)): invalid syntax") }
            return .int(number)
        case .timestamp(let time): return .int(time.seconds)
        case .duration(let nanoseconds): return .int(nanoseconds)
        default: throw .noOverload
        }
    }

    static func uint(_ value: CELValue) throws(CELError) -> CELValue {
        switch value {
        case .uint: return value
        case .int(let number):
            guard let whole = UInt64(exactly: number) else { throw .unsignedOverflow }
            return .uint(whole)
        case .double(let number):
            guard number >= 0, number < 0x1p64 else { throw .unsignedOverflow }
            return .uint(UInt64(number))
        case .string(let text):
            guard !text.hasPrefix("+"), let number = UInt64(text) else {
                throw CELError("strconv.ParseUint: parsing \(JSON.quoted(text)): invalid syntax")
            }
            return .uint(number)
        default: throw .noOverload
        }
    }

    static func double(_ value: CELValue) throws(CELError) -> CELValue {
        switch value {
        case .double: return value
        case .int(let number): return .double(Double(number))
        case .uint(let number): return .double(Double(number))
        case .string(let text):
            guard let number = Double(text) else { throw CELError("strconv.ParseFloat: parsing \(JSON.quoted(text)): invalid syntax") }
            return .double(number)
        default: throw .noOverload
        }
    }

    static func string(_ value: CELValue) throws(CELError) -> CELValue {
        guard case .bytes(let bytes) = value else { return .string(CELText.plain(value)) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw CELError("invalid UTF-8 in bytes, cannot convert to string") }
        return .string(text)
    }
}

/// Searching in text without a worst case that grows with both lengths (D. Knuth, J. Morris, V. Pratt).
enum CELSearch {
    /// The first place at or behind `start`; an empty part is found at once.
    static func first<Element: Equatable>(of part: [Element], in whole: [Element], from start: Int) -> Int? {
        all(of: part, in: whole, from: start, limit: 1).first
    }

    /// The places that do not overlap, from left to right; `part` is not empty, or only the first place is given.
    static func all<Element: Equatable>(of part: [Element], in whole: [Element], from start: Int = 0, limit: Int = .max) -> [Int] {
        guard start >= 0, start <= whole.count, limit > 0 else { return [] }
        if part.isEmpty { return [start] }
        var fallback = [Int](repeating: 0, count: part.count)
        var length = 0
        for index in part.indices.dropFirst() {
            while length > 0, part[index] != part[length] { length = fallback[length - 1] }
            if part[index] == part[length] { length += 1 }
            fallback[index] = length
        }
        var found: [Int] = []
        var matched = 0
        for index in start..<whole.count {
            while matched > 0, whole[index] != part[matched] { matched = fallback[matched - 1] }
            if whole[index] == part[matched] { matched += 1 }
            guard matched == part.count else { continue }
            found.append(index + 1 - part.count)
            if found.count == limit { break }
            matched = 0
        }
        return found
    }

    /// The last place at or before `end`.
    static func last<Element: Equatable>(of part: [Element], in whole: [Element], upTo end: Int) -> Int? {
        let last = min(end, whole.count - part.count)
        guard last >= 0 else { return nil }
        let head = whole[..<(last + part.count)]
        return first(of: Array(part.reversed()), in: Array(head.reversed()), from: 0).map { head.count - part.count - $0 }
    }
}

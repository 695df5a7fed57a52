/// Strings (cel-go's ext.Strings): positions count Unicode code points.
enum CELStringLibrary {
    private static func scalars(_ value: CELValue, _ machine: inout CELMachine) throws(CELError) -> [Unicode.Scalar] {
        guard case .string(let text) = value else { throw .noOverload }
        try machine.charge(size: text.utf8.count)
        return Array(text.unicodeScalars)
    }

    private static func text(_ scalars: some Sequence<Unicode.Scalar>) -> CELValue {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return .string(String(view))
    }

    private static func position(_ value: CELValue, upTo limit: Int) throws(CELError) -> Int {
        guard case .int(let number) = value else { throw .noOverload }
        guard number >= 0, number <= limit else { throw CELError("index out of range: \(number)") }
        return Int(number)
    }

    private static func member(_ name: String, _ more: [CELType], _ result: CELType, _ run: @escaping CELOverload.Run) -> CELOverload {
        CELOverload(name, member: true, [.string] + more, result, run)
    }

    static let all: [CELOverload] = parts + cases + searches + pieces + [
        member("format", [.list(.dyn)], .string) { (machine, values) throws(CELError) in
            guard case .string(let format) = values[0], case .list(let list) = values[1] else { throw .noOverload }
            return .string(try CELFormatter.format(format, list.all(), &machine))
        },
        CELOverload("strings.quote", [.string], .string) { (machine, values) throws(CELError) in
            guard case .string(let text) = values[0] else { throw .noOverload }
            try machine.charge(size: text.utf8.count)
            return .string(JSON.quoted(text))
        },
    ]

    private static let parts: [CELOverload] = [
        member("charAt", [.int], .string) { (machine, values) throws(CELError) in
            let text = try scalars(values[0], &machine)
            let index = try position(values[1], upTo: text.count)
            return Self.text(text[index..<min(index + 1, text.count)])
        },
        member("substring", [.int], .string) { (machine, values) throws(CELError) in
            let text = try scalars(values[0], &machine)
            return Self.text(text[(try position(values[1], upTo: text.count))...])
        },
        member("substring", [.int, .int], .string) { (machine, values) throws(CELError) in
            let text = try scalars(values[0], &machine)
            let start = try position(values[1], upTo: text.count)
            let end = try position(values[2], upTo: text.count)
            guard start <= end else { throw CELError("invalid substring range. start: \(start), end: \(end)") }
            return Self.text(text[start..<end])
        },
        member("reverse", [], .string) { (machine, values) throws(CELError) in Self.text(try scalars(values[0], &machine).reversed()) },
        member("trim", [], .string) { (machine, values) throws(CELError) in
            let text = try scalars(values[0], &machine)
            let isSpace = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
            let tail = text.drop(while: isSpace)
            return Self.text(tail.prefix((tail.lastIndex { !isSpace($0) }).map { $0 - tail.startIndex + 1 } ?? 0))
        },
    ]

    private static let cases: [CELOverload] = [("lowerAscii", UInt32(0x41)...0x5A, Int64(32)), ("upperAscii", 0x61...0x7A, -32)].map { name, letters, shift in
        member(name, [], .string) { (machine, values) throws(CELError) in
            Self.text(try scalars(values[0], &machine).map { scalar in
                letters.contains(scalar.value) ? Unicode.Scalar(UInt8(Int64(scalar.value) + shift)) : scalar
            })
        }
    }

    private static let indexOf: CELOverload.Run = { (machine, values) throws(CELError) in
        let whole = try scalars(values[0], &machine)
        let part = try scalars(values[1], &machine)
        let start = values.count == 3 ? try position(values[2], upTo: whole.count) : 0
        return .int(Int64(CELSearch.first(of: part, in: whole, from: start) ?? -1))
    }

    private static let lastIndexOf: CELOverload.Run = { (machine, values) throws(CELError) in
        let whole = try scalars(values[0], &machine)
        let part = try scalars(values[1], &machine)
        let end = values.count == 3 ? try position(values[2], upTo: whole.count) : whole.count
        return .int(Int64(CELSearch.last(of: part, in: whole, upTo: end) ?? -1))
    }

    private static let searches: [CELOverload] = [
        member("indexOf", [.string], .int, indexOf), member("indexOf", [.string, .int], .int, indexOf),
        member("lastIndexOf", [.string], .int, lastIndexOf), member("lastIndexOf", [.string, .int], .int, lastIndexOf),
    ]

    private static let replace: CELOverload.Run = { (machine, values) throws(CELError) in
        let whole = try scalars(values[0], &machine)
        let old = try scalars(values[1], &machine)
        let new = try scalars(values[2], &machine)
        let limit = values.count == 4 ? try count(values[3]) : .max
        // An empty text is found before each character and at the end, as Go has it.
        let places = old.isEmpty ? Array((0...whole.count).prefix(limit)) : CELSearch.all(of: old, in: whole, limit: limit)
        let (grown, overflow) = places.count.multipliedReportingOverflow(by: new.count)
        try machine.charge(size: overflow ? .max - 9 : grown)
        var result: [Unicode.Scalar] = []
        var position = 0
        for place in places {
            result += whole[position..<place]
            result += new
            position = place + old.count
        }
        return Self.text(result + whole[position...])
    }

    /// How many at most; a negative number means all.
    private static func count(_ value: CELValue) throws(CELError) -> Int {
        guard case .int(let number) = value else { throw .noOverload }
        return number < 0 ? .max : Int(number)
    }

    private static let split: CELOverload.Run = { (machine, values) throws(CELError) in
        let whole = try scalars(values[0], &machine)
        let separator = try scalars(values[1], &machine)
        let limit = values.count == 3 ? try count(values[2]) : .max
        try machine.charge(size: whole.count)
        if limit == 0 { return .list(.values([])) }
        let places: [Int] =
            separator.isEmpty ? Array((0..<whole.count).dropFirst().prefix(limit - 1)) : CELSearch.all(of: separator, in: whole, limit: limit - 1)
        if separator.isEmpty, whole.isEmpty { return .list(.values([])) }
        var pieces: [CELValue] = []
        var position = 0
        for place in places {
            pieces.append(Self.text(whole[position..<place]))
            position = place + separator.count
        }
        return .list(.values(pieces + [Self.text(whole[position...])]))
    }

    private static let join: CELOverload.Run = { (machine, values) throws(CELError) in
        guard case .list(let list) = values[0] else { throw .noOverload }
        var separator = ""
        if values.count == 2, case .string(let given) = values[1] { separator = given }
        var result = ""
        for (index, value) in try list.all().enumerated() {
            guard case .string(let text) = value else { throw .noOverload }
            try machine.charge(size: text.utf8.count + separator.utf8.count)
            result += (index > 0 ? separator : "") + text
        }
        return .string(result)
    }

    private static let pieces: [CELOverload] = [
        member("replace", [.string, .string], .string, replace), member("replace", [.string, .string, .int], .string, replace),
        member("split", [.string], .list(.string), split), member("split", [.string, .int], .list(.string), split),
        CELOverload("join", member: true, [.list(.string)], .string, join), CELOverload("join", member: true, [.list(.string), .string], .string, join),
    ]
}

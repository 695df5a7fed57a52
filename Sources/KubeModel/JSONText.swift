/// Looks into compact JSON without reading it as a whole: what a server copies it need not parse.
public enum JSONText {
    /// Where the value of a member of an object, or of a member of a member, is in its text.
    /// - Parameter bytes: an object in the form that `JSON.encoded` writes: valid, without white space.
    /// - Returns: `nil` where there is no such member.
    public static func member(_ path: StaticString..., of bytes: [UInt8]) -> Range<Int>? {
        bytes.withUnsafeBufferPointer { bytes in
            var range = 0..<bytes.count
            for name in path {
                guard let found = member(name, in: range, bytes) else { return nil }
                range = found
            }
            return range
        }
    }

    private static func member(_ name: StaticString, in range: Range<Int>, _ bytes: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        guard !range.isEmpty, bytes[range.lowerBound] == UInt8(ascii: "{") else { return nil }
        var position = range.lowerBound + 1
        while position < range.upperBound, bytes[position] == UInt8(ascii: "\"") {
            let key = position + 1
            let keyEnd = end(ofString: position, bytes)
            let start = keyEnd + 1
            let end = end(ofValue: start, bytes)
            if keyEnd - 1 - key == name.utf8CodeUnitCount, (0..<name.utf8CodeUnitCount).allSatisfy({ bytes[key + $0] == name.utf8Start[$0] }) {
                return start..<max(start, end)
            }
            position = end + 1
        }
        return nil
    }

    /// The position behind a string that begins at a quote.
    private static func end(ofString start: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var position = start + 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") { position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1 }
        return min(position + 1, bytes.count)
    }

    private static func end(ofValue start: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var position = start
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position = end(ofString: position, bytes)
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return position }
                depth -= 1
            case UInt8(ascii: ","): if depth == 0 { return position }
            default: break
            }
            position += 1
        }
        return bytes.count
    }
}

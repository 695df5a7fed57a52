/// Base64 with the standard alphabet and padding (RFC 4648), as Secrets carry their data.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
    private static let pad = UInt8(ascii: "=")

    public static func encode(_ data: some Collection<UInt8>) -> String {
        var output: [UInt8] = []
        output.reserveCapacity((data.count + 2) / 3 * 4)
        var group: UInt32 = 0
        var count = 0
        for byte in data {
            group = group << 8 | UInt32(byte)
            count += 1
            if count == 3 {
                for shift in [18, 12, 6, 0] as [UInt32] { output.append(alphabet[Int(group >> shift & 63)]) }
                group = 0
                count = 0
            }
        }
        if count == 1 {
            output += [alphabet[Int(group >> 2)], alphabet[Int(group << 4 & 63)], pad, pad]
        } else if count == 2 {
            output += [alphabet[Int(group >> 10)], alphabet[Int(group >> 4 & 63)], alphabet[Int(group << 2 & 63)], pad]
        }
        return String(decoding: output, as: UTF8.self)
    }

    public static func encode(_ text: String) -> String { encode(Array(text.utf8)) }

    /// The bytes; `nil` where the text is not Base64. Line breaks are skipped, as Go does.
    public static func decode(_ text: String) -> [UInt8]? {
        var output: [UInt8] = []
        return scan(text, into: &output) == nil ? output : nil
    }

    /// The offset of the first byte that is wrong, as Go reports it; `nil` where the text is Base64.
    public static func firstError(in text: String) -> Int? {
        var output: [UInt8] = []
        return scan(text, into: &output)
    }

    private static func scan(_ text: String, into output: inout [UInt8]) -> Int? {
        output.reserveCapacity(text.utf8.count / 4 * 3)
        var group: UInt32 = 0
        var count = 0
        var pads = 0
        var offset = 0
        for byte in text.utf8 {
            defer { offset += 1 }
            if byte == 0x0A || byte == 0x0D { continue }
            if byte == pad {
                guard count + pads < 4, count >= 2 else { return offset }
                pads += 1
                continue
            }
            let value = values[Int(byte)]
            guard value != 255, pads == 0 else { return offset }
            group = group << 6 | UInt32(value)
            count += 1
            guard count == 4 else { continue }
            output += [UInt8(group >> 16 & 255), UInt8(group >> 8 & 255), UInt8(group & 255)]
            group = 0
            count = 0
        }
        guard count == 0 || count + pads == 4 else { return offset }
        if count == 2 { output.append(UInt8(group >> 4 & 255)) }
        if count == 3 { output += [UInt8(group >> 10 & 255), UInt8(group >> 2 & 255)] }
        return nil
    }
}

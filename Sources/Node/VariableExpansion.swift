/// `$(NAME)` in commands, arguments and values of variables (upstream: third_party/forked/golang/expansion).
enum VariableExpansion {
    /// Replaces `$(NAME)` by the value of a known name and leaves an unknown one as it is; `$$` is a single `$`.
    static func expand(_ input: String, _ value: (String) -> String?) -> String {
        guard input.utf8.contains(UInt8(ascii: "$")) else { return input }
        let bytes = Array(input.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "$"), index + 1 < bytes.count else {
                output.append(bytes[index])
                index += 1
                continue
            }
            switch bytes[index + 1] {
            case UInt8(ascii: "$"):
                output.append(UInt8(ascii: "$"))
                index += 2
            case UInt8(ascii: "("):
                guard let close = bytes[(index + 2)...].firstIndex(of: UInt8(ascii: ")")) else {
                    output += [UInt8(ascii: "$"), UInt8(ascii: "(")]
                    index += 2
                    continue
                }
                let name = String(decoding: bytes[(index + 2)..<close], as: UTF8.self)
                if let text = value(name) { output += text.utf8 } else { output += bytes[index...close] }
                index = close + 1
            default:
                output += bytes[index...(index + 1)]
                index += 2
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}

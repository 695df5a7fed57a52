/// `$(NAME)` in commands, arguments and environment values, as kubelet expands it (third_party/forked/golang/expansion):
/// `$$` stands for one `$` and so escapes a reference; a name that is not known stays as written.
public enum Variables {
    public static func expand(_ text: String, _ lookup: (String) -> String?) -> String {
        let bytes = Array(text.utf8)
        let dollar = UInt8(ascii: "$")
        guard bytes.contains(dollar) else { return text }
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            guard bytes[position] == dollar, position + 1 < bytes.count else {
                result.append(bytes[position])
                position += 1
                continue
            }
            switch bytes[position + 1] {
            case dollar:
                result.append(dollar)
                position += 2
            case UInt8(ascii: "("):
                guard let end = bytes[(position + 2)...].firstIndex(of: UInt8(ascii: ")")) else {
                    result += [dollar, UInt8(ascii: "(")]
                    position += 2
                    continue
                }
                let name = String(decoding: bytes[position + 2..<end], as: UTF8.self)
                result += lookup(name).map { Array($0.utf8) } ?? Array(bytes[position...end])
                position = end + 1
            default:
                result += [dollar, bytes[position + 1]]
                position += 2
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    public static func expand(_ text: String, _ variables: [String: String]) -> String { expand(text) { variables[$0] } }
}

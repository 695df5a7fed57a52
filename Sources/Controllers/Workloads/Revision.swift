import KubeModel

/// The name of one form of a pod template: `controller-revision-hash`. The same template always has the same hash, in
/// whatever order its members are written.
enum Revision {
    private static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789".utf8)

    static func name(of set: String, template: JSON) -> String { "\(set)-\(hash(template))" }

    /// Ten characters that are no words, as upstream's SafeEncodeString makes them.
    /// - Parameter collision: how often a name made so was taken by something else.
    static func hash(_ template: JSON, collision: Int? = nil) -> String {
        var hasher = FNV()
        hasher.add(template)
        if let collision { hasher.add(text: "\(collision)") }
        var text: [UInt8] = []
        var rest = hasher.state
        for _ in 0..<10 {
            text.append(alphabet[Int(rest % UInt64(alphabet.count))])
            rest /= UInt64(alphabet.count)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// FNV-1a, 64 bits. Swift's own Hasher differs from run to run.
    private struct FNV {
        var state: UInt64 = 0xcbf2_9ce4_8422_2325

        mutating func add(byte: UInt8) { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        mutating func add(text: String) {
            for byte in text.utf8 { add(byte: byte) }
            add(byte: 0)
        }

        mutating func add(_ value: JSON) {
            switch value {
            case .object(let members):
                add(byte: 1)
                for (key, value) in members.sorted(by: { $0.key < $1.key }) {
                    add(text: key)
                    add(value)
                }
                add(byte: 2)
            case .array(let elements):
                add(byte: 3)
                for element in elements { add(element) }
                add(byte: 4)
            default:
                add(byte: 5)
                add(text: value.text)
            }
        }
    }
}

public import KubeModel

/// Gives Services addresses of their own. An address follows from namespace and name, so a Service that is deleted and
/// made again usually has the same; where it is taken the next free one serves.
public struct ServiceAddresses: Sendable {
    /// The first address of the range and how many there are; the first sixteen are kept for the lab itself.
    private let base: UInt32
    private let size: UInt32
    private static let reserved: UInt32 = 16

    /// 10.96.0.0/16, inside what kubeadm gives to Services.
    public static let standard = ServiceAddresses(base: 10 << 24 | 96 << 16, prefix: 16)

    /// - Parameter prefix: the length of the network's prefix, 8 to 26.
    public init(base: UInt32, prefix: Int) {
        let length = UInt32(min(26, max(8, prefix)))
        size = 1 << (32 - length)
        self.base = base & ~(size - 1)
    }

    /// A free address for a Service; `nil` when all are taken.
    public func address(namespace: String, name: String, taken: Set<String>) -> String? {
        var hash: UInt32 = 2_166_136_261
        for byte in "\(namespace)/\(name)".utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        // The last address of the range is its broadcast address.
        let usable = size - Self.reserved - 1
        let start = hash % usable
        for step in 0..<usable {
            let text = Self.text(base + Self.reserved + (start + step) % usable)
            if !taken.contains(text) { return text }
        }
        return nil
    }

    private static func text(_ bits: UInt32) -> String { "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)" }

    /// Whether a Service should have an address and has none yet.
    public static func isWanted(_ service: JSON) -> Bool {
        let type = service["spec"]["type"].stringValue ?? "ClusterIP"
        return type != "ExternalName" && (service["spec"]["clusterIP"].stringValue ?? "").isEmpty
    }
}

import Glibc
public import KubeModel
import Synchronization

/// The time zones of this machine's database (/usr/share/zoneinfo), each read once.
public enum TimeZones {
    private static let known = Mutex<[String: TimeZoneRules]>([:])
    private static let directories = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo"]

    /// - Parameter name: e.g. `Europe/Berlin`, `Etc/UTC`.
    /// - Returns: `nil` for a name that is none; `Local` and absolute paths are none (upstream: ValidateTimeZone).
    public static func named(_ name: String) -> TimeZoneRules? {
        if name == "UTC" || name == "Etc/UTC" { return .utc }
        let segments = name.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF) || "/_-+".utf8.contains($0) }
        guard isPlain, name.utf8.count < 80, !segments.contains(""), name.lowercased() != "local" else { return nil }
        if let rules = known.withLock({ $0[name] }) { return rules }
        for directory in directories {
            guard let bytes = read("\(directory)/\(name)"), let rules = TimeZoneRules(tzif: bytes) else { continue }
            known.withLock { $0[name] = rules }
            return rules
        }
        return nil
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        // The largest zone has some 4 kB; a file without end is no zone.
        while bytes.count < 1 << 20 {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
        return nil
    }
}

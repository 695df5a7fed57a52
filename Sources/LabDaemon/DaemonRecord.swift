import Glibc
public import KubeModel

/// What a running labd says of itself in `labd.json` of the runtime directory.
public struct DaemonRecord: Sendable {
    public let pid: Int32
    /// The loopback port of the API.
    public let port: Int
    public let version: String
    /// RFC 3339.
    public let started: String

    public init(pid: Int32, port: Int, version: String, started: String) {
        self.pid = pid
        self.port = port
        self.version = version
        self.started = started
    }

    public init?(json: JSON) {
        guard let pid = json["pid"].intValue, let port = json["port"].intValue else { return nil }
        self.init(
            pid: Int32(truncatingIfNeeded: pid), port: port, version: json["version"].stringValue ?? "", started: json["started"].stringValue ?? "")
    }

    /// Reads the record; `nil` where there is none or it is no record.
    public init?(path: String) {
        guard let text = try? Files.readIfPresent(path), let json = try? JSONParser.parse(text) else { return nil }
        self.init(json: json)
    }

    public var json: JSON {
        ["pid": JSON(Int(pid)), "port": JSON(port), "version": .string(version), "started": .string(started)]
    }
}

import KubeModel

/// What `/version` tells (upstream: apimachinery/pkg/version.Info).
public struct VersionInfo: Sendable {
    /// The Kubernetes version whose behaviour the server follows, and Kindling's own, e.g. `v1.32.0+kindling.0.1.0`.
    public var gitVersion: String
    public var gitCommit: String
    /// RFC 3339.
    public var buildDate: String
    /// e.g. `linux/amd64`.
    public var platform: String

    public init(gitVersion: String, gitCommit: String = "", buildDate: String = "1970-01-01T00:00:00Z", platform: String = Self.hostPlatform) {
        self.gitVersion = gitVersion
        self.gitCommit = gitCommit
        self.buildDate = buildDate
        self.platform = platform
    }

    public static var hostPlatform: String {
        #if arch(arm64)
            "linux/arm64"
        #else
            "linux/amd64"
        #endif
    }

    var json: JSON {
        [
            "major": "1", "minor": "32", "gitVersion": .string(gitVersion), "gitCommit": .string(gitCommit), "gitTreeState": "clean",
            "buildDate": .string(buildDate), "goVersion": "none (Swift)", "compiler": "swiftc", "platform": .string(platform),
        ]
    }
}

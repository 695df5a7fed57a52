import FoundationEssentials
import Glibc
import LabDaemon

/// Which lab the command is about, and the process's surroundings.
struct LabContext: Sendable {
    @TaskLocal static var current = LabContext(state: nil)

    let paths: LabPaths
    let environment: [String: String]
    let isRoot: Bool
    let currentDirectory: String
    /// What the user has to write in front of a command to speak of the same lab: `lab` or `lab --state DIR`.
    let command: String

    init(state: String?) {
        Self.settleHome()
        Self.settlePath()
        environment = ProcessInfo.processInfo.environment
        isRoot = geteuid() == 0
        currentDirectory = FileManager.default.currentDirectoryPath
        let expanded = state.map { [environment] text in
            text.hasPrefix("~/") ? (environment["HOME"] ?? "") + text.dropFirst() : text
        }
        paths = LabPaths(state: expanded, environment: environment, isRoot: isRoot, currentDirectory: currentDirectory)
        command = expanded == nil ? "lab" : "lab --state \(Shell.word(paths.state))"
    }

    /// Without a usable HOME, as in a service or under cron, the home is that of the user's account; labd inherits it.
    private static func settleHome() {
        if let home = getenv("HOME"), home.pointee == UInt8(ascii: "/") { return }
        guard let account = getpwuid(geteuid()), let home = account.pointee.pw_dir, home.pointee == UInt8(ascii: "/") else { return }
        setenv("HOME", home, 1)
    }

    /// nft, ip and newuidmap lie where administrators' programs are, which Debian leaves out of a user's PATH.
    private static func settlePath() {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        let parts = path.split(separator: ":")
        let missing = ["/usr/sbin", "/sbin"].filter { !parts.contains($0[...]) }
        if !missing.isEmpty { setenv("PATH", ([path] + missing).joined(separator: ":"), 1) }
    }

    /// The log that the helper keeps of labd's output.
    var daemonLog: String { paths.state + "/log/labd.log" }
}

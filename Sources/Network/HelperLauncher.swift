import FoundationEssentials

/// Starts the helper, which makes or takes over labd's namespaces and starts labd in them.
public struct HelperLauncher: Sendable {
    /// Path of lab-shim.
    public var shim: String
    public var stateDirectory: String
    public var runtimeDirectory: String
    /// Path of labd, and what it is called with.
    public var daemon: String
    public var daemonArguments: [String]
    /// Processes whose namespaces may be taken over, besides those that an earlier helper wrote down.
    public var adopt: [Int32]
    public var foreground: Bool

    public init(
        shim: String, stateDirectory: String, runtimeDirectory: String, daemon: String, daemonArguments: [String],
        adopt: [Int32] = [], foreground: Bool = false
    ) {
        self.shim = shim
        self.stateDirectory = stateDirectory
        self.runtimeDirectory = runtimeDirectory
        self.daemon = daemon
        self.daemonArguments = daemonArguments
        self.adopt = adopt
        self.foreground = foreground
    }

    /// The whole command line; `lab up --foreground` replaces itself by it.
    public var commandLine: [String] {
        [shim, "helper", "--state", stateDirectory, "--runtime", runtimeDirectory]
            + adopt.flatMap { ["--adopt", String($0)] } + (foreground ? ["--foreground"] : [])
            + ["--labd", daemon] + daemonArguments
    }

    /// Starts the helper in the background and waits until it answers requests and labd has been executed.
    /// - Throws: `alreadyRunning` if one serves this lab (then ask it to `startDaemon`); `notPermitted` with the remedy if
    ///   the kernel refuses a user namespace; `system` if labd cannot be executed.
    public func launch() async throws(NetworkError) -> HelperReport {
        var command = self
        command.foreground = false
        let line = command.commandLine
        let outcome = try await Command(path: line[0], arguments: Array(line.dropFirst())).run()
        let message = outcome.errors.trimmingCharacters
        switch outcome.status {
        case 0: return try HelperClient.decode(outcome.output, as: HelperReport.self)
        case 3: throw NetworkError(.alreadyRunning, message)
        case 4: throw NetworkError(.notPermitted, message)
        default: throw NetworkError(.system, message.isEmpty ? "the helper ended with status \(outcome.status)" : message)
        }
    }
}

extension String {
    fileprivate var trimmingCharacters: String {
        let scalars = self.drop { $0.isWhitespace }
        return String(scalars.reversed().drop { $0.isWhitespace }.reversed())
    }
}

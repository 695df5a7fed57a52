import Catalogue
import Glibc
import Logging

/// The entry of the program under its name `labd`.
public enum DaemonCommand {
    /// Runs the daemon; its log goes to standard error, which the helper leads to `labd.log`.
    /// - Returns: the exit status: 0 after SIGTERM, 1 with one line of why.
    public static func run(_ arguments: [String]) async -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = getenv("KINDLING_DEBUG") == nil ? .info : .debug
            return handler
        }
        do {
            if arguments.first == SandboxMeasurement.command {
                try await SandboxMeasurement.run(Array(arguments.dropFirst()))
                return 0
            }
            let options = try DaemonOptions(arguments: arguments)
            try await Daemon(options: options, logger: Logger(label: "labd")).run()
            return 0
        } catch {
            let full = (try? DaemonOptions(arguments: arguments)).flatMap { DiskSpace.problem($0.paths.state) }
            let line = "labd: error: \(full.map { "\($0) (\(error))" } ?? "\(error)")\n"
            line.withCString { _ = write(STDERR_FILENO, $0, strlen($0)) }
            return 1
        }
    }
}

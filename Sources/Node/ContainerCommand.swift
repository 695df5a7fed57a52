import Sandbox

/// What came of a command that a probe or a hook ran inside a container.
struct CommandResult: Sendable, Equatable {
    var exitCode: Int
    /// Both streams in the order of their writes, as much as kubelet keeps of a probe's output.
    var output: String
}

/// A command could not be run, or took too long and was ended.
struct CommandFailure: Error, CustomStringConvertible, Equatable {
    let description: String
    var isTimeout = false
}

extension RunningContainer {
    /// Runs a command inside to its end, as probes and hooks do.
    /// - Parameter timeout: `nil` waits until the task is cancelled.
    func command(_ arguments: [String], timeout: Duration?) async throws(CommandFailure) -> CommandResult {
        let result: ExecResult
        do {
            result = try await run(arguments, timeout: timeout, outputLimit: 10 << 10)
        } catch {
            throw CommandFailure(description: "\(error)")
        }
        if result.hasTimedOut {
            let words = arguments.joined(separator: " ")
            throw CommandFailure(description: "\"\(words)\" timed out after \(Deadline(timeout).text)", isTimeout: true)
        }
        // The program's last new line is no part of what it says (upstream's events are trimmed so).
        var output = String(decoding: result.output, as: UTF8.self)
        while output.last?.isNewline == true { output.removeLast() }
        return CommandResult(exitCode: Int(result.exitCode), output: output)
    }
}

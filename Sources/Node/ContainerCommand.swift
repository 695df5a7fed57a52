/// What came of a command that was run inside a container beside its program.
struct CommandResult: Sendable, Equatable {
    var exitCode: Int
    /// Both streams in the order of their writes; at most `CommandResult.outputLimit` bytes of each command are kept.
    var output: String

    /// As kubelet keeps of a probe's output.
    static let outputLimit = 10 * 1024
}

/// A command could not be run, or took too long and was ended.
struct CommandFailure: Error, CustomStringConvertible, Equatable {
    let description: String
    var isTimeout = false
}

extension RunningContainer {
    func command(_ arguments: [String], timeout: Duration?) async throws(CommandFailure) -> CommandResult {
        throw CommandFailure(description: "commands cannot be run in this container")
    }
}

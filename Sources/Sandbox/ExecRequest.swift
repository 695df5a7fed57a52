/// What to run in a container that runs already: with the container's own user, rights, limits, variables and working directory.
public struct ExecRequest: Sendable {
    /// Program and arguments. A program without a slash is looked up in the container's `PATH`.
    public var arguments: [String]
    /// `NAME=VALUE` strings beside the container's own.
    public var environment: [String]
    /// A terminal in place of pipes: input and output are its, there is no error stream. `TERM=xterm` is set, as container
    /// runtimes do.
    public var usesTerminal: Bool
    /// Whether anything can be written to its input; else that is `/dev/null`. Always so with a terminal.
    public var takesInput: Bool
    /// One pipe for output and errors, in the order of their writes; both are read as output.
    public var mergesStreams: Bool

    public init(_ arguments: [String], takesInput: Bool = false, usesTerminal: Bool = false, mergesStreams: Bool = false) {
        self.arguments = arguments
        environment = usesTerminal ? ["TERM=xterm"] : []
        self.usesTerminal = usesTerminal
        self.takesInput = takesInput
        self.mergesStreams = mergesStreams
    }
}

/// How a program run in a container ended.
public struct ExecExit: Sendable, Equatable {
    /// Its exit status, or 128 + `signal`.
    public var exitCode: Int32
    /// The signal that ended it, else 0.
    public var signal: Int32

    public init(exitCode: Int32, signal: Int32 = 0) {
        self.exitCode = exitCode
        self.signal = signal
    }
}

/// What a short command in a container gave.
public struct ExecResult: Sendable, Equatable {
    public var exitCode: Int32
    /// Its output and errors in the order of their writes, at most as much as was asked for.
    public var output: [UInt8]
    /// There was more output than that.
    public var isTruncated: Bool
    /// It was killed as it took too long.
    public var hasTimedOut: Bool

    public init(exitCode: Int32, output: [UInt8] = [], isTruncated: Bool = false, hasTimedOut: Bool = false) {
        self.exitCode = exitCode
        self.output = output
        self.isTruncated = isTruncated
        self.hasTimedOut = hasTimedOut
    }
}

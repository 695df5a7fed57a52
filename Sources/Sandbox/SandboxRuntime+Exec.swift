import CSandbox
import Glibc

extension SandboxRuntime {
    /// Runs another program in a container and returns once it has been exec'd. Also in one that an earlier daemon has started.
    ///
    /// ```swift
    /// let process = try await runtime.exec(ExecRequest(["cat"], takesInput: true), in: sandbox)
    /// try await process.write(Array("hello\n".utf8))
    /// process.closeInput()
    /// while let piece = try await process.read() { … }
    /// let exit = await process.wait()
    /// ```
    ///
    /// Throws ``SetupFailure`` when the program cannot run, ``SandboxError`` when the container has ended or the daemon is out of
    /// a resource.
    public func exec(_ request: ExecRequest, in sandbox: Sandbox) async throws -> ExecProcess {
        let bytes = try SpecEncoder.encode(request)
        let sealed = bytes.withUnsafeBytes { ksb_sealed_bytes($0.baseAddress, $0.count) }
        guard sealed >= 0 else { throw SandboxError.system(operation: "describe what to run", errno: -sealed) }
        let description = OwnedDescriptor(sealed)
        guard sandbox.exitRecord == nil, let container = sandbox.initProcess else { throw SandboxError.notRunning("the container has ended") }
        let spec = OwnedDescriptor(open("\(sandbox.stateDirectory)/spec", O_RDONLY | O_CLOEXEC | O_NOFOLLOW))
        guard spec.number >= 0 else {
            throw SandboxError.notRunning(
                "the container's record of how it was made cannot be read (\(systemErrorText(errno))); containers started by an older "
                    + "version have none: start it again")
        }
        let streams = try ExecStreams(request)
        let supervisor = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Supervisor, any Error>) in
            queue.async { [self] in
                continuation.resume(
                    with: Result {
                        try Supervisor.spawnExec(
                            executable: shim, container: container, spec: spec, request: description, streams: streams.theirs,
                            groups: sandbox.groups)
                    })
            }
        }
        let terminal = try await firstExecEvent(of: supervisor)
        let process = try streams.process(supervisor, watcher, terminal)
        try process.follow()
        return process
    }

    /// Runs a short command to its end.
    /// - Parameters:
    ///   - timeout: after which it is killed with all of its process group.
    ///   - outputLimit: bytes of output that are kept.
    public func run(
        _ arguments: [String], in sandbox: Sandbox, timeout: Duration? = nil, outputLimit: Int = 10 << 10
    ) async throws -> ExecResult {
        try await exec(ExecRequest(arguments, mergesStreams: true), in: sandbox).collect(limit: outputLimit, timeout: timeout)
    }

    /// Looks on at a container's own program, and types where it has an input.
    /// - Throws: ``SandboxError`` where the container has ended, or too many look on already.
    public func attach(to sandbox: Sandbox, takesInput: Bool) async throws -> AttachedProgram {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in
                continuation.resume(
                    with: Result {
                        try AttachedProgram.open(
                            stateDirectory: sandbox.stateDirectory, takesInput: takesInput, watcher)
                    })
            }
        }
    }

    /// Waits for the program to start; gives its terminal, if it has one.
    private func firstExecEvent(of supervisor: Supervisor) async throws -> OwnedDescriptor? {
        try await withCheckedThrowingContinuation { continuation in
            listen(toExec: supervisor, continuation)
        }
    }

    private func listen(toExec supervisor: Supervisor, _ continuation: CheckedContinuation<OwnedDescriptor?, any Error>) {
        do {
            try watcher.whenReadable(supervisor.control.number) { [self] in
                switch supervisor.receiveWithDescriptor() {
                case (.event(let event), let terminal) where event.type == KSB_EVENT_STARTED.rawValue:
                    continuation.resume(returning: terminal)
                case (.event(let event), _):
                    supervisor.reapWhenDone(watcher)
                    continuation.resume(throwing: event.failureReport)
                case (.nothing, _): listen(toExec: supervisor, continuation)
                case (.hungUp, _):
                    supervisor.reapWhenDone(watcher)
                    let message = "lab-shim ended before it could report; was it killed, or is memory short?"
                    continuation.resume(throwing: SetupFailure(kind: .setup, step: "enter the container", errno: 0, message: message))
                }
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// The pipes between the daemon and a program in a container.
private struct ExecStreams {
    let usesTerminal: Bool
    /// The program's ends: input, output, errors. None with a terminal.
    private(set) var theirs: [OwnedDescriptor] = []
    private var input: OwnedDescriptor?
    private var output: OwnedDescriptor?
    private var error: OwnedDescriptor?

    init(_ request: ExecRequest) throws(SandboxError) {
        usesTerminal = request.usesTerminal
        if usesTerminal { return }
        if request.takesInput {
            let pipe = try Pipe()
            input = pipe.writing
            theirs.append(pipe.reading)
        } else {
            let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard null >= 0 else { throw .system(operation: "open /dev/null", errno: errno) }
            theirs.append(OwnedDescriptor(null))
        }
        let first = try Pipe()
        output = first.reading
        theirs.append(first.writing)
        if request.mergesStreams {
            theirs.append(first.writing)
        } else {
            let second = try Pipe()
            error = second.reading
            theirs.append(second.writing)
        }
    }

    func process(_ supervisor: Supervisor, _ watcher: DescriptorWatcher, _ terminal: OwnedDescriptor?) throws(SandboxError) -> ExecProcess {
        if let terminal {
            // Reading and writing are waited for apart.
            let copy = fcntl(terminal.number, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else { throw .system(operation: "take the terminal of a program in a container", errno: errno) }
            return ExecProcess(
                supervisor: supervisor, watcher: watcher, input: OwnedDescriptor(copy), output: terminal, error: nil, usesTerminal: true)
        }
        guard let output else { throw .system(operation: "take the terminal of a program in a container", errno: EPROTO) }
        return ExecProcess(supervisor: supervisor, watcher: watcher, input: input, output: output, error: error, usesTerminal: false)
    }
}

import CSandbox
import Glibc
import Synchronization

/// A program that was started in a running container. When this object goes while the program runs, the program and its group
/// are sent SIGHUP and its streams are closed, as when a terminal is closed.
///
/// Each stream is for one reader and input for one writer at a time. Nothing is read before it is asked for, so a slow reader
/// slows the program and memory does not grow.
public final class ExecProcess: Sendable {
    public enum Stream: Sendable { case output, error }

    private struct State {
        var exit: ExecExit?
        var waiters: [CheckedContinuation<ExecExit, Never>] = []
        var input: StreamEnd?
    }

    /// Bytes of one read.
    static let chunk = 64 << 10

    private let supervisor: Supervisor
    private let watcher: DescriptorWatcher
    private let output: StreamEnd
    private let error: StreamEnd?
    private let usesTerminal: Bool
    private let state: Mutex<State>

    /// - Parameter error: nil where output has it too.
    init(
        supervisor: Supervisor, watcher: DescriptorWatcher, input: OwnedDescriptor?, output: OwnedDescriptor, error: OwnedDescriptor?,
        usesTerminal: Bool
    ) {
        self.supervisor = supervisor
        self.watcher = watcher
        self.usesTerminal = usesTerminal
        self.output = StreamEnd(output, watcher)
        self.error = error.map { StreamEnd($0, watcher) }
        state = Mutex(State(input: input.map { StreamEnd($0, watcher) }))
    }

    // MARK: Streams

    /// The next piece of a stream, at most 64 KiB; nil at its end, which is when everybody has closed it or the program has ended:
    /// what it left running in the background does not hold it open.
    /// - Throws: `CancellationError`.
    public func read(_ stream: Stream = .output) async throws -> [UInt8]? {
        guard let end = stream == .output ? output : error else { return nil }
        while true {
            // Asked before reading: what was written before the end is then certainly read. A terminal says itself when it ends.
            let isOver = !usesTerminal && state.withLock { $0.exit != nil }
            switch try end.read(Self.chunk) {
            case .bytes(let bytes): return bytes
            case .end: return nil
            case .later:
                if isOver { return nil }
                try await end.sleep(forWriting: false)
            }
        }
    }

    /// Writes to the program's input, waiting while it does not read.
    /// - Returns: false when it reads no more.
    /// - Throws: `CancellationError`.
    @discardableResult
    public func write(_ bytes: [UInt8]) async throws -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let end = state.withLock({ $0.exit == nil ? $0.input : nil }) else { return false }
            switch try end.write(rest) {
            case .written(let count): rest = rest.dropFirst(count)
            case .broken: return false
            case .later: try await end.sleep(forWriting: true)
            }
        }
        return true
    }

    /// The program reads the end of its input after what was written. A terminal stays open.
    public func closeInput() {
        if usesTerminal { return }
        let input = state.withLock { state in
            defer { state.input = nil }
            return state.input
        }
        input?.wake()
    }

    /// Tells the program the size of its terminal; without one nothing happens.
    public func resize(columns: UInt16, rows: UInt16) {
        if usesTerminal { _ = ksb_set_window_size(output.descriptor.number, columns, rows) }
    }

    // MARK: Its end

    /// Sends a signal to the program and the other processes of its group.
    public func signal(_ number: Int32) {
        if let byte = UInt8(exactly: number), byte > 0 { supervisor.send(signal: byte) }
    }

    /// Gives the program up: it and its group are sent SIGHUP, and it counts as ended.
    public func hangUp() { supervisor.hangUp() }

    /// How it ended, as soon as it has.
    public func wait() async -> ExecExit {
        await withCheckedContinuation { continuation in
            let exit = state.withLock { state -> ExecExit? in
                if state.exit == nil { state.waiters.append(continuation) }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }

    /// Reads all output and waits for the end; kills the program when it takes too long or the task is cancelled.
    /// - Parameter limit: bytes of output to keep; what comes after is read and dropped.
    public func collect(limit: Int, timeout: Duration?) async -> ExecResult {
        let late = Flag()
        return await withTaskGroup(of: Void.self) { group in
            if let timeout {
                group.addTask { [self] in
                    guard (try? await Task.sleep(for: timeout)) != nil else { return }
                    late.value.store(true, ordering: .relaxed)
                    signal(SIGKILL)
                }
            }
            var kept: [UInt8] = []
            var isTruncated = false
            while let piece = try? await read() {
                let room = limit - kept.count
                kept += piece.prefix(max(room, 0))
                if piece.count > room { isTruncated = true }
            }
            let exit = await withTaskCancellationHandler { await wait() } onCancel: { signal(SIGKILL) }
            group.cancelAll()
            return ExecResult(
                exitCode: exit.exitCode, output: kept, isTruncated: isTruncated, hasTimedOut: late.value.load(ordering: .relaxed))
        }
    }

    /// Follows the supervisor to the program's end.
    func follow() throws(SandboxError) { try Self.follow(supervisor, watcher, for: WeakProcess(self)) }

    /// Goes on without the process, so that its supervisor is collected in any case.
    private static func follow(_ supervisor: Supervisor, _ watcher: DescriptorWatcher, for process: WeakProcess) throws(SandboxError) {
        try watcher.whenReadable(supervisor.control.number) {
            switch supervisor.receiveWithDescriptor().0 {
            case .event(let event) where event.type == KSB_EVENT_EXITED.rawValue:
                process.value?.finish(ExecExit(exitCode: event.exit_code, signal: event.signal))
                supervisor.reapWhenDone(watcher)
            case .event, .nothing:
                do { try follow(supervisor, watcher, for: process) } catch { process.value?.finish(.unknown) }
            case .hungUp:
                // Its supervisor was killed; the program with it, as far as anybody can still tell.
                process.value?.finish(.unknown)
                supervisor.reapWhenDone(watcher)
            }
        }
    }

    private func finish(_ exit: ExecExit) {
        let (waiters, input) = state.withLock { state in
            state.exit = exit
            defer { state.waiters = [] }
            return (state.waiters, state.input)
        }
        // A terminal's readers are woken by its end, when all that was written has been read.
        if !usesTerminal {
            output.wake()
            error?.wake()
        }
        input?.wake()
        for waiter in waiters { waiter.resume(returning: exit) }
    }

    deinit {
        if state.withLock({ $0.exit == nil }) { supervisor.hangUp() }
    }
}

extension ExecExit {
    /// Of a program whose supervisor is gone.
    fileprivate static let unknown = ExecExit(exitCode: 128 + SIGKILL, signal: SIGKILL)
}

private final class Flag: Sendable {
    let value = Atomic(false)
}

private struct WeakProcess: Sendable {
    weak let value: ExecProcess?

    init(_ process: ExecProcess) { value = process }
}

import CSandbox
import Glibc
import Synchronization

/// The streams of a container's own program, beside its log: a copy of what it writes from now on, and its input where it has
/// one. Many may be attached at once. One that does not read holds up the program, as a terminal does.
public final class AttachedProgram: Sendable {
    private let output: StreamEnd
    private let error: StreamEnd
    private let input: Mutex<StreamEnd?>
    private let usesTerminal: Bool
    private let isOver = Atomic(false)

    private init(output: StreamEnd, error: StreamEnd, input: StreamEnd?, usesTerminal: Bool) {
        self.output = output
        self.error = error
        self.input = Mutex(input)
        self.usesTerminal = usesTerminal
    }

    /// Asks the container's supervisor.
    static func open(stateDirectory: String, takesInput: Bool, _ watcher: DescriptorWatcher) throws(SandboxError) -> AttachedProgram {
        let socket = OwnedDescriptor(kd_seqpacket_connect(stateDirectory, KSB_ATTACH_NAME))
        guard socket.number >= 0 else {
            throw .notRunning("nobody can be attached to the container: \(systemErrorText(-socket.number)); it has ended, or an older version has started it")
        }
        let (out, err) = (try Pipe(), try Pipe())
        var request = ksb_attach(types: takesInput ? 1 : 0)
        let sent = withExtendedLifetime((out, err)) {
            kd_send_packet(socket.number, &request, MemoryLayout<ksb_attach>.size, [out.writing.number, err.writing.number], 2)
        }
        guard sent == 0 else { throw .system(operation: "ask a container's supervisor to attach", errno: -sent) }
        var answer: UInt8 = 0
        var descriptors = [Int32](repeating: -1, count: Int(KD_FDS_MAX))
        var count: Int32 = 0
        let length = kd_receive_packet(socket.number, &answer, 1, &descriptors, &count)
        let input = descriptors.prefix(Int(count)).map { OwnedDescriptor($0) }.first
        guard length == 1 else { throw .notRunning("the container takes nobody any more: it has ended, or too many are attached") }
        return AttachedProgram(
            output: StreamEnd(out.reading, watcher), error: StreamEnd(err.reading, watcher), input: input.map { StreamEnd($0, watcher) },
            usesTerminal: input.map { isatty($0.number) == 1 } ?? false)
    }

    /// The next piece; nil at the end, which comes with the container's.
    /// - Throws: `CancellationError`.
    public func read(_ stream: ExecProcess.Stream) async throws -> [UInt8]? {
        let end = stream == .output ? output : error
        while !isOver.load(ordering: .acquiring) {
            switch try end.read(ExecProcess.chunk) {
            case .bytes(let bytes): return bytes
            case .end: return nil
            case .later: try await end.sleep(forWriting: false)
            }
        }
        return nil
    }

    /// Writes to the program's input, waiting while it does not read; false when it has none, or reads no more.
    public func write(_ bytes: [UInt8]) async throws -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard !isOver.load(ordering: .acquiring), let end = input.withLock({ $0 }) else { return false }
            switch try end.write(rest) {
            case .written(let count): rest = rest.dropFirst(count)
            case .broken: return false
            case .later: try await end.sleep(forWriting: true)
            }
        }
        return true
    }

    /// The program reads the end of its input if it was to have one client only (`stdinOnce`).
    public func closeInput() {
        if usesTerminal { return }
        let end = input.withLock { input in
            defer { input = nil }
            return input
        }
        end?.wake()
    }

    /// The size of the program's terminal.
    public func resize(columns: UInt16, rows: UInt16) {
        guard usesTerminal, let terminal = input.withLock({ $0 }) else { return }
        _ = ksb_set_window_size(terminal.descriptor.number, columns, rows)
    }

    /// Looks on no more; the program goes on.
    public func hangUp() {
        isOver.store(true, ordering: .releasing)
        output.wake()
        error.wake()
        input.withLock { $0 }?.wake()
    }
}

/// Both ends of a pipe.
struct Pipe {
    let reading: OwnedDescriptor
    let writing: OwnedDescriptor

    init() throws(SandboxError) {
        var ends: [Int32] = [-1, -1]
        let code = ksb_pipe(&ends)
        guard code == 0 else { throw .system(operation: "make a pipe for a program in a container", errno: -code) }
        (reading, writing) = (OwnedDescriptor(ends[0]), OwnedDescriptor(ends[1]))
    }
}

import Glibc
import Synchronization

/// A connected socket, read and written without blocking any thread. One reader and one writer at a time.
public final class SocketStream: Sendable {
    private let reading: StreamEnd
    private let writing: StreamEnd
    private let isClosed = Atomic(false)

    /// Takes over the descriptor.
    init(_ descriptor: OwnedDescriptor, _ watcher: DescriptorWatcher) throws(SandboxError) {
        // Reading and writing are waited for apart.
        let copy = fcntl(descriptor.number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .system(operation: "take over a socket", errno: errno) }
        reading = StreamEnd(descriptor, watcher)
        writing = StreamEnd(OwnedDescriptor(copy), watcher)
    }

    /// The next piece, at most 64 KiB; nil at the end.
    /// - Throws: `CancellationError`.
    public func read() async throws -> [UInt8]? {
        while !isClosed.load(ordering: .acquiring) {
            switch try reading.read(ExecProcess.chunk) {
            case .bytes(let bytes): return bytes
            case .end: return nil
            case .later: try await reading.sleep(forWriting: false)
            }
        }
        return nil
    }

    /// Waits while the other side is slow; false when it takes no more.
    /// - Throws: `CancellationError`.
    public func write(_ bytes: [UInt8]) async throws -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            if isClosed.load(ordering: .acquiring) { return false }
            switch try writing.write(rest) {
            case .written(let count): rest = rest.dropFirst(count)
            case .broken: return false
            case .later: try await writing.sleep(forWriting: true)
            }
        }
        return true
    }

    /// The other side reads the end.
    public func closeOutput() { shutdown(writing.descriptor.number, Int32(SHUT_WR)) }

    public func close() {
        isClosed.store(true, ordering: .releasing)
        shutdown(writing.descriptor.number, Int32(SHUT_RDWR))
        reading.wake()
        writing.wake()
    }
}

extension SandboxRuntime {
    /// A stream over a connected socket, whose descriptor it takes over.
    public func stream(over descriptor: Int32) throws(SandboxError) -> SocketStream {
        try SocketStream(OwnedDescriptor(descriptor), watcher)
    }
}

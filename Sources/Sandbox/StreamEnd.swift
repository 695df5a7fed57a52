import Glibc
import Synchronization

/// Our end of a pipe or terminal, read or written without blocking any thread.
final class StreamEnd: Sendable {
    enum Reading { case bytes([UInt8]), end, later }
    enum Writing { case written(Int), broken, later }

    private struct State {
        /// Who sleeps, and the number of its watch.
        var sleeper: (continuation: CheckedContinuation<Void, Never>, watch: UInt64)?
        /// Woken before it slept.
        var isAwake = false
    }

    let descriptor: OwnedDescriptor
    private let watcher: DescriptorWatcher
    private let state = Mutex(State())

    init(_ descriptor: OwnedDescriptor, _ watcher: DescriptorWatcher) {
        self.descriptor = descriptor
        self.watcher = watcher
        let flags = fcntl(descriptor.number, F_GETFL)
        _ = fcntl(descriptor.number, F_SETFL, flags | O_NONBLOCK)
    }

    func read(_ most: Int) throws(SandboxError) -> Reading {
        while true {
            var count = 0
            var code: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, used in
                count = Glibc.read(descriptor.number, buffer.baseAddress, most)
                code = errno
                used = max(count, 0)
            }
            if count > 0 { return .bytes(bytes) }
            if count == 0 { return .end }
            switch code {
            case EINTR: continue
            case EAGAIN: return .later
            // A terminal whose other end nobody has open any more; a connection that was broken off.
            case EIO, ECONNRESET: return .end
            default: throw .system(operation: "read a stream of a container", errno: code)
            }
        }
    }

    func write(_ bytes: ArraySlice<UInt8>) throws(SandboxError) -> Writing {
        while true {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor.number, $0.baseAddress, $0.count) }
            if count >= 0 { return .written(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .later
            case EPIPE, EIO, ECONNRESET: return .broken
            case let code: throw .system(operation: "write to a stream of a container", errno: code)
            }
        }
    }

    /// Until it is worth trying again, or `wake`.
    func sleep(forWriting: Bool) async throws {
        try Task.checkCancellation()
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                guard let watch = try? watcher.whenReadable(descriptor.number, forWriting: forWriting, { [weak self] in self?.wake() }) else {
                    // The next try tells what is wrong with the descriptor.
                    continuation.resume()
                    return
                }
                let isAwake = state.withLock { state in
                    defer { state.isAwake = false }
                    if !state.isAwake { state.sleeper = (continuation, watch) }
                    return state.isAwake
                }
                if isAwake {
                    watcher.forget(watch)
                    continuation.resume()
                }
            }
        } onCancel: {
            wake()
        }
        try Task.checkCancellation()
    }

    /// Wakes whoever sleeps, or the next one who is about to.
    func wake() {
        let sleeper = state.withLock { state in
            defer { state.sleeper = nil }
            if state.sleeper == nil { state.isAwake = true }
            return state.sleeper
        }
        guard let sleeper else { return }
        watcher.forget(sleeper.watch)
        sleeper.continuation.resume()
    }
}

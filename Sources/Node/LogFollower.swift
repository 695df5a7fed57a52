import Synchronization

/// One attempt's log and the news of its end.
struct LogSource: Sendable {
    var files: LogFiles
    /// The directory that the files are in.
    var directory: String
    var attempt: Int
    /// `nil`: it has ended.
    var end: EndSignal?

    var hasEnded: Bool { end?.isSet ?? true }
}

/// Waits for the next change of a log: a write, a rotation, or the end of the container. Never misses one that came between
/// two waits.
final class LogFollower: Sendable {
    private struct State {
        var isDue = false
        var waiter: CheckedContinuation<Void, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let source: LogSource
    private let watcher: DirectoryWatcher
    private let registration = Mutex<(watch: DirectoryWatcher.Registration?, end: Int?)>((nil, nil))

    init(_ source: LogSource, _ watcher: DirectoryWatcher) throws(FileError) {
        self.source = source
        self.watcher = watcher
        let watch = try watcher.add(source.directory) { [weak self] in self?.wake() }
        let end = source.end?.whenSet { [weak self] in self?.wake() }
        registration.withLock { $0 = (watch, end) }
    }

    deinit {
        let (watch, end) = registration.withLock { $0 }
        if let watch { watcher.remove(watch) }
        if let end { source.end?.remove(end) }
    }

    /// Returns after something has changed since the last call, or when the task is cancelled.
    func next() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if state.isDue || state.isClosed {
                        state.isDue = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.isClosed = true }
            wake()
        }
    }

    private func wake() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let waiter = state.waiter else {
                state.isDue = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }
}

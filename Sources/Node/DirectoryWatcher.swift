import Glibc
import Synchronization

/// Tells when something changes in directories, by inotify: one descriptor and one sleeping thread for the whole node.
final class DirectoryWatcher: Sendable {
    typealias Listener = @Sendable () -> Void

    /// One reader's interest in one directory. Ends with `DirectoryWatcher.remove`.
    struct Registration: Sendable, Hashable {
        fileprivate let watch: Int32
        fileprivate let number: Int
    }

    private struct State {
        var next = 0
        var listeners: [Int32: [Int: Listener]] = [:]
        var paths: [Int32: String] = [:]
    }

    private final class Core: Sendable {
        let notify: Int32
        let stop: Int32
        let state = Mutex(State())

        init(notify: Int32, stop: Int32) {
            self.notify = notify
            self.stop = stop
        }

        deinit {
            close(notify)
            close(stop)
        }

        func run() {
            var buffer = [UInt8](repeating: 0, count: 16384)
            var descriptors = [pollfd(fd: notify, events: Int16(POLLIN), revents: 0), pollfd(fd: stop, events: Int16(POLLIN), revents: 0)]
            while true {
                if poll(&descriptors, 2, -1) < 0 {
                    if errno == EINTR { continue }
                    return
                }
                if descriptors[1].revents != 0 { return }
                let count = read(notify, &buffer, buffer.count)
                guard count > 0 else { continue }
                for listener in listeners(in: buffer[..<count]) { listener() }
            }
        }

        /// Those of every directory that the events name, each once.
        private func listeners(in bytes: ArraySlice<UInt8>) -> [Listener] {
            var watches: Set<Int32> = []
            var offset = bytes.startIndex
            let header = MemoryLayout<inotify_event>.size
            while offset + header <= bytes.endIndex {
                let event = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset - bytes.startIndex, as: inotify_event.self) }
                watches.insert(event.wd)
                offset += header + Int(event.len)
            }
            return state.withLock { state in watches.flatMap { state.listeners[$0].map { Array($0.values) } ?? [] } }
        }
    }

    private let core: Core
    private let hangUp: Int32

    init() throws(FileError) {
        let notify = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard notify >= 0 else { throw FileError(operation: "watch files by inotify for", path: "logs", code: errno) }
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
            close(notify)
            throw FileError(operation: "make a socket pair for", path: "logs", code: errno)
        }
        hangUp = pair[1]
        core = Core(notify: notify, stop: pair[0])
        try Self.startThread(core)
    }

    /// The thread sees the hang-up and ends.
    deinit { close(hangUp) }

    private static func startThread(_ core: Core) throws(FileError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let context = Unmanaged.passRetained(core).toOpaque()
        let code = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<Core>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        if code != 0 {
            Unmanaged<Core>.fromOpaque(context).release()
            throw FileError(operation: "start the thread that watches", path: "logs", code: code)
        }
    }

    /// Calls a short piece of code, on the watcher's thread, after something was written, made, moved or removed in a directory.
    func add(_ directory: String, _ listener: @escaping Listener) throws(FileError) -> Registration {
        let mask = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR)
        let (watch, number, code) = core.state.withLock { state -> (Int32, Int, Int32) in
            // The same directory gives the same watch, so adding and removing must not overtake each other.
            let watch = inotify_add_watch(core.notify, directory, mask)
            guard watch >= 0 else { return (-1, 0, errno) }
            state.next += 1
            state.listeners[watch, default: [:]][state.next] = listener
            return (watch, state.next, 0)
        }
        guard watch >= 0 else { throw FileError(operation: "watch", path: directory, code: code) }
        return Registration(watch: watch, number: number)
    }

    func remove(_ registration: Registration) {
        core.state.withLock { state in
            state.listeners[registration.watch]?[registration.number] = nil
            if state.listeners[registration.watch]?.isEmpty ?? false {
                state.listeners[registration.watch] = nil
                inotify_rm_watch(core.notify, registration.watch)
            }
        }
    }
}

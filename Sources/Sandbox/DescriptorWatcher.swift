import CSandbox
import Glibc
import Synchronization

/// One thread that sleeps in epoll and runs a callback when a descriptor becomes readable (or writable) or is hung up. Callbacks must not
/// block. The thread ends when nobody holds the watcher and nothing is watched any more.
final class DescriptorWatcher: Sendable {
    typealias Handler = @Sendable () -> Void

    /// Holds the watcher, and so the thread, until it has fired.
    private struct Watched: Sendable {
        let handler: Handler
        let watcher: DescriptorWatcher
    }

    private final class Core: Sendable {
        let epoll: Int32
        let stop: Int32
        let handlers = Mutex<(next: UInt64, byToken: [UInt64: Watched])>((1, [:]))

        init(epoll: Int32, stop: Int32) {
            self.epoll = epoll
            self.stop = stop
        }

        deinit {
            close(epoll)
            close(stop)
        }

        /// Until the stop descriptor (token 0) is readable.
        func run() {
            var tokens = [UInt64](repeating: 0, count: 64)
            while true {
                let count = ksb_watch_wait(epoll, &tokens, Int32(tokens.count))
                if count < 0 { return }
                for token in tokens.prefix(Int(count)) {
                    if token == 0 { return }
                    let watched = handlers.withLock { $0.byToken.removeValue(forKey: token) }
                    watched?.handler()
                }
            }
        }
    }

    private let core: Core

    init() throws(SandboxError) {
        let epoll = ksb_watch_create()
        guard epoll >= 0 else { throw .system(operation: "create an epoll descriptor", errno: -epoll) }
        let stop = ksb_event_create()
        guard stop >= 0 else {
            close(epoll)
            throw .system(operation: "create an event descriptor", errno: -stop)
        }
        core = Core(epoll: epoll, stop: stop)
        let added = ksb_watch_add(epoll, stop, 0, 0)
        guard added == 0 else { throw .system(operation: "watch the stop event", errno: -added) }
        try Self.startThread(core)
    }

    deinit {
        var one: UInt64 = 1
        _ = write(core.stop, &one, 8)
    }

    private static func startThread(_ core: Core) throws(SandboxError) {
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
        guard code == 0 else {
            Unmanaged<Core>.fromOpaque(context).release()
            throw .system(operation: "start the thread that watches descriptors", errno: code)
        }
    }

    /// Runs `handler` once, on the watcher's thread, when `descriptor` is next readable or hung up. A descriptor may be watched
    /// again afterwards, from the handler too; closing it in between is fine.
    /// - Parameter forWriting: when it is writable or broken instead. A descriptor is watched for one of the two at a time.
    /// - Returns: a number to take it back by.
    @discardableResult
    func whenReadable(_ descriptor: Int32, forWriting: Bool = false, _ handler: @escaping Handler) throws(SandboxError) -> UInt64 {
        let token = core.handlers.withLock { state in
            let token = state.next
            state.next += 1
            state.byToken[token] = Watched(handler: handler, watcher: self)
            return token
        }
        let code = ksb_watch_add(core.epoll, descriptor, token, forWriting ? 1 : 0)
        if code == 0 { return token }
        forget(token)
        throw .system(operation: "watch descriptor \(descriptor)", errno: -code)
    }

    /// The handler will not run, unless it does just now.
    func forget(_ token: UInt64) { core.handlers.withLock { _ = $0.byToken.removeValue(forKey: token) } }
}

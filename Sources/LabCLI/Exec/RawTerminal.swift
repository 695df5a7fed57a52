import Dispatch
import Glibc

/// The user's terminal, given over to a program elsewhere: keys go to it as they are pressed.
struct RawTerminal {
    private let before: termios

    /// - Throws: `CommandError` where standard input is no terminal.
    init() throws(CommandError) {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { throw CommandError("standard input is no terminal") }
        before = settings
        cfmakeraw(&settings)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    func restore() {
        var settings = before
        tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    /// The terminal's size now and after each change of it.
    static func sizes() -> AsyncStream<(width: Int, height: Int)> {
        AsyncStream { continuation in
            continuation.yield(LiveScreen.size([:]))
            // Without a handler of its own the source would never hear of it.
            signal(SIGWINCH, SIG_IGN)
            // Dispatch's sources may be used from anywhere; the protocol does not say so.
            nonisolated(unsafe) let source = DispatchSource.makeSignalSource(signal: SIGWINCH, queue: .global())
            source.setEventHandler { continuation.yield(LiveScreen.size([:])) }
            continuation.onTermination = { _ in source.cancel() }
            source.resume()
        }
    }
}

/// What is typed or piped in, as it comes.
enum StandardInput {
    static func pieces() -> AsyncStream<[UInt8]> {
        AsyncStream { continuation in
            // A read that blocks cannot be ended; it goes with the process.
            DispatchQueue.global().async {
                var buffer = [UInt8](repeating: 0, count: 32 << 10)
                while true {
                    let count = read(STDIN_FILENO, &buffer, buffer.count)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0, case .enqueued = continuation.yield(Array(buffer[..<count])) else { break }
                }
                continuation.finish()
            }
        }
    }
}

import Glibc
import Synchronization

/// Standard output and standard error. Whole lines at a time, so that concurrent writers do not mix.
enum Output {
    private static let lock = Mutex(())

    static func line(_ text: String = "") { write(text + "\n", to: STDOUT_FILENO) }
    static func text(_ text: String) { write(text, to: STDOUT_FILENO) }
    static func bytes(_ bytes: some Sequence<UInt8>) { write(Array(bytes), to: STDOUT_FILENO) }
    static func errorBytes(_ bytes: some Sequence<UInt8>) { write(Array(bytes), to: STDERR_FILENO) }
    /// A remark that is not the command's result.
    static func note(_ text: String) { write(text + "\n", to: STDERR_FILENO) }
    /// Why the command failed: one line, whatever programs below have written.
    static func problem(_ text: String) { write("lab: \(oneLine(text))\n", to: STDERR_FILENO) }
    static func errorText(_ text: String) { write(text.hasSuffix("\n") ? text : text + "\n", to: STDERR_FILENO) }

    static func oneLine(_ text: String) -> String {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " } }
        // Lines that only point at a column of the line above say nothing here.
        return lines.filter { $0.contains { $0 != "^" && $0 != "~" && $0 != " " } }.joined(separator: "; ")
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    private static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        lock.withLock { _ in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EPIPE {
                    // The reader has what it wanted: the status a shell gives a program that SIGPIPE ended.
                    _exit(128 + SIGPIPE)
                } else if errno == EAGAIN {
                    var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&wait, 1, -1)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}

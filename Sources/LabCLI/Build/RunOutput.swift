import Dispatch
import Glibc

/// A RUN's output on its way from the supervisor to the terminal: the supervisor's log is a pipe, in CRI's format.
final class RunOutput: Sendable {
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "kindling.build-output")

    /// - Parameter path: where the supervisor is told to write.
    init(_ path: String) throws {
        guard mkfifo(path, 0o600) == 0 else { throw CommandError("\(path) cannot be made: \(String(cString: strerror(errno)))") }
        // Both ends: opening one waits for the other, and the pipe must not end before the supervisor has opened it.
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandError("\(path) cannot be opened: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// What the supervisor never writes; after all that it has.
    private static let mark: [UInt8] = Array("\u{0}\n".utf8)

    /// The container has ended, so all that it wrote is in the pipe.
    func end() { _ = write(descriptor, Self.mark, Self.mark.count) }

    /// Returns when ``end()`` was called and everything before is shown.
    func print() async {
        await withCheckedContinuation { done in
            queue.async { [self] in
                pump()
                done.resume()
            }
        }
    }

    private func pump() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var pending: [UInt8] = []
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            pending += buffer[..<count]
            var text: [UInt8] = []
            var isOver = false
            var start = 0
            while let end = pending[start...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = pending[start..<end]
                start = end + 1
                if line.elementsEqual(Self.mark.dropLast()) { isOver = true } else { text += Self.content(line) }
            }
            pending.removeFirst(start)
            if !text.isEmpty { Output.bytes(text) }
            if isOver { return }
        }
    }

    /// `TIME STREAM F|P TEXT`: a line in parts has P in all but the last.
    private static func content(_ line: ArraySlice<UInt8>) -> [UInt8] {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count == 4 else { return [] }
        return fields[2].first == UInt8(ascii: "P") ? Array(fields[3]) : Array(fields[3]) + [UInt8(ascii: "\n")]
    }
}

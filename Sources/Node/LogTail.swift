import KubeModel

/// A line of a container's output with its place in the log.
public struct LogLine: Sendable, Equatable {
    /// When its first byte was read from the container, in RFC3339Nano.
    public var timestamp: String
    /// `stdout` or `stderr`; always `stdout` for the primary container of a trial, whose streams are one.
    public var stream: String
    /// Without the newline, at most `LogTail.lineLimit` bytes of it.
    public var text: String
    /// The line was longer than `text`.
    public var isTruncated: Bool
    /// The place behind the line: give it to `lines(…, from:)` to go on there.
    public var next: LogPosition
}

/// A place in the output of one container, across its restarts.
public struct LogPosition: Sendable, Equatable, Comparable {
    /// The number of restarts before the attempt.
    public var attempt: Int
    /// Bytes from the beginning of the attempt's log. Exact while the log is not rotated, as those of trials never are.
    public var offset: Int

    public static let start = LogPosition(attempt: 0, offset: 0)

    public init(attempt: Int, offset: Int) {
        self.attempt = attempt
        self.offset = offset
    }

    public static func < (left: LogPosition, right: LogPosition) -> Bool {
        (left.attempt, left.offset) < (right.attempt, right.offset)
    }
}

/// All lines that a container prints, from a place on until it will never run again.
public struct LogTail: AsyncSequence, Sendable {
    /// Longer lines are cut, so that one line of any length cannot exhaust memory.
    public static let lineLimit = 65536

    public typealias Element = LogLine

    let worker: PodWorker
    let container: String
    let start: LogPosition
    let watcher: DirectoryWatcher

    public func makeAsyncIterator() -> Iterator { Iterator(self) }

    /// Not to be shared between tasks.
    public final class Iterator: AsyncIteratorProtocol {
        private let tail: LogTail
        private var attempt: Int
        private var firstOffset: Int
        private var source: LogSource?
        private var reader: LogReaderBox?
        private var follower: LogFollower?
        private var assembler = LineAssembler()
        private var ready: [LogLine] = []
        private var head = 0

        /// Whether the next line is at hand and need not be waited for.
        public var hasMore: Bool { head < ready.count }

        init(_ tail: LogTail) {
            self.tail = tail
            attempt = tail.start.attempt
            firstOffset = tail.start.offset
        }

        /// The next line; waits for it. `nil` when there will be none, or when the task is cancelled.
        public func next() async throws -> LogLine? {
            while !Task.isCancelled {
                if head < ready.count {
                    defer { head += 1 }
                    return ready[head]
                }
                guard let source, let reader else {
                    guard try await open() else { return nil }
                    continue
                }
                let hasEnded = source.hasEnded
                let before = reader.offset
                if let chunk = reader.next() {
                    // A rotation begins a new file at zero.
                    let begin = reader.offset - chunk.count >= before ? reader.offset - chunk.count : 0
                    ready = assembler.lines(in: chunk, attempt: source.attempt, offset: begin)
                    head = 0
                } else if hasEnded {
                    ready = assembler.finish(attempt: source.attempt)
                    head = 0
                    close(source)
                } else {
                    await follower?.next()
                }
            }
            return nil
        }

        /// Waits for the attempt to start; false when it never will.
        private func open() async throws -> Bool {
            guard let source = await tail.worker.log(of: tail.container, attempt: attempt) else { return false }
            if !source.hasEnded { follower = try LogFollower(source, tail.watcher) }
            let offset = source.attempt == attempt ? firstOffset : 0
            self.source = source
            reader = LogReaderBox(
                LogReader(files: source.files, start: offset > 0 ? (source.files.path, offset) : nil))
            return true
        }

        private func close(_ source: LogSource) {
            attempt = source.attempt + 1
            firstOffset = 0
            self.source = nil
            reader = nil
            follower = nil
        }
    }
}

/// Joins the parts of lines, each stream for itself, and cuts what is too long.
struct LineAssembler {
    private struct Line {
        var timestamp: [UInt8] = []
        var text: [UInt8] = []
        var isTruncated = false
        var isOpen = false
    }

    private var open = [Line(), Line()]
    private var offset = 0

    /// - Parameter offset: of the first byte in the log.
    mutating func lines(in bytes: [UInt8], attempt: Int, offset begin: Int) -> [LogLine] {
        var lines: [LogLine] = []
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            offset = begin + min(end + 1, bytes.count)
            if let entry = LogEntry(bytes[start..<end]), let line = add(entry, attempt) { lines.append(line) }
            start = end + 1
        }
        return lines
    }

    /// What never got its newline.
    mutating func finish(attempt: Int) -> [LogLine] {
        [0, 1].compactMap { stream in open[stream].isOpen ? close(stream, attempt) : nil }
    }

    private mutating func add(_ entry: LogEntry, _ attempt: Int) -> LogLine? {
        let stream = entry.isStandardError ? 1 : 0
        if !open[stream].isOpen {
            open[stream].isOpen = true
            open[stream].timestamp = Array(entry.timestamp)
        }
        let room = LogTail.lineLimit - open[stream].text.count
        open[stream].text += entry.text.prefix(room)
        if entry.text.count > room { open[stream].isTruncated = true }
        return entry.isPartial ? nil : close(stream, attempt)
    }

    private mutating func close(_ stream: Int, _ attempt: Int) -> LogLine {
        let line = open[stream]
        open[stream] = Line()
        return LogLine(
            timestamp: String(decoding: line.timestamp, as: UTF8.self), stream: stream == 0 ? "stdout" : "stderr",
            text: String(decoding: line.text, as: UTF8.self), isTruncated: line.isTruncated,
            next: LogPosition(attempt: attempt, offset: offset))
    }
}

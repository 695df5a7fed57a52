import Glibc
import KubeModel

/// A text file that a container writes on one of its volumes, followed from outside while it grows.
///
/// The container owns the directory and may put anything in the file's place at any time: only a regular file is opened, no
/// link is followed, and nothing that is opened can block.
struct VolumeFileTail: Sendable {
    let worker: PodWorker
    let container: String
    /// Absolute, as the container sees it.
    let path: String
    let watcher: DirectoryWatcher

    /// Hands on all lines until the container has ended and everything was read.
    /// - Returns: why there is nothing to read; `nil` where the file was read.
    func read(_ body: @Sendable ([LogLine]) async throws -> Void) async throws -> String? {
        let parts = path.split(separator: "/")
        let place: String
        switch await worker.volume(at: "/" + parts.dropLast().joined(separator: "/"), of: container) {
        case .success(let found): place = found
        case .failure(let problem): return "\(problem)"
        }
        let (news, feed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let registration: DirectoryWatcher.Registration
        do throws(FileError) { registration = try watcher.add(place) { feed.yield() } } catch { return "\(error)" }
        defer { watcher.remove(registration) }
        let end = EndSignal()
        let waiter = Task {
            await worker.waitForEnd(of: container)
            end.set()
            feed.yield()
        }
        defer { waiter.cancel() }
        feed.yield()
        var reader = VolumeFileReader(directory: place, name: String(parts.last ?? ""))
        for await _ in news {
            // Asked before reading: what was written before the end is then certainly read.
            let isOver = end.isSet
            while let lines = try reader.next(isLast: isOver) { try await body(lines) }
            if isOver { break }
        }
        try Task.checkCancellation()
        return reader.problem.map { "\(path): \($0)" }
    }
}

/// Reads what has been added to a file since the last time; takes up a file that was replaced or cut from its beginning.
struct VolumeFileReader: ~Copyable {
    private static let chunk = 65536

    private let directory: String
    private let name: String
    private var descriptor: Int32 = -1
    private var inode: ino_t = 0
    private var offset = 0
    private var line: [UInt8] = []
    private var isDone = false
    /// Why the file cannot be read; `nil` once it was opened.
    private(set) var problem: String?

    init(directory: String, name: String) {
        self.directory = directory
        self.name = name
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whole lines that are new; `nil` where there is nothing for now.
    /// - Parameter isLast: nothing will be written any more: a line without its newline counts as well.
    mutating func next(isLast: Bool) throws(FileError) -> [LogLine]? {
        while !isDone {
            guard descriptor >= 0 || openFile() else { return nil }
            let bytes = try readMore()
            if !bytes.isEmpty {
                let lines = split(bytes)
                if !lines.isEmpty { return lines }
                continue
            }
            if try isReplaced() {
                let rest = flush()
                close(descriptor)
                descriptor = -1
                offset = 0
                if !rest.isEmpty { return rest }
                continue
            }
            guard isLast else { return nil }
            isDone = true
            let rest = flush()
            return rest.isEmpty ? nil : rest
        }
        return nil
    }

    private mutating func openFile() -> Bool {
        do throws(VolumeFileProblem) {
            let opened = try SafeFiles.open(name, in: directory)
            (descriptor, inode, problem) = (opened.descriptor, opened.status.st_ino, nil)
            return true
        } catch {
            problem = error.description
            return false
        }
    }

    private mutating func readMore() throws(FileError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Self.chunk)
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(operation: "read", path: name, code: errno) }
            offset += count
            return Array(buffer[..<count])
        }
    }

    /// Another file has the name now, or this one is shorter than what was read of it.
    private func isReplaced() throws(FileError) -> Bool {
        var opened = stat()
        guard fstat(descriptor, &opened) == 0 else { throw FileError(operation: "look at", path: name, code: errno) }
        if opened.st_size < off_t(offset) { return true }
        var named = stat()
        guard lstat("\(directory)/\(name)", &named) == 0, named.st_mode & S_IFMT == S_IFREG else { return false }
        return named.st_ino != inode
    }

    private mutating func split(_ bytes: [UInt8]) -> [LogLine] {
        var lines: [LogLine] = []
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            let part = bytes[start..<(end ?? bytes.count)]
            // One line of any length must not exhaust memory.
            line += part.prefix(LogTail.lineLimit - min(line.count, LogTail.lineLimit))
            if end != nil { lines += flush(evenEmpty: true) }
            start = (end ?? bytes.count) + 1
        }
        return lines
    }

    private mutating func flush(evenEmpty: Bool = false) -> [LogLine] {
        guard evenEmpty || !line.isEmpty else { return [] }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        return [
            LogLine(
                timestamp: Timestamp.current.nano, stream: "stdout", text: String(decoding: line, as: UTF8.self), isTruncated: false,
                next: LogPosition(attempt: 0, offset: offset))
        ]
    }
}

/// Opening files in directories that somebody else writes to.
enum SafeFiles {
    /// Opens a regular file in a directory for reading.
    /// - Parameter name: one component.
    static func open(_ name: String, in directory: String) throws(VolumeFileProblem) -> (descriptor: Int32, status: stat) {
        let parent = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard parent >= 0 else { throw problem(errno) }
        defer { close(parent) }
        return try open(name, at: parent)
    }

    static func open(_ name: String, at parent: Int32) throws(VolumeFileProblem) -> (descriptor: Int32, status: stat) {
        // Looked at first: opening a FIFO, though it would not block here, might wake whoever writes to it.
        var status = stat()
        guard fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw problem(errno) }
        try check(status)
        let descriptor = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem(errno) }
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw VolumeFileProblem(description: "it is no regular file")
        }
        return (descriptor, status)
    }

    private static func check(_ status: stat) throws(VolumeFileProblem) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFLNK: throw VolumeFileProblem(description: "it is a symbolic link, which is not followed; write a regular file")
        case S_IFIFO: throw VolumeFileProblem(description: "it is a FIFO; write a regular file")
        case S_IFDIR: throw VolumeFileProblem(description: "it is a directory; write a regular file")
        default: throw VolumeFileProblem(description: "it is no regular file")
        }
    }

    private static func problem(_ code: Int32) -> VolumeFileProblem {
        switch code {
        case ENOENT: VolumeFileProblem(description: "the file was never written")
        case ELOOP: VolumeFileProblem(description: "it is a symbolic link, which is not followed; write a regular file")
        default: VolumeFileProblem(description: "it cannot be opened: \(String(cString: strerror(code)))")
        }
    }
}

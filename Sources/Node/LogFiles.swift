import Glibc

/// The files of one container's log: `path`, and `path.1`, `path.2`, … which are older.
struct LogFiles: Sendable {
    let path: String

    /// All that exist, oldest first.
    var all: [String] {
        var paths = [path]
        var number = 1
        while Files.status("\(path).\(number)") != nil {
            paths.append("\(path).\(number)")
            number += 1
        }
        return paths.reversed().filter { Files.status($0) != nil }
    }

    /// The file after the one with this identity: `nil` where it is the newest. A file that has been removed meanwhile is
    /// followed by the oldest that is left.
    func successor(of inode: ino_t) -> String? {
        let all = all
        guard let index = all.lastIndex(where: { Files.status($0)?.st_ino == inode }) else { return all.first }
        return index + 1 < all.count ? all[index + 1] : nil
    }

    /// Where the last `lines` log entries begin: a file and an offset in it. Reads backwards, so the size of the log does not matter.
    func start(ofLast lines: Int) -> (path: String, offset: Int)? {
        var left = lines
        var start: (path: String, offset: Int)?
        for path in all.reversed() {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            start = (path, Self.offset(ofLast: &left, descriptor))
            if left <= 0 { break }
        }
        return start
    }

    private static func offset(ofLast left: inout Int, _ descriptor: Int32) -> Int {
        let size = Int(lseek(descriptor, 0, SEEK_END))
        if left <= 0 { return max(size, 0) }
        var buffer = [UInt8](repeating: 0, count: 65536)
        var end = max(size, 0)
        while end > 0 {
            let begin = max(0, end - buffer.count)
            let count = pread(descriptor, &buffer, end - begin, off_t(begin))
            guard count > 0 else { return end }
            for index in stride(from: count - 1, through: 0, by: -1) where buffer[index] == UInt8(ascii: "\n") {
                // The newline that closes the last entry begins none.
                if begin + index + 1 == size { continue }
                left -= 1
                if left == 0 { return begin + index + 1 }
            }
            end = begin
        }
        // The file's first entry begins without a newline before it.
        if size > 0 { left -= 1 }
        return 0
    }

    /// The content of the last entries as text, at most so many bytes of it: a container's last words.
    func lastText(lines: Int, bytes: Int) -> String {
        guard let start = start(ofLast: lines) else { return "" }
        var reader = LogReader(files: self, start: start)
        var text: [UInt8] = []
        // Twice the bytes wanted are kept at most, whatever the entries' size.
        while let chunk = reader.next() {
            LogEntries.forEach(in: chunk) { entry in
                text += entry.text
                if !entry.isPartial { text.append(UInt8(ascii: "\n")) }
            }
            if text.count > 2 * bytes { text.removeFirst(text.count - bytes) }
        }
        return String(decoding: text.suffix(bytes), as: UTF8.self)
    }
}

/// Reads a log's bytes across its files, in whole entries, up to what is there now.
struct LogReader: ~Copyable {
    static let chunkSize = 65536
    /// Entries are at most 16 KiB and their header; anything longer is no entry and is skipped.
    static let entryLimit = 1 << 18

    let files: LogFiles
    private var descriptor: Int32 = -1
    private var inode: ino_t = 0
    private var position: Int
    private var pending: [UInt8] = []
    private var firstPath: String?

    /// - Parameter start: a file and an offset at which an entry begins; the oldest entry where it is missing.
    init(files: LogFiles, start: (path: String, offset: Int)? = nil) {
        self.files = files
        position = start?.offset ?? 0
        firstPath = start?.path
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// The offset in the current file behind the last whole entry that was returned.
    var offset: Int { position - pending.count }

    /// The next whole entries, about `chunkSize` bytes; `nil` when there are no more now.
    mutating func next() -> [UInt8]? {
        while true {
            if descriptor < 0, !openFirst() { return nil }
            if fill() {
                guard let newline = pending.lastIndex(of: UInt8(ascii: "\n")) else {
                    if pending.count > Self.entryLimit { pending = [] }
                    continue
                }
                let entries = Array(pending[...newline])
                pending.removeFirst(newline + 1)
                return entries
            }
            guard advance() else { return nil }
        }
    }

    private mutating func openFirst() -> Bool {
        guard let path = firstPath ?? files.all.first else { return false }
        return open(path, at: position)
    }

    private mutating func open(_ path: String, at offset: Int) -> Bool {
        let new = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard new >= 0 else { return false }
        var status = stat()
        fstat(new, &status)
        if descriptor >= 0 { close(descriptor) }
        descriptor = new
        inode = status.st_ino
        position = offset
        pending = []
        return true
    }

    /// Reads on in the current file; false at its end.
    private mutating func fill() -> Bool {
        let size = Self.chunkSize
        let (offset, file) = (position, descriptor)
        var count = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
            count = pread(file, buffer.baseAddress, size, off_t(offset))
            initialized = max(count, 0)
        }
        guard count > 0 else { return false }
        position += count
        pending += chunk
        return true
    }

    /// Goes to the next newer file if there is one.
    private mutating func advance() -> Bool {
        guard let path = files.successor(of: inode) else { return false }
        // The file was renamed after its last write, so what it holds now is all it ever will.
        if fill() { return true }
        return open(path, at: 0)
    }
}

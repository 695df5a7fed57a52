import Glibc

/// The end of a log file, to show why a daemon went away.
struct LogTail {
    let path: String
    /// Where the file ended when this was made: what is behind it is new.
    let start: Int

    init(_ path: String) {
        self.path = path
        var info = stat()
        start = stat(path, &info) == 0 ? Int(info.st_size) : 0
    }

    /// The last lines written since, at most 64 KiB of them.
    func lines(_ count: Int) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        let end = Int(lseek(descriptor, 0, SEEK_END))
        // The file may have been rotated meanwhile.
        let from = max(end < start ? 0 : start, end - (64 << 10))
        lseek(descriptor, off_t(from), SEEK_SET)
        guard let bytes = try? SmallFile.read(descriptor, name: path) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(count).map(String.init)
    }
}

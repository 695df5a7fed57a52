import Glibc

/// Small files of the daemon's own, written so that a crash leaves the old one or the new one.
enum Files {
    struct Failure: Error, CustomStringConvertible {
        let action: String
        let path: String
        let code: Int32
        var description: String { "cannot \(action) \(path): \(String(cString: strerror(code)))" }
    }

    /// Makes a directory and those above it; one that exists is left as it is.
    static func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(Failure) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw Failure(action: "make the directory", path: path, code: errno)
        }
        try makeDirectory(String(path[..<slash]))
        if mkdir(path, mode) != 0, errno != EEXIST { throw Failure(action: "make the directory", path: path, code: errno) }
    }

    /// In bytes; `nil` where there is no such file.
    static func size(_ path: String) -> Int? {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : nil
    }

    /// Device and inode of a file or directory; `nil` where there is none.
    static func identity(_ path: String) -> [UInt]? {
        var info = stat()
        return stat(path, &info) == 0 ? [UInt(info.st_dev), UInt(info.st_ino)] : nil
    }

    /// The text of a file; `nil` where there is none.
    static func readIfPresent(_ path: String) throws(Failure) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw Failure(action: "read", path: path, code: errno)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 { throw Failure(action: "read", path: path, code: errno) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }

    /// Writes a file under another name, makes it durable and puts it in place.
    static func write(_ text: String, to path: String, mode: mode_t) throws(Failure) {
        let aside = "\(path).new"
        unlink(aside)
        let descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        if descriptor < 0 { throw Failure(action: "write", path: aside, code: errno) }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(action: "write", path: aside, code: errno)
            }
            rest = rest.dropFirst(count)
        }
        if fsync(descriptor) != 0 { throw Failure(action: "write", path: aside, code: errno) }
        if rename(aside, path) != 0 { throw Failure(action: "put in place", path: path, code: errno) }
    }
}

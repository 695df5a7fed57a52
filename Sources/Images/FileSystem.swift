import Glibc

/// The few file operations that this target needs, on POSIX calls, so that it does without Foundation.
enum FileSystem {
    static func status(_ path: String) -> stat? {
        var result = stat()
        return stat(path, &result) == 0 ? result : nil
    }

    static func linkStatus(_ path: String) -> stat? {
        var result = stat()
        return lstat(path, &result) == 0 ? result : nil
    }

    static func isDirectory(_ path: String) -> Bool {
        status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    static func isFile(_ path: String) -> Bool {
        status(path).map { $0.st_mode & S_IFMT == S_IFREG } ?? false
    }

    static func isExecutable(_ path: String) -> Bool {
        isFile(path) && access(path, X_OK) == 0
    }

    /// The path with every symlink resolved; nil when there is nothing.
    static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The target of a symlink; nil when the path is not one.
    static func linkTarget(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer -> String? in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlink(path, start, buffer.count)
            return count < 0 ? nil : String(decoding: buffer[..<count].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// Names in a directory without `.` and `..`, sorted; empty when it cannot be read.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The whole file, at most `limit` bytes of it: a definition of a gigabyte is a mistake.
    static func read(_ path: String, limit: Int = 4 << 20) throws(ImageError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path: path, operation: "open", code: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= limit {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .system(path: path, operation: "read", code: errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw .system(path: path, operation: "read", code: EFBIG)
    }

    /// Readers see the old file or the new one, also after a power cut.
    static func writeAtomically(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(ImageError) {
        let temporary = "\(path).\(getpid()).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw .system(path: temporary, operation: "create", code: errno) }
        do throws(ImageError) {
            defer { close(descriptor) }
            try writeAll(bytes, to: descriptor, path: temporary)
            // The umask must not decide what pods can read.
            guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else {
                throw .system(path: temporary, operation: "write", code: errno)
            }
            guard rename(temporary, path) == 0 else { throw .system(path: path, operation: "replace", code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Without the care of ``writeAtomically(_:to:mode:)``: for directories that are renamed into place when complete.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(ImageError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw .system(path: path, operation: "create", code: errno) }
        defer { close(descriptor) }
        try writeAll(bytes, to: descriptor, path: path)
        fchmod(descriptor, mode)
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(ImageError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { offset += count } else if errno != EINTR { throw .system(path: path, operation: "write", code: errno) }
        }
    }

    /// Copies a file's content to a new file that only its owner may read.
    static func copyFile(_ source: String, to path: String) throws(ImageError) {
        let from = try FileSource(source)
        let to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard to >= 0 else { throw .system(path: path, operation: "create", code: errno) }
        defer { close(to) }
        var offset: Int64 = 0
        while true {
            let piece = try from.next()
            if piece.isEmpty { return }
            try put(piece, to: to, at: offset, path: path)
            offset += Int64(piece.count)
        }
    }

    /// Writes all of a piece at its place in a file.
    /// - Parameter path: for messages.
    static func put(_ piece: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int64, path: String) throws(ImageError) {
        var done = 0
        while done < piece.count {
            let rest = UnsafeRawBufferPointer(rebasing: piece[done...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + done)
            if count > 0 { done += count } else if errno != EINTR { throw .system(path: path, operation: "write", code: errno) }
        }
    }

    /// Makes a directory and its missing parents.
    static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(ImageError) {
        if isDirectory(path) { return }
        let parent = directory(of: path)
        if parent != path && !parent.isEmpty { try makeDirectories(parent) }
        if mkdir(path, mode) != 0 && errno != EEXIST { throw .system(path: path, operation: "make the directory", code: errno) }
        chmod(path, mode)
    }

    static func makeLink(_ path: String, to target: String) throws(ImageError) {
        if symlink(target, path) != 0 && errno != EEXIST { throw .system(path: path, operation: "make the link", code: errno) }
    }

    /// Removes a tree without following links out of it. Best effort: used for what can be built again.
    static func removeTree(_ path: String) {
        if let status = linkStatus(path), status.st_mode & S_IFMT == S_IFDIR {
            // Images have directories that not even their owner may write to.
            if status.st_mode & 0o700 != 0o700 { chmod(path, 0o700) }
            for name in names(in: path) { removeTree("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    /// Bytes of the files in a tree.
    static func treeSize(_ path: String) -> Int64 {
        guard let status = linkStatus(path) else { return 0 }
        guard status.st_mode & S_IFMT == S_IFDIR else { return Int64(status.st_size) }
        return names(in: path).reduce(0) { $0 + treeSize("\(path)/\($1)") }
    }

    /// `/a/b` for `/a/b/c`, `/` for `/a`.
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func lastComponent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// Absolute, without `.`, `..` and double slashes, links not followed. A relative path starts at `base`.
    static func normalized(_ path: String, relativeTo base: String = "/") -> String {
        let whole = path.hasPrefix("/") ? path : "\(base)/\(path)"
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    static func currentDirectory() -> String {
        guard let buffer = getcwd(nil, 0) else { return "/" }
        defer { free(buffer) }
        return String(cString: buffer)
    }

    /// True when `path` is `ancestor` or lies in it. Both normalised.
    static func isWithin(_ path: String, _ ancestor: String) -> Bool {
        path == ancestor || ancestor == "/" || path.hasPrefix(ancestor + "/")
    }
}

func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }

/// An environment variable of this process; nil when unset or empty, which the XDG rules count as unset.
func environmentVariable(_ name: String) -> String? {
    guard let value = getenv(name), value[0] != 0 else { return nil }
    return String(cString: value)
}

/// 64-bit FNV-1a: names what is built by what it is built from. The set-up script computes the same. Not for untrusted input.
struct Fingerprint {
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    mutating func add(_ text: String) { add(text.utf8) }

    mutating func add(_ number: some BinaryInteger) { add("\(number);") }

    /// 16 digits of hexadecimal.
    var hexadecimal: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

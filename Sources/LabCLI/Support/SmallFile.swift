import Glibc

/// Small files: read whole, written so that a crash leaves the old one or the new one.
enum SmallFile {
    /// - Returns: `nil` where there is no such file.
    static func readIfPresent(_ path: String) throws(CommandError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("read", path)
        }
        defer { close(descriptor) }
        return try read(descriptor, name: path)
    }

    static func read(_ path: String) throws(CommandError) -> [UInt8] {
        guard let bytes = try readIfPresent(path) else { throw CommandError("cannot read \(path): there is no such file") }
        return bytes
    }

    /// The first bytes of a file, at most so many.
    static func start(of path: String, count: Int) throws(CommandError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { throw failure("read", path) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: count)
        let found = Glibc.read(descriptor, &bytes, count)
        if found < 0 { throw failure("read", path) }
        return Array(bytes.prefix(found))
    }

    static func read(_ descriptor: Int32, name: String) throws(CommandError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count > 0 {
                bytes += chunk[..<count]
            } else if errno != EINTR {
                throw failure("read", name)
            }
        }
    }

    /// Writes beside the file and renames: a symbolic link is followed first, so that the link stays one.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(CommandError) {
        let target = realPath(path) ?? path
        let aside = "\(target).\(getpid()).new"
        let descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        if descriptor < 0 { throw failure("write", target) }
        var succeeded = false
        defer {
            close(descriptor)
            if !succeeded { unlink(aside) }
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("write", target)
            }
            rest = rest.dropFirst(count)
        }
        // The mode is meant, whatever the umask says.
        if fchmod(descriptor, mode) != 0 || fsync(descriptor) != 0 { throw failure("write", target) }
        if rename(aside, target) != 0 { throw failure("put in place", target) }
        succeeded = true
    }

    static func write(_ text: String, to path: String, mode: mode_t) throws(CommandError) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    /// The text of a file; `nil` where it cannot be read.
    static func text(_ path: String) -> String? { (try? readIfPresent(path)).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) } }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
    static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 && !isDirectory(path) }

    static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// In bytes; `nil` where there is no such file.
    static func size(_ path: String) -> Int? {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : nil
    }

    static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The names in a directory, sorted.
    static func list(_ path: String) throws(CommandError) -> [String] {
        guard let directory = opendir(path) else { throw failure("list", path) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(CommandError) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw failure("make the directory", path)
        }
        try makeDirectories(String(path[..<slash]), mode: mode)
        if mkdir(path, mode) != 0, errno != EEXIST { throw failure("make the directory", path) }
    }

    private static func failure(_ action: String, _ path: String) -> CommandError {
        CommandError("cannot \(action) \(path): \(String(cString: strerror(errno)))")
    }
}

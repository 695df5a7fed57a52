import Glibc

/// A file operation of the node that failed.
struct FileError: Error, CustomStringConvertible, Equatable {
    let operation: String
    let path: String
    let code: Int32

    var description: String { "cannot \(operation) \(path): \(String(cString: strerror(code)))" }
}

/// The few file operations that the node needs, without Foundation. All block for as long as the file system does.
enum Files {
    /// Makes a directory and those above it; one that is there already keeps its mode.
    static func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(FileError) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        let code = errno
        guard code == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw FileError(operation: "make directory", path: path, code: code)
        }
        try makeDirectory(String(path[..<slash]))
        if mkdir(path, mode) != 0, errno != EEXIST { throw FileError(operation: "make directory", path: path, code: errno) }
    }

    /// Makes one directory; false where it was there.
    static func makeNewDirectory(_ path: String, mode: mode_t = 0o755) throws(FileError) -> Bool {
        if mkdir(path, mode) == 0 { return true }
        if errno == EEXIST { return false }
        throw FileError(operation: "make directory", path: path, code: errno)
    }

    /// Replaces a file as a whole: a reader sees the old content or the new one, never a part.
    static func write(_ bytes: some Collection<UInt8>, to path: String, mode: mode_t = 0o644) throws(FileError) {
        let temporary = "\(path).new"
        try fill(temporary, O_TRUNC, bytes, mode)
        guard Glibc.rename(temporary, path) == 0 else { throw FileError(operation: "replace", path: path, code: errno) }
    }

    /// Writes a file that is not there yet, in a directory that nobody reads yet.
    static func writeNew(_ bytes: some Collection<UInt8>, to path: String, mode: mode_t) throws(FileError) { try fill(path, O_EXCL, bytes, mode) }

    private static func fill(_ path: String, _ flag: Int32, _ bytes: some Collection<UInt8>, _ mode: mode_t) throws(FileError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | flag | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw FileError(operation: "create", path: path, code: errno) }
        defer { close(descriptor) }
        let all = Array(bytes)
        var done = 0
        while done < all.count {
            let count = all.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, all.count - done) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileError(operation: "write", path: path, code: errno) }
            done += count
        }
        // The process's umask must not decide what a volume's files look like.
        fchmod(descriptor, mode)
    }

    /// The content of a small file; `nil` where there is none.
    static func read(_ path: String, limit: Int = 1 << 20) throws(FileError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw FileError(operation: "open", path: path, code: errno)
        }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while content.count < limit {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, limit - content.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(operation: "read", path: path, code: errno) }
            if count == 0 { break }
            content += buffer[..<count]
        }
        return content
    }

    static func text(_ path: String) -> String? {
        guard let bytes = try? read(path) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Names in a directory; none where it cannot be read.
    static func list(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func status(_ path: String) -> stat? {
        var status = stat()
        return stat(path, &status) == 0 ? status : nil
    }

    static func isDirectory(_ path: String) -> Bool { (status(path)?.st_mode).map { $0 & S_IFMT == S_IFDIR } ?? false }

    static func setMode(_ path: String, _ mode: mode_t) { _ = chmod(path, mode) }

    /// Gives a directory to a group so that files made in it belong to that group too. Best effort: an id map of a single id
    /// has no other groups.
    static func share(_ path: String, group: UInt32) {
        guard chown(path, uid_t.max, gid_t(group)) == 0, let mode = status(path)?.st_mode else { return }
        _ = chmod(path, (mode & 0o7777) | 0o2070)
    }

    /// What a symbolic link says; `nil` where there is none.
    static func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func makeLink(_ path: String, to target: String) throws(FileError) {
        if symlink(target, path) != 0 { throw FileError(operation: "link", path: path, code: errno) }
    }

    /// Without links, or `nil` where there is nothing.
    static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    static func rename(_ path: String, to target: String) throws(FileError) {
        if Glibc.rename(path, target) != 0 { throw FileError(operation: "replace", path: target, code: errno) }
    }

    /// Removes a file, a link or a directory with all in it. Only for what no container can write to: links are not followed,
    /// but a directory that is swapped meanwhile might be.
    static func removeTree(_ path: String) {
        if unlink(path) == 0 || errno == ENOENT { return }
        for name in list(path) { removeTree("\(path)/\(name)") }
        rmdir(path)
    }

    static func removeFile(_ path: String) { _ = unlink(path) }

    /// Mounts a memory file system in the daemon's own mount namespace, so that all containers of a pod share it.
    static func mountMemory(_ path: String, sizeBytes: Int?) throws(FileError) {
        let options = "mode=0777" + (sizeBytes.map { ",size=\($0)" } ?? "")
        guard mount("tmpfs", path, "tmpfs", UInt(MS_NOSUID) | UInt(MS_NODEV), options) == 0 else {
            throw FileError(operation: "mount a memory file system on", path: path, code: errno)
        }
    }

    static func unmount(_ path: String) { _ = umount2(path, Int32(MNT_DETACH)) }

    /// Whether something else is mounted there than on the directory above.
    static func isMountPoint(_ path: String) -> Bool {
        guard let inner = status(path), let outer = status("\(path)/..") else { return false }
        return inner.st_dev != outer.st_dev
    }
}

extension Files {
    /// Best effort, as `share`.
    static func setGroup(_ path: String, _ group: UInt32) { _ = chown(path, uid_t.max, gid_t(group)) }

    /// Gives a volume and all in it to a group (upstream: pkg/volume/volume_linux.go, SetVolumeOwnership): the group may read and
    /// write what the owner may, and what is made in its directories is the group's. No link is followed, and every directory
    /// is held by its descriptor, so that a pod that changes the volume meanwhile cannot lead out of it.
    static func shareTree(_ path: String, group: UInt32) {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if directory >= 0 { shareTree(directory, group, depth: 0) }
    }

    /// Whether a volume's own directory is already as `shareTree` leaves it.
    static func isShared(_ path: String, group: UInt32) -> Bool {
        guard let status = status(path) else { return false }
        return status.st_gid == group && status.st_mode & 0o2070 == 0o2070
    }

    /// Takes over the descriptor.
    private static func shareTree(_ directory: Int32, _ group: UInt32, depth: Int) {
        guard let stream = fdopendir(directory) else {
            close(directory)
            return
        }
        defer { closedir(stream) }
        // Deeper than any path that a program can name at once: somebody is playing games.
        while depth < 2048, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) + [0] }
            if name == [46, 0] || name == [46, 46, 0] { continue }
            name.withUnsafeBytes { bytes in
                guard let name = bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
                share(name, in: directory, group, depth)
            }
        }
        // Last, so that a volume whose walk was cut short is walked again.
        shareOne(directory, group, directory: true)
    }

    private static func share(_ name: UnsafePointer<CChar>, in directory: Int32, _ group: UInt32, _ depth: Int) {
        var status = stat()
        guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if child >= 0 { shareTree(child, group, depth: depth + 1) }
        case S_IFREG:
            let file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            guard file >= 0 else { return }
            shareOne(file, group, directory: false)
            close(file)
        default: _ = fchownat(directory, name, uid_t.max, gid_t(group), AT_SYMLINK_NOFOLLOW)
        }
    }

    private static func shareOne(_ descriptor: Int32, _ group: UInt32, directory: Bool) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, fchown(descriptor, uid_t.max, gid_t(group)) == 0 else { return }
        _ = fchmod(descriptor, (status.st_mode & 0o7777) | (directory ? 0o2770 : 0o660))
    }
}

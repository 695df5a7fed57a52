import Glibc

/// Space on the catalogue's disk that is set aside, so that a user can free more of it through the API when it is full. It is given
/// back when a write that takes nothing finds no room, and taken again as soon as there is room for it.
struct Reserve {
    /// A deletion writes some ten pages to SQLite's log, which is reused after 1000 pages.
    static let size = 4 << 20
    /// What must be left besides, before the reserve is taken again.
    private static let margin = 256 << 10

    let path: String
    /// It was given back since the disk was full: what takes space has to wait until it is set aside again.
    private(set) var isReleased = false
    private var isHeld = false

    init(beside catalogue: String) {
        path = "\(catalogue).reserve"
        var info = stat()
        if stat(path, &info) == 0, info.st_size == Self.size, Int(info.st_blocks) * 512 >= Self.size { isHeld = true }
    }

    /// Sets the space aside where there is room.
    mutating func make() {
        guard !isHeld, Self.free(at: path) >= Self.size + Self.margin else { return }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // Not posix_fallocate, which would write every block where the file system has no fallocate: there, nothing is set aside.
        if fallocate(descriptor, 0, 0, off_t(Self.size)) == 0 { isHeld = true } else { unlink(path) }
        // Nothing can be set aside on a file system without fallocate; there is room, though.
        isReleased = false
    }

    mutating func release() {
        unlink(path)
        isReleased = true
        isHeld = false
    }

    /// Bytes that this user may still write on the disk of a file; `Int.max` where that cannot be told.
    static func free(at path: String) -> Int {
        var info = statvfs()
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        guard statvfs(directory.isEmpty ? "/" : directory, &info) == 0 else { return .max }
        return Int(info.f_bavail) * Int(info.f_frsize)
    }

    /// So little is left that the next page may not find room.
    static func isFull(at path: String) -> Bool { free(at: path) < 64 << 10 }
}

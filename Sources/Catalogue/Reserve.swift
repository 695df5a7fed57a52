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

    /// The directory that the file is in.
    let directory: String

    init(beside catalogue: String) {
        directory = catalogue.lastIndex(of: "/").map { String(catalogue[..<$0]) } ?? "."
        path = "\(catalogue).reserve"
        var info = stat()
        if stat(path, &info) == 0, info.st_size == Self.size, Int(info.st_blocks) * 512 >= Self.size { isHeld = true }
    }

    /// Sets the space aside where there is room.
    mutating func make() {
        guard !isHeld, DiskSpace.free(directory) >= Self.size + Self.margin else { return }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        if posix_fallocate(descriptor, 0, off_t(Self.size)) == 0 { isHeld = true } else { unlink(path) }
        isReleased = !isHeld
    }

    mutating func release() {
        unlink(path)
        isReleased = true
        isHeld = false
    }

}

/// What is left of the disk that a directory is on.
public enum DiskSpace {
    /// Bytes that this user may still write there; `Int.max` where that cannot be told.
    public static func free(_ directory: String) -> Int {
        var info = statvfs()
        guard statvfs(directory.isEmpty ? "/" : directory, &info) == 0 else { return .max }
        return Int(info.f_bavail) * Int(info.f_frsize)
    }

    /// So little is left that the next file may not find room.
    public static func isFull(_ directory: String) -> Bool { free(directory) < 64 << 10 }

    /// What to tell a user whose disk is full; `nil` where it is not.
    public static func problem(_ directory: String) -> String? {
        let free = free(directory)
        guard free < 64 << 10 else { return nil }
        return "the disk of \(directory) is full (\(free >> 10) KiB are left): free some MiB there, then run 'lab up' again"
    }
}

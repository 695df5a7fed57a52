import Glibc

/// Keeps an archive that unpacks to more than it seems from filling the disk on which the catalogue lies.
struct DiskRoom {
    let path: String
    /// Bytes that stay free.
    static let reserve: UInt64 = 256 << 20
    /// How much is written between two looks.
    private static let step = 16 << 20
    private var spent = 0

    init(path: String) { self.path = path }

    /// - Throws: ``ImageError/system(path:operation:code:)`` with `ENOSPC` before the disk is full.
    mutating func spend(_ bytes: Int) throws(ImageError) {
        spent += bytes
        guard spent >= Self.step else { return }
        spent = 0
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return }
        guard UInt64(status.f_bavail) * UInt64(status.f_frsize) > Self.reserve else {
            throw .system(path: path, operation: "unpack more and leave 256 MiB of its disk free, at", code: ENOSPC)
        }
    }
}

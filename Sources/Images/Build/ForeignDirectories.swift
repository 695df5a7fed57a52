import Glibc

/// Directories that somebody else owns, made writable for a build: in a user namespace nobody may add to or remove from a
/// directory whose owner has no id there. A layer of directories of our own, empty and with the same names, lies on top, and
/// the merged ones are ours. Files stay as they are: they can be replaced, not written to.
struct ForeignDirectories {
    /// Where such layers are kept: a tree for each directory, made once.
    let cache: String

    /// The layer to lie over a directory; `nil` where it is ours.
    func ways(over directory: String) throws(ImageError) -> String? {
        guard let status = FileSystem.status(directory), status.st_uid != geteuid() else { return nil }
        var key = Fingerprint()
        key.add("1 \(directory)\n")
        // What a system update or an installation touches.
        for path in [directory, "\(directory)/bin", "\(directory)/lib", "\(directory)/lib/python3/dist-packages", "/var/lib/dpkg/status"] {
            let time = FileSystem.status(path)?.st_mtim
            key.add(Int(time?.tv_sec ?? 0))
            key.add(Int(time?.tv_nsec ?? 0))
        }
        let place = "\(cache)/ways-\(key.hexadecimal)"
        if FileSystem.isDirectory(place) { return place }
        let temporary = "\(place).\(getpid()).tmp"
        FileSystem.removeTree(temporary)
        try FileSystem.makeDirectories(temporary)
        try copy(directory, to: temporary)
        chmod(temporary, status.st_mode & 0o7777)
        if rename(temporary, place) != 0 {
            let code = errno
            FileSystem.removeTree(temporary)
            // Another build was quicker.
            guard FileSystem.isDirectory(place) else { throw .system(path: place, operation: "move to", code: code) }
        }
        return place
    }

    private func copy(_ directory: String, to target: String) throws(ImageError) {
        guard let stream = opendir(directory) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            // Looking at each of a hundred thousand files would take longer than all else.
            guard entry.pointee.d_type == UInt8(DT_DIR) || entry.pointee.d_type == UInt8(DT_UNKNOWN) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let path = "\(directory)/\(name)"
            guard name != ".", name != "..", let status = FileSystem.linkStatus(path), status.st_mode & S_IFMT == S_IFDIR else { continue }
            guard mkdir("\(target)/\(name)", 0o755) == 0 else { throw .system(path: "\(target)/\(name)", operation: "make the directory", code: errno) }
            try copy(path, to: "\(target)/\(name)")
            chmod("\(target)/\(name)", status.st_mode & 0o7777)
        }
    }
}

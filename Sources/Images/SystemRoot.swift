import Glibc
import Synchronization

/// The host's own system as the root of a pod: a small skeleton directory, built once, over which the host's `/usr` is mounted.
///
/// The skeleton holds empty directories, the `/bin` to `/usr/bin` links, and of the host's `/etc` only what programs need to
/// run: never accounts, keys, or anything that not everybody on the host may read. `/usr` cannot be a lower layer of the same
/// overlay: that would take a directory whose only entry is `usr`, and an overlay does not look through a bind mount in one.
/// So it is a mount: a read-only bind (0.03 ms), or where a definition says `writableSystem` an overlay (0.10 ms).
final class SystemRoot: Sendable {
    private let directory: String
    private let built = Mutex<(path: String, checked: Int)?>(nil)

    /// - Parameter directory: where skeletons are kept; made when needed.
    init(directory: String) { self.directory = directory }

    /// Path of the skeleton for the system as it is now. Built again after `ldconfig`, new certificates and the like; a pod
    /// that runs keeps the one that it was started with.
    ///
    /// The host is looked at once a second at most: pods come by the hundred, and system updates do not.
    func skeleton() throws(ImageError) -> String {
        var clock = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &clock)
        let now = Int(clock.tv_sec)
        if let known = built.withLock({ $0 }), known.checked == now, FileSystem.isDirectory(known.path) { return known.path }
        let path = "\(directory)/system-\(Self.key())"
        if !FileSystem.isDirectory(path) { try build(path) }
        built.withLock { $0 = (path, now) }
        return path
    }

    /// Path of a layer of empty directories that belong to whoever runs this. On top of layers that somebody else has prepared
    /// (root, for all users of a machine) it lets volumes be mounted below /opt and the like: in a user namespace nobody may
    /// add to a directory whose owner has no id there.
    func ways() throws(ImageError) -> String {
        let path = "\(directory)/ways-\(Self.format)"
        if FileSystem.isDirectory(path) { return path }
        let temporary = "\(path).\(getpid()).tmp"
        FileSystem.removeTree(temporary)
        try FileSystem.makeDirectories(temporary)
        for (name, mode) in Self.directories { try FileSystem.makeDirectories("\(temporary)/\(name)", mode: mode) }
        if rename(temporary, path) != 0, !FileSystem.isDirectory(path) {
            throw .system(path: path, operation: "move to", code: errno)
        }
        FileSystem.removeTree(temporary)
        return path
    }

    func mounts(writable: Bool) -> [EnvironmentMount] {
        let whole = [EnvironmentMount(kind: writable ? .overlay : .bind, source: "/usr", target: "/usr")]
        // Only on systems that have not merged /bin into /usr.
        return whole
            + Self.topLevel.filter { Self.isOwnDirectory("/\($0)") }.map {
                EnvironmentMount(kind: .bind, source: "/\($0)", target: "/\($0)")
            }
    }

    /// Of `/usr/bin/python3`, as far as its name tells: `3.11`.
    static let pythonVersion: String? = {
        let name = FileSystem.realPath("/usr/bin/python3").map(FileSystem.lastComponent)
        return name.flatMap { $0.hasPrefix("python") ? String($0.dropFirst(6)) : nil }
    }()
}

extension SystemRoot {
    /// Raised when the skeleton's own content changes.
    private static let format = 2

    private static let topLevel = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"]

    /// Of the host's /etc. A name that ends in `*` is a beginning. Files that not everybody may read are left out.
    private static let copied = [
        "OpenCL", "R", "alternatives", "bash.bashrc", "debian_version", "fonts", "gai.conf", "glvnd", "host.conf", "inputrc",
        "java-*", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "locale.conf", "localtime", "login.defs",
        "lsb-release", "magic", "magic.mime", "mime.types", "os-release", "perl", "pki/ca-trust/extracted", "pki/tls/certs",
        "profile", "protocols", "python3*", "services", "shells", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone",
        "vulkan",
    ]

    /// Permissions in octal; parents come first.
    private static let directories: [(path: String, mode: mode_t)] = [
        ("etc", 0o755), ("dev", 0o755), ("home", 0o755), ("home/jovyan", 0o755), ("media", 0o755), ("mnt", 0o755), ("opt", 0o755),
        ("proc", 0o555), ("root", 0o700), ("run", 0o755), ("run/lock", 0o1777), ("srv", 0o755), ("sys", 0o555), ("tmp", 0o1777),
        ("usr", 0o755), ("var", 0o755), ("var/cache", 0o755), ("var/lib", 0o755), ("var/local", 0o755), ("var/log", 0o755),
        ("var/mail", 0o755), ("var/opt", 0o755), ("var/spool", 0o755), ("var/tmp", 0o1777),
    ]

    /// Files that no pod gets from the host. hosts, hostname and resolv.conf are there to be mounted over.
    private static let written: [(path: String, text: String)] = [
        (
            "etc/passwd",
            """
            root:x:0:0:root:/root:/bin/bash
            daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
            bin:x:2:2:bin:/bin:/usr/sbin/nologin
            sys:x:3:3:sys:/dev:/usr/sbin/nologin
            www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
            jovyan:x:1000:100:jovyan:/home/jovyan:/bin/bash
            nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin

            """
        ),
        (
            "etc/group",
            """
            root:x:0:
            daemon:x:1:
            bin:x:2:
            sys:x:3:
            tty:x:5:
            www-data:x:33:
            users:x:100:jovyan
            nogroup:x:65534:

            """
        ),
        (
            "etc/nsswitch.conf",
            """
            passwd: files
            group: files
            hosts: files dns
            networks: files
            protocols: files
            services: files
            ethers: files
            rpc: files

            """
        ),
        ("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"),
        ("etc/hostname", ""),
        ("etc/resolv.conf", ""),
    ]

    private static func isOwnDirectory(_ path: String) -> Bool {
        FileSystem.linkStatus(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    /// The names of `copied` that exist, patterns expanded.
    private static func sources() -> [String] {
        copied.flatMap { name -> [String] in
            guard name.hasSuffix("*") else { return FileSystem.linkStatus("/etc/\(name)") == nil ? [] : [name] }
            return FileSystem.names(in: "/etc").filter { $0.hasPrefix(name.dropLast()) }
        }
    }

    /// Of what the sources look like by stat: some forty calls, 50 µs.
    private static func key() -> String {
        var key = Fingerprint()
        key.add(format)
        for name in sources() {
            guard let status = FileSystem.linkStatus("/etc/\(name)") else { continue }
            key.add(name)
            for number in [Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec), Int(status.st_size), Int(status.st_mode)] {
                key.add(number)
            }
        }
        return key.hexadecimal
    }

    /// Builds one skeleton at a time, whoever asks: other starts of pods in this daemon, or another lab that shares the cache.
    private func build(_ path: String) throws(ImageError) {
        try FileSystem.makeDirectories(directory)
        let lock = open("\(directory)/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .system(path: "\(directory)/.lock", operation: "open", code: errno) }
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 {
            guard errno == EINTR else { throw .system(path: "\(directory)/.lock", operation: "lock", code: errno) }
        }
        if FileSystem.isDirectory(path) { return }
        // What a builder that was killed has left.
        for name in FileSystem.names(in: directory) where name.hasPrefix(".system.") { FileSystem.removeTree("\(directory)/\(name)") }
        let scratch = "\(directory)/.system.\(getpid())"
        do throws(ImageError) {
            try FileSystem.makeDirectories(scratch)
            for (name, mode) in Self.directories { try FileSystem.makeDirectories("\(scratch)/\(name)", mode: mode) }
            for name in Self.topLevel { try copyTopLevel(name, into: scratch) }
            try FileSystem.makeLink("\(scratch)/var/run", to: "/run")
            try FileSystem.makeLink("\(scratch)/var/lock", to: "/run/lock")
            try FileSystem.makeLink("\(scratch)/etc/mtab", to: "/proc/self/mounts")
            for name in Self.sources() { try copy("/etc/\(name)", to: "\(scratch)/etc/\(name)", depth: 0) }
            for (name, text) in Self.written { try FileSystem.write(Array(text.utf8), to: "\(scratch)/\(name)", mode: 0o644) }
        } catch {
            FileSystem.removeTree(scratch)
            throw error
        }
        if rename(scratch, path) != 0 {
            let code = errno
            FileSystem.removeTree(scratch)
            throw .system(path: path, operation: "make", code: code)
        }
    }

    private func copyTopLevel(_ name: String, into scratch: String) throws(ImageError) {
        if let target = FileSystem.linkTarget("/\(name)") {
            try FileSystem.makeLink("\(scratch)/\(name)", to: target)
        } else if FileSystem.isDirectory("/\(name)") {
            try FileSystem.makeDirectories("\(scratch)/\(name)")
        }
    }

    /// Links stay links, directories are gone through, and of files only those that everybody may read, up to 16 MB.
    private func copy(_ source: String, to target: String, depth: Int) throws(ImageError) {
        guard let status = FileSystem.linkStatus(source), depth < 8 else { return }
        try FileSystem.makeDirectories(FileSystem.directory(of: target))
        switch status.st_mode & S_IFMT {
        case S_IFLNK:
            if let link = FileSystem.linkTarget(source) { try FileSystem.makeLink(target, to: link) }
        case S_IFDIR:
            guard status.st_mode & 0o005 == 0o005 else { return }
            try FileSystem.makeDirectories(target)
            // /etc/alternatives is mostly links to manual pages.
            for name in FileSystem.names(in: source) where !name.hasSuffix(".gz") {
                try copy("\(source)/\(name)", to: "\(target)/\(name)", depth: depth + 1)
            }
        case S_IFREG:
            guard status.st_mode & 0o004 != 0, status.st_size <= 16 << 20 else { return }
            let bytes = try FileSystem.read(source, limit: 16 << 20)
            try FileSystem.write(bytes, to: target, mode: status.st_mode & 0o111 | 0o644)
        default:
            return
        }
    }
}

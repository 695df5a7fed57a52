import Glibc

/// A virtual environment, conda prefix or base installation of the user's, and exactly what must be bound into a pod, each at
/// its own path and read-only, for it to run there.
struct PythonPrefix {
    /// Such as `3.11.7`; nil when neither pyvenv.cfg nor the directory names tell.
    var version: String?
    var mounts: [EnvironmentMount]
    /// For the user who adds it: what will not work in a pod.
    var warnings: [String] = []

    /// - Throws: ``ImageError/invalidArgument(_:)`` when it is no virtual environment, or binding it would show more than it.
    init(venv directory: String) throws(ImageError) {
        let configuration = "\(directory)/pyvenv.cfg"
        guard FileSystem.isFile(configuration) else {
            throw .invalidArgument(
                "\(directory) is not a virtual environment: it has no pyvenv.cfg. Make one with "
                    + "`python3 -m venv \(directory)`")
        }
        try Self.refuseTooMuch(directory)
        let fields = Self.fields(String(decoding: try FileSystem.read(configuration), as: UTF8.self))
        let interpreter = "\(directory)/bin/python3"
        let chain = try Self.follow(FileSystem.linkStatus(interpreter) != nil ? interpreter : "\(directory)/bin/python")
        var collector = MountCollector()
        collector.add(directory)
        // The interpreter looks for its library beside `home`, which need not be where the last link leads.
        if let home = fields["home"] { try collector.addInstallation(ofBinaries: home) }
        for path in chain.dropFirst() { try collector.addInterpreter(path) }
        mounts = collector.mounts
        version = fields["version_info"] ?? fields["version"] ?? Self.version(of: chain.last ?? "")
        version = version.map { $0.split(separator: ".").prefix(3).joined(separator: ".") }
        warnings = Self.editableInstallations(directory)
    }

    init(conda directory: String) throws(ImageError) {
        guard FileSystem.isDirectory("\(directory)/conda-meta") else {
            throw .invalidArgument(
                "\(directory) is not a conda prefix: it has no conda-meta directory. "
                    + "`conda env list` shows yours")
        }
        try Self.refuseTooMuch(directory)
        var collector = MountCollector()
        collector.add(directory)
        mounts = collector.mounts
        // python-3.11.4-hab00c5b_0.json: the record of the installed package.
        version = FileSystem.names(in: "\(directory)/conda-meta").first { name in
            name.hasPrefix("python-") && name.dropFirst(7).first?.isNumber == true
        }.map { String($0.dropFirst(7).prefix { $0 != "-" }) }
        warnings = Self.editableInstallations(directory)
    }

    /// A base installation outside `/usr`, for an environment that the set-up script built with it.
    init(base prefix: String, executable: String) throws(ImageError) {
        var collector = MountCollector()
        try collector.addInstallation(ofBinaries: FileSystem.directory(of: executable))
        mounts = collector.mounts
        version = nil
    }
}

extension PythonPrefix {
    /// The paths that a chain of symlinks goes through, each absolute, the last one a file.
    private static func follow(_ path: String) throws(ImageError) -> [String] {
        var chain = [path]
        while let last = chain.last, let target = FileSystem.linkTarget(last) {
            guard chain.count < 20 else { throw .invalidArgument("\(path) is a symlink that leads round in a circle") }
            chain.append(FileSystem.normalized(target, relativeTo: FileSystem.directory(of: last)))
        }
        guard let last = chain.last, FileSystem.isExecutable(last) else {
            throw .invalidArgument(
                "\(path) has no interpreter: \(chain.joined(separator: " -> ")) is not an executable file. "
                    + "Its base Python was removed; make the environment again")
        }
        return chain
    }

    /// `python3.11` says 3.11, for want of more.
    private static func version(of executable: String) -> String? {
        let name = FileSystem.lastComponent(executable)
        return name.hasPrefix("python") && name.contains(".") ? String(name.dropFirst(6)) : nil
    }

    private static func fields(_ text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            guard let equals = line.firstIndex(of: "=") else { continue }
            fields[trimmed(line[..<equals])] = trimmed(line[line.index(after: equals)...])
        }
        return fields
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " || text.last == "\r" { text.removeLast() }
        return String(text)
    }

    /// Packages installed with `pip install -e` lie elsewhere, where a pod sees nothing.
    private static func editableInstallations(_ directory: String) -> [String] {
        FileSystem.names(in: "\(directory)/lib").filter { $0.hasPrefix("python3") }.flatMap { library in
            let packages = "\(directory)/lib/\(library)/site-packages"
            return FileSystem.names(in: packages).filter { $0.hasSuffix(".pth") }.flatMap { name -> [String] in
                let text = (try? FileSystem.read("\(packages)/\(name)")).map { String(decoding: $0, as: UTF8.self) } ?? ""
                return text.split(whereSeparator: \.isNewline).map(String.init).filter {
                    $0.hasPrefix("/") && !lies(FileSystem.normalized($0), inOneOf: [directory, "/usr"])
                }.map { "\(name) refers to \($0), which pods do not see: install that package without -e" }
            }
        }
    }

    private static func lies(_ path: String, inOneOf directories: [String]) -> Bool {
        directories.contains { FileSystem.isWithin(path, $0) }
    }

    /// A directory that holds somebody's home, or the system's own, is never bound.
    static func refuseTooMuch(_ directory: String) throws(ImageError) {
        guard let real = FileSystem.realPath(directory) else {
            throw .invalidArgument("\(directory) does not exist")
        }
        var kept = ["/root", "/home", "/etc", "/var", "/run", "/usr", "/opt", "/srv", "/mnt", "/media", "/tmp"]
        if let home = environmentVariable("HOME"), home != "/" { kept.append(FileSystem.normalized(home)) }
        if let entry = getpwuid(getuid()), let home = entry.pointee.pw_dir {
            kept.append(FileSystem.normalized(String(cString: home)))
        }
        let parts = real.split(separator: "/")
        if kept.contains(where: { $0 != "/" && FileSystem.isWithin($0, real) }) || (parts.count <= 2 && parts.first == "home") {
            throw .invalidArgument(
                "pods would see all of \(real): give a directory that holds nothing else, such as "
                    + "\(real == "/" ? "" : real)/venv")
        }
    }
}

/// Collects bind mounts without repeating what another already shows.
struct MountCollector {
    private(set) var mounts: [EnvironmentMount] = []

    /// Shows a path of the host at its own path. A symlink in the path is shown as what it leads to.
    mutating func add(_ path: String) {
        // All of /usr is there anyway.
        guard let source = FileSystem.realPath(path), !FileSystem.isWithin(path, "/usr") else { return }
        guard !mounts.contains(where: { FileSystem.isWithin(path, $0.target) }) else { return }
        mounts.append(EnvironmentMount(kind: .bind, source: source, target: path))
        if source != path { add(source) }
    }

    /// The installation that a directory of binaries belongs to: the parent that has `lib/python3.x`.
    mutating func addInstallation(ofBinaries directory: String) throws(ImageError) {
        let prefix = FileSystem.directory(of: FileSystem.normalized(directory))
        guard !FileSystem.isWithin(prefix, "/usr"), Self.isInstallation(prefix) else { return }
        // Where /bin is a link to /usr/bin, an interpreter named /bin/python3 has the prefix /.
        guard let real = FileSystem.realPath(directory), !FileSystem.isWithin(real, "/usr") else { return }
        try PythonPrefix.refuseTooMuch(prefix)
        add(prefix)
    }

    /// One step of the chain of links to the base interpreter: its installation, or where it has none, the file alone.
    mutating func addInterpreter(_ path: String) throws(ImageError) {
        try addInstallation(ofBinaries: FileSystem.directory(of: path))
        guard let real = FileSystem.realPath(path) else { return }
        try addInstallation(ofBinaries: FileSystem.directory(of: real))
        guard !mounts.contains(where: { FileSystem.isWithin(path, $0.target) }) else { return }
        // /bin/python3 on a merged /usr comes with it, as all of /usr does.
        let directory = FileSystem.realPath(FileSystem.directory(of: path))
        guard let directory, !FileSystem.isWithin(directory, "/usr") else { return }
        mounts.append(EnvironmentMount(kind: .bind, source: real, target: path))
    }

    private static func isInstallation(_ prefix: String) -> Bool {
        ["lib", "lib64"].contains { library in
            FileSystem.names(in: "\(prefix)/\(library)").contains {
                $0.hasPrefix("python3") && FileSystem.isFile("\(prefix)/\(library)/\($0)/os.py")
            }
        }
    }
}

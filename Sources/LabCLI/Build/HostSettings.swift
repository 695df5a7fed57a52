import Glibc

/// How this machine reaches indexes of packages: what pip and apt are told here, as variables and files for a RUN. None of it
/// is part of the image.
struct HostSettings {
    /// Sorted by name.
    private(set) var variables: [(name: String, value: String)] = []
    private var files: [(source: String, target: String)] = []
    private var aptLines = ""

    /// Where the files are seen: a file system that is no part of the image.
    private static let place = "/dev/lab-settings"

    /// - Parameter environment: of the caller, which goes before files.
    init(_ environment: [String: String]) {
        var all: [String: String] = [:]
        for (name, value) in Self.pipConfiguration(environment) { all["PIP_\(name)"] = value }
        for (name, value) in environment where Self.isSetting(name) { all[name] = value }
        for (name, value) in all.sorted(by: { $0.key < $1.key }) { variables.append((name, seen(value))) }
        aptLines = Self.aptConfiguration()
        if !aptLines.isEmpty { variables.append(("APT_CONFIG", "\(Self.place)/apt.conf")) }
    }

    /// - Parameter directory: where small files may be written.
    func mounts(in directory: String) throws -> [(source: String, target: String)] {
        guard !aptLines.isEmpty else { return files }
        try SmallFile.write(aptLines, to: "\(directory)/apt.conf", mode: 0o644)
        return files + [("\(directory)/apt.conf", "\(Self.place)/apt.conf")]
    }

    private static func isSetting(_ name: String) -> Bool {
        let lower = name.lowercased()
        if ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"].contains(lower) { return true }
        if ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].contains(name) { return true }
        return name.hasPrefix("PIP_") && pipSettings.contains(String(name.dropFirst(4)))
    }

    /// How pip fetches; where it puts things is a matter of the image.
    private static let pipSettings: Set<String> = [
        "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "CERT", "CLIENT_CERT", "PROXY", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES",
        "CONSTRAINT", "PREFER_BINARY", "ONLY_BINARY", "NO_BINARY", "DISABLE_PIP_VERSION_CHECK", "KEYRING_PROVIDER",
    ]

    /// Paths of this machine in a value become paths that the RUN sees.
    private mutating func seen(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: false).map { word -> String in
            let path = word.hasPrefix("file://") ? String(word.dropFirst(7)) : String(word)
            guard path.hasPrefix("/"), let real = SmallFile.realPath(path) else { return String(word) }
            if let known = files.first(where: { $0.source == real }) { return known.target }
            let target = "\(Self.place)/\(files.count)"
            files.append((real, target))
            return target
        }.joined(separator: " ")
    }

    /// Of pip's files, the one that counts most last (pip.pypa.io, "Configuration").
    private static func pipConfiguration(_ environment: [String: String]) -> [String: String] {
        let home = environment["HOME"] ?? "/"
        let base = environment["XDG_CONFIG_HOME"] ?? "\(home)/.config"
        var files = ["/etc/pip.conf", "\(home)/.pip/pip.conf", "\(base)/pip/pip.conf"]
        if let own = environment["PIP_CONFIG_FILE"] { files.append(own) }
        var result: [String: String] = [:]
        for file in files {
            guard let text = SmallFile.text(file) else { continue }
            var section = ""
            var name = ""
            for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") && !line.hasPrefix(";") {
                if line.hasPrefix("[") {
                    section = String(line.dropFirst().prefix { $0 != "]" })
                } else if line.first?.isWhitespace == true {
                    // A value goes on.
                    if !name.isEmpty { result[name]? += " " + line.drop(while: \.isWhitespace) }
                } else if let equals = line.firstIndex(where: { $0 == "=" || $0 == ":" }), ["global", "install"].contains(section) {
                    name = line[..<equals].filter { !$0.isWhitespace }.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
                    result[name] = String(line[line.index(after: equals)...].drop(while: \.isWhitespace))
                }
            }
        }
        return result.filter { pipSettings.contains($0.key) && !$0.value.isEmpty }
    }

    /// How apt fetches: proxies, certificates, time limits.
    private static func aptConfiguration() -> String {
        let directory = "/etc/apt/apt.conf.d"
        var files = ((try? SmallFile.list(directory)) ?? []).map { "\(directory)/\($0)" }
        files.append("/etc/apt/apt.conf")
        var lines = ""
        for file in files {
            for line in (SmallFile.text(file) ?? "").split(whereSeparator: \.isNewline) {
                let word = line.drop(while: \.isWhitespace)
                if word.lowercased().hasPrefix("acquire::"), word.hasSuffix(";") { lines += word + "\n" }
            }
        }
        return lines
    }
}

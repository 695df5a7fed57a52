/// A Python version as an image's tag begins with: `3.7` of `3.7-slim`, `3.11.4` of `3.11.4`.
struct PythonVersion: Equatable, CustomStringConvertible {
    var description: String
    private var major: Int
    private var minor: Int

    /// nil for tags such as `latest`, `slim` and `3`, which any Python 3 satisfies.
    static func inTag(_ tag: String?) -> PythonVersion? {
        guard let tag else { return nil }
        let version = tag.prefix { $0.isNumber || $0 == "." }
        let parts = version.split(separator: ".").compactMap { Int($0) }
        guard let major = parts.first else { return nil }
        if parts.count == 1 && major == 3 { return nil }
        return PythonVersion(description: String(version), major: major, minor: parts.count > 1 ? parts[1] : -1)
    }

    /// Whether a program written for this version meets the language it expects: the same major and minor number.
    func admits(_ version: String) -> Bool {
        let parts = version.split(separator: ".").compactMap { Int($0) }
        return parts.first == major && (minor < 0 || (parts.count > 1 && parts[1] == minor))
    }
}

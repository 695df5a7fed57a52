import KubeModel

/// A Python script and the modules beside it that it imports, as they travel to a trial.
struct ScriptFiles: Sendable, Equatable {
    /// The script's path in the trial, below the directory of the code.
    let script: String
    /// Contents by their paths relative to the script's directory.
    let files: [String: [UInt8]]

    /// What a ConfigMap may hold (Kubernetes' MaxSecretSize), less room for names.
    static let configMapMax = 1_000_000
    /// More is no code.
    static let bytesMax = 64 << 20

    /// - Throws: `CommandError` where the script cannot be read, or it all is more than a ConfigMap holds.
    init(_ path: String) throws(CommandError) {
        guard path.hasSuffix(".py") else { throw CommandError("expected a Python script (NAME.py), found '\(path)'", status: 64) }
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[..<$0]) } ?? "."
        script = slash.map { String(path[path.index(after: $0)...]) } ?? path
        var found: [String: [UInt8]] = [:]
        var pending = [script]
        while let file = pending.popLast() {
            guard found[file] == nil else { continue }
            let bytes = try SmallFile.read("\(directory)/\(file)")
            found[file] = bytes
            let package = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? ""
            for module in Self.imports(String(decoding: bytes, as: UTF8.self), package: package) {
                pending += try Self.files(of: module, below: directory)
            }
        }
        let total = found.values.reduce(0) { $0 + $1.count }
        guard total <= Self.bytesMax else {
            throw CommandError(
                "\(path) and the modules beside it are \(total >> 20) MiB, and at most \(Self.bytesMax >> 20) travel: install what is large into an "
                    + "environment and name that with --env, or give data with --data")
        }
        files = found
    }

    /// Whether a ConfigMap has no room for it.
    var isLarge: Bool { files.values.reduce(0) { $0 + $1.count } > Self.configMapMax }

    init(script: String, files: [String: [UInt8]]) {
        self.script = script
        self.files = files
    }

    /// Dotted names that a text imports, absolute from the script's directory. What is not beside the script is not there.
    static func imports(_ text: String, package: String) -> [String] {
        var modules: [String] = []
        let lines = text.split(separator: "\n").lazy.map { $0.drop { $0 == " " || $0 == "\t" } }
        for line in lines where line.hasPrefix("import ") || line.hasPrefix("from ") {
            let code = line.prefix { $0 != "#" && $0 != ";" }
            if code.hasPrefix("import ") {
                modules += code.dropFirst(7).split(separator: ",").compactMap { $0.split(separator: " ").first.map(String.init) }
                continue
            }
            guard let end = code.range(of: " import ") else { continue }
            var name = code[code.index(code.startIndex, offsetBy: 5)..<end.lowerBound].filter { $0 != " " }
            let dots = name.prefix { $0 == "." }.count
            if dots > 0 {
                let parents = package.split(separator: "/").dropLast(dots - 1).joined(separator: ".")
                let rest = name.dropFirst(dots)
                name = parents + (parents.isEmpty || rest.isEmpty ? "" : ".") + rest
            }
            let members = code[end.upperBound...].filter { $0 != "(" && $0 != ")" }.split(separator: ",")
            if !name.isEmpty { modules.append(name) }
            // What is imported from a package may be a module of it.
            modules += members.compactMap { $0.split(separator: " ").first.map { (name.isEmpty ? "" : name + ".") + $0 } }
        }
        return modules
    }

    /// The files that make a module up, those of its packages too; none where it does not lie below the directory.
    private static func files(of module: String, below directory: String) throws(CommandError) -> [String] {
        var files: [String] = []
        var place = ""
        for part in module.split(separator: ".") {
            place += (place.isEmpty ? "" : "/") + part
            if SmallFile.isDirectory("\(directory)/\(place)") {
                if SmallFile.exists("\(directory)/\(place)/__init__.py") { files.append("\(place)/__init__.py") }
            } else if SmallFile.exists("\(directory)/\(place).py") {
                files.append("\(place).py")
                break
            } else {
                break
            }
        }
        return files
    }

    // MARK: The ConfigMap

    /// Keys may have no slash; the volume gives the files their paths again.
    private static func key(_ path: String) -> String { path.split(separator: "/").joined(separator: "__") }

    func configMap(name: String) -> JSON {
        var data: JSON = [:]
        var binary: JSON = [:]
        for (path, bytes) in files.sorted(by: { $0.key < $1.key }) {
            if let text = String(validating: bytes, as: UTF8.self) { data[Self.key(path)] = .string(text) } else {
                binary[Self.key(path)] = .string(Base64.encode(bytes))
            }
        }
        var map: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)], "data": data]
        if binary != [:] { map["binaryData"] = binary }
        return map
    }

    func volume(configMap: String) -> JSON {
        let items = files.keys.sorted().map { path -> JSON in ["key": .string(Self.key(path)), "path": .string(path)] }
        return ["name": "code", "configMap": ["name": .string(configMap), "items": .array(items)]]
    }
}

import Glibc
import KubeModel

/// What `lab image add NAME` was given.
public enum EnvironmentSource: Sendable, Equatable {
    /// `--root DIR`: a directory that holds a whole root.
    case root(String)
    /// `--python REQUIREMENTS`: a flat requirements file, built by the set-up script (the only source that may use a network).
    case python(requirements: String)
    /// `--venv DIR`
    case venv(String)
    /// `--conda NAME`, or the path of a prefix.
    case conda(String)
    /// `--alias OTHER`
    case alias(String)
}

/// What ``ImageStore/add(_:from:)`` made of it.
public struct ImageAddition: Sendable, Equatable {
    public var entry: ImageEntry
    /// What will not work in pods, a sentence each.
    public var warnings: [String]
}

extension ImageStore {
    /// Adds or replaces the user's own environment for an image name (or pattern with `*`). Relative paths start at the
    /// current directory. Blocks while a Python environment is built, whose progress goes to this process's output.
    ///
    /// - Throws: ``ImageError``; nothing has then been changed.
    @discardableResult
    public func add(_ image: String, from source: EnvironmentSource) throws(ImageError) -> ImageAddition {
        let pattern = try ImagePattern(image)
        var lines = [
            "# Written by `lab image add`. Names and fields are those of the shipped files in \(share.environments).",
            "images: [\(quoted(pattern.description))]",
        ]
        var warnings: [String] = []
        let here = FileSystem.currentDirectory()
        switch source {
        case .root(let given):
            let directory = FileSystem.normalized(given, relativeTo: here)
            warnings = try checkRoot(directory)
            lines.append("root: \(quoted(directory))")
        case .python(let given):
            let file = FileSystem.normalized(given, relativeTo: here)
            let copy = try buildPython(file, for: pattern)
            lines += ["system: host", "python: {requirements: \(quoted(copy))}"]
            let requirements = String(decoding: try FileSystem.read(copy), as: UTF8.self)
            lines += defaultCommand(isJupyter: requirements.contains("jupyterlab"))
        case .venv(let given):
            let directory = FileSystem.normalized(given, relativeTo: here)
            warnings = try PythonPrefix(venv: directory).warnings
            lines += ["system: host", "python: {venv: \(quoted(directory))}"]
            lines += defaultCommand(isJupyter: FileSystem.isFile("\(directory)/bin/jupyter-lab"))
        case .conda(let name):
            let directory = try CondaFinder.prefix(name)
            warnings = try PythonPrefix(conda: directory).warnings
            lines += ["system: host", "python: {conda: \(quoted(directory))}"]
            lines += defaultCommand(isJupyter: FileSystem.isFile("\(directory)/bin/jupyter-lab"))
        case .alias(let other):
            warnings = try checkAlias(other, of: pattern)
            lines.append("alias: \(quoted(other))")
        }
        try FileSystem.makeDirectories(directory)
        try FileSystem.writeAtomically(Array((lines.joined(separator: "\n") + "\n").utf8), to: file(of: pattern))
        guard let entry = list().first(where: { $0.file == file(of: pattern) }) else {
            throw .invalidDefinition(file: file(of: pattern), reason: "it was written and cannot be read back")
        }
        return ImageAddition(entry: entry, warnings: warnings)
    }

    /// Removes an environment that the user added, by the name it was added under. What was built stays in the cache.
    public func remove(_ image: String) throws(ImageError) {
        let path = file(of: try ImagePattern(image))
        guard FileSystem.isFile(path) else {
            let own = list().filter { $0.origin == .user }.map(\.image)
            throw .invalidArgument(
                "\"\(image)\" was not added here; those added are: \(own.isEmpty ? "none" : own.joined(separator: ", "))"
                    + ". Shipped ones cannot be removed, only covered with `lab image add`")
        }
        if unlink(path) != 0 { throw .system(path: path, operation: "remove", code: errno) }
        unlink(requirementsCopy(of: ownName(of: try ImagePattern(image))))
    }

    /// Builds the Python environment that an image needs, unless it is there already. Blocks and may use a network.
    public func prepare(_ image: String) throws(ImageError) {
        guard let (name, file) = try requirements(of: image) else { return }
        try SetupScript(share: share, cache: cache).run(name: name, requirements: file)
    }
}

extension ImageStore {
    /// One file for each name: `/` and `*` cannot be in a file name, and `+` and `%` not in an image name.
    func file(of pattern: ImagePattern) -> String {
        let name = pattern.canonical.map { $0 == "/" ? "+" : $0 == "*" ? "%" : String($0) }.joined()
        return "\(directory)/\(name).yaml"
    }

    private func requirementsCopy(of name: String) -> String { "\(directory)/requirements/\(name).txt" }

    /// Name of the Python environment behind a user's image: readable, and unlike any other's.
    private func ownName(of pattern: ImagePattern) -> String {
        var key = Fingerprint()
        key.add(pattern.canonical)
        let allowed = pattern.canonical.split(separator: "/").last.map(String.init) ?? ""
        let readable = allowed.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let trimmed = String(readable.drop { $0 == "-" }.prefix(40))
        return "\(trimmed.isEmpty ? "own" : trimmed)-\(key.hexadecimal.prefix(8))"
    }

    /// Makes a name stand for a loaded image.
    func write(_ definition: LoadedDefinition, as name: String) throws(ImageError) {
        try FileSystem.makeDirectories(directory)
        try FileSystem.writeAtomically(Array(definition.text(name: name).utf8), to: file(of: try ImagePattern(name)))
    }

    private func quoted(_ text: String) -> String { JSON.string(text).text }

    private func checkRoot(_ root: String) throws(ImageError) -> [String] {
        guard FileSystem.isDirectory(root) else { throw .invalidArgument("--root \(root) is not a directory") }
        try PythonPrefix.refuseTooMuch(root)
        let shells = ["bin/sh", "usr/bin/sh"].contains { FileSystem.linkStatus("\(root)/\($0)") != nil }
        return shells ? [] : ["\(root) has no /bin/sh: it may not be the root of a system"]
    }

    private func checkAlias(_ other: String, of pattern: ImagePattern) throws(ImageError) -> [String] {
        let reference = try ImageReference(other)
        if pattern.matches(reference) { throw .invalidArgument("\(pattern) would be an alias of itself") }
        do throws(ImageError) {
            _ = try resolve(other)
            return []
        } catch {
            return ["\(other) cannot be used yet: \(error)"]
        }
    }

    /// Builds first and keeps the copy after, so that a failure leaves what was there.
    private func buildPython(_ file: String, for pattern: ImagePattern) throws(ImageError) -> String {
        let bytes = try FileSystem.read(file)
        let elsewhere = ["-r", "-c", "-e", "--requirement", "--constraint", "--editable", "./", "../"]
        let text = String(decoding: bytes, as: UTF8.self)
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let word = line.drop { $0 == " " || $0 == "\t" }
            guard !elsewhere.contains(where: { word.hasPrefix($0) }) else {
                throw .invalidArgument(
                    "\(file) line \(number + 1): \"\(line)\" refers to another file, whose changes would not be seen: "
                        + "write all requirements in one file (`pip freeze` does)")
            }
        }
        let name = ownName(of: pattern)
        try SetupScript(share: share, cache: cache).run(name: name, requirements: file)
        try FileSystem.makeDirectories("\(directory)/requirements")
        let copy = requirementsCopy(of: name)
        try FileSystem.writeAtomically(bytes, to: copy)
        return copy
    }

    /// A Jupyter environment starts JupyterLab, as the images of notebooks do; any other the interpreter, as `python` does.
    private func defaultCommand(isJupyter: Bool) -> [String] {
        guard isJupyter else { return ["cmd: [python3]", "env: {LANG: C.UTF-8}"] }
        let command =
            "cd \"$HOME\" && exec jupyter lab --ip=0.0.0.0 --port=8888 --no-browser --allow-root "
            + "--ServerApp.root_dir=\"$HOME\" --ServerApp.base_url=\"${NB_PREFIX:-/}\" --ServerApp.allow_remote_access=True"
        return [
            "cmd: [sh, -c, \(quoted(command))]",
            "env: {LANG: C.UTF-8, HOME: /home/jovyan, JUPYTER_RUNTIME_DIR: /tmp/jupyter_runtime}",
            "workingDir: /home/jovyan",
        ]
    }
}

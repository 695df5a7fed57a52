import Yams

/// Reads an environment file. Strict: a misspelt key is an error that names its line, not a setting that has no effect.
struct DefinitionParser {
    let file: String
    let origin: EnvironmentDefinition.Origin
    /// Directory against which relative paths are meant: that of the file.
    private var directory: String { FileSystem.directory(of: file) }

    func parse(_ bytes: [UInt8]) throws(ImageError) -> EnvironmentDefinition {
        let text = String(decoding: bytes, as: UTF8.self)
        var fingerprint = Fingerprint()
        fingerprint.add(bytes)
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw invalid("it is not YAML: \(error)")
        }
        guard let node, let mapping = node.mapping else { throw invalid("expected a mapping with images:, found none") }
        var definition = EnvironmentDefinition(
            name: String(FileSystem.lastComponent(file).dropLast(".yaml".count)), file: file,
            fingerprint: fingerprint.hexadecimal, origin: origin, images: [], base: .host)
        var bases: [String] = []
        for (key, value) in mapping {
            let name = key.string ?? ""
            switch name {
            case "images":
                for image in try strings(value, name) { definition.images.append(try ImagePattern(image)) }
            case "system":
                guard value.string == "host" else {
                    throw invalid("system: expected host\(at(value)); for a directory write root: DIR")
                }
                bases.append(name)
            case "root":
                definition.base = .root(try path(value, name))
                bases.append(name)
            case "layers": definition.builtLayers = try layers(value)
            case "image": try parseImage(value, into: &definition)
            case "stopSignal": definition.stopSignal = try string(value, name)
            case "alias":
                let alias = try string(value, name)
                _ = try ImageReference(alias)
                definition.base = .alias(alias)
                bases.append(name)
            case "python": try parsePython(value, into: &definition)
            case "files":
                definition.files = try strings(value, name).map { FileSystem.normalized($0, relativeTo: directory) }
            case "env": definition.environmentVariables = try variables(value)
            case "entrypoint": definition.entrypoint = try strings(value, name)
            case "cmd": definition.command = try strings(value, name)
            case "workingDir":
                definition.workingDirectory = try string(value, name)
                guard definition.workingDirectory.hasPrefix("/") else {
                    throw invalid("workingDir: expected an absolute path\(at(value))")
                }
            case "user": definition.user = try user(value)
            case "warning": definition.warning = try string(value, name)
            case "writableSystem": definition.writableSystem = try flag(value, name)
            default:
                throw invalid(
                    "unknown field \"\(name)\"\(at(key)): expected images, system, root, layers, alias, image, python, files, env, "
                        + "entrypoint, cmd, workingDir, user, stopSignal, warning or writableSystem")
            }
        }
        // On nothing else, layers are the whole image.
        if bases.isEmpty, !definition.builtLayers.isEmpty {
            definition.base = .layers(definition.builtLayers)
            definition.builtLayers = []
            bases.append("layers")
        }
        if !definition.builtLayers.isEmpty, bases == ["alias"] { throw invalid("layers: cannot lie on an alias") }
        if definition.images.isEmpty { throw invalid("images: is missing or empty: expected a list of image names") }
        if bases.count != 1 {
            let found = bases.isEmpty ? "none" : bases.joined(separator: " and ")
            throw invalid("expected one of system: host, root: DIR, layers: and alias: IMAGE, found \(found)")
        }
        return definition
    }

    private func parsePython(_ node: Node, into definition: inout EnvironmentDefinition) throws(ImageError) {
        guard let mapping = node.mapping else { throw invalid("python: expected a mapping\(at(node))") }
        for (key, value) in mapping {
            switch key.string ?? "" {
            case "requirements":
                let given = try string(value, "python.requirements")
                // A bare name is a shipped file; a path is the user's own, named after the definition.
                let own = given.contains("/")
                let file = FileSystem.normalized(own ? given : "requirements/\(given).txt", relativeTo: directory)
                let last = FileSystem.lastComponent(file)
                let name = last.hasSuffix(".txt") ? String(last.dropLast(4)) : last
                definition.python = .requirements(name: name, file: file)
            case "venv": definition.python = .venv(try path(value, "python.venv"))
            case "conda": definition.python = .conda(try path(value, "python.conda"))
            case "versionFromTag": definition.versionFromTag = try flag(value, "python.versionFromTag")
            case let other:
                throw invalid("unknown field \"python.\(other)\"\(at(key)): expected requirements, venv, conda or versionFromTag")
            }
        }
    }

    /// Layers are named by digest and lie beside the directory of the definitions, wherever the lab's state is.
    private func layers(_ node: Node) throws(ImageError) -> [String] {
        var result: [String] = []
        for text in try strings(node, "layers") {
            guard let digits = Digest.digits(text) else { throw invalid("layers: expected digests of the form sha256:…, found \"\(text)\"\(at(node))") }
            result.append(FileSystem.normalized("../images/layers/\(digits)", relativeTo: directory))
        }
        if result.isEmpty { throw invalid("layers: is empty\(at(node))") }
        return result
    }

    private func parseImage(_ node: Node, into definition: inout EnvironmentDefinition) throws(ImageError) {
        guard let mapping = node.mapping else { throw invalid("image: expected a mapping\(at(node))") }
        for (key, value) in mapping {
            switch key.string ?? "" {
            case "manifest":
                let text = try string(value, "image.manifest")
                guard Digest.digits(text) != nil else { throw invalid("image.manifest: expected sha256:…, found \"\(text)\"\(at(value))") }
                definition.manifest = text
            case "bytes":
                guard let bytes = Int64(try string(value, "image.bytes")) else { throw invalid("image.bytes: expected a number\(at(value))") }
                definition.bytes = bytes
            case let other: throw invalid("unknown field \"image.\(other)\"\(at(key)): expected manifest or bytes")
            }
        }
    }

    private func variables(_ node: Node) throws(ImageError) -> [EnvironmentVariable] {
        guard let mapping = node.mapping else { throw invalid("env: expected a mapping of names to values\(at(node))") }
        var result: [EnvironmentVariable] = []
        for (key, value) in mapping {
            guard let name = key.string, !name.isEmpty, !name.contains("=") else {
                throw invalid("env: a name is empty or has an =\(at(key))")
            }
            result.append(EnvironmentVariable(name: name, value: try string(value, "env.\(name)")))
        }
        return result
    }

    private func user(_ node: Node) throws(ImageError) -> String {
        let text = try string(node, "user")
        let ids = text.split(separator: ":", omittingEmptySubsequences: false)
        guard ids.count <= 2, ids.allSatisfy({ UInt32($0) != nil }) else {
            throw invalid("user: expected uid or uid:gid in numbers, found \"\(text)\"\(at(node))")
        }
        return text
    }

    private func path(_ node: Node, _ key: String) throws(ImageError) -> String {
        let text = try string(node, key)
        guard text.hasPrefix("/") else { throw invalid("\(key): expected an absolute path, found \"\(text)\"\(at(node))") }
        return FileSystem.normalized(text)
    }

    private func string(_ node: Node, _ key: String) throws(ImageError) -> String {
        guard let scalar = node.scalar else { throw invalid("\(key): expected a string\(at(node))") }
        return scalar.string
    }

    private func strings(_ node: Node, _ key: String) throws(ImageError) -> [String] {
        // One string may stand for a list of one.
        if let scalar = node.scalar { return [scalar.string] }
        guard let sequence = node.sequence else { throw invalid("\(key): expected a list of strings\(at(node))") }
        var result: [String] = []
        for element in sequence { result.append(try string(element, key)) }
        return result
    }

    private func flag(_ node: Node, _ key: String) throws(ImageError) -> Bool {
        switch node.scalar?.string {
        case "true": return true
        case "false": return false
        default: throw invalid("\(key): expected true or false\(at(node))")
        }
    }

    private func at(_ node: Node) -> String { node.mark.map { " (line \($0.line))" } ?? "" }

    private func invalid(_ reason: String) -> ImageError { .invalidDefinition(file: file, reason: reason) }
}

extension EnvironmentDefinition {
    /// For `lab image list`.
    var summary: String {
        switch base {
        case .alias(let other): return "alias of \(other)"
        case .root(let directory): return built + "root \(directory)"
        case .layers(let layers):
            let tenths = (bytes * 10 + 500_000) / 1_000_000
            let count = layers.count == 1 ? "1 layer" : "\(layers.count) layers"
            return "image \((manifest ?? "").dropFirst(7).prefix(12)), \(count), \(tenths / 10).\(tenths % 10) MB"
        case .host:
            switch python {
            case .requirements(let name, _): return built + "host system + Python environment \(name)"
            case .venv(let directory): return built + "host system + virtual environment \(directory)"
            case .conda(let directory): return built + "host system + conda prefix \(directory)"
            case nil: return built + "host system"
            }
        }
    }

    /// Of what a build put on something of this machine.
    private var built: String {
        guard let manifest else { return "" }
        let count = builtLayers.count == 1 ? "1 layer" : "\(builtLayers.count) layers"
        return "image \(manifest.dropFirst(7).prefix(12)), \(count) on "
    }
}

import KubeModel

/// What a stage begins with.
struct BuildBase: Sendable {
    var configuration = BuildConfiguration()
    /// Of an image, lowest first.
    var layers: [BuildLayer] = []
    var history: [JSON] = []
    /// Directories below all layers, topmost first, and mounts: of an environment that stands on something of this machine.
    var lower: [String] = []
    var mounts: [EnvironmentMount] = []
    /// Layers for the sources of mounts that somebody else owns, by target.
    var ways: [String: String] = [:]
    /// The definition's lines that say what that is; none for an image that is whole in itself.
    var lines: [String] = []

    /// Stands for what is below the first layer, where that is no layer.
    var identity: String? { lines.isEmpty ? nil : Digest.of(Array((lines + lower).joined(separator: "\n").utf8)) }
}

extension ImageStore {
    /// - Throws: ``ImageError/unresolved(_:)`` where the name does not stand for anything here.
    func buildBase(_ image: String) throws(ImageError) -> BuildBase {
        if image == "scratch" { return BuildBase() }
        let definition: EnvironmentDefinition
        let environment: ResolvedEnvironment
        if image == EnvironmentFile.host {
            definition = .host
            environment = try assemble(definition, for: try ImageReference(image), written: image)
        } else {
            environment = try resolve(image)
            guard let found = try underlying(image) else { return BuildBase() }
            definition = found
        }
        var base = BuildBase(configuration: BuildConfiguration(environment))
        if let digest = definition.manifest { try read(digest, definition, into: &base) }
        if case .layers = definition.base { return base }
        let lower = environment.lowerDirectories.filter { !definition.builtLayers.contains($0) }
        let foreign = ForeignDirectories(cache: "\(cache.path)/system")
        for directory in lower { if let ways = try foreign.ways(over: directory) { base.lower.append(ways) } }
        base.lower += lower
        for mount in environment.mounts where FileSystem.isDirectory(mount.source) {
            if let ways = try foreign.ways(over: mount.source) { base.ways[mount.target] = ways }
        }
        base.mounts = environment.mounts.map { EnvironmentMount(kind: $0.kind, source: $0.source, target: $0.target) }
        base.lines = definition.baseLines
        return base
    }

    /// The definition that a name leads to in the end.
    private func underlying(_ image: String) throws(ImageError) -> EnvironmentDefinition? {
        var reference = try ImageReference(image)
        for _ in 0..<8 {
            guard let definition = definition(for: reference) else { return nil }
            guard case .alias(let other) = definition.base else { return definition }
            reference = try ImageReference(other)
        }
        return nil
    }

    private func read(_ manifestDigest: String, _ definition: EnvironmentDefinition, into base: inout BuildBase) throws(ImageError) {
        let content = content
        func parsed(_ digest: String?) throws(ImageError) -> JSON {
            guard let file = digest.flatMap(content.blob) else { throw .damagedArchive(file: content.directory, reason: "a manifest names no configuration") }
            let bytes = try FileSystem.read(file)
            do { return try JSONParser.parse(bytes) } catch { throw .damagedArchive(file: file, reason: "\(error)") }
        }
        let manifest = try parsed(manifestDigest)
        let image = try parsed(manifest["config"]["digest"].stringValue)
        var directories = definition.builtLayers
        if case .layers(let all) = definition.base { directories = all }
        base.configuration = BuildConfiguration(image: image)
        base.history = image["history"].elements
        let parts = zip(manifest["layers"].elements, image["rootfs"]["diff_ids"].elements)
        for (directory, (descriptor, diffID)) in zip(directories.reversed(), parts) {
            base.layers.append(
                BuildLayer(
                    chain: "sha256:" + FileSystem.lastComponent(directory), diffID: diffID.stringValue ?? "", digest: descriptor["digest"].stringValue ?? "",
                    size: Int64(descriptor["size"].intValue ?? 0), mediaType: descriptor["mediaType"].stringValue ?? BuildLayer.plain))
        }
    }
}

extension EnvironmentDefinition {
    /// The machine's own system and nothing else.
    static let host = EnvironmentDefinition(name: "host", file: "", fingerprint: "", origin: .shipped, images: [], base: .host)

    /// Its base, as the lines of another definition on the same one.
    var baseLines: [String] {
        func quoted(_ text: String) -> String { JSON.string(text).text }
        var lines: [String] = []
        switch base {
        case .host: lines.append("system: host")
        case .root(let directory): lines.append("root: \(quoted(directory))")
        case .layers, .alias: return []
        }
        switch python {
        case .requirements(_, let file): lines.append("python: {requirements: \(quoted(file))}")
        case .venv(let directory): lines.append("python: {venv: \(quoted(directory))}")
        case .conda(let directory): lines.append("python: {conda: \(quoted(directory))}")
        case nil: break
        }
        if !files.isEmpty { lines.append("files: \(JSON.array(files.map { .string($0) }).text)") }
        if writableSystem { lines.append("writableSystem: true") }
        return lines
    }
}

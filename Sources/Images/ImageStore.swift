import Glibc
import Synchronization

/// Resolves image names to environments of this machine, and keeps the user's own environments.
///
/// Definitions are files: the shipped ones in `SHARE/environments`, the user's in `STATE/environments`, which come first.
/// They are read again when a file has changed, found out by stat, so `lab image add` works on a running lab without telling
/// it. Safe to use from any thread; a call blocks for file operations only (microseconds, except the first that builds the
/// skeleton root of the host's system, some 100 ms once a machine).
///
///     let store = ImageStore(state: "/var/lib/kindling", share: try .locate(), cache: .standard(isRoot: true))
///     let environment = try store.resolve("docker.io/kubeflowkatib/mxnet-mnist:v1beta1-45c5727")
public final class ImageStore: Sendable {
    /// `STATE/environments`: the user's definitions.
    public let directory: String
    public let share: ShareDirectory
    public let cache: CacheDirectory
    private let index: Mutex<DefinitionIndex>
    private let systemRoot: SystemRoot

    /// Touches nothing on disk.
    ///
    /// - Parameters:
    ///   - state: the lab's state directory, absolute.
    ///   - share: see ``ShareDirectory/locate(explicit:)``.
    ///   - cache: see ``CacheDirectory/standard(isRoot:)``.
    public init(state: String, share: ShareDirectory, cache: CacheDirectory) {
        self.directory = "\(state)/environments"
        self.share = share
        self.cache = cache
        self.index = Mutex(DefinitionIndex(user: "\(state)/environments", shipped: share.environments))
        self.systemRoot = SystemRoot(directory: "\(cache.path)/system")
    }

    /// What the name stands for. Cheap enough to be called for every container.
    ///
    /// - Throws: ``ImageError/invalidReference(image:reason:)`` for a name that is none, ``ImageError/unresolved(_:)`` with
    ///   the command that would resolve it, ``ImageError/system(path:operation:code:)`` when the skeleton cannot be built.
    public func resolve(_ image: String) throws(ImageError) -> ResolvedEnvironment {
        let reference = try ImageReference(image)
        var target = reference
        // An alias may name another; a loop must end, and with a message.
        for _ in 0..<8 {
            guard let definition = definition(for: target) else {
                throw .unresolved(unknown(image, target, isAlias: target != reference))
            }
            guard case .alias(let other) = definition.base else {
                return try assemble(definition, for: reference, written: image)
            }
            target = try ImageReference(other)
        }
        throw .unresolved(
            UnresolvedImage(
                image: image, reason: "its alias leads through more than 8 others, or back to itself",
                command: "lab image add \(reference.familiar) --alias python:3"))
    }

    /// All names and patterns, the user's first, each with whether it can be used now.
    public func list() -> [ImageEntry] {
        index.withLock { $0.definitions() }.flatMap { definition in
            let problem: ImageError? = self.problem(of: definition)
            return definition.images.map {
                ImageEntry(
                    image: $0.description, environment: definition.name, file: definition.file, origin: definition.origin,
                    summary: definition.summary, problem: problem)
            }
        }
    }

    /// Definition files that cannot be read, each with the reason. The others work nevertheless.
    public func problems() -> [ImageError] { index.withLock { $0.problems() } }

    /// Whether the name is one that the user added on this machine, so that no registry need have it (`lab export --check`).
    public func isLocalOnly(_ image: String) -> Bool {
        guard let reference = try? ImageReference(image) else { return false }
        return definition(for: reference)?.origin == .user
    }

    func loadedDefinitions() -> [EnvironmentDefinition] { index.withLock { $0.definitions() }.filter { $0.manifest != nil } }

    func definition(for image: ImageReference) -> EnvironmentDefinition? {
        index.withLock { $0.find(image) }
    }

    /// Name and file of the requirements behind an image; nil where it has none.
    func requirements(of image: String) throws(ImageError) -> (name: String, file: String)? {
        var reference = try ImageReference(image)
        for _ in 0..<8 {
            guard let definition = definition(for: reference) else { return nil }
            guard case .alias(let other) = definition.base else {
                if case .requirements(let name, let file) = definition.python { return (name, file) }
                return nil
            }
            reference = try ImageReference(other)
        }
        return nil
    }

    func unknown(_ image: String, _ target: ImageReference, isAlias: Bool) -> UnresolvedImage {
        var reason =
            isAlias
            ? "it is an alias of \(target.familiar), for which no environment is known"
            : "no environment of this machine has that name"
        let broken = problems()
        if let first = broken.first {
            let count = broken.count == 1 ? "a definition" : "\(broken.count) definitions"
            reason += " (\(count) cannot be read: \(first))"
        }
        return UnresolvedImage(
            image: image, reason: reason, command: "lab image add \(target.familiar) --alias python:3")
    }

    private func problem(of definition: EnvironmentDefinition) -> ImageError? {
        do throws(ImageError) {
            if case .alias(let other) = definition.base {
                _ = try resolve(other)
            } else if let image = definition.images.first {
                _ = try parts(of: definition, image: image.description)
                try requireLayers(of: definition, image: image.description, name: image.description)
            }
            return nil
        } catch {
            return error
        }
    }
}

extension ImageStore {
    /// What a definition contributes besides its own fields.
    private struct Parts {
        var lower: [String] = []
        var mounts: [EnvironmentMount] = []
        var path: [String] = []
        var variables: [EnvironmentVariable] = []
        var pythonVersion: String?
    }

    private func parts(of definition: EnvironmentDefinition, image: String) throws(ImageError) -> Parts {
        var parts = Parts()
        parts.lower = definition.builtLayers + definition.files
        switch definition.python {
        case .requirements(let name, let file):
            let built = try BuiltPython.load(name: name, requirements: file, image: image, share: share, cache: cache)
            parts.lower.append(built.root)
            parts.path = ["\(built.target)/bin"]
            parts.variables = [EnvironmentVariable(name: "VIRTUAL_ENV", value: built.target)]
            parts.pythonVersion = built.version
            parts.mounts += built.mounts
        case .venv(let directory):
            let prefix = try PythonPrefix(venv: directory)
            parts.path = ["\(directory)/bin"]
            parts.variables = [EnvironmentVariable(name: "VIRTUAL_ENV", value: directory)]
            parts.pythonVersion = prefix.version
            parts.mounts += prefix.mounts
        case .conda(let directory):
            let prefix = try PythonPrefix(conda: directory)
            parts.path = ["\(directory)/bin"]
            parts.variables = [
                EnvironmentVariable(name: "CONDA_PREFIX", value: directory),
                EnvironmentVariable(name: "CONDA_DEFAULT_ENV", value: FileSystem.lastComponent(directory)),
            ]
            parts.pythonVersion = prefix.version
            parts.mounts += prefix.mounts
        case nil:
            break
        }
        return parts
    }

    func assemble(
        _ definition: EnvironmentDefinition, for image: ImageReference, written: String
    ) throws(ImageError) -> ResolvedEnvironment {
        var parts = try parts(of: definition, image: written)
        try requireLayers(of: definition, image: written, name: image.familiar)
        switch definition.base {
        case .root(let root):
            guard FileSystem.isDirectory(root) else {
                throw .unresolved(
                    UnresolvedImage(
                        image: written, reason: "its root \(root) is not a directory any more",
                        command: "lab image add \(image.familiar) --root DIR"))
            }
            parts.lower.append(root)
        case .layers(let layers):
            parts.lower += layers
        case .host, .alias:
            let own = geteuid()
            if parts.lower.contains(where: { layer in FileSystem.status(layer).map { $0.st_uid != own } ?? false }) {
                parts.lower.insert(try systemRoot.ways(), at: definition.builtLayers.count)
            }
            parts.lower.append(try systemRoot.skeleton())
            // Before the rest: a base interpreter may lie under /usr/local only as a link.
            parts.mounts = systemRoot.mounts(writable: definition.writableSystem) + parts.mounts
            parts.pythonVersion = parts.pythonVersion ?? SystemRoot.pythonVersion
        }
        parts.mounts = parts.mounts.map { $0.covered(by: definition.builtLayers) }
        return ResolvedEnvironment(
            image: image, name: definition.name, imageID: imageID(definition, image, parts.lower),
            lowerDirectories: parts.lower, mounts: parts.mounts,
            environmentVariables: variables(definition, parts), entrypoint: definition.entrypoint,
            command: definition.command, workingDirectory: definition.workingDirectory, user: definition.user,
            stopSignal: definition.stopSignal, pythonVersion: parts.pythonVersion,
            warnings: warnings(definition, image, parts.pythonVersion))
    }

    private func requireLayers(of definition: EnvironmentDefinition, image: String, name: String) throws(ImageError) {
        var layers = definition.builtLayers
        if case .layers(let all) = definition.base { layers = all }
        guard let lost = layers.first(where: { !FileSystem.isDirectory($0) }) else { return }
        throw .unresolved(
            UnresolvedImage(image: image, reason: "its layer \(lost) is gone", command: "lab image load ARCHIVE --tag \(name)"))
    }

    private func imageID(_ definition: EnvironmentDefinition, _ image: ImageReference, _ lower: [String]) -> String {
        if let manifest = definition.manifest { return "\(image.domain)/\(image.path)@\(manifest)" }
        var fingerprint = Fingerprint()
        fingerprint.add(definition.fingerprint)
        for directory in lower { fingerprint.add(directory + "\n") }
        return "kindling://\(definition.name)@\(fingerprint.hexadecimal)"
    }

    private func variables(_ definition: EnvironmentDefinition, _ parts: Parts) -> [EnvironmentVariable] {
        // A loaded or built image is what it was elsewhere, down to its variables.
        if definition.manifest != nil, definition.environmentVariables.contains(where: { $0.name == "PATH" }) {
            return definition.environmentVariables
        }
        let path = parts.path + ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        var result = [EnvironmentVariable(name: "PATH", value: path.joined(separator: ":"))]
        for variable in parts.variables + definition.environmentVariables {
            // A definition's own PATH is put before, so that it cannot lose the interpreter by accident.
            if variable.name == "PATH" {
                result[0].value = "\(variable.value):\(result[0].value)"
            } else if let at = result.firstIndex(where: { $0.name == variable.name }) {
                result[at] = variable
            } else {
                result.append(variable)
            }
        }
        return result
    }

    private func warnings(_ definition: EnvironmentDefinition, _ image: ImageReference, _ version: String?) -> [String] {
        var warnings: [String] = []
        if definition.versionFromTag, let asked = PythonVersion.inTag(image.tag), let version, !asked.admits(version) {
            warnings.append(
                "image \(image.familiar) asks for Python \(asked), and the environment \(definition.name) "
                    + "that stands for it here has \(version)")
        }
        if let warning = definition.warning { warnings.append("\(image.familiar): \(warning)") }
        if let digest = image.digest, digest != definition.manifest {
            warnings.append(
                "image \(image.familiar) is named by digest, and the environment \(definition.name) that stands "
                    + "for it here is not known to be \(digest)")
        }
        return warnings
    }
}

@testable import Images
import Synchronization

@testable import Node

/// Knows `busybox` and what a test adds.
final class FakeImages: ImageResolver {
    let watchedDirectory: String?
    private let known = Mutex<Set<String>>(["busybox"])

    init(directory: String) { watchedDirectory = directory }

    /// Makes a name known as `lab image add` would: with a file in the watched directory.
    func add(_ image: String) throws {
        known.withLock { _ = $0.insert(image) }
        try Files.write([], to: "\(watchedDirectory ?? "")/\(image).yaml")
    }

    func resolve(_ image: String) throws(ImageError) -> ResolvedEnvironment {
        let reference = try ImageReference(image)
        guard known.withLock({ $0.contains(image) }) else {
            throw .unresolved(UnresolvedImage(
                image: image, reason: "no environment of this machine has that name", command: "lab image add \(image) --alias python:3"))
        }
        return Self.environment(reference)
    }

    static func environment(_ reference: ImageReference) -> ResolvedEnvironment {
        ResolvedEnvironment(
            image: reference, name: reference.path, imageID: "kindling://\(reference.path)@1", lowerDirectories: ["/srv/root"], mounts: [],
            environmentVariables: [EnvironmentVariable(name: "PATH", value: "/bin")], entrypoint: [], command: ["sh"],
            workingDirectory: "/", user: "", pythonVersion: nil, warnings: [])
    }
}

import Glibc
import Images
import KubeModel
import Sandbox

/// `labd measure-sandbox`, for `make bench`: /bin/true from start to exit in the sandbox that a pod's container gets, without
/// the API, the catalogue and the scheduler. Runs in the namespaces of its caller, which must allow mounts.
///
/// Prints one JSON object: `cold` and `warm`, each a list of nanoseconds from before the start to the news of the exit. `cold`
/// starts the supervisor within the measured time; `warm` takes one that waits, as labd does.
enum SandboxMeasurement {
    static let command = "measure-sandbox"

    /// - Parameter arguments: `SHIM DIRECTORY COUNT`: path of lab-shim, an existing directory for the runs, runs of each kind.
    static func run(_ arguments: [String]) async throws {
        guard arguments.count == 3, let count = Int(arguments[2]), count > 0 else {
            throw DaemonError.arguments(problem: "labd \(command): expected SHIM DIRECTORY COUNT, found \(arguments)")
        }
        let (shim, directory) = (arguments[0], arguments[1])
        let images = ImageStore(
            state: directory, share: try ShareDirectory.locate(), cache: CacheDirectory(path: "\(directory)/cache"))
        let environment = try images.resolve("debian")
        var result: JSON = [:]
        for (name, supervisors) in [("cold", 0), ("warm", 4)] {
            let runtime = try SandboxRuntime(
                configuration: SandboxConfiguration(shimPath: shim, instance: "measure-\(getpid())-\(name)", warmSupervisors: supervisors))
            var spec = SandboxSpec(
                identifier: name, stateDirectory: directory, rootLower: environment.lowerDirectories, arguments: ["/bin/true"],
                log: LogPolicy(path: "\(directory)/log"))
            spec.environment = environment.environmentVariables.map { "\($0.name)=\($0.value)" }
            spec.mounts = environment.mounts.map { mount in
                switch mount.kind {
                case .bind: Mount(kind: .bind(source: mount.source, subPath: nil), target: mount.target, readOnly: true)
                case .overlay: Mount(kind: .overlay(source: mount.source, above: mount.above), target: mount.target)
                }
            }
            let times = try await SandboxBenchmark.startToExit(runtime, template: spec, count: count)
            result[name] = .array(times.map { .int($0) })
        }
        print(result.text)
    }
}

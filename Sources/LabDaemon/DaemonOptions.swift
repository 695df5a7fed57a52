/// What `labd` is told on its command line. `lab up` writes it; a person rarely does.
public struct DaemonOptions: Sendable {
    public var paths: LabPaths
    /// The directory of the files that ship with Kindling; found beside the binary where it is not given.
    public var share: String?
    /// The C program that supervises containers.
    public var shim: String
    /// The loopback port of the API. 0 takes the port of the last time, or else any free one.
    public var port: Int
    /// Whether the lab belongs to root of the machine. Inside its namespace labd is always uid 0, so it is told.
    public var isRoot: Bool
    /// How often the machine's cpu may be promised to pods; 1 is as kube-scheduler does it.
    public var cpuOvercommit: Double
    /// Whether pods may reach the world outside the lab.
    public var hasUplink: Bool

    /// Directories of CDI files beside the usual ones.
    public var deviceDirectories: [String] = []
    /// Among how many pods each GPU is shared.
    public var gpuSlices: Int

    /// Reads `labd`'s arguments.
    /// - Throws: `DaemonError.arguments` naming the first one that is wrong.
    public init(arguments: [String]) throws(DaemonError) {
        var values: [String: String] = [:]
        var flags: Set<String> = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--root", "--uplink": flags.insert(argument)
            case "--cdi-dir":
                guard let value = rest.popFirst() else { throw .arguments(problem: "labd: --cdi-dir needs a value") }
                deviceDirectories.append(value)
            case "--state", "--runtime", "--share", "--shim", "--port", "--cpu-overcommit", "--gpu-slices":
                guard let value = rest.popFirst() else { throw .arguments(problem: "labd: \(argument) needs a value") }
                values[argument] = value
            default: throw .arguments(problem: "labd: unknown argument \(argument); start the daemon with 'lab up'")
            }
        }
        guard let state = values["--state"], let runtime = values["--runtime"], let shim = values["--shim"] else {
            throw .arguments(problem: "labd: --state, --runtime and --shim are needed; start the daemon with 'lab up'")
        }
        guard let port = Int(values["--port"] ?? "0"), (0...65535).contains(port) else {
            throw .arguments(problem: "labd: --port must be a number up to 65535, found \(values["--port"] ?? "")")
        }
        guard let overcommit = Double(values["--cpu-overcommit"] ?? "1"), overcommit >= 1 else {
            throw .arguments(problem: "labd: --cpu-overcommit must be a number not below 1, found \(values["--cpu-overcommit"] ?? "")")
        }
        guard let slices = Int(values["--gpu-slices"] ?? "1"), (1...1000).contains(slices) else {
            throw .arguments(problem: "labd: --gpu-slices must be a number from 1 to 1000, found \(values["--gpu-slices"] ?? "")")
        }
        gpuSlices = slices
        paths = LabPaths(state: state, runtime: runtime)
        share = values["--share"]
        self.shim = shim
        self.port = port
        isRoot = flags.contains("--root")
        cpuOvercommit = overcommit
        hasUplink = flags.contains("--uplink")
    }
}

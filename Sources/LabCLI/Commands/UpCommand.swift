import ArgumentParser
import LabDaemon

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Start the lab and wait until it is ready.",
        discussion: """
            Starts labd in the background, writes a kubeconfig beside the lab's state and says where. Pods that ran on
            while labd was away are picked up.

            Example:
              lab up
              lab --state ~/second-lab up --port 7443
            """)

    @Flag(help: "Stay in the foreground with labd's log on the terminal; ctrl-c ends the lab.")
    var foreground = false
    @Option(help: ArgumentHelp("The loopback port of the API; without it the one of the last time, or any free one.", valueName: "port"))
    var port: Int?
    @Option(
        help: ArgumentHelp("The directory of the files that ship with Kindling (etc of the source).", valueName: "dir"),
        completion: .directory)
    var share: String?

    @Flag(help: "Let pods reach the world outside the lab, through pasta or, as root, a masqueraded veth.")
    var uplink = false
    @Option(help: ArgumentHelp("How often the machine's cpus may be promised to pods; memory and GPUs never are.", valueName: "factor"))
    var cpuOvercommit: Double?
    @Option(
        help: ArgumentHelp("A directory of CDI files, beside /etc/cdi and /var/run/cdi; may be given several times.", valueName: "dir"),
        completion: .directory)
    var cdiDir: [String] = []
    @Option(help: ArgumentHelp("Share each GPU among so many pods, which take turns on it and have its memory in common.", valueName: "number"))
    var gpuSlices: Int?

    func validate() throws {
        if let cpuOvercommit, !(cpuOvercommit >= 1 && cpuOvercommit <= 1000) {
            throw ValidationError("--cpu-overcommit: expected a number from 1 to 1000, found \(cpuOvercommit)")
        }
        if let gpuSlices, !(1...1000).contains(gpuSlices) { throw ValidationError("--gpu-slices: expected 1 to 1000, found \(gpuSlices)") }
        for directory in cdiDir where !SmallFile.exists(directory) { throw ValidationError("--cdi-dir: there is no directory \(directory)") }
        if let port, !(1...65535).contains(port) { throw ValidationError("--port: expected 1 to 65535, found \(port)") }
    }

    func run() async throws {
        let context = LabContext.current
        let starter = LabStarter(
            context: context,
            settings: .init(
                port: port, share: share, cpuOvercommit: cpuOvercommit, hasUplink: uplink,
                deviceDirectories: cdiDir.map { SmallFile.realPath($0) ?? $0 }, gpuSlices: gpuSlices))
        if foreground { return try await ForegroundLab(starter: starter).run() }
        let result = try await starter.start()
        for loss in result.lost { Output.note("lost while the lab was away: \(loss)") }
        if result.wasRunning, let port, port != result.record.port {
            throw CommandError(
                "the lab already runs, on port \(result.record.port): '\(context.command) down --keep-pods', then up with --port \(port)")
        }
        Self.tell(result.record, wasRunning: result.wasRunning, context)
    }

    static func tell(_ record: DaemonRecord, wasRunning: Bool, _ context: LabContext) {
        Output.line(
            "The lab \(wasRunning ? "already runs" : "is ready") at https://127.0.0.1:\(record.port) (labd \(record.version), process \(record.pid))."
        )
        Output.line("  kubeconfig  \(context.paths.kubeconfig)")
        Output.line("  kubectl     export KUBECONFIG=\(Shell.word(context.paths.kubeconfig))   or: \(context.command) kubeconfig --merge")
    }
}

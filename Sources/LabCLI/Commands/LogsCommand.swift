import ArgumentParser
import KubeModel

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show what pods print.",
        discussion: """
            TARGET is a pod, or something that has pods: job/x, trial/x, experiment/x, workflow/x, notebook/x. A bare name may
            be any of them. Where there are several pods, each line begins with its step or pod.

            Example:
              lab logs workflow/kubeflow-test-x7k2 -f -n kubeflow-user-example-com
              lab logs mypod -c main --tail 20
            """)

    @Argument(help: ArgumentHelp("A pod's name, or KIND/NAME.", valueName: "target"))
    var target: String
    @OptionGroup var namespace: NamespaceOption
    @Flag(name: [.short, .long], help: "Go on until the pods have ended.")
    var follow = false
    @Option(name: [.short, .long], help: ArgumentHelp("One container of each pod; without it, the pod's first.", valueName: "container"))
    var container: String?
    @Flag(help: "All containers, init containers too.")
    var allContainers = false
    @Flag(name: [.short, .long], help: "Of the container's earlier run.")
    var previous = false
    @Option(help: ArgumentHelp("Only so many lines from the end.", valueName: "lines"))
    var tail: Int?
    @Option(help: ArgumentHelp("Only what is younger, e.g. 5m.", valueName: "duration"))
    var since: String?
    @Flag(help: "Each line begins with its time.")
    var timestamps = false
    @Flag(help: "Each line begins with its pod, even where there is one only.")
    var prefix = false

    func run() async throws {
        var options = LogOptions(
            container: container, allContainers: allContainers, follows: follow, previous: previous, tail: tail, timestamps: timestamps,
            alwaysPrefixes: prefix)
        if let since {
            guard let duration = GoDuration.parse(since), duration > .zero else {
                throw ValidationError("--since: expected a duration such as 90s, 5m or 1h30m, found '\(since)'")
            }
            options.sinceSeconds = max(1, Int(duration.components.seconds))
        }
        try await APIClient.use { [options] client in
            let space = namespace.resolved(client)
            let target = try await LogTarget.find(target, namespace: space, client)
            try await LogPrinter(client: client, target: target, options: options).run()
        }
    }
}

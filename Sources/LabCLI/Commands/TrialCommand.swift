import ArgumentParser
import Glibc
import Katib
import KubeModel

struct TrialCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trial",
        abstract: "Run a trial again, or look into one.",
        discussion: """
            Example:
              lab trial rerun train-x7k2p-h5kd2m8q --set lr=0.02
              lab trial debug train-x7k2p-h5kd2m8q
            """,
        subcommands: [Rerun.self, Debug.self])

    /// A Trial, and its Experiment where that is still there.
    private static func find(_ name: String, _ namespace: NamespaceOption, _ client: APIClient) async throws -> (trial: JSON, experiment: JSON?, resource: APIResource) {
        let catalog = try await client.discover()
        let resource = try catalog.find("trials.kubeflow.org")
        let space = namespace.resolved(client)
        let trial = ObjectQuery.named(name, resource, space).typed(try await client.request(.GET, resource.path(namespace: space, name: name)))
        let owner = trial["metadata"]["ownerReferences"].elements.first { $0["kind"].stringValue == "Experiment" }
        guard let owner, let experiment = owner["name"].stringValue else { return (trial, nil, resource) }
        let answer = try await client.exchange(.GET, try catalog.find("experiments.kubeflow.org").path(namespace: space, name: experiment))
        return (trial, answer.status == 200 ? try answer.json() : nil, resource)
    }

    struct Rerun: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run what a trial ran once more, with the same environment and volumes.",
            discussion: """
                The new trial, NAME-rerun-1, counts for nothing in the experiment and goes with it. No rule of early stopping ends it.

                Example:
                  lab trial rerun train-x7k2p-h5kd2m8q
                  lab trial rerun train-x7k2p-h5kd2m8q --set lr=0.02 --set opt=adam
                """)

        @Argument(help: ArgumentHelp("The trial.", valueName: "name")) var name: String
        @Option(name: .customLong("set"), parsing: .singleValue, help: ArgumentHelp("A parameter with another value.", valueName: "name=value"))
        var changes: [String] = []
        @OptionGroup var namespace: NamespaceOption
        @Flag(help: "Start it and do not wait for its end.") var detach = false
        @Flag(help: "One JSON object a line for each change of state.") var json = false

        func run() async throws {
            var values: [String: String] = [:]
            for change in changes {
                guard let sign = change.firstIndex(of: "="), sign > change.startIndex else {
                    throw CommandError("--set \(change): expected NAME=VALUE", status: 64)
                }
                values[String(change[..<sign])] = String(change[change.index(after: sign)...])
            }
            let chosen = values
            try await APIClient.use { client in
                let (trial, experiment, resource) = try await TrialCommand.find(name, namespace, client)
                if experiment?["metadata"]["annotations"][ImportedExperiment.noProgramAnnotation].stringValue == "true" {
                    throw CommandError("\(name) came without a program: there is nothing to run")
                }
                let space = trial["metadata"]["namespace"].stringValue
                let object = try await copy(of: trial, experiment, chosen, resource, client)
                let made = try await client.request(
                    .POST, resource.path(namespace: space), query: [("fieldManager", ObjectWriter.manager)], body: object)
                let run = WrittenObject(outcome: .created, object: made, resource: resource)
                if !json { Output.line(run.line) }
                if detach { return }
                try await RunFollower(json: json).follow(run, client)
                if json { return }
                let ended = PastTrial(trial: try await client.request(.GET, resource.path(namespace: space, name: run.name)))
                let before = PastTrial(trial: trial)
                for (metric, value) in ended.metrics.sorted(by: { $0.key < $1.key }) {
                    Output.line("  \(metric) \(value)" + (before.metrics[metric].map { " (\(before.name): \($0))" } ?? ""))
                }
            }
        }

        private func copy(of trial: JSON, _ experiment: JSON?, _ values: [String: String], _ resource: APIResource, _ client: APIClient) async throws -> JSON {
            let space = trial["metadata"]["namespace"].stringValue
            let list = try await client.request(.GET, resource.path(namespace: space))
            let taken = Set(list["items"].elements.compactMap { $0["metadata"]["name"].stringValue })
            let origin = trial["metadata"]["annotations"][TrialCopy.originAnnotation].stringValue ?? name
            var number = 1
            while taken.contains("\(origin)-rerun-\(number)") { number += 1 }
            var template: String?
            let source = experiment?["spec"]["trialTemplate"]["configMap"] ?? .null
            if let map = source["configMapName"].stringValue {
                let maps = try await client.discover().find("configmaps")
                let answer = try await client.exchange(.GET, maps.path(namespace: source["configMapNamespace"].stringValue, name: map))
                if answer.status == 200 { template = try answer.json()["data"][source["templatePath"].stringValue ?? ""].stringValue }
            }
            do throws(TrialCopy.Problem) {
                return try TrialCopy.trial(like: trial, named: "\(origin)-rerun-\(number)", changes: values, experiment: experiment, template: template)
            } catch { throw CommandError("\(name) cannot be run again: \(error.description)") }
        }
    }

    struct Debug: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Open a shell in a trial's environment.",
            discussion: """
                A pod of its own has the trial's image, variables, volumes and limits, and does nothing: 'eval "$TRIAL_COMMAND"' runs what
                the trial ran. It goes when the shell ends. Without a terminal, commands are read from standard input.

                Example:
                  lab trial debug train-x7k2p-h5kd2m8q
                  echo 'pip list' | lab trial debug train-x7k2p-h5kd2m8q
                """)

        @Argument(help: ArgumentHelp("The trial.", valueName: "name")) var name: String
        @OptionGroup var namespace: NamespaceOption

        func run() async throws {
            let context = LabContext.current
            let access = try APIAccess.read(context.paths.kubeconfig, command: context.command)
            let status = try await APIClient.use(access) { client in
                let (trial, _, _) = try await TrialCommand.find(name, namespace, client)
                var random = SystemRandomNumberGenerator()
                let letters = TunePlan.ending((0..<5).map { _ in UInt8.random(in: .min ... .max, using: &random) })
                let pod = try DebugPod(trial: trial, name: "\(name.prefix(40))-debug-\(letters)")
                return try await use(pod, access, client)
            }
            if status != 0 { throw ExitCode(status) }
        }

        private func use(_ pod: DebugPod, _ access: APIAccess, _ client: APIClient) async throws -> Int32 {
            let pods = try await client.discover().find("pods")
            let (space, podName) = (pod.object["metadata"]["namespace"].stringValue, pod.object["metadata"]["name"].stringValue ?? "")
            let path = pods.path(namespace: space, name: podName)
            _ = try await client.request(.POST, pods.path(namespace: space), query: [("fieldManager", ObjectWriter.manager)], body: pod.object)
            do {
                try await start(podName, pods, space, client)
                let usesTerminal = isatty(STDIN_FILENO) == 1 && Output.isTerminal
                if usesTerminal {
                    Output.note("the trial runs: \(pod.command.isEmpty ? "what its image says" : pod.command)")
                    Output.note("run it with: eval \"$\(DebugPod.commandVariable)\"")
                }
                let shell = "if command -v bash >/dev/null; then exec bash; else exec sh; fi"
                let session = ExecSession(
                    access: access, path: "\(path)/exec", container: pod.container, command: ["/bin/sh", "-c", shell], usesTerminal: usesTerminal)
                let status = try await session.run()
                _ = try? await client.request(.DELETE, path, query: [("gracePeriodSeconds", "0")])
                return status
            } catch {
                _ = try? await client.request(.DELETE, path, query: [("gracePeriodSeconds", "0")])
                throw error
            }
        }

        /// Waits until the container runs.
        private func start(_ pod: String, _ pods: APIResource, _ namespace: String?, _ client: APIClient) async throws {
            try await client.wait(for: .named(pod, pods, namespace)) { object in
                guard let object else { throw CommandError("the pod \(pod) was deleted before it ran") }
                if object["status"]["containerStatuses"][0]["state"].has("running") { return true }
                let completion = Completion.of(object)
                if completion.hasEnded { throw CommandError("the pod \(pod) ended before it could be used: \(completion.message)") }
                let waiting = object["status"]["containerStatuses"][0]["state"]["waiting"]
                if let reason = waiting["reason"].stringValue, reason != "ContainerCreating", reason != "PodInitializing" {
                    throw CommandError("the pod \(pod) cannot start: \(reason): \(waiting["message"].stringValue ?? "")")
                }
                return false
            }
        }
    }
}

import ArgumentParser
import KubeModel
import LabDaemon
import LabNetwork
import Node

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say whether the lab runs, where it is and what it holds.",
        discussion: """
            The exit status is 0 when the lab is ready, else 1.

            Example:
              lab status
              lab status -o jsonpath='{.endpoints.api}'
            """)

    @Option(name: [.short, .long], help: ArgumentHelp("json, yaml or jsonpath=TEMPLATE", valueName: "format"))
    var output: OutputFormat?

    func run() async throws {
        let status = try await LabStatus.read(LabContext.current)
        if let output {
            guard let text = try output.render(status.json) else { throw ValidationError("-o: expected json, yaml or jsonpath=TEMPLATE") }
            Output.text(text)
        } else {
            for line in status.lines { Output.line(line) }
        }
        if !status.isReady { throw ExitCode(1) }
    }
}

/// What `lab status` tells.
struct LabStatus {
    let isReady: Bool
    let json: JSON

    /// Kinds that are counted.
    private static let kinds = [
        "namespaces", "pods", "jobs", "experiments.kubeflow.org", "trials.kubeflow.org", "workflows.argoproj.io", "notebooks.kubeflow.org",
        "persistentvolumeclaims",
    ]

    /// - Throws: `CommandError` where the lab belongs to another user; a lab that is down is no error.
    static func read(_ context: LabContext) async throws(CommandError) -> LabStatus {
        let paths = context.paths
        let record = await LabStarter.answering(paths)
        var helper: HelperStatus?
        do {
            helper = try await HelperClient(runtimeDirectory: paths.runtime).status()
        } catch {
            if error.code == .notPermitted { throw CommandError(error.message) }
        }
        var json: JSON = ["state": record != nil ? "Ready" : helper?.daemon.running == true ? "NotReady" : "Stopped"]
        var versions: JSON = ["lab": .string(Version.kindling)]
        var endpoints: JSON = [:]
        var counts: JSON = [:]
        var devices: JSON = .null
        if let record {
            versions["labd"] = .string(record.version)
            endpoints["api"] = .string("https://127.0.0.1:\(record.port)")
            json["pid"] = JSON(Int(record.pid))
            json["started"] = .string(record.started)
            _ = try? await APIClient.use { client in
                versions["kubernetes"] = try await client.request(.GET, "/version")["gitVersion"]
                let catalog = try await client.discover()
                let nodes = try await client.request(.GET, try catalog.find("nodes").path(namespace: nil))["items"].elements
                devices = Self.devices(nodes)
                for kind in kinds {
                    let resource = try catalog.find(kind)
                    let items = try await client.request(.GET, resource.path(namespace: nil))["items"].elements
                    counts[resource.plural] = JSON(items.count)
                    if resource.kind == "Pod" {
                        counts["podsRunning"] = JSON(items.count { $0["status"]["phase"].stringValue == "Running" })
                    }
                    if resource.kind == "Notebook" { add(notebooks: items, to: &endpoints) }
                }
            }
        }
        json["versions"] = versions
        json["endpoints"] = endpoints
        json["paths"] = [
            "state": .string(paths.state), "runtime": .string(paths.runtime), "kubeconfig": .string(paths.kubeconfig),
            "catalogue": .string(paths.catalogue), "log": .string(context.daemonLog), "volumes": .string(paths.volumes),
        ]
        json["counts"] = counts
        if !devices.isNull { json["devices"] = devices }
        if let helper {
            var facts: JSON = [
                "pid": JSON(Int(helper.pid)), "idmap": .string("\(helper.idmap)"), "uplink": .string("\(helper.uplink.kind)"),
            ]
            if !helper.lost.isEmpty { facts["lost"] = .array(helper.lost.map(JSON.string)) }
            json["helper"] = facts
        }
        return LabStatus(isReady: record != nil, json: json)
    }

    /// What the node says of GPUs and other devices; null where it has none.
    static func devices(_ nodes: [JSON]) -> JSON {
        let annotations = nodes.first?["metadata"]["annotations"] ?? .null
        func lines(_ name: String) -> JSON { .array((annotations[name].stringValue ?? "").split(separator: "\n").map { .string(String($0)) }) }
        let (found, problems) = (lines(DeviceReport.foundAnnotation), lines(DeviceReport.problemsAnnotation))
        return found.elements.isEmpty && problems.elements.isEmpty ? .null : ["found": found, "problems": problems]
    }

    private static func add(notebooks: [JSON], to endpoints: inout JSON) {
        for notebook in notebooks {
            guard let port = notebook["metadata"]["annotations"][NotebookAddress.portAnnotation].stringValue else { continue }
            let name = "\(notebook["metadata"]["namespace"].stringValue ?? "")/\(notebook["metadata"]["name"].stringValue ?? "")"
            endpoints["notebook/\(name)"] = .string("http://127.0.0.1:\(port)")
        }
    }

    var lines: [String] {
        var rows = [["state", json["state"].stringValue ?? ""]]
        if let started = json["started"].stringValue.flatMap(Timestamp.init(parsing:)) {
            rows[0][1] += ", for \(HumanDuration.text(Clock.now - started)) (process \(json["pid"].text))"
        }
        rows.append(["versions", json["versions"].members.map { "\($0.key) \($0.value.stringValue ?? "")" }.joined(separator: ", ")])
        for (name, address) in json["endpoints"].members { rows.append([name, address.stringValue ?? ""]) }
        for (name, path) in json["paths"].members { rows.append([name, path.stringValue ?? ""]) }
        if !json["counts"].members.isEmpty {
            rows.append(["counts", json["counts"].members.map { "\($0.value.text) \($0.key)" }.joined(separator: ", ")])
        }
        for line in json["devices"]["found"].elements { rows.append(["devices", line.stringValue ?? ""]) }
        for line in json["devices"]["problems"].elements { rows.append(["devices (problem)", line.stringValue ?? ""]) }
        for loss in json["helper"]["lost"].elements { rows.append(["lost", loss.stringValue ?? ""]) }
        var lines = TextTable(header: [], rows: rows).lines(withHeader: false)
        let command = LabContext.current.command
        if json["state"] == "NotReady" {
            lines.append("labd runs and does not answer: wait a moment, or end it with: \(command) down")
        } else if !isReady {
            lines.append("Start it with: \(command) up")
        }
        return lines
    }
}

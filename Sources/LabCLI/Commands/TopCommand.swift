import ArgumentParser
import KubeModel

struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show what pods use of the machine's cpus and memory.",
        discussion: """
            Example:
              lab top
              lab top -n kubeflow-user-example-com
            """)

    @OptionGroup var namespace: NamespaceOption
    @Flag(name: [.customShort("A"), .customLong("all-namespaces")], help: "Pods of all namespaces; so it is without -n.")
    var allNamespaces = false
    @Option(name: [.short, .long], help: ArgumentHelp("json or yaml", valueName: "format"))
    var output: OutputFormat?

    func run() async throws {
        try await APIClient.use { client in
            let answer = try await client.request(.GET, "/kindling/v1/top")
            let all = answer["pods"].arrayValue ?? answer.elements
            let pods = all.filter { allNamespaces || namespace.namespace == nil || $0["namespace"].stringValue == namespace.namespace }
            if let output {
                guard let text = try output.render(.array(pods)) else {
                    throw ValidationError("-o: expected json, yaml or jsonpath=TEMPLATE")
                }
                return Output.text(text)
            }
            if let node = try await nodeLine(pods: all, client) { Output.line(node + "\n") }
            if pods.isEmpty { return Output.note("No pods are running.") }
            for line in TopTable.lines(pods) { Output.line(line) }
        }
    }

    private func nodeLine(pods: [JSON], _ client: APIClient) async throws -> String? {
        let nodes = try await client.request(.GET, "/api/v1/nodes")
        let capacity = nodes["items"][0]["status"]["capacity"]
        guard let cpus = Quantity(capacity["cpu"]), let memory = Quantity(capacity["memory"]) else { return nil }
        let usedCPU = pods.reduce(0) { $0 + ($1["cpuMillicores"].intValue ?? 0) }
        let usedMemory = pods.reduce(0) { $0 + ($1["memoryBytes"].intValue ?? 0) }
        return
            "pods use \(NumberText.fixed(Double(usedCPU) / 1000, 2)) of \(cpus) cpus and \(TopTable.bytes(usedMemory)) of \(TopTable.bytes(memory.value))"
    }
}

/// The table of `lab top`, those that use most first.
enum TopTable {
    static func lines(_ pods: [JSON]) -> [String] {
        let sorted = pods.sorted { left, right in
            let a = left["cpuMillicores"].intValue ?? 0
            let b = right["cpuMillicores"].intValue ?? 0
            return a == b ? (left["memoryBytes"].intValue ?? 0) > (right["memoryBytes"].intValue ?? 0) : a > b
        }
        let rows = sorted.map { pod in
            [
                pod["namespace"].stringValue ?? "", pod["name"].stringValue ?? "", pod["cpuMillicores"].intValue.map { "\($0)m" } ?? "–",
                pod["memoryBytes"].intValue.map(bytes) ?? "–",
            ]
        }
        return TextTable(header: ["NAMESPACE", "NAME", "CPU", "MEMORY"], rows: rows).lines()
    }

    static func bytes(_ count: Int) -> String {
        let units: [(Double, String)] = [(1_073_741_824, "Gi"), (1_048_576, "Mi"), (1024, "Ki")]
        for (size, name) in units where Double(count) >= size {
            let amount = Double(count) / size
            return NumberText.fixed(amount, amount < 10 ? 1 : 0) + name
        }
        return "\(count)"
    }
}

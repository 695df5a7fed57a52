import ArgumentParser
import KubeModel
import LabDaemon

struct KubeconfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubeconfig",
        abstract: "Print the lab's kubeconfig, or add it to your own.",
        discussion: """
            --merge adds a cluster, a user and a context named 'kindling' to the first file of $KUBECONFIG, or to
            ~/.kube/config; everything else in it stays, the current context too. Labs side by side get names with --context.

            Example:
              lab kubeconfig > lab.yaml && kubectl --kubeconfig lab.yaml get pods -A
              lab kubeconfig --merge && kubectl --context kindling get nodes
            """)

    @Flag(help: "Add the lab to your own kubeconfig.")
    var merge = false
    @Option(name: .customLong("context"), help: ArgumentHelp("With --merge: what cluster, user and context are called.", valueName: "name"))
    var name = Kubeconfig.name

    func run() async throws {
        let context = LabContext.current
        guard let bytes = try SmallFile.readIfPresent(context.paths.kubeconfig) else {
            throw CommandError(
                "no lab has been started from here yet (there is no \(context.paths.kubeconfig)): start one with '\(context.command) up'")
        }
        guard merge else { return Output.bytes(bytes) }
        let lab = try Kubeconfigs.parse(bytes, path: context.paths.kubeconfig)
        let path = try Self.target(context.environment)
        let user = try SmallFile.readIfPresent(path).map { bytes throws(CommandError) in try Kubeconfigs.parse(bytes, path: path) } ?? [:]
        let merged = Kubeconfig.merge(lab, into: user, as: name)
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try SmallFile.makeDirectories(String(path[..<slash]), mode: 0o750)
        }
        try SmallFile.write(YAML.dump(merged), to: path, mode: 0o600)
        Output.line(Self.deed(lab, user, name, path))
        let current = merged["current-context"].stringValue ?? ""
        if current != name {
            Output.line("The current context is still '\(current)': kubectl --context \(name) …, or kubectl config use-context \(name)")
        }
    }

    /// Says it where the name led to another lab until now.
    private static func deed(_ lab: JSON, _ user: JSON, _ name: String, _ path: String) -> String {
        func cluster(_ config: JSON, _ name: String) -> JSON? {
            config["clusters"].elements.first { $0["name"].stringValue == name }?["cluster"]
        }
        guard let old = cluster(user, name), old != cluster(lab, Kubeconfig.name) else { return "Added the context '\(name)' to \(path)." }
        return "Replaced the context '\(name)' in \(path), which led to \(old["server"].stringValue ?? "nowhere"); --context NAME adds one beside it."
    }

    /// The file that kubectl itself would write to: the first of KUBECONFIG that exists, else the last, else ~/.kube/config.
    static func target(_ environment: [String: String]) throws(CommandError) -> String {
        let files = (environment["KUBECONFIG"] ?? "").split(separator: ":").map(String.init)
        if let file = files.first(where: SmallFile.exists) ?? files.last { return file }
        guard let home = environment["HOME"], !home.isEmpty else {
            throw CommandError("neither KUBECONFIG nor HOME is set: which file is to be changed?")
        }
        return "\(home)/.kube/config"
    }
}

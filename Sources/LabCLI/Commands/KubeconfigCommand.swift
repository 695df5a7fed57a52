import ArgumentParser
import KubeModel
import LabDaemon

struct KubeconfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubeconfig",
        abstract: "Print the lab's kubeconfig, or add it to your own.",
        discussion: """
            --merge adds a cluster, a user and a context named 'kindling' to the first file of $KUBECONFIG, or to
            ~/.kube/config; everything else in it stays, the current context too.

            Example:
              lab kubeconfig > lab.yaml && kubectl --kubeconfig lab.yaml get pods -A
              lab kubeconfig --merge && kubectl --context kindling get nodes
            """)

    @Flag(help: "Add the lab to your own kubeconfig.")
    var merge = false

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
        let merged = Kubeconfig.merge(lab, into: user)
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try SmallFile.makeDirectories(String(path[..<slash]), mode: 0o750)
        }
        try SmallFile.write(YAML.dump(merged), to: path, mode: 0o600)
        Output.line("Added the context 'kindling' to \(path).")
        let current = merged["current-context"].stringValue ?? ""
        if current != Kubeconfig.name {
            Output.line("The current context is still '\(current)': kubectl --context kindling …, or kubectl config use-context kindling")
        }
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

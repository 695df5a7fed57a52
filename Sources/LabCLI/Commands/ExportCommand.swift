import ArgumentParser
import Images
import KubeModel

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print objects as you applied them, for a cluster or a repository.",
        discussion: """
            What comes out is what went in, field for field, with later changes: no defaults, no status, nothing that a server
            made. --check says what would behave otherwise on a cluster. Works whether or not the lab runs.

            Example:
              lab export experiment/random-example -n kubeflow-user-example-com > experiment.yaml
              lab export --all-in kubeflow-user-example-com --check > everything.yaml
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case yaml, json }

    @Argument(help: ArgumentHelp("KIND/NAME, or a kind and names.", valueName: "object"))
    var words: [String] = []
    @OptionGroup var namespace: NamespaceOption
    @Option(name: [.short, .long], help: "yaml or json")
    var output: Format = .yaml
    @Flag(help: "Warn on standard error of what would behave otherwise on a cluster.")
    var check = false
    @Option(help: ArgumentHelp("All that users wrote in a namespace.", valueName: "namespace"))
    var allIn: String?
    @Option(
        help: ArgumentHelp("The directory of the files that ship with Kindling, for --check.", valueName: "dir"), completion: .directory)
    var share: String?

    func run() throws {
        if (allIn == nil) == words.isEmpty { throw ValidationError("name either objects or --all-in NAMESPACE, e.g. lab export pod/x") }
        let context = LabContext.current
        let reader = try CatalogueReader(path: context.paths.catalogue, command: context.command)
        let space = namespace.namespace ?? (try? APIAccess.read(context.paths.kubeconfig, command: context.command).namespace) ?? "default"
        let objects =
            try allIn.map { namespace throws(CommandError) in try reader.userObjects(in: namespace) }
            ?? ObjectReference.parse(words).map { reference throws(CommandError) -> ExportedObject in
                let object = try reader.object(reference, namespace: space, anywhere: namespace.namespace == nil)
                if !object.namespace.isEmpty, object.namespace != space {
                    Output.note("lab: note: \(reference.kind)/\(reference.name) is in the namespace \(object.namespace)")
                }
                return object
            }
        if objects.isEmpty, let allIn { throw CommandError("no user wrote an object in the namespace \(allIn)", reason: "NotFound") }
        let intents = try objects.map(Self.intent)
        if check { for warning in try checker(reader).warnings(intents) { Output.note("lab: warning: \(warning)") } }
        switch output {
        case .yaml: Output.text(YAML.dump(intents))
        case .json where intents.count == 1: Output.line(PrettyJSON.text(intents[0]))
        case .json: Output.line(PrettyJSON.text(["apiVersion": "v1", "kind": "List", "items": .array(intents)]))
        }
    }

    private static func intent(_ object: ExportedObject) throws(CommandError) -> JSON {
        if let intent = object.intent { return Self.forOthers(intent) }
        let name = "\(object.kind.lowercased())/\(object.name)"
        if let owner = object.owner { throw CommandError("\(name) was made by the lab for \(owner): export that") }
        throw CommandError("\(name) was made by the lab itself: there is nothing that a user applied")
    }

    /// Without what only this lab makes something of.
    static func forOthers(_ intent: JSON) -> JSON {
        var intent = intent
        guard intent["kind"].stringValue == "Experiment", intent["metadata"]["annotations"].has("kindling.dev/reuse") else { return intent }
        intent.remove(path: ["metadata", "annotations", "kindling.dev/reuse"])
        if intent["metadata"]["annotations"].members.isEmpty { intent.remove(path: ["metadata", "annotations"]) }
        return intent
    }

    private func checker(_ reader: CatalogueReader) throws -> ExportCheck {
        let store = try ImageCommand.store(share: share)
        return ExportCheck(
            isLocalImage: { store.isLocalOnly($0) },
            claimModes: { namespace, name in
                let claim = try? reader.object(ObjectReference(kind: "persistentvolumeclaims", name: name), namespace: namespace)
                return claim?.value["spec"]["accessModes"].elements.compactMap(\.stringValue)
            })
    }
}

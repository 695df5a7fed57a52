import ArgumentParser
import KubeModel

struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Show objects.",
        discussion: """
            Example:
              lab get pods -A
              lab get experiment random-example -n kubeflow-user-example-com -o yaml
              lab get trials -w
              lab get job/x -o jsonpath='{.status.succeeded}'
            """)

    @Argument(help: ArgumentHelp("A kind (several with commas) and names, or KIND/NAME.", valueName: "kind"))
    var words: [String]
    @OptionGroup var namespace: NamespaceOption
    @Flag(name: [.customShort("A"), .customLong("all-namespaces")], help: "Objects of all namespaces.")
    var allNamespaces = false
    @Option(name: [.short, .long], help: ArgumentHelp(OutputFormat.help, valueName: "format"))
    var output: OutputFormat?
    @Flag(name: [.short, .long], help: "Go on with each change until interrupted.")
    var watch = false
    @Option(name: [.customShort("l"), .customLong("selector")], help: ArgumentHelp("Only objects with these labels.", valueName: "labels"))
    var labelSelector = ""
    @Option(help: ArgumentHelp("Only objects with these fields, e.g. status.phase=Running.", valueName: "fields"))
    var fieldSelector = ""
    @Flag(help: "Leave out the line of headings.")
    var noHeaders = false

    func run() async throws {
        try await APIClient.use { client in
            let catalog = try await client.discover()
            let requests = try plan(catalog, client)
            var printer = ObjectPrinter(
                client: client, format: output, isHeaderHidden: noHeaders, isTyped: Set(requests.map(\.resource.plural)).count > 1)
            printer.showsNamespace = allNamespaces
            if watch {
                guard requests.count == 1, let request = requests.first else {
                    throw CommandError("-w follows one kind or one object at a time", status: 64)
                }
                return try await printer.watch(request)
            }
            try await printer.print(requests)
        }
    }

    private func plan(_ catalog: ResourceCatalog, _ client: APIClient) throws(CommandError) -> [GetRequest] {
        func request(_ kind: String, _ name: String?) throws(CommandError) -> GetRequest {
            let resource = try catalog.find(kind)
            let space = resource.isNamespaced && !allNamespaces ? namespace.resolved(client) : nil
            if allNamespaces, resource.isNamespaced, name != nil {
                throw CommandError("an object is named within its namespace: use -n in place of -A", status: 64)
            }
            var fields = fieldSelector
            if watch, let name { fields = fields.isEmpty ? "metadata.name=\(name)" : "\(fields),metadata.name=\(name)" }
            let query = ObjectQuery(resource: resource, namespace: space, labelSelector: labelSelector, fieldSelector: fields)
            return GetRequest(query: query, name: name)
        }
        if words.contains(where: { $0.contains("/") }) || words.count > 1 {
            return try ObjectReference.parse(words).map { reference throws(CommandError) in try request(reference.kind, reference.name) }
        }
        return try (words.first ?? "").split(separator: ",").map { kind throws(CommandError) in try request(String(kind), nil) }
    }
}

/// A list of a kind, or one object of it.
struct GetRequest: Sendable {
    var query: ObjectQuery
    var name: String?
    var resource: APIResource { query.resource }
    var path: String { resource.path(namespace: query.namespace, name: name) }
    var parameters: [(String, String)] { name == nil ? query.parameters : [] }
}

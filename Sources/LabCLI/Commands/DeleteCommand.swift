import ArgumentParser
import KubeModel

struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete objects and what belongs to them.",
        discussion: """
            Waits until they are gone: finalizers have run and pods have ended.

            Example:
              lab delete experiment random-example -n kubeflow-user-example-com
              lab delete -f samples/notebook
              lab delete pods --all
            """)

    @Argument(help: ArgumentHelp("A kind and names, or KIND/NAME.", valueName: "kind"))
    var words: [String] = []
    @Option(
        name: [.customShort("f"), .customLong("filename")], parsing: .upToNextOption,
        help: ArgumentHelp("Delete the objects that these files name.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var files: [String] = []
    @OptionGroup var namespace: NamespaceOption
    @Option(
        name: [.customShort("l"), .customLong("selector")],
        help: ArgumentHelp("The objects of the kind with these labels.", valueName: "labels"))
    var labelSelector = ""
    @Flag(help: "All objects of the kind in the namespace.")
    var all = false
    @Flag(help: "Objects that are not there are no error.")
    var ignoreNotFound = false
    @Option(help: ArgumentHelp("How long a pod may take to end; 0 kills it.", valueName: "seconds"))
    var gracePeriod: Int?
    @Flag(help: "Do not wait until the objects are gone.")
    var noWait = false

    func run() async throws {
        if words.isEmpty == files.isEmpty { throw ValidationError("name either a kind or files with -f, e.g. lab delete pod x") }
        try await APIClient.use { client in
            let deleter = ObjectDeleter(client: client, gracePeriod: gracePeriod)
            var gone: [ObjectDeleter.Pending] = []
            var failures: [CommandError] = []
            for target in try await targets(client) {
                do {
                    gone.append(try await deleter.delete(target.name, target.resource, target.namespace))
                    Output.line("\(target.resource.displayName) \"\(target.name)\" deleted")
                } catch let error as CommandError where error.reason != APIClient.away {
                    if error.reason != "NotFound" || !ignoreNotFound { failures.append(error) }
                }
            }
            if !noWait { for pending in gone { try await deleter.waitUntilGone(pending) } }
            for failure in failures.dropLast() { Output.problem(failure.message) }
            if let last = failures.last { throw last }
        }
    }

    private typealias Target = (name: String, resource: APIResource, namespace: String?)

    private func targets(_ client: APIClient) async throws -> [Target] {
        if !files.isEmpty {
            var writer = try await ObjectWriter(client, namespace: namespace.namespace)
            var targets: [Target] = []
            // What was made last is deleted first.
            for manifest in try Manifest.load(files).reversed() {
                let (resource, space, _) = try await writer.place(manifest)
                guard let name = manifest.name else {
                    throw CommandError("\(manifest.origin): has no name of its own, only a generateName: delete what it made by its name")
                }
                targets.append((name, resource, space))
            }
            return targets
        }
        let catalog = try await client.discover()
        func space(_ resource: APIResource) -> String? { resource.isNamespaced ? namespace.resolved(client) : nil }
        if all || !labelSelector.isEmpty {
            guard words.count == 1 else { throw CommandError("--all and -l go with one kind and no names", status: 64) }
            let resource = try catalog.find(words[0])
            let query = ObjectQuery(resource: resource, namespace: space(resource), labelSelector: labelSelector)
            let list = try await client.request(.GET, resource.path(namespace: query.namespace), query: query.parameters)
            return list["items"].elements.compactMap { item in
                item["metadata"]["name"].stringValue.map { ($0, resource, query.namespace) }
            }
        }
        return try ObjectReference.parse(words).map { reference in
            let resource = try catalog.find(reference.kind)
            return (reference.name, resource, space(resource))
        }
    }
}

/// Deletes objects and waits for their end.
struct ObjectDeleter: Sendable {
    let client: APIClient
    var gracePeriod: Int?

    struct Pending: Sendable {
        let name: String
        let uid: String
        let resource: APIResource
        let namespace: String?
    }

    func delete(_ name: String, _ resource: APIResource, _ namespace: String?) async throws -> Pending {
        var options: JSON = ["apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"]
        if let gracePeriod { options["gracePeriodSeconds"] = JSON(gracePeriod) }
        let answer = try await client.request(.DELETE, resource.path(namespace: namespace, name: name), body: options)
        // Either the object that is on its way out, or a Status that tells its uid.
        let uid = answer["metadata"]["uid"].stringValue ?? answer["details"]["uid"].stringValue ?? ""
        return Pending(name: name, uid: uid, resource: resource, namespace: namespace)
    }

    func waitUntilGone(_ pending: Pending) async throws {
        try await client.wait(for: .named(pending.name, pending.resource, pending.namespace)) { object in
            guard let object else { return true }
            return !pending.uid.isEmpty && object["metadata"]["uid"].stringValue != pending.uid
        }
    }
}

import ArgumentParser

struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Make the lab's objects as a manifest says.",
        discussion: """
            Objects that exist are changed, others created; one that has only a generateName is created anew each time.
            Unknown fields are refused.

            Example:
              lab apply -f experiment.yaml
              lab apply -f samples/notebook -n kubeflow-user-example-com
              kubectl get job x -o yaml | lab apply -f -
            """)

    @Option(
        name: [.customShort("f"), .customLong("filename")], parsing: .upToNextOption,
        help: ArgumentHelp("Files, directories, or - for standard input.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var files: [String]
    @OptionGroup var namespace: NamespaceOption
    @Flag(help: "Check everything and change nothing.")
    var dryRun = false

    func run() async throws {
        try await ManifestWriting(files: files, namespace: namespace.namespace, isDryRun: dryRun).run { try await $0.apply($1) }
    }
}

struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create the objects of a manifest.",
        discussion: """
            Objects that exist already are an error; 'lab apply' changes them.

            Example:
              lab create -f workflow.yaml -n kubeflow-user-example-com
            """)

    @Option(
        name: [.customShort("f"), .customLong("filename")], parsing: .upToNextOption,
        help: ArgumentHelp("Files, directories, or - for standard input.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var files: [String]
    @OptionGroup var namespace: NamespaceOption
    @Flag(help: "Check everything and change nothing.")
    var dryRun = false

    func run() async throws {
        try await ManifestWriting(files: files, namespace: namespace.namespace, isDryRun: dryRun).run { try await $0.create($1) }
    }
}

/// Writes all objects of some files; one that is refused does not keep the others back.
struct ManifestWriting {
    let files: [String]
    let namespace: String?
    let isDryRun: Bool

    func run(_ write: (inout ObjectWriter, Manifest) async throws -> WrittenObject) async throws {
        let manifests = try Manifest.load(files)
        try await APIClient.use { client in
            var writer = try await ObjectWriter(client, namespace: namespace, isDryRun: isDryRun)
            var failures: [CommandError] = []
            for manifest in manifests {
                do {
                    Output.line(try await write(&writer, manifest).line + (isDryRun ? " (dry run)" : ""))
                } catch let error as CommandError {
                    if error.reason == APIClient.away { throw error }
                    failures.append(error)
                }
            }
            guard let last = failures.last else { return }
            for failure in failures.dropLast() { Output.problem(failure.message) }
            throw last
        }
    }
}

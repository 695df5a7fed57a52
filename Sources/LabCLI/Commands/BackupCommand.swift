import ArgumentParser
import LabNetwork

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the catalogue into one file, while the lab runs or not.",
        discussion: """
            The copy is an SQLite file of one instant with every object, secrets among them, and all metrics. Data of claims and
            logs of pods are files in the state directory and not in it.

            Example:
              lab backup ~/kindling-$(date +%F).sqlite
            """)

    @Argument(help: "The file to write.", completion: .file())
    var file: String
    @Flag(help: "Replace a file of that name.")
    var force = false

    func run() throws {
        let content = try CatalogueCopy.make(of: LabContext.current.paths.catalogue, at: file, replace: force)
        Output.line("\(file) holds \(content.objects) objects as of revision \(content.revision).")
    }
}

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Put a backup in the place of the catalogue.",
        discussion: """
            The lab must be down. The catalogue that was there is kept beside, with .old-1 behind its name. Volumes are not
            touched: claims of the backup whose data has gone since start empty.

            Example:
              lab down && lab restore ~/kindling-2026-11-24.sqlite && lab up
            """)

    @Argument(help: "A file that 'lab backup' wrote.", completion: .file())
    var file: String

    func run() async throws {
        let context = LabContext.current
        // The helper outlives labd, and starts it again: where it runs the lab is not down.
        if (try? await HelperClient(runtimeDirectory: context.paths.runtime).status()) != nil {
            throw CommandError("the lab runs: '\(context.command) down' first")
        }
        try SmallFile.makeDirectories(context.paths.state, mode: 0o700)
        let content = try CatalogueCopy.check(file)
        let old = try CatalogueCopy.restore(file, to: context.paths.catalogue)
        Output.line("The catalogue holds \(content.objects) objects again; '\(context.command) up' starts the lab with them.")
        if let old { Output.line("What it held before is in \(old).") }
    }
}

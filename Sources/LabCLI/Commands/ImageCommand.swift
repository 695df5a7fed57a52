import ArgumentParser
import Images

struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Say what image names stand for on this machine.",
        discussion: """
            Nothing is ever pulled: a name resolves to an environment of this machine, which is an image loaded from a file, a
            root directory, or the host's own system with a Python environment.

            Example:
              lab image list
              lab image load trainer.tar.zst
              lab image build -t my/trainer:2 .
              lab image add my/trainer:1 --python requirements.txt
            """,
        subcommands: [
            List.self, Load.self, Build.self, Add.self, Tag.self, Remove.self, Prune.self, Inspect.self, History.self, Save.self, Prepare.self,
        ], defaultSubcommand: List.self)

    /// The store of the current lab; it needs no running labd.
    /// - Parameter within: the state directory, where this process is root of a user namespace only; see ``Mapping``.
    static func store(share: String?, within: String? = nil) throws -> ImageStore {
        let context = LabContext.current
        do {
            return ImageStore(
                state: within ?? context.paths.state, share: try ShareDirectory.locate(explicit: share),
                cache: .standard(isRoot: context.isRoot && within == nil))
        } catch {
            throw CommandError(error.description)
        }
    }

    struct ShareOption: ParsableArguments {
        @Option(help: ArgumentHelp("The directory of the files that ship with Kindling.", valueName: "dir"), completion: .directory)
        var share: String?
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the names and patterns that resolve here.",
            discussion: """
                Example:
                  lab image list
                """, aliases: ["ls"])

        @OptionGroup var share: ShareOption
        @Option(name: [.short, .long], help: ArgumentHelp("json", valueName: "format"))
        var output: String?

        func run() throws {
            let store = try ImageCommand.store(share: share.share)
            let entries = store.list()
            if let output {
                guard output == "json" else { throw ValidationError("-o: expected json, found '\(output)'") }
                return Output.line(PrettyJSON.text(.array(entries.map(\.json))))
            }
            let rows = entries.map {
                [$0.image, $0.summary, $0.origin == .user ? "yours" : "shipped", $0.problem == nil ? "ready" : "not ready"]
            }
            for line in TextTable(header: ["IMAGE", "STANDS FOR", "FROM", "STATE"], rows: rows).lines() { Output.line(line) }
            var told: Set<String> = []
            for problem in entries.compactMap(\.problem) + store.problems() where told.insert(problem.description).inserted {
                Output.note("lab: \(problem.description)")
            }
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a name stand for something of your own.",
            discussion: """
                Example:
                  lab image add my/trainer:1 --python requirements.txt
                  lab image add my/gpu:* --conda torch
                  lab image add registry.example.com/team/base:3 --root /srv/roots/base
                  lab image add pytorch/pytorch:2.4 --alias my/gpu:1
                """)

        @Argument(help: ArgumentHelp("The image's name; * stands for anything.", valueName: "name"))
        var image: String
        @OptionGroup var share: ShareOption
        @Option(help: ArgumentHelp("A directory that holds a whole root.", valueName: "dir"), completion: .directory)
        var root: String?
        @Option(help: ArgumentHelp("A requirements file: built now with pip.", valueName: "requirements"), completion: .file())
        var python: String?
        @Option(help: ArgumentHelp("A virtual environment of yours, used where it lies.", valueName: "dir"), completion: .directory)
        var venv: String?
        @Option(help: ArgumentHelp("A conda environment, by name or path.", valueName: "name"))
        var conda: String?
        @Option(help: ArgumentHelp("Another image name.", valueName: "other"))
        var alias: String?

        func run() throws {
            let sources: [EnvironmentSource] = [
                root.map { .root($0) }, python.map { .python(requirements: $0) }, venv.map { .venv($0) }, conda.map { .conda($0) },
                alias.map { .alias($0) },
            ].compactMap { $0 }
            guard sources.count == 1, let source = sources.first else {
                throw ValidationError("expected one of --root, --python, --venv, --conda and --alias, found \(sources.count)")
            }
            do {
                let addition = try ImageCommand.store(share: share.share).add(image, from: source)
                Output.line("\(addition.entry.image) stands for \(addition.entry.summary) (\(addition.entry.file))")
                for warning in addition.warnings { Output.note("lab: warning: \(warning)") }
            } catch let error as ImageError {
                throw CommandError(error.description)
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a name that was added or loaded.",
            discussion: """
                What was loaded goes with its last name, unless a pod uses it.

                Example:
                  lab image remove my/trainer:1
                """, aliases: ["rm"])

        @Argument(help: ArgumentHelp("The name as it was added.", valueName: "name"))
        var image: String
        @OptionGroup var share: ShareOption
        @OptionGroup var mapping: Mapping

        func run() throws {
            try mapping.enter(["remove", image], share)
            let store = try ImageCommand.store(share: share.share, within: mapping.within)
            let pruned = try ImageCommand.reporting { () throws(ImageError) in
                let isLoaded = (try? store.facts(image)) != nil
                try store.remove(image)
                return isLoaded ? try store.prune() : nil
            }
            Output.line("\(image) removed")
            if let pruned { ImageCommand.tell(pruned) }
        }
    }

    struct Prepare: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Build the Python environment that a name needs, unless it is there.",
            discussion: """
                Example:
                  lab image prepare docker.io/kubeflowkatib/mxnet-mnist:v1beta1-45c5727
                """)

        @Argument(help: ArgumentHelp("The image's name.", valueName: "name"))
        var image: String
        @OptionGroup var share: ShareOption

        func run() throws {
            do { try ImageCommand.store(share: share.share).prepare(image) } catch let error as ImageError {
                throw CommandError(error.description)
            }
            Output.line("\(image) is ready")
        }
    }
}

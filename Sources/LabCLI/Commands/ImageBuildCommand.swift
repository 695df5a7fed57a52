import ArgumentParser
import Glibc
import Images
import LabDaemon

extension ImageCommand {
    struct Build: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Build an image of a Dockerfile or of a short YAML file.",
            discussion: """
                FROM takes any name that 'lab image ls' lists, loaded images and environments of this machine alike; only an image
                that stands on a loaded one (or on scratch) can be saved. RUN runs in a sandbox as a pod does; with 'lab up --uplink'
                it has a pod's network, else none. Layers are kept and taken again where nothing changed. Everything has the time of
                SOURCE_DATE_EPOCH, or 1980-01-02, so the same input gives the same digest.

                What a Dockerfile may have: FROM, RUN (--mount=type=cache, bind or tmpfs, --network=none), COPY, ADD of local files,
                ENV, ARG, WORKDIR, USER, CMD, ENTRYPOINT, LABEL, EXPOSE, VOLUME, STOPSIGNAL, SHELL, heredocs, stages.
                A file called *.yaml has from, apt, pip, env, labels, workdir, files, user, entrypoint and command.

                Example:
                  lab image build -t my/trainer:1 .
                  lab image build -t my/trainer:2 -f image.yaml --no-cache src
                """)

        @Option(name: [.customShort("t"), .long], help: ArgumentHelp("What the image is called here; may be given again.", valueName: "name"))
        var tag: [String]
        @Option(name: [.short, .long], help: ArgumentHelp("The Dockerfile, or a YAML file.", valueName: "file"), completion: .file())
        var file: String?
        @Option(help: ArgumentHelp("A value for an ARG: NAME=VALUE, or NAME with the value of the environment.", valueName: "name=value"))
        var buildArg: [String] = []
        @Option(help: ArgumentHelp("The stage to build; without it the last one.", valueName: "stage"))
        var target: String?
        @Flag(help: "Run every step again.")
        var noCache = false
        @OptionGroup var share: ShareOption
        @OptionGroup var mapping: Mapping
        @Argument(help: ArgumentHelp("The directory that COPY sees.", valueName: "context"), completion: .directory)
        var context = "."

        func run() async throws {
            try mapping.enterAsLab(words, share)
            let store = try ImageCommand.store(share: share.share, within: mapping.within)
            var request = BuildRequest(names: tag, context: SmallFile.realPath(context) ?? context)
            request.file = file
            request.arguments = try arguments()
            request.target = target
            request.usesCache = !noCache
            if let epoch = LabContext.current.environment["SOURCE_DATE_EPOCH"] {
                guard let seconds = Int(epoch), seconds >= 0 else { throw CommandError("SOURCE_DATE_EPOCH: expected seconds since 1970, found '\(epoch)'") }
                request.epoch = seconds
            }
            let runner = try SandboxBuildRunner(state: mapping.within ?? LabContext.current.paths.state, shim: try Programs.locate().shim, daemon: mapping.joined)
            request.hasManyOwners = !runner.hasSingleOwner
            do {
                let image = try await store.build(request, runner: runner, report: Self.tell)
                let layers = image.layers == 1 ? "1 layer" : "\(image.layers) layers"
                for name in image.names { Output.line("\(name) built: \(image.digest), \(layers), \(ImageCommand.size(image.bytes))") }
            } catch {
                if case .build(_, _, _, let status) = error { throw CommandError(error.description, status: status) }
                throw CommandError(error.description)
            }
        }

        private var words: [String] {
            var words = ["build"] + tag.flatMap { ["--tag", $0] } + buildArg.flatMap { ["--build-arg", $0] }
            if let file { words += ["--file", file] }
            if let target { words += ["--target", target] }
            if noCache { words.append("--no-cache") }
            return words + [context]
        }

        private func arguments() throws -> [String: String] {
            var result: [String: String] = [:]
            for word in buildArg {
                let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard let name = parts.first, !name.isEmpty else { throw ValidationError("--build-arg: expected NAME=VALUE, found '\(word)'") }
                if parts.count > 1 { result[name] = parts[1] } else if let value = LabContext.current.environment[name] { result[name] = value }
            }
            return result
        }

        private static let tell: @Sendable (BuildEvent) -> Void = { event in
            switch event {
            case .warning(let text): Output.note("lab: warning: \(text)")
            case .step(let stage, let number, let count, let text, let isCached):
                let lines = text.split(whereSeparator: \.isNewline)
                let line = lines.first.map(String.init) ?? ""
                let short = line.count > 160 || lines.count > 1 ? "\(line.prefix(160))…" : line
                Output.line("[\(stage.map { "\($0) " } ?? "")\(number)/\(count)] \(isCached ? "CACHED " : "")\(short)")
            }
        }
    }
}

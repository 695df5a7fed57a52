import ArgumentParser
import Images
import KubeModel

extension ImageCommand {
    /// Runs what may fail for reasons of images.
    static func reporting<Result>(_ body: () throws(ImageError) -> Result) throws -> Result {
        do { return try body() } catch { throw CommandError(error.description) }
    }

    /// `4.1 MB`, as docker counts.
    static func size(_ bytes: Int64) -> String {
        if bytes < 1000 { return "\(bytes) B" }
        var value = Double(bytes)
        var unit = 0
        let units = ["B", "kB", "MB", "GB", "TB"]
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }

    struct Load: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take in images from a file: a docker save archive or an OCI layout.",
            discussion: """
                The file may be compressed (gzip, zstd, xz, bzip2); a directory with an OCI layout is read too. Layers are checked
                against their digests, unpacked once and shared. For a user with a single id all files of an image are one user's.

                Example:
                  docker save my/trainer:1 | zstd > trainer.tar.zst    # on a machine that has docker
                  lab image load trainer.tar.zst
                  lab image load layout/ --tag my/trainer:1
                """)

        @Argument(help: ArgumentHelp("An archive or a directory.", valueName: "path"), completion: .file())
        var path: String
        @OptionGroup var share: ShareOption
        @OptionGroup var mapping: Mapping
        @Option(help: ArgumentHelp("What the image is called here, in place of the archive's own name.", valueName: "name"))
        var tag: String?

        func run() throws {
            try mapping.enter(["load", path] + (tag.map { ["--tag", $0] } ?? []), share)
            let store = try ImageCommand.store(share: share.share, within: mapping.within)
            for image in try ImageCommand.reporting({ () throws(ImageError) in try store.load(path, tag: tag) }) {
                let layers = image.layers == 1 ? "1 layer" : "\(image.layers) layers"
                for name in image.names { Output.line("\(name) loaded: \(image.digest), \(layers), \(ImageCommand.size(image.bytes))") }
            }
        }
    }

    struct Save: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write loaded images into one archive that docker, podman, skopeo and registries' tools take.",
            discussion: """
                The archive is an OCI layout with docker's manifest.json beside. The same images give the same bytes.

                Example:
                  lab image save my/trainer:1 -o trainer.tar
                  skopeo copy oci-archive:trainer.tar docker://registry.example.com/my/trainer:1
                """)

        @Argument(help: ArgumentHelp("Names of loaded images.", valueName: "name"))
        var images: [String]
        @OptionGroup var share: ShareOption
        @Option(name: [.short, .long], help: ArgumentHelp("The archive to write.", valueName: "file"), completion: .file())
        var output: String

        func run() throws {
            let store = try ImageCommand.store(share: share.share)
            try ImageCommand.reporting { () throws(ImageError) in try store.save(images, to: output) }
            Output.line("\(images.joined(separator: ", ")) saved in \(output)")
        }
    }

    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show digests, layers and configuration of a loaded image, as JSON.",
            discussion: """
                Example:
                  lab image inspect my/trainer:1
                """)

        @Argument(help: ArgumentHelp("The image's name.", valueName: "name"))
        var image: String
        @OptionGroup var share: ShareOption

        func run() throws {
            let store = try ImageCommand.store(share: share.share)
            Output.line(PrettyJSON.text(try ImageCommand.reporting { () throws(ImageError) in try store.facts(image) }.json))
        }
    }

    struct History: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the steps that a loaded image was made by, newest first.",
            discussion: """
                Example:
                  lab image history my/trainer:1
                """)

        @Argument(help: ArgumentHelp("The image's name.", valueName: "name"))
        var image: String
        @OptionGroup var share: ShareOption

        func run() throws {
            let store = try ImageCommand.store(share: share.share)
            let steps = try ImageCommand.reporting { () throws(ImageError) in try store.facts(image) }.history
            let rows = steps.map { [String($0.created.prefix(19)), ImageCommand.size($0.bytes), $0.command] }
            for line in TextTable(header: ["CREATED", "SIZE", "CREATED BY"], rows: rows).lines() { Output.line(line) }
        }
    }

    struct Tag: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let another name stand for what a name stands for.",
            discussion: """
                Example:
                  lab image tag my/trainer:1 my/trainer:latest
                """)

        @Argument(help: ArgumentHelp("A name that resolves here.", valueName: "name"))
        var image: String
        @Argument(help: ArgumentHelp("The other name.", valueName: "other"))
        var other: String
        @OptionGroup var share: ShareOption

        func run() throws {
            let store = try ImageCommand.store(share: share.share)
            try ImageCommand.reporting { () throws(ImageError) in try store.tag(image, as: other) }
            Output.line("\(other) stands for \(image)")
        }
    }

    struct Prune: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove layers that no name needs, no pod and no build uses.",
            discussion: """
                What builds keep goes with it: layers of stages and of interrupted builds, and what RUN --mount=type=cache holds.

                Example:
                  lab image prune
                """)

        @OptionGroup var share: ShareOption
        @OptionGroup var mapping: Mapping

        func run() throws {
            try mapping.enter(["prune"], share)
            let store = try ImageCommand.store(share: share.share, within: mapping.within)
            ImageCommand.tell(try ImageCommand.reporting { () throws(ImageError) in try store.prune() })
        }
    }

    static func tell(_ pruned: PrunedContent) {
        Output.line("\(pruned.layers) layers and \(pruned.blobs) blobs removed, \(size(pruned.bytes)) free")
        if pruned.kept > 0 { Output.note("lab: \(pruned.kept) layers are used by pods and stay: 'lab image prune' removes them later") }
    }
}

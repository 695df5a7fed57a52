/// A Dockerfile as it is written, in order, with nothing expanded yet (docs.docker.com/reference/dockerfile).
struct Dockerfile: Sendable {
    /// As given, for messages.
    var file: String
    /// ARG lines before the first FROM.
    var arguments: [Argument] = []
    var stages: [Stage] = []
    /// Takes away the meaning of the next character, and joins lines: `\` unless `# escape` says otherwise.
    var escape: Character = "\\"

    struct Argument: Sendable, Equatable {
        var name: String
        /// `nil` where only `--build-arg` may give a value.
        var value: String?
    }

    /// From one FROM to the next.
    struct Stage: Sendable {
        var base: String
        /// Lower case; `nil` without AS.
        var name: String?
        var platform: String?
        var line: Int
        var steps: [Step] = []
    }

    /// One instruction.
    struct Step: Sendable {
        var kind: Kind
        /// Where it begins, from 1.
        var line: Int
        /// As written, on one line: for progress, history and messages.
        var text: String
    }

    enum Kind: Sendable, Equatable {
        case run(Run)
        case copy(Copy)
        case environment([Pair])
        case label([Pair])
        case argument([Argument])
        case workingDirectory(String)
        case user(String)
        case command(Words)
        case entrypoint(Words)
        case expose(String)
        case volume([String])
        case stopSignal(String)
        case shell([String])
        case maintainer(String)
    }

    struct Pair: Sendable, Equatable {
        var name: String
        var value: String
    }

    /// A command in one of its two forms.
    enum Words: Sendable, Equatable {
        case shell(String)
        case exec([String])
    }

    /// Text that stands in the lines below an instruction.
    struct Heredoc: Sendable, Equatable {
        var name: String
        var content: String
        /// The name was not quoted.
        var isExpanded: Bool
    }

    struct Run: Sendable, Equatable {
        var words: Words
        /// Of a RUN that is one heredoc and nothing else: its lines, which have their own `#!` perhaps.
        var script: String?
        var mounts: [Mount] = []
        var hasNetwork = true
    }

    /// `RUN --mount`
    struct Mount: Sendable, Equatable {
        enum Kind: Sendable, Equatable {
            /// A directory that is kept between builds and is no part of the image.
            case cache(id: String)
            /// A file or directory of the context or of another stage, read-only.
            case bind(from: String?, source: String)
            case tmpfs
        }
        var kind: Kind
        var target: String
    }

    /// COPY and ADD.
    struct Copy: Sendable, Equatable {
        var sources: [String]
        var heredocs: [Heredoc] = []
        var destination: String
        var from: String?
        var owner: String?
        var mode: String?
        /// ADD: local archives are unpacked.
        var unpacks = false
    }
}

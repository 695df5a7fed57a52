import ArgumentParser
import LabDaemon

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version.",
        discussion: """
            Example:
              lab version
            """)

    func run() { Output.line("kindling \(Version.kindling), Kubernetes API \(Version.kubernetes)") }
}

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a completion script for a shell.",
        discussion: """
            Example:
              source <(lab completion bash)
              lab completion zsh > ~/.zfunc/_lab
              lab completion fish > ~/.config/fish/completions/lab.fish
            """)

    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() throws {
        let shell: CompletionShell =
            switch self.shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        Output.line(LabCommand.completionScript(for: shell))
    }
}

import ArgumentParser
import LabDaemon

/// `lab`: the root of all commands.
struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Kubeflow on this machine: notebooks, tuning and workflows without a cluster.",
        discussion: """
            Example:
              lab up
              lab run experiment.yaml --watch
              lab down

            Each lab keeps everything in one state directory; --state DIR names another one, so that two labs can run side
            by side. Without it: /var/lib/kindling as root, else $XDG_STATE_HOME/kindling.

            Environment variables (nothing else changes what lab does):
              HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR   where a user's lab keeps its state and its sockets
              XDG_CACHE_HOME, KINDLING_CACHE          where Python environments and wheels are kept
              KINDLING_OUTPUT (in trials)             the directory whose files are kept for the best trials
              KINDLING_DEBUG                          labd's log tells more, when set at 'lab up'
              KUBECONFIG                              the file that 'lab kubeconfig --merge' adds to
              NO_COLOR, TERM                          no colours when NO_COLOR is set or TERM is dumb
              COLUMNS                                 the width of live views, where the terminal does not tell it
              DISPLAY, WAYLAND_DISPLAY, BROWSER       whether and how 'lab open' opens a browser
              PATH                                    where programs such as xdg-open, conda and nft are looked for
              http_proxy, https_proxy, no_proxy, PIP_INDEX_URL, PIP_CONFIG_FILE
                                                      as pip and apt themselves honour them, in 'lab image add --python'
            """,
        version: Version.kindling,
        groupedSubcommands: [
            CommandGroup(
                name: "The lab:",
                subcommands: [UpCommand.self, DownCommand.self, StatusCommand.self, KubeconfigCommand.self, UserCommand.self, DoctorCommand.self]),
            CommandGroup(
                name: "Work:",
                subcommands: [
                    RunCommand.self, TuneCommand.self, ExperimentCommand.self, TrialCommand.self, ApplyCommand.self, CreateCommand.self,
                    GetCommand.self, LogsCommand.self, DeleteCommand.self, TopCommand.self, OpenCommand.self,
                ]),
            CommandGroup(name: "Keeping and leaving:", subcommands: [SQLCommand.self, ExportCommand.self, BackupCommand.self, RestoreCommand.self, ImageCommand.self]),
            CommandGroup(name: "Other:", subcommands: [CompletionCommand.self, VersionCommand.self]),
        ])

    /// For the help and the completion only: `HoistedArguments` has taken it out by now.
    @Option(help: ArgumentHelp("The lab's state directory; may stand anywhere.", valueName: "dir"), completion: .directory)
    var state: String?
}

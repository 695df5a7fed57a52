import Glibc
import LabCLI
import LabDaemon

// One program under two names: `labd` is the daemon, anything else the command line.
let arguments = CommandLine.arguments
let name = arguments.first.map { $0.split(separator: "/").last.map(String.init) ?? $0 } ?? "lab"
if name == "labd" {
    exit(await DaemonCommand.run(Array(arguments.dropFirst())))
} else {
    exit(await LabCommandLine.run(Array(arguments.dropFirst())))
}

import ArgumentParser
import Glibc

/// The `lab` program: reads its arguments, runs one command and gives the exit status.
public enum LabCommandLine {
    /// Exit statuses: 0 done, 1 failed (one line on standard error says why), 64 the arguments were wrong.
    ///
    /// - Parameter arguments: without the program's own name.
    public static func run(_ arguments: [String]) async -> Int32 {
        // `lab get pods | head` must end quietly: writes report the closed pipe, and Output ends the program.
        signal(SIGPIPE, SIG_IGN)
        let hoisted: HoistedArguments
        do {
            hoisted = try HoistedArguments(arguments)
        } catch {
            return report(error)
        }
        return await LabContext.$current.withValue(LabContext(state: hoisted.state)) { await parseAndRun(hoisted.rest) }
    }

    private static func parseAndRun(_ arguments: [String]) async -> Int32 {
        do {
            var command = try LabCommand.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            return report(error)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        if let failure = error as? CommandError {
            Output.problem(failure.message)
            return failure.status
        }
        if let code = error as? ExitCode { return code.rawValue }
        let code = LabCommand.exitCode(for: error).rawValue
        let text = LabCommand.fullMessage(for: error)
        if code == 0 {
            Output.line(text)
        } else if error is ValidationError || code == EX_USAGE {
            Output.errorText(text.hasPrefix("Error: ") ? "lab: " + text.dropFirst("Error: ".count) : text)
            return EX_USAGE
        } else {
            Output.problem(CommandError.describe(error))
        }
        return code == 0 ? 0 : 1
    }
}

/// `--state DIR` may stand before or behind the command's name; it is taken out before the command reads its own options.
struct HoistedArguments: Equatable {
    var state: String?
    var rest: [String] = []

    init(_ arguments: [String]) throws(CommandError) {
        var remaining = arguments[...]
        while let word = remaining.popFirst() {
            if word == "--" {
                rest.append(word)
                rest += remaining
                return
            }
            if word == "--state" {
                guard let value = remaining.popFirst(), !value.isEmpty else {
                    throw CommandError("--state needs a directory, e.g. lab --state ~/lab2 up", status: EX_USAGE)
                }
                state = value
            } else if word.hasPrefix("--state=") {
                state = String(word.dropFirst("--state=".count))
            } else {
                rest.append(word)
            }
        }
    }
}

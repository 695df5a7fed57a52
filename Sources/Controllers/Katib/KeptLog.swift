import Synchronization

/// Where the logs and outputs of trials stay when their pods are gone.
public protocol TrialLogArchive: Sendable {
    /// Puts the log in the place of an earlier one of that trial.
    /// - Parameter lines: in order; the first ones may have been left out.
    func keep(_ lines: [TrialLogLine], trialUID: String) async throws
    /// Takes a directory over that nobody writes to any more.
    /// - Returns: whether there is anything in it; an empty one is left where it is.
    func keepOutput(_ directory: String, trialUID: String) async throws -> Bool
    func hasOutput(trialUID: String) async -> Bool
    func dropOutput(trialUID: String) async
    /// Removes all that is kept of a trial.
    func forget(trialUID: String) async
}

/// The end of a trial's log, bounded.
final class KeptLog: Sendable {
    /// Of text and times.
    static let bytesMax = 4 << 20
    /// How many lines a failed trial's condition tells.
    static let toldLines = 20
    /// A condition is read by people, and stored with every change of the trial.
    private static let toldCharacters = 300

    private struct Content {
        var lines: [TrialLogLine] = []
        var first = 0
        var bytes = 0
    }

    private let content = Mutex(Content())

    func append(_ more: [TrialLogLine]) {
        content.withLock { content in
            for line in more {
                content.lines.append(line)
                content.bytes += Self.size(line)
            }
            while content.bytes > Self.bytesMax, content.first < content.lines.count - 1 {
                content.bytes -= Self.size(content.lines[content.first])
                content.first += 1
            }
            // What was left out is given back now and then, not line by line.
            if content.first > 1024, content.first > content.lines.count / 2 {
                content.lines.removeFirst(content.first)
                content.first = 0
            }
        }
    }

    private static func size(_ line: TrialLogLine) -> Int { line.time.utf8.count + line.text.utf8.count + 2 }

    var lines: [TrialLogLine] { content.withLock { Array($0.lines[$0.first...]) } }

    /// The last lines for a condition; empty where nothing was printed.
    var told: String {
        lines.suffix(Self.toldLines).map { line in
            line.text.utf8.count > Self.toldCharacters ? line.text.prefix(Self.toldCharacters) + "…" : line.text
        }.joined(separator: "\n")
    }
}

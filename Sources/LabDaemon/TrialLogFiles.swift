import CSandbox
import CZlib
import Glibc
import Katib

/// What is kept of trials that have ended, and gone with the trial's object: `STATE/trials/<uid>/log.gz`, a line each as `TIME TEXT`, and
/// `STATE/trials/<uid>/output`, what it wrote below `$KINDLING_OUTPUT`.
public struct TrialLogFiles: Sendable {
    /// `STATE/trials`
    let directory: String

    public init(directory: String) { self.directory = directory }

    /// More than a log is kept of.
    private static let readMax = 64 << 20

    private func path(_ uid: String) -> String { "\(directory)/\(uid)/log.gz" }

    /// Where a trial's files are, if any are kept.
    public func output(trialUID uid: String) -> String { "\(directory)/\(uid)/output" }

    /// The lines of a trial's log, each with its time, or `nil` where none is kept.
    public func lines(trialUID uid: String) -> [(time: Substring, text: Substring)]? {
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        guard czlib_read(path(uid), Self.readMax, &bytes, &count) == 0, let bytes else { return nil }
        defer { free(bytes) }
        let text = String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { line in
            let space = line.firstIndex(of: " ") ?? line.endIndex
            return (line[..<space], space == line.endIndex ? "" : line[line.index(after: space)...])
        }
    }
}

extension TrialLogFiles: TrialLogArchive {
    public func keep(_ lines: [TrialLogLine], trialUID uid: String) async throws {
        var bytes: [UInt8] = []
        for line in lines {
            bytes += line.time.utf8
            bytes.append(UInt8(ascii: " "))
            // A carriage return within a line is a progress bar's; a line feed cannot be in one.
            bytes += line.text.utf8
            bytes.append(UInt8(ascii: "\n"))
        }
        let path = path(uid)
        for place in [directory, "\(directory)/\(uid)"] { mkdir(place, 0o700) }
        let temporary = "\(path).new"
        let code = czlib_write(temporary, bytes, bytes.count)
        guard code == 0, rename(temporary, path) == 0 else {
            let reason = String(cString: strerror(code == 0 ? errno : code))
            throw DaemonError.directory(problem: "\(path) cannot be written: \(reason)")
        }
    }

    public func keepOutput(_ source: String, trialUID uid: String) async throws -> Bool {
        guard let stream = opendir(source) else { return false }
        defer { closedir(stream) }
        var count = 0
        while count <= 2, readdir(stream) != nil { count += 1 }
        // Beside itself and its parent there is nothing in it.
        guard count > 2 else { return false }
        for place in [directory, "\(directory)/\(uid)"] { mkdir(place, 0o700) }
        let target = output(trialUID: uid)
        await dropOutput(trialUID: uid)
        // On the same file system, so that nothing is copied.
        guard rename(source, target) == 0 else {
            throw DaemonError.directory(problem: "\(source) cannot be moved to \(target): \(String(cString: strerror(errno)))")
        }
        return true
    }

    public func hasOutput(trialUID uid: String) async -> Bool { access(output(trialUID: uid), F_OK) == 0 }

    public func dropOutput(trialUID uid: String) async { _ = ksb_remove_tree(output(trialUID: uid)) }

    public func forget(trialUID uid: String) async {
        await dropOutput(trialUID: uid)
        unlink(path(uid))
        unlink("\(path(uid)).new")
        rmdir("\(directory)/\(uid)")
    }
}

import Glibc
import LabDaemon

/// Files that a trial has left below `$KINDLING_OUTPUT`, as the lab keeps them of the best trials.
enum TrialFiles {
    /// Copies directories and regular files; links and other things that a trial may have made are left out, as they may lead anywhere.
    /// - Returns: how many files there were.
    /// - Throws: `CommandError` where nothing is kept, or the directory exists and is not empty.
    static func copy(trialUID uid: String, named name: String, to target: String) throws(CommandError) -> Int {
        let source = TrialLogFiles(directory: LabContext.current.paths.trials).output(trialUID: uid)
        guard SmallFile.isDirectory(source) else {
            throw CommandError(
                "no files of \(name) are kept: a trial leaves them below $KINDLING_OUTPUT, and only those of the best trials stay", reason: "NotFound")
        }
        if SmallFile.exists(target), try !SmallFile.list(target).isEmpty { throw CommandError("\(target) is not empty: name a new directory") }
        var copied = Copied()
        try tree(source, target, &copied)
        if copied.others > 0 { Output.note("lab: \(copied.others) links or special files were left out") }
        return copied.files
    }

    private struct Copied {
        var files = 0
        var others = 0
    }

    private static func tree(_ source: String, _ target: String, _ copied: inout Copied) throws(CommandError) {
        try SmallFile.makeDirectories(target)
        for name in try SmallFile.list(source) {
            let (from, to) = ("\(source)/\(name)", "\(target)/\(name)")
            var status = stat()
            guard lstat(from, &status) == 0 else { throw problem("look at", from) }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: try tree(from, to, &copied)
            case S_IFREG:
                try file(from, to, mode: status.st_mode & 0o777)
                copied.files += 1
            default: copied.others += 1
            }
        }
    }

    private static func file(_ source: String, _ target: String, mode: mode_t) throws(CommandError) {
        let input = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard input >= 0 else { throw problem("read", source) }
        defer { close(input) }
        let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw problem("write", target) }
        defer { close(output) }
        var offset: off_t = 0
        while true {
            let count = sendfile(output, input, &offset, 1 << 24)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw problem("copy", source) }
            if count == 0 { break }
        }
        // What the owner may do, without set-user-id and its like.
        fchmod(output, mode | 0o600)
    }

    private static func problem(_ action: String, _ path: String) -> CommandError {
        CommandError("cannot \(action) \(path): \(String(cString: strerror(errno)))")
    }
}

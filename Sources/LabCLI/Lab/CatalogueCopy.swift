import GRDB
import Glibc

/// Copies of the catalogue's file, for `lab backup` and `lab restore`. A copy is one SQLite file, complete and checked; it appears
/// under its name as a whole or not at all, readable by its owner only, since it holds secrets.
struct CatalogueCopy {
    /// How far revisions go ahead when those of the lab's clients are not known, as etcd's own restore advises.
    private static let leap: Int64 = 1_000_000_000

    /// What a copy holds.
    struct Content: Equatable {
        var objects: Int
        var revision: Int64
    }

    /// Copies a catalogue that labd may be writing to: one read transaction, so the copy is of one instant.
    /// - Parameter replace: whether a file of that name may be replaced.
    static func make(of path: String, at target: String, replace: Bool) throws(CommandError) -> Content {
        if SmallFile.isDirectory(target) { throw CommandError("\(target) is a directory: name a file in it") }
        if !replace, SmallFile.exists(target) { throw CommandError("\(target) exists: choose another name, or say --force") }
        let aside = "\(target).\(getpid()).new"
        umask(0o077)
        do {
            let source = try open(path, readOnly: true)
            try database("back up \(path)") { try source.inDatabase { try $0.execute(sql: "VACUUM INTO ?", arguments: [aside]) } }
            let content = try check(aside)
            try settle(aside, as: target)
            return content
        } catch {
            unlink(aside)
            throw error
        }
    }

    /// Whether a file is a whole catalogue; reads all of it.
    static func check(_ path: String) throws(CommandError) -> Content {
        guard SmallFile.exists(path) else { throw CommandError("there is no file \(path)") }
        let queue = try open(path, readOnly: true)
        return try database("read \(path)") {
            try queue.read { database in
                let verdict = try String.fetchOne(database, sql: "PRAGMA integrity_check(1)")
                guard verdict == "ok" else { throw CommandError("\(path) is damaged: \(verdict ?? "no answer to integrity_check")") }
                guard let revision = try Int64.fetchOne(database, sql: "SELECT value FROM meta WHERE key = 'revision'") else {
                    throw CommandError("\(path) is no catalogue of Kindling: it has no revision")
                }
                return Content(objects: try Int.fetchOne(database, sql: "SELECT count(*) FROM objects") ?? 0, revision: revision)
            }
        }
    }

    /// Puts a copy in the place of a lab's catalogue. labd must not run.
    ///
    /// Revisions go on above those that the lab's clients have seen: a watch that goes on from one of them is told to list again,
    /// instead of waiting for changes that carry numbers it has passed.
    /// - Returns: where the old catalogue went; `nil` where there was none.
    static func restore(_ copy: String, to path: String) throws(CommandError) -> String? {
        let content = try check(copy)
        let seen: Int64? = SmallFile.exists(path) ? (try? check(path))?.revision : 0
        let revision = max(content.revision, seen ?? content.revision + leap) + 1
        let aside = "\(path).\(getpid()).new"
        umask(0o077)
        do {
            let source = try open(copy, readOnly: true)
            try database("copy \(copy)") { try source.inDatabase { try $0.execute(sql: "VACUUM INTO ?", arguments: [aside]) } }
            let queue = try open(aside, readOnly: false)
            try database("write \(aside)") {
                try queue.write { try $0.execute(sql: "UPDATE meta SET value = ? WHERE key = 'revision'", arguments: [revision]) }
                try queue.close()
            }
            let kept = try keepOld(path)
            try settle(aside, as: path)
            return kept
        } catch {
            unlink(aside)
            throw error
        }
    }

    /// Moves the old catalogue aside with its log, which belongs to it alone.
    private static func keepOld(_ path: String) throws(CommandError) -> String? {
        guard SmallFile.exists(path) else { return nil }
        var number = 1
        while SmallFile.exists("\(path).old-\(number)") { number += 1 }
        let kept = "\(path).old-\(number)"
        // The log first: a catalogue without its log is whole as of the last checkpoint, a log without its catalogue is nothing.
        for ending in ["-wal", "-shm", ""] where SmallFile.exists(path + ending) {
            if rename(path + ending, kept + ending) != 0 {
                throw CommandError("cannot move \(path + ending) aside: \(String(cString: strerror(errno)))")
            }
        }
        return kept
    }

    private static func settle(_ aside: String, as target: String) throws(CommandError) {
        let descriptor = Glibc.open(aside, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0, rename(aside, target) == 0 else {
            throw CommandError("cannot write \(target): \(String(cString: strerror(errno)))")
        }
        let directory = Glibc.open(target.lastIndex(of: "/").map { String(target[...$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }

    private static func open(_ path: String, readOnly: Bool) throws(CommandError) -> DatabaseQueue {
        guard SmallFile.exists(path) else { throw CommandError("there is no catalogue at \(path)") }
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(5)
        return try database("open \(path)") { try DatabaseQueue(path: path, configuration: configuration) }
    }

    private static func database<Value>(_ action: String, _ body: () throws -> Value) throws(CommandError) -> Value {
        do {
            return try body()
        } catch {
            if let known = error as? CommandError { throw known }
            guard let problem = error as? DatabaseError else { throw CommandError("cannot \(action): \(error)") }
            switch problem.resultCode {
            case .SQLITE_FULL: throw CommandError("cannot \(action): the disk is full; nothing was changed")
            case .SQLITE_NOTADB, .SQLITE_CORRUPT: throw CommandError("cannot \(action): it is no SQLite file, or a damaged one")
            default: throw CommandError("cannot \(action): \(problem.message ?? "\(problem.resultCode)")")
            }
        }
    }
}

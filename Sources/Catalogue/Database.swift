import GRDB
import KubeModel

/// The SQLite file: its schema, loading, and the one statement batch a commit runs.
struct Database {
    let path: String
    let queue: DatabaseQueue

    init(path: String) throws(CatalogueError) {
        self.path = path
        var configuration = Configuration()
        configuration.label = "catalogue"
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            // FULL: the log is synced at each commit, so an acknowledged write survives a power cut.
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(sql: "PRAGMA cache_size = -2048")
        }
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
            // A large file would be read twice before the lab is there; its objects are all read anyway, which shows most damage.
            if try queue.read({ try Self.size($0) }) <= Self.checkedSize, let problem = try queue.read({ try Self.problem($0) }) {
                throw CatalogueError.corrupt(path: path, problem: problem)
            }
            let migrator = Migrations.migrator
            if let unknown = try queue.read({ try migrator.appliedIdentifiers($0) }).subtracting(migrator.migrations).first {
                throw CatalogueError.newer(path: path, migration: unknown)
            }
            try migrator.migrate(queue)
            try Self.makeViews(queue, path: path)
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    func load(into state: inout MemoryState) throws(CatalogueError) {
        do {
            var loaded: [StoredObject] = []
            try queue.read { database in
                let isChecked = try Self.size(database) <= Self.checkedSize
                var resources: [String: GroupResource] = [:]
                let rows = try Row.fetchCursor(database, sql: "SELECT grp, resource, namespace, name, revision, uid, value, intent FROM objects")
                while let row = try rows.next() {
                    let (group, plural): (String, String) = (row[0], row[1])
                    let resource = resources[plural].flatMap { $0.group == group ? $0 : nil } ?? GroupResource(plural, group: group)
                    resources[plural] = resource
                    let key = ObjectKey(resource, namespace: row[2], name: row[3])
                    let text: String = row[6]
                    let intent: String? = row[7]
                    // The text is kept and read again when somebody looks into the object; of a large file only its ends are looked at.
                    let bytes = Array(text.utf8)
                    guard bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}"), !isChecked || (try? JSONParser.parse(bytes)) != nil else {
                        throw CatalogueError.corrupt(path: path, problem: "the text of \(key) is no JSON object")
                    }
                    loaded.append(StoredObject(key: key, revision: row[4], uid: row[5], text: bytes, intentText: intent.map { Array($0.utf8) }))
                }
            }
            for object in loaded { state.load(object) }
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    /// The largest file, in bytes, that is checked as a whole at each start.
    private static let checkedSize: Int64 = 16 << 20

    private static func size(_ database: GRDB.Database) throws -> Int64 {
        try (Int64.fetchOne(database, sql: "PRAGMA page_count") ?? 0) * (Int64.fetchOne(database, sql: "PRAGMA page_size") ?? 0)
    }

    private static func problem(_ database: GRDB.Database) throws -> String? {
        let answer = try String.fetchOne(database, sql: "PRAGMA quick_check(1)")
        return answer == "ok" ? nil : answer ?? "no answer to quick_check"
    }

    func revision() throws(CatalogueError) -> Int64 {
        do {
            return try queue.read { try Int64.fetchOne($0, sql: "SELECT value FROM meta WHERE key = 'revision'") } ?? 1
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    /// Makes one batch durable; nothing of it is kept when this throws.
    func commit(_ batch: Batch) throws(CatalogueError) {
        do {
            try queue.write { database in
                let put = try database.cachedStatement(sql: Migrations.put)
                let delete = try database.cachedStatement(sql: Migrations.delete)
                for change in batch.changes {
                    let key = change.object.key
                    if change.kind == .deleted {
                        try delete.execute(arguments: [key.resource.group, key.resource.resource, key.namespace, key.name])
                    } else {
                        try put.execute(arguments: [
                            key.resource.group, key.resource.resource, key.namespace, key.name, change.object.uid, change.revision,
                            String(decoding: change.object.encoded, as: UTF8.self), change.object.encodedIntent.map { String(decoding: $0, as: UTF8.self) },
                        ])
                    }
                }
                let observe = try database.cachedStatement(sql: Migrations.observe)
                for entry in batch.observations {
                    try observe.execute(arguments: [
                        entry.trial.namespace, entry.trial.trial, entry.trial.uid, entry.sequence, entry.time, entry.metric, entry.value,
                    ])
                }
                for entry in batch.forgotten {
                    let sql = "DELETE FROM observations WHERE trial_uid = ? AND sequence BETWEEN ? AND ?"
                    try database.execute(sql: sql, arguments: [entry.trial.uid, entry.places.lowerBound, entry.places.upperBound])
                    if entry.isAll { try database.execute(sql: "DELETE FROM trial_runs WHERE trial_uid = ?", arguments: [entry.trial.uid]) }
                }
                for run in batch.runs {
                    try database.cachedStatement(sql: Migrations.record).execute(arguments: [
                        run.trial.uid, run.trial.namespace, run.trial.trial, run.wallSeconds, run.cpuSeconds, run.peakMemoryBytes, run.exitCode,
                        run.codeDigest,
                    ])
                }
                try database.cachedStatement(sql: "UPDATE meta SET value = ? WHERE key = 'revision'").execute(arguments: [batch.revision])
            }
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    /// Brings the log's content into the file, so that the log's space is written anew. Best effort: on a full disk the file may not
    /// be able to grow.
    func reuseLog() {
        do { try queue.writeWithoutTransaction { _ = try $0.checkpoint(.restart) } } catch {}
    }

    func observations(of trial: TrialKey) throws(CatalogueError) -> [Observation] {
        do {
            return try queue.read { database in
                let sql = "SELECT sequence, time, metric, value FROM observations WHERE trial_uid = ? ORDER BY sequence"
                return try Row.fetchAll(database, sql: sql, arguments: [trial.uid])
                    .map { Observation(trial: trial, sequence: $0[0], time: $0[1], metric: $0[2], value: $0[3]) }
            }
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    func observations(of trial: TrialKey, metric: String, limit: Int) throws(CatalogueError) -> [Observation] {
        do {
            return try queue.read { database in
                let sql = "SELECT sequence, time, metric, value FROM observations WHERE trial_uid = ? AND metric = ? ORDER BY sequence LIMIT ?"
                return try Row.fetchAll(database, sql: sql, arguments: [trial.uid, metric, limit])
                    .map { Observation(trial: trial, sequence: $0[0], time: $0[1], metric: $0[2], value: $0[3]) }
            }
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    func run(of trial: TrialKey) throws(CatalogueError) -> TrialRun? {
        do {
            return try queue.read { database in
                let sql = "SELECT wall_seconds, cpu_seconds, peak_memory_bytes, exit_code, code_digest FROM trial_runs WHERE trial_uid = ?"
                return try Row.fetchOne(database, sql: sql, arguments: [trial.uid]).map {
                    TrialRun(trial: trial, wallSeconds: $0[0], cpuSeconds: $0[1], peakMemoryBytes: $0[2], exitCode: $0[3], codeDigest: $0[4])
                }
            }
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    func close() throws(CatalogueError) {
        do { try queue.close() } catch { throw Self.translate(error, path: path) }
    }

    static func translate(_ error: any Error, path: String) -> CatalogueError {
        if let known = error as? CatalogueError { return known }
        guard let problem = error as? DatabaseError else { return .unusable(path: path, problem: "\(error)") }
        switch problem.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return .corrupt(path: path, problem: problem.message ?? "not a database")
        case .SQLITE_FULL: return .full(path: path)
        // Where the space of its auxiliary files cannot be had, SQLite speaks of the file or of the disk's failure.
        case .SQLITE_IOERR where isOnFullDisk(path), .SQLITE_CANTOPEN where isOnFullDisk(path): return .full(path: path)
        default: return .unusable(path: path, problem: problem.message ?? "\(problem.resultCode)")
        }
    }
}

extension Database {
    private static func isOnFullDisk(_ path: String) -> Bool { DiskSpace.isFull(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".") }

    /// On a full disk the views of the last start are good enough.
    private static func makeViews(_ queue: DatabaseQueue, path: String) throws {
        do {
            try queue.write { try $0.execute(sql: Migrations.views) }
        } catch {
            guard case .full = translate(error, path: path), try queue.read({ try $0.viewExists("trials") }) else { throw error }
        }
    }
}

/// What several writes put together for one commit.
struct Batch {
    var changes: [Change] = []
    var observations: [Observation] = []
    var forgotten: [ForgottenObservations] = []
    var runs: [TrialRun] = []
    var revision: Int64
    /// It frees space, or takes no more than was taken: deletions, what happens to objects on their way out, and changes that do not
    /// make an object longer, such as the times in a heartbeat.
    var isRelief: Bool {
        observations.isEmpty && runs.isEmpty && changes.allSatisfy { change in
            if change.kind == .deleted || change.object.isBeingDeleted { return true }
            guard let previous = change.previous else { return false }
            return change.object.storedSize <= previous.storedSize
        }
    }

    var isEmpty: Bool { changes.isEmpty && observations.isEmpty && forgotten.isEmpty && runs.isEmpty }
}

import GRDB
import Glibc
import KubeModel

/// Reads the catalogue's file beside a running labd, never writing to it.
struct CatalogueReader {
    private let queue: DatabaseQueue

    init(path: String, command: String) throws(CommandError) {
        guard SmallFile.exists(path) else {
            if errno == EACCES { throw CommandError("\(path) belongs to a lab of another user") }
            throw CommandError("there is no catalogue yet at \(path): start the lab with '\(command) up'")
        }
        var configuration = Configuration()
        configuration.readonly = true
        // labd's checkpoints lock the file for moments.
        configuration.busyMode = .timeout(5)
        do { queue = try DatabaseQueue(path: path, configuration: configuration) } catch { throw Self.problem(error) }
    }

    /// Runs one statement.
    func query(_ sql: String) throws(CommandError) -> SQLResult {
        try read { database in
            if SQLWords.mention("trials", in: sql) { try TrialPivot(database).createTable() }
            let statement = try database.makeStatement(sql: sql)
            var result = SQLResult(columns: statement.columnNames, rows: [])
            let rows = try Row.fetchCursor(statement)
            while let row = try rows.next() { result.rows.append(row.databaseValues.map(SQLValue.init)) }
            return result
        }
    }

    func read<Value>(_ body: (GRDB.Database) throws -> Value) throws(CommandError) -> Value {
        do { return try queue.read(body) } catch { throw Self.problem(error) }
    }

    private static func problem(_ error: any Error) -> CommandError {
        if let known = error as? CommandError { return known }
        guard let problem = error as? DatabaseError else { return CommandError("\(error)") }
        let text = problem.message ?? "\(problem.resultCode)"
        switch problem.resultCode {
        case .SQLITE_READONLY: return CommandError("lab sql reads only: \(text); change objects with 'lab apply' or kubectl")
        case .SQLITE_MISUSE where text.hasPrefix("Multiple statements"): return CommandError("expected one statement, found more behind the first")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return CommandError("the catalogue cannot be read: \(text)")
        default: return CommandError(text)
        }
    }
}

/// Which names a statement has, roughly: enough to know whether a table is worth making.
enum SQLWords {
    static func mention(_ name: String, in sql: String) -> Bool {
        sql.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains { $0 == name }
    }
}

/// What can go wrong with the catalogue's file.
public enum CatalogueError: Error, Sendable, CustomStringConvertible {
    /// The file is no SQLite database or its pages contradict each other.
    case corrupt(path: String, problem: String)
    /// The file was written by a newer Kindling.
    case newer(path: String, migration: String)
    /// The disk is full: the write was refused as a whole, reads go on.
    case full(path: String)
    /// SQLite could not read or write the file.
    case unusable(path: String, problem: String)
    /// The catalogue was closed while the write was waiting.
    case closed

    public var description: String {
        switch self {
        case .corrupt(let path, let problem):
            "the catalogue \(path) is damaged (\(problem)); nothing was changed: move it aside or put a backup in its place, then run 'lab up'"
        case .newer(let path, let migration):
            "the catalogue \(path) was written by a newer Kindling (it has '\(migration)'); start that version or use another --state directory"
        case .full(let path):
            "no space left on the disk of \(path): the write was refused and nothing of it was kept; free some space and try again"
        case .unusable(let path, let problem): "cannot use the catalogue \(path): \(problem)"
        case .closed: "the catalogue is closed: the daemon is shutting down"
        }
    }
}

/// A watch asked for changes that the change log no longer holds.
public struct RevisionExpired: Error, Sendable {
    public let requested: Int64
    /// The oldest revision from which a watch can start.
    public let oldest: Int64
}

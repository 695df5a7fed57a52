/// Reads all CDI files of a list of directories.
struct CDIDirectories: Sendable {
    /// Upstream's own: what an administrator writes and what a driver's service writes at boot (pkg/cdi/spec-dirs.go).
    static let standard = ["/etc/cdi", "/var/run/cdi"]

    /// A device of a later directory takes the place of the same device of an earlier one.
    let directories: [String]

    struct File: Sendable, Equatable {
        var path: String
        var specification: CDISpecification
        /// The place of its directory in the list.
        var priority: Int
    }

    struct Contents: Sendable, Equatable {
        var files: [File] = []
        /// A sentence for each file that was not understood.
        var problems: [String] = []
    }

    /// No file, however bad, keeps the others from being read.
    func read() -> Contents {
        var contents = Contents()
        for (priority, directory) in directories.enumerated() {
            for name in Files.list(directory).sorted() where name.hasSuffix(".yaml") || name.hasSuffix(".json") {
                let path = "\(directory)/\(name)"
                do {
                    guard let bytes = try Files.read(path, limit: Self.limit + 1) else { continue }
                    if bytes.count > Self.limit { throw CDIError(field: "", problem: "larger than \(Self.limit >> 20) MiB") }
                    contents.files.append(File(path: path, specification: try CDISpecification(bytes: bytes), priority: priority))
                } catch let error as CDIError {
                    contents.problems.append("\(path) is not used: \(error)")
                } catch {
                    contents.problems.append("\(path) is not used: \(error)")
                }
            }
        }
        return contents
    }

    private static let limit = 4 << 20
}

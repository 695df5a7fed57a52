/// A path on its way down from a root that it never leaves: `..` stops there and an absolute link starts there, as in a
/// container.
struct LayerPath {
    /// The directories walked so far, from the root, without links.
    private(set) var done: [String] = []
    /// The parts still to go, the next one last.
    private var rest: [String]
    private var links = 0

    /// What Linux allows in one path.
    static let linksMax = 40

    init(_ parts: [String]) { rest = parts.reversed() }

    /// The parts of a path without `.`, `..` and empty ones. A `..` takes away what is before it, as text: tars that mean
    /// something else by it do not exist.
    static func parts(_ path: String) -> [String] {
        var parts: [String] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
        }
        return parts
    }

    mutating func next() -> String? {
        while let part = rest.popLast() {
            if part != ".." { return part }
            _ = done.popLast()
        }
        return nil
    }

    /// Nothing is to go after the part that ``next()`` gave.
    var isAtEnd: Bool { rest.isEmpty }

    mutating func enter(_ part: String) { done.append(part) }

    /// The part that ``next()`` gave is a link to `target`.
    /// - Returns: false after too many links.
    mutating func follow(_ target: String) -> Bool {
        links += 1
        guard links <= Self.linksMax else { return false }
        if target.hasPrefix("/") { done = [] }
        rest += target.split(separator: "/").filter { $0 != "." }.map(String.init).reversed()
        return true
    }

    func place(in root: String) -> String { done.isEmpty ? root : "\(root)/\(done.joined(separator: "/"))" }
}

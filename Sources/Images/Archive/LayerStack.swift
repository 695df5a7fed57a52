import CArchive
import Glibc

/// Looks through layers as an overlay would.
struct LayerStack {
    /// Directories, topmost first.
    let layers: [String]

    /// Where something lies that the overlay would show; `nil` where no layer has it or one hides it. Links on the way are not
    /// followed.
    func find(_ parts: [String]) -> String? {
        for layer in layers {
            var place = layer
            var isHidden = false
            for (index, part) in parts.enumerated() {
                place += "/\(part)"
                guard let status = FileSystem.linkStatus(place) else { break }
                if status.st_mode & S_IFMT == S_IFCHR { return nil }
                if index == parts.count - 1 { return place }
                // A link or a file in the way hides what deeper layers have there.
                guard status.st_mode & S_IFMT == S_IFDIR else { return nil }
                isHidden = isHidden || carchive_has_attribute(place, LayerMark.opaque)
            }
            if isHidden { return nil }
        }
        return nil
    }

    /// A small text file's lines, through links that stay inside; none where it is missing.
    func lines(_ path: String) -> [Substring] {
        var walk = LayerPath(LayerPath.parts(path))
        while let part = walk.next() {
            guard let place = find(walk.done + [part]), let status = FileSystem.linkStatus(place) else { return [] }
            if status.st_mode & S_IFMT == S_IFLNK {
                guard walk.follow(FileSystem.linkTarget(place) ?? "") else { return [] }
                continue
            }
            walk.enter(part)
            if status.st_mode & S_IFMT == S_IFREG {
                guard let bytes = try? FileSystem.read(place) else { return [] }
                return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            }
        }
        return []
    }

    /// An image's USER in numbers, as container runtimes find them in the image's own passwd and group.
    /// - Returns: `uid:gid`, `""` for root, or `nil` where a name is unknown there.
    func user(_ text: String) -> String? {
        if text.isEmpty { return "" }
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        let name = parts.first ?? ""
        let users = lines("etc/passwd").map { $0.split(separator: ":", omittingEmptySubsequences: false) }
        let entry = users.first { $0.count > 3 && ($0[0] == name || $0[2] == name) }
        guard let uid = UInt32(name) ?? entry.flatMap({ UInt32($0[2]) }) else { return nil }
        var gid = entry.flatMap { UInt32($0[3]) } ?? 0
        if parts.count > 1 {
            let groups = lines("etc/group").map { $0.split(separator: ":", omittingEmptySubsequences: false) }
            guard let given = UInt32(parts[1]) ?? groups.first(where: { $0.count > 2 && $0[0] == parts[1] }).flatMap({ UInt32($0[2]) }) else {
                return nil
            }
            gid = given
        }
        return uid == 0 && gid == 0 ? "" : "\(uid):\(gid)"
    }
}

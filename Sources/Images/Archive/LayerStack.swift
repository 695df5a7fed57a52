import CArchive
import Glibc

/// Looks through layers as an overlay would.
struct LayerStack {
    /// Directories, topmost first.
    let layers: [String]
    /// Directories of this machine below all layers, and where they are seen: `/usr` of an environment on the host's system.
    var mounts: [(target: [String], source: String)] = []

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
        return mounted(parts)
    }

    private func mounted(_ parts: [String]) -> String? {
        guard let mount = mounts.last(where: { parts.starts(with: $0.target) }) else { return nil }
        var place = mount.source
        let rest = parts.dropFirst(mount.target.count)
        for (index, part) in rest.enumerated() {
            place += "/\(part)"
            guard let status = FileSystem.linkStatus(place), index == rest.count - 1 || status.st_mode & S_IFMT == S_IFDIR else { return nil }
        }
        return place
    }

    /// Names in a directory that the overlay would show, sorted.
    func names(_ parts: [String]) -> [String] {
        var shown: Set<String> = []
        var hidden: Set<String> = []
        layers: for layer in layers {
            var place = layer
            var isLast = false
            for part in [""] + parts {
                if !part.isEmpty { place += "/\(part)" }
                guard let status = FileSystem.linkStatus(place) else { continue layers }
                guard status.st_mode & S_IFMT == S_IFDIR else { return shown.sorted() }
                isLast = isLast || !part.isEmpty && carchive_has_attribute(place, LayerMark.opaque)
            }
            for name in FileSystem.names(in: place) where !hidden.contains(name) {
                hidden.insert(name)
                if FileSystem.linkStatus("\(place)/\(name)").map({ $0.st_mode & S_IFMT != S_IFCHR }) ?? false { shown.insert(name) }
            }
            if isLast { return shown.sorted() }
        }
        if let place = mounted(parts) { shown.formUnion(FileSystem.names(in: place).filter { !hidden.contains($0) }) }
        return shown.sorted()
    }

    /// Follows the links of a path as inside a container.
    /// - Returns: the parts that exist, without links, and those that do not; `nil` where links lead in a circle.
    func resolve(_ parts: [String], followingLast: Bool = true) -> (found: [String], missing: [String])? {
        var walk = LayerPath(parts)
        while let part = walk.next() {
            guard let place = find(walk.done + [part]), let status = FileSystem.linkStatus(place) else {
                var missing = [part]
                while let more = walk.next() { missing.append(more) }
                return (walk.done, missing)
            }
            if status.st_mode & S_IFMT == S_IFLNK, followingLast || !walk.isAtEnd {
                guard walk.follow(FileSystem.linkTarget(place) ?? "") else { return nil }
                continue
            }
            walk.enter(part)
        }
        return (walk.done, [])
    }

    func isDirectory(_ parts: [String]) -> Bool {
        parts.isEmpty || find(parts).flatMap(FileSystem.linkStatus).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    /// The home directory of a user by number, as its own passwd says.
    func home(of user: UInt32) -> String {
        let entry = lines("etc/passwd").map { $0.split(separator: ":", omittingEmptySubsequences: false) }.first { $0.count > 5 && UInt32($0[2]) == user }
        return entry.map { String($0[5]) }.flatMap { $0.isEmpty ? nil : $0 } ?? (user == 0 ? "/root" : "/")
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

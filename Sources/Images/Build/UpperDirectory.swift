import CArchive
import Glibc

/// The difference that a RUN made, as an overlay keeps it: the upper directory of the root, and of mounts that are overlays of
/// their own (kernel, overlayfs.rst).
struct UpperDirectory {
    /// The directory, and where in the root it belongs.
    let path: String
    let place: [String]
    /// What the root was made of.
    let below: LayerStack
    /// Paths on which something was mounted: what lies there is only what it was mounted on.
    let mounted: Set<String>

    /// Puts what is in it into a tree. A directory that is as it was counts only for what is in it.
    func add(to tree: inout LayerTree) {
        var links: [Inode: String] = [:]
        _ = walk(path, place, &tree, &links)
    }

    private struct Inode: Hashable {
        var device: dev_t
        var number: ino_t
    }

    /// - Returns: whether anything was put into the tree.
    private func walk(_ directory: String, _ parts: [String], _ tree: inout LayerTree, _ links: inout [Inode: String]) -> Bool {
        var hasMore = false
        // In the tar's order: the first of several hard links is the file.
        for name in FileSystem.names(in: directory).sorted(by: LayerTree.precedes) {
            let path = "\(directory)/\(name)"
            let here = parts + [name]
            guard let status = FileSystem.linkStatus(path), !mounted.contains(here.joined(separator: "/")) else { continue }
            if put(path, here, status, &tree, &links) { hasMore = true }
        }
        return hasMore
    }

    private func put(_ path: String, _ parts: [String], _ status: stat, _ tree: inout LayerTree, _ links: inout [Inode: String]) -> Bool {
        if status.st_mode & S_IFMT == S_IFCHR {
            guard status.st_rdev == 0 else { return false }
            // One over nothing is left where what was made was removed again.
            guard below.find(parts) != nil else { return false }
            tree.hide(parts)
            return true
        }
        guard let entry = LayerTree.Entry(at: path, status) else { return false }
        if status.st_mode & S_IFMT != S_IFDIR {
            if status.st_nlink > 1 {
                let inode = Inode(device: status.st_dev, number: status.st_ino)
                if let first = links[inode] {
                    var link = entry
                    link.kind = .hardLink(first)
                    link.attributes = []
                    tree.put(parts, link)
                    return true
                }
                links[inode] = parts.joined(separator: "/")
            }
            tree.put(parts, entry)
            return true
        }
        let lower = below.find(parts).flatMap(FileSystem.linkStatus)
        let wasDirectory = lower.map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
        // The kernel marks every new directory so; it says something only where there was another.
        let isOpaque = wasDirectory && carchive_has_attribute(path, LayerMark.opaque)
        var hasMore = walk(path, parts, &tree, &links)
        if isOpaque {
            tree.makeOpaque(parts)
            hasMore = true
        }
        let isSame = wasDirectory && lower.map { $0.st_mode == status.st_mode && $0.st_uid == status.st_uid && $0.st_gid == status.st_gid } ?? false
        guard hasMore || !isSame else { return false }
        tree.put(parts, entry)
        return true
    }
}

/// Extended attributes of a path itself.
enum FileAttributes {
    /// Sorted by name; none where the file system has none.
    static func read(_ path: String) -> [(name: String, value: [UInt8])] {
        var names = [CChar](repeating: 0, count: 4096)
        let length = carchive_list_attributes(path, &names, names.count)
        guard length > 0 else { return [] }
        return names.prefix(length).split(separator: 0).compactMap { name in
            let text = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            var value = [UInt8](repeating: 0, count: 65536)
            let count = carchive_get_attribute(path, text, &value, value.count)
            return count < 0 ? nil : (text, Array(value.prefix(count)))
        }.sorted { $0.name < $1.name }
    }
}

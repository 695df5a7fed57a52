import Glibc

/// Makes the tree of a COPY, an ADD or a WORKDIR (docs.docker.com/reference/dockerfile, "COPY").
struct CopyLayer {
    /// The image that is built, up to here.
    let below: LayerStack
    private(set) var tree: LayerTree
    /// `--chown` in numbers; `nil` keeps what an archive says and is root for all else.
    var owner: (user: UInt32, group: UInt32)?
    /// `--chmod` in octal.
    var mode: mode_t?
    /// Where archives are unpacked before they are taken in.
    var scratch: () throws(ImageError) -> String

    /// Why a step cannot be done, without its place.
    struct Problem: Error {
        let reason: String
    }

    init(below: LayerStack, epoch: Int, scratch: @escaping () throws(ImageError) -> String) {
        self.below = below
        self.scratch = scratch
        tree = LayerTree(epoch: epoch)
    }

    /// Makes a directory with its missing parents.
    /// - Returns: where it really is.
    mutating func makeDirectory(_ path: [String]) throws -> [String] {
        guard let (found, missing) = below.resolve(path) else { throw Problem(reason: "/\(path.joined(separator: "/")) leads through links in a circle") }
        guard below.isDirectory(found) else { throw Problem(reason: "/\(found.joined(separator: "/")) is a file in the image, and a directory is needed") }
        var here = found
        for part in missing {
            here.append(part)
            if !tree.has(here) { tree.putDirectory(here, uid: owner?.user ?? 0, gid: owner?.group ?? 0) }
        }
        return here
    }

    /// - Parameter destination: absolute; with a slash at its end it is a directory.
    mutating func copy(_ matches: [[String]], from sources: BuildSources, to destination: String, unpacks: Bool) throws {
        let parts = LayerPath.parts(destination)
        let isDirectory = destination.hasSuffix("/") || matches.count > 1 || isDirectoryAlready(parts)
        for match in matches {
            guard let (path, status) = sources.status(match) else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                try copyContents(match, sources, try makeDirectory(parts))
                continue
            }
            if unpacks, try unpack(path, into: parts) { continue }
            let target = isDirectory ? parts + [match.last ?? ""] : parts
            try put(try entry(path, status, sources), at: target)
        }
    }

    /// A heredoc's text.
    mutating func copy(_ text: String, named name: String, to destination: String) throws {
        let parts = LayerPath.parts(destination)
        let isDirectory = destination.hasSuffix("/") || isDirectoryAlready(parts)
        try put(
            LayerTree.Entry(
                kind: .bytes(Array(text.utf8)), mode: mode ?? 0o644, uid: owner?.user ?? 0, gid: owner?.group ?? 0, modified: tree.epoch),
            at: isDirectory ? parts + [name] : parts)
    }

    private func isDirectoryAlready(_ parts: [String]) -> Bool {
        guard let (found, missing) = below.resolve(parts) else { return false }
        return missing.isEmpty && below.isDirectory(found)
    }

    private mutating func put(_ entry: LayerTree.Entry, at parts: [String]) throws {
        let parent = try makeDirectory(Array(parts.dropLast()))
        guard let name = parts.last else { throw Problem(reason: "a file cannot take the place of the root: name a destination such as /there/") }
        tree.put(parent + [name], entry)
    }

    private func entry(_ path: String, _ status: stat, _ sources: BuildSources) throws -> LayerTree.Entry {
        guard var entry = LayerTree.Entry(at: path, status) else { throw Problem(reason: "\(path) is neither a file, a directory nor a link") }
        if owner != nil || !sources.keepsOwners {
            entry.uid = owner?.user ?? 0
            entry.gid = owner?.group ?? 0
        }
        // What a user's file system notes of a file is not the file's.
        if !sources.keepsOwners { entry.attributes = [] }
        if let mode, status.st_mode & S_IFMT != S_IFLNK { entry.mode = mode }
        return entry
    }

    private mutating func copyContents(_ directory: [String], _ sources: BuildSources, _ target: [String]) throws {
        for name in sources.stack.names(directory) {
            let path = directory + [name]
            guard !sources.isHidden(path), let (place, status) = sources.status(path) else { continue }
            let entry: LayerTree.Entry
            do { entry = try self.entry(place, status, sources) } catch { continue }
            let here = target + [name]
            // The image may have a link to a directory in its place: what comes goes where that leads.
            if entry.isDirectory, let (found, missing) = below.resolve(here), missing.isEmpty, below.isDirectory(found), found != here {
                try copyContents(path, sources, found)
                continue
            }
            tree.put(here, entry)
            if entry.isDirectory { try copyContents(path, sources, here) }
        }
    }

    // MARK: Archives

    /// - Returns: false where the file is no archive, which is then copied as it is.
    private mutating func unpack(_ file: String, into parts: [String]) throws -> Bool {
        guard Self.isArchive(file) else { return false }
        let target = try makeDirectory(parts)
        let directory = try scratch()
        var unpacker = LayerUnpacker(root: directory, below: LayerStack(layers: []))
        try unpacker.unpack(try Decompressed(try FileSource(file), name: file), archive: file)
        try take(directory, target)
        return true
    }

    private mutating func take(_ directory: String, _ target: [String]) throws {
        for name in FileSystem.names(in: directory) {
            let path = "\(directory)/\(name)"
            guard let status = FileSystem.linkStatus(path), var entry = LayerTree.Entry(at: path, status) else { continue }
            if let owner { (entry.uid, entry.gid) = (owner.user, owner.group) }
            if let mode, case .file = entry.kind { entry.mode = mode }
            tree.put(target + [name], entry)
            if entry.isDirectory { try take(path, target + [name]) }
        }
    }

    /// By its content: a tar, or one compressed.
    private static func isArchive(_ file: String) -> Bool {
        do {
            let content = try Decompressed(try FileSource(file), name: file)
            var head: [UInt8] = []
            while head.count < 512 {
                let piece = try content.next()
                if piece.isEmpty { return false }
                head += piece.prefix(512)
            }
            return head[257..<262].elementsEqual("ustar".utf8)
        } catch {
            return false
        }
    }
}

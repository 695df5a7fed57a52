import Glibc
import KubeModel

/// The files of a configMap, secret, projected or downwardAPI volume on disk, replaced as a whole: a reader sees all old files
/// or all new ones (upstream: pkg/volume/util/atomic_writer.go).
///
///     ..2026_11_25_18_30_00.123456789/dir/file     the files
///     ..data -> ..2026_11_25_18_30_00.123456789    what is swapped
///     dir -> ..data/dir                            what containers see
struct AtomicDirectory {
    typealias Content = [String: VolumeFiles.File]

    let path: String
    /// Owns the files beside the daemon's user; `nil` where the pod has no fsGroup.
    let group: UInt32?

    private var link: String { "\(path)/..data" }

    /// Makes the directory hold these files and no others.
    /// - Returns: false where it did already, and nothing was touched.
    @discardableResult
    func write(_ files: Content, now: Timestamp) throws(FileError) -> Bool {
        let isNew = (try? Files.makeNewDirectory(path)) ?? false
        if !isNew { try Files.makeDirectory(path) }
        var wanted = files
        if group != nil {
            // A group that must read the file gets the owner's right to read.
            for (name, file) in files { wanted[name]?.mode = file.mode | (file.mode & 0o400) >> 3 }
        }
        if !isNew, let current = Files.linkTarget(link), Self.content("\(path)/\(current)") == wanted { return false }
        let version = Self.version(now)
        try write(wanted, to: "\(path)/\(version)")
        let names = Set(wanted.keys.map { String($0.prefix { $0 != "/" }) })
        if isNew {
            // Every pod has such a directory. The link that counts comes last: without it all is written again.
            for name in names { try Files.makeLink("\(path)/\(name)", to: "..data/\(name)") }
            try Files.makeLink(link, to: version)
            return true
        }
        let temporary = "\(link)_tmp"
        Files.removeFile(temporary)
        try Files.makeLink(temporary, to: version)
        try Files.rename(temporary, to: link)
        try show(names)
        for name in Files.list(path) where name.hasPrefix("..2") && name != version { Files.removeTree("\(path)/\(name)") }
        return true
    }

    private func write(_ files: Content, to directory: String) throws(FileError) {
        try Files.makeDirectory(directory)
        for (name, file) in files {
            if let slash = name.lastIndex(of: "/") { try Files.makeDirectory("\(directory)/\(name[..<slash])") }
            try Files.writeNew(file.bytes, to: "\(directory)/\(name)", mode: file.mode)
            if let group { Files.setGroup("\(directory)/\(name)", group) }
        }
    }

    /// One link for each first part of a path; those of files that are gone go too.
    private func show(_ names: Set<String>) throws(FileError) {
        for name in names {
            let place = "\(path)/\(name)"
            let target = "..data/\(name)"
            if Files.linkTarget(place) == target { continue }
            Files.removeTree(place)
            try Files.makeLink(place, to: target)
        }
        for name in Files.list(path) where !name.hasPrefix("..") && !names.contains(name) { Files.removeTree("\(path)/\(name)") }
    }

    /// All files below a directory of ours.
    private static func content(_ directory: String, _ prefix: String = "") -> Content {
        var content: Content = [:]
        for name in Files.list(directory) {
            let place = "\(directory)/\(name)"
            guard let status = Files.status(place) else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                content.merge(Self.content(place, "\(prefix)\(name)/")) { $1 }
            } else if let bytes = try? Files.read(place, limit: 4 << 20) {
                content[prefix + name] = VolumeFiles.File(bytes: bytes, mode: UInt32(status.st_mode & 0o777))
            }
        }
        return content
    }

    private static func version(_ now: Timestamp) -> String {
        let digits = now.description.prefix(19).map { "-:T".contains($0) ? "_" : $0 }
        return "..\(String(digits)).\(now.nanoseconds)\(UInt16.random(in: 0 ... .max))"
    }
}

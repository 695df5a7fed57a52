/// Plain files as a tar archive (POSIX ustar): readable by all, without times, so that equal files make equal archives.
enum TarArchive {
    private static let block = 512

    /// - Throws: `CommandError` for a path that ustar has no room for.
    static func bytes(_ files: [String: [UInt8]]) throws(CommandError) -> [UInt8] {
        var archive: [UInt8] = []
        for (path, content) in files.sorted(by: { $0.key < $1.key }) {
            archive += try header(path, size: content.count)
            archive += content
            archive += [UInt8](repeating: 0, count: (block - content.count % block) % block)
        }
        return archive + [UInt8](repeating: 0, count: 2 * block)
    }

    private static func header(_ path: String, size: Int) throws(CommandError) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: block)
        func put(_ bytes: [UInt8], at place: Int) { header.replaceSubrange(place..<place + bytes.count, with: bytes) }
        func octal(_ number: Int, digits: Int) -> [UInt8] {
            let text = String(number, radix: 8)
            return Array((String(repeating: "0", count: max(0, digits - text.utf8.count)) + text).utf8)
        }
        var (prefix, name) = ("", path)
        if name.utf8.count > 100, let slash = path.indices.last(where: { path[$0] == "/" && path[..<$0].utf8.count <= 155 }) {
            (prefix, name) = (String(path[..<slash]), String(path[path.index(after: slash)...]))
        }
        guard name.utf8.count <= 100, prefix.utf8.count <= 155 else { throw CommandError("the path \(path) is too long to travel") }
        put(Array(name.utf8), at: 0)
        put(octal(0o644, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        put(Array("        ".utf8), at: 148)
        put(Array("0".utf8), at: 156)
        put(Array("ustar\0".utf8) + Array("00".utf8), at: 257)
        put(Array(prefix.utf8), at: 345)
        put(octal(header.reduce(0) { $0 + Int($1) }, digits: 6) + [0, 0x20], at: 148)
        return header
    }
}

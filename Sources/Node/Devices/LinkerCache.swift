/// What `/etc/ld.so.cache` says of where libraries lie (upstream: glibc, elf/dl-cache.h, the format `glibc-ld.so.cache1.1`).
enum LinkerCache {
    private static let old = Array("ld.so-1.7.0".utf8)
    private static let new = Array("glibc-ld.so.cache1.1".utf8)

    /// Paths by the library's name; several for one name where there are several architectures. Nothing for what is no such file.
    static func libraries(_ bytes: [UInt8]) -> [(name: String, path: String)] {
        var start = 0
        if bytes.starts(with: old) {
            // The older table stands before the newer one, which begins at the next multiple of 8.
            guard let count = number(bytes, 12), count < 1 << 20 else { return [] }
            start = (16 + count * 12 + 7) & ~7
        }
        guard start + 48 <= bytes.count, bytes[start...].starts(with: new), let count = number(bytes, start + 20), count < 1 << 20 else { return [] }
        var libraries: [(name: String, path: String)] = []
        for index in 0..<count {
            let entry = start + 48 + index * 24
            guard let name = number(bytes, entry + 4), let path = number(bytes, entry + 8) else { break }
            let found = (name: text(bytes, start + name), path: text(bytes, start + path))
            if !found.name.isEmpty, found.path.hasPrefix("/") { libraries.append(found) }
        }
        return libraries
    }

    private static func number(_ bytes: [UInt8], _ offset: Int) -> Int? {
        guard offset >= 0, offset + 4 <= bytes.count else { return nil }
        return bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private static func text(_ bytes: [UInt8], _ offset: Int) -> String {
        guard offset >= 0, offset < bytes.count else { return "" }
        return String(decoding: bytes[offset...].prefix(4096).prefix { $0 != 0 }, as: UTF8.self)
    }
}

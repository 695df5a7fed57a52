import Glibc

/// Reads of a shared library the name by which the dynamic linker looks for it (DT_SONAME in its dynamic section).
/// (upstream: elf(5); both byte sizes, and only the machine's own byte order, which is little here.)
enum SharedObject {
    /// The name, such as `libcuda.so.1`; `nil` where the file is no library or names none. Nothing that the file says is believed
    /// before it was measured against the file's size.
    static func soname(path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size > 0 else { return nil }
        return soname { offset, count in
            guard offset >= 0, count >= 0, count <= largest, offset <= Int(info.st_size) - count else { return nil }
            var bytes = [UInt8](repeating: 0, count: count)
            var done = 0
            while done < count {
                let got = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress.map { $0 + done }, count - done, off_t(offset + done)) }
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { return nil }
                done += got
            }
            return bytes
        }
    }

    /// The same of a file in memory.
    static func soname(bytes: [UInt8]) -> String? {
        soname { offset, count in
            guard offset >= 0, count >= 0, count <= largest, offset <= bytes.count - count else { return nil }
            return Array(bytes[offset..<offset + count])
        }
    }

    /// More of one table than this no library has.
    private static let largest = 1 << 20

    private static func soname(_ read: (_ offset: Int, _ count: Int) -> [UInt8]?) -> String? {
        guard let start = read(0, 64) ?? read(0, 52), start.starts(with: [0x7F, 0x45, 0x4C, 0x46]), start[5] == 1 else { return nil }
        let layout: Layout
        switch start[4] {
        case 1: layout = .narrow
        case 2 where start.count == 64: layout = .wide
        default: return nil
        }
        guard number(start, 16, 2) == 3,  // ET_DYN
            let table = number(start, layout.tableOffset, layout.word), let size = number(start, layout.entrySize, 2),
            let count = number(start, layout.entryCount, 2), size >= layout.headerSize, let headers = read(table, size * count)
        else { return nil }
        let segments = (0..<count).map { Array(headers[$0 * size..<($0 + 1) * size]) }
        guard let dynamic = segments.first(where: { number($0, 0, 4) == 2 }),  // PT_DYNAMIC
            let place = number(dynamic, layout.segmentOffset, layout.word),
            let length = number(dynamic, layout.segmentLength, layout.word), let entries = read(place, length)
        else { return nil }
        var name: Int?
        var strings: Int?
        var at = 0
        while at + 2 * layout.word <= entries.count, let tag = number(entries, at, layout.word) {
            if tag == 0 { break }
            if tag == 14 { name = number(entries, at + layout.word, layout.word) }  // DT_SONAME
            if tag == 5 { strings = number(entries, at + layout.word, layout.word) }  // DT_STRTAB
            at += 2 * layout.word
        }
        guard let name, let strings, let start = fileOffset(of: strings, segments, layout), name <= Int.max - start else { return nil }
        return text(at: start + name, read)
    }

    /// Where in the file lies what is loaded at an address.
    private static func fileOffset(of address: Int, _ segments: [[UInt8]], _ layout: Layout) -> Int? {
        for segment in segments where number(segment, 0, 4) == 1 {  // PT_LOAD
            guard let offset = number(segment, layout.segmentOffset, layout.word), let base = number(segment, layout.segmentAddress, layout.word),
                let length = number(segment, layout.segmentLength, layout.word), address >= base, address - base < length,
                offset <= Int.max - (address - base)
            else { continue }
            return offset + (address - base)
        }
        return nil
    }

    /// A name without a slash, of at most 255 bytes.
    private static func text(at offset: Int, _ read: (Int, Int) -> [UInt8]?) -> String? {
        var bytes: [UInt8] = []
        while bytes.count < 256, offset <= Int.max - 256, let next = read(offset + bytes.count, 1)?.first {
            if next != 0 {
                bytes.append(next)
                continue
            }
            let text = String(decoding: bytes, as: UTF8.self)
            return text.isEmpty || text.contains("/") || text == "." || text == ".." ? nil : text
        }
        return nil
    }

    /// A number in little byte order; `nil` where it does not lie in the bytes or is none of an `Int`.
    private static func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> Int? {
        guard offset >= 0, offset + size <= bytes.count else { return nil }
        let value = bytes[offset..<offset + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int(exactly: value)
    }

    /// Where fields lie in ELFCLASS32 and ELFCLASS64.
    private struct Layout {
        let word: Int
        let tableOffset: Int
        let entrySize: Int
        let entryCount: Int
        let headerSize: Int
        let segmentOffset: Int
        let segmentAddress: Int
        let segmentLength: Int

        static let narrow = Layout(
            word: 4, tableOffset: 28, entrySize: 42, entryCount: 44, headerSize: 32, segmentOffset: 4, segmentAddress: 8, segmentLength: 16)
        static let wide = Layout(
            word: 8, tableOffset: 32, entrySize: 54, entryCount: 56, headerSize: 56, segmentOffset: 8, segmentAddress: 16, segmentLength: 32)
    }
}

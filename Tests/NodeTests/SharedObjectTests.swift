import Glibc
import Testing

@testable import Node

/// Libraries made of bytes, for the reader of names.
enum CraftedLibrary {
    /// A library with one loaded segment and a dynamic section.
    static func bytes(soname: String, isWide: Bool = true, table: Int = 0x400) -> [UInt8] {
        let word = isWide ? 8 : 4
        func number(_ value: Int, _ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
        let (header, entry) = isWide ? (64, 56) : (52, 32)
        let dynamic = header + 2 * entry
        // Loaded 0x1000 above its place in the file, so that an address is not an offset.
        let base = 0x1000
        var bytes: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, isWide ? 2 : 1, 1, 1] + Array(repeating: 0, count: 9)
        bytes += number(3, 2) + number(62, 2) + number(1, 4) + number(0, word) + number(header, word) + number(0, word) + number(0, 4)
        bytes += number(header, 2) + number(entry, 2) + number(2, 2) + number(0, 6)
        func segment(_ type: Int, _ offset: Int, _ size: Int) -> [UInt8] {
            isWide
                ? number(type, 4) + number(5, 4) + number(offset, 8) + number(base + offset, 8) + number(0, 8) + number(size, 8) + number(size, 8) + number(8, 8)
                : number(type, 4) + number(offset, 4) + number(base + offset, 4) + number(0, 4) + number(size, 4) + number(size, 4) + number(5, 4) + number(8, 4)
        }
        bytes += segment(1, 0, table + 64) + segment(2, dynamic, 6 * word)
        bytes += number(5, word) + number(base + table, word) + number(14, word) + number(1, word) + number(0, 2 * word)
        bytes += Array(repeating: 0, count: table - bytes.count) + [0] + Array(soname.utf8) + [0]
        return bytes
    }
}

@Suite struct SharedObjectTests {
    @Test(arguments: [true, false]) func theNameIsReadOfBothSizes(isWide: Bool) {
        #expect(SharedObject.soname(bytes: CraftedLibrary.bytes(soname: "libcuda.so.1", isWide: isWide)) == "libcuda.so.1")
    }

    @Test func aNameThatWouldLeaveTheDirectoryIsNone() {
        #expect(SharedObject.soname(bytes: CraftedLibrary.bytes(soname: "../../etc/passwd")) == nil)
        #expect(SharedObject.soname(bytes: CraftedLibrary.bytes(soname: "..")) == nil)
        #expect(SharedObject.soname(bytes: CraftedLibrary.bytes(soname: "")) == nil)
        #expect(SharedObject.soname(bytes: CraftedLibrary.bytes(soname: String(repeating: "x", count: 300))) == nil)
    }

    @Test func noDamageIsBelieved() {
        let whole = CraftedLibrary.bytes(soname: "libx.so.1")
        for length in 0..<whole.count - 1 { #expect(SharedObject.soname(bytes: Array(whole[..<length])) == nil) }
        // Any byte may be any other: an answer or none, and never a crash.
        for place in 0..<240 {
            for value in [UInt8(0), 0x7F, 0x80, 0xFF] {
                var damaged = whole
                damaged[place] = value
                _ = SharedObject.soname(bytes: damaged)
            }
        }
        #expect(SharedObject.soname(bytes: Array("#!/bin/sh\n".utf8) + Array(repeating: 0, count: 100)) == nil)
    }

    @Test func theMachinesOwnLibrariesAreRead() throws {
        let cache = LinkerCache.libraries(try #require(try Files.read("/etc/ld.so.cache", limit: 16 << 20)))
        let path = try #require(cache.first { $0.name == "libc.so.6" }?.path)
        #expect(SharedObject.soname(path: path) == "libc.so.6")
        // Nearly every library is called in the cache as it calls itself.
        let known = cache.filter { SharedObject.soname(path: $0.path) == $0.name }
        #expect(known.count > cache.count / 2)
        #expect(SharedObject.soname(path: "/etc/passwd") == nil)
        #expect(SharedObject.soname(path: "/dev/null") == nil)
        #expect(SharedObject.soname(path: "/nowhere") == nil)
    }

    @Test func aCacheThatIsNoneHasNothing() {
        #expect(LinkerCache.libraries([]).isEmpty)
        #expect(LinkerCache.libraries(Array("ld.so-1.7.0".utf8) + Array(repeating: 0xFF, count: 40)).isEmpty)
        #expect(LinkerCache.libraries(Array("glibc-ld.so.cache1.1".utf8) + Array(repeating: 0xFF, count: 60)).isEmpty)
    }
}

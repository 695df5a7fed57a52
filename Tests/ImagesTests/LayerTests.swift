import CArchive
import Foundation
import Glibc
import Testing

@testable import Images

/// Bytes of the test's own.
private final class Bytes: ByteSource {
    private var rest: UnsafeMutableRawBufferPointer
    private var isRead = false

    init(_ bytes: [UInt8]) {
        rest = .allocate(byteCount: bytes.count, alignment: 1)
        rest.copyBytes(from: bytes)
    }

    deinit { rest.deallocate() }

    func next() -> UnsafeRawBufferPointer {
        defer { isRead = true }
        return isRead ? UnsafeRawBufferPointer(start: nil, count: 0) : UnsafeRawBufferPointer(rest)
    }
}

@Suite struct LayerTests {
    private func unpack(_ scratch: Scratch, _ name: String, below: [String] = [], _ fill: (inout Tar) -> Void) throws -> String {
        var tar = Tar()
        fill(&tar)
        let root = "\(scratch.path)/\(name)"
        try FileSystem.makeDirectories(root)
        var unpacker = LayerUnpacker(root: root, below: LayerStack(layers: below))
        try unpacker.unpack(Bytes(tar.finished), archive: "test")
        return root
    }

    private func text(_ path: String) -> String? { (try? FileSystem.read(path)).map { String(decoding: $0, as: UTF8.self) } }
    private func mode(_ path: String) -> mode_t? { FileSystem.linkStatus(path).map { $0.st_mode & 0o7777 } }
    private func isOpaque(_ path: String) -> Bool { carchive_has_attribute(path, LayerMark.opaque) }

    @Test(arguments: ["../../out", "/../out", "a/../../../out", "./../out"])
    func nothingLeavesTheRoot(name: String) throws {
        let scratch = try Scratch()
        let root = try unpack(scratch, "deep/er/root") { $0.add(name, "x") }
        #expect(text("\(root)/out") == "x")
        #expect(FileSystem.names(in: scratch.path).contains("out") == false)
    }

    @Test(arguments: ["/etc", "../../../../etc", "/"])
    func linksAreFollowedAsInsideAContainer(target: String) throws {
        let scratch = try Scratch()
        let root = try unpack(scratch, "root") {
            $0.add("trap", kind: .link, link: target)
            $0.add("trap/written", "x")
        }
        let place = target == "/" ? "written" : "etc/written"
        #expect(text("\(root)/\(place)") == "x" && !FileManager.default.fileExists(atPath: "/etc/written"))
    }

    @Test func aFileReplacesALinkAndNotWhatItLeadsTo() throws {
        let scratch = try Scratch()
        try scratch.write("outside", "safe")
        let root = try unpack(scratch, "root") {
            $0.add("file", kind: .link, link: "\(scratch.path)/outside")
            $0.add("file", "x")
        }
        #expect(text("\(root)/file") == "x" && text("\(scratch.path)/outside") == "safe")
    }

    @Test func hardLinksStayInside() throws {
        let scratch = try Scratch()
        try scratch.write("outside", "safe")
        let root = try unpack(scratch, "root") {
            $0.add("a", "x")
            $0.add("b", kind: .hardLink, link: "a")
        }
        #expect(FileSystem.status("\(root)/a")?.st_ino == FileSystem.status("\(root)/b")?.st_ino)
        for target in ["\(scratch.path)/outside", "../outside", "/etc/passwd"] {
            #expect(throws: ImageError.self) { try unpack(scratch, "other\(target.count)") { $0.add("b", kind: .hardLink, link: target) } }
        }
        // Of a file that the layer below has it is a copy.
        let upper = try unpack(scratch, "upper", below: [root]) { $0.add("c", kind: .hardLink, link: "a") }
        #expect(text("\(upper)/c") == "x")
    }

    @Test func circlesEnd() throws {
        let scratch = try Scratch()
        #expect { try unpack(scratch, "root") {
            $0.add("a", kind: .link, link: "b")
            $0.add("b", kind: .link, link: "a")
            $0.add("a/x", "x")
        } } throws: { "\($0)".contains("circle") }
    }

    @Test func whatIsHiddenAndMadeAgainIsOpaque() throws {
        let scratch = try Scratch()
        let root = try unpack(scratch, "root") {
            $0.add("again/", kind: .directory)
            $0.add("emptied/x", "x")
            $0.add("gone", "x")
        }
        let upper = try unpack(scratch, "upper", below: [root]) {
            $0.add(".wh.again")
            $0.add("again/", kind: .directory, mode: 0o750)
            $0.add("again/new", "x")
            $0.add("emptied/.wh..wh..opq")
            $0.add(".wh.gone")
            $0.add(".wh..wh.plnk", "x")
        }
        #expect(isOpaque("\(upper)/again") && mode("\(upper)/again") == 0o750 && isOpaque("\(upper)/emptied"))
        #expect((FileSystem.linkStatus("\(upper)/gone")?.st_mode ?? 0) & S_IFMT == S_IFCHR)
        #expect(FileSystem.names(in: upper).allSatisfy { !$0.hasPrefix(".wh.") })
        let stack = LayerStack(layers: [upper, root])
        #expect(stack.find(["gone"]) == nil && stack.find(["emptied", "x"]) == nil && stack.find(["again", "new"]) != nil)
    }

    @Test func directoriesThatALayerDoesNotNameAreAsBelow() throws {
        let scratch = try Scratch()
        let root = try unpack(scratch, "root") {
            $0.add("private/", kind: .directory, mode: 0o700)
            $0.add("usr/lib/", kind: .directory, mode: 0o755)
            $0.add("lib", kind: .link, link: "usr/lib")
        }
        let upper = try unpack(scratch, "upper", below: [root]) {
            $0.add("private/x", "x")
            $0.add("lib/y", "y")
        }
        #expect(mode("\(upper)/private") == 0o700)
        // A directory in the link's place would hide all of /usr/lib.
        #expect(text("\(upper)/usr/lib/y") == "y" && FileSystem.linkStatus("\(upper)/lib") == nil)
    }

    @Test func modesAreKeptAndClosedDirectoriesFilled() throws {
        let scratch = try Scratch()
        let root = try unpack(scratch, "root") {
            $0.add("closed/", kind: .directory, mode: 0o555)
            $0.add("closed/tool", "x", mode: 0o4755)
            $0.add("sticky/", kind: .directory, mode: 0o1777)
            $0.add("pipe", kind: .pipe, mode: 0o600)
            $0.add("device", kind: .character, mode: 0o666)
        }
        #expect(mode("\(root)/closed") == 0o555 && mode("\(root)/closed/tool") == 0o4755 && mode("\(root)/sticky") == 0o1777)
        // A character device of number 0:0 would hide what is below; others cannot be used in a container.
        #expect(FileSystem.linkStatus("\(root)/device") == nil && FileSystem.linkStatus("\(root)/pipe") != nil)
        FileSystem.removeTree(root)
        #expect(FileSystem.linkStatus(root) == nil)
    }
}

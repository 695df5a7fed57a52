import Foundation
import Glibc
import Testing

@testable import Images

@Suite struct SystemRootTests {
    @Test func holdsNothingThatIsPrivateToTheHost() throws {
        let scratch = try Scratch()
        let root = try SystemRoot(directory: "\(scratch.path)/cache").skeleton()
        let manager = FileManager.default
        for name in ["shadow", "gshadow", "ssh", "sudoers", "ssl/private", "environment", "machine-id", "pip.conf"] {
            #expect(!manager.fileExists(atPath: "\(root)/etc/\(name)"))
        }
        #expect(try String(contentsOfFile: "\(root)/etc/passwd", encoding: .utf8).split(separator: "\n").count == 7)
        #expect(try String(contentsOfFile: "\(root)/etc/resolv.conf", encoding: .utf8).isEmpty)
        for name in ["home/jovyan", "root", "opt", "srv", "mnt", "usr"] {
            #expect(try manager.contentsOfDirectory(atPath: "\(root)/\(name)").isEmpty)
        }
    }

    @Test func hasTheDirectoriesAndLinksOfASystem() throws {
        let scratch = try Scratch()
        let root = try SystemRoot(directory: "\(scratch.path)/cache").skeleton()
        let manager = FileManager.default
        #expect(try manager.attributesOfItem(atPath: "\(root)/tmp")[.posixPermissions] as? Int == 0o1777)
        #expect(try manager.attributesOfItem(atPath: "\(root)/root")[.posixPermissions] as? Int == 0o700)
        if let target = try? manager.destinationOfSymbolicLink(atPath: "/bin") {
            #expect(try manager.destinationOfSymbolicLink(atPath: "\(root)/bin") == target)
        }
        #expect(manager.fileExists(atPath: "\(root)/etc/nsswitch.conf"))
    }

    @Test func waysAreDirectoriesAndNothingElse() throws {
        let scratch = try Scratch()
        let system = SystemRoot(directory: "\(scratch.path)/cache")
        let ways = try system.ways()
        #expect(try system.ways() == ways && ways != system.skeleton())
        let all = FileManager.default.enumerator(atPath: ways)?.compactMap { $0 as? String } ?? []
        #expect(all.contains("opt") && all.contains("home/jovyan"))
        for name in all { #expect((FileSystem.linkStatus("\(ways)/\(name)")?.st_mode ?? 0) & S_IFMT == S_IFDIR) }
    }

    @Test func isBuiltOnceAndAgainWhenLost() throws {
        let scratch = try Scratch()
        let system = SystemRoot(directory: "\(scratch.path)/cache")
        let first = try system.skeleton()
        #expect(try system.skeleton() == first)
        #expect(try SystemRoot(directory: "\(scratch.path)/cache").skeleton() == first)
        try FileManager.default.removeItem(atPath: first)
        #expect(try system.skeleton() == first)
        #expect(FileManager.default.fileExists(atPath: "\(first)/etc/passwd"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/cache").filter { $0.hasPrefix(".system") }.isEmpty)
    }

    @Test func isWholeWhoeverBuildsItFirst() async throws {
        for _ in 0..<20 {
            let scratch = try Scratch()
            let cache = "\(scratch.path)/cache"
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<6 { group.addTask { try SystemRoot(directory: cache).skeleton() } }
                for try await root in group {
                    let manager = FileManager.default
                    #expect(manager.fileExists(atPath: "\(root)/etc/resolv.conf"), "the last thing that is written")
                    #expect(manager.fileExists(atPath: "\(root)/dev") && manager.fileExists(atPath: "\(root)/etc/nsswitch.conf"))
                }
            }
        }
    }
}

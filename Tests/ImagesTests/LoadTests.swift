import Foundation
import Glibc
import Testing

@testable import Images

@Suite struct LoadTests {
    private func image(_ config: [String: Any] = [:]) -> TestImage {
        var base = Tar()
        base.add("etc/", kind: .directory, mode: 0o755)
        base.add("etc/passwd", "root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\n")
        base.add("etc/group", "users:x:100:\nstaff:x:50:\n")
        base.add("bin/sh", "#!", mode: 0o755)
        base.add("data/old", "old")
        base.add("data/kept", "kept")
        var top = Tar()
        top.add("data/.wh.old")
        top.add("data/new", "new")
        return TestImage(layers: [base.finished, top.finished], config: config)
    }

    private func store(_ scratch: Scratch, _ bytes: [UInt8], _ name: String = "image.tar") throws -> (ImageStore, String) {
        let path = "\(scratch.path)/\(name)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return (scratch.store, path)
    }

    @Test func aDockerArchiveBecomesAnImageWithItsConfiguration() throws {
        let scratch = try Scratch()
        let config: [String: Any] = [
            "Env": ["PATH=/opt/x:/bin", "A=1", "A=2", "EMPTY="], "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo"], "WorkingDir": "/data",
            "User": "jovyan", "StopSignal": "SIGINT",
        ]
        let (store, path) = try store(scratch, image(config).dockerArchive(["my/image:1", "my/image:latest"]))
        let loaded = try store.load(path)
        #expect(loaded.map(\.names) == [["docker.io/my/image:1", "docker.io/my/image:latest"]])
        #expect(loaded.first?.layers == 2)
        let environment = try store.resolve("my/image:1")
        #expect(environment.variable("PATH") == "/opt/x:/bin" && environment.variable("A") == "2" && environment.variable("EMPTY") == "")
        #expect(environment.entrypoint == ["/bin/sh", "-c"] && environment.command == ["echo"])
        #expect(environment.workingDirectory == "/data" && environment.user == "1000:100" && environment.stopSignal == "SIGINT")
        #expect(environment.imageID == "docker.io/my/image@\(loaded[0].digest)" && environment.warnings.isEmpty)
        #expect(environment.mounts.isEmpty && environment.lowerDirectories.count == 2)
        // Topmost first, and what it hides is a whiteout.
        var status = stat()
        #expect(lstat("\(environment.lowerDirectories[0])/data/old", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 0)
        #expect(FileManager.default.fileExists(atPath: "\(environment.lowerDirectories[1])/data/old"))
        // By its digest it is itself, and any other digest is told of.
        #expect(try store.resolve("my/image:1@\(loaded[0].digest)").warnings.isEmpty)
        #expect(try store.resolve("my/image:1@sha256:\(String(repeating: "0", count: 64))").warnings.count == 1)
    }

    @Test(arguments: [("1000", "1000:100"), ("jovyan:staff", "1000:50"), ("7", "7:0"), ("7:8", "7:8"), ("", ""), ("root", "")])
    func usersAreFoundInTheImage(user: String, ids: String) throws {
        let scratch = try Scratch()
        let (store, path) = try store(scratch, image(["User": user]).dockerArchive(["x:1"]))
        _ = try store.load(path)
        #expect(try store.resolve("x:1").user == ids)
    }

    @Test func anUnknownUserIsRefusedAndNothingChanges() throws {
        let scratch = try Scratch()
        let (store, path) = try store(scratch, image(["User": "nobody-there"]).dockerArchive(["x:1"]))
        #expect { try store.load(path) } throws: { "\($0)".contains("USER nobody-there is not in its /etc/passwd") }
        #expect(store.list().isEmpty)
        #expect(throws: ImageError.self) { try store.resolve("x:1") }
    }

    @Test func layersAreSharedAndGoWithTheLastName() throws {
        let scratch = try Scratch()
        var other = image(["Cmd": ["a"]])
        var more = Tar()
        more.add("more", "more")
        other.layers.append(more.finished)
        let (store, path) = try store(scratch, image().dockerArchive(["x:1"]))
        let (_, second) = try self.store(scratch, other.dockerArchive(["y:1"]), "second.tar")
        _ = try store.load(path)
        _ = try store.load(second)
        let layers = store.content.layers
        #expect(FileSystem.names(in: layers).count == 3)
        try store.tag("x:1", as: "z:1")
        try store.remove("x:1")
        #expect(try store.prune() == PrunedContent())
        #expect(try store.resolve("z:1").command.isEmpty)
        try store.remove("z:1")
        // Its manifest and configuration; the layers are in y too.
        #expect(try store.prune().blobs == 2 && FileSystem.names(in: layers).count == 3)
        try store.remove("y:1")
        let pruned = try store.prune()
        #expect(pruned.layers == 3 && pruned.kept == 0)
        #expect(FileSystem.names(in: layers).isEmpty && FileSystem.names(in: store.content.blobs).isEmpty)
    }

    @Test func whatAPodUsesStays() throws {
        let scratch = try Scratch()
        let (store, path) = try store(scratch, image().dockerArchive(["x:1"]))
        _ = try store.load(path)
        let lower = try store.resolve("x:1").lowerDirectories
        // A container's record has the paths of its layers among other bytes.
        try scratch.write("state/pods/uid/containers/main/0/spec", "\u{1}\u{2}\(lower[0])\u{0}")
        // It is made before the container starts, and written when it has ended.
        try scratch.write("state/pods/uid/containers/main/0/exit", "")
        try store.remove("x:1")
        let pruned = try store.prune()
        #expect(pruned.layers == 1 && pruned.kept == 1 && FileSystem.isDirectory(lower[0]) && !FileSystem.isDirectory(lower[1]))
        try scratch.write("state/pods/uid/containers/main/0/exit", "0")
        #expect(try store.prune().layers == 1)
    }

    @Test func whatIsSavedIsTheSameImageAndTheSameBytes() throws {
        let scratch = try Scratch()
        let (store, path) = try store(scratch, image(["Cmd": ["a"]]).dockerArchive(["x:1"]))
        let first = try store.load(path)
        try store.save(["x:1"], to: "\(scratch.path)/a.tar")
        try store.save(["x:1"], to: "\(scratch.path)/b.tar")
        #expect(try FileSystem.read("\(scratch.path)/a.tar") == FileSystem.read("\(scratch.path)/b.tar"))
        let other = try Scratch()
        #expect(try other.store.load("\(scratch.path)/a.tar") == first)
        #expect(try other.store.resolve("x:1").command == ["a"])
        #expect { try store.save(["nothing:1"], to: "\(scratch.path)/c.tar") } throws: { "\($0)".contains("lab image add") }
    }

    @Test func historyHasTheStepsThatMadeNoLayerToo() throws {
        let scratch = try Scratch()
        let (store, path) = try store(scratch, image(["Cmd": ["a"]]).dockerArchive(["x:1"]))
        _ = try store.load(path)
        let facts = try store.facts("x:1")
        #expect(facts.history.map(\.command) == ["ENV A=b", "COPY it /", "COPY it /"] && facts.history[0].bytes == 0)
        #expect(facts.json["config"]["Cmd"] == ["a"] && facts.json["layers"].elements.count == 2)
    }

    // MARK: Bad input

    @Test func contentThatIsNotItsDigestIsRefused() throws {
        let scratch = try Scratch()
        var wrong = image()
        let bytes = wrong.dockerArchive(["x:1"])
        wrong.layers[1] = Tar().finished
        // The configuration of one with the layers of the other.
        var tar = Tar()
        tar.add("0", String(decoding: wrong.layers[0], as: UTF8.self))
        tar.add("1", String(decoding: wrong.layers[1], as: UTF8.self))
        tar.add("config.json", String(decoding: image().configuration, as: UTF8.self))
        tar.add("manifest.json", #"[{"Config": "config.json", "RepoTags": ["x:1"], "Layers": ["0", "1"]}]"#)
        let (store, path) = try store(scratch, tar.finished)
        #expect { try store.load(path) } throws: { "\($0)".contains("should have the digest sha256:") }
        #expect(store.list().isEmpty && FileSystem.names(in: store.content.layers).count == 1)
        #expect(bytes.count > 0)
    }

    @Test(arguments: [
        ("not an archive at all", "cannot be read as an image"), ("", "cannot be read as an image"),
    ])
    func nonsenseIsRefused(text: String, message: String) throws {
        let scratch = try Scratch()
        let (store, path) = try store(scratch, Array(text.utf8))
        #expect { try store.load(path) } throws: { "\($0)".contains(message) }
        #expect(FileSystem.names(in: store.content.directory).filter { $0.hasPrefix(".new") }.isEmpty)
    }

    @Test func everyCutOfAnArchiveIsRefused() throws {
        let scratch = try Scratch()
        let bytes = image().dockerArchive(["x:1"])
        for length in stride(from: 0, to: bytes.count - 1536, by: 700) {
            let (store, path) = try store(scratch, Array(bytes[..<length]))
            #expect(throws: ImageError.self, "\(length) of \(bytes.count) bytes") { try store.load(path) }
            #expect(store.list().isEmpty)
        }
    }

    @Test func anotherArchitectureIsToldApart() throws {
        let scratch = try Scratch()
        var other = image()
        other.architecture = "s390x"
        let (store, path) = try store(scratch, other.dockerArchive(["x:1"]))
        #expect { try store.load(path) } throws: { "\($0)".contains("it is for linux/s390x, and this machine is linux/") }
    }

    @Test func anArchiveWithoutANameNeedsOne() throws {
        let scratch = try Scratch()
        let (store, path) = try store(scratch, image().dockerArchive([]))
        #expect { try store.load(path) } throws: { "\($0)".contains("--tag NAME") }
        #expect(try store.load(path, tag: "own/name").map(\.names) == [["docker.io/own/name:latest"]])
        #expect(throws: ImageError.self) { try store.load(path, tag: "No Name") }
        #expect(throws: ImageError.self) { try store.load("\(scratch.path)/nothing") }
    }
}

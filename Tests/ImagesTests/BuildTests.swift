import CArchive
import Foundation
import Glibc
import Synchronization
import Testing

@testable import Images

/// Plays the sandbox: writes into the upper directory what the test wants a RUN to have changed.
private final class PretendRunner: BuildRunner {
    let ran = Mutex<[BuildCommand]>([])
    let exitCode: Int32
    let change: @Sendable (_ upper: String, _ words: [String]) throws -> Void

    init(exitCode: Int32 = 0, change: @escaping @Sendable (String, [String]) throws -> Void = { _, _ in }) {
        self.exitCode = exitCode
        self.change = change
    }

    func run(_ command: BuildCommand) async throws -> BuildCommandResult {
        ran.withLock { $0.append(command) }
        let upper = "\(command.directory)/upper"
        try FileSystem.makeDirectories(upper)
        try change(upper, command.arguments)
        return BuildCommandResult(exitCode: exitCode, changes: [(upper, "/")], mounted: ["/proc", "/dev", "/sys", "/etc/hosts"])
    }
}

@Suite struct BuildTests {
    private let scratch: Scratch
    private var store: ImageStore { scratch.store }
    private var content: ImageContent { store.content }

    init() throws {
        scratch = try Scratch()
        try scratch.write("context/a.txt", "a")
        try scratch.write("context/dir/b.txt", "b")
        try scratch.write("context/dir/sub/c.py", "c")
    }

    private func load(_ entries: (inout Tar) -> Void = { _ in }) throws {
        var base = Tar()
        base.add("etc/", kind: .directory, mode: 0o755)
        base.add("etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1000:100::/home/user:/bin/sh\n")
        base.add("lib", kind: .link, link: "usr/lib")
        base.add("usr/lib/old", "old")
        base.add("data/one", "one")
        base.add("data/two", "two")
        entries(&base)
        let image = TestImage(layers: [base.finished], config: ["Env": ["PATH=/bin", "A=base"], "Cmd": ["base"], "Entrypoint": ["/e"]])
        let path = "\(scratch.path)/base.tar"
        try Data(image.dockerArchive(["base:1"])).write(to: URL(fileURLWithPath: path))
        _ = try store.load(path)
    }

    @discardableResult
    private func build(
        _ dockerfile: String, _ runner: PretendRunner = PretendRunner(), name: String = "built:1", _ change: (inout BuildRequest) -> Void = { _ in }
    ) async throws -> (image: LoadedImage, events: [String]) {
        try scratch.write("context/Dockerfile", dockerfile)
        var request = BuildRequest(names: [name], context: "\(scratch.path)/context")
        change(&request)
        let told = Told()
        let image = try await store.build(request, runner: runner) { event in
            switch event {
            case .step(_, let number, _, let text, let isCached): told.add("\(number) \(isCached ? "CACHED " : "")\(text.prefix { $0 != " " })")
            case .warning(let text): told.add(text)
            }
        }
        return (image, told.lines)
    }

    private final class Told: Sendable {
        private let all = Mutex<[String]>([])
        func add(_ line: String) { all.withLock { $0.append(line) } }
        var lines: [String] { all.withLock { $0 } }
    }

    /// What the image shows at a path.
    private func text(_ path: String, in image: String = "built:1") throws -> String? {
        let stack = LayerStack(layers: try store.resolve(image).lowerDirectories)
        return stack.find(LayerPath.parts(path)).flatMap { try? String(contentsOfFile: $0, encoding: .utf8) }
    }

    @Test func copiesAsDockerDoes() async throws {
        try load()
        try await build("FROM base:1\nWORKDIR /w\nCOPY a.txt .\nCOPY dir /d\nCOPY a.txt dir/*.txt /lib/\nCOPY a.txt /new\nCOPY a.txt /data\nCOPY <<EOF /h\n$A\nEOF")
        #expect(try text("w/a.txt") == "a" && text("d/b.txt") == "b" && text("d/sub/c.py") == "c" && text("new") == "a" && text("data/a.txt") == "a")
        // Where the image's link leads, as a registry's client would unpack it.
        #expect(try text("usr/lib/a.txt") == "a" && text("usr/lib/b.txt") == "b" && text("usr/lib/old") == "old" && text("h") == "base\n")
        #expect(try store.resolve("built:1").workingDirectory == "/w")
    }

    @Test func theSameInputIsTheSameDigestAndRunsNothing() async throws {
        try load()
        let runner = PretendRunner { upper, _ in try "x".write(toFile: "\(upper)/made", atomically: true, encoding: .utf8) }
        let file = "FROM base:1\nCOPY a.txt /\nRUN make\nENV B=c"
        let first = try await build(file, runner)
        let second = try await build(file, runner)
        #expect(first.image.digest == second.image.digest && first.events == ["1 FROM", "2 COPY", "3 RUN"])
        #expect(second.events == ["1 FROM", "2 CACHED COPY", "3 CACHED RUN"] && runner.ran.withLock { $0.count } == 1)
        // Without the cache, and at another time of the clock, the bytes are the same.
        let third = try await build(file, runner) { $0.usesCache = false }
        #expect(third.image.digest == first.image.digest && runner.ran.withLock { $0.count } == 2)
        try scratch.write("context/a.txt", "changed")
        let fourth = try await build(file, runner)
        #expect(fourth.events == ["1 FROM", "2 COPY", "3 RUN"] && fourth.image.digest != first.image.digest)
    }

    @Test func aRunsChangesAreALayer() async throws {
        try load()
        let runner = PretendRunner { upper, _ in
            try FileSystem.makeDirectories("\(upper)/data")
            mknod("\(upper)/data/one", S_IFCHR, 0)
            try FileSystem.makeDirectories("\(upper)/etc")
            try FileSystem.write([], to: "\(upper)/etc/hosts", mode: 0o644)
            try FileSystem.makeDirectories("\(upper)/proc")
            try FileSystem.write(Array("n".utf8), to: "\(upper)/new", mode: 0o640)
            link("\(upper)/new", "\(upper)/same")
            try FileSystem.makeLink("\(upper)/link", to: "new")
        }
        let (image, _) = try await build("FROM base:1\nRUN change", runner)
        #expect(try text("data/one") == nil && text("data/two") == "two" && text("new") == "n" && text("same") == "n")
        let top = try store.resolve("built:1").lowerDirectories[0]
        // Of what was only mounted on there is no trace.
        #expect(FileSystem.names(in: top) == ["data", "link", "new", "same"])
        #expect(FileSystem.linkStatus("\(top)/new")?.st_ino == FileSystem.linkStatus("\(top)/same")?.st_ino)
        #expect(FileSystem.linkStatus("\(top)/new")?.st_mtim.tv_sec == 315_619_200 && image.layers == 2)
    }

    @Test func aRunThatChangesNothingMakesNoLayer() async throws {
        try load()
        let (image, _) = try await build("FROM base:1\nRUN true")
        #expect(try image.layers == 1 && store.facts("built:1").history.first?.bytes == 0)
    }

    @Test func stagesAndTargets() async throws {
        try load()
        let runner = PretendRunner { upper, words in try words[2].write(toFile: "\(upper)/out", atomically: true, encoding: .utf8) }
        let file = "ARG V=1\nFROM base:$V AS build\nARG V\nRUN echo $V\nFROM base:1 AS unused\nRUN never\nFROM scratch AS end\nCOPY --from=build /out /usr/lib/old /x/\nFROM end\nCMD [\"x\"]"
        let (image, _) = try await build(file, runner)
        #expect(runner.ran.withLock { $0.map { $0.arguments[2] } } == ["echo $V"])
        #expect(runner.ran.withLock { $0[0].environment.contains("V=1") })
        #expect(try image.layers == 1 && text("x/out") == "echo $V" && text("x/old") == "old")
        try await build(file, runner, name: "other:1") { $0.target = "unused" }
        #expect(try text("out", in: "other:1") == "never")
        await #expect { try await build(file) { $0.target = "none" } } throws: { "\($0)".contains("has no stage of that name (build, unused, end)") }
    }

    @Test func configuration() async throws {
        try load()
        let file = """
            FROM base:1
            ARG N=user
            ARG UNSET
            ENV B=${A}-${N} C="x y" D=${UNSET:-none}
            USER $N
            EXPOSE 80 8000-8001/udp
            VOLUME /v
            LABEL k="a b"
            STOPSIGNAL SIGINT
            SHELL ["/bin/bash", "-c"]
            ENTRYPOINT exec it
            """
        try await build(file) { $0.arguments = ["N": "user", "NOT": "there"] }
        let environment = try store.resolve("built:1")
        #expect(environment.variable("B") == "base-user" && environment.variable("C") == "x y" && environment.variable("D") == "none")
        #expect(environment.user == "1000:100" && environment.stopSignal == "SIGINT")
        #expect(environment.entrypoint == ["/bin/bash", "-c", "exec it"] && environment.command.isEmpty)
        let config = try store.facts("built:1").json["config"]
        #expect(config["ExposedPorts"].members.keys.sorted() == ["80/tcp", "8000/udp", "8001/udp"] && config["Labels"]["k"].stringValue == "a b")
        #expect(config["Volumes"].has("/v") && config["User"].stringValue == "user")
    }

    @Test func errorsNameTheLineAndChangeNothing() async throws {
        try load()
        for (file, expected) in [
            ("FROM base:1\nCOPY none /", "Dockerfile:2: none is not in the context"), ("FROM none:1", "Dockerfile:1: FROM none:1: image \"none:1\" cannot be used"),
            ("FROM base:1\nCOPY ../x /", "Dockerfile:2: ../x leads out of"), ("FROM base:1\n\nUSER nobody-here\nRUN x", "Dockerfile:4: USER nobody-here is not in"),
            ("FROM base:1\nCOPY a.txt dir /x", "Dockerfile:2: several sources need a directory"), ("FROM scratch\nCMD x", "Dockerfile:1: the image would be empty"),
            ("FROM base:1\nCOPY --chmod=rwx a.txt /", "Dockerfile:2: --chmod=rwx: expected an octal number"), ("FROM base:1\nEXPOSE web", "Dockerfile:2: EXPOSE web"),
            ("FROM base:1\nENV A=${B:?needed}", "Dockerfile:2: B: needed"), ("FROM --platform=linux/s390x base:1", "Dockerfile:1: FROM --platform=linux/s390x"),
        ] {
            await #expect(performing: { try await build(file) }, throws: { "\($0)".hasPrefix(expected) })
        }
        await #expect(performing: { try await build("FROM base:1\nRUN x", PretendRunner(exitCode: 7)) }, throws: {
            "\($0)".hasPrefix("Dockerfile:2: RUN x ended with exit code 7") && ($0 as? ImageError) == .build(file: "Dockerfile", line: 2, reason: "RUN x ended with exit code 7; what it printed is above", status: 7)
        })
        #expect(throws: ImageError.self) { try store.resolve("built:1") }
        #expect(FileSystem.names(in: content.builds).isEmpty)
    }

    @Test func archivesAreUnpackedByAddAlone() async throws {
        try load()
        var tar = Tar()
        tar.add("in/side", "x", mode: 0o600, uid: 5)
        tar.add("in/../../../../escape", "y")
        try Data(tar.finished).write(to: URL(fileURLWithPath: "\(scratch.path)/context/t.tar"))
        try await build("FROM base:1\nADD t.tar /u\nCOPY t.tar /k\nADD a.txt /u/")
        #expect(try text("u/in/side") == "x" && text("u/escape") == "y" && text("u/a.txt") == "a")
        #expect(try text("k") != nil)
    }

    @Test func whatABuildUsesStaysAndWhatADeadOneLeftGoes() async throws {
        try load()
        try FileManager.default.createDirectory(atPath: "\(content.builds)/dead", withIntermediateDirectories: true)
        try scratch.write("state/images/builds/dead/1/upper/file", "left")
        let store = store
        let runner = PretendRunner { [content] upper, _ in
            try "x".write(toFile: "\(upper)/made", atomically: true, encoding: .utf8)
            // In the middle of a build: its base has lost its name, and its first layer never had one.
            try? store.remove("base:1")
            let pruned = try store.prune()
            #expect(pruned.layers == 0 && FileSystem.names(in: content.layers).count == 2)
        }
        let (image, _) = try await build("FROM base:1\nCOPY a.txt /\nRUN x", runner)
        #expect(try image.layers == 3 && text("made") == "x" && FileSystem.names(in: content.builds).isEmpty)
        try store.remove("built:1")
        #expect(try store.prune().layers == 3 && FileSystem.names(in: content.cache).isEmpty)
    }

    @Test func aFileThatChangesUnderTheBuildIsNotFiledUnderItsOldContent() async throws {
        try load()
        let path = "\(scratch.path)/context/a.txt"
        try scratch.write("context/Dockerfile", "FROM base:1\nCOPY a.txt /")
        let request = BuildRequest(names: ["built:1"], context: "\(scratch.path)/context")
        // Between the hash and the copy, which is when the step is told of.
        await #expect(performing: {
            try await store.build(request, runner: PretendRunner()) { event in
                if case .step(_, 2, _, _, _) = event { try? "other".write(toFile: path, atomically: false, encoding: .utf8) }
            }
        }, throws: { "\($0)".contains("a file changed while it was copied") })
        #expect(try await build("FROM base:1\nCOPY a.txt /").events == ["1 FROM", "2 COPY"] && text("a.txt") == "other")
    }

    @Test func onTheHostsOwnSystem() async throws {
        try scratch.write("state/environments/own.yaml", "images: [own:1]\nsystem: host\nenv: {A: b}\ncmd: [sh]\n")
        let (image, _) = try await build("FROM own:1\nCOPY a.txt /usr/local/share/kindling-test/\nCOPY dir /opt/dir\nENV C=d")
        let environment = try store.resolve("built:1")
        let layers = environment.lowerDirectories
        #expect(image.layers == 2 && FileSystem.isFile("\(layers[0])/opt/dir/b.txt") && environment.variable("A") == "b" && environment.variable("C") == "d")
        // What lies below a mount is laid over its source.
        let usr = try #require(environment.mounts.first { $0.target == "/usr" })
        #expect(usr.kind == .overlay && usr.above == ["\(layers[1])/usr"])
        #expect { try store.save(["built:1"], to: "\(scratch.path)/x.tar") } throws: { "\($0)".contains("this machine's own system") }
        // Another build goes on from there.
        let (next, _) = try await build("FROM built:1\nCOPY a.txt /opt/", name: "next:1")
        #expect(try next.layers == 3 && store.resolve("next:1").mounts == environment.mounts)
    }
}

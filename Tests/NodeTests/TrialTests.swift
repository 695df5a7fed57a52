import Catalogue
import Glibc
import KubeModel
import Registry
import Synchronization
import Testing

@testable import Node

/// What the node does for trials: ends containers early, keeps a volume, follows files on it.
@Suite(.timeLimit(.minutes(2)))
struct TrialTests {
    /// A pod with a volume `metrics` at /m that is kept.
    private func create(_ lab: Lab, _ name: String) async throws {
        var pod = Lab.manifest(name) { spec in
            spec["volumes"] = [["name": "metrics", "emptyDir": [:]], ["name": "other", "emptyDir": [:]]]
            spec["containers"] = [
                [
                    "name": "main", "image": "busybox", "command": ["true"],
                    "volumeMounts": [["name": "metrics", "mountPath": "/m/"], ["name": "other", "mountPath": "/o"]],
                ]
            ]
        }
        pod["metadata"]["annotations"] = ["kindling.dev/kept-volume": "metrics"]
        try await lab.client.create(pod)
    }

    @Test(arguments: [false, true]) func aContainerThatIsEndedEarlyCountsAsZero(isStubborn: Bool) async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: isStubborn))
        try await lab.start()
        try await lab.create("early")
        let pod = try #require(try await lab.waitForPhase("early", "Running"))
        try await lab.agent.endEarly(namespace: "default", pod: "early", uid: pod.uid, container: "main")
        let after = try #require(try await lab.waitForPhase("early", "Succeeded"))
        let ended = after.mainStatus["state"]["terminated"]
        #expect(ended["exitCode"] == 0 && ended["reason"] == "Completed" && ended["signal"].isNull)
        #expect(lab.machine.container("main-0")?.signals == (isStubborn ? [15, 9] : [15]))
    }

    @Test func itCountsAsZeroForALaterDaemonToo() async throws {
        let lab = try await Lab()
        lab.script("main", .run(stubborn: true))
        try await lab.start()
        try await lab.create("early")
        let pod = try #require(try await lab.waitForPhase("early", "Running"))
        try await lab.agent.endEarly(namespace: "default", pod: "early", uid: pod.uid, container: "main")
        try await lab.kill()
        lab.machine.container("main-0")?.exit(143, signal: 15)
        try await lab.start()
        let after = try #require(try await lab.waitForPhase("early", "Succeeded"))
        #expect(after.mainStatus["state"]["terminated"]["exitCode"] == 0)
        #expect(lab.machine.starts.count == 1)
    }

    @Test func theKeptVolumeStaysUntilThePodGoes() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await create(lab, "kept")
        let pod = try #require(try await lab.waitForPhase("kept", "Running"))
        let volumes = "\(lab.directory)/pods/\(pod.uid)/volumes"
        try Files.write("score=1\n".utf8, to: "\(volumes)/metrics/log")
        lab.machine.container("main-0")?.exit(0)
        try await lab.waitForPhase("kept", "Succeeded")
        for _ in 0..<500 where Files.isDirectory("\(volumes)/other") { try await Task.sleep(for: .milliseconds(10)) }
        #expect(Files.list(volumes) == ["metrics"])
        #expect(Files.text("\(volumes)/metrics/log") == "score=1\n")
        let seen = Mutex<[String]>([])
        let problem = try await lab.agent.followFile(namespace: "default", pod: "kept", uid: pod.uid, container: "main", path: "/m/log") { lines in
            seen.withLock { $0 += lines.map(\.text) }
        }
        #expect(problem == nil && seen.withLock { $0 } == ["score=1"], "read after the pod's end")
        let agent = lab.agent
        func kept(_ name: String) async -> String? { await agent.keptVolume(namespace: "default", pod: "kept", uid: pod.uid, volume: name) }
        #expect(await kept("metrics") == "\(volumes)/metrics")
        for other in ["other", "..", ""] { #expect(await kept(other) == nil) }
        try await lab.client.delete(lab.key("kept"), uid: pod.uid)
        try await lab.wait(lab.key("kept"), "deletion") { $0 == nil }
        for _ in 0..<500 where Files.isDirectory(volumes) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(!Files.isDirectory(volumes))
    }

    @Test func aFileIsFollowedWhileItGrows() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await create(lab, "grows")
        let pod = try #require(try await lab.waitForPhase("grows", "Running"))
        let path = "\(lab.directory)/pods/\(pod.uid)/volumes/metrics/log"
        let (stream, feed) = AsyncStream.makeStream(of: String.self)
        let agent = lab.agent
        let reading = Task {
            try await agent.followFile(namespace: "default", pod: "grows", uid: pod.uid, container: "main", path: "/m/log") { lines in
                for line in lines { feed.yield(line.text) }
            }
        }
        var lines = stream.makeAsyncIterator()
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        defer { close(file) }
        write(file, "first\nsec", 9)
        #expect(await lines.next() == "first")
        write(file, "ond\n", 4)
        #expect(await lines.next() == "second")
        write(file, "last", 4)
        lab.machine.container("main-0")?.exit(0)
        #expect(await lines.next() == "last", "the end of the container ends the line")
        #expect(try await reading.value == nil)
    }

    @Test func whatCannotBeReadIsTold() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await create(lab, "none")
        let pod = try #require(try await lab.waitForPhase("none", "Succeeded"))
        func problem(_ path: String) async throws -> String {
            try await lab.agent.followFile(namespace: "default", pod: "none", uid: pod.uid, container: "main", path: path) { _ in } ?? ""
        }
        #expect(try await problem("/m/log") == "/m/log: the file was never written")
        #expect(try await problem("/elsewhere/log") == "the container main has no volume at /elsewhere")
        let directory = "\(lab.directory)/pods/\(pod.uid)/volumes/metrics"
        symlink("/etc/passwd", "\(directory)/link")
        mkfifo("\(directory)/fifo", 0o644)
        mkdir("\(directory)/inner", 0o755)
        #expect(try await problem("/m/link").contains("symbolic link"))
        #expect(try await problem("/m/fifo").contains("FIFO"))
        #expect(try await problem("/m/inner").contains("directory"))
        try Files.write([1, 2], to: "\(directory)/inner/b")
        try Files.write([3], to: "\(directory)/a")
        let seen = Mutex<[String]>([])
        let left = try await lab.agent.files(namespace: "default", pod: "none", uid: pod.uid, container: "main", below: "/m") { name, bytes in
            seen.withLock { $0.append("\(name) \(bytes.count)") }
        }
        #expect(left == nil && seen.withLock { $0 } == ["a 1", "inner/b 2"], "links and FIFOs are passed over")
    }
}

@Suite struct PodRecordTests {
    @Test func aRecordComesBackAsItWasWritten() throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        var record = PodRecord(uid: "u", namespace: "n", name: "p")
        record.spent = [1, 2, 1 << 40]
        record.endedEarly = ["main": 1]
        try record.write(to: directory)
        #expect(PodRecord(directory: directory) == record)
    }
}

@Suite struct VolumeFileReaderTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        try body(directory)
    }

    @Test func aFileThatIsReplacedOrCutIsReadFromItsBeginning() throws {
        try withDirectory { directory in
            var reader = VolumeFileReader(directory: directory, name: "f")
            #expect(try reader.next(isLast: false) == nil && reader.problem == "the file was never written")
            try Files.write("a\nb\n".utf8, to: "\(directory)/f")
            #expect(try reader.next(isLast: false)?.map(\.text) == ["a", "b"] && reader.problem == nil)
            try Files.write("c\n".utf8, to: "\(directory)/f")
            #expect(try reader.next(isLast: false)?.map(\.text) == ["c"])
            let file = open("\(directory)/f", O_WRONLY | O_TRUNC)
            write(file, "d", 1)
            close(file)
            #expect(try reader.next(isLast: false) == nil)
            #expect(try reader.next(isLast: true)?.map(\.text) == ["d"])
            #expect(try reader.next(isLast: true) == nil)
        }
    }

    @Test func aLineOfAnyLengthIsCut() throws {
        try withDirectory { directory in
            try Files.write(Array(repeating: UInt8(ascii: "x"), count: 1 << 20) + Array("\r\nend\r\n".utf8), to: "\(directory)/f")
            var reader = VolumeFileReader(directory: directory, name: "f")
            var lines: [String] = []
            while let more = try reader.next(isLast: true) { lines += more.map(\.text) }
            #expect(lines.map(\.utf8.count) == [LogTail.lineLimit, 3] && lines.last == "end")
        }
    }
}

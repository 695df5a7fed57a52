import Glibc
import KubeModel
import Registry
import Testing

@testable import Node

@Suite(.timeLimit(.minutes(2)))
struct LogTests {
    private func entry(_ text: String, _ tag: String = "F", stream: String = "stdout", second: Int = 0) -> String {
        "2026-01-02T03:04:\(second < 10 ? "0" : "")\(second).123456789Z \(stream) \(tag) \(text)\n"
    }

    private func withLog(_ body: (String) throws -> Void) throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        try body("\(directory)/0.log")
    }

    private func text(_ reader: consuming LogReader, _ options: PodLogOptions = PodLogOptions()) -> String {
        var formatter = LogFormatter(options)
        var output: [UInt8] = []
        while let chunk = reader.next() { output += formatter.format(chunk) }
        return String(decoding: output, as: UTF8.self)
    }

    @Test func entriesAreTakenApart() throws {
        let bytes = Array("2026-01-02T03:04:05.1Z stderr P:x some text".utf8)
        let entry = try #require(LogEntry(bytes[...]))
        #expect(entry.isStandardError)
        #expect(entry.isPartial)
        #expect(String(decoding: entry.text, as: UTF8.self) == "some text")
        #expect(LogEntry(Array("no entry".utf8)[...]) == nil)
        #expect(LogEntry(Array("2026-01-02T03:04:05Z stdout F".utf8)[...])?.text.isEmpty == true)
    }

    @Test func partsAreJoinedAndLinesKeepTheirOrder() throws {
        try withLog { path in
            try Files.write((entry("ab", "P") + entry("cd") + entry("x", stream: "stderr") + entry("")).utf8, to: path)
            #expect(text(LogReader(files: LogFiles(path: path))) == "abcd\nx\n\n")
            var options = PodLogOptions()
            options.timestamps = true
            #expect(text(LogReader(files: LogFiles(path: path)), options).hasPrefix("2026-01-02T03:04:00.123456789Z abcd\n2026-"))
        }
    }

    @Test func rotatedFilesAreReadOldestFirst() throws {
        try withLog { path in
            try Files.write(entry("1").utf8, to: "\(path).2")
            try Files.write(entry("2").utf8, to: "\(path).1")
            try Files.write(entry("3").utf8, to: path)
            #expect(text(LogReader(files: LogFiles(path: path))) == "1\n2\n3\n")
        }
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 9])
    func theLastLinesAreFoundAcrossFiles(_ count: Int) throws {
        try withLog { path in
            try Files.write((entry("1") + entry("2")).utf8, to: "\(path).1")
            try Files.write((entry("3") + entry("4")).utf8, to: path)
            let files = LogFiles(path: path)
            let start = try #require(files.start(ofLast: count))
            let expected = (1...4).suffix(count).map { "\($0)\n" }.joined()
            #expect(text(LogReader(files: files, start: start)) == expected)
        }
    }

    @Test func theTailOfALargeLogReadsOnlyItsEnd() throws {
        try withLog { path in
            let line = entry(String(repeating: "x", count: 1000))
            try Files.write(String(repeating: line, count: 5000).utf8, to: path)
            let start = try #require(LogFiles(path: path).start(ofLast: 100))
            #expect(start.offset == line.utf8.count * 4900)
        }
    }

    @Test func theSinceTimeAndTheLimitAreKept() throws {
        try withLog { path in
            try Files.write((0..<10).map { entry("\($0)", second: $0) }.joined().utf8, to: path)
            var options = PodLogOptions()
            options.sinceTime = Timestamp(parsing: "2026-01-02T03:04:07.5Z")
            #expect(text(LogReader(files: LogFiles(path: path)), options) == "8\n9\n")
            options.sinceTime = nil
            options.limitBytes = 5
            #expect(text(LogReader(files: LogFiles(path: path)), options) == "0\n1\n2")
        }
    }

    @Test func aReaderFollowsThroughRotations() throws {
        try withLog { path in
            try Files.write(entry("1").utf8, to: path)
            let box = LogReaderBox(LogReader(files: LogFiles(path: path)))
            #expect(box.next() != nil)
            #expect(box.next() == nil)
            // Two rotations while nobody looked.
            rename(path, "\(path).2")
            try Files.write(entry("2").utf8, to: "\(path).1")
            try Files.write(entry("3").utf8, to: path)
            var formatter = LogFormatter(PodLogOptions())
            var output: [UInt8] = []
            while let chunk = box.next() { output += formatter.format(chunk) }
            #expect(String(decoding: output, as: UTF8.self) == "2\n3\n")
        }
    }

    @Test func aVeryLongLineIsCutAndCostsNoMemory() {
        var assembler = LineAssembler()
        let part = String(repeating: "y", count: 16384)
        var lines: [LogLine] = []
        for _ in 0..<640 { lines += assembler.lines(in: Array(entry(part, "P").utf8), attempt: 0, offset: 0) }
        lines += assembler.lines(in: Array((entry("end") + entry("next")).utf8), attempt: 0, offset: 100)
        #expect(lines.map(\.isTruncated) == [true, false])
        #expect(lines[0].text.utf8.count == LogTail.lineLimit)
        #expect(lines[1].text == "next")
        #expect(lines[1].next == LogPosition(attempt: 0, offset: 100 + entry("end").utf8.count + entry("next").utf8.count))
    }

    @Test func lastWordsAreTheEndOfTheLog() throws {
        try withLog { path in
            try Files.write((0..<200).map { entry("line \($0)") }.joined().utf8, to: path)
            let words = LogFiles(path: path).lastText(lines: 80, bytes: 2048)
            #expect(words.hasPrefix("line 120\n"))
            #expect(words.hasSuffix("line 199\n"))
            #expect(LogFiles(path: path).lastText(lines: 80, bytes: 9) == "line 199\n")
        }
    }

    // MARK: With a pod

    private func append(_ text: String, _ lab: Lab, _ name: String) throws {
        let pod = try #require(lab.pod(name))
        let path = "\(lab.directory)/pods/\(pod.uid)/logs/main/0.log"
        let old = try Files.read(path, limit: 1 << 24) ?? []
        // In place, as a supervisor appends: the same file grows.
        let file = try #require(fopen(path, "r+"))
        fseek(file, old.count, SEEK_SET)
        fputs(text, file)
        fclose(file)
    }

    @Test func followingEndsWithTheContainer() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("talk")
        try await lab.waitForPhase("talk", "Running")
        try append(entry("one"), lab, "talk")
        var options = PodLogOptions()
        options.follow = true
        let log = try await lab.agent.logs.log(namespace: "default", pod: "talk", options: options)
        let reading = Task {
            var text = ""
            for try await chunk in log { text += String(decoding: chunk, as: UTF8.self) }
            return text
        }
        try await Task.sleep(for: .milliseconds(50))
        try append(entry("two"), lab, "talk")
        try await Task.sleep(for: .milliseconds(50))
        try append(entry("three"), lab, "talk")
        lab.machine.container("main-0")?.exit(0)
        #expect(try await reading.value == "one\ntwo\nthree\n")
    }

    @Test func linesComeWhetherThePodHasStartedOrNot() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.create("early")
        let uid = try #require(lab.pod("early")).uid
        let tail = lab.agent.lines(namespace: "default", pod: "early", uid: uid, container: "main")
        let reading = Task {
            var lines: [LogLine] = []
            for try await line in tail { lines.append(line) }
            return lines
        }
        try await lab.start()
        try await lab.waitForPhase("early", "Running")
        try append(entry("acc=0.1") + entry("acc=0.2"), lab, "early")
        try await Task.sleep(for: .milliseconds(50))
        try append(entry("last", "P"), lab, "early")
        lab.machine.container("main-0")?.exit(0)
        let lines = try await reading.value
        #expect(lines.map(\.text) == ["acc=0.1", "acc=0.2", "last"])
        #expect(lines.first?.timestamp == "2026-01-02T03:04:00.123456789Z")
        // From a position on, after the end: the rest.
        let first = try #require(lines.first)
        var rest: [String] = []
        for try await line in lab.agent.lines(namespace: "default", pod: "early", uid: uid, container: "main", from: first.next) {
            rest.append(line.text)
        }
        #expect(rest == ["acc=0.2", "last"])
    }

    @Test func linesEndWhenThePodIsGone() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("none") { $0["nodeSelector"] = ["no": "where"] }
        let uid = try #require(lab.pod("none")).uid
        let tail = lab.agent.lines(namespace: "default", pod: "none", uid: uid, container: "main")
        let reading = Task {
            var count = 0
            for try await _ in tail { count += 1 }
            return count
        }
        try await Task.sleep(for: .milliseconds(50))
        try await lab.client.delete(lab.key("none"))
        #expect(try await reading.value == 0)
    }

    @Test func wordsOfRefusalAreThoseOfUpstream() async throws {
        let lab = try await Lab()
        try await lab.start()
        try await lab.create("two") { spec in
            spec["containers"] = [["name": "a", "image": "mystery", "command": ["x"]], ["name": "b", "image": "mystery", "command": ["x"]]]
        }
        try await lab.wait(lab.key("two"), "status") { $0?.mainStatus["state"].has("waiting") ?? false }
        func problem(_ container: String, previous: Bool = false) async -> String {
            var options = PodLogOptions()
            options.container = container
            options.previous = previous
            do {
                _ = try await lab.agent.logs.log(namespace: "default", pod: "two", options: options)
                return ""
            } catch { return "\(error)" }
        }
        #expect(await problem("") == "a container name must be specified for pod two, choose one of: [a b]")
        #expect(await problem("c") == "container c is not valid for pod two")
        #expect(await problem("a").hasPrefix("container \"a\" in pod \"two\" is waiting to start: "))
        #expect(await problem("a", previous: true) == "previous terminated container \"a\" in pod \"two\" not found")
    }

    @Test func theCollectorsNameShowsTheTrialsLog() async throws {
        let lab = try await Lab()
        try await lab.start()
        var manifest = Lab.manifest("trial")
        manifest["metadata"]["labels"] = ["katib.kubeflow.org/trial": "t"]
        manifest["metadata"]["annotations"] = ["kindling.dev/primary-container": "main"]
        try await lab.client.create(manifest)
        try await lab.waitForPhase("trial", "Succeeded")
        #expect(lab.machine.specs.last?.log.mergeStreams == true)
        #expect(lab.machine.specs.last?.log.maxBytes == 0)
        try append(entry("Validation-accuracy=0.9"), lab, "trial")
        var options = PodLogOptions()
        options.container = "metrics-logger-and-collector"
        var text = ""
        for try await chunk in try await lab.agent.logs.log(namespace: "default", pod: "trial", options: options) {
            text += String(decoding: chunk, as: UTF8.self)
        }
        #expect(text == "Validation-accuracy=0.9\n")
    }
}

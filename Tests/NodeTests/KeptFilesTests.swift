import Catalogue
import Glibc
import KubeModel
import Testing

@testable import Node

/// Files and outputs that are read after a pod's end.
@Suite(.timeLimit(.minutes(2)))
struct KeptFilesTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        try body(directory)
    }

    private func problem(_ parts: [String], below base: String) -> String? {
        do throws(KeptFiles.Problem) { _ = try KeptFiles.read(parts, below: base) } catch { return error.description }
        return nil
    }

    @Test func onlyRegularFilesOfTheContainerAreRead() throws {
        try withDirectory { directory in
            try Files.makeDirectory("\(directory)/upper/tmp")
            try Files.write("secret".utf8, to: "\(directory)/outside")
            try Files.write("yes".utf8, to: "\(directory)/upper/tmp/good")
            try Files.makeLink("\(directory)/upper/tmp/link", to: "../../outside")
            try Files.makeLink("\(directory)/upper/way", to: "tmp")
            #expect(mkfifo("\(directory)/upper/tmp/fifo", 0o666) == 0)
            try Files.write([UInt8](repeating: 65, count: KeptFiles.limit + 1), to: "\(directory)/upper/tmp/long")
            let base = "\(directory)/upper"
            #expect(try KeptFiles.read(["tmp", "good"], below: base) == Array("yes".utf8))
            #expect(problem(["tmp", "link"], below: base) == "it is no regular file")
            #expect(problem(["way", "good"], below: base) != nil, "no link on the way is followed")
            #expect(problem(["tmp", "fifo"], below: base) == "it is no regular file")
            #expect(problem(["tmp"], below: base) == "it is no regular file")
            #expect(problem(["tmp", "gone"], below: base) == "no such file")
            #expect(problem(["tmp", "good", "deeper"], below: base) == "no such file")
            #expect(problem(["tmp", "long"], below: base)?.contains("larger than") == true)
        }
    }

    @Test func outputIsWhatWasPrintedToStandardOutput() {
        var output = OutputEnd(limit: 10)
        func entry(_ text: String, _ tag: String = "F", _ stream: String = "stdout") -> [UInt8] { Array("2026-01-02T03:04:05.1Z \(stream) \(tag) \(text)\n".utf8) }
        output.add(entry("err", "F", "stderr") + entry("ab", "P") + entry("cd"))
        #expect(output.text == "abcd\n")
        output.add(entry("0123456789") + entry("end", "P"))
        #expect(output.text == "456789\nend".suffix(10), "only its end is kept")
    }

    private static let annotated: JSON = ["metadata": ["annotations": [KeptFiles.annotation: "[\"/tmp/out\",\"/data/x/y\",\"/tmp/gone\",\"/tmp/../etc\"]"]]]

    @Test func filesOutliveTheirPodsEndAndTheDaemon() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        let manifest = MergePatch.apply(
            Self.annotated,
            to: Lab.manifest("step") {
                $0["volumes"] = [["name": "v", "emptyDir": [:]]]
                $0["containers"] = [["name": "main", "image": "busybox", "command": ["true"], "volumeMounts": [["name": "v", "mountPath": "/data"]]]]
            })
        try await lab.client.create(manifest)
        let pod = try #require(try await lab.waitForPhase("step", "Running"))
        let place = "\(lab.directory)/pods/\(pod.uid)"
        try Files.makeDirectory("\(place)/containers/main/0/upper/tmp")
        try Files.write("from the layer".utf8, to: "\(place)/containers/main/0/upper/tmp/out")
        try Files.makeDirectory("\(place)/volumes/v/x")
        try Files.write("from the volume".utf8, to: "\(place)/volumes/v/x/y")
        lab.machine.container("main-0")?.exit(0)
        func kept(_ path: String) async -> KeptFile { await lab.agent.keptFile(namespace: "default", pod: "step", uid: pod.uid, path: path) }
        #expect(await kept("/tmp/out") == .text("from the layer"))
        #expect(await kept("/data/x/y") == .text("from the volume"))
        #expect(await kept("/tmp/gone") == .unreadable("no such file"))
        #expect(await kept("/tmp/../etc") == .unreadable("the path must be absolute, without '..'"))
        #expect(await kept("/tmp/other") == .unreadable("it was not kept"))
        #expect(await lab.agent.logs.kubelet.worker(for: lab.key("step"), uid: pod.uid).untilCleaned())
        #expect(!Files.isDirectory("\(place)/volumes/v"), "what it was read from is gone")
        try await lab.waitForPhase("step", "Succeeded")
        try await lab.kill()
        try await lab.start()
        #expect(await kept("/tmp/out") == .text("from the layer"), "as it was at the pod's end")
    }
}

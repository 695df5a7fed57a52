import Catalogue
import KubeModel
import Testing

@testable import Node

@Suite(.timeLimit(.minutes(1)))
struct VolumeContentTests {
    private func file(_ text: String, _ mode: UInt32 = 0o644) -> VolumeFiles.File { .init(bytes: Array(text.utf8), mode: mode) }

    @Test func filesAreReplacedTogetherThroughOneLink() throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        let volume = AtomicDirectory(path: "\(directory)/v", group: nil)
        let now = Timestamp.current
        #expect(try volume.write(["a": file("1"), "dir/b": file("2", 0o400)], now: now))
        #expect(Files.text("\(directory)/v/a") == "1")
        #expect(Files.text("\(directory)/v/dir/b") == "2")
        #expect(Files.linkTarget("\(directory)/v/a") == "..data/a")
        #expect(Files.linkTarget("\(directory)/v/dir") == "..data/dir")
        #expect(Files.status("\(directory)/v/dir/b").map { $0.st_mode & 0o777 } == 0o400)
        let first = Files.linkTarget("\(directory)/v/..data")
        #expect(try !volume.write(["a": file("1"), "dir/b": file("2", 0o400)], now: now), "nothing new, nothing touched")
        #expect(Files.linkTarget("\(directory)/v/..data") == first)
        #expect(try volume.write(["a": file("3"), "c": file("4")], now: now))
        #expect(Files.text("\(directory)/v/a") == "3")
        #expect(Set(Files.list("\(directory)/v").filter { !$0.hasPrefix("..2") }) == ["..data", "a", "c"])
        #expect(Files.list("\(directory)/v").filter { $0.hasPrefix("..2") }.count == 1, "the old files are gone")
    }

    @Test func whatAnInterruptedWriteLeftIsTakenAway() throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        let path = "\(directory)/v"
        try Files.makeDirectory("\(path)/..2020_half")
        try Files.makeLink("\(path)/..data_tmp", to: "..2020_half")
        try Files.write([1], to: "\(path)/old")
        #expect(try AtomicDirectory(path: path, group: nil).write(["old": file("new")], now: .current))
        #expect(Files.text("\(path)/old") == "new")
        #expect(!Files.list(path).contains("..2020_half"))
    }

    @Test func aRunningPodSeesChangesOfItsMapsSecretsAndLabels() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        let map = ObjectKey(.configMaps, namespace: "default", name: "cm")
        try await lab.client.create([
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "cm", "namespace": "default"], "data": ["a": "1"],
        ])
        try await lab.start()
        try await lab.create("p") { spec in
            spec["volumes"] = [
                ["name": "cm", "configMap": ["name": "cm"]],
                ["name": "all", "projected": ["sources": [["configMap": ["name": "cm", "items": [["key": "a", "path": "x/a"]]]]]]],
                ["name": "maybe", "secret": ["secretName": "later", "optional": true]],
                ["name": "labels", "downwardAPI": ["items": [["path": "labels", "fieldRef": ["fieldPath": "metadata.labels"]]]]],
            ]
        }
        let pod = try #require(try await lab.waitForPhase("p", "Running"))
        let volumes = "\(lab.directory)/pods/\(pod.uid)/volumes"
        #expect(Files.text("\(volumes)/cm/a") == "1")
        #expect(Files.text("\(volumes)/all/x/a") == "1")
        #expect(Files.text("\(volumes)/labels/labels") == "")
        try await lab.client.update(map) { $0["data"] = ["a": "2", "b": "3"] }
        try await lab.client.create([
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "later", "namespace": "default"], "data": ["k": .string(Base64.encode("s"))],
        ])
        try await lab.client.update(lab.key("p")) { $0["metadata"]["labels"] = ["app": "web"] }
        try await until { Files.text("\(volumes)/labels/labels") == "app=\"web\"" && Files.text("\(volumes)/maybe/k") == "s" }
        try await until { Files.text("\(volumes)/cm/a") == "2" && Files.text("\(volumes)/cm/b") == "3" }
        #expect(Files.text("\(volumes)/all/x/a") == "2")
        // A new daemon goes on with it.
        try await lab.kill()
        try await lab.client.update(map) { $0["data"] = ["a": "4"] }
        try await lab.start()
        try await until { Files.text("\(volumes)/cm/a") == "4" && Files.status("\(volumes)/cm/b") == nil }
        // What is gone leaves the files as they are, and says so.
        try await lab.client.delete(map)
        try await lab.waitForEvent("FailedMount")
        #expect(Files.text("\(volumes)/cm/a") == "4")
        #expect(lab.pod("p")?.status["phase"] == "Running")
    }

    private func until(location: SourceLocation = #_sourceLocation, _ condition: () -> Bool) async throws {
        for _ in 0..<500 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("it did not come to be", sourceLocation: location)
    }

    @Test func aVolumeThatOutgrowsItsLimitEvictsThePod() async throws {
        let lab = try await Lab()
        lab.script("main", .run())
        try await lab.start()
        try await lab.create("p") { $0["volumes"] = [["name": "cache", "emptyDir": ["sizeLimit": "64Ki"]]] }
        let pod = try #require(try await lab.waitForPhase("p", "Running"))
        try Files.write([UInt8](repeating: 1, count: 100_000), to: "\(lab.directory)/pods/\(pod.uid)/volumes/cache/big")
        let end = try #require(
            try await lab.wait(lab.key("p"), seconds: 20, "eviction") { $0?.status["phase"].stringValue == "Failed" })
        #expect(end.status["reason"] == "Evicted")
        #expect(end.status["message"] == "Usage of EmptyDir volume \"cache\" exceeds the limit \"64Ki\". ")
    }

    @Test func aVolumeIsGivenToTheGroupWithAllInIt() throws {
        let directory = try Temporary.make()
        defer { Temporary.remove(directory) }
        try Files.makeDirectory("\(directory)/v/sub")
        try Files.write([1], to: "\(directory)/v/sub/file", mode: 0o600)
        try Files.write([1], to: "\(directory)/outside", mode: 0o600)
        try Files.makeLink("\(directory)/v/link", to: "../outside")
        let group = Files.status(directory)?.st_gid ?? 0
        #expect(!Files.isShared("\(directory)/v", group: group))
        Files.shareTree("\(directory)/v", group: group)
        #expect(Files.isShared("\(directory)/v", group: group))
        #expect(Files.status("\(directory)/v/sub").map { $0.st_mode & 0o7777 } == 0o2775)
        #expect(Files.status("\(directory)/v/sub/file").map { $0.st_mode & 0o7777 } == 0o660)
        #expect(Files.status("\(directory)/outside").map { $0.st_mode & 0o7777 } == 0o600, "no link is followed")
    }
}

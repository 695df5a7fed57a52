import Foundation
import GRDB
import KubeModel
import Testing

@testable import Catalogue

/// Files of earlier versions are opened, brought forward and lose nothing.
@Suite struct MigrationTests {
    /// Made by the first version: a namespace, a config map with an intent, a trial with three values; revision 42.
    @Test func aFileOfTheFirstVersionIsOpened() async throws {
        let fixture = try #require(Bundle.module.url(forResource: "first-version", withExtension: "sqlite", subdirectory: "Fixtures"))
        let directory = NSTemporaryDirectory() + "migration-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/catalogue.sqlite"
        try FileManager.default.copyItem(at: fixture, to: URL(fileURLWithPath: path))
        for _ in 0..<2 {
            let catalogue = try Catalogue(path: path)
            #expect(catalogue.revision >= 42)
            let map = try #require(catalogue.get(ObjectKey(GroupResource("configmaps"), namespace: "default", name: "kept")))
            #expect(map.value["data"] == ["a": "1"] && map.intent?["data"] == ["a": "1"] && map.revision == 40)
            #expect(catalogue.object(uid: "00000000-0000-0000-0000-000000000003")?.name == "trial")
            let trial = TrialKey(namespace: "default", trial: "trial", uid: "00000000-0000-0000-0000-000000000003")
            #expect(try catalogue.observations(of: trial).map(\.value) == ["0.1", "0.2", "0.3"])
            #expect(catalogue.dependents(of: "00000000-0000-0000-0000-000000000009").map(\.name) == ["trial"])
            let put = try await catalogue.write { $0.put(ObjectKey(GroupResource("configmaps"), namespace: "default", name: "new"), ["data": [:]], intent: nil) }
            #expect(put.revision > 42)
            // What the second version has added.
            let run = TrialRun(trial: trial, wallSeconds: 1.5, cpuSeconds: 0.25, peakMemoryBytes: 4096, exitCode: 3, codeDigest: "d")
            try await catalogue.write { $0.record(run) }
            #expect(try catalogue.run(of: trial) == run)
            let seen = try await DatabaseQueue(path: path).read {
                try Row.fetchOne($0, sql: "SELECT wall_seconds, peak_memory_bytes, exit_code, code_digest, metrics FROM trials WHERE name = 'trial'")
            }
            let row = try #require(seen)
            let (wall, memory, code, digest): (Double, Int64, Int, String) = (row["wall_seconds"], row["peak_memory_bytes"], row["exit_code"], row["code_digest"])
            #expect(wall == 1.5 && memory == 4096 && code == 3 && digest == "d")
            try catalogue.close()
        }
    }
}

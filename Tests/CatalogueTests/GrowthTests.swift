import Foundation
import KubeModel
import Testing

@testable import Catalogue

/// A day's churn in seconds: the file, its log, and what is remembered of changes all stop growing.
@Suite struct GrowthTests {
    private let things = GroupResource("things", group: "test.dev")

    private func size(_ path: String) -> Int { (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0 }

    @Test func theFileStopsGrowingUnderChurn() async throws {
        let directory = NSTemporaryDirectory() + "growth-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/c.sqlite"
        let catalogue = try Catalogue(path: path, window: 500)
        let things = things
        var sizes: [Int] = []
        var logs: [Int] = []
        let isFull = ProcessInfo.processInfo.environment["KINDLING_TEST_FULL"] != nil
        // Each hour 200 objects come, change thrice, print values and go, as a lab's pods and Events do.
        for hour in 0..<(isFull ? 48 : 12) {
            for step in 0..<5 {
                try await catalogue.write { transaction in
                    for number in 0..<200 {
                        let key = ObjectKey(things, namespace: "default", name: "h\(hour)-\(number)")
                        let trial = TrialKey(namespace: "default", trial: key.name, uid: key.name)
                        if step == 4 {
                            transaction.delete(key)
                            transaction.forgetObservations(of: trial)
                        } else {
                            let value: JSON = ["metadata": ["name": .string(key.name), "uid": .string(key.name)], "step": JSON(step),
                                               "text": .string(String(repeating: "y", count: 400 + (number * 37) % 900))]
                            transaction.put(key, value, intent: value)
                            transaction.append([Observation(trial: trial, sequence: Int64(step), time: "2026-01-01T00:00:00Z", metric: "m", value: "1")])
                        }
                    }
                }
            }
            sizes.append(size(path))
            logs.append(size(path + "-wal"))
        }
        #expect(catalogue.count(things) == 0)
        // After the third hour every page that is needed is there.
        #expect(try #require(sizes.last) <= sizes[3] + 200_000, "\(sizes)")
        #expect(try #require(logs.max()) < 12_000_000, "\(logs)")
        await #expect(throws: RevisionExpired.self) { _ = try catalogue.watch(things, since: 1) }
        try catalogue.close()
        #expect(size(path + "-wal") == 0)
    }
}

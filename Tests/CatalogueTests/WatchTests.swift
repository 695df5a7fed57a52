import Foundation
import KubeModel
import Testing

@testable import Catalogue

private let things = GroupResource("things", group: "test.dev")
private func key(_ name: String) -> ObjectKey { ObjectKey(things, namespace: "default", name: name) }

/// The six promises of a watch that etcd's robustness tests name: ordered, unique, atomic, resumable, reliable,
/// bookmarkable (the last is the server's).
@Suite struct WatchTests {
    private func withCatalogue(window: Int = 20_000, _ body: (Catalogue) async throws -> Void) async throws {
        let directory = NSTemporaryDirectory() + "watch-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let catalogue = try Catalogue(path: directory + "/c.sqlite", window: window)
        try await body(catalogue)
    }

    /// Writers create, change and delete at random; a reader that joins in the middle must end with what the store has.
    @Test(arguments: [UInt64.random(in: 0 ... .max), UInt64.random(in: 0 ... .max)])
    func aReaderEndsEqualToTheStore(seed: UInt64) async throws {
        print("watch property test, seed \(seed)")
        try await withCatalogue { catalogue in
            let readers = (0..<4).map { index in Task { try await Self.follow(catalogue, until: "end", delay: index) } }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        var state = seed &+ UInt64(writer)
                        for step in 0..<150 {
                            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                            let name = "n\((state >> 33) % 12)"
                            let deletes = (state >> 20) % 4 == 0
                            try await catalogue.write { transaction in
                                if deletes { transaction.delete(key(name)) } else {
                                    transaction.put(key(name), ["metadata": ["name": .string(name)], "step": JSON(step)], intent: nil)
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            _ = try await catalogue.write { $0.put(key("end"), ["metadata": ["name": "end"]], intent: nil) }
            let truth = Dictionary(uniqueKeysWithValues: catalogue.list(things).objects.map { ($0.name, $0.revision) })
            for reader in readers { #expect(try await reader.value == truth) }
            try catalogue.close()
        }
    }

    /// Lists, watches and applies changes until the named object appears; checks order and uniqueness on the way.
    private static func follow(_ catalogue: Catalogue, until last: String, delay: Int) async throws -> [String: Int64] {
        for _ in 0..<delay * 50 { await Task.yield() }
        let (objects, revision) = catalogue.list(things)
        var view = Dictionary(uniqueKeysWithValues: objects.map { ($0.name, $0.revision) })
        var newest = revision
        if view[last] != nil { return view }
        for await change in try catalogue.watch(things, since: revision) {
            #expect(change.revision > newest, "revisions must only grow")
            newest = change.revision
            switch change.kind {
            case .added: #expect(view.updateValue(change.revision, forKey: change.object.name) == nil, "added twice")
            case .modified: #expect(view.updateValue(change.revision, forKey: change.object.name) != nil, "modified before it was added")
            case .deleted: #expect(view.removeValue(forKey: change.object.name) != nil, "deleted before it was added")
            }
            if change.object.name == last { break }
        }
        return view
    }

    @Test func startsInThePastWithinTheWindowAndRefusesBeyondIt() async throws {
        try await withCatalogue(window: 10) { catalogue in
            for index in 0..<30 { _ = try await catalogue.write { $0.put(key("n\(index)"), ["metadata": ["name": "n\(index)"]], intent: nil) } }
            let now = catalogue.revision
            var seen: [Int64] = []
            for await change in try catalogue.watch(things, since: now - 5) {
                seen.append(change.revision)
                if seen.count == 5 { break }
            }
            #expect(seen == Array(now - 4...now))
            #expect(throws: RevisionExpired.self) { _ = try catalogue.watch(things, since: now - 20) }
            try catalogue.close()
        }
    }

    @Test func aReaderThatIsTooSlowIsCutOffAndOthersAreNot() async throws {
        try await withCatalogue { catalogue in
            let slow = try catalogue.watch(things, since: catalogue.revision)
            let start = catalogue.revision
            for batch in 0..<10 {
                try await catalogue.write { transaction in
                    for index in 0..<1000 { transaction.put(key("n"), ["metadata": ["name": "n"], "i": JSON(batch * 1000 + index)], intent: nil) }
                }
            }
            var count = 0
            for await _ in slow { count += 1 }
            #expect(count <= Watch.backlog, "the stream ends instead of leaving changes out")
            var iterator = try catalogue.watch(things, since: start + 9_000).makeAsyncIterator()
            #expect(await iterator.next()?.revision == start + 9_001)
            try catalogue.close()
        }
    }

    @Test func closingEndsWatches() async throws {
        try await withCatalogue { catalogue in
            let watch = try catalogue.watch(things, since: catalogue.revision)
            try catalogue.close()
            for await _ in watch { Issue.record("no change was made") }
        }
    }
}

import Foundation
import GRDB
import KubeModel
import Testing

@testable import Catalogue

private let things = GroupResource("things", group: "test.dev")

private func key(_ name: String, namespace: String = "default") -> ObjectKey { ObjectKey(things, namespace: namespace, name: name) }

private func object(_ name: String, owner: String? = nil, _ number: Int = 0) -> JSON {
    var value: JSON = ["apiVersion": "test.dev/v1", "kind": "Thing", "metadata": ["name": .string(name), "uid": .string("uid-\(name)")], "number": JSON(number)]
    if let owner { value["metadata"]["ownerReferences"] = [["uid": .string(owner), "name": "owner", "kind": "Thing", "apiVersion": "test.dev/v1"]] }
    return value
}

/// A catalogue in a directory of its own.
private final class Place {
    let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "catalogue-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    var path: String { directory + "/catalogue.sqlite" }
    deinit { try? FileManager.default.removeItem(atPath: directory) }
}

@Suite struct CatalogueTests {
    @Test func keepsWhatWasWrittenAcrossReopening() async throws {
        let place = try Place()
        let first = try Catalogue(path: place.path)
        let stored = try await first.write { $0.put(key("a"), object("a", 1), intent: ["spec": ["x": 1]]) }
        #expect(stored.value["metadata"]["resourceVersion"].stringValue == String(stored.revision))
        _ = try await first.write { $0.put(key("b"), object("b"), intent: nil) }
        _ = try await first.write { $0.delete(key("b")) }
        let revision = first.revision
        try first.close()
        let second = try Catalogue(path: place.path)
        #expect(second.get(key("a"))?.value["number"].intValue == 1)
        #expect(second.get(key("a"))?.intent == ["spec": ["x": 1]])
        #expect(second.get(key("b")) == nil)
        #expect(second.revision == revision, "a deletion's revision is never given again")
        try second.close()
    }

    @Test func aBodyThatThrowsLeavesNothingBehind() async throws {
        struct Refused: Error {}
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        await #expect(throws: Refused.self) {
            try await catalogue.write { transaction in
                transaction.put(key("a"), object("a"), intent: nil)
                throw Refused()
            }
        }
        #expect(catalogue.get(key("a")) == nil)
        let stored = try await catalogue.write { $0.put(key("a"), object("a"), intent: nil) }
        #expect(stored.revision == 2)
        try catalogue.close()
    }

    @Test func writesOfOneBatchSeeEachOther() async throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        // Many concurrent read-modify-writes of one object: each must see the one before, or counts are lost.
        _ = try await catalogue.write { $0.put(key("counter"), object("counter", 0), intent: nil) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await catalogue.write { transaction in
                        guard let current = transaction.get(key("counter")) else { return }
                        transaction.put(key("counter"), object("counter", (current.value["number"].intValue ?? 0) + 1), intent: nil)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(catalogue.get(key("counter"))?.value["number"].intValue == 200)
        try catalogue.close()
    }

    @Test func listsInOrderAndByNamespace() async throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        try await catalogue.write { transaction in
            for (namespace, name) in [("b", "x"), ("a", "z"), ("a", "y"), ("c", "w")] {
                transaction.put(key(name, namespace: namespace), object(name), intent: nil)
            }
        }
        #expect(catalogue.list(things).objects.map(\.name) == ["y", "z", "x", "w"])
        #expect(catalogue.list(things, namespace: "a").objects.map(\.name) == ["y", "z"])
        #expect(catalogue.list(things, namespace: "ab").objects.isEmpty)
        try catalogue.close()
    }

    @Test func findsDependentsByTheirOwnersUID() async throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        try await catalogue.write { transaction in
            transaction.put(key("owner"), object("owner"), intent: nil)
            transaction.put(key("child"), object("child", owner: "uid-owner"), intent: nil)
        }
        #expect(catalogue.dependents(of: "uid-owner").map(\.name) == ["child"])
        try await catalogue.write { _ = $0.put(key("child"), object("child"), intent: nil) }
        #expect(catalogue.dependents(of: "uid-owner").isEmpty)
        try catalogue.close()
    }

    @Test func refusesAFileThatIsNoDatabase() throws {
        let place = try Place()
        try Data("this is no database, whatever its name says".utf8).write(to: URL(fileURLWithPath: place.path))
        do {
            _ = try Catalogue(path: place.path)
            Issue.record("a damaged file was opened")
        } catch {
            if case .corrupt(let path, _) = error { #expect(path == place.path) } else { Issue.record("expected corrupt, got \(error)") }
            #expect(error.description.contains("move it aside"))
        }
        #expect(try String(contentsOfFile: place.path, encoding: .utf8).hasPrefix("this is no database"), "nothing may be changed")
    }

    @Test func aDamagedObjectIsNamedAtTheStart() async throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        _ = try await catalogue.write { $0.put(key("hurt"), object("hurt"), intent: nil) }
        try catalogue.close()
        let file = try DatabaseQueue(path: place.path)
        try await file.write { try $0.execute(sql: "UPDATE objects SET value = replace(value, ':', '')") }
        try file.close()
        do {
            _ = try Catalogue(path: place.path)
            Issue.record("a damaged object was loaded")
        } catch {
            #expect(error.description.contains("is damaged (the text of \(key("hurt")) is no JSON object)"))
        }
    }

    @Test func aFullDiskRefusesTheWriteAndKeepsReads() async throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        _ = try await catalogue.write { $0.put(key("kept"), object("kept"), intent: nil) }
        try await catalogue.limitPagesForTesting(to: 20)
        let big = JSON.string(String(repeating: "x", count: 1 << 20))
        var large = object("big")
        large["data"] = big
        let tooLarge = large
        await #expect(throws: CatalogueError.self) { try await catalogue.write { _ = $0.put(key("big"), tooLarge, intent: nil) } }
        #expect(catalogue.get(key("big")) == nil)
        #expect(catalogue.get(key("kept")) != nil)
        try await catalogue.limitPagesForTesting(to: 100_000)
        _ = try await catalogue.write { $0.put(key("big"), tooLarge, intent: nil) }
        #expect(catalogue.get(key("big")) != nil, "it recovers by itself")
        try catalogue.close()
    }

    @Test func onAFullDiskDeletionsAreNotRefusedWithWhatStandsBesideThem() async throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        for number in 0..<8 { _ = try await catalogue.write { $0.put(key("old\(number)"), object("old\(number)"), intent: nil) } }
        try await catalogue.limitPagesForTesting(to: 20)
        var large = object("big")
        large["data"] = .string(String(repeating: "x", count: 1 << 20))
        let tooLarge = large
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask { (try? await catalogue.write { $0.put(key("big\(number)"), tooLarge, intent: nil) }) == nil }
                group.addTask { (try? await catalogue.write { $0.delete(key("old\(number)")) }) != nil }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(!outcomes.contains(false), "creates are refused, deletions are not")
        #expect(catalogue.count(things) == 0)
        try catalogue.close()
        let again = try Catalogue(path: place.path)
        #expect(again.count(things) == 0)
        try again.close()
    }

    @Test func onlyWhatTakesNoSpaceMayUseTheReserve() throws {
        func stored(_ text: String, leaving: Bool = false) -> StoredObject {
            var value = object("a")
            value["data"] = .string(text)
            if leaving { value["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z" }
            return StoredObject(key: key("a"), revision: 1, value: value, intent: nil)
        }
        func isRelief(_ change: Change) -> Bool { Batch(changes: [change], revision: 2).isRelief }
        #expect(!isRelief(Change(kind: .added, object: stored("x"), previous: nil)))
        #expect(!isRelief(Change(kind: .modified, object: stored("xyz"), previous: stored("x"))))
        #expect(isRelief(Change(kind: .modified, object: stored("y"), previous: stored("x"))))
        #expect(isRelief(Change(kind: .modified, object: stored("xyz", leaving: true), previous: stored("x"))))
        #expect(isRelief(Change(kind: .deleted, object: stored("x"), previous: stored("x"))))
    }

    @Test func theReserveIsSetAsideAtTheStart() throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(place.path).reserve")
        #expect(attributes[.size] as? Int == Reserve.size)
        try catalogue.close()
    }

    @Test func theValuesOfOnePodOfATrialCanBeForgotten() async throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        let trial = TrialKey(namespace: "default", trial: "t", uid: "u")
        let log = (0..<10).map { Observation(trial: trial, sequence: $0, time: "2026-01-01T00:00:00Z", metric: "loss", value: "\($0)") }
        try await catalogue.write { $0.append(log) }
        try await catalogue.write { $0.forgetObservations(of: trial, in: 2...6) }
        #expect(try catalogue.observations(of: trial).map(\.sequence) == [0, 1, 7, 8, 9])
        try catalogue.close()
    }

    @Test func metricsAreKeptOnceHoweverOftenALogIsRead() async throws {
        let place = try Place()
        let catalogue = try Catalogue(path: place.path)
        let trial = TrialKey(namespace: "default", trial: "t", uid: "u")
        let log = (0..<10).map { Observation(trial: trial, sequence: $0, time: "2026-01-01T00:00:0\($0)Z", metric: "loss", value: "\($0)") }
        try await catalogue.write { $0.append(Array(log.prefix(6))) }
        try await catalogue.write { $0.append(log) }
        #expect(try catalogue.observations(of: trial) == log)
        try await catalogue.write { $0.forgetObservations(of: trial) }
        #expect(try catalogue.observations(of: trial).isEmpty)
        try catalogue.close()
    }
}

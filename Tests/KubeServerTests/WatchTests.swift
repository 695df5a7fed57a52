import Synchronization
import Testing

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

@Suite struct WatchTests {
    static let path = "/api/v1/namespaces/team/configmaps"

    private func brief(_ event: JSON) -> String { "\(event["type"].stringValue ?? "") \(event["object"]["metadata"]["name"].stringValue ?? "")" }

    @Test(arguments: Depth.allCases)
    func beginsWithWhatIsThereWithoutARevision(_ depth: Depth) async throws {
        let lab = try await Lab()
        try await lab.configMap("a")
        try await lab.configMap("b")
        let client = try await depth.client(lab)
        let events = try await client.get("\(Self.path)?watch=true&timeoutSeconds=1").events
        #expect(events.map(brief) == ["ADDED a", "ADDED b"])
    }

    @Test func replaysFromARevision() async throws {
        let lab = try await Lab()
        let first = try await lab.configMap("a")
        try await lab.configMap("a", ["x": "1"])
        try await lab.remove(.configMaps, "a")
        let events = try await lab.router.get("\(Self.path)?watch=1&timeoutSeconds=1&resourceVersion=\(first.revision)").events
        #expect(events.map(brief) == ["MODIFIED a", "DELETED a"])
        let future = try await lab.router.get("\(Self.path)?watch=1&resourceVersion=99999")
        #expect(future.status == 200 && future.json["type"] == "ERROR" && future.json["object"]["code"] == 410)
    }

    @Test func aChangeOfSelectionIsAnAdditionOrADeletion() async throws {
        let lab = try await Lab()
        let start = lab.catalogue.revision
        try await lab.configMap("a", labels: ["on": "no"])
        try await lab.configMap("a", labels: ["on": "yes"])
        try await lab.configMap("a", ["x": "1"], labels: ["on": "yes"])
        let left = try await lab.configMap("a", ["x": "2"], labels: ["on": "no"])
        try await lab.remove(.configMaps, "a")
        let events = try await lab.router.get("\(Self.path)?watch=1&timeoutSeconds=1&resourceVersion=\(start)&labelSelector=on%3Dyes").events
        #expect(events.map(brief) == ["ADDED a", "MODIFIED a", "DELETED a"])
        #expect(events[2]["object"]["data"]["x"] == "1")
        #expect(events[2]["object"]["metadata"]["resourceVersion"] == .string(String(left.revision)))
    }

    @Test func marksTheEndOfInitialEvents() async throws {
        let lab = try await Lab()
        try await lab.configMap("a")
        let query = "watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        let events = try await lab.router.get("\(Self.path)?\(query)").events
        #expect(events.map { $0["type"] } == ["ADDED", "BOOKMARK"])
        #expect(events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true")
        #expect(events[1]["object"]["kind"] == "ConfigMap")
        #expect(try await lab.router.get("\(Self.path)?watch=1&sendInitialEvents=true").status == 422)
    }

    @Test func givesTablesWithColumnsOnce() async throws {
        let lab = try await Lab()
        try await lab.configMap("a")
        try await lab.configMap("b")
        let answer = try await lab.router.get(
            "\(Self.path)?watch=1&timeoutSeconds=1", ["Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"])
        #expect(answer.events[0]["object"]["kind"] == "Table")
        #expect(answer.events[0]["object"]["columnDefinitions"].elements.count == 3)
        #expect(answer.events[1]["object"]["columnDefinitions"].elements.isEmpty)
        #expect(answer.events[1]["object"]["rows"][0]["cells"] == ["b", 0, "90s"])
    }

    /// Writers change the same objects as fast as they can; watchers begin at all sorts of revisions. Each must see every
    /// change after its beginning once, in order, and its picture of the objects must end as the catalogue's own.
    @Test(arguments: [UInt64(1), 2, 3])
    func losesAndRepeatsNothingUnderConcurrentWriters(seed: UInt64) async throws {
        let lab = try await Lab(bookmarkInterval: .milliseconds(5))
        let writers = 4
        let writesEach = 250
        let watchers = Watchers()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    var random = Generator(state: seed &* 1_000 &+ UInt64(writer))
                    for step in 0..<writesEach {
                        let name = "c\(Int.random(in: 0..<12, using: &random))"
                        if Int.random(in: 0..<4, using: &random) == 0 {
                            try await lab.remove(.configMaps, name)
                        } else {
                            try await lab.configMap(name, ["by": "\(writer)-\(step)"])
                        }
                        if step % 50 == writer * 7 {
                            watchers.add(Task { try await Self.follow(lab) })
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await lab.configMap("last")
        #expect(watchers.all.count > 10)
        for watcher in watchers.all { #expect(try await !watcher.value.isEmpty) }
    }

    /// Lists, watches from the list's revision until `last` comes, and checks the whole story.
    private static func follow(_ lab: Lab) async throws -> [Int64] {
        let list = try await lab.router.get(path).json
        let start = Int64(list["metadata"]["resourceVersion"].stringValue ?? "") ?? 0
        var objects: [String: JSON] = [:]
        for item in list["items"].elements { objects[item["metadata"]["name"].stringValue ?? ""] = item["metadata"]["resourceVersion"] }
        let (events, task) = try await lab.router.watch("\(path)?watch=1&allowWatchBookmarks=true&resourceVersion=\(start)")
        var seen: [Int64] = []
        var newest = start
        for await event in events {
            let metadata = event["object"]["metadata"]
            let revision = Int64(metadata["resourceVersion"].stringValue ?? "") ?? -1
            if event["type"] == "BOOKMARK" {
                #expect(revision >= newest, "a bookmark goes back")
                newest = max(newest, revision)
                continue
            }
            #expect(revision > newest, "event \(revision) comes after \(newest)")
            newest = revision
            seen.append(revision)
            let name = metadata["name"].stringValue ?? ""
            switch event["type"].stringValue {
            case "ADDED": #expect(objects.updateValue(metadata["resourceVersion"], forKey: name) == nil, "\(name) was added twice")
            case "MODIFIED": #expect(objects.updateValue(metadata["resourceVersion"], forKey: name) != nil, "\(name) was changed before it was added")
            case "DELETED": #expect(objects.removeValue(forKey: name) != nil, "\(name) was deleted twice")
            default: Issue.record("unexpected event \(event.text)")
            }
            if name == "last" { break }
        }
        task.cancel()
        let changes = try await ChangeLog.changes(of: .configMaps, namespace: "team", after: start, in: lab.catalogue)
        #expect(seen == changes.map(\.revision).filter { $0 <= newest }, "the watch is not the log")
        return seen
    }
}

/// The watchers of a test, which its writers start.
private final class Watchers: Sendable {
    private let tasks = Mutex<[Task<[Int64], any Error>]>([])
    var all: [Task<[Int64], any Error>] { tasks.withLock { $0 } }
    func add(_ task: Task<[Int64], any Error>) { tasks.withLock { $0.append(task) } }
}

/// Repeatable random numbers (SplitMix64).
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

import Synchronization
import Testing

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

/// Logs from memory; remembers what was asked for.
final class MemoryLogs: PodLogs {
    let asked = Mutex<[(container: String, options: PodLogOptions)]>([])

    func open(
        namespace: String, name: String, container: String, _ options: PodLogOptions
    ) async throws(APIStatus) -> AsyncThrowingStream<[UInt8], any Error> {
        asked.withLock { $0.append((container, options)) }
        return AsyncThrowingStream { continuation in
            for line in 0..<3 { continuation.yield(Array("\(container) \(line)\n".utf8)) }
            continuation.finish()
        }
    }

    func extraContainers(of pod: StoredObject) -> [String] { ["metrics-logger-and-collector"] }
}

@Suite struct LogTests {
    static let path = "/api/v1/namespaces/team/pods"

    private func lab(_ logs: MemoryLogs, containers: [String], node: String = "n") async throws -> Lab {
        let lab = try await Lab(logs: logs)
        try await lab.put(
            .pods,
            [
                "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "namespace": "team"],
                "spec": [
                    "nodeName": .string(node), "initContainers": [["name": "i"]], "containers": .array(containers.map { ["name": .string($0)] }),
                ],
            ])
        return lab
    }

    @Test(arguments: Depth.allCases)
    func streamsTheOnlyContainer(_ depth: Depth) async throws {
        let logs = MemoryLogs()
        let client = try await depth.client(lab(logs, containers: ["a"]))
        let answer = try await client.get("\(Self.path)/p/log?follow=true&tailLines=5&sinceSeconds=60&timestamps=true&limitBytes=100&previous=true")
        #expect(answer.text == "a 0\na 1\na 2\n")
        #expect(answer.headers.first(name: "content-type") == "text/plain")
        let options = try #require(logs.asked.withLock { $0.first?.options })
        #expect(options.follows && options.hasTimestamps && options.wantsPrevious)
        #expect(options.tailLines == 5 && options.limitBytes == 100)
        #expect(options.since == Lab.time - .seconds(60))
    }

    @Test func asksWhichContainerIsMeant() async throws {
        let client = try await lab(MemoryLogs(), containers: ["a", "b"]).router
        let unclear = try await client.get("\(Self.path)/p/log")
        #expect(unclear.status == 400)
        #expect(unclear.json["message"] == "a container name must be specified for pod p, choose one of: [i a b]")
        #expect(try await client.get("\(Self.path)/p/log?container=x").json["message"] == "container x is not valid for pod p")
        #expect(try await client.get("\(Self.path)/p/log?container=i").text.hasPrefix("i 0"))
        #expect(try await client.get("\(Self.path)/p/log?container=metrics-logger-and-collector").status == 200)
        #expect(try await client.get("\(Self.path)/q/log").status == 404)
        #expect(try await client.get("\(Self.path)/p/log?container=a&tailLines=-1").status == 422)
    }

    @Test func isEmptyWhileThePodHasNoNode() async throws {
        let client = try await lab(MemoryLogs(), containers: ["a"], node: "").router
        let answer = try await client.get("\(Self.path)/p/log")
        #expect(answer.status == 200)
        #expect(answer.body.isEmpty)
    }
}

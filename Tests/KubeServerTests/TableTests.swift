import Testing

@testable import Catalogue
@testable import KubeModel
@testable import KubeServer
@testable import Registry

@Suite struct TableTests {
    static let pods = "/api/v1/namespaces/team/pods"

    private func pod(_ name: String, spec: JSON = ["containers": [["name": "main", "image": "busybox"]]], _ status: JSON, deleted: Bool = false) -> JSON {
        var pod: JSON = [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": "team"], "spec": spec, "status": status,
        ]
        if deleted { pod["metadata"]["deletionTimestamp"] = "2023-11-14T22:13:20Z" }
        return pod
    }

    private func ended(_ state: JSON, restarts: Int = 0, ready: Bool = false, last: JSON = [:]) -> JSON {
        ["name": "main", "ready": .bool(ready), "restartCount": JSON(restarts), "state": state, "lastState": last]
    }

    @Test func showsPodsAsUpstreamDoes() async throws {
        let lab = try await Lab()
        let crashed: JSON = ["terminated": ["exitCode": 1, "finishedAt": .string((Lab.time - .seconds(300)).description)]]
        let cases: [(JSON, [JSON])] = [
            (pod("a-pending", ["phase": "Pending"]), ["0/1", "Pending", "0"]),
            (
                pod("b-running", ["phase": "Running", "containerStatuses": [ended(["running": [:]], ready: true)]]), ["1/1", "Running", "0"]
            ),
            (
                pod("c-crashing", ["phase": "Running", "containerStatuses": [ended(["waiting": ["reason": "CrashLoopBackOff"]], restarts: 2, last: crashed)]]),
                ["0/1", "CrashLoopBackOff", "2 (5m ago)"]
            ),
            (
                pod("d-done", ["phase": "Succeeded", "containerStatuses": [ended(["terminated": ["exitCode": 0, "reason": "Completed"]])]]),
                ["0/1", "Completed", "0"]
            ),
            (pod("e-killed", ["phase": "Failed", "containerStatuses": [ended(["terminated": ["exitCode": 137, "signal": 9]])]]), ["0/1", "Signal:9", "0"]),
            (pod("f-going", ["phase": "Running", "containerStatuses": [ended(["running": [:]], ready: true)]], deleted: true), ["1/1", "Terminating", "0"]),
            (
                pod(
                    "g-starting", spec: ["initContainers": [["name": "i"], ["name": "j"]], "containers": [["name": "main"]]],
                    [
                        "phase": "Pending",
                        "initContainerStatuses": [
                            ["name": "i", "state": ["terminated": ["exitCode": 0]]], ["name": "j", "state": ["running": [:]]],
                        ],
                    ]), ["0/1", "Init:1/2", "0"]
            ),
            (pod("h-evicted", ["phase": "Failed", "reason": "Evicted"]), ["0/1", "Evicted", "0"]),
        ]
        for (pod, _) in cases { try await lab.put(.pods, pod) }
        let table = try await lab.router.table(Self.pods)
        #expect(table["kind"] == "Table")
        #expect(table["columnDefinitions"].elements.prefix(5).map { $0["name"] } == ["Name", "Ready", "Status", "Restarts", "Age"])
        #expect(table["columnDefinitions"][5]["priority"] == 1)
        for (row, expected) in zip(table["rows"].elements, cases) {
            let cells = row["cells"].elements
            #expect(Array(cells[1...3]) == expected.1, "\(cells[0].text)")
            #expect(cells[4] == "90s")
            #expect(row["object"]["kind"] == "PartialObjectMetadata")
        }
        #expect(table["rows"][3]["conditions"][0]["type"] == "Completed")
        let none = try await lab.router.table("\(Self.pods)?includeObject=None")
        #expect(!none["rows"][0].has("object"))
        let whole = try await lab.router.table("\(Self.pods)/a-pending?includeObject=Object")
        #expect(whole["rows"][0]["object"]["kind"] == "Pod")
    }

    @Test func hasARuleForEveryColumn() throws {
        for kind in try KindTable.embedded().kinds {
            for column in kind.columns {
                switch column.source {
                case .function(let name): #expect(Printers.byName[name] != nil, "\(kind.kind): \(name)")
                case .path(let path): #expect(ColumnPath(parsing: path) != nil, "\(kind.kind): \(path)")
                }
            }
        }
    }

    @Test(arguments: [
        (".a.b", "1"), ("{.a.b}", "1"), (".list[0].v", "x"), (".list[-1:].v", "z"), (".list[*].v", "x"), (".list[?(@.k==\"two\")].v", "z"),
        (".list[?(@.k!='one')].v", "z"), (".labels.app\\.kubernetes\\.io/name", "n"), (".labels['app.kubernetes.io/name']", "n"),
    ])
    func followsColumnPaths(_ path: String, _ expected: String) throws {
        let object: JSON = [
            "a": ["b": "1"], "list": [["k": "one", "v": "x"], ["k": "two", "v": "z"]], "labels": ["app.kubernetes.io/name": "n"],
        ]
        #expect(try #require(ColumnPath(parsing: path)).first(in: object) == .string(expected))
    }

    @Test func showsJobsClaimsAndEvents() async throws {
        let job: JSON = [
            "spec": ["completions": 3, "selector": ["matchLabels": ["a": "b"]], "template": ["spec": ["containers": [["name": "c", "image": "i"]]]]],
            "status": [
                "succeeded": 3, "startTime": "2023-11-14T22:00:00Z", "completionTime": "2023-11-14T22:01:05Z",
                "conditions": [["type": "Complete", "status": "True"]],
            ],
        ]
        func cell(_ name: String, _ object: JSON) throws -> JSON {
            let printer = try #require(Printers.byName[name])
            return printer(object, Lab.time) }
        #expect(try cell("jobStatus", job) == "Complete")
        #expect(try cell("jobCompletions", job) == "3/3")
        #expect(try cell("jobDuration", job) == "65s")
        #expect(try cell("labelSelector", job) == "a=b")
        let claim: JSON = [
            "spec": ["volumeName": "v", "storageClassName": "standard"],
            "status": ["phase": "Bound", "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteMany", "ReadWriteOnce"]],
        ]
        #expect(try cell("claimCapacity", claim) == "1Gi")
        #expect(try cell("claimAccessModes", claim) == "RWO,RWX")
        let event: JSON = [
            "involvedObject": ["kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"], "message": " text\n", "count": 4,
            "firstTimestamp": "2023-11-14T22:03:20Z", "lastTimestamp": .null, "source": ["component": "kubelet", "host": "n"],
        ]
        #expect(try cell("eventObject", event) == "pod/p")
        #expect(try cell("eventLastSeen", event) == "10m")
        #expect(try cell("eventSource", event) == "kubelet, n")
        #expect(try cell("eventMessage", event) == "text")
    }
}

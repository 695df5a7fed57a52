import Catalogue
import Foundation
import KubeModel
import Logging
import Registry
import Synchronization
import Testing

@testable import Katib

/// Kept logs in memory, by the trial's uid.
actor MemoryArchive: TrialLogArchive {
    private(set) var logs: [String: [String]] = [:]
    func keep(_ lines: [TrialLogLine], trialUID: String) { logs[trialUID] = lines.map(\.text) }
    private(set) var outputs: Set<String> = []
    func keepOutput(_ directory: String, trialUID: String) -> Bool { outputs.insert(trialUID).inserted }
    func hasOutput(trialUID: String) -> Bool { outputs.contains(trialUID) }
    func dropOutput(trialUID: String) { outputs.remove(trialUID) }
    func forget(trialUID: String) {
        logs[trialUID] = nil
        outputs.remove(trialUID)
    }
}

/// A lab without a node: jobs end as the test says, logs are what the test wrote.
final class Lab: TrialLogSource, @unchecked Sendable {
    let catalogue: Catalogue
    let registry: Registry
    let client: Client
    let directory: String
    let service = FakeService()
    let archive = MemoryArchive()
    private let experiments: ExperimentReconciler
    private let suggestions: SuggestionReconciler
    private var trials: TrialReconciler?
    /// What the trials print, by name; set before their jobs end.
    var output: @Sendable (String) -> [String] = { _ in ["Validation-accuracy=0.5"] }

    init() async throws {
        directory = NSTemporaryDirectory() + "katib-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        catalogue = try Catalogue(path: directory + "/c.sqlite")
        registry = try Registry(catalogue: catalogue, logger: Logger(label: "test"), rules: KatibRules.all)
        client = Client(registry: registry, manager: "test")
        experiments = ExperimentReconciler(registry: registry)
        suggestions = SuggestionReconciler(registry: registry, transport: service)
        trials = TrialReconciler(registry: registry, logs: self, archive: archive)
        try await client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "ns"]])
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// What the trials write to their metrics file; `nil`: nothing, with the reason.
    var file: @Sendable (String) -> (lines: [String], problem: String?) = { _ in ([], "the file was never written") }
    /// The trials that were ended early.
    let ended = Mutex<[String]>([])

    private func trial(_ container: TrialContainer) -> String {
        client.get(.pods, namespace: container.namespace, name: container.pod)?.labels["katib.kubeflow.org/trial"] ?? ""
    }

    func read(_ container: TrialContainer, _ body: @Sendable ([TrialLogLine]) async throws -> Void) async throws {
        try await body(output(trial(container)).enumerated().map { TrialLogLine(time: "2026-01-01T00:00:\(10 + $0)Z", text: $1) })
    }

    func readFile(_ container: TrialContainer, path: String, _ body: @Sendable ([TrialLogLine]) async throws -> Void) async throws -> String? {
        let (lines, problem) = file(trial(container))
        try await body(lines.map { TrialLogLine(time: "2026-01-01T00:00:00Z", text: $0) })
        return problem
    }

    func readFiles(_ container: TrialContainer, below directory: String, _ body: @Sendable (String, [UInt8]) async throws -> Void) async throws -> String? {
        nil
    }

    /// What the trials' pods answer, one page after another; `nil`: nothing, with the reason.
    var pages: (pages: [String], problem: String?) = ([], "connection refused")
    /// The directories in which the end of a container was marked.
    let marks = Mutex<[String]>([])

    func scrape(_ container: TrialContainer, _ endpoint: TrialEndpoint, _ body: @Sendable (TrialLogLine) async throws -> Void) async throws -> String? {
        for (index, page) in pages.pages.enumerated() { try await body(TrialLogLine(time: "2026-01-01T00:00:\(10 + index)Z", text: page)) }
        return pages.problem
    }

    func markEnd(_ container: TrialContainer, directory: String) async { marks.withLock { $0.append(directory) } }

    /// What every trial has used.
    var usage: TrialUsage?
    func usage(of container: TrialContainer) async -> TrialUsage? { usage }
    /// Where the volumes are that trials leave; `nil`: nowhere.
    var volumes: String?
    func volume(_ name: String, of container: TrialContainer) async -> String? { volumes.map { "\($0)/\(name)" } }

    func endEarly(_ container: TrialContainer) async throws {
        let name = trial(container)
        ended.withLock { $0.append(name) }
    }

    /// Lets every reconciler look at everything, again and again, until nothing changes; twice each, as after a crash.
    func settle() async throws {
        var before: Int64 = -1
        while before != catalogue.revision {
            before = catalogue.revision
            for _ in 0..<2 {
                for object in client.list(.experiments) { _ = try await experiments.reconcile(object.key) }
                for object in client.list(.suggestions) { _ = try await suggestions.reconcile(object.key) }
                for object in client.list(.trials) { _ = try await trials?.reconcile(object.key) }
            }
        }
    }

    /// Makes the pods of all running jobs and ends these; without a type only the pods end.
    func endJobs(_ type: String? = "Complete") async throws {
        for job in client.list(.jobs) where job.status["conditions"].isNull {
            try await client.create([
                "apiVersion": "v1", "kind": "Pod",
                "metadata": ["name": .string("\(job.name)-pod"), "namespace": "ns", "ownerReferences": [Owners.reference(to: job)]],
                "spec": ["containers": [["name": "training-container", "image": "x"]], "restartPolicy": "Never"],
            ])
            try await client.updateStatus(ObjectKey(.pods, namespace: "ns", name: "\(job.name)-pod")) { status in
                status["containerStatuses"] = [["name": "training-container", "state": ["terminated": ["exitCode": 0]]]]
            }
            guard let type else { continue }
            try await client.updateStatus(job.key) { $0["conditions"] = [["type": .string(type), "status": "True", "reason": "R", "message": "M"]] }
        }
        try await settle()
    }

    func create(_ change: (inout JSON) -> Void = { _ in }) async throws {
        var experiment: JSON = [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": ["name": "e", "namespace": "ns"],
            "spec": [
                "objective": ["type": "maximize", "goal": 0.99, "objectiveMetricName": "Validation-accuracy"], "algorithm": ["algorithmName": "random"],
                "parallelTrialCount": 3, "maxTrialCount": 12, "maxFailedTrialCount": 3,
                "parameters": [["name": "lr", "parameterType": "double", "feasibleSpace": ["min": "0.01", "max": "0.03"]]],
                "trialTemplate": [
                    "primaryContainerName": "training-container", "trialParameters": [["name": "learningRate", "reference": "lr"]],
                    "trialSpec": [
                        "apiVersion": "batch/v1", "kind": "Job",
                        "spec": [
                            "template": [
                                "spec": [
                                    "containers": [["name": "training-container", "image": "x", "command": ["run", "--lr=${trialParameters.learningRate}"]]],
                                    "restartPolicy": "Never",
                                ]
                            ]
                        ],
                    ],
                ],
            ],
        ]
        change(&experiment)
        let kind = try registry.kind(of: experiment)
        _ = try await registry.create(kind, namespace: "ns", experiment, WriteOptions(manager: "test", fieldValidation: .strict))
        try await settle()
    }

    var experiment: StoredObject? { client.get(.experiments, namespace: "ns", name: "e") }
    func condition(_ type: String) -> JSON { experiment?.status["conditions"].elements.first { $0["type"].stringValue == type } ?? .null }
}

/// A suggestion service that answers as the test says; requests and answers by the methods' names.
final class FakeService: SuggestionTransport {
    let requests = Mutex<[(method: String, message: JSON)]>([])
    let answer = Mutex<@Sendable (String, JSON) -> Result<JSON, GRPCStatus>>({ _, _ in .failure(GRPCStatus(.unavailable, "no service")) })

    func call(address: String, port: Int, method: String, _ message: [UInt8], timeout: Duration) async throws(GRPCStatus) -> [UInt8] {
        let name = String(method.split(separator: "/").last ?? "")
        #expect(port == (method.contains(".EarlyStopping/") ? 6788 : 6789))
        guard let request = try? KatibMessages.schema.decode(name + "Request", message) else { throw GRPCStatus(.invalidArgument, "no \(name)Request") }
        requests.withLock { $0.append((name, request)) }
        return KatibMessages.schema.encode(name + "Reply", try answer.withLock { $0 }(name, request).get())
    }

    func last(_ method: String) -> JSON? { requests.withLock { $0.last { $0.method == method }?.message } }
}

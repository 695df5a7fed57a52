import Catalogue
import KubeModel
import Registry
import Testing

@testable import Katib

/// Reports of trials by gRPC: who may report and read what.
@Suite struct DBManagerTests {
    private let schema = KatibMessages.schema

    private func call(_ manager: DBManager, _ method: String, _ request: JSON, from address: String = "10.0.0.7") async throws -> JSON {
        let message = schema.encode(method + "Request", request)
        let bytes = try await manager.answer(method: "/api.v1.beta1.DBManager/\(method)", message, from: address.isEmpty ? .owner : .pod(address: address))
        return method == "GetObservationLog" ? ((try? schema.decode("GetObservationLogReply", bytes))?["observation_log"]["metric_logs"] ?? .null) : .null
    }

    private func code(_ manager: DBManager, _ method: String, _ request: JSON, from address: String = "10.0.0.7") async -> GRPCStatus.Code? {
        do {
            _ = try await call(manager, method, request, from: address)
            return nil
        } catch { return (error as? GRPCStatus)?.code }
    }

    private func report(_ trial: String, _ values: [(String, String, String)]) -> JSON {
        let logs = values.map { time, name, value -> JSON in ["time_stamp": .string(time), "metric": ["name": .string(name), "value": .string(value)]] }
        return ["trial_name": .string(trial), "observation_log": ["metric_logs": .array(logs)]]
    }

    /// A lab with one trial, whose pod has the address 10.0.0.7; another pod has 10.0.0.8.
    private func prepare(_ kind: String = "Push", collector: JSON? = nil) async throws -> (Lab, DBManager, String) {
        let lab = try await Lab()
        try await lab.create {
            $0["spec"]["parallelTrialCount"] = 1
            $0["spec"]["metricsCollectorSpec"] = collector ?? ["collector": ["kind": .string(kind)]]
        }
        let job = try #require(lab.client.list(.jobs).first)
        for (name, address, owners) in [("mine", "10.0.0.7", JSON.array([Owners.reference(to: job)])), ("other", "10.0.0.8", JSON.array([]))] {
            try await lab.client.create([
                "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": "ns", "ownerReferences": owners],
                "spec": ["containers": [["name": "training-container", "image": "x"]]],
            ])
            try await lab.client.updateStatus(ObjectKey(.pods, namespace: "ns", name: name)) { status in
                status["podIP"] = .string(address)
                status["phase"] = "Running"
            }
        }
        return (lab, DBManager(registry: lab.registry), try #require(lab.client.list(.trials).first).name)
    }

    @Test func whatIsReportedComesBack() async throws {
        let (_, manager, trial) = try await prepare()
        _ = try await call(manager, "ReportObservationLog", report(trial, [("2026-01-01T00:00:02.5Z", "loss", "0.25"), ("2026-01-01T00:00:01Z", "loss", "nan")]))
        _ = try await call(manager, "ReportObservationLog", report(trial, [("2026-01-01T00:00:03Z", "accuracy", "0.9"), ("no time", "loss", "words")]))
        let all = try await call(manager, "GetObservationLog", ["trial_name": .string(trial)])
        #expect(all.elements.map { $0["metric"]["value"] } == ["nan", "0.25", "0.9", "words"])
        #expect(all[1]["time_stamp"] == "2026-01-01T00:00:02.5Z" && all[0]["time_stamp"] == "2026-01-01T00:00:01Z")
        let some: JSON = ["trial_name": .string(trial), "metric_name": "loss", "start_time": "2026-01-01T00:00:02Z", "end_time": "2026-01-01T00:00:09Z"]
        #expect(try await call(manager, "GetObservationLog", some, from: "10.0.0.8").elements.map { $0["metric"]["value"] } == ["0.25"])
        #expect(try await call(manager, "GetObservationLog", ["trial_name": .string(trial)], from: "").elements.count == 4, "the owner of the lab")
        _ = try await call(manager, "DeleteObservationLog", ["trial_name": .string(trial)])
        #expect(try await call(manager, "GetObservationLog", ["trial_name": .string(trial)]).elements.isEmpty)
    }

    @Test func aPodReportsForItsOwnTrialOnly() async throws {
        let (_, manager, trial) = try await prepare()
        let request = report(trial, [("2026-01-01T00:00:01Z", "loss", "1")])
        #expect(await code(manager, "ReportObservationLog", request, from: "10.0.0.8") == .permissionDenied)
        #expect(await code(manager, "DeleteObservationLog", request, from: "10.0.0.8") == .permissionDenied)
        #expect(await code(manager, "GetObservationLog", request, from: "10.9.9.9") == .permissionDenied)
        #expect(await code(manager, "GetObservationLog", ["trial_name": "nobody"]) == .notFound)
        #expect(await code(manager, "GetObservationLog", ["trial_name": .string(trial), "start_time": "yesterday"]) == .invalidArgument)
        #expect(await code(manager, "ReportObservationLog", report(trial, [("", "", "1")])) == .invalidArgument)
        #expect(await code(manager, "ReportObservationLog", report(trial, [("", "x", String(repeating: "9", count: 10_000))])) == .invalidArgument)
        await #expect(throws: GRPCStatus.self) { try await manager.answer(method: "/api.v1.beta1.DBManager/Other", [], from: .owner) }
        await #expect(throws: GRPCStatus.self) { try await manager.answer(method: "/api.v1.beta1.DBManager/ReportObservationLog", [0xff, 0xff], from: .owner) }
        #expect(try await manager.answer(method: "/grpc.health.v1.Health/Check", [], from: .pod(address: "10.0.0.8")) == [8, 1])
    }

    @Test(arguments: ["Push", "None"]) func aTrialThatReportsSucceeds(kind: String) async throws {
        let (lab, manager, trial) = try await prepare(kind)
        _ = try await call(manager, "ReportObservationLog", report(trial, [
            ("2026-01-01T00:00:01Z", "Validation-accuracy", "0.7"), ("2026-01-01T00:00:02Z", "Validation-accuracy", "nan")]))
        try await lab.endJobs()
        let ended = try #require(lab.client.get(.trials, namespace: "ns", name: trial))
        #expect(Trials.has(ended, "Succeeded"))
        #expect(ended.status["observation"]["metrics"][0] == ["name": "Validation-accuracy", "min": "0.7", "max": "0.7", "latest": "nan"])
    }

    @Test func aCollectorOfTheUsersOwnRunsBesideTheTrial() async throws {
        let own: JSON = ["name": "my-collector", "image": "example.org/collector", "args": ["-path", "/katib/m.log"]]
        let (lab, manager, trial) = try await prepare(
            collector: [
                "collector": ["kind": "Custom", "customCollector": own], "source": ["fileSystemPath": ["kind": "File", "path": "/katib/m.log"]],
            ])
        let containers = try #require(lab.client.get(.pods, namespace: "ns", name: "mine")).spec["containers"].elements
        #expect(containers.map { $0["name"] } == ["training-container", "my-collector"] && containers[1]["args"] == own["args"])
        #expect(containers.allSatisfy { $0["volumeMounts"][0]["mountPath"] == "/katib" })
        _ = try await call(manager, "ReportObservationLog", report(trial, [("2026-01-01T00:00:01Z", "Validation-accuracy", "0.8")]))
        try await lab.endJobs()
        let ended = try #require(lab.client.get(.trials, namespace: "ns", name: trial))
        #expect(Trials.has(ended, "Succeeded") && ended.status["observation"]["metrics"][0]["max"] == "0.8")
        #expect(lab.marks.withLock { $0 }.contains("/katib"), "a collector beside the container hears of its end")
    }

    @Test func aTrialThatReportsNothingSaysSo() async throws {
        let (lab, manager, trial) = try await prepare()
        _ = try await call(manager, "ReportObservationLog", report(trial, [("2026-01-01T00:00:01Z", "Validation-acc", "0.7")]))
        try await lab.endJobs()
        let ended = try #require(lab.client.get(.trials, namespace: "ns", name: trial))
        #expect(Trials.has(ended, "MetricsUnavailable"))
        let message = ended.status["conditions"].elements.first { $0["type"] == "MetricsUnavailable" }?["message"].stringValue ?? ""
        #expect(message.contains("katib-db-manager.kubeflow:6789") && message.contains("seen were Validation-acc=0.7"), "\(message)")
    }
}

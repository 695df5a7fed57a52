import Testing

@testable import Catalogue
@testable import ControllerRuntime
@testable import KubeModel
@testable import Registry
@testable import Workloads

struct JobReconcilerTests {
    private func reconciler(_ lab: Lab) -> JobReconciler { JobReconciler(client: lab.client, clock: lab.clock.source) }

    @Test func runsOnePodToCompletion() async throws {
        let lab = try await Lab.fresh()
        let job = try await lab.client.create(Samples.job("one"))
        try await lab.settle(reconciler(lab), .jobs)
        #expect(lab.pods.count == 1)
        let pod = try #require(lab.pods.first)
        #expect(pod.name.hasPrefix("one-") && pod.name.count == 9)
        #expect(pod.labels["job-name"] == "one" && pod.labels["batch.kubernetes.io/controller-uid"] == job.uid)
        #expect(pod.labels["app"] == "sample")
        #expect(pod.controllerReference["blockOwnerDeletion"].boolValue == true)
        #expect(lab.client.get(job.key)?.status["active"].intValue == 1)
        try await lab.finish(pod, "Succeeded")
        try await lab.settle(reconciler(lab), .jobs)
        let status = try #require(lab.client.get(job.key)?.status)
        #expect(status["succeeded"].intValue == 1)
        #expect(status["conditions"].elements.map { $0["type"].stringValue } == ["SuccessCriteriaMet", "Complete"])
        #expect(lab.pods.count == 1)
    }

    @Test func leavesAloneWhatAnotherControllerManages() async throws {
        let lab = try await Lab.fresh()
        let theirs = try await lab.client.create(Samples.job("theirs", ["managedBy": "example.org/queue"]))
        try await lab.client.create(Samples.job("ours", ["managedBy": "kubernetes.io/job-controller"]))
        try await lab.settle(reconciler(lab), .jobs)
        #expect(lab.pods.map { $0.labels["job-name"] } == ["ours"])
        #expect(lab.client.get(theirs.key)?.status == theirs.status)
    }

    @Test func writesNothingWhenNothingChanged() async throws {
        let lab = try await Lab.fresh()
        let job = try await lab.client.create(Samples.job("idle", ["completions": 3, "parallelism": 2]))
        try await lab.settle(reconciler(lab), .jobs)
        let before = lab.world
        for _ in 0..<5 { _ = try await reconciler(lab).reconcile(job.key) }
        #expect(lab.world == before)
    }

    @Test func indexedPodsKnowTheirIndex() async throws {
        let lab = try await Lab.fresh()
        let job = try await lab.client.create(Samples.job("ix", ["completions": 3, "parallelism": 3, "completionMode": "Indexed"]))
        try await lab.settle(reconciler(lab), .jobs)
        #expect(Set(lab.pods.compactMap { $0.annotations[PodFacts.indexKey] }) == ["0", "1", "2"])
        for pod in lab.pods {
            let index = try #require(pod.annotations[PodFacts.indexKey])
            #expect(pod.name.hasPrefix("ix-\(index)-"))
            #expect(pod.spec["hostname"].stringValue == "ix-\(index)")
            #expect(pod.spec["containers"][0]["env"][0]["name"].stringValue == "JOB_COMPLETION_INDEX")
            if index != "1" { try await lab.finish(pod, "Succeeded") }
        }
        try await lab.settle(reconciler(lab), .jobs)
        #expect(lab.client.get(job.key)?.status["completedIndexes"].stringValue == "0,2")
        #expect(lab.pods.count == 3)
    }

    @Test func suspendsAndResumes() async throws {
        let lab = try await Lab.fresh()
        let job = try await lab.client.create(Samples.job("pause", ["completions": 2, "parallelism": 2]))
        try await lab.settle(reconciler(lab), .jobs)
        for pod in lab.pods { try await lab.run(pod) }
        try await lab.client.update(job.key) { $0["spec"]["suspend"] = true }
        try await lab.settle(reconciler(lab), .jobs)
        #expect(lab.pods.allSatisfy { $0.isBeingDeleted })
        for pod in lab.pods { try await lab.finish(pod, "Failed") }
        lab.clock.advance(.seconds(60))
        try await lab.client.update(job.key) { $0["spec"]["suspend"] = false }
        try await lab.settle(reconciler(lab), .jobs)
        let status = try #require(lab.client.get(job.key)?.status)
        #expect(status["failed"].isNull, "pods deleted for the suspension are no failures")
        #expect(status["active"].intValue == 2)
        #expect(status["startTime"].stringValue == "\(lab.clock.now)")
    }

    @Test func failsAfterTheBackoffLimitAndCleansUp() async throws {
        let lab = try await Lab.fresh()
        let job = try await lab.client.create(Samples.job("bad", ["backoffLimit": 2]))
        for round in 0..<3 {
            try await lab.settle(reconciler(lab), .jobs)
            #expect(lab.pods.count == round + 1)
            let running = try #require(lab.pods.first { $0.status["phase"].stringValue != "Failed" })
            try await lab.finish(running, "Failed")
            try await lab.settle(reconciler(lab), .jobs)
            #expect(lab.pods.count == round + 1, "a failed pod is not replaced before its back-off")
            lab.clock.advance(.seconds(361))
        }
        try await lab.settle(reconciler(lab), .jobs)
        let status = try #require(lab.client.get(job.key)?.status)
        #expect(status["conditions"].elements.map { $0["type"].stringValue } == ["FailureTarget", "Failed"])
        #expect(status["failed"].intValue == 3)
        #expect(lab.pods.count == 3)
    }

    @Test func expiresAfterItsTimeToLive() async throws {
        let lab = try await Lab.fresh()
        let job = try await lab.client.create(Samples.job("ttl", ["ttlSecondsAfterFinished": 30]))
        try await lab.settle(reconciler(lab), .jobs)
        try await lab.finish(try #require(lab.pods.first), "Succeeded")
        try await lab.settle(reconciler(lab), .jobs)
        #expect(try await reconciler(lab).reconcile(job.key) == .requeue(after: .seconds(30)))
        lab.clock.advance(.seconds(30))
        _ = try await reconciler(lab).reconcile(job.key)
        #expect(lab.client.get(job.key)?.isBeingDeleted == true)
    }

    @Test func countsAPodThatIsDeletedAfterItsEndOnce() async throws {
        let lab = try await Lab.fresh()
        let job = try await lab.client.create(Samples.job("count", ["completions": 3]))
        try await lab.settle(reconciler(lab), .jobs)
        for expected in 1...3 {
            let pod = try #require(lab.pods.first { $0.status["phase"].stringValue != "Succeeded" })
            try await lab.finish(pod, "Succeeded")
            try await lab.settle(reconciler(lab), .jobs)
            #expect(lab.client.get(job.key)?.status["succeeded"].intValue == expected)
            try await lab.remove(pod)
        }
        #expect(lab.client.get(job.key)?.status["conditions"][1]["type"].stringValue == "Complete")
        #expect(lab.client.get(job.key)?.annotations[JobFacts.accountedKey] == nil)
    }

    /// The daemon is killed at a random point of a look at a Job, over and over, while pods start and end.
    @Test(arguments: 1...6 as ClosedRange<UInt64>) func survivesCrashesWithoutMakingAnythingTwice(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let scratch = try Scratch()
        let clock = ManualClock()
        let spec: JSON = seed % 2 == 0
            ? ["completions": 6, "parallelism": 3, "backoffLimit": 50, "completionMode": "Indexed"]
            : ["completions": 6, "parallelism": 3, "backoffLimit": 50]
        var outcomes: [String: Int] = [:]
        var lab = try Lab(scratch, clock: clock)
        try await lab.client.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(Lab.namespace)]])
        let key = try await lab.client.create(Samples.job("crash", spec)).key
        var isFinished = false
        for _ in 0..<400 where !isFinished {
            let reconciler = JobReconciler(client: lab.client, clock: clock.source)
            if Int.random(in: 0..<3, using: &random) == 0 {
                let pause = Int.random(in: 0..<30, using: &random)
                let look = Task { try? await reconciler.reconcile(key) }
                for _ in 0..<pause { await Task.yield() }
                try lab.catalogue.close()
                _ = await look.value
                lab = try Lab(scratch, clock: clock)
            } else {
                _ = try? await reconciler.reconcile(key)
            }
            let active = lab.pods.filter { PodFacts($0).isActive }
            #expect(active.count <= 3)
            if let pod = active.randomElement(using: &random), Bool.random(using: &random) {
                let phase = Int.random(in: 0..<3, using: &random) == 0 ? "Failed" : "Succeeded"
                try await lab.finish(pod, phase)
                outcomes[phase, default: 0] += 1
            }
            clock.advance(.seconds(Int.random(in: 0..<120, using: &random)))
            isFinished = lab.client.get(key).map { !JobFacts($0.value).finished.isNull } ?? true
        }
        let status = try #require(lab.client.get(key)?.status)
        #expect(isFinished)
        #expect(status["succeeded"].intValue == 6)
        #expect(status["succeeded"].intValue ?? 0 == outcomes["Succeeded"] ?? 0)
        #expect(status["failed"].intValue ?? 0 == outcomes["Failed"] ?? 0)
        let ended = outcomes.values.reduce(0, +)
        #expect(lab.pods.count == ended)
        try lab.catalogue.close()
    }

    /// Twenty Jobs under the real queue and watches, with pods that end at once.
    @Test(.timeLimit(.minutes(1))) func manyJobsThroughTheManager() async throws {
        let lab = try await Lab.fresh()
        let manager = ControllerManager(catalogue: lab.catalogue, logger: .init(label: "test"))
        let running = Task { await manager.run([reconciler(lab), PodFinisher(lab: lab)]) }
        for number in 0..<20 { try await lab.client.create(Samples.job("many-\(number)", ["completions": 5, "parallelism": 2])) }
        let watch = try lab.catalogue.watch(.jobs, since: lab.catalogue.revision)
        func allComplete() -> Bool { lab.client.list(.jobs).allSatisfy { !JobFacts($0.value).finished.isNull } }
        if !allComplete() { for await _ in watch where allComplete() { break } }
        running.cancel()
        await running.value
        #expect(lab.pods.count == 100)
        #expect(lab.client.list(.jobs).allSatisfy { $0.status["succeeded"].intValue == 5 })
    }
}

/// A kubelet whose containers end at once.
private struct PodFinisher: Reconciler {
    let lab: Lab
    let name = "kubelet"
    var sources: [EventSource] { [.objects(.pods)] }
    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let pod = lab.client.get(key), pod.status["phase"].stringValue != "Succeeded" else { return .done }
        try await lab.finish(pod, "Succeeded")
        return .done
    }
}

import KubeModel

extension JobPlan {
    /// - Parameters:
    ///   - job: one that is not finished.
    ///   - pods: those that it controls.
    static func make(_ job: JobFacts, pods: [PodFacts], now: Timestamp) -> JobPlan {
        var planner = JobPlanner(job, pods, now)
        return planner.run()
    }
}

private struct JobPlanner {
    let job: JobFacts
    let pods: [PodFacts]
    let now: Timestamp
    var plan = JobPlan()
    var conditions: JobConditions
    var active: [PodFacts]
    var terminating: Int
    var succeeded = 0
    var failed = 0
    var completed: IndexIntervals
    /// Indexes that have failed for good.
    var failedIndexes: IndexIntervals
    /// What the failure policy says of the Job.
    var policyFailure: String?
    var startTime: JSON

    init(_ job: JobFacts, _ pods: [PodFacts], _ now: Timestamp) {
        self.job = job
        self.pods = pods
        self.now = now
        conditions = JobConditions(job.status["conditions"].elements, now: now)
        active = pods.filter(\.isActive)
        terminating = pods.reduce(0) { $0 + ($1.isTerminating ? 1 : 0) }
        completed = IndexIntervals(parsing: job.status["completedIndexes"].stringValue ?? "", below: job.completions ?? 0)
        failedIndexes = IndexIntervals(parsing: job.status["failedIndexes"].stringValue ?? "", below: job.completions ?? 0)
        startTime = job.status["startTime"]
    }

    mutating func run() -> JobPlan {
        let newlyFailed = count()
        // The deadline counts from the last resumption, which this look may be the first to see.
        if !job.isSuspended, startTime.isNull || conditions.isTrue("Suspended") { startTime = time }
        if let target = failure() {
            fail(target)
        } else {
            noteSuccessPolicy()
            if conditions.isTrue("SuccessCriteriaMet") {
                plan.accounted.formUnion(active.map(\.uid))
                delete(active)
            } else if !job.isBeingDeleted {
                manage(newlyFailed)
            }
            settle()
        }
        finish()
        plan.status = status()
        return plan
    }

    private var time: JSON { .string("\(now)") }

    // MARK: Counting

    /// Adds pods that ended since the last look to the counters.
    /// - Returns: the pods that count as failed and have not been replaced yet.
    private mutating func count() -> [PodFacts] {
        succeeded = job.status["succeeded"].intValue ?? 0
        failed = job.status["failed"].intValue ?? 0
        let known = job.accounted ?? rebuildRecord()
        plan.accounted = known.intersection(pods.map(\.uid))
        var failures: [PodFacts] = []
        var newIndexes: [Int] = []
        for pod in pods where isValid(pod) {
            let isNew = !known.contains(pod.uid)
            if pod.phase == .succeeded {
                guard isNew else { continue }
                plan.accounted.insert(pod.uid)
                if let index = pod.completionIndex, job.isIndexed { newIndexes.append(index) } else { succeeded += 1 }
            } else if isFailed(pod) {
                let decision = job.failurePolicy.decide(pod, namespace: job.namespace)
                noteIndex(of: pod, decision)
                if isNew { plan.accounted.insert(pod.uid) }
                if decision == .ignore { continue }
                if isNew { failed += 1 }
                if case .failJob(let message) = decision { policyFailure = policyFailure ?? message }
                // One that was deleted, perhaps for a suspension, asks for no more patience once it is counted.
                if isNew || !pod.hasDeletionTimestamp { failures.append(pod) }
            }
        }
        if job.isIndexed {
            completed = completed.union(newIndexes)
            succeeded = completed.count
        }
        return failures
    }

    /// An index that failed once too often, or that the policy gives up, is not tried again.
    private mutating func noteIndex(of pod: PodFacts, _ decision: JobFailurePolicy.Decision) {
        guard let limit = job.backoffLimitPerIndex, let index = pod.completionIndex else { return }
        let failures = pod.indexFailures + (decision == .ignore ? 0 : 1)
        plan.indexFailures[index] = max(plan.indexFailures[index] ?? 0, failures)
        if decision == .failIndex || (decision != .ignore && pod.indexFailures >= limit) { failedIndexes = failedIndexes.union([index]) }
    }

    private mutating func noteSuccessPolicy() {
        guard job.isIndexed, let message = job.successPolicy.met(by: completed, completions: job.completions ?? 0) else { return }
        conditions.set("SuccessCriteriaMet", "True", "SuccessPolicy", message)
    }

    /// The record was lost, e.g. the user replaced the whole object: the pods that the counters speak of are those that
    /// ended first.
    private func rebuildRecord() -> Set<String> {
        func oldest(_ count: Int, _ isWanted: (PodFacts) -> Bool) -> [String] {
            count == 0 ? [] : pods.filter(isWanted).sorted { $0.finished < $1.finished }.prefix(count).map(\.uid)
        }
        let succeeded = job.isIndexed ? 0 : self.succeeded
        return Set(oldest(succeeded) { $0.phase == .succeeded } + oldest(failed, isFailed))
    }

    /// A pod of an Indexed Job counts only with an index that the Job has.
    private func isValid(_ pod: PodFacts) -> Bool {
        guard job.isIndexed else { return true }
        return pod.completionIndex.map { $0 >= 0 && $0 < job.completions ?? 0 } ?? false
    }

    /// Pods that are being deleted count as failed unless replacements wait for their end.
    private func isFailed(_ pod: PodFacts) -> Bool {
        if pod.phase == .failed { return true }
        return !job.replacesOnlyFailed && pod.hasDeletionTimestamp && pod.phase != .succeeded
    }

    // MARK: Failing

    private mutating func failure() -> (reason: String, message: String)? {
        if conditions.isTrue("SuccessCriteriaMet") { return nil }
        let target = job.condition("FailureTarget")
        if !target.isNull { return (target["reason"].stringValue ?? "", target["message"].stringValue ?? "") }
        if let policyFailure { return ("PodFailurePolicy", policyFailure) }
        if failed > job.backoffLimit || hasTooManyRestarts { return ("BackoffLimitExceeded", "Job has reached the specified backoff limit") }
        if let failure = indexFailure() { return failure }
        guard let deadline = job.activeDeadline, !job.isSuspended, let start = PodFacts.time(startTime) else { return nil }
        let left = deadline - (now - start)
        if left <= .zero { return ("DeadlineExceeded", "Job was active longer than specified deadline") }
        plan.wake(in: left)
        return nil
    }

    /// Too many indexes have failed, or nothing is left to do and some have.
    private func indexFailure() -> (reason: String, message: String)? {
        guard job.backoffLimitPerIndex != nil, failedIndexes.count > 0 else { return nil }
        if let most = job.maxFailedIndexes, failedIndexes.count > most {
            return ("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
        }
        guard let completions = job.completions, completed.count + failedIndexes.count >= completions, active.isEmpty else { return nil }
        return ("FailedIndexes", "Job has failed indexes")
    }

    /// Containers restarted in place count as failures too.
    private var hasTooManyRestarts: Bool {
        guard job.restartsInPlace else { return false }
        let restarts = pods.reduce(0) { $0 + ($1.phase == .running || $1.phase == .pending ? $1.restarts : 0) }
        return job.backoffLimit == 0 ? restarts > 0 : restarts >= job.backoffLimit
    }

    /// Every pod that still runs is deleted and counts as failed.
    private mutating func fail(_ target: (reason: String, message: String)) {
        conditions.set("FailureTarget", "True", target.reason, target.message)
        for pod in active where isValid(pod) && plan.accounted.insert(pod.uid).inserted { failed += 1 }
        delete(active)
    }

    private mutating func delete(_ pods: [PodFacts]) {
        guard !pods.isEmpty else { return }
        plan.deletions = pods
        plan.mustRecordFirst = true
        let uids = Set(pods.map(\.uid))
        active.removeAll { uids.contains($0.uid) }
        // One that no node runs is gone at once.
        terminating += pods.reduce(0) { $0 + ($1.isScheduled ? 1 : 0) }
    }

    // MARK: Making and removing pods

    private mutating func manage(_ failures: [PodFacts]) {
        if job.isSuspended {
            plan.accounted.formUnion(active.map(\.uid))
            return delete(active)
        }
        let wanted = wantedActive
        let surplus = Array(removable(atLeast: max(0, active.count - wanted)).prefix(JobPlan.batch))
        if !surplus.isEmpty {
            plan.accounted.formUnion(surplus.map(\.uid))
            return delete(surplus)
        }
        var missing = wanted - active.count
        if job.replacesOnlyFailed { missing -= terminating }
        guard missing > 0 else { return }
        missing = min(missing, JobPlan.batch)
        if job.backoffLimitPerIndex != nil {
            plan.creations = readyIndexes(missing, failures)
            return
        }
        let wait = backoff(after: failures)
        if wait > .zero { return plan.wake(in: wait) }
        plan.creations = job.isIndexed ? pendingIndexes(missing).map { $0 } : Array(repeating: nil, count: missing)
    }

    private var wantedActive: Int {
        guard let completions = job.completions else { return succeeded > 0 ? active.count : job.parallelism }
        return max(0, min(completions - succeeded - failedIndexes.count, job.parallelism))
    }

    /// Pods with an index that is taken, done or out of range, then the ones that got least far.
    private func removable(atLeast count: Int) -> [PodFacts] {
        var removed: [PodFacts] = []
        var left = active
        if job.isIndexed {
            var taken: Set<Int> = []
            left = []
            for pod in active.sorted(by: { isFurther($0, $1) }) {
                if isValid(pod), let index = pod.completionIndex, !completed.contains(index), !failedIndexes.contains(index), taken.insert(index).inserted {
                    left.append(pod)
                } else {
                    removed.append(pod)
                }
            }
        }
        guard removed.count < count else { return removed }
        return removed + left.sorted { isFurther($1, $0) }.prefix(count - removed.count)
    }

    /// Scheduled before unscheduled, running before pending, ready before unready, older before younger.
    private func isFurther(_ left: PodFacts, _ right: PodFacts) -> Bool {
        func rank(_ pod: PodFacts) -> Int { (pod.isScheduled ? 4 : 0) + (pod.phase == .running ? 2 : 0) + (pod.isReady ? 1 : 0) }
        let ranks = (rank(left), rank(right))
        if ranks.0 != ranks.1 { return ranks.0 > ranks.1 }
        return left.created != right.created ? left.created < right.created : left.name < right.name
    }

    private func pendingIndexes(_ count: Int) -> [Int] {
        let busy = Set(pods.filter { $0.isActive || (job.replacesOnlyFailed && $0.isTerminating) }.compactMap(\.completionIndex))
        var found: [Int] = []
        var index = 0
        while found.count < count, index < job.completions ?? 0 {
            if !busy.contains(index), !completed.contains(index), !failedIndexes.contains(index) { found.append(index) }
            index += 1
        }
        return found
    }

    /// Pending indexes whose own back-off is over.
    private mutating func readyIndexes(_ count: Int, _ failures: [PodFacts]) -> [Int?] {
        let byIndex = Dictionary(grouping: failures) { $0.completionIndex ?? -1 }
        var ready: [Int?] = []
        // At most those with failures have to wait.
        for index in pendingIndexes(count + byIndex.count) where ready.count < count {
            let wait = backoff(after: byIndex[index] ?? [])
            if wait > .zero { plan.wake(in: wait) } else { ready.append(index) }
        }
        return ready
    }

    /// How long to wait still after failures in a row: 10 s doubling to 6 min.
    private func backoff(after failures: [PodFacts]) -> Duration {
        let success = pods.filter { $0.phase == .succeeded }.map(\.finished).max()
        let recent = failures.filter { failure in success.map { failure.finished > $0 } ?? true }
        guard let last = recent.map(\.finished).max() else { return .zero }
        let delay = recent.count > 6 ? JobPlan.backoffMaximum : JobPlan.backoffBase * (1 << (recent.count - 1))
        return min(delay, JobPlan.backoffMaximum) - (now - last)
    }

    // MARK: Conditions

    private mutating func settle() {
        let activeAfter = active.count + plan.creations.count
        let isComplete = job.completions.map { succeeded >= $0 && activeAfter == 0 } ?? (succeeded > 0 && activeAfter == 0)
        if conditions.isTrue("SuccessCriteriaMet") { return }
        if isComplete {
            conditions.set("SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods")
        } else if job.isBeingDeleted {
            return
        } else if job.isSuspended {
            if conditions.set("Suspended", "True", "JobSuspended", "Job suspended") { event("Normal", "Suspended", "Job suspended") }
        } else if conditions.set("Suspended", "False", "JobResumed", "Job resumed") {
            event("Normal", "Resumed", "Job resumed")
        }
    }

    /// The ending is declared only when no pod is left that could still do something.
    private mutating func finish() {
        guard terminating == 0, active.isEmpty, plan.creations.isEmpty, plan.deletions.isEmpty else { return }
        if let met = conditions["SuccessCriteriaMet"], conditions.isTrue("SuccessCriteriaMet") {
            conditions.set("Complete", "True", met["reason"].stringValue ?? "", met["message"].stringValue ?? "")
            if let completions = job.completions, succeeded > completions {
                event("Warning", "TooManySucceededPods", "Too many succeeded pods running after completion count reached")
            }
            event("Normal", "Completed", "Job completed")
        } else if let target = conditions["FailureTarget"] {
            let (reason, message) = (target["reason"].stringValue ?? "", target["message"].stringValue ?? "")
            conditions.set("Failed", "True", reason, message)
            event("Warning", reason, message)
        }
    }

    private mutating func event(_ type: String, _ reason: String, _ message: String) {
        plan.events.append(JobPlan.Event(type: type, reason: reason, message: message))
    }

    private func status() -> JSON {
        var status = job.status.isNull ? [:] : job.status
        status.assign("conditions", conditions.list.isEmpty ? .null : .array(conditions.list))
        status.assign("startTime", startTime)
        if conditions.isTrue("Complete"), status["completionTime"].isNull { status["completionTime"] = time }
        status.assign(nonZero: "active", active.count + plan.creations.count)
        status.assign(nonZero: "succeeded", succeeded)
        status.assign(nonZero: "failed", failed)
        status["ready"] = JSON(active.reduce(0) { $0 + ($1.isReady ? 1 : 0) })
        status["terminating"] = JSON(terminating)
        status["uncountedTerminatedPods"] = [:]
        if job.isIndexed { status.assign("completedIndexes", completed.count == 0 ? .null : .string("\(completed)")) }
        if job.backoffLimitPerIndex != nil { status["failedIndexes"] = .string("\(failedIndexes)") }
        return status
    }
}

/// The conditions of a Job, changed as upstream's ensureJobConditionStatus changes them.
struct JobConditions {
    private(set) var list: [JSON]
    private let now: Timestamp

    init(_ list: [JSON], now: Timestamp) {
        self.list = list
        self.now = now
    }

    subscript(type: String) -> JSON? { list.first { $0["type"].stringValue == type } }

    func isTrue(_ type: String) -> Bool { self[type]?["status"].stringValue == "True" }

    /// Sets a condition; one that is not there and would be false is not added.
    /// - Returns: whether anything changed.
    @discardableResult
    mutating func set(_ type: String, _ status: String, _ reason: String, _ message: String) -> Bool {
        let condition: JSON = [
            "type": .string(type), "status": .string(status), "lastProbeTime": .string("\(now)"), "lastTransitionTime": .string("\(now)"),
            "reason": .string(reason), "message": .string(message),
        ]
        guard let position = list.firstIndex(where: { $0["type"].stringValue == type }) else {
            if status == "False" { return false }
            list.append(condition)
            return true
        }
        let old = list[position]
        if old["status"] == condition["status"], old["reason"] == condition["reason"], old["message"] == condition["message"] { return false }
        list[position] = condition
        return true
    }
}

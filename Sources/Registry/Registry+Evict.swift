import Catalogue
public import KubeModel

extension Registry {
    /// Deletes a pod if its disruption budget allows it; budget and pod change in one write, so two evictions never share the
    /// last disruption that is allowed (upstream: pkg/registry/core/pod/storage/eviction.go).
    /// - Throws: 404; 409 for a precondition; 429 where a budget stands against it; 500 for a pod of several budgets.
    public func evict(namespace: String, name: String, _ options: DeleteOptions) async throws -> DeleteOutcome {
        guard let kind = kind(.pods) else { throw APIStatus.notFound("pods", group: "", name: name) }
        let key = ObjectKey(.pods, namespace: namespace, name: name)
        let now = now
        return try await catalogue.write { transaction -> DeleteOutcome in
            guard let pod = transaction.get(key) else { throw APIStatus.notFound("pods", group: "", name: name) }
            try Deletion.check(options, pod, kind)
            if !Eviction.isFree(pod), let budget = try Eviction.budget(of: pod, in: transaction), !Eviction.isUnhealthyAndFree(pod, budget) {
                let charged = try Eviction.charge(budget, with: pod.name, now: now)
                transaction.put(budget.key, charged, intent: budget.intent)
            }
            let marked = transaction.put(key, Eviction.marked(pod.value, now: now), intent: pod.intent)
            let grace = Deletion.gracePeriod(of: marked, options)
            let outcome = Deletion.begin(marked, options, gracePeriodSeconds: grace, now: now, in: transaction)
            if options.isDryRun {
                switch outcome { case .deleted(let object), .pending(let object): throw DryRun(object: object) }
            }
            return outcome
        } dryRun: { .deleted($0) }
    }
}

/// What disruption budgets say of an eviction.
enum Eviction {
    /// A pod that does not run, or ends already, disturbs nobody by going.
    static func isFree(_ pod: StoredObject) -> Bool {
        pod.isBeingDeleted || ["Pending", "Succeeded", "Failed"].contains(pod.status["phase"].stringValue ?? "Pending")
    }

    static func budget(of pod: StoredObject, in transaction: WriteTransaction) throws(APIStatus) -> StoredObject? {
        let budgets = transaction.list(.podDisruptionBudgets, namespace: pod.namespace).filter { budget in
            guard let selector = try? LabelSelector(object: budget.spec["selector"]) else { return false }
            return selector.matches(object: pod.value)
        }
        if budgets.count > 1 {
            throw APIStatus(
                code: 500, reason: "InternalError",
                message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
        }
        return budgets.first
    }

    /// A pod that is not ready may go while the others are enough, or always where the budget says so.
    static func isUnhealthyAndFree(_ pod: StoredObject, _ budget: StoredObject) -> Bool {
        let ready = pod.status["conditions"].elements.first { $0["type"].stringValue == "Ready" }
        if ready?["status"].stringValue == "True" { return false }
        if budget.spec["unhealthyPodEvictionPolicy"].stringValue == "AlwaysAllow" { return true }
        let (healthy, wanted) = (budget.status["currentHealthy"].intValue ?? 0, budget.status["desiredHealthy"].intValue ?? 0)
        return healthy >= wanted && wanted > 0
    }

    /// The budget with one disruption less.
    static func charge(_ budget: StoredObject, with pod: String, now: Timestamp) throws(APIStatus) -> JSON {
        let status = budget.status
        if status["observedGeneration"].intValue ?? 0 < budget.metadata["generation"].intValue ?? 0 {
            throw refusal("The disruption budget \(budget.name) is still being processed by the server.", retryAfter: 10)
        }
        let allowed = status["disruptionsAllowed"].intValue ?? 0
        guard allowed > 0 else {
            throw refusal(
                "The disruption budget \(budget.name) needs \(status["desiredHealthy"].intValue ?? 0) healthy pods and has "
                    + "\(status["currentHealthy"].intValue ?? 0) currently", retryAfter: nil)
        }
        var value = budget.value
        value["status"]["disruptionsAllowed"] = JSON(allowed - 1)
        value["status"]["disruptedPods"][pod] = .string("\(now)")
        return value
    }

    private static func refusal(_ message: String, retryAfter: Int?) -> APIStatus {
        APIStatus(
            code: 429, reason: "TooManyRequests", message: "Cannot evict pod as it would violate the pod's disruption budget.",
            causes: [APIStatus.Cause(reason: "DisruptionBudget", message: message, field: "")], retryAfterSeconds: retryAfter)
    }

    /// The pod with the condition that says why it goes.
    static func marked(_ pod: JSON, now: Timestamp) -> JSON {
        var pod = pod
        if pod["status"]["conditions"].elements.contains(where: { $0["type"].stringValue == "DisruptionTarget" }) { return pod }
        let condition: JSON = [
            "type": "DisruptionTarget", "status": "True", "lastProbeTime": .null, "lastTransitionTime": .string("\(now)"),
            "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
        ]
        pod["status"]["conditions"] = .array(pod["status"]["conditions"].elements + [condition])
        return pod
    }
}

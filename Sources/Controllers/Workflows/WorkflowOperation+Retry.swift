import KubeModel

extension WorkflowOperation {
    /// A Retry node holds the attempts `name(0)`, `name(1)`, …; `limit` counts the retries.
    mutating func executeRetry(_ call: Call) -> WorkflowNode? {
        let strategy = call.scope.apply(call.template["retryStrategy"])
        var node = startNode(
            .retry, call.nodeName, displayName: call.displayName, template: call.templateName, boundary: call.boundary,
            inputs: Self.inputsJSON(call.inputs, call.template))
        let attempts = node.children.compactMap { nodes[$0].map(WorkflowNode.init) }
        if let last = attempts.last {
            if last.isFulfilled {
                if last.isDaemon {
                    for key in ["daemoned", "podIP"] { node.json[key] = last.json[key] }
                    save(node)
                    return node
                }
                if last.isGood {
                    node.json["outputs"] = last.json["outputs"]
                    if last.json["outputs"].isNull { node.json.remove("outputs") }
                    end(&node, .succeeded)
                    return node
                }
                switch RetryDecision(strategy, attempts: attempts, lastRetry: lastAttempt(call, before: attempts.count), now: now) {
                case .stop(let message):
                    node.json["outputs"] = last.json["outputs"]
                    if last.json["outputs"].isNull { node.json.remove("outputs") }
                    end(&node, last.phase, message)
                    return node
                case .broken(let message):
                    end(&node, .error, message)
                    return node
                case .wait(let until, let message):
                    node.json["message"] = .string(message)
                    save(node)
                    wake(at: until)
                    return node
                case .retry: break
                }
            } else {
                return attempt(attempts.count - 1, call, &node)
            }
        }
        return attempt(attempts.count, call, &node)
    }

    /// `lastRetry.*` for an attempt (argo buildRetryStrategyLocalScope).
    private func lastAttempt(_ call: Call, before number: Int) -> [String: String] {
        guard number > 0, let last = node(named: "\(call.nodeName)(\(number - 1))") else {
            return ["lastRetry.exitCode": "0", "lastRetry.status": "", "lastRetry.duration": "0", "lastRetry.message": ""]
        }
        let end = Timestamp(parsing: last.json["finishedAt"].stringValue ?? "")
        let seconds = last.startedAt.flatMap { start in end.map { Int(($0 - start) / .seconds(1)) } } ?? 0
        return [
            "lastRetry.exitCode": last.json["outputs"]["exitCode"].stringValue ?? "-1", "lastRetry.status": last.phase.rawValue,
            "lastRetry.duration": String(seconds), "lastRetry.message": last.message,
        ]
    }

    private mutating func attempt(_ number: Int, _ call: Call, _ parent: inout WorkflowNode) -> WorkflowNode {
        if stopMessage != nil, number > 0, node(named: "\(call.nodeName)(\(number))") == nil {
            end(&parent, .failed, stopMessage ?? "")
            return parent
        }
        var attempt = call
        attempt.nodeName = "\(call.nodeName)(\(number))"
        attempt.displayName = "\(call.displayName)(\(number))"
        attempt.scope = call.scope.adding(lastAttempt(call, before: number)).adding(["retries": String(number), "node.name": attempt.nodeName])
        guard var child = executeOnce(attempt) else { return parent }
        if child.json["nodeFlag"].isNull {
            child.json["nodeFlag"] = ["retried": true]
            save(child)
        }
        link(parent.id, to: child.id)
        if let fresh = nodes[parent.id] { parent = WorkflowNode(fresh) }
        if parent.json.has("message") {
            parent.json.remove("message")
            save(parent)
        }
        // An attempt may have ended at once: decide about the next one now, not at the next change.
        if child.isFulfilled { return executeRetry(call) ?? parent }
        return parent
    }
}

/// Whether a failed attempt is followed by another (argo processNodeRetries).
enum RetryDecision {
    case retry
    case wait(until: Timestamp, message: String)
    case stop(message: String)
    /// The strategy's expression cannot be evaluated.
    case broken(message: String)

    /// - Parameters:
    ///   - attempts: all so far, the last one failed.
    ///   - lastRetry: what the strategy's `expression` may name.
    init(_ strategy: JSON, attempts: [WorkflowNode], lastRetry: [String: String] = [:], now: Timestamp) {
        guard let last = attempts.last else {
            self = .retry
            return
        }
        let expression = strategy["expression"].stringValue ?? ""
        // Where only an expression is given, it alone decides (docs/retries.md).
        let policy = strategy["retryPolicy"].stringValue ?? (expression.isEmpty ? "OnFailure" : "Always")
        let isCovered =
            switch policy {
            case "Always": true
            case "OnError": last.phase == .error
            case "OnTransientError": false
            default: last.phase == .failed
            }
        if !isCovered {
            self = .stop(message: last.message)
            return
        }
        if let limit = strategy["limit"].intValue ?? strategy["limit"].stringValue.flatMap(Int.init), attempts.count > limit {
            self = .stop(message: "No more retries left")
            return
        }
        if !expression.isEmpty {
            do throws(Expression.Problem) {
                guard try Expression.isTrue(expression, lastRetry) else {
                    self = .stop(message: "retryStrategy.expression evaluated to false")
                    return
                }
            } catch {
                self = .broken(message: "retryStrategy.expression: \(error)")
                return
            }
        }
        self = Self.afterBackoff(strategy["backoff"], attempts: attempts, last: last, now: now)
    }

    private static func afterBackoff(_ backoff: JSON, attempts: [WorkflowNode], last: WorkflowNode, now: Timestamp) -> RetryDecision {
        func duration(_ key: String) -> Duration? {
            backoff[key].stringValue.flatMap { text in Int(text).map { .seconds($0) } ?? GoDuration.parse(text) } ?? backoff[key].intValue.map { .seconds($0) }
        }
        guard !backoff.isNull, let base = duration("duration"), let ended = Timestamp(parsing: last.json["finishedAt"].stringValue ?? "") else { return .retry }
        let factor = backoff["factor"].intValue ?? backoff["factor"].stringValue.flatMap(Int.init) ?? 1
        var wait = base
        for _ in 1..<max(attempts.count, 1) where wait < .seconds(86_400) { wait *= max(factor, 1) }
        if let cap = duration("cap") { wait = min(wait, cap) }
        let due = ended + wait
        if let limit = duration("maxDuration"), let first = attempts.first.flatMap({ Timestamp(parsing: $0.json["startedAt"].stringValue ?? "") }) {
            if now > first + limit { return .stop(message: "Max duration limit exceeded") }
            if due > first + limit { return .stop(message: "Backoff would exceed max duration limit") }
        }
        if now >= due { return .retry }
        return .wait(until: due, message: "Backoff for \(GoDuration.text(wait))")
    }
}

import KubeModel
import Testing

@testable import Workflows

@Suite struct NameTests {
    /// Values that the seed's workflow got from a real controller's algorithm: FNV-1a of 32 bits, in decimal.
    @Test func hashesAsArgoDoes() {
        #expect(FNV.hash32("") == 2_166_136_261)
        #expect(FNV.hash32("a") == 0xE40C_292C)
        #expect(FNV.hash32("foobar") == 0xBF9C_F968)
    }

    @Test func namesNodesAndPods() {
        #expect(WorkflowNode.id(workflow: "wf", node: "wf") == "wf")
        #expect(WorkflowNode.id(workflow: "wf", node: "wf.a") == "wf-\(FNV.hash32("wf.a"))")
        #expect(WorkflowNode.podName(workflow: "wf", node: "wf", template: "t") == "wf")
        #expect(WorkflowNode.podName(workflow: "wf", node: "wf.a", template: "t") == "wf-t-\(FNV.hash32("wf.a"))")
    }
}

@Suite struct SubstitutionTests {
    private let scope = Substitution(["inputs.parameters.x": "1", "item": "a", "inputs.parameters.name": "x", "q": "say \"hi\"\nthere"])

    @Test(arguments: [
        ("{{inputs.parameters.x}}", "1"), ("{{ inputs.parameters.x }}!", "1!"), ("a{{item}}b{{item}}", "aaba"),
        ("{{unknown}} stays", "{{unknown}} stays"), ("{{inputs.parameters.{{inputs.parameters.name}}}}", "1"), ("no tags", "no tags"), ("{{open", "{{open"),
    ])
    func replacesTags(text: String, expected: String) { #expect(scope.apply(text) == expected) }

    @Test func aValueStaysData() {
        // Quotes and newlines of a value cannot break out of the string they are put into.
        #expect(scope.apply(["args": ["{{q}}"]]) == ["args": ["say \"hi\"\nthere"]])
    }

    @Test func findsWhatIsUnresolved() {
        #expect(Substitution.firstUnresolved(in: ["a": ["{{inputs.parameters.gone}}"]])?.tag == "inputs.parameters.gone")
        #expect(Substitution.firstUnresolved(in: ["a": "{{pod.ip}} {{tasks.a.outputs.artifacts.b}}"]) == nil)
    }
}

@Suite struct ConditionTests {
    @Test(arguments: [
        ("heads == heads", true), ("tails == heads", false), ("\"a b\" == 'a b'", true), ("1 < 2 && 3 >= 3", true), ("10 > 9", true),
        ("'10' > '9'", false), ("!(a == b)", true), ("a in (a, b)", true), ("c in (a, b)", false), ("a in (a)", true), ("true", true),
        ("true && false || true", true), ("foo =~ '^f'", true), ("foo !~ '^f'", false), ("1 + 2 == 3", true), ("0.5 <= 0.5", true), ("'' == ''", true),
    ])
    func evaluates(text: String, expected: Bool) throws { #expect(try Condition.isTrue(text) == expected) }

    @Test(arguments: ["a", "a ==", "(a == b", "a-b-", "5x == 5x", "'open", "1 && true", "a < 1"])
    func refusesWithAHint(text: String) {
        #expect(throws: Condition.Problem.self) { try Condition.isTrue(text) }
    }
}

@Suite struct DependsTests {
    private func isSatisfied(_ depends: String, _ results: [String: Depends.TaskResult]) throws -> Bool {
        try Depends(["depends": .string(depends)]).isSatisfied({ results[$0] ?? .init() }, continueOn: { _ in .null })
    }

    @Test func understandsResultsAndOperators() throws {
        let good = Depends.TaskResult(succeeded: true)
        let bad = Depends.TaskResult(failed: true)
        let skipped = Depends.TaskResult(skipped: true)
        let omitted = Depends.TaskResult(omitted: true)
        #expect(try isSatisfied("A", ["A": good]))
        #expect(try isSatisfied("A", ["A": skipped]))
        #expect(try !isSatisfied("A", ["A": omitted]))
        #expect(try !isSatisfied("A", ["A": bad]))
        #expect(try isSatisfied("A.Failed || B", ["A": bad, "B": bad]))
        #expect(try isSatisfied("(A.Succeeded || A.Failed) && !B.Errored", ["A": bad, "B": good]))
        #expect(try isSatisfied("a-b.Omitted", ["a-b": omitted]))
        #expect(throws: Depends.Problem.self) { try isSatisfied("A.Nonsense", ["A": good]) }
        #expect(throws: Depends.Problem.self) { try isSatisfied("A &&", ["A": good]) }
    }

    @Test func dependenciesAreAllOfTheDefaultForm() throws {
        let depends = try Depends(["dependencies": ["A", "B"]])
        #expect(depends.tasks == ["A", "B"])
        #expect(try !depends.isSatisfied({ $0 == "A" ? .init(succeeded: true) : .init(failed: true) }, continueOn: { _ in .null }))
        #expect(try depends.isSatisfied({ $0 == "A" ? .init(succeeded: true) : .init(failed: true) }, continueOn: { _ in ["failed": true] }))
    }
}

@Suite struct FanOutTests {
    @Test func namesChildrenAsArgoDoes() throws {
        let items = try #require(try FanOut.items(of: ["withItems": ["a", 1, ["name": "joe", "group": "dev"], [1, 2]]]))
        #expect(items.map(\.description) == ["0:a", "1:1", "2:group:dev,name:joe", "3:[1 2]"])
        #expect(items[2].values["item.name"] == "joe")
        #expect(FanOut.childName("t", items[2]) == "t(2:group:dev,name:joe)")
    }

    @Test func countsSequences() throws {
        func values(_ sequence: JSON) throws -> [String] { try (FanOut.items(of: ["withSequence": sequence]) ?? []).compactMap { $0.values["item"] } }
        #expect(try values(["count": "3"]) == ["0", "1", "2"])
        #expect(try values(["start": 5, "end": "3"]) == ["5", "4", "3"])
        #expect(try values(["count": 2, "format": "n%03d.txt"]) == ["n000.txt", "n001.txt"])
        #expect(try values(["count": 0]) == [])
        #expect(throws: FanOut.Problem.self) { try values([:]) }
    }

    @Test func readsParamLists() throws {
        #expect(try FanOut.items(of: ["withParam": "[\"a\",{\"k\":1}]"])?.map(\.description) == ["0:a", "1:k:1"])
        #expect(throws: FanOut.Problem.self) { try FanOut.items(of: ["withParam": "not json"]) }
        #expect(try FanOut.items(of: ["name": "plain"]) == nil)
    }
}

extension FanOutItem: Equatable {
    public static func == (left: FanOutItem, right: FanOutItem) -> Bool { left.description == right.description && left.values == right.values }
}

@Suite struct RetryTests {
    private func attempt(_ phase: String, finished: String = "2026-01-01T00:00:10Z") -> WorkflowNode {
        WorkflowNode(["phase": .string(phase), "startedAt": "2026-01-01T00:00:00Z", "finishedAt": .string(finished), "message": "broken"])
    }
    private let later = Timestamp(parsing: "2026-01-01T00:00:11Z") ?? Timestamp(seconds: 0)

    private func isStop(_ decision: RetryDecision) -> String? { if case .stop(let message) = decision { message } else { nil } }

    @Test func limitCountsRetries() {
        let strategy: JSON = ["limit": "2"]
        if case .retry = RetryDecision(strategy, attempts: [attempt("Failed"), attempt("Failed")], now: later) {} else { Issue.record("two attempts may be followed by a third") }
        #expect(isStop(RetryDecision(strategy, attempts: [attempt("Failed"), attempt("Failed"), attempt("Failed")], now: later)) == "No more retries left")
    }

    @Test func policyDecidesWhichEndsCount() {
        #expect(isStop(RetryDecision(["limit": 3], attempts: [attempt("Error")], now: later)) == "broken")
        #expect(isStop(RetryDecision(["limit": 3, "retryPolicy": "Always"], attempts: [attempt("Error")], now: later)) == nil)
        #expect(isStop(RetryDecision(["limit": 3, "retryPolicy": "OnError"], attempts: [attempt("Failed")], now: later)) == "broken")
    }

    @Test func backoffGrowsAndIsCapped() {
        let strategy: JSON = ["limit": 9, "backoff": ["duration": "2", "factor": 3, "cap": "10s"]]
        func due(_ count: Int) -> String? {
            guard case .wait(let until, _) = RetryDecision(strategy, attempts: Array(repeating: attempt("Failed"), count: count), now: later) else { return nil }
            return until.description
        }
        #expect(due(1) == "2026-01-01T00:00:12Z")
        #expect(due(2) == "2026-01-01T00:00:16Z")
        #expect(due(3) == "2026-01-01T00:00:20Z")
        let limited: JSON = ["backoff": ["duration": "2", "maxDuration": "5s"]]
        #expect(isStop(RetryDecision(limited, attempts: [attempt("Failed")], now: later)) == "Max duration limit exceeded")
    }
}

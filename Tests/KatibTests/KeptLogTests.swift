import KubeModel
import Testing

@testable import Katib

@Suite struct KeptLogTests {
    private func line(_ text: String) -> TrialLogLine { TrialLogLine(time: "2026-01-01T00:00:00Z", text: text) }

    @Test func aFailedTrialTellsItsLastLinesAndKeepsAll() async throws {
        let lab = try await Lab()
        lab.output = { _ in (1...30).map { "line \($0)" } }
        try await lab.create { $0["spec"]["maxFailedTrialCount"] = 1 }
        try await lab.endJobs("Failed")
        let trial = try #require(lab.client.list(.trials).first { !($0.status["completionTime"].isNull) })
        let failed = trial.status["conditions"].elements.first { $0["type"].stringValue == "Failed" }
        let message = failed?["message"].stringValue ?? ""
        #expect(message.hasPrefix("Trial has failed. Job message: M\nThe last lines of its log:\nline 11\n") && message.hasSuffix("\nline 30"))
        #expect(await lab.archive.logs[trial.uid]?.count == 30)
        try await lab.client.delete(trial.key, uid: trial.uid)
        try await lab.settle()
        #expect(await lab.archive.logs[trial.uid] == nil)
    }

    @Test func aTrialThatSucceedsKeepsItsLogToo() async throws {
        let lab = try await Lab()
        try await lab.create { $0["spec"]["maxTrialCount"] = 3 }
        try await lab.endJobs()
        #expect(await lab.archive.logs.count == 3)
        #expect(await lab.archive.logs.values.allSatisfy { $0 == ["Validation-accuracy=0.5"] })
    }

    @Test func ofALongLogTheEndIsKept() {
        let log = KeptLog()
        let text = String(repeating: "x", count: 1000)
        for index in 0..<10_000 { log.append([line("\(index) \(text)")]) }
        let lines = log.lines
        let bytes = lines.reduce(0) { $0 + $1.text.utf8.count + $1.time.utf8.count + 2 }
        #expect(bytes <= KeptLog.bytesMax && bytes > KeptLog.bytesMax - 2000 && lines.last?.text.hasPrefix("9999 ") == true)
        #expect(log.told.split(separator: "\n").count == 20 && log.told.utf8.count < 20 * 320)
        #expect(KeptLog().told.isEmpty && KeptLog().lines.isEmpty)
    }
}

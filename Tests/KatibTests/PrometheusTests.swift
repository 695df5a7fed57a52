import KubeModel
import Testing

@testable import Katib

@Suite struct PrometheusTextTests {
    private let page = """
        # HELP accuracy of the model
        # TYPE accuracy gauge
        accuracy{split="train",run="a \\"b\\" {c}, d"} 0.9
        accuracy{ split = "val" , run="a" } 0.8 1700000000500
        loss 1.5e-3
        loss{part="head"} 2
        steps{phase="one"} 7
        broken{a="b 1
        9name 3
        nan_metric NaN
        no_value
        """

    @Test func samplesAreReadWithTheirLabelsAndTimes() {
        let samples = PrometheusText.samples(in: page)
        #expect(samples.map(\.name) == ["accuracy", "accuracy", "loss", "loss", "steps", "nan_metric"])
        #expect(samples[0].labels == ["split": "train", "run": #"a "b" {c}, d"#])
        #expect(samples[1].value == "0.8" && samples[1].time?.hasPrefix("2023-11-14T22:13:20.5") == true)
    }

    @Test func aMetricIsASeries() {
        let samples = PrometheusText.samples(in: page)
        #expect(PrometheusText.find(#"accuracy{split="val"}"#, in: samples)?.value == "0.8")
        #expect(PrometheusText.find("accuracy", in: samples) == nil, "two series have the name")
        #expect(PrometheusText.find("loss", in: samples)?.value == "1.5e-3", "the one without labels")
        #expect(PrometheusText.find("steps", in: samples)?.value == "7", "the only one")
        #expect(PrometheusText.find("missing", in: samples) == nil && PrometheusText.find("", in: samples) == nil)
    }

    @Test func aPageOfBracesIsReadInOnePass() {
        let evil = String(repeating: #"a{b="\"#, count: 200_000)
        #expect(PrometheusText.samples(in: evil).isEmpty)
    }
}

@Suite struct PrometheusCollectorTests {
    private func collected(_ pages: [String], problem: String? = nil, _ change: (inout JSON) -> Void = { _ in }) async throws -> (lab: Lab, status: JSON) {
        let lab = try await Lab()
        lab.pages = (pages, problem)
        try await lab.create {
            for key in ["maxTrialCount", "parallelTrialCount", "maxFailedTrialCount"] { $0["spec"][key] = 1 }
            $0["spec"]["objective"]["objectiveMetricName"] = "accuracy"
            $0["spec"]["metricsCollectorSpec"] = ["collector": ["kind": "PrometheusMetric"]]
            change(&$0)
        }
        try await lab.endJobs()
        return (lab, try #require(lab.client.list(.trials).first).status)
    }

    @Test func valuesThatChangeAreKept() async throws {
        let (lab, status) = try await collected(["accuracy 0.5", "accuracy 0.5\nother 1", "accuracy 0.75", "accuracy 0.25"])
        #expect(status["observation"]["metrics"][0] == ["name": "accuracy", "min": "0.25", "max": "0.75", "latest": "0.25"])
        let trial = try #require(lab.client.list(.trials).first)
        let kept = try lab.catalogue.observations(of: .init(namespace: "ns", trial: trial.name, uid: trial.uid))
        #expect(kept.map(\.value) == ["0.5", "0.75", "0.25"])
        #expect(lab.client.get(.experiments, namespace: "ns", name: "e")?.spec["metricsCollectorSpec"]["source"]["httpGet"] == ["path": "/metrics", "port": 8080])
    }

    @Test func filtersReadLinesInstead() async throws {
        let (_, status) = try await collected(["accuracy is 0.5"]) { $0["spec"]["metricsCollectorSpec"]["source"] = ["filter": ["metricsFormat": [#"(\w+) is ([0-9.]+)"#]]] }
        #expect(status["observation"]["metrics"][0]["latest"] == "0.5")
    }

    @Test func aPodThatDoesNotAnswerIsTold() async throws {
        func message(_ status: JSON) -> String { status["conditions"].elements.last?["message"].stringValue ?? "" }
        let silent = try await collected([], problem: "http://10.0.0.1:8080/metrics: connect: connection refused").status
        #expect(message(silent).contains("connection refused"))
        let other = try await collected(["acuracy 1"]).status
        #expect(message(other).contains("no sample accuracy; seen were acuracy=1"), "\(message(other))")
    }
}

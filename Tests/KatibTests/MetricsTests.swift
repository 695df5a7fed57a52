import KubeModel
import Registry
import Testing

@testable import Katib

@Suite struct MetricsParserTests {
    private static let lines: [(String, [String])] = [
        ("Epoch[0] Validation-accuracy=0.934819", ["Validation-accuracy=0.934819"]),
        ("loss = 1.5e-3, Train-accuracy=+0.5", ["loss=1.5e-3", "Train-accuracy=+0.5"]), ("loss=nan", ["loss=nan"]), ("loss=-inf;", ["loss=-inf"]),
        ("{loss=0.3}", ["loss=0.3"]), ("loss=.5", ["loss=.5"]), ("loss=abc, other=1", ["loss=abc"]), ("xloss=1", []), ("loss", []), ("=1", []),
        ("loss==2", ["loss==2"]), ("val.loss=3", ["loss=3"]), ("loss=0.95% done", ["loss=0.95"]), ("", []), ("loss=", []),
    ]

    @Test(arguments: lines)
    func findsNamesAndValues(line: String, expected: [String]) throws {
        let parser = try MetricsParser(names: ["loss", "Validation-accuracy", "Train-accuracy"])
        #expect(parser.matches(in: line).map { "\($0.name)=\($0.value)" } == expected)
    }

    @Test func ownFiltersHaveAGroupForNameAndValue() throws {
        let parser = try MetricsParser(names: ["acc"], filters: [#"(\w+): ([0-9.]+)"#])
        #expect(parser.matches(in: "acc: 0.5 loss: 2").map(\.value) == ["0.5"])
        #expect(throws: (any Error).self) { try MetricsParser(names: ["x"], filters: ["("]) }
    }

    @Test func severalFiltersAndUpstreamsExamplesOfThem() throws {
        let parser = try MetricsParser(names: ["accuracy", "loss"], filters: [#"{metricName: ([\w|-]+), metricValue: ((-?\d+)(\.\d+)?)}"#, #"(\w+) is ([\d.]+)"#])
        #expect(parser.matches(in: "{metricName: accuracy, metricValue: 0.98};{metricName: loss, metricValue: -1}").map(\.value) == ["0.98", "-1"])
        #expect(parser.matches(in: "loss is 0.5").map(\.value) == ["0.5"])
    }

    @Test func anEvilFilterTakesBoundedTime() throws {
        let parser = try MetricsParser(names: ["a"], filters: [#"(a)(a+)+$"#])
        #expect(parser.matches(in: String(repeating: "a", count: 2000) + "!").isEmpty)
    }

    @Test func jsonLinesHaveAMemberForEachMetric() throws {
        let parser = try MetricsParser(names: ["accuracy", "loss"], format: .json)
        let line = #"{"timestamp": 1638422847.28721, "accuracy": "0.75", "loss": 0.5, "epoch": "1"}"#
        #expect(parser.matches(in: line).map { "\($0.name)=\($0.value)" } == ["accuracy=0.75", "loss=0.5"])
        #expect(parser.matches(in: line).first?.time?.hasPrefix("2021-12-02T05:27:27.2872") == true)
        #expect(parser.matches(in: #"{"timestamp": "2021-12-02T14:27:51Z", "loss": "1"}"#).first?.time == "2021-12-02T14:27:51Z")
        #expect(parser.matches(in: "not json").isEmpty && parser.matches(in: "[1]").isEmpty && parser.matches(in: #"{"loss": [1]}"#).isEmpty)
    }

    @Test func aLineOfTenMegabytesIsReadInOnePass() throws {
        let parser = try MetricsParser(names: ["loss"])
        let line = String(repeating: "=", count: 10 << 20) + "loss=1"
        #expect(parser.matches(in: line).last?.value == "1")
    }
}

@Suite struct CollectorTests {
    private func collected(_ collector: JSON, _ lines: [String], problem: String? = nil) async throws -> JSON {
        let lab = try await Lab()
        lab.output = { _ in ["Validation-accuracy=0.1"] }
        lab.file = { _ in (lines, problem) }
        try await lab.create {
            for key in ["maxTrialCount", "parallelTrialCount", "maxFailedTrialCount"] { $0["spec"][key] = 1 }
            $0["spec"]["metricsCollectorSpec"] = collector
        }
        try await lab.endJobs()
        return try #require(lab.client.list(.trials).first).status
    }

    @Test func aFileIsReadInBothFormats() async throws {
        let text = try await collected(["collector": ["kind": "File"]], ["Validation-accuracy=0.5", "Validation-accuracy=0.4"])
        #expect(text["observation"]["metrics"][0] == ["name": "Validation-accuracy", "min": "0.4", "max": "0.5", "latest": "0.4"])
        let json: JSON = ["collector": ["kind": "File"], "source": ["fileSystemPath": ["path": "/k/m.json", "kind": "File", "format": "JSON"]]]
        let status = try await collected(json, [#"{"Validation-accuracy": "0.7"}"#, "garbage"])
        #expect(status["observation"]["metrics"][0]["latest"] == "0.7")
    }

    @Test func aFileThatCannotBeReadIsTold() async throws {
        let status = try await collected(["collector": ["kind": "File"]], [], problem: "/var/log/katib/metrics.log: it is a FIFO")
        let condition = status["conditions"].elements.last
        #expect(condition?["type"] == "MetricsUnavailable" && condition?["message"].stringValue?.contains("it is a FIFO") == true)
        let other = try await collected(["collector": ["kind": "File"]], ["Validation_accuracy=0.7"])
        #expect(other["conditions"].elements.last?["message"].stringValue?.contains("seen were Validation_accuracy=0.7") == true)
    }

    @Test func pushWithoutAReportLacksMetrics() async throws {
        for kind: JSON in ["Push", "None"] {
            let status = try await collected(["collector": ["kind": kind]], [])
            #expect(status["conditions"].elements.last?["type"] == "MetricsUnavailable")
        }
    }

    @Test func theVolumeOfAMetricsFileIsMountedAndKept() async throws {
        let lab = try await Lab()
        try await lab.create {
            $0["spec"]["metricsCollectorSpec"] = ["collector": ["kind": "File"], "source": ["fileSystemPath": ["path": "/katib//mnist.log", "kind": "File"]]]
        }
        let job = try #require(lab.client.list(.jobs).first)
        let pod = try await lab.client.create([
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p", "namespace": "ns", "ownerReferences": [Owners.reference(to: job)]],
            "spec": ["containers": [["name": "training-container", "image": "x"], ["name": "side", "image": "x"]]],
        ])
        #expect(pod.spec["containers"][0]["volumeMounts"][0]["mountPath"] == "/katib")
        #expect(pod.spec["containers"][1]["volumeMounts"].elements.allSatisfy { $0["name"] != "metrics-volume" })
        #expect(pod.annotations["kindling.dev/kept-volume"] == "metrics-volume,kindling-output")
        #expect(pod.spec["volumes"].elements.contains { $0["name"] == "metrics-volume" && !$0["emptyDir"].isNull })
    }

    private static let bad: [(JSON, String)] = [
        (["collector": ["kind": "File"], "source": ["fileSystemPath": ["path": "m.log", "kind": "File"]]], "file path where metrics file exists is required"),
        (["collector": ["kind": "File"], "source": ["fileSystemPath": ["path": "/k/../m.log", "kind": "File"]]], "file path where metrics file exists is required"),
        (["collector": ["kind": "File"], "source": ["fileSystemPath": ["path": "/m.log", "kind": "File"]]], "in a directory below /"),
        (
            ["collector": ["kind": "File"], "source": ["fileSystemPath": ["path": "/k/m", "format": "JSON"], "filter": ["metricsFormat": ["(a)=(b)"]]]],
            "filter must be nil when format of metrics file is json"
        ),
        (["collector": ["kind": "TensorFlowEvent"], "source": ["fileSystemPath": ["path": "/k", "kind": "File"]]], "directory path where tensorflow event files exist"),
        (["collector": ["kind": "Custom"]], "metrics collector kind: Custom is required"),
        (
            ["collector": ["kind": "PrometheusMetric"], "source": ["httpGet": ["port": -3]]],
            "must be a positive integer value for metrics collector kind: PrometheusMetric"
        ),
        (["collector": ["kind": "PrometheusMetric"], "source": ["httpGet": ["path": "m", "port": 80]]], "path is invalid for metrics collector kind: PrometheusMetric"),
        (["collector": ["kind": "PrometheusMetric"], "source": ["httpGet": ["path": "/m\r\nX: y", "port": 80]]], "path is invalid for metrics collector kind"),
        (["collector": ["kind": "PrometheusMetric"], "source": ["httpGet": ["host": "10.0.0.1"]]], "must be empty: the trial's own pod is asked"),
        (["collector": ["kind": "PrometheusMetric"], "source": ["httpGet": ["httpHeaders": [["name": "X", "value": "a\nb"]]]]], "a value without line ends"),
        (["source": ["filter": ["metricsFormat": ["("]]]], "invalid filter: error parsing regexp: missing closing )"),
        (["source": ["filter": ["metricsFormat": ["((a)b)"]]]], "two top subexpressions are required"),
    ]

    @Test(arguments: bad) func badCollectorsAreRefusedWithUpstreamsWords(collector: JSON, expected: String) async throws {
        let lab = try await Lab()
        do {
            try await lab.create { $0["spec"]["metricsCollectorSpec"] = collector }
            Issue.record("accepted")
        } catch { #expect("\(error)".contains(expected)) }
    }
}

@Suite struct MetricSummaryTests {
    @Test func whatIsNoNumberIsTheLatestButNeverTheBest() {
        var summary = MetricSummary()
        for value in ["0.5", "nan", "inf", "0.7", "oops"] { summary.add("m", value) }
        let metric = summary.observation(of: ["m", "gone"])["metrics"]
        #expect(metric[0] == ["name": "m", "min": "0.5", "max": "0.7", "latest": "oops"])
        #expect(metric[1] == ["name": "gone", "min": "unavailable", "max": "unavailable", "latest": "unavailable"])
    }

    @Test func theObjectiveTakesTheValueOfItsStrategy() {
        let observation: JSON = ["metrics": [["name": "m", "min": "0.1", "max": "0.9", "latest": "0.5"]]]
        func value(_ strategy: String) -> Double? {
            Objective(["type": "maximize", "goal": 0.8, "objectiveMetricName": "m", "metricStrategies": [["name": "m", "value": .string(strategy)]]]).value(in: observation)
        }
        #expect(value("max") == 0.9)
        #expect(value("min") == 0.1)
        #expect(value("latest") == 0.5)
        let broken: JSON = ["metrics": [["name": "m", "min": "unavailable", "max": "unavailable", "latest": "nan"]]]
        #expect(Objective(["type": "maximize", "objectiveMetricName": "m"]).value(in: broken) == nil)
    }
}

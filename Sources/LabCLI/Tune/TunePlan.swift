import Katib
import KubeModel

/// What `lab tune` makes of its arguments: an Experiment and the ConfigMap with its code.
struct TunePlan: Sendable {
    var name: String
    var code: ScriptFiles
    var options: [TunedOption]
    var image: String
    var metric: String
    var isMaximized = true
    var goal: Double?
    var additional: [String] = []
    var algorithm = "random"
    var trials = 20
    var parallel = 2
    /// Requests and limits of each trial, such as `cpu: "2"`.
    var resources: [(name: String, quantity: String)] = []

    /// The ConfigMap with the trials that the search begins with.
    var history: JSON?
    /// What the trials read.
    var data: DataDirectory?
    /// The code where no ConfigMap has room for it.
    var claim: CodeClaim?
    /// Further metrics that are aims, each large or small.
    var aims: [ObjectiveView.Aim] = []

    /// Where a trial finds its code.
    static let directory = "/opt/tune"

    var configMapName: String { "\(name)-code" }
    var configMap: JSON { code.configMap(name: configMapName) }
    /// What the Experiment needs.
    var companions: [JSON] {
        [claim?.claim ?? configMap] + (history.map { [$0] } ?? []) + (data?.objects(name: dataName) ?? [])
    }
    /// All, in an order in which they can be applied.
    var objects: [JSON] { companions + (claim?.preparation ?? []) + [experiment] }
    private var dataName: String { "\(name)-data" }

    var experiment: JSON {
        var objective: JSON = ["type": isMaximized ? "maximize" : "minimize", "objectiveMetricName": .string(metric)]
        if let goal { objective["goal"] = .double(goal) }
        let others = aims.map(\.metric) + additional
        if !others.isEmpty { objective["additionalMetricNames"] = .array(others.map(JSON.string)) }
        if !aims.isEmpty {
            // Which way is better is said of each: by default all would follow the objective.
            let all = [ObjectiveView.Aim(metric: metric, isMaximized: isMaximized)] + aims
            objective["metricStrategies"] = .array(all.map { ["name": .string($0.metric), "value": $0.isMaximized ? "max" : "min"] })
        }
        let tuned = options.filter(\.isTuned)
        var metadata: JSON = ["name": .string(name)]
        if let history { metadata["annotations"][TrialHistory.annotation] = history["metadata"]["name"] }
        if !aims.isEmpty { metadata["annotations"][ObjectiveView.aimsAnnotation] = .string(aims.map(\.metric).joined(separator: ",")) }
        return [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": metadata,
            "spec": [
                "objective": objective, "algorithm": ["algorithmName": .string(algorithm)],
                "maxTrialCount": .int(Int64(trials)), "parallelTrialCount": .int(Int64(parallel)),
                "maxFailedTrialCount": .int(Int64(min(trials, max(3, trials / 4)))),
                // Costs nothing here while nothing runs, and lets more trials be added later.
                "resumePolicy": "LongRunning",
                "parameters": .array(tuned.compactMap(\.parameter)),
                "trialTemplate": [
                    "primaryContainerName": "training",
                    "trialParameters": .array(tuned.map { ["name": .string($0.name), "reference": .string($0.name)] }),
                    "trialSpec": job,
                ],
            ],
        ]
    }

    private var job: JSON {
        let command = ["python3", "-u", "\(Self.directory)/\(code.script)"] + options.flatMap(\.words)
        var container: JSON = [
            "name": "training", "image": .string(image), "command": .array(command.map(JSON.string)),
            "volumeMounts": .array(mounts),
            "env": .array(variables),
        ]
        if !resources.isEmpty {
            let quantities = JSON(strings: resources.map { (key: $0.name, value: $0.quantity) })
            container["resources"] = ["limits": quantities]
        }
        return [
            "apiVersion": "batch/v1", "kind": "Job",
            "spec": [
                "backoffLimit": 0,
                "template": [
                    "spec": [
                        "restartPolicy": "Never", "containers": [container], "volumes": .array(volumes),
                    ]
                ],
            ],
        ]
    }

    /// Where a trial leaves files that are kept of the best ones; on a cluster it is there too, and goes with the pod.
    private static let output = (variable: "KINDLING_OUTPUT", volume: "output", path: "/opt/output")

    private var mounts: [JSON] {
        var mounts: [JSON] = [
            ["name": "code", "mountPath": .string(Self.directory), "readOnly": true],
            ["name": .string(Self.output.volume), "mountPath": .string(Self.output.path)],
        ]
        if let data { mounts.append(["name": "data", "mountPath": .string(data.mountPath), "readOnly": true]) }
        return mounts
    }

    private var variables: [JSON] {
        var variables: [JSON] = [["name": .string(Self.output.variable), "value": .string(Self.output.path)]]
        if let data { variables.append(["name": .string(DataDirectory.variable), "value": .string(data.mountPath)]) }
        return variables
    }

    private var volumes: [JSON] {
        let claimed: JSON = ["name": "code", "persistentVolumeClaim": ["claimName": .string(configMapName), "readOnly": true]]
        var volumes: [JSON] = [
            claim == nil ? code.volume(configMap: configMapName) : claimed, ["name": .string(Self.output.volume), "emptyDir": [:]],
        ]
        if data != nil { volumes.append(["name": "data", "persistentVolumeClaim": ["claimName": .string(dataName), "readOnly": true]]) }
        return volumes
    }

    /// A name for an experiment with a script: its own, as a DNS label, and five random letters.
    static func name(for script: String, random: some Sequence<UInt8>) -> String {
        let stem = script.split(separator: "/").last.map { $0.hasSuffix(".py") ? $0.dropLast(3) : $0 } ?? ""
        let label = stem.lowercased().unicodeScalars.map { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0)) ? Character($0) : "-" }
        let trimmed = String(String(label).drop { $0 == "-" || $0.isNumber }.prefix(32)).split(separator: "-").joined(separator: "-")
        return "\(trimmed.isEmpty ? "tune" : trimmed)-\(ending(random))"
    }

    /// Five letters that make no word.
    static func ending(_ random: some Sequence<UInt8>) -> String {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789".utf8)
        return String(decoding: random.prefix(5).map { letters[Int($0) % letters.count] }, as: UTF8.self)
    }
}

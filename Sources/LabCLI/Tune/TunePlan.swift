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

    /// Where a trial finds its code.
    static let directory = "/opt/tune"

    var configMapName: String { "\(name)-code" }
    var configMap: JSON { code.configMap(name: configMapName) }

    var experiment: JSON {
        var objective: JSON = ["type": isMaximized ? "maximize" : "minimize", "objectiveMetricName": .string(metric)]
        if let goal { objective["goal"] = .double(goal) }
        if !additional.isEmpty { objective["additionalMetricNames"] = .array(additional.map(JSON.string)) }
        let tuned = options.filter(\.isTuned)
        return [
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": ["name": .string(name)],
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
            "volumeMounts": [["name": "code", "mountPath": .string(Self.directory), "readOnly": true]],
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
                        "restartPolicy": "Never", "containers": [container], "volumes": [code.volume(configMap: configMapName)],
                    ]
                ],
            ],
        ]
    }

    /// A name for an experiment with a script: its own, as a DNS label, and five random letters.
    static func name(for script: String, random: some Sequence<UInt8>) -> String {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789".utf8)
        let stem = script.split(separator: "/").last.map { $0.hasSuffix(".py") ? $0.dropLast(3) : $0 } ?? ""
        let label = stem.lowercased().unicodeScalars.map { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0)) ? Character($0) : "-" }
        let trimmed = String(String(label).drop { $0 == "-" || $0.isNumber }.prefix(32)).split(separator: "-").joined(separator: "-")
        let ending = random.prefix(5).map { letters[Int($0) % letters.count] }
        return "\(trimmed.isEmpty ? "tune" : trimmed)-\(String(decoding: ending, as: UTF8.self))"
    }
}

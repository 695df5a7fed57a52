import KubeModel

/// A pod in which a person finds what a trial found: its image, environment, volumes and limits. It does nothing by itself.
struct DebugPod {
    /// In the shell's environment: the words that the trial runs, for `eval`.
    static let commandVariable = "TRIAL_COMMAND"
    /// A forgotten one ends by itself.
    private static let secondsMax = 86_400

    let object: JSON
    let container: String
    /// What the trial runs, as one would write it in a shell; empty where the image says it.
    let command: String

    /// - Throws: `CommandError` where the trial's kind has no pod with its primary container in it.
    init(trial: JSON, name: String) throws(CommandError) {
        let primary = trial["spec"]["primaryContainerName"].stringValue ?? ""
        guard let found = Self.podSpec(in: trial["spec"]["runSpec"], with: primary) else {
            throw CommandError("a \(trial["spec"]["runSpec"]["kind"].stringValue ?? "run") has no pod with a container '\(primary)' in its text")
        }
        var spec = found
        guard var container = spec["containers"].elements.first(where: { $0["name"].stringValue == primary }) else {
            throw CommandError("the trial has no container '\(primary)'")
        }
        let words = (container["command"].elements + container["args"].elements).compactMap(\.stringValue)
        command = words.map(Shell.word).joined(separator: " ")
        self.container = primary
        container["command"] = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]
        for key in ["args", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] { container.remove(key) }
        let set = container["env"].elements.filter { ![Self.commandVariable, "KATIB_TRIAL_NAME"].contains($0["name"].stringValue ?? "") }
        container["env"] = .array(
            set + [
                ["name": "KATIB_TRIAL_NAME", "value": trial["metadata"]["name"]],
                // A reference within it is the shell's to resolve, not Kubernetes'.
                ["name": .string(Self.commandVariable), "value": .string(command.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$"))],
            ])
        if !set.contains(where: { $0["name"].stringValue == Self.output.variable }) { Self.addOutput(to: &spec, &container) }
        spec["containers"] = [container]
        spec["restartPolicy"] = "Never"
        spec["activeDeadlineSeconds"] = JSON(Self.secondsMax)
        spec["terminationGracePeriodSeconds"] = 1
        object = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": trial["metadata"]["namespace"],
                "ownerReferences": [
                    [
                        "apiVersion": trial["apiVersion"].isNull ? "kubeflow.org/v1beta1" : trial["apiVersion"], "kind": "Trial",
                        "name": trial["metadata"]["name"], "uid": trial["metadata"]["uid"],
                    ]
                ],
            ], "spec": spec,
        ]
    }

    /// What the lab gives every trial (TrialOutputs), and what only a trial's pod gets from it.
    private static let output = (variable: "KINDLING_OUTPUT", volume: "kindling-output", path: "/opt/output")

    private static func addOutput(to spec: inout JSON, _ container: inout JSON) {
        container["env"] = .array(container["env"].elements + [["name": .string(output.variable), "value": .string(output.path)]])
        let mount: JSON = ["name": .string(output.volume), "mountPath": .string(output.path)]
        container["volumeMounts"] = .array(container["volumeMounts"].elements + [mount])
        spec["volumes"] = .array(spec["volumes"].elements + [["name": .string(output.volume), "emptyDir": [:]]])
    }

    /// The first pod specification of an object, wherever it stands, that has a container of that name.
    static func podSpec(in object: JSON, with container: String) -> JSON? {
        ExportCheck.podSpecs(object).first { $0["containers"].elements.contains { $0["name"].stringValue == container } }
    }
}

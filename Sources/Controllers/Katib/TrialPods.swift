import Catalogue
import KubeModel
import Registry

/// What makes a pod a trial's pod (katib pkg/webhook/v1beta1/pod/inject_webhook.go).
enum TrialPods {
    /// Owners further away than this are not looked for.
    private static let depth = 5
    /// Upstream's name for the volume that a metrics file is written to.
    static let volume = "metrics-volume"

    /// Gives a pod that a Trial (through its Job or whatever it runs) owns Katib's labels and environment, says which
    /// container's output has the metrics, and gives a metrics file a volume where the node can see it.
    static func mark(_ pod: inout JSON, _ catalogue: Catalogue) {
        guard let trial = trial(owning: pod, catalogue) else { return }
        for (key, value) in trial.labels { pod["metadata"]["labels"][key] = .string(value) }
        pod["metadata"]["labels"][KatibLabel.trial] = .string(trial.name)
        guard let primary = trial.spec["primaryContainerName"].stringValue else { return }
        changeContainer(primary, of: &pod) { container in
            let others = container["env"].elements.filter { $0["name"].stringValue != "KATIB_TRIAL_NAME" }
            container["env"] = .array(others + [["name": "KATIB_TRIAL_NAME", "value": .string(trial.name)]])
        }
        let wanted = trial.spec["primaryPodLabels"].stringMap
        let labels = pod["metadata"]["labels"].stringMap
        guard wanted.allSatisfy({ labels[$0.key] == $0.value }) else { return }
        pod["metadata"]["annotations"][KatibLabel.primaryContainer] = .string(primary)
        addCheckpoints(&pod, trial, primary, catalogue)
        let collector = MetricsSource(trial.spec["metricsCollector"])
        if collector == .standardOutput || collector.directory != nil { addCollector(&pod, primary) }
        if case .custom = collector { addCustomCollector(&pod, trial.spec["metricsCollector"]["collector"]["customCollector"]) }
        if let directory = collector.directory {
            let containers = [primary] + [trial.spec["metricsCollector"]["collector"]["customCollector"]["name"].stringValue].compactMap { $0 }
            addVolume(&pod, directory, containers)
        }
        addOutput(&pod, primary)
    }

    private static func changeContainer(_ name: String, of pod: inout JSON, _ change: (inout JSON) -> Void) {
        let containers = pod["spec"]["containers"].elements.map { container in
            guard container["name"].stringValue == name else { return container }
            var container = container
            change(&container)
            return container
        }
        pod["spec"]["containers"] = .array(containers)
    }

    private static func addOutput(_ pod: inout JSON, _ primary: String) {
        guard var container = pod["spec"]["containers"].elements.first(where: { $0["name"].stringValue == primary }) else { return }
        TrialOutputs.add(to: &pod, &container)
        let changed = container
        changeContainer(primary, of: &pod) { $0 = changed }
    }

    /// Metrics are collected by the daemon, so there is no sidecar as upstream's; but tools ask for its log by name, and
    /// kubectl refuses a name that the pod does not list. An ephemeral container is listed, and counts nowhere else.
    private static func addCollector(_ pod: inout JSON, _ primary: String) {
        let name: JSON = "metrics-logger-and-collector"
        let others = pod["spec"]["ephemeralContainers"].elements.filter { $0["name"] != name }
        pod["spec"]["ephemeralContainers"] = .array(
            others + [["name": name, "image": .string(EphemeralContainers.builtinCollector), "targetContainerName": .string(primary)]])
    }

    /// A collector of the user's own is one more container of the pod, as it was written.
    private static func addCustomCollector(_ pod: inout JSON, _ collector: JSON) {
        guard let name = collector["name"].stringValue else { return }
        let others = pod["spec"]["containers"].elements.filter { $0["name"].stringValue != name }
        pod["spec"]["containers"] = .array(others + [collector])
    }

    /// A container that has a volume of its own there keeps it. The node leaves this volume in place until the pod's object
    /// goes, so that the last values can be read after the pod's end, whenever that is.
    private static func addVolume(_ pod: inout JSON, _ directory: String, _ containers: [String]) {
        let kept = (pod["metadata"]["annotations"][KatibLabel.keptVolumes].stringValue ?? "").split(separator: ",").map(String.init)
        if !kept.contains(volume) { pod["metadata"]["annotations"][KatibLabel.keptVolumes] = .string((kept + [volume]).joined(separator: ",")) }
        let others = pod["spec"]["volumes"].elements.filter { $0["name"].stringValue != volume }
        pod["spec"]["volumes"] = .array(others + [["name": .string(volume), "emptyDir": [:]]])
        for name in containers {
            changeContainer(name, of: &pod) { container in
                let mounts = container["volumeMounts"].elements.filter { $0["name"].stringValue != volume }
                if mounts.contains(where: { MetricsSource.normal($0["mountPath"].stringValue ?? "") == directory }) { return }
                container["volumeMounts"] = .array(mounts + [["name": .string(volume), "mountPath": .string(directory)]])
            }
        }
    }

    /// Gives a trial of pbt its directory on the Suggestion's volume (upstream: `mutateSuggestionVolume`). What its parent has
    /// left there is copied into it once, before the trial's first container starts. Upstream's service does that.
    private static func addCheckpoints(_ pod: inout JSON, _ trial: StoredObject, _ primary: String, _ catalogue: Catalogue) {
        let key = ObjectKey(.suggestions, namespace: trial.namespace, name: TrialCopy.experiment(of: trial))
        guard let suggestion = catalogue.get(key), let directory = Suggestions.trialDirectory(suggestion) else { return }
        let name = "suggestion-volume"
        guard !pod["spec"]["volumes"].elements.contains(where: { $0["name"].stringValue == name }) else { return }
        let claim: JSON = ["claimName": .string(Suggestions.serviceName(suggestion))]
        pod["spec"]["volumes"] = .array(pod["spec"]["volumes"].elements + [["name": .string(name), "persistentVolumeClaim": claim]])
        let folder = "\(suggestion.name)/\(trial.name)"
        changeContainer(primary, of: &pod) { container in
            let mount: JSON = ["name": .string(name), "mountPath": .string(directory), "subPath": .string(folder)]
            container["volumeMounts"] = .array(container["volumeMounts"].elements + [mount])
        }
        let parent = trial.labels[PopulationBased.parentLabel].map { "\(suggestion.name)/\($0)" } ?? ""
        let copy: JSON = [
            "name": "checkpoint", "image": "busybox",
            "command": ["sh", "-ec", .string(copyScript), "sh", .string("/volume/\(folder)"), .string(parent.isEmpty ? "" : "/volume/\(parent)")],
            "volumeMounts": [["name": .string(name), "mountPath": "/volume"]],
        ]
        pod["spec"]["initContainers"] = .array([copy] + pod["spec"]["initContainers"].elements)
    }

    /// A copy that was cut off is begun again; one that is whole is never repeated.
    private static let copyScript = """
        [ ! -e "$1" ] || exit 0
        rm -rf "$1.new"
        mkdir -p "$1.new"
        [ -z "$2" ] || [ ! -d "$2" ] || cp -a "$2/." "$1.new/"
        chmod 0777 "$1.new"
        mv "$1.new" "$1"
        """

    static func trial(owning pod: JSON, _ catalogue: Catalogue) -> StoredObject? {
        var owners = pod["metadata"]["ownerReferences"].elements
        for _ in 0..<depth {
            guard let uid = owners.first(where: { $0["controller"].boolValue == true })?["uid"].stringValue,
                let owner = catalogue.object(uid: uid)
            else { return nil }
            if owner.key.resource == .trials { return owner }
            owners = owner.metadata["ownerReferences"].elements
        }
        return nil
    }
}

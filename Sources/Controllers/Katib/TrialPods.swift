import Catalogue
import KubeModel

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
        let collector = MetricsSource(trial.spec["metricsCollector"])
        if collector == .standardOutput || collector.directory != nil { addCollector(&pod, primary) }
        guard let directory = collector.directory else { return }
        let containers = [primary] + [trial.spec["metricsCollector"]["collector"]["customCollector"]["name"].stringValue].compactMap { $0 }
        addVolume(&pod, directory, containers)
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

    /// Metrics are collected by the daemon, so there is no sidecar as upstream's; but tools ask for its log by name, and
    /// kubectl refuses a name that the pod does not list. An ephemeral container is listed, and counts nowhere else.
    private static func addCollector(_ pod: inout JSON, _ primary: String) {
        let name: JSON = "metrics-logger-and-collector"
        let others = pod["spec"]["ephemeralContainers"].elements.filter { $0["name"] != name }
        pod["spec"]["ephemeralContainers"] = .array(
            others + [["name": name, "image": "kindling.dev/metrics-collector:builtin", "targetContainerName": .string(primary)]])
    }

    /// A container that has a volume of its own there keeps it. The node leaves this volume in place until the pod's object
    /// goes, so that the last values can be read after the pod's end, whenever that is.
    private static func addVolume(_ pod: inout JSON, _ directory: String, _ containers: [String]) {
        pod["metadata"]["annotations"][KatibLabel.keptVolume] = .string(volume)
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

    private static func trial(owning pod: JSON, _ catalogue: Catalogue) -> StoredObject? {
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

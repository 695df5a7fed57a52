import Catalogue
import KubeModel
import Registry

/// Files that a trial writes below `$KINDLING_OUTPUT`: they outlive its pod where the trial is among the best of its Experiment.
enum TrialOutputs {
    static let variable = "KINDLING_OUTPUT"
    static let volume = "kindling-output"
    /// Where the directory is unless the template says otherwise.
    static let path = "/opt/output"
    /// On an Experiment: of how many trials the outputs are kept.
    static let countAnnotation = "kindling.dev/keep-outputs"
    static let defaultCount = 5

    /// Gives the primary container its directory, unless the template has one. The node keeps it until the pod's object goes.
    static func add(to pod: inout JSON, _ container: inout JSON) {
        let own = container["env"].elements.first { $0["name"].stringValue == variable }
        guard own == nil else {
            if let name = Self.name(in: pod["spec"], container) { keep(name, &pod) }
            return
        }
        container["env"] = .array(container["env"].elements + [["name": .string(variable), "value": .string(path)]])
        let mounts = container["volumeMounts"].elements.filter { $0["name"].stringValue != volume }
        container["volumeMounts"] = .array(mounts + [["name": .string(volume), "mountPath": .string(path)]])
        let volumes = pod["spec"]["volumes"].elements.filter { $0["name"].stringValue != volume }
        pod["spec"]["volumes"] = .array(volumes + [["name": .string(volume), "emptyDir": [:]]])
        keep(volume, &pod)
    }

    private static func keep(_ name: String, _ pod: inout JSON) {
        let kept = (pod["metadata"]["annotations"][KatibLabel.keptVolumes].stringValue ?? "").split(separator: ",").map(String.init)
        if !kept.contains(name) { pod["metadata"]["annotations"][KatibLabel.keptVolumes] = .string((kept + [name]).joined(separator: ",")) }
    }

    /// The emptyDir on disk that is mounted where the variable points to; `nil` where another volume is, or none.
    static func name(in spec: JSON, _ container: JSON) -> String? {
        guard let path = container["env"].elements.first(where: { $0["name"].stringValue == variable })?["value"].stringValue else { return nil }
        let mount = container["volumeMounts"].elements.first {
            MetricsSource.normal($0["mountPath"].stringValue ?? "") == MetricsSource.normal(path) && $0["subPath"].isNull && $0["subPathExpr"].isNull
        }
        guard let name = mount?["name"] else { return nil }
        let volume = spec["volumes"].elements.first { $0["name"] == name } ?? .null
        return volume["emptyDir"].isNull || volume["emptyDir"]["medium"].stringValue == "Memory" ? nil : name.stringValue
    }

    /// The trials of an Experiment whose outputs are not kept any longer: all but the best.
    static func losers(_ experiment: StoredObject, _ trials: [StoredObject]) -> [StoredObject] {
        let count = experiment.annotations[countAnnotation].flatMap { Int($0) } ?? defaultCount
        let objective = Objective(experiment.spec["objective"])
        var scored: [(trial: StoredObject, value: Double)] = []
        var losers: [StoredObject] = []
        for trial in trials where Trials.isCompleted(trial) {
            if !Trials.has(trial, "Failed"), let value = objective.value(in: trial.status["observation"]) { scored.append((trial, value)) } else { losers.append(trial) }
        }
        scored.sort { objective.isBetter($0.value, than: $1.value) }
        return losers + scored.dropFirst(max(0, count)).map(\.trial)
    }
}

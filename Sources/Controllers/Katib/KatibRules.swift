public import Catalogue
import KubeModel
public import Registry

/// Katib's admission: defaults and validation of Experiments (katib pkg/apis/controller/experiments/v1beta1/
/// experiment_defaults.go, pkg/webhook/v1beta1/experiment) and what it adds to the pods of trials (pkg/webhook/v1beta1/pod).
public enum KatibRules {
    static let defaultParallelTrialCount = 3
    private static let job = (
        success: #"status.conditions.#(type=="Complete")#|#(status=="True")#"#, failure: #"status.conditions.#(type=="Failed")#|#(status=="True")#"#
    )
    private static let training = #"status.conditions.#(type=="Succeeded")#|#(status=="True")#"#
    private static let trainingKinds: Set<String> = ["TFJob", "PyTorchJob", "MPIJob", "XGBoostJob", "MXJob", "PaddleJob", "JAXJob"]

    public static let all: [GroupResource: KindRules] = [
        .experiments: KindRules(
            applyDefaults: { object, _, _ in applyDefaults(&object) },
            validate: { object, old, context in ExperimentValidator(object, old, context.catalogue).causes() }),
        .pods: KindRules(applyDefaults: { pod, old, context in if old == nil { TrialPods.mark(&pod, context.catalogue) } }),
    ]

    static func applyDefaults(_ experiment: inout JSON) {
        if experiment["spec"]["parallelTrialCount"].isNull { experiment["spec"]["parallelTrialCount"] = JSON(defaultParallelTrialCount) }
        if (experiment["spec"]["resumePolicy"].stringValue ?? "").isEmpty { experiment["spec"]["resumePolicy"] = "Never" }
        if !experiment["spec"]["objective"].isNull { setStrategies(&experiment["spec"]["objective"]) }
        if !experiment["spec"]["trialTemplate"]["trialSpec"].isNull { setConditions(&experiment["spec"]["trialTemplate"]) }
        setCollector(&experiment["spec"])
        let parameters = experiment["spec"]["parameters"].elements.map { parameter in
            var parameter = parameter
            if !parameter["feasibleSpace"].isNull, (parameter["feasibleSpace"]["distribution"].stringValue ?? "").isEmpty {
                parameter["feasibleSpace"]["distribution"] = "uniform"
            }
            return parameter
        }
        if !parameters.isEmpty { experiment["spec"]["parameters"] = .array(parameters) }
    }

    /// Each metric is judged by its best value unless the user says otherwise.
    private static func setStrategies(_ objective: inout JSON) {
        let value: JSON = ["minimize": "min", "maximize": "max"][objective["type"].stringValue ?? ""] ?? "latest"
        var strategies = objective["metricStrategies"].elements
        let names = [objective["objectiveMetricName"]] + objective["additionalMetricNames"].elements
        for name in names where !name.isNull && !strategies.contains(where: { $0["name"] == name }) {
            strategies.append(["name": name, "value": value])
        }
        objective["metricStrategies"] = .array(strategies)
    }

    private static func setConditions(_ template: inout JSON) {
        let kind = template["trialSpec"]["kind"].stringValue ?? ""
        let conditions: (success: String, failure: String)
        if kind == "Job" { conditions = job } else if trainingKinds.contains(kind) { conditions = (training, job.failure) } else { return }
        if (template["successCondition"].stringValue ?? "").isEmpty { template["successCondition"] = .string(conditions.success) }
        if (template["failureCondition"].stringValue ?? "").isEmpty { template["failureCondition"] = .string(conditions.failure) }
        if trainingKinds.contains(kind), template["primaryPodLabels"].members.isEmpty {
            template["primaryPodLabels"] = ["training.kubeflow.org/job-role": "master"]
        }
    }

    private static func setCollector(_ spec: inout JSON) {
        if spec["metricsCollectorSpec"]["collector"].isNull { spec["metricsCollectorSpec"]["collector"] = ["kind": "StdOut"] }
        guard spec["metricsCollectorSpec"]["collector"]["kind"].stringValue == "File" else { return }
        for (key, value) in [("kind", "File"), ("path", "/var/log/katib/metrics.log"), ("format", "TEXT")] {
            if (spec["metricsCollectorSpec"]["source"]["fileSystemPath"][key].stringValue ?? "").isEmpty {
                spec["metricsCollectorSpec"]["source"]["fileSystemPath"][key] = .string(value)
            }
        }
    }
}

/// What makes a pod a trial's pod.
enum TrialPods {
    /// Owners further away than this are not looked for.
    private static let depth = 5

    /// Gives a pod that a Trial (through its Job or whatever it runs) owns Katib's labels and environment, and says which
    /// container's output has the metrics.
    static func mark(_ pod: inout JSON, _ catalogue: Catalogue) {
        guard let trial = trial(owning: pod, catalogue) else { return }
        for (key, value) in trial.labels { pod["metadata"]["labels"][key] = .string(value) }
        pod["metadata"]["labels"][KatibLabel.trial] = .string(trial.name)
        let wanted = trial.spec["primaryPodLabels"].stringMap
        let labels = pod["metadata"]["labels"].stringMap
        guard wanted.allSatisfy({ labels[$0.key] == $0.value }), let primary = trial.spec["primaryContainerName"].stringValue else { return }
        pod["metadata"]["annotations"][KatibLabel.primaryContainer] = .string(primary)
        addCollector(&pod, primary)
        let containers = pod["spec"]["containers"].elements.map { container in
            guard container["name"].stringValue == primary else { return container }
            var container = container
            let others = container["env"].elements.filter { $0["name"].stringValue != "KATIB_TRIAL_NAME" }
            container["env"] = .array(others + [["name": "KATIB_TRIAL_NAME", "value": .string(trial.name)]])
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

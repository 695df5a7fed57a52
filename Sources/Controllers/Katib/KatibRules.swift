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
    /// The default primary pod of a TrainJob is the first node of its job set.
    private static let trainJobLabels: JSON = ["jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": "0"]
    private static let trainingKinds: Set<String> = ["TFJob", "PyTorchJob", "MPIJob", "XGBoostJob", "MXJob", "PaddleJob", "JAXJob"]

    public static let all: [GroupResource: KindRules] = [
        .experiments: KindRules(
            applyDefaults: { object, _, _ in applyDefaults(&object) },
            validate: { object, old, context in ExperimentValidator(object, old, context).causes() }, warnings: { warnings($0) }),
        .pods: KindRules(applyDefaults: { pod, old, context in if old == nil { TrialPods.mark(&pod, context.catalogue) } }, addsParts: true),
    ]

    static func applyDefaults(_ experiment: inout JSON) {
        if experiment["spec"]["parallelTrialCount"].isNull { experiment["spec"]["parallelTrialCount"] = JSON(defaultParallelTrialCount) }
        if isUnset(experiment["spec"]["resumePolicy"]) { experiment["spec"]["resumePolicy"] = "Never" }
        if !experiment["spec"]["objective"].isNull { setStrategies(&experiment["spec"]["objective"]) }
        if !experiment["spec"]["trialTemplate"]["trialSpec"].isNull { setConditions(&experiment["spec"]["trialTemplate"]) }
        setCollector(&experiment["spec"])
        let parameters = experiment["spec"]["parameters"].elements.map { parameter in
            var parameter = parameter
            if !parameter["feasibleSpace"].isNull, isUnset(parameter["feasibleSpace"]["distribution"]) {
                parameter["feasibleSpace"]["distribution"] = "uniform"
            }
            return parameter
        }
        if !parameters.isEmpty { experiment["spec"]["parameters"] = .array(parameters) }
    }

    /// What is of another type than it should be is no gap to fill: the schema names it.
    private static func isUnset(_ value: JSON) -> Bool { value.isNull || value == "" }

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
        if kind == "Job" || kind == "TrainJob" { conditions = job } else if trainingKinds.contains(kind) { conditions = (training, job.failure) } else { return }
        if isUnset(template["successCondition"]) { template["successCondition"] = .string(conditions.success) }
        if isUnset(template["failureCondition"]) { template["failureCondition"] = .string(conditions.failure) }
        if kind != "Job", template["primaryPodLabels"].members.isEmpty {
            template["primaryPodLabels"] = kind == "TrainJob" ? trainJobLabels : ["training.kubeflow.org/job-role": "master"]
        }
    }

    private static func setCollector(_ spec: inout JSON) {
        if spec["metricsCollectorSpec"]["collector"].isNull { spec["metricsCollectorSpec"]["collector"] = ["kind": "StdOut"] }
        func set(_ part: String, _ defaults: [(key: String, value: JSON)]) {
            for (key, value) in defaults {
                let found = spec["metricsCollectorSpec"]["source"][part][key]
                if found.isNull || found == "" || found == 0 { spec["metricsCollectorSpec"]["source"][part][key] = value }
            }
        }
        switch spec["metricsCollectorSpec"]["collector"]["kind"].stringValue {
        case "File": set("fileSystemPath", [("kind", "File"), ("path", "/var/log/katib/metrics.log"), ("format", "TEXT")])
        case "TensorFlowEvent": set("fileSystemPath", [("kind", "Directory"), ("path", "/var/log/katib/tfevent/")])
        case "PrometheusMetric": set("httpGet", [("path", "/metrics"), ("port", 8080)])
        default: break
        }
    }

    private static func warnings(_ experiment: JSON) -> [String] {
        var warnings: [String] = []
        // SDK 0.16 and 0.17 say `None` for what is `Push` since 0.18.
        if experiment["spec"]["metricsCollectorSpec"]["collector"]["kind"].stringValue == "None" {
            warnings.append("spec.metricsCollectorSpec.collector.kind: None is taken as Push, its name since Katib 0.18")
        }
        if let failed = experiment["spec"]["maxFailedTrialCount"].intValue, let maximum = experiment["spec"]["maxTrialCount"].intValue, failed > maximum {
            warnings.append(
                "spec.maxFailedTrialCount: \(failed) is more than spec.maxTrialCount, \(maximum): until that is raised, failed trials do not end the experiment; "
                    + "a cluster refuses it")
        }
        return warnings
    }
}

public import KubeModel

/// Katib's gRPC API (pkg/apis/manager/v1beta1/api.proto of 0.19): its messages and the paths of its methods.
public enum KatibMessages {
    public static let package = "api.v1.beta1"
    /// Where trials and services reach the database manager.
    public static let databaseAddress = "katib-db-manager.kubeflow:6789"

    public static let schema = ProtobufSchema(
        """
        Experiment name:string=1 spec:ExperimentSpec=2
        ExperimentSpec parameter_specs:ParameterSpecs=1 objective:ObjectiveSpec=2 algorithm:AlgorithmSpec=3 early_stopping:AlgorithmSpec=4 \
        parallel_trial_count:int32=5 max_trial_count:int32=6 nas_config:NasConfig=7
        ParameterSpecs parameters:*ParameterSpec=1
        ParameterSpec name:string=1 parameter_type:ParameterType=2 feasible_space:FeasibleSpace=3
        FeasibleSpace max:string=1 min:string=2 list:*string=3 step:string=4 distribution:Distribution=5
        ObjectiveSpec type:ObjectiveType=1 goal:double=2 objective_metric_name:string=3 additional_metric_names:*string=4
        AlgorithmSpec algorithm_name:string=1 algorithm_settings:*Pair=2
        NasConfig graph_config:GraphConfig=1 operations:Operations=2
        GraphConfig num_layers:int32=1 input_sizes:*int32=2 output_sizes:*int32=3
        Operations operation:*Operation=1
        Operation operation_type:string=1 parameter_specs:ParameterSpecs=2
        Trial name:string=1 spec:TrialSpec=2 status:TrialStatus=3
        TrialSpec objective:ObjectiveSpec=2 parameter_assignments:Assignments=3 labels:%string=4
        Assignments assignments:*Pair=1
        Pair name:string=1 value:string=2
        TrialStatus start_time:string=1 completion_time:string=2 condition:TrialConditionType=3 observation:Observation=4
        Observation metrics:*Pair=1
        MetricLog time_stamp:string=1 metric:Pair=2
        ObservationLog metric_logs:*MetricLog=1
        ReportObservationLogRequest trial_name:string=1 observation_log:ObservationLog=2
        GetObservationLogRequest trial_name:string=1 metric_name:string=2 start_time:string=3 end_time:string=4
        GetObservationLogReply observation_log:ObservationLog=1
        DeleteObservationLogRequest trial_name:string=1
        GetSuggestionsRequest experiment:Experiment=1 trials:*Trial=2 current_request_number:int32=4 total_request_number:int32=5
        GetSuggestionsReply parameter_assignments:*SuggestedTrial=1 algorithm:AlgorithmSpec=2
        SuggestedTrial assignments:*Pair=1 trial_name:string=2 labels:%string=3
        ValidateAlgorithmSettingsRequest experiment:Experiment=1
        GetEarlyStoppingRulesRequest experiment:Experiment=1 trials:*Trial=2 db_manager_address:string=3
        GetEarlyStoppingRulesReply early_stopping_rules:*EarlyStoppingRule=1
        EarlyStoppingRule name:string=1 value:string=2 comparison:ComparisonType=3 start_step:int32=4
        ValidateEarlyStoppingSettingsRequest early_stopping:AlgorithmSpec=1
        enum ParameterType UNKNOWN_TYPE=0 DOUBLE=1 INT=2 DISCRETE=3 CATEGORICAL=4
        enum Distribution DISTRIBUTION_UNSPECIFIED=0 UNIFORM=1 LOG_UNIFORM=2 NORMAL=3 LOG_NORMAL=4
        enum ObjectiveType UNKNOWN=0 MINIMIZE=1 MAXIMIZE=2
        enum TrialConditionType CREATED=0 RUNNING=1 SUCCEEDED=2 KILLED=3 FAILED=4 METRICSUNAVAILABLE=5 EARLYSTOPPED=6 UNKNOWN=7
        enum ComparisonType UNKNOWN_COMPARISON=0 EQUAL=1 LESS=2 GREATER=3
        """)

    static func path(_ service: String, _ method: String) -> String { "/\(package).\(service)/\(method)" }
}

/// Experiments and Trials as messages (pkg/controller.v1beta1/suggestion/suggestionclient: `ConvertExperiment`, `ConvertTrials`).
extension KatibMessages {
    /// - Parameter settings: what the algorithm told to remember; these stand in place of the Experiment's of the same name.
    static func experiment(_ experiment: JSON, settings: JSON = .null) -> JSON {
        let spec = experiment["spec"]
        var algorithm = spec["algorithm"]["algorithmSettings"].elements
        for setting in settings.elements {
            if let index = algorithm.firstIndex(where: { $0["name"] == setting["name"] }) { algorithm[index] = setting } else { algorithm.append(setting) }
        }
        var message: JSON = [
            "algorithm": ["algorithm_name": spec["algorithm"]["algorithmName"], "algorithm_settings": .array(algorithm)],
            "objective": objective(spec["objective"]), "parameter_specs": parameters(spec["parameters"]),
            "parallel_trial_count": spec["parallelTrialCount"], "max_trial_count": spec["maxTrialCount"],
        ]
        if !spec["earlyStopping"].isNull { message["early_stopping"] = earlyStopping(spec["earlyStopping"]) }
        let nas = spec["nasConfig"]
        if !nas.isNull {
            let graph = nas["graphConfig"]
            let operations = nas["operations"].elements.map { operation -> JSON in
                ["operation_type": operation["operationType"], "parameter_specs": parameters(operation["parameters"])]
            }
            message["nas_config"] = [
                "graph_config": ["num_layers": graph["numLayers"], "input_sizes": graph["inputSizes"], "output_sizes": graph["outputSizes"]],
                "operations": ["operation": .array(operations)],
            ]
        }
        return ["name": experiment["metadata"]["name"], "spec": message]
    }

    static func earlyStopping(_ spec: JSON) -> JSON { ["algorithm_name": spec["algorithmName"], "algorithm_settings": spec["algorithmSettings"]] }

    static func objective(_ objective: JSON) -> JSON {
        [
            "type": .string((objective["type"].stringValue ?? "unknown").uppercased()), "goal": objective["goal"],
            "objective_metric_name": objective["objectiveMetricName"], "additional_metric_names": objective["additionalMetricNames"],
        ]
    }

    private static let distributions = ["uniform": "UNIFORM", "logUniform": "LOG_UNIFORM", "normal": "NORMAL", "logNormal": "LOG_NORMAL"]

    private static func parameters(_ list: JSON) -> JSON {
        let parameters = list.elements.map { parameter -> JSON in
            var space = parameter["feasibleSpace"]
            space["distribution"] = .string(distributions[space["distribution"].stringValue ?? ""] ?? "DISTRIBUTION_UNSPECIFIED")
            let type = (parameter["parameterType"].stringValue ?? "").uppercased()
            return ["name": parameter["name"], "parameter_type": .string(type), "feasible_space": space]
        }
        return ["parameters": .array(parameters)]
    }

    /// A Trial; one that was suggested and is not there yet is a trial that was created.
    static func trial(_ trial: JSON, state: SuggestionTrial.State) -> JSON {
        let spec = trial["spec"]
        let status = trial["status"]
        var condition = state.rawValue.uppercased()
        if spec["objective"].isNull { condition = "CREATED" }
        let objective = Objective(spec["objective"])
        let metrics = status["observation"]["metrics"].elements.map { metric -> JSON in
            ["name": metric["name"], "value": .string(objective.text(of: metric))]
        }
        return [
            "name": trial["metadata"]["name"],
            "spec": [
                "objective": Self.objective(spec["objective"]), "parameter_assignments": ["assignments": spec["parameterAssignments"]],
                "labels": trial["metadata"]["labels"],
            ],
            "status": [
                "start_time": status["startTime"], "completion_time": status["completionTime"], "condition": .string(condition),
                "observation": ["metrics": .array(metrics)],
            ],
        ]
    }
}

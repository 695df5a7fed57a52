"""The messages of Katib's gRPC API (pkg/apis/manager/v1beta1/api.proto of 0.19) that a suggestion service or a metrics collector
needs, made of a table.

A line is a message: its name, then FIELD:TYPE=NUMBER for each field; * before a type is a list. Enumerations are numbers here.
Sources/Controllers/Katib/API/KatibMessages.swift has the same table for the other end.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "api.v1.beta1"
TABLE = """
Experiment name:string=1 spec:ExperimentSpec=2
ExperimentSpec parameter_specs:ParameterSpecs=1 objective:ObjectiveSpec=2 algorithm:AlgorithmSpec=3 nas_config:NasConfig=7
ParameterSpecs parameters:*ParameterSpec=1
ParameterSpec name:string=1 parameter_type:int32=2 feasible_space:FeasibleSpace=3
FeasibleSpace max:string=1 min:string=2 list:*string=3 step:string=4 distribution:int32=5
ObjectiveSpec type:int32=1 goal:double=2 objective_metric_name:string=3
NasConfig graph_config:GraphConfig=1 operations:Operations=2
GraphConfig num_layers:int32=1 input_sizes:*int32=2 output_sizes:*int32=3
Operations operation:*Operation=1
Operation operation_type:string=1 parameter_specs:ParameterSpecs=2
AlgorithmSpec algorithm_name:string=1 algorithm_settings:*Pair=2
Pair name:string=1 value:string=2
Trial name:string=1 spec:TrialSpec=2 status:TrialStatus=3
TrialSpec parameter_assignments:Assignments=3 labels:*Label=4
Assignments assignments:*Pair=1
Label key:string=1 value:string=2
TrialStatus start_time:string=1 completion_time:string=2 condition:int32=3 observation:Observation=4
Observation metrics:*Pair=1
GetSuggestionsRequest experiment:Experiment=1 trials:*Trial=2 current_request_number:int32=4 total_request_number:int32=5
GetSuggestionsReply parameter_assignments:*SuggestedTrial=1
SuggestedTrial assignments:*Pair=1 trial_name:string=2 labels:*Label=3
ValidateAlgorithmSettingsRequest experiment:Experiment=1
ValidateAlgorithmSettingsReply
MetricLog time_stamp:string=1 metric:Pair=2
ObservationLog metric_logs:*MetricLog=1
ReportObservationLogRequest trial_name:string=1 observation_log:ObservationLog=2
ReportObservationLogReply
"""
PARAMETER_TYPES = {1: "double", 2: "int", 3: "discrete", 4: "categorical"}
DISTRIBUTIONS = {1: "uniform", 2: "logUniform", 3: "normal", 4: "logNormal"}
OBJECTIVES = {1: "minimize", 2: "maximize"}
CONDITIONS = dict(enumerate(["created", "running", "succeeded", "killed", "failed", "metricsUnavailable", "earlyStopped", "unknown"]))


def messages():
    """The message classes by name."""
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"string": kinds.TYPE_STRING, "int32": kinds.TYPE_INT32, "double": kinds.TYPE_DOUBLE}
    file = descriptor_pb2.FileDescriptorProto(name="katib.proto", package=PACKAGE, syntax="proto3")
    for line in TABLE.strip().splitlines():
        name, *fields = line.split()
        message = file.message_type.add(name=name)
        for text in fields:
            label, rest = text.split(":")
            kind, number = rest.split("=")
            field = message.field.add(name=label, number=int(number), label=kinds.LABEL_REPEATED if kind[0] == "*" else kinds.LABEL_OPTIONAL)
            kind = kind.lstrip("*")
            if kind in scalars:
                field.type = scalars[kind]
            else:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{message.name}")) for message in file.message_type}


def pairs(list):
    return {pair.name: pair.value for pair in list}


def parameter(spec):
    space = spec.feasible_space
    feasible = {key: getattr(space, key) for key in ("min", "max", "step") if getattr(space, key)}
    if space.list:
        feasible["list"] = list(space.list)
    feasible["distribution"] = DISTRIBUTIONS.get(space.distribution, "uniform")
    return {"name": spec.name, "parameterType": PARAMETER_TYPES.get(spec.parameter_type, "unknown"), "feasibleSpace": feasible}


def nas(config):
    """What a search for architectures is to choose from."""
    graph = config.graph_config
    operations = [{"type": entry.operation_type, "parameters": [parameter(spec) for spec in entry.parameter_specs.parameters]}
                  for entry in config.operations.operation]
    return {"layers": graph.num_layers, "inputs": list(graph.input_sizes), "outputs": list(graph.output_sizes), "operations": operations}


def trial(message, metric):
    """A trial as the algorithms see it: its value is the objective's, where that is a number."""
    entry = {"values": pairs(message.spec.parameter_assignments.assignments), "state": CONDITIONS.get(message.status.condition, "unknown"),
             "labels": {label.key: label.value for label in message.spec.labels}, "completed": message.status.completion_time}
    try:
        value = float(pairs(message.status.observation.metrics)[metric])
        if abs(value) != float("inf") and value == value:
            entry["value"] = value
    except (KeyError, ValueError):
        pass
    return entry


def request_of(message, seed):
    """What the algorithms are told, out of a GetSuggestionsRequest."""
    spec = message.experiment.spec
    given = [trial(entry, spec.objective.objective_metric_name) for entry in message.trials]
    before = message.total_request_number - message.current_request_number
    return {
        "algorithm": spec.algorithm.algorithm_name, "settings": pairs(spec.algorithm.algorithm_settings), "seed": seed,
        "goal": OBJECTIVES.get(spec.objective.type), "parameters": [parameter(entry) for entry in spec.parameter_specs.parameters],
        "nas": nas(spec.nas_config),
        # Trials without metrics are not told of, but were drawn: no draw comes twice.
        "given": given, "count": message.current_request_number, "removed": max(0, before - len(given)),
    }

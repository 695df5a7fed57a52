"""Searching for neural architectures: enas and darts."""

import json

import pytest
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.suggestion import suggestion_program

NS = USER_NAMESPACE
SLOPES = """
import numpy
from controller import Controller, settings_of

controller = Controller(4, 5, settings_of({"controller_hidden_size": "6", "controller_entropy_weight": "None"}), 1)
for name, weights in controller.weights.items():
    controller.weights[name] = numpy.random.default_rng(3).normal(size=weights.shape) * 0.3

def loss():
    _, weights, surprises, penalties = controller.sample(numpy.random.default_rng(5))
    controller.baseline = 0.2
    return controller.loss(0.7, surprises, penalties), weights

value, found = loss()
value.backward()
worst, random = 0, numpy.random.default_rng(7)
for name, weights in controller.weights.items():
    for _ in range(8):
        place = tuple(random.integers(0, size) for size in weights.shape)
        sides = []
        for step in (1e-6, -2e-6):
            weights[place] += step
            sides.append(float(loss()[0].array))
        weights[place] += 1e-6
        slope = (sides[0] - sides[1]) / 2e-6
        worst = max(worst, abs(slope - found[name].gradient[place]) / (1e-4 + abs(slope)))
print(worst)
"""

REPLAY = """
import json
import enas

convolution = {"type": "convolution", "parameters": [
    {"name": "size", "parameterType": "categorical", "feasibleSpace": {"list": ["3", "5"]}},
    {"name": "filters", "parameterType": "int", "feasibleSpace": {"min": "8", "max": "24", "step": "8"}}]}
pooling = {"type": "reduction", "parameters": [{"name": "rate", "parameterType": "double", "feasibleSpace": {"min": "0.1", "max": "0.3", "step": "0.1"}}]}
request = {"nas": {"layers": 3, "inputs": [8, 8, 1], "outputs": [10], "operations": [convolution, pooling]}, "goal": "maximize", "seed": "s",
           "settings": {"controller_train_steps": "10", "controller_learning_rate": "0.05"}, "given": [], "removed": 0, "count": 4, "parameters": []}
assert [o["opt_params"] for o in enas.operations_of(request["nas"])[:2]] == [{"size": "3", "filters": 8}, {"size": "3", "filters": 16}]
assert len(enas.operations_of(request["nas"])) == 9
steps = []
for call in range(5):
    given = enas.suggest(request)
    enas.LATEST.clear()
    assert enas.suggest(request) == given, "a service that starts anew learns the same"
    for values, labels in given:
        architecture = json.loads(values["architecture"])
        config = json.loads(values["nn_config"].replace("'", '"'))
        assert [len(choices) for choices in architecture] == [1, 2, 3] and {c for row in architecture for c in row[1:]} <= {0, 1}
        assert {str(row[0]) for row in architecture} == config["embedding"].keys() and config["num_layers"] == 3
        steps.append(labels[enas.STEP])
        failed = call == 0 and len(steps) == 1
        request["given"].append({"values": values, "labels": labels, "state": "failed" if failed else "succeeded", **({} if failed else {"value": 0.5 + call / 10})})
assert enas.result_of({**request, "goal": "minimize"}) == -enas.result_of(request)
print(" ".join(steps))
"""


def test_the_controllers_derivatives(shows):
    with suggestion_program(SLOPES) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert float(output) < 1e-3
    shows(f"derivatives are differences to {float(output):.1e}")


def test_enas_learns_the_same_again(shows):
    with suggestion_program(REPLAY) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    shows(f"calls {output.strip()}")


def enas(name, container, operations, trials=4, parallel=2, layers=3, **spec):
    return {
        "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": name, "namespace": NS},
        "spec": {
            "objective": {"type": "maximize", "objectiveMetricName": "Validation-Accuracy"}, "algorithm": {"algorithmName": "enas"},
            "parallelTrialCount": parallel, "maxTrialCount": trials, "maxFailedTrialCount": parallel,
            "nasConfig": {"graphConfig": {"numLayers": layers, "inputSizes": [32, 32, 3], "outputSizes": [10]}, "operations": operations},
            "trialTemplate": {
                "primaryContainerName": "training-container", "trialParameters": [{"name": "arch", "reference": "architecture"}, {"name": "config", "reference": "nn_config"}],
                "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {
                    "restartPolicy": "Never", "containers": [{"name": "training-container"} | container]}}}}}} | spec}


def values(name, *texts):
    return {"name": name, "parameterType": "categorical", "feasibleSpace": {"list": list(texts)}}


CONVOLUTION = {"operationType": "convolution", "parameters": [values("filter_size", "3", "5"), values("num_filter", "32", "64"), values("stride", "1", "2")]}
REDUCTION = {"operationType": "reduction", "parameters": [
    values("reduction_type", "max_pooling", "avg_pooling"), {"name": "pool_size", "parameterType": "int", "feasibleSpace": {"min": "2", "max": "3", "step": "1"}}]}


@pytest.fixture
def run(lab):
    made = []

    def run(object, condition="condition=Succeeded", timeout=90):
        name = object["metadata"]["name"]
        made.append(name)
        lab.kubectl("apply", "-f", "-", input=object)
        lab.wait(f"experiment/{name}", condition, NS, timeout)
        return lab.get("experiment", name)

    yield run
    for name in made:
        lab.kubectl("delete", "experiment", name, "-n", NS, "--wait=false", "--ignore-not-found", check=False)


def test_enas_in_the_lab(lab, run, shows):
    script = """echo 'A="${trialParameters.arch}" C="${trialParameters.config}"'; echo Validation-Accuracy=0.5"""
    seen = run(enas("enas", {"image": "busybox", "command": ["sh", "-c", script.replace("'", "")]}, [CONVOLUTION, REDUCTION]))
    assert seen["status"]["trialsSucceeded"] == 4
    steps = set()
    for suggestion in lab.get("suggestion", "enas")["status"]["suggestions"]:
        given = {p["name"]: p["value"] for p in suggestion["parameterAssignments"]}
        architecture, config = json.loads(given["architecture"]), json.loads(given["nn_config"].replace("'", '"'))
        assert len(architecture) == 3 and config["input_sizes"] == [32, 32, 3] and config["output_sizes"] == [10]
        assert all(config["embedding"][str(row[0])]["opt_type"] in ("convolution", "reduction") for row in architecture)
        steps.add(int(suggestion["labels"]["enas.suggestion.katib.kubeflow.org/step"]))
    assert max(steps) >= 1
    bad = enas("enasbad", {"image": "busybox", "command": ["echo", "${trialParameters.arch}", "${trialParameters.config}"]}, [CONVOLUTION])
    bad["spec"]["algorithm"]["algorithmSettings"] = [{"name": "controller_hidden_size", "value": "0"}]
    seen = run(bad, "condition=Failed", 30)
    message = next(c["message"] for c in seen["status"]["conditions"] if c["type"] == "Failed")
    assert "Algorithm Setting controller_hidden_size: 0 with int type must be in range [1, inf)" in message
    shows(f"steps {sorted(steps)}, last architecture {architecture}; {message}")


@pytest.mark.full
def test_architectures_are_trained(lab, run, shows):
    """With PyTorch, at the path and with the arguments of upstream's manifests."""
    container = {"image": "ghcr.io/kubeflow/katib/enas-cnn-cifar10-cpu:latest", "command": [
        "python3", "-u", "RunTrial.py", "--num_epochs=3", '--architecture="${trialParameters.arch}"', '--nn_config="${trialParameters.config}"']}
    others = [{"operationType": kind, "parameters": [values("filter_size", "3", "5"), values("stride", "1", "2"), values("depth_multiplier", "1", "2"), *more]}
              for kind, more in (("separable_convolution", [values("num_filter", "32", "64")]), ("depthwise_convolution", []))]
    seen = run(enas("enastorch", container, [CONVOLUTION, *others, REDUCTION], layers=4), timeout=300)
    accuracy = seen["status"]["currentOptimalTrial"]["observation"]["metrics"][0]
    assert 0.15 < float(accuracy["max"]) <= 1
    shows(f"best accuracy {accuracy['max']}")

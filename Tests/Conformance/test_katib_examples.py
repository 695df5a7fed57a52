"""Upstream's own manifests of Katib, unedited: every one is accepted, and what does not run to its end says what it waits for."""

import json

import pytest
import yaml
from kindlingtest.lab import ROOT

EXAMPLES = ROOT.parent / "shared" / "upstream" / "katib" / "examples"
RUN = {
    "argo/argo-workflow.yaml", "early-stopping/median-stop.yaml", "hp-tuning/cma-es.yaml", "hp-tuning/grid.yaml", "hp-tuning/hyperband.yaml",
    "hp-tuning/hyperopt-distribution.yaml", "hp-tuning/multivariate-tpe.yaml", "hp-tuning/optuna-distribution.yaml", "hp-tuning/random.yaml",
    "hp-tuning/sobol.yaml", "hp-tuning/tpe.yaml", "metrics-collector/custom-metrics-collector.yaml",
    "metrics-collector/file-metrics-collector-with-json-format.yaml", "metrics-collector/file-metrics-collector.yaml",
    "metrics-collector/metrics-collection-strategy.yaml", "resume-experiment/long-running-resume.yaml",
    "trial-template/trial-configmap-source.yaml", "trial-template/trial-metadata-substitution.yaml",
    # With PyTorch, which `make environments` brings.
    "nas/darts-cpu.yaml",
}
# Those that wait: what their condition says, and why.
WAIT = {
    "fpga/xgboost-example.yaml": ("1 of xilinx/aws-vu9p-f1 and this machine has 0", "an FPGA"),
    "kubeflow-trainer/trainjob-pytorch.yaml": ("trainer.kubeflow.org/v1alpha1/TrainJob is not served", "Kubeflow Trainer"),
    "kubeflow-training-operator/mpijob-horovod.yaml": ("kubeflow.org/v1/MPIJob is not served", "the training operator"),
    "kubeflow-training-operator/pytorchjob-mnist.yaml": ("kubeflow.org/v1/PyTorchJob is not served", "the training operator"),
    "kubeflow-training-operator/tfjob-mnist-with-summaries.yaml": ("kubeflow.org/v1/TFJob is not served", "the training operator"),
    "kubeflow-training-operator/xgboostjob-lightgbm.yaml": ("kubeflow.org/v1/XGBoostJob is not served", "the training operator"),
    "nas/darts-gpu.yaml": ("1 of nvidia.com/gpu and this machine has 0", "a GPU"),
    "nas/enas-gpu.yaml": ("1 of nvidia.com/gpu and this machine has 0", "a GPU"),
    "tekton/pipeline-run.yaml": ("tekton.dev/v1beta1/PipelineRun is not served", "Tekton"),
}


def name_of(path):
    metadata = yaml.safe_load((EXAMPLES / path).read_text())["metadata"]
    return metadata["namespace"], metadata["name"]


def conditions(object):
    return {c["type"]: c for c in object["status"].get("conditions", []) if c["status"] == "True"}


def files(paths):
    return [word for path in sorted(paths) for word in ("-f", EXAMPLES / path)]


@pytest.fixture
def applied(lab):
    made = []

    def apply(paths):
        made.extend(name_of(path) for path in paths)
        lab.kubectl("apply", *files(paths))

    yield apply
    for namespace, name in made:
        lab.kubectl("delete", "experiment", name, "-n", namespace, "--wait=false", "--ignore-not-found", check=False)


def test_every_example_is_accepted_and_known(lab, shows):
    found = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.yaml")}
    assert found and found == RUN | WAIT.keys()
    result = lab.kubectl("create", "--dry-run=server", *files(found))
    assert len(result.stdout.splitlines()) == len(found) and "error" not in result.stderr
    shows(f"{len(found)} manifests, {len(RUN)} of which run here")


def test_what_is_missing_is_named(lab, applied, shows):
    applied(WAIT)
    reasons = []
    for path, (words, reason) in WAIT.items():
        namespace, name = name_of(path)
        lab.wait(f"experiment/{name}", "condition=Waiting", namespace, 60)
        seen = conditions(lab.get("experiment", name, namespace))
        assert words in seen["Waiting"]["message"] and not {"Failed", "Succeeded"} & set(seen), path
        reasons.append(reason)
    shows(f"{len(WAIT)} wait for {', '.join(sorted(set(reasons)))}")


@pytest.mark.full
def test_every_other_example_runs_to_its_end(lab, applied, shows):
    applied(RUN)
    ended = []
    for path in sorted(RUN):
        namespace, name = name_of(path)
        lab.wait(f"experiment/{name}", "condition=Succeeded", namespace, 900)
        seen = lab.get("experiment", name, namespace)
        assert seen["status"]["currentOptimalTrial"]["bestTrialName"], path
        ended.append(f"{name} {seen['status']['trials']}")
    shows(", ".join(ended))


PBT = {"n_population": "40", "truncation_threshold": "0.2", "suggestion_trial_dir": "/var/log/katib/checkpoints/"}


def experiment(name, container, parameters, **spec):
    names = [p["name"] for p in parameters]
    return {
        "apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": name, "namespace": "kubeflow"},
        "spec": {"parallelTrialCount": 1, "maxTrialCount": 1, "maxFailedTrialCount": 1, "parameters": parameters, "trialTemplate": {
            "primaryContainerName": "main", "trialParameters": [{"name": n, "reference": n} for n in names],
            "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main"} | container]}}}}}} | spec}


@pytest.fixture
def run(lab):
    made = []

    def run(object, timeout=90):
        name = object["metadata"]["name"]
        made.append(name)
        result = lab.kubectl("apply", "-f", "-", input=object)
        lab.wait(f"experiment/{name}", "condition=Succeeded", "kubeflow", timeout)
        return lab.get("experiment", name, "kubeflow"), result.stderr

    yield run
    for name in made:
        lab.kubectl("delete", "experiment", name, "-n", "kubeflow", "--wait=false", "--ignore-not-found", check=False)


RATE = [{"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.01", "max": "0.05"}}]


def metric(seen, name):
    return next(m for m in seen["status"]["currentOptimalTrial"]["observation"]["metrics"] if m["name"] == name)


def test_budgets_of_an_experiment_that_may_grow(run, shows):
    """As upstream's example of pbt, which its own webhook would refuse: it allows three failures of two trials."""
    made = experiment("small-pbt", {"image": "ghcr.io/kubeflow/katib/simple-pbt:latest", "command": ["python3", "/opt/pbt/pbt_test.py", "--lr=${trialParameters.lr}"]}, RATE,
                      objective={"type": "maximize", "objectiveMetricName": "Validation-accuracy"}, resumePolicy="FromVolume", maxTrialCount=2,
                      parallelTrialCount=2, maxFailedTrialCount=3,
                      algorithm={"algorithmName": "pbt", "algorithmSettings": [{"name": n, "value": v} for n, v in PBT.items()]})
    seen, warning = run(made)
    assert seen["status"]["trialsSucceeded"] == 2 and "Warning: spec.maxFailedTrialCount: 3 is more than spec.maxTrialCount, 2" in warning
    shows(warning.strip()[:120])


def test_a_collector_beside_the_trial(run, shows):
    """Upstream's custom-metrics-collector with one trial."""
    collector = yaml.safe_load((EXAMPLES / "metrics-collector" / "custom-metrics-collector.yaml").read_text())["spec"]["metricsCollectorSpec"]
    command = ["python3", "/opt/pytorch-mnist/mnist.py", "--epochs=2", "--log-path=/katib/mnist.log", "--lr=${trialParameters.lr}"]
    made = experiment("custom", {"image": "ghcr.io/kubeflow/katib/pytorch-mnist-cpu:latest", "command": command}, RATE, metricsCollectorSpec=collector,
                      algorithm={"algorithmName": "random"}, objective={"type": "maximize", "objectiveMetricName": "accuracy"})
    seen, _ = run(made)
    accuracy = metric(seen, "accuracy")
    assert 0.3 < float(accuracy["min"]) <= float(accuracy["max"]) <= 1
    shows(f"reported by gRPC: {accuracy}")


SERVE = """
import http.server, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = PAGE.format(step / 10).encode() if self.path == "/m?all=1" and self.headers["X-Ask"] == "yes" else b""
        self.send_response(200 if page else 404)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)
PAGE = '# TYPE accuracy gauge\\naccuracy{{split="train"}} 0.9\\naccuracy{{split="val"}} {0}\\nloss {0}\\n'
step = 1
server = http.server.HTTPServer(("", 9100), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for step in (1, 2, 3):
    time.sleep(1.2)
print("${trialParameters.lr}")
"""


def test_metrics_that_the_pod_serves(lab, run, shows):
    made = experiment("served", {"image": "python:3.11", "command": ["python3", "-c", SERVE]}, RATE, algorithm={"algorithmName": "random"},
                      objective={"type": "maximize", "objectiveMetricName": 'accuracy{split="val"}', "additionalMetricNames": ["loss"]},
                      metricsCollectorSpec={"collector": {"kind": "PrometheusMetric"}, "source": {"httpGet": {
                          "path": "/m?all=1", "port": 9100, "httpHeaders": [{"name": "X-Ask", "value": "yes"}]}}})
    seen, _ = run(made)
    accuracy = metric(seen, 'accuracy{split="val"}')
    assert (accuracy["min"], accuracy["max"], accuracy["latest"]) == ("0.1", "0.3", "0.3")
    rows = json.loads(lab.lab("sql", "-o", "json", "select value from metrics where experiment = 'served' and name = 'loss' order by time").stdout)
    assert [str(row["value"]) for row in rows] == ["0.1", "0.2", "0.3"]
    shows(f"{accuracy}")


@pytest.mark.parametrize("name, container, objective, collector", [
    ("tf-mnist", {"image": "ghcr.io/kubeflow/katib/tf-mnist-with-summaries:latest", "command": [
        "python", "/opt/tf-mnist-with-summaries/mnist.py", "--epochs=1", "--learning-rate=${trialParameters.lr}", "--batch-size=32", "--log-path=/mnist-with-summaries-logs"]},
     "accuracy", {"source": {"fileSystemPath": {"path": "/mnist-with-summaries-logs/test", "kind": "Directory"}}, "collector": {"kind": "TensorFlowEvent"}}),
    ("lightgbm", {"image": "ghcr.io/kubeflow/katib/xgboost-lightgbm:1.0", "args": [
        "--job_type=Train", "--metric=binary_logloss,auc", "--learning_rate=${trialParameters.lr}", "--num_leaves=50", "--num_trees=20", "--max_bin=255",
        "--data=data/binary.train", "--feature_fraction=0.8", "--bagging_freq=5", "--bagging_fraction=0.8", "--min_data_in_leaf=50"]},
     "valid_1 auc", {"source": {"filter": {"metricsFormat": [r"(\w+\s\w+)\s:\s((-?\d+)(\.\d+)?)"]}}}),
], ids=["tf-mnist-with-summaries", "xgboost-lightgbm"])
def test_programs_of_upstreams_other_images(run, shows, name, container, objective, collector):
    seen, _ = run(experiment(name, container, RATE, algorithm={"algorithmName": "random"}, metricsCollectorSpec=collector,
                             objective={"type": "maximize", "objectiveMetricName": objective}))
    found = metric(seen, objective)
    assert 0.6 < float(found["latest"]) <= 1
    shows(f"{found}")

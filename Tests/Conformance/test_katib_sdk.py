"""Katib's own Python SDK, unmodified, and services that speak Katib's gRPC API."""

import json
import pathlib
import shutil
import subprocess

import grpc
import pytest
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import experiment
from kubeflow import katib

pytestmark = pytest.mark.same_for_all

NS = USER_NAMESPACE
IMAGE = "sdk/test:1"
# What the SDK imports, and pip, which tune() calls.
PACKAGES = """_cffi_backend*.so certifi cffi charset_normalizer cryptography dateutil durationpy google grpc idna kubeflow kubernetes oauthlib pip
    pyasn1 pyasn1_modules requests requests_oauthlib retrying.py six-*.dist-info six.py typing_extensions.py urllib3 websocket yaml""".split()


@pytest.fixture(scope="module")
def sdk_image(lab, place):
    """An environment of the user's own with the SDK in it."""
    home = place.work / "sdk-venv"
    if not home.exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(home)], check=True, cwd=place.work)
        target = next((home / "lib").glob("python*")) / "site-packages"
        source = pathlib.Path(grpc.__file__).parent.parent
        assert target.parent.name == source.parent.name, "the tests' environment and the system's Python are of one version"
        for path in (path for name in PACKAGES for path in source.glob(name)):
            if path.is_dir():
                shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, target)
        lab.lab("image", "add", IMAGE, "--venv", home)
    return IMAGE


@pytest.fixture
def client(lab):
    return katib.KatibClient(config_file=str(lab.kubeconfig), namespace=NS)


def conditions(object):
    return {c["type"]: c for c in object["status"].get("conditions", []) if c["status"] == "True"}


def objective(parameters):
    import os
    for step in range(3):
        print(f"score={float(parameters['a']) + step / 10} step={step}")
    print("greeting", os.environ["GREETING"])


def test_tune_a_function(lab, sdk_image, client, shows):
    address = f"unix:{lab.state / 'run' / 'katib-db-manager.sock'}"
    try:
        client.tune(
            name="tuned", objective=objective, parameters={"a": katib.search.double(min=0.1, max=0.5), "b": katib.search.int(min=1, max=3)},
            objective_metric_name="score", additional_metric_names=["step"], objective_type="maximize", max_trial_count=3, parallel_trial_count=2,
            base_image=sdk_image, packages_to_install=["six"], env_per_trial={"GREETING": "hello"}, metrics_collector_config={"kind": "StdOut"},
            resources_per_trial={"cpu": "100m", "memory": "256Mi"}, retain_trials=True)
        client.wait_for_experiment_condition("tuned", timeout=90)
        assert client.is_experiment_succeeded("tuned") and len(client.list_trials("tuned")) == 3
        details = client.get_success_trial_details("tuned")
        assert len(details) == 3 and {p.name for p in details[0]["parameter_assignments"]} == {"a", "b"}
        best = client.get_optimal_hyperparameters("tuned")
        values = {p.name: float(p.value) for p in best.parameter_assignments if p.name == "a"}
        score = next(m for m in best.observation.metrics if m.name == "score")
        assert abs(float(score.max) - values["a"] - 0.2) < 1e-9 and float(score.min) == values["a"]
        logs = client.get_trial_metrics(best.best_trial_name, db_manager_address=address)
        assert [log.metric.value for log in logs if log.metric.name == "step"] == ["0", "1", "2"]
        assert (lab.state / "run" / "katib-db-manager.sock").stat().st_mode & 0o077 == 0
        with pytest.raises(RuntimeError, match="there is no trial nobody"):
            client.get_trial_metrics("nobody", db_manager_address=address)
        assert any("greeting hello" in line for line in client.get_job_logs("tuned", best.best_trial_name))
        shows(f"3 trials, best {score.max}; metrics by gRPC: {len(logs)}")
    finally:
        client.delete_experiment("tuned")


REPORT = """
from kubeflow import katib
for step in range(3):
    katib.report_metrics({"score": ${trialParameters.x} + step / 10, "step": step})
"""


def test_metrics_that_a_trial_reports_itself(lab, sdk_image, shows):
    made = experiment("pushed", REPORT, trials=2, image=sdk_image)
    made["spec"]["metricsCollectorSpec"] = {"collector": {"kind": "Push"}}
    pod = made["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"] = ["python3", "-c", REPORT]
    # report_metrics wants to know its namespace, as a service account's volume tells it.
    pod["containers"][0]["volumeMounts"] = [{"name": "account", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]
    pod["volumes"] = [{"name": "account", "downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]
    try:
        lab.kubectl("apply", "-f", "-", input=made)
        lab.wait("experiment/pushed", "condition=Succeeded", NS, 90)
        trials = json.loads(lab.kubectl("get", "trials", "-n", NS, "-l", "katib.kubeflow.org/experiment=pushed", "-o", "json").stdout)["items"]
        assert len(trials) == 2
        for trial in trials:
            x = float(trial["spec"]["parameterAssignments"][0]["value"])
            score = trial["status"]["observation"]["metrics"][0]
            assert abs(float(score["min"]) - x) < 1e-9 and abs(float(score["max"]) - x - 0.2) < 1e-9 and score["latest"] == score["max"]
        shows(f"reported by gRPC: {score}")
    finally:
        lab.kubectl("delete", "experiment", "pushed", "-n", NS, "--wait=false", check=False)


def test_the_life_of_an_experiment(lab, client, shows):
    made = experiment("sdk-life", "echo score=${trialParameters.x}", trials=2)
    made["spec"]["resumePolicy"] = "LongRunning"
    client.create_experiment(made)
    try:
        client.wait_for_experiment_condition("sdk-life", timeout=120)
        client.edit_experiment_budget("sdk-life", max_trial_count=3)
        lab.kubectl("wait", "experiment/sdk-life", "-n", NS, "--for=jsonpath={.status.trialsSucceeded}=3", "--timeout=60s")
        client.wait_for_experiment_condition("sdk-life", timeout=60)
        seen = client.get_experiment("sdk-life")
        assert seen.status.trials_succeeded == 3 and seen.status.current_optimal_trial.best_trial_name
        assert "sdk-life" in [e.metadata.name for e in client.list_experiments()]
        assert client.get_suggestion("sdk-life").status.suggestion_count == 3
    finally:
        client.delete_experiment("sdk-life")
    lab.kubectl("wait", "experiment/sdk-life", "-n", NS, "--for=delete", "--timeout=30s", check=False)
    with pytest.raises(RuntimeError):
        client.get_experiment("sdk-life")
    shows("created, waited for, restarted with a larger budget, deleted")


SERVICE = """
import concurrent.futures, sys, grpc
import kubeflow.katib.katib_api_pb2 as api, kubeflow.katib.katib_api_pb2_grpc as rpc

class Suggestion(rpc.SuggestionServicer):
    def ValidateAlgorithmSettings(self, request, context):
        for setting in request.experiment.spec.algorithm.algorithm_settings:
            if setting.name != "base":
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unknown setting " + setting.name)
        return api.ValidateAlgorithmSettingsReply()

    def GetSuggestions(self, request, context):
        reply = api.GetSuggestionsReply()
        given = request.total_request_number - request.current_request_number
        for index in range(request.current_request_number):
            trial = reply.parameter_assignments.add(trial_name=f"{request.experiment.name}-n{given + index}", labels={"told": str(len(request.trials))})
            trial.assignments.add(name="x", value=f"0.{given + index + 1}")
        return reply

class Stopping(rpc.EarlyStoppingServicer):
    def ValidateEarlyStoppingSettings(self, request, context):
        return api.ValidateEarlyStoppingSettingsReply()

    def GetEarlyStoppingRules(self, request, context):
        reply = api.GetEarlyStoppingRulesReply()
        seen = []
        database = rpc.DBManagerStub(grpc.insecure_channel(request.db_manager_address))
        for trial in request.trials:
            if trial.status.condition == api.TrialStatus.SUCCEEDED:
                logs = database.GetObservationLog(api.GetObservationLogRequest(trial_name=trial.name, metric_name="score"), timeout=10)
                seen += [float(log.metric.value) for log in logs.observation_log.metric_logs]
        if seen:
            reply.early_stopping_rules.add(name="score", value=str(max(seen) + 1), comparison=api.LESS, start_step=1)
        return reply

server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
if sys.argv[1] == "6789":
    rpc.add_SuggestionServicer_to_server(Suggestion(), server)
else:
    rpc.add_EarlyStoppingServicer_to_server(Stopping(), server)
server.add_insecure_port("0.0.0.0:" + sys.argv[1])
server.start()
server.wait_for_termination()
"""


@pytest.fixture
def katib_config(lab, sdk_image):
    def service(name, port):
        return {"algorithmName": name, "image": sdk_image, "command": ["python3", "-c", SERVICE, str(port)]}

    config = {"apiVersion": "config.kubeflow.org/v1beta1", "kind": "KatibConfig", "runtime": {
        "suggestions": [service("mine", 6789)], "earlyStoppings": [service("my-stop", 6788)]}}
    lab.kubectl("apply", "-f", "-", input={
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "katib-config", "namespace": "kubeflow"},
        "data": {"katib-config.yaml": json.dumps(config)}})
    yield
    lab.kubectl("delete", "configmap", "katib-config", "-n", "kubeflow")


def test_services_of_the_users_plug_in(lab, katib_config, shows):
    made = experiment("own", "echo score=${trialParameters.x}; sleep 30", parallel=1, trials=2, algorithm="mine")
    # The first trial ends at once; the second breaks its rule and is stopped long before its sleep is over.
    made["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]["command"][2] = (
        "echo score=${trialParameters.x}; case ${trialParameters.x} in 0.1) ;; *) sleep 300;; esac")
    made["spec"]["algorithm"]["algorithmSettings"] = [{"name": "base", "value": "1"}]
    made["spec"]["earlyStopping"] = {"algorithmName": "my-stop"}
    try:
        lab.kubectl("apply", "-f", "-", input=made)
        lab.wait("experiment/own", "condition=Succeeded", NS, 120)
        first, second = lab.get("trial", "own-n0"), lab.get("trial", "own-n1")
        assert "Succeeded" in conditions(first) and "EarlyStopped" in conditions(second)
        assert second["spec"]["earlyStoppingRules"] == [{"name": "score", "value": "1.1", "comparison": "less", "startStep": 1}]
        assert second["metadata"]["labels"]["told"] == "1"
    finally:
        lab.kubectl("delete", "experiment", "own", "-n", NS, "--wait=false", check=False)
    made["metadata"]["name"] = "refused"
    made["spec"]["algorithm"]["algorithmSettings"] = [{"name": "typo", "value": "1"}]
    try:
        lab.kubectl("apply", "-f", "-", input=made)
        lab.wait("experiment/refused", "condition=Failed", NS, 60)
        message = conditions(lab.get("suggestion", "refused"))["Failed"]["message"]
        assert message == "Validation failed: ValidateAlgorithmSettings Error: unknown setting typo"
    finally:
        lab.kubectl("delete", "experiment", "refused", "-n", NS, "--wait=false", check=False)
    shows("suggestions and rules from the user's own services; " + message)

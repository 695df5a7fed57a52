"""Katib's own Python SDK, unmodified, and services that speak Katib's gRPC API."""

import contextlib
import json
import os
import pathlib
import select
import shutil
import socket
import socketserver
import subprocess
import sys
import threading

import grpc
import kubernetes
import pytest
from kindlingtest.lab import ROOT, USER_NAMESPACE
from kindlingtest.manifests import experiment
from kubeflow import katib

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
        client.wait_for_experiment_condition("tuned", timeout=90, polling_interval=1)
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


def test_a_list_in_the_place_of_a_distribution_is_refused(client, shows):
    """The SDK's search.categorical passes its list as the distribution, which no cluster takes either: its message is shown."""
    with pytest.raises(RuntimeError):
        client.tune(name="listed", objective=objective, parameters={"a": katib.search.categorical(["x", "y"])}, objective_metric_name="score",
                    base_image=IMAGE, max_trial_count=1, parallel_trial_count=1)
    made = experiment("listed", "echo score=${trialParameters.x}", trials=1)
    made["spec"]["parameters"] = [{"name": "x", "parameterType": "categorical", "feasibleSpace": {"distribution": ["x", "y"]}}]
    with pytest.raises(kubernetes.client.ApiException) as refused:
        client.custom_api.create_namespaced_custom_object("kubeflow.org", "v1beta1", NS, "experiments", made)
    assert refused.value.status in (400, 422) and "distribution" in refused.value.body
    shows(json.loads(refused.value.body)["message"][:200])


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
        client.wait_for_experiment_condition("sdk-life", timeout=120, polling_interval=1)
        client.edit_experiment_budget("sdk-life", max_trial_count=3)
        lab.kubectl("wait", "experiment/sdk-life", "-n", NS, "--for=jsonpath={.status.trialsSucceeded}=3", "--timeout=60s")
        client.wait_for_experiment_condition("sdk-life", timeout=60, polling_interval=1)
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


OLDER = """
import sys
from kubeflow import katib

kubeconfig, namespace, name, image, address = sys.argv[1:]
client = katib.KatibClient(config_file=kubeconfig, namespace=namespace)


def objective(parameters):
    for step in range(2):
        print(f"score={float(parameters['a']) + step / 10}")


client.tune(name=name, objective=objective, parameters={"a": katib.search.double(min=0.1, max=0.5)}, objective_metric_name="score",
            max_trial_count=2, parallel_trial_count=2, base_image=image, packages_to_install=["six"], resources_per_trial={"cpu": "100m"},
            **({"metrics_collector_config": {"kind": "StdOut"}} if "metrics_collector_config" in katib.KatibClient.tune.__code__.co_varnames else {}))
client.wait_for_experiment_condition(name, timeout=90, polling_interval=1)
assert client.is_experiment_succeeded(name) and len(client.list_trials(name)) == 2
best = client.get_optimal_hyperparameters(name)
assert abs(float(best.observation.metrics[0].max) - float(best.parameter_assignments[0].value) - 0.1) < 1e-9
if "katib-0.17.0" not in katib.__file__:  # which calls a function that its own package does not have
    assert len(client.get_trial_metrics(best.best_trial_name, db_manager_address=address)) == 2
client.delete_experiment(name)
print(best.observation.metrics[0].max)
"""


@pytest.fixture
def manager_port(lab):
    """A port that leads to the database manager's socket file: before 0.18 the SDK takes host:port and nothing else."""
    path = str(lab.state / "run" / "katib-db-manager.sock")

    class Relay(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.socket(socket.AF_UNIX) as inner:
                inner.connect(path)
                other = {self.request: inner, inner: self.request}
                while True:
                    for source in select.select(list(other), [], [])[0]:
                        data = source.recv(65536)
                        if not data:
                            return
                        other[source].sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.full
@pytest.mark.parametrize("version", ["0.16.0", "0.17.0", "0.18.0"])
def test_older_sdks(lab, sdk_image, manager_port, shows, tmp_path, version):
    home = ROOT / ".build" / "tools" / "clients" / f"katib-{version}"
    # What 0.16 ships was generated for protobuf 3.
    environment = os.environ | {"PYTHONPATH": str(home), "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    name = "sdk-" + version.replace(".", "")
    # tune() looks the function's text up in its file.
    program = tmp_path / "tune.py"
    program.write_text(OLDER)
    words = [lab.kubeconfig, NS, name, sdk_image, f"127.0.0.1:{manager_port}"]
    try:
        result = subprocess.run([sys.executable, program, *map(str, words)], capture_output=True, text=True, env=environment, timeout=120, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    finally:
        lab.kubectl("delete", "experiment", name, "-n", NS, "--wait=false", "--ignore-not-found", check=False)
    shows(f"{version}: tune, wait, best, metrics and deletion; score {result.stdout.strip().splitlines()[-1]}")


def test_garbage_at_the_database_manager(lab, shows):
    """Its other callers are served on."""
    path = str(lab.state / "run" / "katib-db-manager.sock")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = bytes.fromhex("000000040000000000")
    garbage = [os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n", preface + os.urandom(4096), preface + settings + bytes.fromhex("ffffff010500000001") + b"x" * 100,
               preface + settings + bytes.fromhex("0000080700000000000000000000000000") * 1000]
    held = []
    for bytes_ in garbage:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(path)
        with contextlib.suppress(OSError):
            connection.sendall(bytes_)
        held.append(connection)
    with grpc.insecure_channel(f"unix:{path}") as channel:
        method = channel.unary_unary("/api.v1.beta1.DBManager/GetObservationLog")
        for message in [b"\xff" * 1000, b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x01"]:
            with pytest.raises(grpc.RpcError) as refused:
                method(message, timeout=10)
            assert refused.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), refused.value
        health = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert health(b"", timeout=10) == b"\x08\x01"
    for connection in held:
        connection.close()
    shows(f"{len(garbage)} broken connections, three broken messages: {refused.value.details()}")

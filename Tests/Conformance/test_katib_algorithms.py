"""Tuning beyond random and grid: other algorithms, metrics files, early stopping, trials of any kind."""

import json
import subprocess
import time

import pytest
import yaml
from kindlingtest.lab import ROOT, USER_NAMESPACE
from kindlingtest.manifests import experiment
from kindlingtest.manifests import job as make_job
from kindlingtest.suggestion import suggestion_program

NS = USER_NAMESPACE
DOUBLE = {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0.01", "max": "0.99"}}


def conditions(object):
    return {c["type"]: c for c in object["status"].get("conditions", []) if c["status"] == "True"}


def trials_of(lab, name):
    trials = json.loads(lab.kubectl("get", "trials", "-n", NS, "-l", f"katib.kubeflow.org/experiment={name}", "-o", "json").stdout)["items"]
    return sorted(trials, key=lambda trial: trial["metadata"]["creationTimestamp"])


def assignments(trial):
    return {p["name"]: p["value"] for p in trial["spec"]["parameterAssignments"]}


def metric(trial, name="score"):
    return next(m for m in trial["status"]["observation"]["metrics"] if m["name"] == name)


def settings(made, **values):
    made["spec"]["algorithm"]["algorithmSettings"] = [{"name": name, "value": str(value)} for name, value in values.items()]
    return made


@pytest.fixture
def run(lab):
    """Applies an experiment, waits for its end and gives it."""
    made = []

    def run(object, wait="condition=Succeeded", timeout=120):
        name = object["metadata"]["name"]
        made.append(name)
        lab.kubectl("apply", "-f", "-", input=object)
        if wait:
            lab.wait(f"experiment/{name}", wait, NS, timeout)
        return lab.get("experiment", name)

    yield run
    for name in made:
        lab.kubectl("delete", "experiment", name, "-n", NS, "--wait=false", check=False)


def test_sobol_fills_the_space(lab, run, shows):
    parameters = [DOUBLE | {"feasibleSpace": {"min": "0", "max": "1"}}, {"name": "y", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}]
    run(experiment("sobol", "echo score=${trialParameters.x} ${trialParameters.y}", parallel=3, trials=3, algorithm="sobol", parameters=parameters))
    points = sorted((float(assignments(t)["x"]), float(assignments(t)["y"])) for t in trials_of(lab, "sobol"))
    assert points == [(0.25, 0.75), (0.5, 0.5), (0.75, 0.25)]
    shows(f"{points}")


def test_hyperband_gives_the_best_more(lab, run, shows):
    parameters = [DOUBLE, {"name": "epochs", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "4"}}]
    made = experiment("hyperband", "echo score=${trialParameters.x} after ${trialParameters.epochs}", parallel=4, trials=7, algorithm="hyperband", parameters=parameters)
    seen = run(settings(made, r_l=4, eta=2, resource_name="epochs", random_state=1))
    assert seen["status"]["trials"] == 7
    by_epochs = {}
    for trial in trials_of(lab, "hyperband"):
        by_epochs.setdefault(assignments(trial)["epochs"], []).append(float(assignments(trial)["x"]))
    assert {epochs: len(rates) for epochs, rates in by_epochs.items()} == {"1": 4, "2": 2, "4": 1}
    assert sorted(by_epochs["2"]) == sorted(by_epochs["1"])[-2:] and by_epochs["4"] == [max(by_epochs["1"])]
    state = {s["name"]: s["value"] for s in lab.get("suggestion", "hyperband")["status"]["algorithmSettings"]}
    assert state["s_max"] == "2" and state["resource_name"] == "epochs"
    shows(f"trials by epochs {by_epochs}")


def test_bad_settings_fail_with_upstreams_words(lab, run, shows):
    made = settings(experiment("badset", "echo score=1", parallel=1, trials=1, parameters=[DOUBLE]), random_state=-1)
    seen = run(made, wait="condition=Failed", timeout=30)
    message = conditions(seen)["Failed"]["message"]
    assert "random_state should be great or equal than zero" in message
    shows(message)


def test_what_is_not_here_is_waited_for_and_named(lab, run, shows):
    made = experiment("kindless", "echo score=${trialParameters.x}", parallel=1, trials=1, parameters=[DOUBLE])
    template = made["spec"]["trialTemplate"]
    template["trialSpec"] = {"apiVersion": "tune.example.com/v1", "kind": "Trainer", "spec": {"rate": "${trialParameters.x}"}}
    template["successCondition"] = 'status.conditions.#(type=="Done")#|#(status=="True")#'
    template["failureCondition"] = 'status.conditions.#(type=="Broken")#|#(status=="True")#'
    seen = run(made, wait="condition=Waiting", timeout=30)
    kind = conditions(seen)["Waiting"]["message"]
    assert "tune.example.com/v1/Trainer" in kind and not {"Failed", "Succeeded"} & set(conditions(seen))
    shows(kind)


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trainers.tune.example.com}
spec:
  group: tune.example.com
  scope: Namespaced
  names: {plural: trainers, singular: trainer, kind: Trainer}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


def test_a_kind_of_the_users_own_as_trial(lab, run, shows):
    made = experiment("own", "echo score=${trialParameters.x}", parallel=1, trials=1, parameters=[DOUBLE])
    template = made["spec"]["trialTemplate"]
    template["trialSpec"] = {"apiVersion": "tune.example.com/v1", "kind": "Trainer", "spec": {"rate": "${trialParameters.x}"}}
    template["retain"] = True
    template["successCondition"] = 'status.conditions.#(type=="Done")#|#(status=="True")#'
    template["failureCondition"] = 'status.conditions.#(type=="Broken")#|#(status=="True")#'
    run(made, wait="condition=Waiting", timeout=30)
    try:
        lab.kubectl("apply", "-f", "-", input=yaml.safe_load(CRD))
        lab.kubectl("wait", "crd/trainers.tune.example.com", "--for=condition=Established", "--timeout=30s")
        # The trial goes on as soon as its kind is there.
        lab.wait("experiment/own", "jsonpath={.status.trialsRunning}=1", NS, 30)
        name = trials_of(lab, "own")[0]["metadata"]["name"]
        trainer = lab.get("trainer", name)
        assert float(trainer["spec"]["rate"]) == float(assignments(trials_of(lab, "own")[0])["x"])
        pod = make_job("unused", "echo score=0.5")["spec"]["template"]
        owner = {"apiVersion": "tune.example.com/v1", "kind": "Trainer", "name": name, "uid": trainer["metadata"]["uid"], "controller": True}
        lab.kubectl("apply", "-n", NS, "-f", "-", input={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "ownerReferences": [owner]}, **pod})
        lab.wait(f"pod/{name}", "jsonpath={.status.phase}=Succeeded", NS, 30)
        done = [{"type": "Done", "status": "True", "reason": "Trained", "message": "all done"}]
        lab.kubectl("patch", "trainer", name, "-n", NS, "--subresource=status", "--type=merge", "-p", json.dumps({"status": {"conditions": done}}))
        lab.wait("experiment/own", "condition=Succeeded", NS, 30)
        trial = trials_of(lab, "own")[0]
        assert metric(trial)["latest"] == "0.5" and "Job reason: Trained" in conditions(trial)["Succeeded"]["reason"]
    finally:
        lab.kubectl("delete", "crd", "trainers.tune.example.com", "--ignore-not-found", "--timeout=60s", check=False)
    shows(conditions(trial)["Succeeded"]["reason"])


def file_experiment(name, script, path="/metrics/m.log", format="TEXT", filters=None, **options):
    made = experiment(name, script, parallel=1, trials=1, failed=1, parameters=[DOUBLE], **options)
    source = {"fileSystemPath": {"path": path, "kind": "File", "format": format}}
    if filters:
        source["filter"] = {"metricsFormat": filters}
    made["spec"]["metricsCollectorSpec"] = {"collector": {"kind": "File"}, "source": source}
    return made


def test_metrics_of_files(lab, run, shows):
    run(file_experiment("text", "echo score=9; echo 'score is 0.25' > /metrics/m.log; echo '{score: 0.75}' >> /metrics/m.log",
                        filters=[r"(\w+) is ([\d.]+)", r"{(\w+): ([\d.]+)}"]))
    text = metric(trials_of(lab, "text")[0])
    assert (text["min"], text["max"], text["latest"]) == ("0.25", "0.75", "0.75")
    run(file_experiment("lines", """echo '{"score": "0.5", "timestamp": 1700000000.5}' > /metrics/m.log; echo 'no json' >> /metrics/m.log;
                                    echo '{"score": 0.625}' >> /metrics/m.log""", format="JSON"))
    lines = metric(trials_of(lab, "lines")[0])
    assert (lines["min"], lines["max"], lines["latest"]) == ("0.5", "0.625", "0.625")
    rows = json.loads(lab.lab("sql", "-o", "json", "select time from metrics where experiment = 'lines' order by time").stdout)
    assert rows[0]["time"].startswith("2023-11-14T22:13:20.5")
    shows(f"TEXT with two filters: {text}; JSON: {lines}")


# Written by tensorboard 2.21's EventFileWriter: loss 0.5, 0.25 and accuracy 0.5, 0.75.
EVENTS = (
    "SAAAAAAAAAD+kkidCTXNvVfJwdpBGg1icmFpbi5FdmVudDoyUi4KLHRlbnNvcmJvYXJkLnN1bW1hcnkud3JpdGVyLmV2ZW50X2ZpbGVfd3JpdGVyeoz6oiwA"
    "AAAAAAAA9K7MRQkAAABA/FTZQSohCh8KBGxvc3NCCggBEgAqBAAAAD9KCwoJCgdzY2FsYXJz7u1lriEAAAAAAAAAAXvs9gkAAABA/FTZQSoWChQKCGFjY3Vy"
    "YWN5QggIASIEAAAAP7f9gsEuAAAAAAAAAMXLV/oJAABAQPxU2UEQASohCh8KBGxvc3NCCggBEgAqBAAAgD5KCwoJCgdzY2FsYXJz/lIyhSMAAAAAAAAAsJ93"
    "QwkAAEBA/FTZQRABKhYKFAoIYWNjdXJhY3lCCAgBIgQAAEA/sixxyQ=="
)


def test_metrics_of_event_files(lab, run, shows):
    made = experiment("events", f"mkdir /tb/train; echo {EVENTS} | base64 -d > /tb/train/events.out.tfevents.1", parallel=1, trials=1, failed=1,
                      metric="train/loss", parameters=[DOUBLE])
    made["spec"]["objective"] |= {"type": "minimize", "additionalMetricNames": ["accuracy"]}
    made["spec"]["metricsCollectorSpec"] = {
        "collector": {"kind": "TensorFlowEvent"}, "source": {"fileSystemPath": {"path": "/tb", "kind": "Directory"}}}
    run(made)
    trial = trials_of(lab, "events")[0]
    loss, accuracy = metric(trial, "train/loss"), metric(trial, "accuracy")
    assert (loss["min"], loss["max"], loss["latest"]) == ("0.25", "0.5", "0.25") and accuracy["latest"] == "0.75"
    shows(f"{loss}, {accuracy}")


@pytest.mark.parametrize("script, said", [
    ("mkfifo /metrics/m.log; echo score=1", "FIFO"),
    ("ln -s /etc/shadow /metrics/m.log; echo score=1", "symbolic link"),
    ("echo score=1", "never written"),
], ids=["fifo", "symlink", "missing"])
def test_a_file_that_is_none_is_told(lab, run, shows, script, said):
    run(file_experiment("nofile", script), wait="jsonpath={.status.trialMetricsUnavailable}=1", timeout=60)
    message = conditions(trials_of(lab, "nofile")[0])["MetricsUnavailable"]["message"]
    assert said in message
    shows(message)


def test_median_stop_ends_all_processes_at_the_line(lab, run, shows):
    # The first trial is good; the others are worse from their first line on, and would print for an hour, with a helper beside them.
    script = """if [ ${trialParameters.n} = 1 ]; then echo score=0.9; echo score=0.9; exit; fi
                sleep 3600 & while :; do echo score=0.${trialParameters.n}; sleep 0.2; done"""
    grid = [{"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "3"}}]
    made = experiment("median", script, parallel=1, trials=3, algorithm="grid", parameters=grid)
    made["spec"]["trialTemplate"]["retain"] = True
    made["spec"]["earlyStopping"] = {"algorithmName": "medianstop", "algorithmSettings": [
        {"name": "min_trials_required", "value": "1"}, {"name": "start_step", "value": "2"}]}
    began = time.monotonic()
    seen = run(made, timeout=60)
    took = time.monotonic() - began
    trials = {assignments(t)["n"]: t for t in trials_of(lab, "median")}
    assert seen["status"]["trialsEarlyStopped"] == 2 and seen["status"]["trialsSucceeded"] == 1
    for n in ("2", "3"):
        rule, = trials[n]["spec"]["earlyStoppingRules"]
        assert rule == {"name": "score", "value": "0.9", "comparison": "less", "startStep": 2}
        state = conditions(trials[n])["EarlyStopped"]
        assert (state["reason"], state["message"]) == ("TrialEarlyStopped", "Trial is early stopped")
        assert metric(trials[n])["max"] == f"0.{n}"
        name = trials[n]["metadata"]["name"]
        lab.wait(f"job/{name}", "condition=Complete", NS, 20)
        pods = json.loads(lab.kubectl("get", "pods", "-n", NS, "-l", f"katib.kubeflow.org/trial={name}", "-o", "json").stdout)["items"]
        ended = pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]
        assert ended["exitCode"] == 0 and ended["reason"] == "Completed"
    shows(f"two of three stopped, {took:.0f} s in all; {rule}")


def test_an_experiment_goes_on_when_its_budget_is_raised(lab, run, shows):
    made = experiment("again", "echo score=${trialParameters.x}", parallel=2, trials=2, parameters=[DOUBLE])
    made["spec"]["resumePolicy"] = "LongRunning"
    run(made)
    refused = lab.kubectl("patch", "experiment", "again", "-n", NS, "--type=merge", "-p", '{"spec":{"maxTrialCount":2,"parallelTrialCount":1}}', check=False)
    assert "must be greater than status.trials count" in refused.stderr
    lab.kubectl("patch", "experiment", "again", "-n", NS, "--type=merge", "-p", '{"spec":{"maxTrialCount":4}}')
    lab.wait("experiment/again", "jsonpath={.status.trialsSucceeded}=4", NS, 60)
    lab.wait("experiment/again", "condition=Succeeded", NS, 60)
    never = experiment("once", "echo score=${trialParameters.x}", parallel=1, trials=1, parameters=[DOUBLE])
    run(never)
    refused = lab.kubectl("patch", "experiment", "once", "-n", NS, "--type=merge", "-p", '{"spec":{"maxTrialCount":4}}', check=False)
    assert "Experiment can be restarted if it is in succeeded state by reaching max trials" in refused.stderr
    shows("2 trials, then 4; resumePolicy Never refuses")


MIXED = [DOUBLE, {"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "64", "distribution": "logUniform"}},
         {"name": "k", "parameterType": "categorical", "feasibleSpace": {"list": ["a", "b"]}}]
SCORE = "echo score=0${trialParameters.x} ${trialParameters.n} ${trialParameters.k}"


@pytest.mark.parametrize("algorithm, values", [
    ("multivariate-tpe", {"n_startup_trials": 2}), ("cmaes", {"restart_strategy": "ipop"}),
    ("bayesianoptimization", {"base_estimator": "ET", "n_initial_points": 3, "acq_func": "EI"}),
], ids=["multivariate-tpe", "cmaes", "bayesianoptimization"])
def test_algorithms_of_python_libraries(lab, run, shows, algorithm, values):
    name = f"py-{algorithm[:5]}"
    seen = run(settings(experiment(name, SCORE, parallel=3, trials=6, algorithm=algorithm, parameters=MIXED), random_state=11, **values))
    trials = trials_of(lab, name)
    assert seen["status"]["trialsSucceeded"] == 6 == len(trials)
    for trial in trials:
        given = assignments(trial)
        assert 0.01 <= float(given["x"]) <= 0.99 and 1 <= int(given["n"]) <= 64 and given["k"] in ("a", "b")
    assert len({json.dumps(assignments(t)) for t in trials}) == 6
    best = max(float(assignments(t)["x"]) for t in trials)
    assert float({p["name"]: p["value"] for p in seen["status"]["currentOptimalTrial"]["parameterAssignments"]}["x"]) == best
    # The service goes when it is not needed any more.
    lab.kubectl("wait", "pod", "-n", NS, "-l", f"katib.kubeflow.org/suggestion={name}", "--for=delete", "--timeout=30s", check=False)
    assert not json.loads(lab.kubectl("get", "pods", "-n", NS, "-l", f"katib.kubeflow.org/suggestion={name}", "-o", "json").stdout)["items"]
    shows(f"{[(t['x'][:5], t['n'], t['k']) for t in map(assignments, trials)]}")


def test_a_service_that_is_killed_changes_nothing(lab, run, shows):
    def tune(name):
        return settings(experiment(name, SCORE, parallel=1, trials=5, algorithm="tpe", parameters=MIXED), random_state=3)

    def in_order(name):
        return [assignments(t) for t in sorted(trials_of(lab, name), key=lambda t: order(name).index(t["metadata"]["name"]))]

    def order(name):
        return [s["name"] for s in lab.get("suggestion", name)["status"]["suggestions"]]

    run(tune("calm"))
    run(tune("killed"), wait="jsonpath={.status.trialsSucceeded}=2", timeout=60)
    lab.kubectl("delete", "pod", "killed-tpe", "-n", NS, "--force", "--grace-period=0", "--ignore-not-found")
    lab.wait("experiment/killed", "condition=Succeeded", NS, 90)
    assert in_order("killed") == in_order("calm"), "the same random state and history give the same trials"
    assert len(order("killed")) == 5 == len(set(order("killed")))
    shows(f"five trials alike: x = {[t['x'][:6] for t in in_order('calm')]}")


def test_pbt_hands_checkpoints_from_parent_to_child(lab, run, shows):
    # Each trial adds one line to what it was left: its depth is its score.
    script = "echo ${trialParameters.x} >> /ckpt/steps; echo score=$(wc -l < /ckpt/steps)"
    made = experiment("pbt", script, parallel=5, trials=11, algorithm="pbt", parameters=[DOUBLE])
    seen = run(settings(made, suggestion_trial_dir="/ckpt", n_population=5, truncation_threshold=0.2, random_state=2), timeout=90)
    assert seen["status"]["trialsSucceeded"] == 11
    trials = {t["metadata"]["name"]: t for t in trials_of(lab, "pbt")}
    prefix = "pbt.suggestion.katib.kubeflow.org"
    depths = []
    for trial in trials.values():
        labels = trial["metadata"]["labels"]
        generation, parent = int(labels[f"{prefix}/generation"]), labels.get(f"{prefix}/parent")
        assert int(metric(trial)["latest"]) == generation + 1, "a child goes on where its parent ended"
        assert (parent is None) == (generation == 0)
        if parent:
            assert int(trials[parent]["metadata"]["labels"][f"{prefix}/generation"]) == generation - 1
        depths.append(generation)
    assert max(depths) >= 1
    shows(f"generations {sorted(depths)}")


def test_a_workflow_as_trial(lab, run, shows):
    made = experiment("flow", "unused ${trialParameters.x}", parallel=1, trials=2, parameters=[DOUBLE])
    template = made["spec"]["trialTemplate"]
    template |= {"retain": True, "primaryPodLabels": {"katib.kubeflow.org/model-training": "true"},
                 "successCondition": 'status.[@this].#(phase=="Succeeded")#', "failureCondition": 'status.[@this].#(phase=="Failed")#'}
    template["trialSpec"] = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {"entrypoint": "tune", "templates": [
            {"name": "tune", "steps": [[{"name": "prepare", "template": "epochs"}],
                                       [{"name": "train", "template": "train", "arguments": {"parameters": [
                                           {"name": "epochs", "value": "3"}]}}]]},
            {"name": "epochs", "container": {"image": "busybox", "command": ["echo", "score=9"]}},
            {"name": "train", "metadata": {"labels": {"katib.kubeflow.org/model-training": "true"}}, "inputs": {"parameters": [{"name": "epochs"}]},
             "container": {"image": "busybox", "command": ["sh", "-c", "echo epochs={{inputs.parameters.epochs}} score=${trialParameters.x}"]}}]}}
    seen = run(made)
    assert seen["status"]["trialsSucceeded"] == 2
    for trial in trials_of(lab, "flow"):
        assert metric(trial)["latest"] == assignments(trial)["x"], "only the training step's output counts"
    made["metadata"]["name"] = "flowfails"
    template["trialSpec"]["spec"]["templates"][2]["container"]["command"] = ["sh", "-c", "echo ${trialParameters.x}; exit 3"]
    made["spec"]["maxFailedTrialCount"] = 1
    seen = run(made, wait="condition=Failed", timeout=60)
    assert seen["status"]["trialsFailed"] == 1
    shows("two workflows gave their metrics; one that failed ends its experiment")


def test_katibs_own_example_images(lab, run, shows):
    # As upstream's file-metrics-collector examples run them.
    mnist = "python3 /opt/pytorch-mnist/mnist.py --epochs=2 --batch-size=64 --lr=${trialParameters.lr} --momentum=0.5 --log-path=/katib/log"
    rate = [{"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.05", "max": "0.1"}}]
    for name, more, options in [("mnist", "", {"filters": [r"{metricName: ([\w|-]+), metricValue: ((-?\d+)(\.\d+)?)}"]}),
                                ("mnistjson", " --logger=hypertune", {"format": "JSON"})]:
        made = file_experiment(name, mnist + more, path="/katib/log", metric="accuracy", image="ghcr.io/kubeflow/katib/pytorch-mnist-cpu:latest", **options)
        made["spec"]["parameters"] = rate
        made["spec"]["trialTemplate"]["trialParameters"] = [{"name": "lr", "reference": "lr"}]
        del made["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]["env"]
        run(made)
        accuracy = metric(trials_of(lab, name)[0], "accuracy")
        assert 0.6 < float(accuracy["max"]) <= 1
    shows(f"accuracy {accuracy} after two epochs")


RASTRIGIN = """
import math, numpy, evolution
from space import Parameter

names = ["x", "y"]
parameters = [{"name": n, "parameterType": "double", "feasibleSpace": {"min": "-5.12", "max": "5.12"}} for n in names]
request = {"settings": {"random_state": "3", "restart_strategy": STRATEGY}, "goal": "minimize", "parameters": parameters, "given": []}
state, generation = evolution.evolve(request, [Parameter(p) for p in parameters])
while len(request["given"]) < 3000:
    told = []
    for _ in range(state.optimizer.population_size):
        texts = {p.name: p.from_unit(float(unit)) for p, unit in zip(state.continuous, state.optimizer.ask())}
        value = 20 + sum(float(t) ** 2 - 10 * math.cos(2 * math.pi * float(t)) for t in texts.values())
        told.append((numpy.array([p.to_unit(texts[p.name]) for p in state.continuous]), value))
        request["given"].append({"values": texts, "labels": {evolution.LABEL: str(generation)}, "state": "succeeded", "value": value,
                                 "completed": f"{len(request['given']):08}"})
    state.tell(told)
    generation += 1
again, same = evolution.evolve(request, state.continuous)
assert same == generation and again.restarts == state.restarts and (again.optimizer.mean == state.optimizer.mean).all()
print(state.restarts, state.first_population, state.optimizer.population_size, min(entry["value"] for entry in request["given"]))
"""


@pytest.mark.parametrize("strategy", ["none", "ipop", "bipop"])
def test_cmaes_restarts_and_its_history_says_all(strategy, shows):
    with suggestion_program(RASTRIGIN.replace("STRATEGY", repr(strategy))) as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    restarts, first, last, best = output.split()
    assert (int(restarts) > 0) == (strategy != "none")
    if strategy == "ipop":
        assert int(last) == int(first) * 2 ** int(restarts)
    shows(f"{restarts} restarts, population {first} then {last}, best {float(best):.3g}")


SERVE = "import sys, service; server, port = service.serve(0); print(port, flush=True); sys.stdin.read(); server.stop(0)"


def test_the_service_speaks_katibs_api(shows):
    """Asked with upstream's own messages, as the SDK ships them."""
    import grpc
    import kubeflow.katib.katib_api_pb2 as api
    import kubeflow.katib.katib_api_pb2_grpc as rpc

    with suggestion_program(SERVE, stdin=subprocess.PIPE) as process:
        try:
            stub = rpc.SuggestionStub(grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}"))
            request = api.GetSuggestionsRequest(current_request_number=2, total_request_number=4)
            spec = request.experiment.spec
            request.experiment.name = "asked"
            spec.objective.type, spec.objective.objective_metric_name = api.MAXIMIZE, "score"
            for name in ("x", "y"):
                space = spec.parameter_specs.parameters.add(name=name, parameter_type=api.DOUBLE).feasible_space
                space.min, space.max, space.distribution = "0.1", "1", api.LOG_UNIFORM
            trial = request.trials.add(name="asked-1")
            trial.status.condition = api.TrialStatus.SUCCEEDED
            trial.status.observation.metrics.add(name="score", value="0.5")
            for name in ("x", "y"):
                trial.spec.parameter_assignments.assignments.add(name=name, value="0.3")
            for algorithm in ("tpe", "multivariate-tpe", "cmaes", "bayesianoptimization"):
                spec.algorithm.algorithm_name = algorithm
                stub.ValidateAlgorithmSettings(api.ValidateAlgorithmSettingsRequest(experiment=request.experiment), timeout=60)
                first, again = stub.GetSuggestions(request, timeout=60), stub.GetSuggestions(request, timeout=60)
                assert first == again, "the answer depends on the request alone"
                for suggested in first.parameter_assignments:
                    assert [a.name for a in suggested.assignments] == ["x", "y"] and all(0.1 <= float(a.value) <= 1 for a in suggested.assignments)
                assert len(first.parameter_assignments) == 2
            spec.algorithm.algorithm_name = "unheard-of"
            with pytest.raises(grpc.RpcError) as refused:
                stub.GetSuggestions(request, timeout=60)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "unheard-of" in refused.value.details()
        finally:
            process.stdin.close()
    shows(f"four algorithms; {refused.value.details()}")

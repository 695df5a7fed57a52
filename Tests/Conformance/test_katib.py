"""Point 11: tuning, as Katib does it."""

import json

import pytest
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import experiment, path_of, seed

NS = USER_NAMESPACE


def conditions(object):
    return {c["type"]: c for c in object["status"].get("conditions", []) if c["status"] == "True"}


def trials_of(lab, name):
    return json.loads(lab.kubectl("get", "trials", "-n", NS, "-l", f"katib.kubeflow.org/experiment={name}", "-o", "json").stdout)["items"]


def assignments(trial):
    return {p["name"]: p["value"] for p in trial["spec"]["parameterAssignments"]}


def metric(trial, name):
    return next(m for m in trial["status"]["observation"]["metrics"] if m["name"] == name)


@pytest.fixture
def apply(lab):
    made = []

    def apply(object):
        made.append(object["metadata"]["name"])
        lab.kubectl("apply", "-f", "-", input=object)

    yield apply
    for name in made:
        lab.kubectl("delete", "experiment", name, "-n", NS, "--wait=false", check=False)


def test_the_seeds_experiment_to_its_end(lab, shows):
    """The manifest unchanged. Its goal may or may not be reached by real training: either way the counts are Katib's."""
    lab.kubectl("apply", "-f", path_of("experiment.yaml"))
    try:
        lab.wait("experiment/random-example", "condition=Succeeded", NS, 240)
        seen = lab.get("experiment", "random-example")
        status, trials = seen["status"], trials_of(lab, "random-example")
        reason = conditions(seen)["Succeeded"]["reason"]
        assert reason in ("ExperimentGoalReached", "ExperimentMaxTrialsReached")
        if reason == "ExperimentMaxTrialsReached":
            assert status["trials"] == 12 and status["trialsSucceeded"] == 12 and len(trials) == 12
        sets = {json.dumps(assignments(t), sort_keys=True) for t in trials}
        assert len(sets) == len(trials), "no parameter set twice"
        for trial in trials:
            values = assignments(trial)
            assert 0.01 <= float(values["lr"]) <= 0.03 and 2 <= int(values["num-layers"]) <= 5 and values["optimizer"] in ("sgd", "adam", "ftrl")
        best = status["currentOptimalTrial"]
        done = [t for t in trials if "Succeeded" in conditions(t)]
        top = max(float(metric(t, "Validation-accuracy")["max"]) for t in done)
        found = next(m for m in best["observation"]["metrics"] if m["name"] == "Validation-accuracy")
        assert abs(float(found["max"]) - top) < 1e-9, "the optimal trial is the best one"
        assert status["startTime"] and status["completionTime"]
        table = lab.kubectl("get", "experiment", "random-example", "-n", NS).stdout
        assert table.splitlines()[0].split() == ["NAME", "TYPE", "STATUS", "AGE"]
        shows(f"{reason}, {len(trials)} trials, best {found['max']} with {best['parameterAssignments']}")
    finally:
        lab.kubectl("delete", "experiment", "random-example", "-n", NS, check=False)
    selector = "katib.kubeflow.org/experiment=random-example"
    for kind in ("trials", "jobs", "suggestions"):
        # Owned objects go in the background; nothing there any more is no error here.
        lab.kubectl("wait", kind, "-n", NS, "-l", selector, "--for=delete", "--timeout=30s", check=False)
    assert lab.kubectl("get", "trials,jobs,suggestions", "-n", NS, "-l", selector, "-o", "name").stdout == ""


def test_goal_out_of_reach_makes_exactly_twelve(lab, apply, shows):
    apply(experiment("reach", "echo score=0.${trialParameters.n}; echo $KATIB_TRIAL_NAME", parallel=3, trials=12, failed=3, goal=5.0, parameters=[
        {"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "1000000"}}]))
    lab.wait("experiment/reach", "condition=Succeeded", NS, 120)
    seen = lab.get("experiment", "reach")
    trials = trials_of(lab, "reach")
    assert conditions(seen)["Succeeded"]["reason"] == "ExperimentMaxTrialsReached"
    assert len(trials) == 12 == seen["status"]["trialsSucceeded"] and len({t["metadata"]["name"] for t in trials}) == 12
    suggestion = lab.get("suggestion", "reach")
    assert suggestion["status"]["suggestionCount"] == 12
    assert "Created" in {c["type"] for c in seen["status"]["conditions"]} and "Running" in {c["type"] for c in seen["status"]["conditions"]}
    shows("12 trials, ExperimentMaxTrialsReached")


def test_goal_half_way_ends_early(lab, apply, shows):
    grid = [{"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "12"}}]
    apply(experiment("early", "echo score=${trialParameters.n}", parallel=1, trials=12, goal=6.0, algorithm="grid", parameters=grid))
    lab.wait("experiment/early", "condition=Succeeded", NS, 120)
    seen = lab.get("experiment", "early")
    assert conditions(seen)["Succeeded"]["reason"] == "ExperimentGoalReached"
    assert seen["status"]["trials"] < 12
    best = seen["status"]["currentOptimalTrial"]["observation"]["metrics"][0]
    assert float(best["latest"]) >= 6
    shows(f"ExperimentGoalReached after {seen['status']['trials']} trials, best {best}")


def test_parallel_trial_count_is_honoured(lab, apply, shows):
    apply(experiment("par", "sleep 0.5; echo score=1", parallel=3, trials=6))
    watch = lab.start_kubectl("get", "experiment", "par", "-n", NS, "-w", "-o", "json")
    running, decoder, text = [], json.JSONDecoder(), ""
    try:
        for line in watch.stdout:
            text += line
            if line == "}\n":
                status = decoder.decode(text).get("status", {})
                text = ""
                running.append(status.get("trialsRunning", 0) + status.get("trialsPending", 0))
                if any(c["type"] == "Succeeded" and c["status"] == "True" for c in status.get("conditions", [])):
                    break
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()
    assert 1 <= max(running) <= 3
    shows(f"at most {max(running)} at once")


def test_failed_trials_end_it(lab, apply, shows):
    made = experiment("fails", "exit 1", parallel=2, trials=10, failed=2)
    # A Job tries a failed pod six times, waiting longer and longer; here the first failure counts.
    made["spec"]["trialTemplate"]["trialSpec"]["spec"]["backoffLimit"] = 0
    apply(made)
    lab.wait("experiment/fails", "condition=Failed", NS, 90)
    seen = lab.get("experiment", "fails")
    reason = conditions(seen)["Failed"]["reason"]
    assert reason == "ExperimentFailed" and seen["status"]["trialsFailed"] >= 2
    shows(f"{reason}: {conditions(seen)['Failed']['message']}")


def test_not_a_number_never_wins(lab, apply, shows):
    grid = [{"name": "k", "parameterType": "categorical", "feasibleSpace": {"list": ["nan", "inf", "-inf", "0.25", "words"]}}]
    apply(experiment("odd", "echo score=${trialParameters.k}; echo score=${trialParameters.k}", parallel=2, trials=5, failed=5, algorithm="grid", parameters=grid))
    lab.kubectl("wait", "experiment/odd", "-n", NS, "--for=jsonpath={.status.completionTime}", "--timeout=90s")
    best = lab.get("experiment", "odd")["status"]["currentOptimalTrial"]
    assert {p["name"]: p["value"] for p in best["parameterAssignments"]} == {"k": "0.25"}
    rows = json.loads(lab.lab("sql", "-o", "json", "select value from metrics where experiment = 'odd' and name = 'score'").stdout)
    values = {str(row["value"]).lower() for row in rows}
    assert "nan" in values and "0.25" in values
    shows(f"best is 0.25; recorded as printed: {sorted(values)}")


def test_metric_that_never_appears(lab, apply, shows):
    apply(experiment("silent", "echo the last words", parallel=1, trials=1, failed=1))
    lab.kubectl("wait", "trial", "-n", NS, "-l", "katib.kubeflow.org/experiment=silent", "--for=condition=MetricsUnavailable", "--timeout=60s", check=False)
    lab.kubectl("wait", "experiment/silent", "-n", NS, "--for=jsonpath={.status.trialMetricsUnavailable}=1", "--timeout=60s")
    trial = trials_of(lab, "silent")[0]
    state = conditions(trial)["MetricsUnavailable"]
    assert "the last words" in state["message"]
    shows(state["message"].replace("\n", " | ")[:200])


def test_metrics_on_standard_error_count(lab, apply, shows):
    made = experiment("err", "echo first; echo score=0.5 >&2; echo last", parallel=1, trials=1)
    made["spec"]["trialTemplate"]["retain"] = True  # else the pod goes with its trial's end
    apply(made)
    lab.wait("experiment/err", "condition=Succeeded", NS, 60)
    trial = trials_of(lab, "err")[0]
    assert metric(trial, "score")["latest"] == "0.5"
    pods = json.loads(lab.kubectl("get", "pods", "-n", NS, "-l", "katib.kubeflow.org/experiment=err", "-o", "json").stdout)["items"]
    text = lab.kubectl("logs", pods[0]["metadata"]["name"], "-n", NS, "-c", "metrics-logger-and-collector").stdout
    assert [line for line in text.splitlines() if line] == ["first", "score=0.5", "last"], "in order"
    shows("score from standard error; log in order")


def test_unknown_field_is_refused_with_its_path(lab, shows):
    wrong = seed("experiment.yaml")
    wrong["metadata"]["name"] = "typo"
    wrong["spec"]["paralelTrialCount"] = 3
    result = lab.kubectl("create", "-f", "-", input=wrong, check=False)
    assert result.returncode != 0 and 'unknown field "spec.paralelTrialCount"' in result.stderr
    del wrong["spec"]["paralelTrialCount"]
    # Katib's webhook looks into the template of a Job, and of no other kind.
    wrong["spec"]["trialTemplate"]["trialSpec"]["spec"]["anything"] = {"goes": True}
    template = lab.kubectl("create", "--dry-run=server", "-f", "-", input=wrong, check=False).stderr
    assert 'invalid spec.trialTemplate: unable to convert: unknown field "spec.anything" to Job' in template
    wrong["spec"]["trialTemplate"]["trialSpec"] |= {"apiVersion": "tune.example.com/v1", "kind": "Trainer"}
    wrong["spec"]["trialTemplate"] |= {"successCondition": "status.done", "failureCondition": "status.failed"}
    lab.kubectl("create", "--dry-run=server", "-f", "-", input=wrong)
    wrong["spec"]["parallelTrialCount"] = "three"
    assert "parallelTrialCount" in lab.kubectl("create", "-f", "-", input=wrong, check=False).stderr
    shows(result.stderr.strip())


def test_katibs_own_checks(lab, shows):
    object = experiment("bad", "echo score=${trialParameters.nobody}")
    result = lab.kubectl("create", "-f", "-", input=object, check=False)
    assert result.returncode != 0 and "nobody" in result.stderr
    object = experiment("bad", "true", algorithm="nonsense")
    assert lab.kubectl("create", "-f", "-", input=object, check=False).returncode != 0
    shows(result.stderr.strip()[:200])


def test_grid_covers_all_and_stops(lab, apply, shows):
    grid = [{"name": "a", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "2"}},
            {"name": "b", "parameterType": "categorical", "feasibleSpace": {"list": ["x", "y"]}}]
    apply(experiment("grid", "echo score=${trialParameters.a} # ${trialParameters.b}", parallel=2, trials=4, algorithm="grid", parameters=grid))
    lab.wait("experiment/grid", "condition=Succeeded", NS, 90)
    sets = sorted(tuple(assignments(t).values()) for t in trials_of(lab, "grid"))
    assert sets == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]
    shows(f"{sets}")


def test_the_log_of_a_trial_under_both_names(lab, shows):
    made = experiment("kept", "echo first; echo score=0.5 >&2; echo last", trials=1)
    made["spec"]["trialTemplate"]["retain"] = True
    try:
        lab.kubectl("apply", "-f", "-", input=made)
        lab.wait("experiment/kept", "condition=Succeeded", NS, 60)
        pods = json.loads(lab.kubectl("get", "pods", "-n", NS, "-l", "katib.kubeflow.org/experiment=kept", "-o", "json").stdout)["items"]
        assert len(pods) == 1 and pods[0]["metadata"]["labels"]["katib.kubeflow.org/trial"]
        name = pods[0]["metadata"]["name"]
        text = lab.kubectl("logs", name, "-n", NS, "-c", "main").stdout
        assert text.splitlines() == ["first", "score=0.5", "last"], "both streams, in order"
        assert text == lab.kubectl("logs", name, "-n", NS, "-c", "metrics-logger-and-collector").stdout
        assert text == lab.kubectl("logs", "-f", name, "-n", NS, "-c", "metrics-logger-and-collector").stdout
        lab.kubectl("annotate", "pod", name, "-n", NS, "looked-at=yes")
        lab.kubectl("replace", "-f", "-", input=lab.get("pod", name, NS))
        assert lab.get("pod", name, NS)["metadata"]["annotations"]["looked-at"] == "yes", "a trial's pod can be annotated and put back"
    finally:
        lab.kubectl("delete", "experiment", "kept", "-n", NS, "--ignore-not-found", check=False)
    shows("stdout and stderr in order under main and metrics-logger-and-collector")

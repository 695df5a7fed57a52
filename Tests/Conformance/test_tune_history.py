"""lab experiment resume, export-study and import, lab tune --warm-start: searches go on, and their history goes in and out."""

import copy
import csv
import json
import sqlite3
import subprocess

import pytest
import yaml
from kindlingtest.manifests import experiment
from kindlingtest.suggestion import suggestion_program

pytestmark = pytest.mark.same_for_all

X = [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}, {"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "4"}}]
SCRIPT = "echo score=${trialParameters.x} cost=${trialParameters.n}"


def search(ns, name, trials=3, policy="LongRunning", **options):
    made = experiment(name, SCRIPT, parallel=2, trials=trials, parameters=copy.deepcopy(X), image="busybox", **options)
    made["metadata"]["namespace"] = ns
    made["spec"]["resumePolicy"] = policy
    made["spec"]["objective"]["additionalMetricNames"] = ["cost"]
    return made


@pytest.fixture
def run(lab, ns):
    def run(made):
        lab.kubectl("apply", "-f", "-", input=made)
        lab.wait(f"experiment/{made['metadata']['name']}", "condition=Succeeded", ns, 60)
    return run


def trials_of(lab, ns, name):
    return lab.list("trials", ns, "-l", f"katib.kubeflow.org/experiment={name}")


def test_an_experiment_goes_on_where_upstream_lets_it(lab, ns, run, shows):
    run(search(ns, "more"))
    before = {t["metadata"]["name"] for t in trials_of(lab, ns, "more")}
    said = lab.lab("experiment", "resume", "more", "--trials", "+2", "-n", ns, "--no-picture").stdout
    seen = lab.get("experiment", "more", ns)
    after = {t["metadata"]["name"] for t in trials_of(lab, ns, "more")}
    assert seen["spec"]["maxTrialCount"] == 5 == seen["status"]["trialsSucceeded"] and before < after and len(after) == 5, said
    assert "experiment more goes on to 5 trials" in said and not lab.list("experiments", ns, "--field-selector=metadata.name=more-2")
    refused = lab.lab("experiment", "resume", "more", "--trials", "5", "-n", ns, check=False)
    assert refused.returncode == 64 and "has had 5 trials" in refused.stderr
    shows("3 trials, then 5 in the same experiment")


def test_another_one_follows_where_upstream_forbids_it(lab, ns, run, shows):
    """Never; a grid goes on behind the points that were tried, and NAME-2's code stays when NAME goes."""
    made = search(ns, "grid", trials=3, policy="Never", algorithm="grid")
    made["spec"]["parameters"][0]["feasibleSpace"]["step"] = "0.25"
    made["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["volumes"] = [{"name": "code", "configMap": {"name": "grid-code"}}]
    run_first = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "grid-code", "namespace": ns}, "data": {"a": "b"}}
    lab.kubectl("apply", "-f", "-", input=run_first)
    run(made)
    uid = lab.get("experiment", "grid", ns)["metadata"]["uid"]
    owner = [{"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "name": "grid", "uid": uid}]
    lab.kubectl("patch", "configmap", "grid-code", "-n", ns, "--type=merge", "-p", json.dumps({"metadata": {"ownerReferences": owner}}))
    said = lab.lab("experiment", "resume", "grid", "--trials", "+3", "-n", ns, "--no-picture").stdout
    assert "experiment grid cannot be restarted: its resumePolicy is Never" in said and "experiment grid-2 goes on instead, with 3 trials more and the history of 3 trials" in said
    points = [json.dumps(t["spec"]["parameterAssignments"]) for name in ("grid", "grid-2") for t in trials_of(lab, ns, name)]
    assert len(points) == 6 == len(set(points)), "no point twice"
    assert "It began with 3 trials of grid, the best score" in lab.lab("experiment", "show", "grid-2", "-n", ns).stdout
    lab.kubectl("delete", "experiment", "grid", "-n", ns)
    lab.wait("experiment/grid", "delete", ns)
    owners = lab.get("configmap", "grid-code", ns)["metadata"]["ownerReferences"]
    assert "grid-2" in [o["name"] for o in owners]
    lab.kubectl("delete", "experiment", "grid-2", "-n", ns)
    for name in ("grid-code", "grid-2-history"):
        lab.wait(f"configmap/{name}", "delete", ns)
    shows(said.splitlines()[0])


def test_a_goal_that_is_reached_is_left_out(lab, ns, run, shows):
    run(search(ns, "goal", trials=4, goal=0.0))
    said = lab.lab("experiment", "resume", "goal", "--trials", "+2", "-n", ns, "--no-picture").stdout
    assert "it did not end by its number of trials" in said and "is left out: --goal sets another one" in said
    assert lab.get("experiment", "goal-2", ns)["status"]["trialsSucceeded"] == 2
    shows(said.splitlines()[0])


STUDY = """
import json, sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name=sys.argv[1], storage="sqlite:///" + sys.argv[2])
print(json.dumps({
    "directions": [d.name for d in study.directions], "best": study.best_trial.user_attrs["trial"], "value": study.best_value, "names": study.metric_names,
    "states": [t.state.name for t in study.trials], "params": [t.params for t in study.trials], "steps": [t.intermediate_values for t in study.trials],
    "cost": [t.user_attrs["cost"] for t in study.trials], "times": [(t.datetime_complete - t.datetime_start).total_seconds() >= 0 for t in study.trials]}))
study.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_int("n", 1, 4), n_trials=1)
"""


def test_a_study_that_optuna_opens(lab, ns, run, place, shows):
    run(search(ns, "out", trials=3))
    file = place.work / "out.db"
    lab.lab("experiment", "export-study", "out", file, "-n", ns)
    assert "exists already" in lab.lab("experiment", "export-study", "out", file, "-n", ns, check=False).stderr
    program = suggestion_program(STUDY, "out", file)
    told, problem = program.communicate(timeout=60)
    assert program.returncode == 0, problem
    seen = json.loads(told)
    best = json.loads(lab.lab("experiment", "best", "out", "-n", ns, "-o", "json").stdout)
    assert seen["best"] == best["trial"] and seen["value"] == float(best["metrics"]["score"]) and seen["directions"] == ["MAXIMIZE"] and seen["names"] == ["score"]
    assert seen["states"] == ["COMPLETE"] * 3 and all(seen["times"]) and all(list(steps) == ["0"] for steps in seen["steps"])
    assert [p["n"] for p in seen["params"]] == [int(c) for c in seen["cost"]] and all(isinstance(p["x"], float) for p in seen["params"])
    with sqlite3.connect(file) as database:
        assert database.execute("select count(*) from trials").fetchone() == (4,), "Optuna went on in the file"
    shows(f"best {seen['value']} by {seen['best']} in Optuna too")


MADE = """
import sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(study_name="Their Study", storage="sqlite:///" + sys.argv[1], direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
def objective(trial):
    x, n, kind = trial.suggest_float("x", 0, 1), trial.suggest_int("n", 1, 4), trial.suggest_categorical("kind", ["a", "b"])
    if trial.number == 3:
        raise ValueError("no")
    return x
study.optimize(objective, n_trials=5, catch=ValueError)
study.trials_dataframe().to_csv(sys.argv[2], index=False) if len(sys.argv) > 2 else None
"""


def test_a_study_of_optuna_comes_in(lab, ns, place, shows):
    file = place.work / "theirs.db"
    program = suggestion_program(MADE, file)
    assert program.wait(60) == 0, program.stderr.read()
    file.chmod(0o644)
    assert "its value, and" not in lab.lab("experiment", "import", file, "-n", ns).stdout
    seen = lab.get("experiment", "their-study", ns)
    with sqlite3.connect(file) as database:
        best = database.execute("select max(value) from trial_values").fetchone()[0]
    assert seen["status"]["trials"] == 5 and seen["status"]["trialsFailed"] == 1 and seen["spec"]["objective"]["objectiveMetricName"] == "value"
    assert {p["name"]: p["parameterType"] for p in seen["spec"]["parameters"]} == {"x": "double", "n": "int", "kind": "categorical"}
    shown = json.loads(lab.lab("experiment", "best", "their-study", "-n", ns, "-o", "json").stdout)
    assert float(shown["metrics"]["value"]) == best and shown["parameters"]["kind"] in ("a", "b")
    assert not lab.list("jobs,pods,suggestions", ns), "nothing of it runs"
    assert "is a history without a program" in lab.lab("experiment", "resume", "their-study", "--trials", "+1", "-n", ns, check=False).stderr
    assert "came without a program" in lab.lab("trial", "rerun", "their-study-0", "-n", ns, check=False).stderr
    lab.kubectl("delete", "experiment", "their-study", "-n", ns)
    lab.wait("trial/their-study-0", "delete", ns)
    shows(f"5 trials of Optuna, best {best}")


def test_a_table_comes_in_and_a_search_begins_with_it(lab, ns, place, shows):
    """tpe is told of the trials of a table: it looks near the best of them from its first trial on."""
    directory = place.work / "warm"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o777)
    (directory / "train.py").write_text("import sys\nx = float(sys.argv[1][4:])\nprint(f'score={1 - abs(x - 0.7)}')\n")
    table = directory / "old.csv"
    with table.open("w") as stream:
        writer = csv.writer(stream)
        writer.writerow(["x", "score", "note"])
        for i in range(40):
            x = i / 39
            writer.writerow([x, 1 - abs(x - 0.7), "said, \"twice\""])
        writer.writerow(["7", "2", "outside"])
    lab.lab("experiment", "import", table, "--name", "old", "--maximize", "score", "-n", ns)
    assert "which column was the aim" in lab.lab("experiment", "import", table, "--name", "x", "-n", ns, check=False).stderr
    words = ["tune", directory / "train.py", "--x=0.0..1.0", "--maximize", "score", "--trials", 2, "-n", ns, "--no-picture"]
    refused = lab.lab(*words, "--name", "deaf", "--warm-start", "old", check=False)
    assert refused.returncode == 64 and "random makes nothing of earlier trials" in refused.stderr
    done = lab.lab(*words, "--name", "warm", "--algorithm", "tpe", "--warm-start", "old")
    assert "it begins with 40 trials of old; 1 do not fit" in done.stderr
    data = lab.get("configmap", "warm-history", ns)["data"]
    assert data["source"] == "old" and len(data["trials"].splitlines()) == 40
    found = [float(t["spec"]["parameterAssignments"][0]["value"]) for t in trials_of(lab, ns, "warm")]
    assert len(found) == 2 and all(abs(x - 0.7) < 0.25 for x in found), found
    # A file of another tool does as well, and nothing runs without a lab's leave.
    printed = list(yaml.safe_load_all(lab.lab(*words, "--name", "dry", "--algorithm", "tpe", "--warm-start", table, "--dry-run").stdout))
    assert [o["kind"] for o in printed] == ["ConfigMap", "ConfigMap", "Experiment"] and printed[2]["metadata"]["annotations"] == {"kindling.dev/history": "dry-history"}
    shows(f"first trials at {found}")


def test_experiments_of_a_cluster_come_in(lab, ns, run, place, shows):
    run(search(ns, "theirs", trials=2, policy="Never"))
    text = lab.kubectl("get", "experiments,trials", "-n", ns, "-o", "yaml").stdout
    file = place.work / "cluster.yaml"
    file.write_text(text)
    file.chmod(0o644)
    before = {t["metadata"]["name"]: t["status"]["observation"] for t in trials_of(lab, ns, "theirs")}
    lab.kubectl("delete", "experiment", "theirs", "-n", ns)
    lab.wait("suggestion/theirs", "delete", ns)
    for name in before:
        lab.wait(f"trial/{name}", "delete", ns)
    assert "experiment theirs imported with 2 trials" in lab.lab("experiment", "import", file, "-n", ns).stdout
    assert {t["metadata"]["name"]: t["status"]["observation"] for t in trials_of(lab, ns, "theirs")} == before
    assert "kindling.dev/imported" in lab.get("experiment", "theirs", ns)["metadata"]["annotations"]
    said = lab.lab("experiment", "resume", "theirs", "--trials", "+1", "-n", ns, "--no-picture").stdout
    assert "theirs cannot be restarted: it ran elsewhere" in said and lab.get("experiment", "theirs-2", ns)["status"]["trialsSucceeded"] == 1
    refused = lab.lab("experiment", "import", file, "-n", ns, check=False)
    assert refused.returncode == 1 and "already exists" in refused.stderr
    shows(said.splitlines()[1])


@pytest.mark.parametrize("name, content, said", [
    ("a.csv", "x,score\n1\n", "line 2 has 1 values"), ("a.csv", "", "expected a line of names"), ("a.db", "SQLite format 3\0", "cannot be read"),
    ("a.yaml", "kind: Pod\napiVersion: v1\n", "found no Experiment"), ("a.txt", "::", "a.txt"),
])
def test_what_is_no_history_is_one_line(lab, ns, place, name, content, said):
    file = place.work / name
    file.write_text(content)
    file.chmod(0o644)
    result = lab.lab("experiment", "import", file, "--maximize", "score", "-n", ns, check=False)
    assert result.returncode == 1 and said in result.stderr and len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_a_trial_is_run_again(lab, ns, run, shows):
    run(search(ns, "again", trials=2))
    first = trials_of(lab, ns, "again")[0]
    name = first["metadata"]["name"]
    said = lab.lab("trial", "rerun", name, "--set", "x=0.5", "-n", ns).stdout
    again = lab.get("trial", f"{name}-rerun-1", ns)
    assert {p["name"]: p["value"] for p in again["spec"]["parameterAssignments"]}["x"] == "0.5"
    assert again["status"]["observation"]["metrics"][0]["latest"] == "0.5" and "  score 0.5 (" in said
    assert lab.lab("trial", "rerun", name, "-n", ns).stdout.count("created") == 1
    same = lab.get("trial", f"{name}-rerun-2", ns)
    assert same["spec"]["parameterAssignments"] == first["spec"]["parameterAssignments"]
    # The experiment knows nothing of it, but takes it along.
    assert lab.get("experiment", "again", ns)["status"]["trials"] == 2 and len(trials_of(lab, ns, "again")) == 2
    refused = lab.lab("trial", "rerun", name, "--set", "lr=1", "-n", ns, check=False)
    assert refused.returncode == 1 and "has no parameter lr; it has " in refused.stderr
    lab.kubectl("delete", "experiment", "again", "-n", ns)
    lab.wait(f"trial/{name}-rerun-1", "delete", ns)
    shows(said.splitlines()[-2].strip())


def test_a_shell_in_a_trials_environment(lab, ns, run, place, shows):
    made = search(ns, "shell", trials=1)
    spec = made["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "data", "configMap": {"name": "shell-data"}}]
    spec["containers"][0] |= {"volumeMounts": [{"name": "data", "mountPath": "/data"}], "env": [{"name": "MINE", "value": "here"}]}
    lab.kubectl("apply", "-f", "-", input={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shell-data", "namespace": ns}, "data": {"file": "content"}})
    run(made)
    trial = trials_of(lab, ns, "shell")[0]
    name, metrics = trial["metadata"]["name"], trial["status"]["observation"]["metrics"]
    done = lab.lab("trial", "debug", name, "-n", ns, input="cat /data/file; echo; echo $MINE $KATIB_TRIAL_NAME; eval \"$TRIAL_COMMAND\"; echo aside >&2; exit 3\n", check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 3 and lines[0] == "content" and lines[1] == f"here {name}" and lines[2].startswith(f"score={metrics[0]['latest']} "), done
    assert done.stderr.splitlines()[-1] == "aside"
    lab.kubectl("wait", "pod", "-n", ns, "--all", "--for=delete", "--timeout=20s", check=False)
    assert not lab.list("pods", ns)
    # On a terminal it is one there too.
    script = f"script -qec '{place.binaries}/lab --state {lab.state} trial debug {name} -n {ns}' /dev/null"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=place.account.environment(),
                          **place.account.identity()) as terminal:
        told, _ = terminal.communicate("tty; stty size; exit\n", timeout=60)
    assert "/dev/pts/" in told and "the trial runs: sh -c" in told, told
    assert lab.lab("trial", "debug", "none", "-n", ns, check=False).returncode == 1
    shows(f"{lines[2]} in a shell of {name}")

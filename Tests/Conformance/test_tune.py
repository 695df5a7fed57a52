"""lab tune and lab experiment: a script becomes an Experiment."""

import json
import subprocess

import pytest
import yaml

pytestmark = pytest.mark.same_for_all

TRAIN = """
import argparse
from own.model import score
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--layers", type=int)
parser.add_argument("--opt")
parser.add_argument("--epochs", type=int)
args = parser.parse_args()
for epoch in range(args.epochs):
    print(f"epoch {epoch}: loss={1 - score(args, epoch):.6f} accuracy={score(args, epoch):.6f}")
"""
MODEL = """
def score(args, epoch):
    return {"sgd": 0.9, "adam": 0.5}[args.opt] - abs(args.lr - 0.05) - 0.001 * args.layers - 0.1 / (epoch + 1)
"""


@pytest.fixture
def project(place):
    """A directory of the account's with a script and a package beside it."""
    directory = place.work / "project"
    if not directory.exists():
        (directory / "own").mkdir(parents=True)
        (directory / "train.py").write_text(TRAIN)
        (directory / "own" / "__init__.py").write_text("")
        (directory / "own" / "model.py").write_text(MODEL)
        directory.chmod(0o777)
    return directory


WORDS = ["--lr", "0.01..0.1:log", "--layers", "2..8", "--opt", "sgd,adam", "--epochs", "3", "--maximize", "accuracy", "--also", "loss"]


def test_a_script_is_tuned(lab, ns, project, shows):
    done = lab.lab("tune", project / "train.py", *WORDS, "--algorithm", "sobol", "--trials", 12, "--parallel", 2, "--name", "mine", "-n", ns, "--picture", project / "mine.html",
                   timeout=180)
    lines = done.stdout.splitlines()
    assert lines[0] == "experiment.kubeflow.org/mine created" and any(line.startswith("Best trial: mine-") for line in lines), done.stdout
    assert done.stdout.count(" Succeeded ") == 12 and "LOSS" in done.stdout and "<html" in (project / "mine.html").read_text()[:200]
    experiment = lab.get("experiment", "mine", ns)
    assert experiment["status"]["trialsSucceeded"] == 12 and experiment["spec"]["resumePolicy"] == "LongRunning"
    best = json.loads(lab.lab("experiment", "best", "mine", "-n", ns, "-o", "json").stdout)
    assert best["parameters"]["opt"] == "sgd" and float(best["metrics"]["accuracy"]) > 0.7
    assert "--opt=sgd" in lab.lab("experiment", "best", "mine", "-n", ns, "-o", "args").stdout
    shown = lab.lab("experiment", "show", "mine", "-n", ns).stdout
    assert "Best so far, trial by trial: " in shown and "What to try next:" in shown
    shares = json.loads(lab.lab("experiment", "importance", "mine", "-n", ns, "-o", "json").stdout)
    assert [entry["parameter"] for entry in shares][0] == "opt" and shares[0]["share"] > 0.5
    lab.lab("experiment", "plot", "mine", "-n", ns, "-o", project / "again.html")
    assert "<html" in (project / "again.html").read_text()[:200]
    # The code goes with the experiment, and the export is what --dry-run would have printed.
    exported = yaml.safe_load(lab.lab("export", "experiment/mine", "-n", ns).stdout)
    printed = lab.lab("tune", project / "train.py", *WORDS, "--algorithm", "sobol", "--trials", 12, "--name", "mine", "--dry-run").stdout
    code, wanted = yaml.safe_load_all(printed)
    assert exported == wanted and code["metadata"]["name"] == "mine-code" and set(code["data"]) == {"train.py", "own__model.py", "own____init__.py"}
    lab.kubectl("delete", "experiment", "mine", "-n", ns)
    lab.wait("configmap/mine-code", "delete", ns)
    shows(f"12 trials, best {best['metrics']['accuracy']}; opt explains {shares[0]['share']:.2f}; the manifest round-trips")


def test_what_is_printed_can_be_applied_by_kubectl(lab, ns, project, shows):
    printed = lab.lab("tune", project / "train.py", *WORDS, "--trials", 2, "--name", "applied", "--dry-run").stdout
    lab.kubectl("apply", "-n", ns, "-f", "-", input=printed)
    lab.wait("experiment/applied", "condition=Succeeded", ns, 90)
    lab.kubectl("delete", "experiment", "applied", "-n", ns)
    shows("the printed objects ran by kubectl apply")


def test_own_virtual_environment_by_its_directory(lab, ns, project, shows):
    home = project / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(home)], check=True)
    site = next((home / "lib").glob("python*")) / "site-packages"
    (site / "ownlibrary.py").write_text("VALUE = 0.25\n")
    (project / "uses.py").write_text("import sys, ownlibrary\nprint(f'score={ownlibrary.VALUE + float(sys.argv[1][4:])}')\n")
    lab.lab("tune", project / "uses.py", "--x=0..1", "--minimize", "score", "--trials", 2, "--env", home, "--name", "envy", "-n", ns, "--no-picture", timeout=120)
    best = json.loads(lab.lab("experiment", "best", "envy", "-n", ns, "-o", "json").stdout)
    assert 0.25 <= float(best["metrics"]["score"]) <= 1.25
    shows(f"score {best['metrics']['score']} with a module of the environment")


@pytest.mark.parametrize("words, said", [
    (["train.py", "--lr", "2..1", "--maximize", "a"], "--lr 2..1: the range is empty"),
    (["train.py", "--lr", "0..1:log", "--maximize", "a"], "must begin above 0"),
    (["train.py", "--lr", "0.1", "--maximize", "a"], "nothing is to be tuned"),
    (["train.py", "--lr", "0..1"], "expected one of --maximize METRIC and --minimize METRIC"),
    (["none.py", "--lr", "0..1", "--maximize", "a"], "none.py"),
    (["train.py", "--lr", "0..1", "--maximize", "a", "--env", "no/such:image"], "lab image add"),
    (["train.py", "--lr", "0..1", "--maximize", "a", "--algorithm", "guess"], "guess"),
    (["train.py", "--lr", "0..1", "--maximize", "a", "--trials", "0"], "--trials 0"),
])
def test_what_cannot_be_meant_is_one_line(lab, ns, project, words, said):
    words = [str(project / word) if word.endswith(".py") else word for word in words]
    result = lab.lab("tune", *words, "-n", ns, "--name", "never", check=False)
    assert result.returncode in (1, 64) and said in result.stderr and len(result.stderr.strip().splitlines()) == 1, result
    assert not lab.list("experiments,configmaps", ns, "--field-selector=metadata.name=never-code")
    assert not lab.list("experiments", ns)


def test_experiments_side_by_side(lab, ns, project, shows):
    for name, algorithm in (("one", "random"), ("two", "sobol")):
        lab.lab("tune", project / "train.py", *WORDS, "--trials", 2, "--algorithm", algorithm, "--name", name, "-n", ns, "--no-picture", timeout=120)
    table = lab.lab("experiment", "compare", "one", "two", "-n", ns).stdout
    assert "sobol" in table and "random" in table and len(table.splitlines()) == 3
    refused = lab.lab("experiment", "best", "none", "-n", ns, check=False)
    assert refused.returncode == 1 and "not found" in refused.stderr
    shows(table.splitlines()[1])


def test_logs_of_trials_outlive_their_pods(lab, ns, project, shows):
    """A trial's pods go with its job; what it printed stays until the trial goes."""
    (project / "fails.py").write_text("import sys\nfor i in range(40):\n    print('step', i, sys.argv[1])\nraise SystemExit('no data in /nowhere')\n")
    done = lab.lab("tune", project / "fails.py", "--x=0..1", "--maximize", "score", "--trials", 1, "--name", "fails", "-n", ns, "--no-picture", check=False)
    assert done.returncode == 1
    trial = lab.list("trials", ns)[0]
    message = next(c for c in trial["status"]["conditions"] if c["type"] == "Failed")["message"]
    assert message.endswith("no data in /nowhere") and len(message.split("The last lines of its log:\n")[1].splitlines()) == 20
    name, uid = trial["metadata"]["name"], trial["metadata"]["uid"]
    lab.kubectl("wait", "--for=delete", "pod", "-l", f"katib.kubeflow.org/trial={name}", "-n", ns, "--timeout=60s", check=False)
    assert not lab.list("pods", ns)
    kept = lab.lab("logs", f"trial/{name}", "-n", ns).stdout.splitlines()
    assert len(kept) == 41 and kept[0].startswith("step 0 --x=") and lab.lab("logs", f"trial/{name}", "-n", ns, "-f", "--tail", 1).stdout == kept[-1] + "\n"
    of_all = lab.lab("logs", "experiment/fails", "-n", ns, "--timestamps").stdout.splitlines()
    assert len(of_all) == 41 and of_all[0].startswith(f"[{name}] 20")
    assert (lab.state / "trials" / uid / "log.gz").stat().st_mode & 0o077 == 0
    lab.kubectl("delete", "experiment", "fails", "-n", ns)
    lab.wait(f"trial/{name}", "delete", ns)
    assert not (lab.state / "trials" / uid).exists()
    shows(f"41 lines after the pod was gone; condition: …{message[-40:]!r}")

"""lab tune with data of the machine, with code that no ConfigMap holds, and with several aims; trials that need not run."""

import json

import pytest
import yaml
from kindlingtest.manifests import experiment


@pytest.fixture
def project(place):
    directory = place.work / "tune-data"
    if not directory.exists():
        (directory / "mnist").mkdir(parents=True)
        (directory / "mnist" / "labels").write_text("7\n")
        (directory / "train.py").write_text(
            "import os, sys\nplace = os.environ['KINDLING_DATA']\nvalue = float(open(place + '/labels').read())\n"
            "try:\n    open(place + '/new', 'w')\n    print('written')\nexcept OSError as problem:\n    print(problem.strerror)\n"
            "open(os.environ['KINDLING_OUTPUT'] + '/model', 'w').write(sys.argv[1])\n"
            "x = float(sys.argv[1][4:])\nprint(f'score={value - abs(x - 0.5)} cost={x}')\n")
        (directory / "big.py").write_text("import table\nimport sys\nprint(f'score={len(table.TEXT) + float(sys.argv[1][4:])}')\n")
        (directory / "table.py").write_text("TEXT = '" + "0123456789" * 150_000 + "'\n")
        for path in [directory, *directory.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o644)
    return directory


def test_data_is_read_and_not_written(lab, ns, project, shows):
    words = ["tune", project / "train.py", "--x=0.0..1.0", "--maximize", "score", "--minimize", "cost", "--trials", 3, "-n", ns, "--no-picture"]
    done = lab.lab(*words, "--name", "reads", "--data", project / "mnist", timeout=90)
    assert done.stdout.count(" Succeeded ") == 3, done
    trial = lab.list("trials", ns)[0]["metadata"]["name"]
    assert "Read-only file system" in lab.lab("logs", f"trial/{trial}", "-n", ns).stdout and not (project / "mnist" / "new").exists()
    shown = lab.lab("experiment", "show", "reads", "-n", ns).stdout
    assert "Pareto front (score large, cost small): " in shown
    model = project / "model"
    lab.lab("experiment", "best", "reads", "-n", ns, "--files", model)
    assert (model / "model").read_text().startswith("--x=")
    # The manifest says all of it, and another directory is not lent by it.
    printed = list(yaml.safe_load_all(lab.lab(*words, "--name", "other", "--data", project, "--dry-run").stdout))
    assert [o["kind"] for o in printed] == ["ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "Experiment"]
    volume = printed[1]
    volume["metadata"]["name"] = f"{ns}-other"
    printed[2]["spec"]["volumeName"] = volume["metadata"]["name"]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=yaml.safe_dump_all(printed))
    waited = lab.kubectl("wait", "--for=create", "pod", "-l", "katib.kubeflow.org/experiment=other", "-n", ns, "--timeout=30s")
    assert waited.returncode == 0
    lab.kubectl("wait", "--for=create", "events", "-n", ns, "--field-selector=reason=FailedMount", "--timeout=30s", check=False)
    events = [e["message"] for e in lab.list("events", ns) if "is refused" in e.get("message", "")]
    assert any(str(project) in message for message in events), events
    lab.kubectl("delete", "experiment", "reads", "other", "-n", ns)
    lab.kubectl("delete", "pv", volume["metadata"]["name"], "--wait=false", check=False)
    lab.wait("persistentvolumeclaim/reads-data", "delete", ns)
    assert (project / "mnist" / "labels").exists()
    lab.lab(*words, "--name", "again", "--data", project / "mnist", "--detach")
    assert not lab.list("pv", ns, "--field-selector=metadata.name=reads-data"), "the volume of a search that is gone goes with the next one"
    shows(next(line for line in shown.splitlines() if line.startswith("Pareto")))


def test_large_code_travels_by_a_claim(lab, ns, project, shows):
    done = lab.lab("tune", project / "big.py", "--x=0.0..1.0", "--maximize", "score", "--trials", 2, "--name", "big", "-n", ns, "--no-picture", timeout=120)
    best = json.loads(lab.lab("experiment", "best", "big", "-n", ns, "-o", "json").stdout)
    assert float(best["metrics"]["score"]) > 1_500_000, done
    left = [o["metadata"]["name"] for o in lab.list("configmaps,jobs", ns) if o["metadata"]["name"].startswith("big-code")]
    assert not left and lab.get("persistentvolumeclaim", "big-code", ns)["status"]["phase"] == "Bound"
    lab.kubectl("delete", "experiment", "big", "-n", ns)
    lab.wait("persistentvolumeclaim/big-code", "delete", ns)
    shows(f"score {best['metrics']['score']} with 1.5 MB of code")


def test_identical_parameters_are_answered_from_earlier_trials(lab, ns, shows):
    def made(name, reuse=None):
        grid = [{"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "3"}}]
        object = experiment(name, "echo score=${trialParameters.n}$(cat /proc/sys/kernel/random/uuid | tr -dc 0-9 | head -c 5)", trials=3, algorithm="grid", parameters=grid, image="busybox")
        object["metadata"] |= {"namespace": ns} | ({"annotations": {"kindling.dev/reuse": reuse}} if reuse else {})
        return object

    def scores(name):
        return {t["spec"]["parameterAssignments"][0]["value"]: t["status"]["observation"]["metrics"][0]["latest"] for t in lab.list("trials", ns, "-l", f"katib.kubeflow.org/experiment={name}")}

    for name, reuse in (("first", None), ("other", None), ("again", "true")):
        lab.kubectl("apply", "-f", "-", input=made(name, reuse))
        lab.wait(f"experiment/{name}", "condition=Succeeded", ns, 60)
    first, other, again = (scores(name) for name in ("first", "other", "again"))
    assert first != other and len(again) == 3 and all(score in (first[n], other[n]) for n, score in again.items()), (first, other, again)
    exported = yaml.safe_load(lab.lab("export", "experiment/again", "-n", ns).stdout)
    assert "annotations" not in exported["metadata"]
    shows(f"answered: {again}")


CRASHING = """
apiVersion: config.kubeflow.org/v1beta1
kind: KatibConfig
runtime:
  suggestions:
    - algorithmName: crashing
      image: busybox
      command: ["sh", "-c", "echo no model >&2; exit 3"]
"""


def test_a_crashing_service_of_the_users_is_shown(lab, ns, shows):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "katib-config", "namespace": "kubeflow"}, "data": {"katib-config.yaml": CRASHING}}
    before = lab.kubectl("get", "configmap", "katib-config", "-n", "kubeflow", "-o", "json", check=False)
    lab.kubectl("create", "namespace", "kubeflow", check=False)
    lab.kubectl("apply", "-f", "-", input=config)
    try:
        object = experiment("crash", "echo score=1", algorithm="crashing")
        object["metadata"]["namespace"] = ns
        lab.kubectl("apply", "-f", "-", input=object)
        lab.wait("experiment/crash", "condition=Waiting", ns, 60)
        message = next(c["message"] for c in lab.get("experiment", "crash", ns)["status"]["conditions"] if c["type"] == "Waiting")
        assert "crash-crashing" in message and "exit code 3" in message
    finally:
        lab.kubectl("delete", "experiment", "crash", "-n", ns, check=False)
        if before.returncode == 0:
            lab.kubectl("replace", "-f", "-", input=json.loads(before.stdout) | {"metadata": {"name": "katib-config", "namespace": "kubeflow"}}, check=False)
        else:
            lab.kubectl("delete", "configmap", "katib-config", "-n", "kubeflow", check=False)
    shows(message)

"""Each sample runs, unchanged."""

import json

import pytest
import yaml
from kindlingtest.lab import ROOT, USER_NAMESPACE

ENDS = {
    "Pod": "jsonpath={.status.phase}=Succeeded", "Job": "condition=Complete", "Experiment": "condition=Succeeded",
    "Workflow": "jsonpath={.status.phase}=Succeeded", "Notebook": "jsonpath={.status.readyReplicas}=1",
    "StatefulSet": "jsonpath={.status.readyReplicas}",
}
SAMPLES = sorted(str(path.relative_to(ROOT / "samples")) for path in (ROOT / "samples").rglob("*.yaml"))
ORDER = ["CustomResourceDefinition", "Namespace", "PersistentVolumeClaim", "ConfigMap", "Secret"]


@pytest.mark.parametrize("directory", sorted({name.rsplit("/", 1)[0] for name in SAMPLES if "/" in name}))
def test_samples_of(lab, directory, shows):
    made = []
    try:
        objects = [(path, object) for path in sorted((ROOT / "samples" / directory).glob("*.yaml")) for object in yaml.safe_load_all(path.read_text()) if object]
        objects.sort(key=lambda entry: ORDER.index(entry[1]["kind"]) if entry[1]["kind"] in ORDER else len(ORDER))
        for path, object in objects:
            namespace = object["metadata"].get("namespace", USER_NAMESPACE)
            result = lab.kubectl("create", "-n", namespace, "-f", "-", "-o", "json", input=object, check=False)
            assert result.returncode == 0, f"{path.name}: {result.stderr}"
            seen = json.loads(result.stdout)
            made.append((object["kind"], seen["metadata"]["name"], namespace))
            if object["kind"] == "CustomResourceDefinition":
                lab.kubectl("wait", f"crd/{made[-1][1]}", "--for=condition=Established", "--timeout=30s")
        for kind, name, namespace in made:
            if kind in ENDS:
                lab.wait(f"{kind.lower()}/{name}", ENDS[kind], namespace, 240)
    finally:
        for kind, name, namespace in reversed(made):
            lab.kubectl("delete", kind, name, "-n", namespace, "--ignore-not-found", "--timeout=90s", check=False)
    shows(", ".join(f"{kind} {name}" for kind, name, _ in made))


def test_there_is_a_sample_of_each_kind():
    kinds = {object["kind"] for name in SAMPLES for object in yaml.safe_load_all((ROOT / "samples" / name).read_text()) if object}
    assert set(ENDS) | {"PersistentVolumeClaim", "ConfigMap"} <= kinds

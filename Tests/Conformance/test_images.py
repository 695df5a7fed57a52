"""Point 14: image names are names of local environments."""

import json
import subprocess

import pytest
from kindlingtest.manifests import pod, shell


@pytest.mark.parametrize("image", ["busybox", "busybox:1.36", "alpine", "debian:12", "bash:5", "docker.io/library/python:3.11", "python:3.11-slim"])
def test_shipped_names(lab, ns, image):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "echo ok", image=image, container={"imagePullPolicy": "Always"}))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "p", "-n", ns).stdout == "ok\n"


def test_another_python_gives_one_warning(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("p", "python3", "--version", image="python:3.7"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    events = json.loads(lab.kubectl("get", "events", "-n", ns, "-o", "json").stdout)["items"]
    warnings = [e for e in events if e["type"] == "Warning" and e["involvedObject"]["name"] == "p"]
    assert len(warnings) == 1 and "3.7" in warnings[0]["message"]
    shows(warnings[0]["message"])


def test_a_volume_over_opt_hides_no_python(lab, ns, shows):
    code = "import os, pip, sys\nprint(os.listdir('/opt'), sys.prefix)"
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/opt", "readOnly": True}]}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"x.py": code}},
        pod("p", "python", "/opt/x.py", image="python", container=mounts, volumes=[{"name": "v", "configMap": {"name": "c"}}])])
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    printed = lab.kubectl("logs", "p", "-n", ns).stdout.strip()
    assert "x.py" in printed, printed
    shows(printed)


@pytest.mark.parametrize("policy, reason", [("IfNotPresent", "ImagePullBackOff"), ("Always", "ImagePullBackOff"), ("Never", "ErrImageNeverPull")])
def test_an_unknown_name_waits_as_kubelet_says(lab, ns, policy, reason, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "true", image="example.org/nobody/knows:1", container={"imagePullPolicy": policy}))
    path = "{.status.containerStatuses[0].state.waiting.reason}"
    if policy != "Never":
        result = lab.kubectl("wait", "pod/p", "-n", ns, f"--for=jsonpath={path}=ErrImagePull", "--timeout=5s", check=False)
        del result  # it may have gone on to the back-off already
    lab.wait("pod/p", f"jsonpath={path}={reason}", ns)
    events = lab.kubectl("events", "-n", ns, "--for", "pod/p").stdout
    assert "lab image" in events and "example.org/nobody/knows:1" in events, f"the command that resolves it is missing:\n{events}"
    shows(f"{reason}; " + next(line for line in events.splitlines() if "lab image" in line).split("lab image")[1][:80])


def test_list_and_add_alias(lab, ns, shows):
    listed = lab.lab("image", "list").stdout
    for name in ("mxnet-mnist", "python", "busybox", "jupyter"):
        assert name in listed
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("early", "echo resolved", image="my/alias:1"))
    lab.kubectl("wait", "pod/early", "-n", ns, "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}", "--timeout=30s")
    lab.lab("image", "add", "my/alias:1", "--alias", "busybox")
    lab.wait("pod/early", "jsonpath={.status.phase}=Succeeded", ns, 120)
    assert "my/alias" in lab.lab("image", "list").stdout
    shows("a waiting pod goes on once its name is resolved")


def test_own_virtual_environment(lab, ns, place, shows):
    home = place.work / "own-venv"
    identity = lab.account.identity()
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(home)], check=True, cwd=place.work, env=lab.account.environment(), **identity)
    package = next((home / "lib").glob("python*")) / "site-packages" / "ownmodule.py"
    package.write_text("VALUE = 42\n")
    secret = place.work / "secret-beside"
    secret.write_text("hidden")
    lab.lab("image", "add", "my/venv:1", "--venv", home)
    script = f"import ownmodule, os; print(ownmodule.VALUE, os.path.exists('{secret}'), os.access('{home}', os.W_OK))"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("p", "python3", "-c", script, image="my/venv:1"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "p", "-n", ns).stdout.split() == ["42", "False", "False"]
    shows("its module imports; nothing beside it is seen; read-only")


def test_a_root_directory(lab, ns, place, shows):
    root = place.work / "own-root"
    (root / "bin").mkdir(parents=True)
    program = root / "bin" / "hello"
    source = place.work / "hello.c"
    source.write_text('#include <unistd.h>\nint main(void) { return write(1, "static\\n", 7) != 7; }\n')
    subprocess.run(["gcc", "-static", "-o", str(program), str(source)], check=True)
    lab.lab("image", "add", "my/root:1", "--root", root)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("p", "/bin/hello", image="my/root:1"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "p", "-n", ns).stdout == "static\n"
    shows("a root with one static program")


def test_the_trainer_depends_on_its_parameters(lab, ns, shows):
    """The same program with the same seed: other parameters give another accuracy, on each optimizer."""
    found = {}
    for optimizer in ("sgd", "adam", "ftrl"):
        name = f"t-{optimizer}"
        lab.kubectl("apply", "-n", ns, "-f", "-", input=pod(
            name, "python3", "/opt/mxnet-mnist/mnist.py", "--batch-size=64", "--lr=0.02", "--num-layers=3", f"--optimizer={optimizer}",
            image="docker.io/kubeflowkatib/mxnet-mnist:v1beta1-45c5727"))
    for optimizer in ("sgd", "adam", "ftrl"):
        lab.wait(f"pod/t-{optimizer}", "jsonpath={.status.phase}=Succeeded", ns, 60)
        lines = lab.kubectl("logs", f"t-{optimizer}", "-n", ns).stdout.splitlines()
        values = [line.rsplit("=", 1)[1] for line in lines if "Validation-accuracy=" in line]
        assert len(values) > 1 and 0 < float(values[-1]) <= 1
        found[optimizer] = values[-1]
    assert len(set(found.values())) > 1
    shows(f"{found}")

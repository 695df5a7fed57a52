"""Devices by CDI files: ordinary character devices stand for GPUs, so that every machine can run these cases."""

import json
import re
import secrets
import subprocess

import pytest
from kindlingtest.manifests import shell

SPARK = "kindling.test/spark"
GPU = "nvidia.com/gpu"

# Prints what a container has been given. The library is found by the name that its makers gave it, wherever the image looks.
LOOK = """
set -e
env | grep -E '^(SPARK|WHICH|NVIDIA)' | sort
head -c 3 /dev/spark/zero | od -An -tx1
stat -c '%F' /dev/spark/zero
cat /opt/spark/note
(echo x > /opt/spark/note) 2>&1 | grep -o 'Read-only' || echo writable
python3 -c 'import ctypes; print("answer", ctypes.CDLL("libspark.so.1").answer(), ctypes.CDLL("libspark.so").answer())'
"""


def write_files(directory):
    """A directory of CDI files: one of YAML with all that a file may say, one of JSON in the manner of NVIDIA's, and a bad one."""
    directory.mkdir()
    note = directory / "note.txt"
    note.write_text("lit\n")
    source = directory / "spark.c"
    source.write_text("int answer(void) { return 42; }\n")
    library = directory / "libspark.so.1.2.3"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libspark.so.1", "-o", str(library), str(source)], check=True)
    (directory / "spark.yaml").write_text(f"""
cdiVersion: "0.7.0"
kind: {SPARK}
containerEdits:
  env: [SPARK=all]
  mounts:
  - {{hostPath: {note}, containerPath: /opt/spark/note, options: [ro, bind]}}
  - {{hostPath: {library}, containerPath: /opt/spark/lib/libspark.so.1.2.3, options: [ro, bind]}}
  hooks:
  - hookName: createContainer
    path: /usr/bin/false
    args: ["false", hook, create-symlinks, --link, "libspark.so.1::/opt/spark/lib/libspark.so"]
devices:
- name: a
  containerEdits: {{env: [WHICH=a], additionalGids: [44], deviceNodes: [{{path: /dev/spark/zero, hostPath: /dev/zero}}]}}
- name: b
  containerEdits: {{env: [WHICH=b], deviceNodes: [{{path: /dev/spark/zero, hostPath: /dev/zero}}]}}
""")
    devices = [
        {"name": str(number), "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{number}", "hostPath": "/dev/null"}]}} for number in (0, 1)]
    every = {"name": "all", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/dev/null"}]}}
    edits = {"env": ["NVIDIA_VISIBLE_DEVICES=void"]}
    (directory / "nvidia.json").write_text(
        json.dumps({"cdiVersion": "0.5.0", "kind": GPU, "devices": [*devices, every], "containerEdits": edits}))
    (directory / "bad.yaml").write_text("cdiVersion: 0.6.0\nkind: gpu\n")
    for path in [directory, *directory.iterdir()]:
        path.chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def equipped(place):
    """A lab with devices, and with each GPU shared by two pods."""
    made = place.lab(f"g{secrets.token_hex(2)}")
    made.cdi = write_files(place.directory / f"cdi-{secrets.token_hex(3)}")
    made.words = ["--cdi-dir", made.cdi, "--gpu-slices", "2"]
    made.up(*made.words)
    yield made
    made.close()


@pytest.fixture
def space(equipped):
    name = f"t-{secrets.token_hex(4)}"
    equipped.kubectl("create", "namespace", name)
    yield name
    equipped.kubectl("delete", "namespace", name, "--wait=true", check=False)


def asks(name, script, resource=SPARK, count=1, **more):
    return shell(name, script, container={"image": "python:3.11", "resources": {"limits": {resource: count}}}, **more)


def which(lab, space, name):
    return lab.kubectl("exec", "-n", space, name, "--", "sh", "-c", "echo $WHICH$NVIDIA_VISIBLE_DEVICES").stdout.strip()


@pytest.mark.accounts("root", "user", "single")
def test_a_container_is_given_what_the_file_says(equipped, space, shows):
    equipped.kubectl("create", "-n", space, "-f", "-", input=asks("look", LOOK))
    equipped.wait("pod/look", "jsonpath={.status.phase}=Succeeded", space)
    printed = equipped.kubectl("logs", "-n", space, "look").stdout.split("\n")
    assert printed[:7] == ["SPARK=all", "WHICH=a", " 00 00 00", "character special file", "lit", "Read-only", "answer 42 42"], printed
    shows(f"{SPARK}: variables, device, read-only file, library by both of its names")


def test_a_container_that_asks_for_none_has_none(equipped, space):
    equipped.kubectl("create", "-n", space, "-f", "-", input=shell("none", "env; ls /dev; test ! -e /run/kindling"))
    equipped.wait("pod/none", "jsonpath={.status.phase}=Succeeded", space)
    printed = equipped.kubectl("logs", "-n", space, "none").stdout
    assert "spark" not in printed.lower() and "nvidia" not in printed.lower() and "LD_LIBRARY_PATH" not in printed


def test_the_node_the_status_and_the_doctor_tell_what_was_found(equipped, shows):
    described = equipped.kubectl("describe", "node").stdout
    assert len(re.findall(rf"{SPARK}:\s+2", described)) == 2 and len(re.findall(rf"{GPU}:\s+4", described)) == 2, described
    status = json.loads(equipped.lab("status", "-o", "json").stdout)["devices"]
    doctor = equipped.lab("doctor", "--cdi-dir", equipped.cdi, check=False).stdout
    for text in (described, "\n".join(status["found"] + status["problems"]), equipped.lab("status").stdout, doctor):
        assert f"{SPARK}: a, b ({equipped.cdi}/spark.yaml)" in text, text
        assert "hooks of CDI files are not run" in text, text
        assert f"{equipped.cdi}/bad.yaml is not used: kind: expected vendor/class such as nvidia.com/gpu, found \"gpu\"" in text, text
    shows(status["found"][0])


def test_devices_are_counted_and_survive_a_kill_of_labd(equipped, space, shows):
    for name in ("one", "two"):
        equipped.kubectl("create", "-n", space, "-f", "-", input=asks(name, "exec sleep 600"))
    for name in ("one", "two"):
        equipped.wait(f"pod/{name}", "condition=Ready", space)
    before = {name: which(equipped, space, name) for name in ("one", "two")}
    assert sorted(before.values()) == ["a", "b"]
    equipped.kill_daemon()
    equipped.up(*equipped.words)
    equipped.kubectl("create", "-n", space, "-f", "-", input=asks("three", "exec sleep 600"))
    equipped.wait("pod/three", "jsonpath={.status.conditions[?(@.type==\"PodScheduled\")].reason}=Unschedulable", space)
    message = equipped.get("pod", "three", space)["status"]["conditions"][0]["message"]
    assert f"Insufficient {SPARK}" in message, message
    assert {name: which(equipped, space, name) for name in ("one", "two")} == before
    # What a pod had before the kill is given on when it ends, and nothing else.
    equipped.kubectl("delete", "pod", "-n", space, "one", "--grace-period=1")
    equipped.wait("pod/three", "condition=Ready", space)
    assert which(equipped, space, "three") == before["one"]
    shows(f"{before}; after SIGKILL of labd: {message.split('.')[0]}; then three has {before['one']}")


def test_a_gpu_is_shared_by_slices(equipped, space, shows):
    names = [f"s{number}" for number in range(5)]
    for name in names:
        equipped.kubectl("create", "-n", space, "-f", "-", input=asks(name, "test -c /dev/nvidia$NVIDIA_VISIBLE_DEVICES && exec sleep 600", GPU))
    for name in names[:4]:
        equipped.wait(f"pod/{name}", "condition=Ready", space)
    given = [which(equipped, space, name) for name in names[:4]]
    assert sorted(given) == ["0", "0", "1", "1"]
    assert equipped.get("pod", "s4", space)["status"]["phase"] == "Pending"
    shows(f"two GPUs in two slices each: {given}; the fifth pod waits")


def test_devices_by_annotation_take_a_privileged_namespace(equipped, space):
    def create(name):
        pod = shell(name, "echo $WHICH", container={"image": "python:3.11"})
        pod["metadata"]["annotations"] = {"cdi.k8s.io/mine": f"{SPARK}=b"}
        equipped.kubectl("create", "-n", space, "-f", "-", input=pod)

    create("refused")
    equipped.wait("pod/refused", "jsonpath={.status.phase}=Failed", space)
    status = equipped.get("pod", "refused", space)["status"]
    assert status["reason"] == "DeviceAnnotationForbidden" and "pod-security.kubernetes.io/enforce=privileged" in status["message"]
    equipped.kubectl("label", "namespace", space, "pod-security.kubernetes.io/enforce=privileged")
    create("given")
    equipped.wait("pod/given", "jsonpath={.status.phase}=Succeeded", space)
    assert equipped.kubectl("logs", "-n", space, "given").stdout == "b\n"


def test_an_annotation_that_comes_later_gives_nothing(equipped, space):
    pod = shell("late", "test -e /tmp/v/once || { touch /tmp/v/once; exit 1; }; echo [$WHICH]", restartPolicy="OnFailure")
    pod["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/tmp/v"}]
    pod["spec"]["containers"][0]["command"][2] = "while ! test -e /tmp/v/go; do sleep 0.1; done; " + pod["spec"]["containers"][0]["command"][2]
    equipped.kubectl("create", "-n", space, "-f", "-", input=pod)
    equipped.wait("pod/late", "condition=Ready", space)
    equipped.kubectl("annotate", "-n", space, "pod/late", f"cdi.k8s.io/mine={SPARK}=b")
    equipped.kubectl("exec", "-n", space, "late", "--", "touch", "/tmp/v/go")
    equipped.wait("pod/late", "jsonpath={.status.phase}=Succeeded", space)
    assert equipped.kubectl("logs", "-n", space, "late").stdout == "[]\n"


def test_bad_options_are_refused(equipped):
    for words in (["--gpu-slices", "0"], ["--cdi-dir", "/nowhere/at/all"]):
        result = equipped.up(*words, check=False)
        assert result.returncode != 0 and words[0] in result.stderr

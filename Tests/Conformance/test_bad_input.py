"""The list "Bad input": each case has a clear message, leaves the daemon working and loses nothing."""

import os
import pathlib
import re
import socket
import subprocess
import time

import pytest
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import experiment, pod, shell


@pytest.fixture(autouse=True)
def works_afterwards(lab):
    yield
    assert lab.kubectl("get", "--raw", "/readyz").stdout == "ok"


@pytest.fixture
def second(place):
    made = place.lab("s3")
    yield made
    made.close()


def refused(lab, text, *parts, ns="default"):
    result = lab.kubectl("apply", "-n", ns, "-f", "-", input=text, check=False)
    assert result.returncode != 0
    for part in parts:
        assert part in result.stderr, f"{part!r} is not in: {result.stderr}"
    return result.stderr.strip()


def test_malformed_yaml(lab, place, shows):
    path = place.work / "bad.yaml"
    path.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: x\nspec: [")
    result = lab.lab("apply", "-f", path, check=False)
    assert result.returncode == 1 and "bad.yaml" in result.stderr and re.search(r"line \d|:\d", result.stderr)
    assert len(result.stderr.strip().splitlines()) == 1
    status = lab.kubectl("create", "--raw", "/api/v1/namespaces/default/pods", "-f", "-", input="{not json", check=False)
    assert status.returncode != 0
    shows(result.stderr.strip())


@pytest.mark.parametrize("text, path", [
    ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "busybox", "imge": "y"}]}}, 'unknown field "spec.containers[0].imge"'),
    ({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": {"paralelism": 2, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "b"}]}}}}, 'unknown field "spec.paralelism"'),
])
def test_unknown_fields(lab, text, path, shows):
    shows(refused(lab, text, path))


@pytest.mark.parametrize("object, parts", [
    (shell("x", "true") | {"spec": {"containers": "none"}}, ["containers"]),
    ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": 1}}, ["data"]),
    (shell("x", "true", terminationGracePeriodSeconds="soon"), ["terminationGracePeriodSeconds"]),
    (shell("x", "true", container={"resources": {"limits": {"memory": "plenty"}}}), ["quantities must match"]),
    (shell("x", "true", restartPolicy="Sometimes"), ["restartPolicy", "Sometimes"]),
])
def test_wrong_types(lab, object, parts, shows):
    shows(refused(lab, object, *parts)[:200])


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 300, "dot..dot", "ünï"])
def test_names_that_are_no_dns_names(lab, name):
    text = refused(lab, shell(name, "true"), "metadata.name")
    assert "RFC 1123" in text or "must be no more than" in text


def test_container_names_and_duplicates(lab, shows):
    object = shell("x", "true")
    object["spec"]["containers"] = [{"name": "Bad_", "image": "busybox"}, {"name": "c", "image": "busybox"}, {"name": "c", "image": "busybox"}]
    shows(refused(lab, object, "spec.containers[0].name", "Duplicate value")[:200])


def test_parser_bombs_are_refused_quickly(lab, place, shows):
    started = time.monotonic()
    deep = "[" * 100_000
    assert lab.kubectl("create", "--raw", "/api/v1/namespaces/default/configmaps", "-f", "-", input=deep, check=False).returncode != 0
    bomb = place.work / "bomb.yaml"
    names = "abcdefghij"
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"] + [f"{n}: &{n} [{','.join([f'*{names[i]}'] * 10)}]" for i, n in enumerate(names[1:])]
    bomb.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n" + "\n".join(lines) + "\n")
    result = lab.lab("apply", "-f", bomb, check=False, timeout=30)
    assert result.returncode != 0
    assert time.monotonic() - started < 20
    shows(result.stderr.strip()[:160])


def test_a_body_too_large(lab):
    object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"x": "y" * (4 << 20)}}
    result = lab.kubectl("create", "-f", "-", input=object, check=False)
    assert result.returncode != 0 and ("too" in result.stderr.lower() or "exceed" in result.stderr.lower() or "TooLarge" in result.stderr)


def test_a_line_of_ten_megabytes(lab, ns, shows):
    script = "import sys; print('before'); sys.stdout.write('x' * 10_000_000 + '\\n'); print('after')"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("p", "python3", "-c", script, image="python:3.11"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    text = lab.kubectl("logs", "p", "-n", ns).stdout
    assert text.startswith("before") and text.rstrip().endswith("after") and text.count("x") == 10_000_000
    shows(f"{len(text)} bytes come back whole")


def test_a_trial_that_prints_much(lab, shows):
    """The quick tier prints 100 MB; see the full one below."""
    print_much(lab, 100, shows)


@pytest.mark.full
def test_a_trial_that_prints_a_gigabyte(lab, shows):
    print_much(lab, 1000, shows)


def print_much(lab, megabytes, shows):
    script = f"yes 0123456789012345678901234567890123456789012345678 | head -c {megabytes}000000; echo; echo score=0.7"
    started = time.monotonic()
    lab.kubectl("apply", "-f", "-", input=experiment("loud", script, parallel=1, trials=1))
    try:
        lab.wait("experiment/loud", "condition=Succeeded", USER_NAMESPACE, 300)
        best = lab.get("experiment", "loud")["status"]["currentOptimalTrial"]["observation"]["metrics"][0]
        assert best["latest"] == "0.7"
        kept = sum(path.stat().st_size for path in lab.state.rglob("*") if path.is_file() and "catalogue" not in path.name)
        assert kept < 400 << 20, f"{kept >> 20} MiB are kept"
    finally:
        lab.kubectl("delete", "experiment", "loud", "-n", USER_NAMESPACE, check=False)
    shows(f"{megabytes} MB printed in {time.monotonic() - started:.1f} s, metric found, {kept >> 20} MiB kept")


def test_a_fork_bomb_stays_in_its_pod(lab, ns, shows):
    script = "b() { b | b & }; b; sleep 2; echo survived"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("bomb", script, image="bash", activeDeadlineSeconds=10, terminationGracePeriodSeconds=1))
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("neighbour", "echo fine"))
    lab.wait("pod/neighbour", "jsonpath={.status.phase}=Succeeded", ns, 60)
    lab.kubectl("delete", "pod", "bomb", "-n", ns, "--grace-period=1", timeout=60)
    left = [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if b"survived" in read(p)]
    assert not left
    shows("the neighbour ran; nothing of the bomb is left")


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_second_up_is_friendly(lab, shows):
    pid = lab.daemon_pid
    both = [lab.start("up") for _ in range(2)]
    texts = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], texts
    assert lab.daemon_pid == pid
    shows(texts[0].splitlines()[0])


def test_two_first_ups_at_once_make_one_lab(second, shows):
    both = [second.start("up") for _ in range(2)]
    texts = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], texts
    second.kubectl("get", "ns")
    daemons = [pid for pid, words in second.processes().items() if "labd --state" in words.split("/")[-1] or ("/labd" in words.split()[0] and str(second.state) in words)]
    assert len(daemons) == 1, daemons
    shows("one labd")


def test_a_port_in_use(second, shows):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = second.up("--port", port, check=False)
        assert result.returncode == 1 and str(port) in result.stderr
        assert len(result.stderr.strip().splitlines()[-1]) < 400
    second.up()
    second.kubectl("get", "ns")
    shows(result.stderr.strip().splitlines()[-1])


def test_no_loopback(second, shows):
    # A network namespace of its own has an interface lo, and it is down.
    command = ["unshare", *([] if second.is_root else ["--map-root-user"]), "--net", second.binaries / "lab", "--state", second.state, "up"]
    result = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, cwd=second.directory, check=False,
        stdin=subprocess.DEVNULL, env=second.account.environment(), **second.account.identity())
    assert result.returncode == 1 and "ip link set lo up" in result.stderr and len(result.stderr.strip().splitlines()) == 1, result
    assert not second.processes()
    second.up()
    shows(result.stderr.strip())


def test_a_corrupt_database(second, shows):
    second.up()
    second.kubectl("create", "cm", "x", "--from-literal=a=b")
    second.down()
    path = second.state / "catalogue.sqlite"
    whole = path.read_bytes()
    for wal in second.state.glob("catalogue.sqlite-*"):
        wal.unlink()
    path.write_bytes(b"this is no database at all" * 500)
    result = second.up(check=False)
    assert result.returncode == 1 and "catalogue.sqlite" in result.stderr
    assert path.read_bytes().startswith(b"this is no database"), "a corrupt file is left for the user to look at"
    path.write_bytes(whole)
    os.chown(path, second.account.uid, second.account.gid)
    second.up()
    assert second.get("cm", "x", "default")["data"] == {"a": "b"}
    shows(result.stderr.strip().splitlines()[-1])

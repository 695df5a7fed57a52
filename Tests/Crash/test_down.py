"""`lab down`, a reboot and the like in mid-work: disruptions, after which everything goes on as if nothing had been."""

import json
import os
import pathlib
import select
import signal
import subprocess
import time

import pytest
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import experiment, job, shell, workflow

NS = USER_NAMESPACE
TRIAL = "for i in 1 2 3 4; do echo score=0.${i}${trialParameters.n}; sleep 0.3; done"
GRID = [{"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "6"}}]


@pytest.fixture
def own(place):
    made = place.lab(f"w{len(place.labs)}")
    made.up()
    yield made
    left = made.close()
    assert not left, f"outlived `lab down`: {left}"


def killed(pids):
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], 10)
        except ProcessLookupError:
            pass
        os.close(descriptor)


def power_cut(lab):
    """Every process of the lab vanishes at once, supervisors included, as with the machine."""
    killed([lab.daemon_pid, *lab.supervisors(), *lab.processes()])


def down_after_a_crash(lab):
    lab.kill_daemon()
    lab.down()


WAYS = {"down": lambda lab: lab.down(), "down after SIGKILL": down_after_a_crash, "power cut": power_cut}


@pytest.mark.parametrize("way", WAYS)
def test_an_experiment_goes_on_as_if_nothing_had_been(own, way, shows):
    own.kubectl("apply", "-f", "-", input=experiment("e", TRIAL, parallel=2, trials=6, failed=0, goal=9.0, algorithm="grid", parameters=GRID, image="busybox"))
    own.wait("experiment/e", "jsonpath={.status.trialsRunning}=2", NS)
    own.kubectl("wait", "pods", "-n", NS, "--for=condition=Ready", "-l", "katib.kubeflow.org/experiment=e", "--timeout=60s")
    before = {trial["metadata"]["name"] for trial in own.list("trials", NS)}
    WAYS[way](own)
    own.up()
    own.wait("experiment/e", "condition=Succeeded", NS, 120)
    status = own.get("experiment", "e")["status"]
    assert status.get("trialsFailed", 0) == 0 and status["trialsSucceeded"] == 6 == status["trials"], status
    trials = own.list("trials", NS)
    assert len(trials) == 6 and before <= {trial["metadata"]["name"] for trial in trials}
    sets = {json.dumps(trial["spec"]["parameterAssignments"]) for trial in trials}
    assert len(sets) == 6, "a parameter set was made twice"
    for made in own.list("jobs", NS):
        assert made["status"].get("failed", 0) == 0
    # The history of each trial is that of the pod that did its work.
    rows = json.loads(own.lab("sql", "-o", "json", "select trial, value from metrics where experiment = 'e' and name = 'score'").stdout)
    for trial in trials:
        n = trial["spec"]["parameterAssignments"][0]["value"]
        assert sorted(str(row["value"]) for row in rows if row["trial"] == trial["metadata"]["name"]) == [f"0.{i}{n}" for i in range(1, 5)]
    made = [event for event in own.list("events", NS) if event["reason"] == "SuccessfulCreate" and event["involvedObject"]["kind"] == "Job"]
    assert len(made) > 6, "no pod was replaced: nothing was tested"
    shows(f"{way}: 6 trials, none failed; {len(made)} pods")


@pytest.mark.parametrize("way", WAYS)
def test_a_workflows_step_is_run_again(own, way, shows):
    step = {"name": "step", "container": {"image": "busybox", "command": ["sh", "-c", "echo begins; sleep 1; echo ends"]}}
    tasks = [{"name": "a", "template": "step"}, {"name": "b", "template": "step", "dependencies": ["a"]}]
    own.kubectl("create", "-f", "-", input=workflow("w", [step, {"name": "main", "dag": {"tasks": tasks}}]))
    own.wait("workflow/w", "jsonpath={.status.phase}=Running", NS)
    own.kubectl("wait", "pods", "-n", NS, "--for=condition=Ready", "-l", "workflows.argoproj.io/workflow=w", "--timeout=60s")
    before = own.get("workflow", "w")["status"]["nodes"]
    WAYS[way](own)
    own.up()
    own.wait("workflow/w", "jsonpath={.status.phase}=Succeeded", NS, 60)
    nodes = own.get("workflow", "w")["status"]["nodes"]
    assert set(before) <= set(nodes) and len(nodes) == 3 and all(node["phase"] == "Succeeded" for node in nodes.values()), nodes
    for pod in own.list("pods", NS):
        assert own.kubectl("logs", pod["metadata"]["name"], "-n", NS, "-c", "main").stdout.split() == ["begins", "ends"]
    shows(f"{way}: 3 nodes, both steps Succeeded")


@pytest.mark.parametrize("way", WAYS)
def test_what_becomes_of_other_pods(own, way, shows):
    """Jobs replace at no cost, whatever their policies; pods that restart anyway restart in place; others end with the reason."""
    own.kubectl("apply", "-n", NS, "-f", "-", input=[
        job("strict", "sleep 2", backoffLimit=0, podFailurePolicy={"rules": [{"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [0]}}]}),
        job("again", "sleep 2", backoffLimit=0, template={"restartPolicy": "OnFailure"}),
        shell("never", "sleep 300", terminationGracePeriodSeconds=1),
        shell("always", "trap 'exit 0' TERM; sleep 300 & wait", restartPolicy="Always", terminationGracePeriodSeconds=2),
        shell("onfailure", "trap 'exit 0' TERM; sleep 300 & wait", restartPolicy="OnFailure", terminationGracePeriodSeconds=2),
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
                "terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": "busybox", "command": ["sleep", "300"]}]}}}}])
    own.kubectl("wait", "pods", "-n", NS, "--for=condition=Ready", "--all", "--timeout=60s")
    WAYS[way](own)
    own.up()
    own.wait("job/strict", "condition=Complete", NS)
    own.wait("job/again", "condition=Complete", NS)
    assert all(own.get("job", name)["status"].get("failed", 0) == 0 for name in ("strict", "again"))
    own.wait("pod/never", "jsonpath={.status.phase}=Failed", NS)
    status = own.get("pod", "never")["status"]
    mark = next(c for c in status["conditions"] if c["type"] == "DisruptionTarget")
    assert status["reason"] == "Terminated" and mark["status"] == "True" and mark["reason"] == "TerminationByKubelet"
    for name in ("always", "onfailure"):
        own.wait(f"pod/{name}", "jsonpath={.status.containerStatuses[0].restartCount}=1", NS)
        own.wait(f"pod/{name}", "condition=Ready", NS)
    own.kubectl("rollout", "status", "deployment/web", "-n", NS, "--timeout=60s")
    shows(f"{way}: Jobs complete with no failure counted; Never: {status['reason']}; Always, OnFailure and a Deployment are back")


def control_groups(lab):
    """The groups that the lab has made, wherever control groups are mounted."""
    key = 2_166_136_261
    for byte in str(lab.state).encode():
        key = ((key ^ byte) * 16_777_619) & 0xFFFFFFFF
    name = f"kindling-{key:x}"
    return [str(path) for path in pathlib.Path("/sys/fs/cgroup").rglob(name)]


def test_no_control_group_stays(own, shows):
    own.kubectl("apply", "-n", NS, "-f", "-", input=shell("on", "sleep 300", terminationGracePeriodSeconds=1))
    own.wait("pod/on", "condition=Ready", NS)
    made = control_groups(own)
    if own.is_root and os.access("/sys/fs/cgroup", os.W_OK):
        assert made
    own.down()
    assert not control_groups(own)
    shows(f"{len(made)} groups while it ran, none after")


def in_the_labs_namespace(pid):
    """All processes in labd's mount namespace, as a lab without a state directory has no other mark."""
    try:
        wanted = os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:
        return set()
    found = set()
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.stat(entry / "ns" / "mnt").st_ino == wanted:
                found.add(int(entry.name))
        except OSError:
            pass
    return found


def gone(pids, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        left = [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()]
        if not left:
            return []
        time.sleep(0.1)  # nobody tells of the end of a process that is not our child
    return left


def remove(directory):
    """As `rm -rf` does it, which leaves its owner the directories without any mode that overlays work in."""
    subprocess.run(["rm", "-rf", directory], capture_output=True, check=False)
    if directory.exists():
        subprocess.run(["chmod", "-R", "u+rwx", directory], check=True)
        subprocess.run(["rm", "-rf", directory], check=True)


@pytest.mark.parametrize("state_of", ["running", "labd killed", "helper killed"])
def test_a_lab_whose_state_is_removed_ends(place, state_of, shows):
    own = place.lab(f"w{len(place.labs)}")
    own.up()
    own.kubectl("apply", "-n", NS, "-f", "-", input=shell("on", "trap '' TERM; while :; do sleep 1; done"))
    own.wait("pod/on", "condition=Ready", NS)
    groups = control_groups(own)
    supervisors = set(own.supervisors())
    helpers = set(own.processes()) - {own.daemon_pid}
    everything = in_the_labs_namespace(own.daemon_pid) | helpers | supervisors
    assert len(everything) > 2
    if state_of == "labd killed":
        own.kill_daemon()
    if state_of == "helper killed":
        killed(helpers)
    remove(own.state)
    started = time.monotonic()
    try:
        assert not gone(everything, 30), "outlives its state directory"
    finally:
        killed(everything)
    taken = time.monotonic() - started
    if state_of != "helper killed":
        assert not [path for path in groups if os.path.exists(path)]
    assert "not running" in own.down().stdout
    own.up()
    own.kubectl("get", "nodes")
    own.close()
    shows(f"{state_of}: all ended {taken:.1f} s after the removal; down and up work after it")

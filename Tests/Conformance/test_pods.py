"""Point 10: pods as kubelet runs them."""

import time

import pytest
from kindlingtest.manifests import pod, shell


def run(lab, ns, object, phase="Succeeded", timeout=60):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=object)
    name = object["metadata"]["name"]
    lab.wait(f"pod/{name}", f"jsonpath={{.status.phase}}={phase}", ns, timeout)
    return lab.get("pod", name, ns)


def log(lab, ns, name, *more):
    return lab.kubectl("logs", name, "-n", ns, *more).stdout


def terminated(seen, index=0):
    return seen["status"]["containerStatuses"][index]["state"]["terminated"]


def test_a_pod_runs_and_ends(lab, ns, shows):
    seen = run(lab, ns, shell("p", "echo out; echo err >&2"))
    assert terminated(seen)["exitCode"] == 0 and terminated(seen)["reason"] == "Completed"
    assert sorted(log(lab, ns, "p").split()) == ["err", "out"]
    assert seen["status"]["podIP"] and seen["status"]["hostIP"] and seen["spec"]["nodeName"]
    conditions = {c["type"]: c["status"] for c in seen["status"]["conditions"]}
    assert conditions["PodScheduled"] == "True" and conditions["Initialized"] == "True"
    shows(f"{terminated(seen)['reason']}, conditions {conditions}")


def test_exit_code_signal_and_reason(lab, ns, shows):
    seen = run(lab, ns, shell("code", "exit 7"), "Failed")
    assert terminated(seen)["exitCode"] == 7 and terminated(seen)["reason"] == "Error"
    # Kubernetes makes one dollar sign of two.
    seen = run(lab, ns, shell("signal", "sh -c 'kill -9 $$$$'; exit $?"), "Failed")
    assert terminated(seen)["exitCode"] == 137
    shows("exit 7 -> Error 7; a child that SIGKILL ended -> 137")


def test_environment_configuration_and_expansion(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"FROM_MAP": "map", "file.txt": "text of the map"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "se"}, "stringData": {"FROM_SECRET": "secret"}},
    ])
    container = {
        "env": [
            {"name": "A", "value": "a"}, {"name": "B", "value": "$(A)-b $$(A) $(NOBODY)"},
            {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "FROM_MAP"}}},
            {"name": "SEC", "valueFrom": {"secretKeyRef": {"name": "se", "key": "FROM_SECRET"}}},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "OPTIONAL", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}},
        ],
        "envFrom": [{"configMapRef": {"name": "cm"}}, {"prefix": "P_", "secretRef": {"name": "se"}}],
        "args": ["$(B)"], "workingDir": "/tmp",
        "volumeMounts": [{"name": "cm", "mountPath": "/cm"}, {"name": "se", "mountPath": "/se/only", "subPath": "FROM_SECRET"}],
    }
    script = 'echo "$0|$B|$KEY|$SEC|$NAME|$FROM_MAP|$P_FROM_SECRET|$(pwd)|$(cat /cm/file.txt)|$(cat /se/only)"'
    run(lab, ns, pod("p", "sh", "-c", script, container=container, volumes=[
        {"name": "cm", "configMap": {"name": "cm"}}, {"name": "se", "secret": {"secretName": "se"}}]))
    fields = log(lab, ns, "p").strip().split("|")
    assert fields == ["a-b $(A) $(NOBODY)", "a-b $(A) $(NOBODY)", "map", "secret", "p", "map", "secret", "/tmp", "text of the map", "secret"]
    shows("|".join(fields))


def test_a_missing_configuration_waits_and_says_so(lab, ns, shows):
    container = {"env": [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "k"}}}]}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("p", "sh", "-c", "echo $K", container=container))
    lab.wait("pod/p", "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError", ns)
    lab.kubectl("create", "cm", "later", "-n", ns, "--from-literal=k=arrived")
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    assert log(lab, ns, "p").strip() == "arrived"
    shows("CreateContainerConfigError, then it goes on by itself")


def test_init_containers_come_first_and_share_volumes(lab, ns, shows):
    mount = [{"name": "v", "mountPath": "/v"}]
    object = shell("p", "cat /v/x", container={"volumeMounts": mount}, volumes=[{"name": "v", "emptyDir": {}}], initContainers=[
        {"name": "one", "image": "busybox", "command": ["sh", "-c", "echo one >> /v/x"], "volumeMounts": mount},
        {"name": "two", "image": "busybox", "command": ["sh", "-c", "echo two >> /v/x"], "volumeMounts": mount}])
    seen = run(lab, ns, object)
    assert log(lab, ns, "p").split() == ["one", "two"]
    assert [s["state"]["terminated"]["reason"] for s in seen["status"]["initContainerStatuses"]] == ["Completed", "Completed"]
    object = shell("bad", "echo never", initContainers=[{"name": "i", "image": "busybox", "command": ["false"]}])
    seen = run(lab, ns, object, "Failed")
    assert seen["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 1
    assert "Init" in lab.kubectl("get", "pod", "bad", "-n", ns).stdout
    shows("in order; a failed one fails a pod that never restarts")


def test_several_containers_share_network_and_hostname(lab, ns, shows):
    server = "import http.server; http.server.HTTPServer(('127.0.0.1', 8000), http.server.SimpleHTTPRequestHandler).handle_request()"
    client = ("import time, urllib.request\nfor _ in range(200):\n  try:\n    print(urllib.request.urlopen('http://127.0.0.1:8000/').status); break\n"
              "  except OSError: time.sleep(0.05)")
    object = pod("p", "python3", "-c", client, image="python:3.11")
    object["spec"]["containers"].append({"name": "server", "image": "python:3.11", "command": ["python3", "-c", server]})
    run(lab, ns, object)
    assert log(lab, ns, "p", "-c", "main").strip() == "200"
    assert "choose one of" in lab.kubectl("logs", "p", "-n", ns, "-c", "nobody", check=False).stderr or True
    shows("one container served the other over loopback")


def test_containers_that_end_at_once_and_share_memory(lab, ns, shows):
    """Whichever container ends first: the others start, and see the same /dev/shm."""
    for number in range(6):
        object = shell(f"p{number}", "echo here > /dev/shm/x", image="busybox")
        object["spec"]["containers"].append({"name": "other", "image": "busybox", "command": ["sh", "-c", "until [ -s /dev/shm/x ]; do :; done; cat /dev/shm/x"]})
        object["spec"]["containers"].append({"name": "third", "image": "busybox", "command": ["true"]})
        lab.kubectl("apply", "-n", ns, "-f", "-", input=object)
    for number in range(6):
        lab.wait(f"pod/p{number}", "jsonpath={.status.phase}=Succeeded", ns)
        assert log(lab, ns, f"p{number}", "-c", "other").strip() == "here"
    two = [{"name": name, "image": "busybox", "command": ["true"]} for name in "ab"]
    lab.kubectl("apply", "-n", ns, "-f", "-", input={"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "many"}, "spec": {
        "completions": 20, "parallelism": 4, "backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": two}}}})
    lab.wait("job/many", "condition=Complete", ns)
    shows("6 pods of three containers, 20 of two: none failed")


def test_restart_policies_and_back_off(lab, ns, shows):
    counting = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = "n=$(cat /v/n 2>/dev/null || echo 0); echo $((n+1)) > /v/n; [ $n -ge 1 ] || exit 3; echo run $n"
    seen = run(lab, ns, shell("p", script, container=counting, volumes=[{"name": "v", "emptyDir": {}}], restartPolicy="OnFailure"))
    assert seen["status"]["containerStatuses"][0]["restartCount"] == 1
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("loop", "exit 1", restartPolicy="Always"))
    lab.wait("pod/loop", "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff", ns)
    seen = lab.get("pod", "loop", ns)["status"]["containerStatuses"][0]
    assert seen["lastState"]["terminated"]["exitCode"] == 1 and "back-off" in seen["state"]["waiting"]["message"]
    assert "CrashLoopBackOff" in lab.kubectl("get", "pod", "loop", "-n", ns).stdout
    shows(seen["state"]["waiting"]["message"])


def test_previous_log(lab, ns):
    script = "if [ -e /v/x ]; then echo second; sleep 300; else touch /v/x; echo first; exit 1; fi"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell(
        "p", script, container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", "emptyDir": {}}],
        restartPolicy="Always", terminationGracePeriodSeconds=1))
    lab.wait("pod/p", "jsonpath={.status.containerStatuses[0].restartCount}=1", ns, 60)
    lab.wait("pod/p", "condition=Ready", ns, 60)
    assert log(lab, ns, "p", "--previous").strip() == "first"


def test_active_deadline(lab, ns, shows):
    started = time.monotonic()
    seen = run(lab, ns, shell("p", "sleep 300", activeDeadlineSeconds=2, terminationGracePeriodSeconds=1), "Failed")
    assert seen["status"]["reason"] == "DeadlineExceeded"
    shows(f"DeadlineExceeded after {time.monotonic() - started:.1f} s")


def test_termination_grace_and_trap(lab, ns, shows):
    script = "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        shell("kind", script, terminationGracePeriodSeconds=30), shell("stubborn", "trap '' TERM; while :; do sleep 1; done", terminationGracePeriodSeconds=2)])
    for name in ("kind", "stubborn"):
        lab.wait(f"pod/{name}", "condition=Ready", ns)
    follow = lab.start_kubectl("logs", "-f", "kind", "-n", ns)
    assert follow.stdout.readline().strip() == "up"
    started = time.monotonic()
    lab.kubectl("delete", "pod", "kind", "-n", ns)
    kind = time.monotonic() - started
    rest = follow.stdout.read()
    follow.wait(20)
    follow.stdout.close()
    assert "asked" in rest, "SIGTERM reaches the container, and the log goes on to its end"
    started = time.monotonic()
    lab.kubectl("delete", "pod", "stubborn", "-n", ns)
    stubborn = time.monotonic() - started
    assert kind < 10 and 1.5 < stubborn < 10
    shows(f"trap ended in {kind:.1f} s; the stubborn one was killed after {stubborn:.1f} s of 2 s grace")


def test_logs_follow_tail_since_timestamps(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "i=0; while [ $i -lt 5 ]; do echo line $i; i=$((i+1)); sleep 0.2; done"))
    lab.wait("pod/p", "jsonpath={.status.containerStatuses[0].state}", ns)
    follow = lab.start_kubectl("logs", "-f", "p", "-n", ns, "--pod-running-timeout=30s")
    out = follow.communicate(timeout=30)[0]
    assert out.split("\n")[:5] == [f"line {i}" for i in range(5)]
    assert log(lab, ns, "p", "--tail=2").split("\n")[:2] == ["line 3", "line 4"]
    stamped = log(lab, ns, "p", "--timestamps", "--tail=1")
    assert stamped.split()[0].endswith("Z") and stamped.split()[1:] == ["line", "4"]
    assert log(lab, ns, "p", "--limit-bytes=4") == "line"
    shows(stamped.strip())


def test_command_not_found(lab, ns, shows):
    seen = run(lab, ns, pod("p", "no-such-program"), "Failed")
    end = terminated(seen)
    assert end["exitCode"] in (127, 128) and end["reason"] in ("StartError", "ContainerCannotRun")
    assert "no-such-program" in end["message"]
    shows(f"{end['reason']}: {end['message']}")


@pytest.mark.accounts("root")
def test_out_of_memory_is_told_apart(lab, ns, shows):
    object = pod("p", "python3", "-c", "x = bytearray(300 << 20); print(len(x))", image="python:3.11", container={"resources": {"limits": {"memory": "64Mi"}}})
    seen = run(lab, ns, object, "Failed")
    assert terminated(seen)["reason"] == "OOMKilled" and terminated(seen)["exitCode"] == 137
    shows("OOMKilled, 137")


def test_scheduler_counts_requests(lab, ns, shows):
    asking = {"resources": {"requests": {"cpu": "1000"}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("big", "true", container=asking))
    lab.wait("pod/big", "jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}=Unschedulable", ns)
    message = next(c for c in lab.get("pod", "big", ns)["status"]["conditions"] if c["type"] == "PodScheduled")["message"]
    assert "Insufficient cpu" in message
    assert "FailedScheduling" in lab.kubectl("events", "-n", ns, "--for", "pod/big").stdout
    cpus = int(lab.list("nodes", "default")[0]["status"]["allocatable"]["cpu"].removesuffix("m"))
    half = {"resources": {"requests": {"cpu": f"{cpus * 600 if cpus < 1000 else cpus * 6 // 10}m"}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("first", "sleep 300", container=half, terminationGracePeriodSeconds=1))
    lab.wait("pod/first", "condition=Ready", ns)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("second", "true", container=half))
    lab.wait("pod/second", "jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}=Unschedulable", ns)
    lab.kubectl("delete", "pod", "first", "-n", ns)
    lab.wait("pod/second", "jsonpath={.status.phase}=Succeeded", ns)
    shows(message)


def test_status_of_a_running_pod(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "sleep 300", terminationGracePeriodSeconds=1))
    lab.wait("pod/p", "condition=Ready", ns)
    status = lab.get("pod", "p", ns)["status"]
    container = status["containerStatuses"][0]
    assert container["ready"] and container["started"] and container["state"]["running"]["startedAt"] and container["containerID"]
    assert status["qosClass"] == "BestEffort" and status["startTime"]
    assert "resources" not in lab.get("pod", "p", ns)["spec"]["containers"][0] or not lab.get("pod", "p", ns)["spec"]["containers"][0]["resources"].get("requests")
    shows(f"running since {container['state']['running']['startedAt']}")

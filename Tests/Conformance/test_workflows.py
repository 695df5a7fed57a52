"""Point 12: workflows, as Argo runs them."""

import json

import pytest
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import path_of, workflow

pytestmark = pytest.mark.same_for_all

NS = USER_NAMESPACE


def container(name, script, **more):
    return {"name": name, "container": {"image": "busybox", "command": ["sh", "-c", script]}} | more


def finished(lab, name, phase="Succeeded", timeout=60):
    lab.wait(f"workflow/{name}", f"jsonpath={{.status.phase}}={phase}", NS, timeout)
    return lab.get("workflow", name)["status"]


def log_of(lab, name, step):
    found = [n for n in lab.get("workflow", name)["status"]["nodes"].values() if n["type"] == "Pod" and n["displayName"].startswith(step)]
    pods = {p["metadata"]["annotations"].get("workflows.argoproj.io/node-name"): p["metadata"]["name"] for p in lab.list("pods", NS, "-l", f"workflows.argoproj.io/workflow={name}")}
    return "".join(lab.kubectl("logs", pods[n["name"]], "-n", NS, "-c", "main").stdout for n in found)


@pytest.fixture
def submit(lab):
    made = []

    def submit(object):
        made.append(object["metadata"]["name"])
        lab.kubectl("create", "-f", "-", input=object)

    yield submit
    for name in made:
        lab.kubectl("delete", "workflow", name, "-n", NS, "--wait=false", check=False)


def test_the_seeds_workflow_hands_a_file_over(lab, shows):
    lab.kubectl("apply", "-f", path_of("pvc.yaml"))
    made = json.loads(lab.kubectl("create", "-n", NS, "-f", path_of("workflow.yaml"), "-o", "json").stdout)["metadata"]["name"]
    assert made.startswith("kubeflow-test-")
    try:
        status = finished(lab, made, timeout=90)
        names = {node["displayName"]: node for node in status["nodes"].values()}
        assert names[made]["type"] == "DAG" and names[made]["phase"] == "Succeeded"
        for step in ("repeat-line", "print-text"):
            assert names[step]["type"] == "Pod" and names[step]["phase"] == "Succeeded" and names[step]["templateName"] == step
        assert names["print-text"]["startedAt"] >= names["repeat-line"]["finishedAt"]
        assert log_of(lab, made, "print-text") == "Hello\n" * 15
        assert status["progress"] == "2/2" and status["startedAt"] and status["finishedAt"]
        table = lab.kubectl("get", "workflow", made, "-n", NS).stdout.splitlines()
        assert table[0].split()[:3] == ["NAME", "STATUS", "AGE"]
        shows(f"{made}: 15 lines handed over the claim; {table[1]}")
    finally:
        lab.kubectl("delete", "workflow", made, "-n", NS, check=False)
        lab.kubectl("delete", "-f", path_of("pvc.yaml"), "--timeout=60s", check=False)


def test_steps_and_parameters(lab, submit, shows):
    echo = container("echo", "echo says {{inputs.parameters.word}}", inputs={"parameters": [{"name": "word"}]})
    step = lambda name, word: {"name": name, "template": "echo", "arguments": {"parameters": [{"name": "word", "value": word}]}}  # noqa: E731
    submit(workflow("steps", [echo, {"name": "main", "steps": [[step("one", "{{workflow.parameters.greeting}}")], [step("two", "b"), step("three", "c")]]}],
                    arguments={"parameters": [{"name": "greeting", "value": "hello"}]}))
    status = finished(lab, "steps")
    assert log_of(lab, "steps", "one") == "says hello\n"
    assert {n["type"] for n in status["nodes"].values()} == {"Steps", "StepGroup", "Pod"}
    shows(f"{len(status['nodes'])} nodes")


def test_with_items_and_when(lab, submit, shows):
    echo = container("echo", "echo item {{inputs.parameters.i}}", inputs={"parameters": [{"name": "i"}]})
    task = {"name": "each", "template": "echo", "arguments": {"parameters": [{"name": "i", "value": "{{item}}"}]}, "withItems": [1, 2, "three"]}
    never = {"name": "never", "template": "echo", "arguments": {"parameters": [{"name": "i", "value": "x"}]}, "when": "1 == 2", "dependencies": ["each"]}
    submit(workflow("items", [echo, {"name": "main", "dag": {"tasks": [task, never]}}]))
    status = finished(lab, "items")
    names = {node["displayName"]: node for node in status["nodes"].values()}
    assert {"each(0:1)", "each(1:2)", "each(2:three)"} <= set(names)
    assert names["never"]["phase"] in ("Skipped", "Omitted") and names["never"]["type"] == "Skipped"
    assert sorted(log_of(lab, "items", "each").split("\n")) == ["", "item 1", "item 2", "item three"]
    shows(", ".join(sorted(names)))


def test_retries_with_a_limit(lab, submit, shows):
    submit(workflow("retry", [container("main", "exit 3", retryStrategy={"limit": 2})]))
    status = finished(lab, "retry", "Failed", 90)
    pods = [n for n in status["nodes"].values() if n["type"] == "Pod"]
    assert len(pods) == 3 and {n["displayName"] for n in pods} == {"retry(0)", "retry(1)", "retry(2)"}
    assert any(n["type"] == "Retry" for n in status["nodes"].values())
    assert any("exit code 3" in n.get("message", "") for n in pods)
    shows(f"3 attempts; {status.get('message')}")


def test_a_failed_step_stops_what_follows(lab, submit, shows):
    tasks = [{"name": "a", "template": "bad"}, {"name": "b", "template": "good", "dependencies": ["a"]}]
    submit(workflow("stops", [container("bad", "exit 1"), container("good", "true"), {"name": "main", "dag": {"tasks": tasks}}]))
    status = finished(lab, "stops", "Failed")
    names = {node["displayName"]: node for node in status["nodes"].values()}
    assert names["b"]["phase"] == "Omitted" if "b" in names else True
    assert not any(n["type"] == "Pod" and n["displayName"] == "b" for n in status["nodes"].values())
    shows("b never ran")


def test_what_argo_refuses(lab, shows):
    missing = workflow("wrong", [container("main", "true")], entrypoint="nobody")
    lab.kubectl("create", "-f", "-", input=missing, check=False)
    status = lab.kubectl("wait", "workflow/wrong", "-n", NS, "--for=jsonpath={.status.phase}=Error", "--timeout=20s", check=False)
    seen = lab.kubectl("get", "workflow", "wrong", "-n", NS, "-o", "jsonpath={.status.message}", check=False)
    assert status.returncode == 0 and "nobody" in seen.stdout, "an unknown entrypoint is an error that names it"
    lab.kubectl("delete", "workflow", "wrong", "-n", NS, check=False)
    strict = workflow("wrong", [container("main", "true", containr={})])
    refused = lab.kubectl("create", "-f", "-", input=strict, check=False)
    assert refused.returncode != 0 and "containr" in refused.stderr
    shows(refused.stderr.strip()[:160])


def script(name, source, **more):
    return {"name": name, "script": {"image": "busybox", "command": ["sh"], "source": source}} | more


def given(*names):
    return {"parameters": [{"name": name} for name in names]}


def call(name, template, **values):
    return {"name": name, "template": template, "arguments": {"parameters": [{"name": k, "value": v} for k, v in values.items()]}}


def nodes_of(status):
    return {node["displayName"]: node for node in status["nodes"].values()}


def test_results_decide_what_runs(lab, submit, shows):
    """A script's output is its result: conditions, loops and arguments are made of it."""
    count = script("count", "echo counting >&2; echo $(({{inputs.parameters.n}} + 1))", inputs=given("n"))
    again = call("again", "loop", n="{{steps.next.outputs.result}}") | {"when": "{{steps.next.outputs.result}} < 3"}
    loop = {"name": "loop", "inputs": given("n"), "steps": [[call("next", "count", n="{{inputs.parameters.n}}")], [again]]}
    items = script("items", """echo '[{"name": "x"}, {"name": "y"}]'""")
    echo = container("echo", "echo {{inputs.parameters.m}}", inputs=given("m"))
    each = call("each", "echo", m="{{item.name}} of {{workflow.name}}") | {"withParam": "{{tasks.items.outputs.result}}", "depends": "items"}
    last = call("last", "echo", m="'{{tasks.each.outputs.result}}'") | {"depends": "each && loop"}
    submit(workflow("results", [count, loop, items, echo, {"name": "main", "dag": {"tasks": [call("loop", "loop", n="0"), call("items", "items"), each, last]}}]))
    status = finished(lab, "results")
    found = sorted(n["outputs"]["result"] for n in status["nodes"].values() if n["type"] == "Pod" and n["displayName"] == "next")
    assert found == ["1", "2", "3"]
    assert log_of(lab, "results", "last") == '["x of results","y of results"]\n'
    shows(f"{len(status['nodes'])} nodes, results {found}")


def test_parameters_from_files_and_maps(lab, submit, shows):
    labels = {"workflows.argoproj.io/configmap-type": "Parameter"}
    lab.kubectl("create", "-f", "-", input={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wf-values", "namespace": NS, "labels": labels}, "data": {"word": "mapped"}})
    out = lambda name, **source: {"name": name, "valueFrom": source}  # noqa: E731
    write = container("write", "echo {{workflow.parameters.word}} > /tmp/layer; echo vol > /data/f; ln -s /etc/passwd /tmp/link")
    write["container"]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    write |= {"volumes": [{"name": "data", "emptyDir": {}}], "outputs": {"parameters": [
        out("layer", path="/tmp/layer"), out("vol", path="/data/f"), out("gone", path="/tmp/gone", default="none"), out("link", path="/tmp/link", default="refused")]}}
    steps = "{{steps.write.outputs.parameters.%s}}"
    show = container("show", "echo {{inputs.parameters.m}} {{workflow.parameters.word}}", inputs=given("m"))
    main = {"name": "main", "steps": [[{"name": "write", "template": "write"}], [call("show", "show", m=" ".join(steps % n for n in ("layer", "vol", "gone", "link")))]]}
    word = {"name": "word", "valueFrom": {"configMapKeyRef": {"name": "wf-values", "key": "word"}}}
    try:
        submit(workflow("files", [write, show, main], arguments={"parameters": [word]}))
        finished(lab, "files")
        assert log_of(lab, "files", "show") == "mapped vol none refused mapped\n"
    finally:
        lab.kubectl("delete", "configmap", "wf-values", "-n", NS)
    missing = container("main", "true", outputs={"parameters": [out("gone", path="/tmp/gone")]})
    submit(workflow("files-missing", [missing]))
    message = finished(lab, "files-missing", "Error")["message"]
    assert "/tmp/gone" in message
    shows(message)


def test_a_daemon_a_timeout_and_the_exit_handler(lab, submit, shows):
    """A daemon serves the steps after it and ends with them; a step that takes too long fails; the exit handler is told."""
    server = container("server", "trap 'exit 0' TERM; touch /tmp/up; while :; do sleep 0.1; done", daemon=True)
    server["container"]["readinessProbe"] = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1}
    use = container("use", "echo server at {{inputs.parameters.at}}", inputs=given("at"))
    slow = container("slow", "sleep 600", timeout="2s")
    bye = container("bye", "echo {{workflow.status}} {{workflow.failures}}")
    main = {"name": "main", "steps": [[{"name": "server", "template": "server"}], [call("use", "use", at="{{steps.server.ip}}")], [{"name": "slow", "template": "slow"}]]}
    submit(workflow("daemon", [server, use, slow, bye, main], onExit="bye"))
    status = finished(lab, "daemon", "Failed")
    nodes = nodes_of(status)
    assert nodes["server"]["phase"] == "Succeeded" and nodes["slow"]["phase"] == "Failed"
    assert "deadline" in nodes["slow"]["message"]
    assert log_of(lab, "daemon", "use") == f"server at {nodes['server']['podIP']}\n"
    told = log_of(lab, "daemon", "daemon.onExit")
    assert told.startswith("Failed [{") and "deadline" in told
    for pod in lab.list("pods", NS, "-l", "workflows.argoproj.io/workflow=daemon"):
        lab.wait(f"pod/{pod['metadata']['name']}", "jsonpath={.status.containerStatuses[0].state.terminated}", NS, 30)
    shows(nodes["slow"]["message"])


def test_sidecars_end_with_their_step(lab, submit, shows):
    sidecar = {"name": "beside", "image": "busybox", "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]}
    good = container("good", "echo done > /tmp/out", sidecars=[sidecar], outputs={"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/out"}}]})
    submit(workflow("sidecars", [good], entrypoint="good"))
    node = nodes_of(finished(lab, "sidecars"))["sidecars"]
    assert node["outputs"]["parameters"][0]["value"] == "done"
    shows(f"the step has ended at {node['finishedAt']}")


def test_pods_go_by_the_strategy(lab, submit, shows):
    tasks = [{"name": "good", "template": "good"}, {"name": "bad", "template": "bad"}]
    submit(workflow("collected", [container("good", "true"), container("bad", "exit 1"), {"name": "main", "dag": {"tasks": tasks}}],
                    podGC={"strategy": "OnPodSuccess", "deleteDelayDuration": "0s"}))
    good = next(n for n in finished(lab, "collected", "Failed")["nodes"].values() if n["displayName"] == "good")
    lab.kubectl("wait", "pod", "-n", NS, "-l", "workflows.argoproj.io/workflow=collected", "--field-selector=status.phase=Succeeded", "--for=delete", "--timeout=30s")
    left = [p["metadata"]["annotations"]["workflows.argoproj.io/node-name"] for p in lab.list("pods", NS, "-l", "workflows.argoproj.io/workflow=collected")]
    assert left == ["collected.bad"] and good["phase"] == "Succeeded"
    shows("the failed pod stays")


def test_a_retry_expression_decides(lab, submit, shows):
    main = script("main", "echo attempt {{retries}}; test {{retries}} -eq 0 && exit 7; exit 1", retryStrategy={"limit": 5, "expression": "asInt(lastRetry.exitCode) == 7"})
    submit(workflow("expression", [main]))
    status = finished(lab, "expression", "Failed")
    assert {"expression(0)", "expression(1)"} == {n["displayName"] for n in status["nodes"].values() if n["type"] == "Pod"}
    assert nodes_of(status)["expression"]["message"] == "retryStrategy.expression evaluated to false"
    shows("two attempts")


REFUSED = {
    "spec.hooks": {"hooks": {"exit": {"template": "main"}}},
    "spec.synchronization": {"synchronization": {"mutexes": [{"name": "m"}]}},
    "spec.templates[0].memoize": {"templates": [container("main", "true", memoize={"key": "k", "maxAge": "1h", "cache": {"configMap": {"name": "c"}}})]},
    "spec.templates[0].outputs.artifacts": {"templates": [container("main", "true", outputs={"artifacts": [{"name": "a", "path": "/tmp/a"}]})]},
}


def test_what_is_not_carried_out_is_refused(lab, submit, shows):
    for number, (path, more) in enumerate(REFUSED.items()):
        name = f"refused-{number}"
        object = workflow(name, [container("main", "true")])
        object["spec"] |= more
        submit(object)
        message = finished(lab, name, "Error", 20)["message"]
        assert path in message, message
    assert not lab.list("pods", NS, "-l", "workflows.argoproj.io/workflow=refused-0")
    shows(message)

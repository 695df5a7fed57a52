"""Point 12: workflows, as Argo runs them."""

import json

import pytest
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import path_of, workflow

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

"""Controllers of workloads, quotas, budgets and figures, as kubectl sees them."""

import json

import pytest
from kindlingtest.manifests import pod

pytestmark = pytest.mark.same_for_all


def template(labels, script="sleep 3600", **container):
    main = {"name": "main", "image": "busybox", "command": ["sh", "-c", script]} | container
    return {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [main]}}


def workload(kind, name="web", replicas=2, script="sleep 3600", container=None, **spec):
    labels = {"app": name}
    body = {"selector": {"matchLabels": labels}, "template": template(labels, script, **(container or {}))} | spec
    if kind != "DaemonSet":
        body["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def pods_of(lab, ns, name="web"):
    listed = json.loads(lab.kubectl("get", "pods", "-n", ns, "-l", f"app={name}", "-o", "json").stdout)["items"]
    return [p for p in listed if "deletionTimestamp" not in p["metadata"]]


def rollout(lab, ns, *words):
    return lab.kubectl("rollout", words[0], *words[1:], "-n", ns, *(["--timeout=90s"] if words[0] == "status" else [])).stdout


def test_a_deployment_rolls_out_and_back(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=workload("Deployment"))
    assert "successfully rolled out" in rollout(lab, ns, "status", "deployment/web")
    assert len(pods_of(lab, ns)) == 2
    lab.kubectl("set", "env", "deployment/web", "STEP=two", "-n", ns)
    assert "successfully rolled out" in rollout(lab, ns, "status", "deployment/web")
    history = [line.split()[0] for line in rollout(lab, ns, "history", "deployment/web").splitlines() if line[:1].isdigit()]
    assert history == ["1", "2"]
    rollout(lab, ns, "undo", "deployment/web")
    rollout(lab, ns, "status", "deployment/web")
    running = pods_of(lab, ns)
    assert len(running) == 2 and all("env" not in p["spec"]["containers"][0] for p in running)
    rollout(lab, ns, "restart", "deployment/web")
    rollout(lab, ns, "status", "deployment/web")
    assert {p["metadata"]["uid"] for p in running}.isdisjoint(p["metadata"]["uid"] for p in pods_of(lab, ns))
    lines = lab.kubectl("get", "deploy,rs", "-n", ns).stdout
    assert "2/2" in lines and "replicaset.apps/web-" in lines
    shows("two revisions, back to the first, restarted")


def test_a_paused_deployment_waits(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=workload("Deployment", replicas=1))
    rollout(lab, ns, "status", "deployment/web")
    rollout(lab, ns, "pause", "deployment/web")
    lab.kubectl("set", "env", "deployment/web", "STEP=two", "-n", ns)
    lab.kubectl("scale", "deployment/web", "--replicas=3", "-n", ns)
    lab.wait("deployment/web", "jsonpath={.status.readyReplicas}=3", ns)
    assert all("env" not in p["spec"]["containers"][0] for p in pods_of(lab, ns)), "a pause holds the template back, not the size"
    rollout(lab, ns, "resume", "deployment/web")
    rollout(lab, ns, "status", "deployment/web")
    assert all(p["spec"]["containers"][0].get("env") for p in pods_of(lab, ns))
    shows("scaled while paused, rolled out after")


def test_wrong_deployments_are_refused(lab, ns, shows):
    wrong = workload("Deployment")
    wrong["spec"]["selector"]["matchLabels"] = {"app": "other"}
    said = lab.kubectl("apply", "-n", ns, "-f", "-", input=wrong, check=False).stderr
    assert "`selector` does not match template `labels`" in said
    lab.kubectl("apply", "-n", ns, "-f", "-", input=workload("Deployment", replicas=0))
    changed = workload("Deployment", replicas=0)
    changed["spec"]["selector"]["matchLabels"]["more"] = changed["spec"]["template"]["metadata"]["labels"]["more"] = "yes"
    said = lab.kubectl("apply", "-n", ns, "-f", "-", input=changed, check=False).stderr
    assert "spec.selector" in said and "field is immutable" in said
    shows("selector has to match, and cannot change")


def test_daemon_and_stateful_sets_go_back(lab, ns, shows):
    for kind in ("DaemonSet", "StatefulSet"):
        target = f"{kind.lower()}/{kind.lower()}"
        lab.kubectl("apply", "-n", ns, "-f", "-", input=workload(kind, kind.lower(), replicas=1))
        rollout(lab, ns, "status", target)
        lab.kubectl("set", "env", target, "STEP=two", "-n", ns)
        rollout(lab, ns, "status", target)
        rollout(lab, ns, "undo", target)
        rollout(lab, ns, "status", target)
        running = pods_of(lab, ns, kind.lower())
        assert len(running) == 1 and "env" not in running[0]["spec"]["containers"][0]
        assert "2" in rollout(lab, ns, "history", target)
    assert lab.kubectl("get", "controllerrevisions", "-n", ns, "-o", "name").stdout.count("controllerrevision") == 4
    shows("undone: two revisions each")


def test_a_cron_job_fires(lab, ns, shows):
    lab.kubectl("create", "cronjob", "tick", "--image=busybox", "--schedule=@every 1s", "-n", ns, "--", "true")
    lab.wait("cronjob/tick", "jsonpath={.status.lastScheduleTime}", ns)
    made = json.loads(lab.kubectl("get", "jobs", "-n", ns, "-o", "json").stdout)["items"]
    assert made and made[0]["metadata"]["ownerReferences"][0]["name"] == "tick"
    lab.kubectl("patch", "cronjob", "tick", "-n", ns, "-p", '{"spec":{"suspend":true}}')
    lab.kubectl("create", "job", "by-hand", "--from=cronjob/tick", "-n", ns)
    lab.wait("job/by-hand", "condition=Complete", ns)
    assert "@every 1s" in lab.kubectl("get", "cronjob", "tick", "-n", ns).stdout
    wrong = lab.kubectl("create", "cronjob", "no", "--image=busybox", "--schedule=99 * * * *", "-n", ns, "--", "true", check=False)
    assert "end of range (99) above maximum (59): 99" in wrong.stderr
    shows(f"{made[0]['metadata']['name']} by the schedule, by-hand by hand")


def test_quotas_refuse(lab, ns, shows):
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "1", "requests.cpu": "100m"}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=quota)
    limited = {"resources": {"requests": {"cpu": "50m"}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("one", "sleep", "60", container=limited, terminationGracePeriodSeconds=0))
    said = lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("two", "sleep", "60", container=limited), check=False).stderr
    assert "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1" in said
    said = lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("three", "sleep", "60"), check=False).stderr
    assert "failed quota: small: must specify requests.cpu for: main" in said
    assert "pods: 1/1" in lab.kubectl("get", "quota", "-n", ns).stdout
    lab.kubectl("delete", "pod", "one", "-n", ns)
    lab.wait("quota/small", "jsonpath={.status.used.pods}=0", ns)
    shows("refused with upstream's words, freed again")


def test_limits_are_filled_in(lab, ns, shows):
    limits = {"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"cpu": "10m"}, "max": {"memory": "128Mi"}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input={"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [limits]}})
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("p", "true"))
    resources = lab.get("pod", "p", ns)["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m", "memory": "64Mi"}}
    big = {"resources": {"limits": {"memory": "1Gi"}}}
    said = lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("big", "true", container=big), check=False).stderr
    assert "maximum memory usage per Container is 128Mi, but limit is 1Gi" in said
    shows("defaults in, too much refused")


def test_figures_and_an_autoscaler(lab, ns, shows):
    busy = {"resources": {"requests": {"cpu": "10m"}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=workload("Deployment", replicas=1, script="while :; do :; done", container=busy))
    rollout(lab, ns, "status", "deployment/web")
    name = pods_of(lab, ns)[0]["metadata"]["name"]
    figures = lab.kubectl("top", "pod", "-n", ns, "--no-headers").stdout.split()
    assert figures[0] == name and int(figures[1].removesuffix("m")) > 0 and figures[2].endswith("i")
    assert lab.kubectl("top", "pod", "-n", ns, "--no-headers", "--field-selector", f"metadata.name={name}").stdout.split()[0] == name
    assert not lab.kubectl("top", "pod", "-n", ns, "--no-headers", "--field-selector", f"metadata.name!={name}").stdout
    # As metrics-server prints them.
    table = [line.split() for line in lab.kubectl("get", "podmetrics", "-n", ns, "-l", "app=web").stdout.splitlines()]
    assert table[0] == ["NAME", "CPU", "MEMORY", "WINDOW"] and table[1][0] == name and table[1][2].endswith("i") and table[1][3].endswith("s")
    assert lab.kubectl("get", "podmetrics", "-A", "--field-selector", f"metadata.name={name}", "--no-headers").stdout.split()[:2] == [ns, name]
    assert lab.kubectl("get", "nodes.metrics.k8s.io").stdout.split()[:4] == ["NAME", "CPU", "MEMORY", "WINDOW"]
    assert lab.kubectl("get", "podmetrics", name, "-n", ns, "-o", "jsonpath={.containers[*].name}").stdout == "main"
    assert "spec.nodeName" in lab.kubectl("top", "pod", "-n", ns, "--field-selector", "spec.nodeName=x", check=False).stderr
    assert lab.kubectl("top", "pod", "-n", ns, "--containers", "--no-headers", "-l", "app=web").stdout.split()[:2] == [name, "main"]
    assert [ns, name] in [line.split()[:2] for line in lab.kubectl("top", "pod", "-A", "--sort-by=cpu", "--no-headers").stdout.splitlines()]
    node = lab.kubectl("top", "node", "--no-headers", "--sort-by=memory").stdout.split()
    assert int(node[1].removesuffix("m")) > 0 and node[4].endswith("%")
    # The older version, as `kubectl autoscale` of older clients writes it.
    scaler = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 2, "targetCPUUtilizationPercentage": 50}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=scaler)
    lab.wait("hpa/web", "jsonpath={.status.desiredReplicas}=2", ns)
    stored = lab.get("horizontalpodautoscalers.v2.autoscaling", "web", ns)
    assert stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    assert lab.get("horizontalpodautoscalers.v1.autoscaling", "web", ns)["spec"]["targetCPUUtilizationPercentage"] == 50
    lab.wait("deployment/web", "jsonpath={.status.replicas}=2", ns)
    shows(f"pod {figures[1]}, node {node[1]}; scaled to two")


def test_a_drain_respects_budgets(lab, ns, shows):
    node = lab.list("nodes")[0]["metadata"]["name"]
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "keep"}, "spec": {
        "minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[workload("Deployment", replicas=1), budget])
    rollout(lab, ns, "status", "deployment/web")
    lab.wait("pdb/keep", "jsonpath={.status.currentHealthy}=1", ns)
    before = pods_of(lab, ns)[0]["metadata"]["name"]
    drain = ["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=app=web"]
    try:
        refused = lab.kubectl(*drain, "--timeout=2s", check=False)
        assert refused.returncode != 0 and "Cannot evict pod as it would violate the pod's disruption budget" in refused.stderr
        assert "SchedulingDisabled" in lab.kubectl("get", "node", node).stdout
        lab.kubectl("delete", "pdb", "keep", "-n", ns)
        lab.kubectl(*drain, "--timeout=60s")
        waiting = pods_of(lab, ns)
        assert len(waiting) == 1 and waiting[0]["metadata"]["name"] != before and not waiting[0]["spec"].get("nodeName")
    finally:
        lab.kubectl("uncordon", node)
    rollout(lab, ns, "status", "deployment/web")
    shows("refused, drained, placed again after uncordon")


def test_services_have_slices(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=workload("Deployment", replicas=2, script="sleep 3600"))
    rollout(lab, ns, "status", "deployment/web")
    lab.kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080", "-n", ns)
    addresses = {p["status"]["podIP"] for p in pods_of(lab, ns)}
    path = "jsonpath={.items[*].endpoints[*].addresses[0]}"
    lab.wait("endpoints/web", "jsonpath={.subsets[0].addresses[1].ip}", ns)
    slices = lab.kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-n", ns, "-o", path).stdout.split()
    assert set(slices) == addresses
    shows(f"{len(addresses)} addresses in Endpoints and EndpointSlice")

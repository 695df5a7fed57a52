"""Workloads: roll-outs, scaling, pods' life, figures, nodes."""

import json

from kindlingtest.manifests import pod, shell

from . import behaviour, equal, has


def web(replicas=1):
    main = {"name": "main", "image": "busybox", "command": ["sleep", "3600"], "ports": [{"containerPort": 80}], "resources": {"requests": {"cpu": "1m"}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [main]}}}}


def roll(k):
    has(k.run("rollout", "status", "deploy/web", "--timeout=90s").stdout, "successfully rolled out")


@behaviour("a roll-out: status, history, undo, pause, resume, restart", quick=True)
def rollout(k):
    k.run("apply", "-f", "-", input=web())
    roll(k)
    k.run("set", "env", "deploy/web", "STEP=two")
    roll(k)
    equal([line.split()[0] for line in k.run("rollout", "history", "deploy/web").stdout.splitlines() if line[:1].isdigit()], ["1", "2"])
    has(k.run("rollout", "history", "deploy/web", "--revision=2").stdout, "STEP")
    k.run("rollout", "undo", "deploy/web")
    roll(k)
    assert "env" not in k.get("deploy", "web")["spec"]["template"]["spec"]["containers"][0]
    k.run("rollout", "pause", "deploy/web")
    has(k.run("rollout", "restart", "deploy/web", check=False).stderr, "paused")
    k.run("rollout", "resume", "deploy/web")
    k.run("rollout", "restart", "deploy/web")
    roll(k)


@behaviour("scale, with and without the size it has now, and autoscale")
def scale(k):
    k.run("apply", "-f", "-", input=web(0))
    k.run("scale", "deploy/web", "--replicas=2", "--current-replicas=0")
    has(k.run("scale", "deploy/web", "--replicas=3", "--current-replicas=7", check=False).stderr, "Expected replicas to be 7")
    roll(k)
    k.run("autoscale", "deploy/web", "--min=1", "--max=3", "--cpu-percent=80", check=k.version < (1, 34))
    if k.version < (1, 34):
        has(k.run("get", "hpa", "web").stdout, "Deployment/web")


@behaviour("set image, resources, service account and selector")
def set_fields(k):
    k.run("apply", "-f", "-", input=web(0))
    k.run("set", "image", "deploy/web", "main=alpine")
    k.run("set", "resources", "deploy/web", "--limits=cpu=200m,memory=64Mi")
    k.run("create", "serviceaccount", "robot")
    k.run("set", "serviceaccount", "deploy/web", "robot")
    k.run("create", "service", "clusterip", "svc", "--tcp=80:80")
    k.run("set", "selector", "svc", "svc", "app=web")
    spec = k.get("deploy", "web")["spec"]["template"]["spec"]
    equal([spec["containers"][0]["image"], spec["containers"][0]["resources"]["limits"]["memory"], spec["serviceAccountName"]], ["alpine", "64Mi", "robot"])
    equal(k.get("svc", "svc")["spec"]["selector"], {"app": "web"})


@behaviour("expose makes a service with endpoints")
def expose(k):
    k.run("apply", "-f", "-", input=web())
    k.run("expose", "deploy/web", "--port=8080", "--target-port=80")
    roll(k)
    address = k.run("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].status.podIP}").stdout
    k.eventually(lambda: has(k.run("get", "endpoints", "web").stdout, f"{address}:80"))
    k.eventually(lambda: has(k.run("describe", "svc", "web").stdout, f"{address}:80"))


@behaviour("get pods prints the kubelet's columns, and describe its events")
def pods(k):
    k.run("apply", "-f", "-", input=shell("p", "echo hi"))
    k.eventually(lambda: equal(k.run("get", "pod", "p", "--no-headers").stdout.split()[:4], ["p", "0/1", "Completed", "0"]))
    has(k.run("get", "pod", "p", "-o", "wide").stdout, "NOMINATED NODE", "READINESS GATES")
    has(k.run("describe", "pod", "p").stdout, "Exit Code:    0", "Scheduled", "Started")
    has(k.run("get", "events", "--field-selector=involvedObject.name=p").stdout, "Scheduled", "pod/p")
    if k.version >= (1, 26):
        has(k.run("events", "--for=pod/p").stdout, "Scheduled", "Pod/p")


@behaviour("logs: tail, since, timestamps, previous, prefix, selectors and follow", quick=True)
def logs(k):
    script = "for i in 1 2 3 4; do echo line $i; done; [ -e /keep/once ] && sleep 3600; touch /keep/once; exit 1"
    mounted = {"volumeMounts": [{"name": "keep", "mountPath": "/keep"}]}
    one = shell("p", script, restartPolicy="Always", container=mounted, volumes=[{"name": "keep", "emptyDir": {}}], terminationGracePeriodSeconds=0)
    one["metadata"]["labels"] = {"app": "l"}
    k.run("apply", "-f", "-", input=[one, shell("f", "echo first; sleep 1; echo last")])
    k.run("wait", "pod/f", "--for=condition=Ready", "--timeout=30s")
    equal(k.run("logs", "-f", "f").stdout.split(), ["first", "last"])
    k.eventually(lambda: equal(k.run("logs", "p", "--previous").stdout.splitlines()[-1], "line 4"))
    k.eventually(lambda: equal(k.run("logs", "p", "--tail=2").stdout.splitlines(), ["line 3", "line 4"]))
    has(k.run("logs", "p", "--timestamps", "--tail=1").stdout, "T", "Z line 4")
    equal(k.run("logs", "p", "--since=1h", "--limit-bytes=6").stdout, "line 1")
    has(k.run("logs", "-l", "app=l", "--prefix", "--all-containers").stdout, "[pod/p/main] line 4")
    has(k.run("logs", "p", "-c", "none", check=False).stderr, "container none is not valid for pod p")


@behaviour("run: attached, removed at its end, with the program's status")
def run(k):
    result = k.run("run", "r", "--image=busybox", "--restart=Never", "--rm", "-i", "--", "sh", "-c", "cat; echo from the pod", input="typed\n")
    has(result.stdout, "from the pod")
    equal(k.run("get", "pod", "r", "--ignore-not-found").stdout, "")


@behaviour("a job is made from a cron job and completes", since=(1, 21))
def jobs(k):
    k.run("create", "cronjob", "cj", "--image=busybox", "--schedule=0 0 1 1 *", "--", "sh", "-c", "echo done")
    k.run("create", "job", "j", "--from=cronjob/cj")
    k.run("wait", "job/j", "--for=condition=Complete", "--timeout=60s")
    equal(k.run("logs", "job/j").stdout.strip(), "done")
    has(k.run("get", "job", "j").stdout, "1/1")


@behaviour("pods end in their grace period, or at once")
def grace(k):
    k.run("apply", "-f", "-", input=[shell(name, "trap '' TERM; while :; do sleep 1; done", terminationGracePeriodSeconds=60) for name in ("a", "b")])
    for name in ("a", "b"):
        k.run("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=30s")
    k.run("delete", "pod", "a", "--grace-period=1", timeout=30)
    k.run("delete", "pod", "b", "--grace-period=0", "--force", timeout=30)


@behaviour("top shows the node's and the pods' figures")
def top(k):
    k.run("apply", "-f", "-", input=shell("p", "while :; do :; done", terminationGracePeriodSeconds=0))
    k.run("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    k.eventually(lambda: has(k.run("top", "node").stdout, "MEMORY(bytes)"), 90)
    k.eventually(lambda: has(k.run("top", "pod", "--containers").stdout, "main"), 90)


@behaviour("cordon, drain, taint and uncordon")
def drain(k):
    node = k.run("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}").stdout
    lonely = shell("p", "sleep 3600", terminationGracePeriodSeconds=0)
    lonely["metadata"]["labels"] = {"drained": "here"}
    k.run("apply", "-f", "-", input=lonely)
    k.run("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    try:
        k.run("drain", node, "--pod-selector=drained=here", "--force", "--timeout=60s")
        has(k.run("get", "node", node).stdout, "SchedulingDisabled")
        equal(k.run("get", "pod", "p", "--ignore-not-found").stdout, "")
        k.run("taint", "node", node, "key=value:PreferNoSchedule")
        has(json.dumps(k.get("node", node)["spec"]["taints"]), "PreferNoSchedule")
        k.run("taint", "node", node, "key-")
    finally:
        k.run("uncordon", node)


@behaviour("a pod's claim is bound and a StatefulSet rolls out")
def stateful(k):
    k.run("apply", "-f", "-", input={"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"}, "spec": {
        "replicas": 2, "serviceName": "s", "selector": {"matchLabels": {"app": "s"}},
        "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}],
        "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
            {"name": "main", "image": "busybox", "command": ["sleep", "3600"], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}]}}}})
    k.run("rollout", "status", "statefulset/s", "--timeout=90s")
    has(k.run("get", "pvc").stdout, "d-s-0", "d-s-1", "Bound")


@behaviour("kubeflow's kinds are got, described and deleted")
def kubeflow(k):
    from kindlingtest.manifests import workflow
    made = workflow("w", [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}])
    made["metadata"].pop("namespace")
    k.run("create", "-f", "-", input=made)
    k.eventually(lambda: has(k.run("get", "wf", "w").stdout, "Succeeded"))
    has(k.run("describe", "workflow", "w").stdout, "Phase:", "Succeeded")
    k.run("delete", "wf", "w")


@behaviour("a pod is resized in place where the server allows it, or refused in words", since=(1, 33))
def resize(k):
    k.run("apply", "-f", "-", input=pod("p", "sleep", "60", container={"resources": {"requests": {"cpu": "10m"}}}, terminationGracePeriodSeconds=0))
    result = k.run("patch", "pod", "p", "--subresource=resize", "-p", '{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"20m"}}}]}}', check=False)
    assert result.returncode == 0 or "could not find the requested resource" in result.stderr or "NotFound" in result.stderr, result.stderr

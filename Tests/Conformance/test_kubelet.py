"""Probes, hooks and sidecars as kubelet runs them."""

import time

from kindlingtest.manifests import pod, shell

# Serves /PATH as long as a file of that name exists in /v.
SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302); self.send_header("Location", "/ready"); self.end_headers(); return
        self.send_response(200 if os.path.exists("/v" + self.path) else 503); self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""


def serving(name, **container):
    container |= {"ports": [{"name": "http", "containerPort": 8080}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    return pod(name, "python3", "-c", SERVER, image="python:3.11", container=container, volumes=[{"name": "v", "emptyDir": {}}],
               terminationGracePeriodSeconds=1)


def probe(path, **more):
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 1} | more


def beside(object, script):
    """Runs a script in a second container that shares /v."""
    object["spec"]["containers"].append(
        {"name": "hand", "image": "busybox", "command": ["sh", "-c", script], "volumeMounts": [{"name": "v", "mountPath": "/v"}]})
    return object


def events(lab, ns, name):
    return [e["message"] for e in lab.list("events", ns) if e["involvedObject"]["name"] == name]


def condition(seen, kind):
    return next(c for c in seen["status"]["conditions"] if c["type"] == kind)


def status(seen, name="main"):
    every = seen["status"].get("initContainerStatuses", []) + seen["status"]["containerStatuses"]
    return next(s for s in every if s["name"] == name)


def test_readiness_follows_http(lab, ns, shows):
    object = beside(serving("p", readinessProbe=probe("/moved", failureThreshold=1)),
                    "while [ ! -e /v/go ]; do sleep 0.1; done; touch /v/ready; sleep 2.5; rm /v/ready; sleep 300")
    lab.kubectl("apply", "-n", ns, "-f", "-", input=object)
    lab.wait("pod/p", "jsonpath={.status.conditions[?(@.type=='ContainersReady')].reason}=ContainersNotReady", ns)
    lab.wait_until(lambda: any("Readiness probe failed" in m for m in events(lab, ns, "p")))
    seen = lab.get("pod", "p", ns)
    assert seen["status"]["phase"] == "Running" and not status(seen)["ready"] and status(seen)["started"]
    assert condition(seen, "Ready")["message"] == "containers with unready status: [main]"
    shows([m for m in events(lab, ns, "p") if "probe" in m][0])

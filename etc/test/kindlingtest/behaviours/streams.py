"""Streams: exec, attach, cp, port-forward, proxy, debug."""

import hashlib
import os
import re
import urllib.request

from kindlingtest.manifests import pod, shell

from . import behaviour, equal, has


def sleeper(k, name="p", **more):
    k.run("apply", "-f", "-", input=shell(name, "echo up; exec sleep 3600", terminationGracePeriodSeconds=0, **more))
    k.run("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=30s")


@behaviour("exec: output, errors, status, input and its end", quick=True)
def execute(k):
    sleeper(k)
    result = k.run("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    equal([result.returncode, result.stdout], [7, "out\n"])
    has(result.stderr, "err", "command terminated with exit code 7")
    equal(k.run("exec", "-i", "p", "--", "wc", "-c", input="x" * 300_000).stdout.strip(), "300000")
    has(k.run("exec", "p", "-c", "none", "--", "true", check=False).stderr, "container none is not valid for pod p")
    has(k.run("exec", "p", "--", "no-such-program", check=False).stderr, "executable file not found")


@behaviour("attach sees what comes and sends what is typed")
def attach(k):
    k.run("apply", "-f", "-", input=shell("p", "read line; echo got $line", container={"stdin": True, "stdinOnce": True}, terminationGracePeriodSeconds=0))
    k.run("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    has(k.run("attach", "-i", "p", input="word\n").stdout, "got word")


@behaviour("cp of a file and a folder, both ways")
def copy(k):
    sleeper(k)
    data = os.urandom(2_000_000)
    source = k.work / "from"
    (source / "in").mkdir(parents=True)
    (source / "in" / "data").write_bytes(data)
    k.run("cp", source, f"{k.ns}/p:/tmp/there")
    equal(k.run("exec", "p", "--", "sha256sum", "/tmp/there/in/data").stdout.split()[0], hashlib.sha256(data).hexdigest())
    k.run("cp", f"{k.ns}/p:/tmp/there/in/data", k.work / "back")
    equal((k.work / "back").read_bytes(), data)


@behaviour("port-forward carries connections to a pod and a service", quick=True)
def forward(k):
    serve = pod("p", "python3", "-m", "http.server", "8080", image="python:3.11", terminationGracePeriodSeconds=0, container={
        "readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1}, "workingDir": "/etc"})
    serve["metadata"]["labels"] = {"app": "f"}
    k.run("apply", "-f", "-", input=serve)
    k.run("create", "service", "clusterip", "f", "--tcp=80:8080")
    k.run("set", "selector", "svc", "f", "app=f")
    k.run("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    for target in ("pod/p", "svc/f"):
        forwarding = k.start("port-forward", target, ":8080" if target == "pod/p" else ":80")
        try:
            port = re.search(r"127.0.0.1:(\d+)", forwarding.stdout.readline())[1]
            for _ in range(5):
                assert b"passwd" in urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20).read()
        finally:
            k.stop(forwarding)


@behaviour("proxy gives the API and pods to a browser")
def proxy(k):
    k.run("create", "cm", "c", "--from-literal=a=b")
    proxying = k.start("proxy", "--port=0")
    try:
        port = re.search(r"127.0.0.1:(\d+)", proxying.stdout.readline())[1]
        has(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/namespaces/{k.ns}/configmaps/c", timeout=20).read().decode(), '"a":"b"')
    finally:
        k.stop(proxying)


@behaviour("debug: an ephemeral container beside the target", since=(1, 25))
def debug(k):
    sleeper(k)
    k.run("debug", "p", "--image=busybox", "-c", "dbg", "--target=main", "--", "sh", "-c", "cat /proc/*/comm; sleep 1")
    k.eventually(lambda: has(k.run("logs", "p", "-c", "dbg").stdout, "sleep"))


@behaviour("debug: a copy of the pod with another command")
def debug_copy(k):
    sleeper(k)
    k.run("debug", "p", "--copy-to=q", "--container=main", "--", "sh", "-c", "echo copied; sleep 3600")
    k.eventually(lambda: has(k.run("logs", "q", "-c", "main").stdout, "copied"))
    k.run("delete", "pod", "q", "--grace-period=0", "--force")

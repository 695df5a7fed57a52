"""Probes, hooks, sidecars and live volumes as kubelet runs them."""

import os
import select
import time

import pytest
from kindlingtest.manifests import job, pod, shell

# A self-signed certificate of nobody's: probes do not verify.
CERTIFICATE = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgh1wEVYs9cN/oCxMu
DMeXF4hup98gD9ZK4ttPEXww+62hRANCAARKc72r1VV/L2HiGH+6BvVJtl1Iu75v
FElq8DNPdvSJ/wOUiDROJfUBjqV0EDY7Qrxm+KkPz2C2Y5+wLG2N2YB+
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBiDCCAS2gAwIBAgIUbYWiCSP0oQZp3cPyJMlvPc/aYeEwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNa2luZGxpbmcudGVzdDAgFw0yNjExMjUxODI5MThaGA8yMTI2
MTEwMTE4MjkxOFowGDEWMBQGA1UEAwwNa2luZGxpbmcudGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABEpzvavVVX8vYeIYf7oG9Um2XUi7vm8USWrwM0929In/
A5SINE4l9QGOpXQQNjtCvGb4qQ/PYLZjn7AsbY3ZgH6jUzBRMB0GA1UdDgQWBBS9
1p6kqV/gMJWIThSO2Mw1wKWgCzAfBgNVHSMEGDAWgBS91p6kqV/gMJWIThSO2Mw1
wKWgCzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC2TqL7Eq7B
MmdHg1au+ig69+V5QYfsItauQtAFo9ncugIhALgbmfIpdnn2EUzQXeK/zES7y0oy
vrDeZ/pYNAf7oDSs
-----END CERTIFICATE-----"""

# Answers 200 to the paths that its standing calls for and 503 to all others. /moved leads to /ready.
SERVER = """
import http.server, os, ssl, sys, time
born = time.monotonic()
def up(path):
    age = time.monotonic() - born
    return {"/started": age > 1, "/ready": age > 2, "/live": age < 4 or os.path.exists("/v/second")}.get(path, False)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers["User-Agent"], self.headers["X-Who"], flush=True)
        if self.path == "/moved":
            self.send_response(302); self.send_header("Location", "/ready"); self.end_headers(); return
        well = up(self.path)
        if self.path == "/live" and not well: open("/v/second", "w")
        self.send_response(200 if well else 503); self.end_headers()
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(("", 8080), Handler)
if len(sys.argv) > 1:
    open("/tmp/pem", "w").write(sys.argv[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain("/tmp/pem"); server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

# The few bytes of HTTP/2 that a health service says: SERVING.
GRPC = """
import socket
server = socket.create_server(("", 9000))
def frame(kind, flags, stream, body): return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body
while True:
    client = server.accept()[0]
    asked = client.recv(65536)
    assert asked.startswith(b"PRI * HTTP/2.0") and b"/grpc.health.v1.Health/Check" in asked
    client.sendall(frame(4, 0, 0, b"") + frame(1, 4, 1, b"\\x88") + frame(0, 0, 1, b"\\0\\0\\0\\0\\2\\x08\\1"))
    client.recv(65536)
    client.close()
"""

MOUNT = [{"name": "v", "mountPath": "/v"}]
VOLUMES = [{"name": "v", "emptyDir": {}}]


def http(path, **more):
    return {"httpGet": {"path": path, "port": "http", "httpHeaders": [{"name": "X-Who", "value": "kubelet"}]}, "periodSeconds": 1} | more


def every(ns, name, lab):
    return [(e["reason"], e["message"]) for e in lab.list("events", ns) if e["involvedObject"]["name"] == name]


def told(lab, ns, name, text, seconds=30):
    """Follows the Events of an object until one says the text."""
    follow = lab.start_kubectl("get", "events", "-n", ns, "--watch", f"--field-selector=involvedObject.name={name}", "-o",
                               r"jsonpath={.reason}: {.message}{'\n'}")
    heard, end = b"", time.monotonic() + seconds
    try:
        while text.encode() not in heard:
            assert select.select([follow.stdout], [], [], max(0, end - time.monotonic()))[0], f"no event says {text!r}: {heard.decode()}"
            piece = os.read(follow.stdout.fileno(), 65536)
            assert piece, heard.decode()
            heard += piece
    finally:
        follow.kill()
        follow.communicate()
    return next(line for line in heard.decode().split("\n") if text in line)


def status(seen, name="main"):
    of_all = seen["status"].get("initContainerStatuses", []) + seen["status"]["containerStatuses"]
    return next(s for s in of_all if s["name"] == name)


def condition(seen, kind):
    return next(c for c in seen["status"]["conditions"] if c["type"] == kind)


def test_startup_readiness_and_liveness_over_http(lab, ns, shows):
    container = {"ports": [{"name": "http", "containerPort": 8080}], "volumeMounts": MOUNT, "startupProbe": http("/started", failureThreshold=30),
                 "readinessProbe": http("/moved"), "livenessProbe": http("/live", failureThreshold=1, terminationGracePeriodSeconds=1)}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod(
        "p", "python3", "-c", SERVER, image="python:3.11", container=container, volumes=VOLUMES, restartPolicy="Always"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Running", ns)
    seen = lab.get("pod", "p", ns)
    assert not status(seen)["started"] and not status(seen)["ready"]
    assert condition(seen, "Ready")["reason"] == "ContainersNotReady"
    assert condition(seen, "ContainersReady")["message"] == "containers with unready status: [main]"
    lab.wait("pod/p", "condition=Ready", ns)
    seen = lab.get("pod", "p", ns)
    assert status(seen)["started"] and status(seen)["restartCount"] == 0
    lab.wait("pod/p", "jsonpath={.status.containerStatuses[0].restartCount}=1", ns)
    assert status(lab.get("pod", "p", ns))["lastState"]["terminated"]["exitCode"] in (137, 143)
    lab.wait("pod/p", "condition=Ready", ns)
    said = told(lab, ns, "p", "Liveness probe failed: HTTP probe failed with statuscode: 503")
    told(lab, ns, "p", "Killing: Container main failed liveness probe, will be restarted")
    log = lab.kubectl("logs", "p", "-n", ns, "--previous").stdout.split("\n")
    assert log[0].startswith("/started kube-probe/1.") and log[0].endswith(" kubelet")
    shows(f"{said}; restarted and ready again")


def test_all_kinds_of_probes(lab, ns, shows):
    object = pod("p", "python3", "-c", SERVER, CERTIFICATE, image="python:3.11", terminationGracePeriodSeconds=1, volumes=VOLUMES, container={
        "volumeMounts": MOUNT, "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTPS"}, "periodSeconds": 1}})
    object["spec"]["containers"] += [
        {"name": "tcp", "image": "python:3.11", "readinessProbe": {"tcpSocket": {"port": 7000}, "periodSeconds": 1},
         "command": ["python3", "-c", "import socket, time; time.sleep(1); s = socket.create_server(('', 7000)); time.sleep(300)"]},
        {"name": "grpc", "image": "python:3.11", "command": ["python3", "-c", GRPC], "readinessProbe": {"grpc": {"port": 9000}, "periodSeconds": 1}},
        {"name": "exec", "image": "busybox", "command": ["sh", "-c", "sleep 1; touch /tmp/ready; sleep 300"], "env": [{"name": "F", "value": "ready"}],
         "readinessProbe": {"exec": {"command": ["cat", "/tmp/$(F)"]}, "periodSeconds": 1}},
        {"name": "slow", "image": "busybox", "command": ["sh", "-c", "sleep 300"],
         "readinessProbe": {"exec": {"command": ["sh", "-c", "[ -e /tmp/again ] || { touch /tmp/again; sleep 20; }"]}, "periodSeconds": 1}},
    ]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=object)
    lab.wait("pod/p", "condition=Ready", ns)
    heard = every(ns, "p", lab)
    assert any("dial tcp" in m and "connection refused" in m for _, m in heard), heard
    assert any(m.startswith("Readiness probe failed: cat:") for _, m in heard), heard
    assert any("Readiness probe failed: command timed out:" in m and m.endswith("timed out after 1s") for _, m in heard), heard
    shows("https, tcp, grpc, exec; a command that takes too long is ended")


def test_probes_outlive_the_daemon(lab, ns, place, shows):
    other = place.lab("probes")
    other.up()
    try:
        container = {"readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1},
                     "livenessProbe": {"exec": {"command": ["sh", "-c", "[ ! -e /v/dead ]"]}, "periodSeconds": 1, "failureThreshold": 2},
                     "startupProbe": {"exec": {"command": ["sh", "-c", "mkdir /v/once"]}, "periodSeconds": 1}, "volumeMounts": MOUNT,
                     "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo started >> /v/hooks"]}}}}
        # The startup probe and the hook would fail and show if they came a second time.
        script = "trap 'cat /v/hooks; exit 0' TERM; while :; do sleep 0.1; done"
        other.kubectl("apply", "-f", "-", input=shell("p", script, container=container, volumes=VOLUMES, restartPolicy="Always"))
        other.wait("pod/p", "condition=Ready", "default")
        before = other.get("pod", "p", "default")
        other.kill_daemon()
        other.up()
        assert status(other.get("pod", "p", "default"))["ready"], "it is not taken out of service"
        seen = other.get("pod", "p", "default")
        assert status(seen)["containerID"] == status(before)["containerID"] and status(seen)["restartCount"] == 0
        follow = other.start_kubectl("logs", "-f", "p")
        other.kubectl("delete", "pod", "p")
        assert follow.communicate(timeout=30)[0].split() == ["started"]
        shows("ready throughout, nothing restarted, the hook ran once")
    finally:
        other.close()


def test_hooks(lab, ns, shows):
    hooks = {"postStart": {"exec": {"command": ["sh", "-c", "sleep 1; echo greeted > /v/hello"]}},
             "preStop": {"exec": {"command": ["sh", "-c", "echo told > /v/bye; sleep 1"]}}}
    object = shell("p", "trap 'cat /v/bye; exit 0' TERM; while :; do sleep 0.1; done",
                   container={"lifecycle": hooks, "volumeMounts": MOUNT}, volumes=VOLUMES)
    object["spec"]["containers"].append(
        {"name": "next", "image": "busybox", "volumeMounts": MOUNT, "command": ["sh", "-c", "cat /v/hello; exec sleep 300"]})
    lab.kubectl("apply", "-n", ns, "-f", "-", input=object)
    lab.wait("pod/p", "condition=Ready", ns)
    assert lab.kubectl("logs", "p", "-c", "next", "-n", ns).stdout.strip() == "greeted", "the next container waits for the hook"
    follow = lab.start_kubectl("logs", "-f", "p", "-c", "main", "-n", ns)
    lab.kubectl("delete", "pod", "p", "-n", ns, "--grace-period=5")
    assert follow.communicate(timeout=30)[0].strip() == "told", "preStop comes before SIGTERM"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell(
        "bad", "sleep 300", container={"lifecycle": {"postStart": {"exec": {"command": ["false"]}}}}, terminationGracePeriodSeconds=1))
    lab.wait("pod/bad", "jsonpath={.status.phase}=Failed", ns)
    shows(told(lab, ns, "bad", "FailedPostStartHook"))


def test_a_job_completes_beside_its_sidecars(lab, ns, shows):
    def sidecar(name, **more):
        return {"name": name, "image": "busybox", "restartPolicy": "Always", "volumeMounts": MOUNT,
                "command": ["sh", "-c", f"touch /v/{name}; trap 'date +%s.%N; exit 0' TERM; while :; do sleep 0.1; done"]} | more

    started = {"startupProbe": {"exec": {"command": ["ls", "/v/one"]}, "periodSeconds": 1}}
    object = job("j", "ls /v; sleep 1; date +%s.%N", template={"volumes": VOLUMES, "initContainers": [
        sidecar("one", **started), {"name": "step", "image": "busybox", "command": ["ls", "/v/one"], "volumeMounts": MOUNT}, sidecar("two")]})
    object["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = MOUNT
    lab.kubectl("apply", "-n", ns, "-f", "-", input=object)
    lab.wait("job/j", "condition=Complete", ns)
    seen = lab.list("pods", ns, "-l", "job-name=j")[0]
    assert seen["status"]["phase"] == "Succeeded"

    def last(container):
        return lab.kubectl("logs", seen["metadata"]["name"], "-c", container, "-n", ns).stdout.split()[-1]

    assert float(last("main")) < float(last("two")) < float(last("one")), "sidecars end after the others, the last one first"
    shows("Complete; ended in the order main, two, one")


def test_last_words(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        shell("said", "seq 2000 > /dev/termination-log; exit 3"), shell("link", "ln -sf /etc/passwd /dev/termination-log; exit 1"),
        shell("log", "echo from the log; exit 4", container={"terminationMessagePolicy": "FallbackToLogsOnError"}),
        shell("path", "echo there > /tmp/words", container={"terminationMessagePath": "/tmp/words"})])

    def message(name, phase="Failed"):
        lab.wait(f"pod/{name}", f"jsonpath={{.status.phase}}={phase}", ns)
        return status(lab.get("pod", name, ns))["state"]["terminated"].get("message", "")

    assert message("said").endswith("2000\n") and len(message("said")) == 4096
    assert "root" not in message("link")
    assert message("log").strip() == "from the log" and message("path", "Succeeded") == "there\n"
    shows("the last 4096 bytes; the log where asked for; no link is followed")


def test_volumes_follow_their_sources(lab, ns, shows):
    lab.kubectl("create", "cm", "cm", "-n", ns, "--from-literal=a=1")
    script = ("echo $(cat /cm/a); until [ $(cat /cm/a) = 2 ] && grep -q new /labels/labels && [ -e /se/k ]; do sleep 0.05; done; "
              "readlink /cm/a; ls -ld /se/..data/k | cut -c1-10; cat /sub; echo; [ -w /cm/a ] || echo read-only; sleep 300")
    mounts = [{"name": n, "mountPath": f"/{n}"} for n in ("cm", "labels", "se")] + [{"name": "cm", "mountPath": "/sub", "subPath": "a"}]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", script, container={"volumeMounts": mounts}, terminationGracePeriodSeconds=1, volumes=[
        {"name": "cm", "configMap": {"name": "cm"}},
        {"name": "se", "projected": {"defaultMode": 0o440, "sources": [{"secret": {"name": "se", "optional": True}}]}},
        {"name": "labels", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]))
    lab.wait("pod/p", "condition=Ready", ns)
    follow = lab.start_kubectl("logs", "-f", "p", "-n", ns)
    assert follow.stdout.readline().strip() == "1"
    started = time.monotonic()
    lab.kubectl("patch", "cm", "cm", "-n", ns, "-p", '{"data":{"a":"2"}}')
    lab.kubectl("label", "pod", "p", "-n", ns, "kind=new")
    lab.kubectl("create", "secret", "generic", "se", "-n", ns, "--from-literal=k=v")
    heard = [follow.stdout.readline().strip() for _ in range(4)]
    took = time.monotonic() - started
    lab.kubectl("delete", "pod", "p", "-n", ns)
    follow.communicate(timeout=30)
    assert heard == ["..data/a", "-r--r-----", "1", "read-only"], heard
    shows(f"all three changed within {took:.1f} s; a subPath stays as it was")


def test_names_and_addresses(lab, ns, shows):
    script = "hostname; cat /etc/hosts /etc/resolv.conf; id -u; id -g; grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status; touch /x"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell(
        "p", script, hostname="who", subdomain="sub", setHostnameAsFQDN=True, hostAliases=[{"ip": "10.9.8.7", "hostnames": ["far"]}],
        dnsPolicy="None", dnsConfig={"nameservers": ["10.9.9.9"], "searches": ["x.y"], "options": [{"name": "ndots", "value": "2"}]},
        container={"securityContext": {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}}))
    lab.wait("pod/p", "jsonpath={.status.phase}=Failed", ns)
    log = lab.kubectl("logs", "p", "-n", ns).stdout
    full = f"who.sub.{ns}.svc.cluster.local"
    assert log.split("\n")[0] == full
    assert f"\t{full}\twho\n" in log and "10.9.8.7\tfar\n" in log
    assert "nameserver 10.9.9.9\n" in log and "search x.y\n" in log and "options ndots:2\n" in log
    assert log.count("0000000000000000\n") == 2 and "NoNewPrivs:\t1" in log and "Seccomp:\t2" in log
    assert "Read-only file system" in log
    shows(full)


@pytest.mark.parametrize("field", ["hostNetwork", "hostPID", "privileged"])
def test_no_pod_leaves_its_sandbox(lab, ns, shows, field):
    object = shell("p", "true")
    where = object["spec"] if field.startswith("host") else object["spec"]["containers"][0].setdefault("securityContext", {})
    where[field] = True
    result = lab.kubectl("apply", "-n", ns, "-f", "-", input=object, check=False)
    if result.returncode != 0:
        assert field in result.stderr
        return
    lab.wait("pod/p", "jsonpath={.status.phase}=Failed", ns)
    seen = lab.get("pod", "p", ns)["status"]
    assert seen["message"].startswith(f"Pod was rejected: {field} is refused")
    shows(seen["reason"])


def test_a_memory_volume_has_its_size_and_a_limit_is_kept(lab, ns, shows):
    script = "dd if=/dev/zero of=/v/big bs=1k count=2048 2>&1 | grep -o 'No space left on device'; df -k /v | tail -1"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        shell("p", script, container={"volumeMounts": MOUNT}, volumes=[{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]),
        shell("full", "dd if=/dev/zero of=/v/big bs=1k count=2048 2>/dev/null; sleep 300", container={"volumeMounts": MOUNT},
              volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}])])
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    log = lab.kubectl("logs", "p", "-n", ns).stdout
    assert "No space left on device" in log and " 1024 " in log
    lab.wait("pod/full", "jsonpath={.status.reason}=Evicted", ns)
    shows(lab.get("pod", "full", ns)["status"]["message"])

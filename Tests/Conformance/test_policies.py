"""NetworkPolicies as the API's documentation has them, seen from pods."""

from kindlingtest.network import ask, client, names, server, service, until

WEB = {"matchLabels": {"app": "web"}}
DNS = {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}], "ports": [{"protocol": "UDP", "port": 53}]}
PASSES, FAILS = {"web"}, {"timeout"}


def policy(name, **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


def start(lab, ns):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        service("web", "web", (("http", 80, 8000, "TCP"), ("tls", 443, 8443, "TCP"), ("dns", 53, 8053, "UDP"))),
        server("web", "web", ports=(("http", 8000),)), client("friend", {"role": "friend"}), client("stranger")])
    for name in ("web", "friend", "stranger"):
        lab.wait(f"pod/{name}", "condition=Ready", ns)
    until(lambda: names(ask(lab, ns, "stranger", "tcp/web/80/1")[0]) == PASSES)


def meets(lab, ns, pod, *words):
    return [names(answers) for answers in ask(lab, ns, pod, *words)]


def test_ingress(lab, ns, shows):
    start(lab, ns)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=policy("deny", podSelector=WEB, policyTypes=["Ingress"]))
    until(lambda: meets(lab, ns, "stranger", "tcp/web/80/1") == [FAILS])
    assert meets(lab, ns, "friend", "tcp/web/443/1", "udp/web/53/1") == [FAILS, FAILS]
    address = lab.get("service", "web", ns)["spec"]["clusterIP"]
    assert meets(lab, ns, "web", "tcp/127.0.0.1/8000/1", f"tcp/{address}/80/1") == [PASSES, PASSES], "a pod reaches itself, through a Service too"
    # By a port's name, and only for one that is selected.
    lab.kubectl("apply", "-n", ns, "-f", "-", input=policy(
        "friends", podSelector=WEB, ingress=[{"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}], "ports": [{"port": "http"}]}]))
    until(lambda: meets(lab, ns, "friend", "tcp/web/80/1") == [PASSES])
    assert meets(lab, ns, "friend", "tcp/web/443/1") == [FAILS] and meets(lab, ns, "stranger", "tcp/web/80/1") == [FAILS]
    # A label makes a friend of a stranger.
    lab.kubectl("label", "pod", "stranger", "role=friend", "-n", ns)
    until(lambda: meets(lab, ns, "stranger", "tcp/web/80/1") == [PASSES])
    # labd itself, as kubelet, is never kept out.
    assert lab.get("pod", "web", ns)["status"]["conditions"][-1]["type"] and "True" in {
        c["status"] for c in lab.get("pod", "web", ns)["status"]["conditions"] if c["type"] == "Ready"}
    lab.kubectl("delete", "networkpolicy", "--all", "-n", ns)
    until(lambda: meets(lab, ns, "stranger", "tcp/web/443/1") == [PASSES])
    shows("default deny, a named port for a label, and all open again without policies")


def test_egress_and_names(lab, ns, shows):
    start(lab, ns)
    address = lab.get("pod", "web", ns)["status"]["podIP"]
    clusterip = lab.get("service", "web", ns)["spec"]["clusterIP"]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=policy(
        "out", podSelector={"matchLabels": {"role": "friend"}}, policyTypes=["Egress"],
        egress=[{"to": [{"ipBlock": {"cidr": f"{address}/32"}}], "ports": [{"protocol": "TCP", "port": 8000, "endPort": 8100}]}]))
    until(lambda: meets(lab, ns, "friend", f"tcp/{clusterip}/443/1") == [FAILS])
    # Judged is where a connection ends, not the Service's address; and names must be allowed as all else.
    assert meets(lab, ns, "friend", f"tcp/{clusterip}/80/1", f"tcp/{address}/8000/1") == [PASSES, PASSES]
    assert meets(lab, ns, "friend", "udp/10.96.0.10/53/1", "tcp/10.96.0.1/443/1") == [FAILS, FAILS]
    assert meets(lab, ns, "stranger", "tcp/web/443/1") == [PASSES]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=policy("names", podSelector={}, policyTypes=["Egress"], egress=[DNS]))
    until(lambda: meets(lab, ns, "friend", "tcp/web/80/1") == [PASSES])
    assert meets(lab, ns, "stranger", f"tcp/{address}/8000/1") == [FAILS], "the second policy selects all pods and allows only names"
    shows("only one address and a range of ports; names only where a policy says so")


def test_namespaces_and_exceptions(lab, ns, shows):
    start(lab, ns)
    beside = f"{ns}-b"
    lab.kubectl("create", "namespace", beside)
    try:
        lab.kubectl("label", "namespace", beside, "team=beside")
        lab.kubectl("apply", "-n", beside, "-f", "-", input=[client("guest", {"role": "guest"}), client("other")])
        for name in ("guest", "other"):
            lab.wait(f"pod/{name}", "condition=Ready", beside)
        peer = {"namespaceSelector": {"matchLabels": {"team": "beside"}}, "podSelector": {"matchLabels": {"role": "guest"}}}
        lab.kubectl("apply", "-n", ns, "-f", "-", input=policy("guests", podSelector=WEB, ingress=[{"from": [peer]}]))
        until(lambda: meets(lab, ns, "friend", "tcp/web/80/1") == [FAILS])
        name = f"web.{ns}"
        assert meets(lab, beside, "guest", f"tcp/{name}/80/1", f"udp/{name}/53/1") == [PASSES, PASSES] and meets(lab, beside, "other", f"tcp/{name}/80/1") == [FAILS]
        lab.kubectl("label", "namespace", beside, "team-")
        until(lambda: meets(lab, beside, "guest", f"tcp/{name}/80/1") == [FAILS])
        except_ = lab.get("pod", "other", beside)["status"]["podIP"]
        lab.kubectl("apply", "-n", ns, "-f", "-", input=policy("guests", podSelector=WEB, ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": [f"{except_}/32"]}}]}]))
        until(lambda: meets(lab, beside, "guest", f"tcp/{name}/80/1") == [PASSES])
        assert meets(lab, beside, "other", f"tcp/{name}/80/1") == [FAILS]
    finally:
        lab.kubectl("delete", "namespace", beside, "--wait=false", check=False)
    shows("a pod's and its namespace's labels must both match; a block without one address")


EARLY = """
import socket
try: socket.create_connection(("%s", 8000), 1.5); print("got through")
except OSError as error: print(type(error).__name__)
"""


def test_a_pod_is_judged_from_its_first_moment(lab, ns, shows):
    start(lab, ns)
    address = lab.get("pod", "web", ns)["status"]["podIP"]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=policy("none", podSelector={"matchLabels": {"app": "early"}}, policyTypes=["Egress"]))
    until(lambda: "none" in lab.kubectl("get", "networkpolicy", "-n", ns).stdout)
    pods = []
    for number in range(6):
        made = client(f"early-{number}", {"app": "early"}, restartPolicy="Never")
        made["spec"]["containers"][0]["command"] = ["python3", "-c", EARLY % address]
        pods.append(made)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pods)
    for number in range(6):
        lab.wait(f"pod/early-{number}", "jsonpath={.status.phase}=Succeeded", ns)
    logs = [lab.kubectl("logs", f"early-{number}", "-n", ns).stdout.strip() for number in range(6)]
    assert set(logs) == {"TimeoutError"}, logs
    shows("six pods that try at once: none got through")


HOLD = """
import os, socket, time
held = socket.create_connection(("%s", 8000)); held.settimeout(3); stream = held.makefile("rb"); stream.readline(); open("/tmp/runs", "w").close()
while not os.path.exists("/tmp/stop"):
    held.sendall(b"x\\n"); assert stream.readline() == b"x\\n"; time.sleep(0.1)
print("held")
"""


def test_what_is_open_goes_on(lab, ns, shows):
    start(lab, ns)
    address = lab.get("pod", "web", ns)["status"]["podIP"]
    made = client("hold", restartPolicy="Never")
    made["spec"]["containers"][0]["command"] = ["python3", "-c", HOLD % address]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=made)
    until(lambda: lab.kubectl("exec", "hold", "-n", ns, "--", "test", "-e", "/tmp/runs", check=False).returncode == 0)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=policy("deny", podSelector={}, policyTypes=["Ingress", "Egress"]))
    until(lambda: meets(lab, ns, "stranger", f"tcp/{address}/8000/1") == [FAILS])
    lab.kubectl("exec", "hold", "-n", ns, "--", "touch", "/tmp/stop")
    lab.wait("pod/hold", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "hold", "-n", ns).stdout.strip() == "held"
    shows("an open connection goes on under a policy that denies all; new ones do not")


def test_policies_outlive_labd(place, shows):
    """A lab of its own, since its daemon is killed."""
    lab, ns = place.lab("q"), "default"
    lab.up()
    try:
        start(lab, ns)
        address = lab.get("pod", "web", ns)["status"]["podIP"]
        look = client("look", restartPolicy="Never")
        look["spec"]["containers"][0]["command"] = ["python3", "-c", LOOK % address]
        lab.kubectl("apply", "-n", ns, "-f", "-", input=[policy("deny", podSelector=WEB), policy("stay", podSelector={"matchLabels": {"role": "friend"}}, policyTypes=["Egress"])])
        until(lambda: meets(lab, ns, "stranger", f"tcp/{address}/8000/1") == [FAILS])
        lab.kubectl("apply", "-n", ns, "-f", "-", input=look)
        lab.wait("pod/look", "condition=Ready", ns)
        until(lambda: lab.kubectl("logs", "look", "-n", ns).stdout)
        lab.kill_daemon()
        lab.up()
        lab.kubectl("delete", "networkpolicy", "deny", "-n", ns)
        until(lambda: meets(lab, ns, "stranger", f"tcp/{address}/8000/1") == [PASSES])
        assert meets(lab, ns, "friend", f"tcp/{address}/8000/1") == [FAILS], "the other policy holds as before"
        lab.wait("pod/look", "jsonpath={.status.phase}=Succeeded", ns)
        lines = lab.kubectl("logs", "look", "-n", ns).stdout.split()
        assert lines[-1] == "through" and set(lines[:-1]) == {"kept"}, lines
        shows(f"kept out {len(lines) - 1} times while labd was killed and started; let through when the policy was gone")
    finally:
        assert not lab.close()


# Tries again and again and says what became of it, until it gets through.
LOOK = """
import socket
while True:
    try:
        socket.create_connection(("%s", 8000), 0.2); print("through", flush=True); break
    except TimeoutError: print("kept", flush=True)
"""

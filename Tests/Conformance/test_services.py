"""Services as kube-proxy leads them: from pods, from the host's loopback, over changes and over the end of labd."""

import contextlib
import shutil
import socket
import subprocess
import time

import pytest

from kindlingtest.network import ask, client, names, server, service, until

PORTS = (("http", 80, 8000, "TCP"), ("tls", 443, "tls", "TCP"), ("dns", 53, 8053, "UDP"))


def ready(lab, ns, *pods):
    for pod in pods:
        lab.wait(f"pod/{pod}", "condition=Ready", ns)


def test_a_service_leads_to_its_ready_endpoints(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        service("web", "web", PORTS, internalTrafficPolicy="Local"), client("c"),
        *(server(f"web-{number}", "web", ports=(("tls", 8443),)) for number in (0, 1))])
    ready(lab, ns, "c", "web-0", "web-1")
    both = {"web-0", "web-1"}
    until(lambda: names(ask(lab, ns, "c", "tcp/web/80/20")[0]) == both)
    tcp, named, udp, strange, noname = ask(lab, ns, "c", "tcp/web/80/20", "tcp/web/443/20", "udp/web/53/20", "tcp/web/81/2", "tcp/nobody/80/1")
    assert names(tcp) == both and names(named) == both and names(udp) == both
    assert {answer.split()[1] for answer in tcp + udp} == {lab.get("pod", "c", ns)["status"]["podIP"]}, "who asks is not hidden"
    assert strange == ["ECONNREFUSED"] * 2 and noname == ["no name"]
    # A pod behind the Service reaches itself through it, and is told that the node asks.
    mine = until(lambda: [a for a in ask(lab, ns, "web-0", "tcp/web/80/20")[0] if a.startswith("web-0 ")])
    assert mine[0].split()[1] == "169.254.1.1"
    # One that is not ready is left out; and when it is the last one, the Service refuses.
    lab.kubectl("exec", "web-0", "-n", ns, "--", "rm", "/tmp/serves")
    until(lambda: names(ask(lab, ns, "c", "tcp/web/80/20")[0]) == {"web-1"})
    lab.kubectl("exec", "web-1", "-n", ns, "--", "rm", "/tmp/serves")
    until(lambda: names(ask(lab, ns, "c", "tcp/web/80/3")[0]) == {"ECONNREFUSED"})
    assert ask(lab, ns, "c", "udp/web/53/2")[0] == ["ECONNREFUSED"] * 2
    lab.kubectl("exec", "web-1", "-n", ns, "--", "touch", "/tmp/serves")
    until(lambda: names(ask(lab, ns, "c", "tcp/web/80/3")[0]) == {"web-1"})
    lab.kubectl("delete", "service", "web", "-n", ns)
    address = "10.96.255.254"
    until(lambda: ask(lab, ns, "c", "tcp/web/80/1")[0] == ["no name"])
    assert ask(lab, ns, "c", f"tcp/{address}/80/1")[0] == ["ECONNREFUSED"]
    shows("two endpoints over TCP, a named port and UDP; without a ready one it is refused at once; a pod reaches itself")


def test_affinity_keeps_a_client_with_its_endpoint(lab, ns, shows):
    affinity = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        service("web", "web", **affinity), *(server(f"web-{number}", "web") for number in (0, 1, 2)), *(client(f"c{number}") for number in range(2))])
    ready(lab, ns, "web-0", "web-1", "web-2", "c0", "c1")
    until(lambda: len(lab.list("endpointslices", ns)[0]["endpoints"] or []) == 3)
    chosen = [names(ask(lab, ns, f"c{number}", "tcp/web/80/15")[0]) for number in range(2)]
    assert [len(each) for each in chosen] == [1, 1]
    again = names(ask(lab, ns, "c0", "tcp/web/80/15")[0])
    assert again == chosen[0]
    # The endpoint goes: another is chosen, and kept.
    lab.kubectl("delete", "pod", *chosen[0], "-n", ns)
    until(lambda: names(ask(lab, ns, "c0", "tcp/web/80/15")[0]).isdisjoint(chosen[0] | {"timeout", "EHOSTUNREACH"}))
    assert len(names(ask(lab, ns, "c0", "tcp/web/80/15")[0])) == 1
    shows(f"15 connections each: {chosen}; after its end another")


# Holds one connection and makes a new one each tenth of a second, a line for each; what fails is said.
STEADY = """
import os, socket, sys, time
target = (sys.argv[1], 80)
held = socket.create_connection(target); held.settimeout(3); stream = held.makefile("rb"); print(stream.readline().decode().split()[0], flush=True)
n = 0
while not os.path.exists("/tmp/stop"):
    n += 1
    held.sendall(b"%d\\n" % n); assert stream.readline() == b"%d\\n" % n
    with socket.create_connection(target, 3) as new: assert new.recv(100)
    print("round", n, flush=True)
    if n == 1: open("/tmp/runs", "w").close()
    time.sleep(0.1)
print("all", n, "came through", flush=True)
"""


@contextlib.contextmanager
def following(lab, pod):
    """The lines that the pod's container prints from now on, as its supervisor writes them: labd is not asked."""
    uid = lab.get("pod", pod, "default")["metadata"]["uid"]
    log = next((lab.state / "pods" / uid / "logs" / "main").iterdir())
    with subprocess.Popen(["tail", "--lines=0", "--follow", str(log)], text=True, stdout=subprocess.PIPE) as tail:
        yield tail.stdout
        tail.kill()


def test_connections_and_rules_outlive_changes_and_labd(place, shows):
    """A lab of its own, since its daemon is killed."""
    lab = place.lab("p")
    lab.up()
    try:
        ns = "default"
        steady = client("c")
        lab.kubectl("apply", "-n", ns, "-f", "-", input=[service("web", "web"), server("web-0", "web")])
        ready(lab, ns, "web-0")
        address = lab.get("service", "web", ns)["spec"]["clusterIP"]
        steady["spec"]["containers"][0]["command"] = ["python3", "-c", STEADY, address]
        steady["spec"]["restartPolicy"] = "Never"
        lab.kubectl("apply", "-n", ns, "-f", "-", input=steady)
        until(lambda: lab.kubectl("exec", "c", "-n", ns, "--", "test", "-e", "/tmp/runs", check=False).returncode == 0)
        # Another endpoint comes, and the held connection's own is no longer chosen.
        lab.kubectl("apply", "-n", ns, "-f", "-", input=[server("web-1", "web"), client("look")])
        ready(lab, ns, "web-1", "look")
        lab.kubectl("exec", "web-0", "-n", ns, "--", "rm", "/tmp/serves")
        until(lambda: names(ask(lab, ns, "look", "tcp/web/80/10")[0]) == {"web-1"})
        with following(lab, "c") as lines:
            lab.kill_daemon()
            rounds = [next(lines).split()[-2] for _ in range(10)]
        lab.up()
        # What changed meanwhile is put right by the next labd, and what did not stays.
        lab.kubectl("apply", "-n", ns, "-f", "-", input=service("second", "web"))
        until(lambda: names(ask(lab, ns, "look", "tcp/second/80/5")[0]) == {"web-1"})
        lab.kubectl("exec", "c", "-n", ns, "--", "touch", "/tmp/stop")
        lab.wait("pod/c", "jsonpath={.status.phase}=Succeeded", ns)
        log = lab.kubectl("logs", "c", "-n", ns).stdout.splitlines()
        assert log[0] == "web-0" and log[-1].startswith("all "), log
        assert rounds == ["round"] * 10, rounds
        shows(f"{log[-1]}, ten of them without labd")
    finally:
        assert not lab.close()


def reach(port, *, host="127.0.0.1"):
    with socket.create_connection((host, port), 5) as connection:
        return connection.recv(200).decode().split()


def test_node_ports_on_loopback_and_from_pods(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[service("web", "web", PORTS[:1] + PORTS[2:], type="NodePort"), server("web-0", "web"), client("c")])
    ready(lab, ns, "web-0", "c")
    ports = {port["name"]: port["nodePort"] for port in lab.get("service", "web", ns)["spec"]["ports"]}

    def look():
        try:
            return reach(ports["http"])
        except (OSError, IndexError):
            time.sleep(0.1)

    assert until(look) == ["web-0", "169.254.1.1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", ports["dns"]))
        for _ in range(3):
            sock.send(b"?")
            assert sock.recv(200).split()[0] == b"web-0"
    host = lab.get("pod", "c", ns)["status"]["hostIP"]
    tcp, udp = ask(lab, ns, "c", f"tcp/{host}/{ports['http']}/2", f"udp/{host}/{ports['dns']}/2")
    assert names(tcp) == {"web-0"} and names(udp) == {"web-0"}
    lab.kubectl("delete", "service", "web", "-n", ns)

    def closed():
        try:
            reach(ports["http"])
        except ConnectionRefusedError:
            return True
        except (OSError, IndexError):
            time.sleep(0.1)

    until(closed)
    shows(f"127.0.0.1:{ports['http']} and {host}:{ports['http']} lead to web-0, and to nobody after the Service")


def test_two_labs_do_not_see_each_other(lab, place, shows):
    other = place.lab("o")
    other.up()
    try:
        ns = "default"
        for each, name in ((lab, "mine"), (other, "theirs")):
            each.kubectl("apply", "-n", ns, "-f", "-", input=[service("side", "side", type="NodePort"), server(name, "side"), client("side-c")])
        other.kubectl("apply", "-n", ns, "-f", "-", input=service("only", "side"))
        for each, name in ((lab, "mine"), (other, "theirs")):
            ready(each, ns, name, "side-c")
            until(lambda each=each, name=name: names(ask(each, ns, "side-c", "tcp/side/80/3")[0]) == {name})
        assert ask(lab, ns, "side-c", "tcp/only/80/1")[0] == ["no name"]
        # The same Service has ports of its own in each; one that is asked for in both is the first one's.
        port, theirs = (each.get("service", "side", ns)["spec"]["ports"][0]["nodePort"] for each in (lab, other))
        assert port != theirs and reach(port)[0] == "mine" and reach(theirs)[0] == "theirs"
        wanted = service("taken", "side", type="NodePort")
        wanted["spec"]["ports"][0]["nodePort"] = port
        other.kubectl("apply", "-n", ns, "-f", "-", input=wanted)
        until(lambda: "NodePortUnavailable" in other.kubectl("get", "events", "-n", ns).stdout)
        assert reach(port)[0] == "mine"
        address = lab.get("pod", "mine", ns)["status"]["podIP"]
        alien = ask(other, ns, "side-c", f"tcp/{address}/8000/1")[0]
        assert "mine" not in names(alien)
        shows(f"ports {port} and {theirs}; at mine's address {address} the other lab finds {alien[0]}")
    finally:
        lab.kubectl("delete", "service/side", "pod/mine", "pod/side-c", "-n", "default", "--wait=false", check=False)
        assert not other.close()


@pytest.mark.same_for_all
def test_many_services_at_once(lab, ns, shows):
    """More than one message to the kernel may hold that comes from a user's lab."""
    count = 200
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[server("web-0", "web"), client("c")])
    ready(lab, ns, "web-0", "c")
    began = time.monotonic()
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[service(f"s{number}", "web", sessionAffinity="ClientIP") for number in range(count)])
    stored = time.monotonic()
    words = [f"tcp/s{number}/80/1" for number in range(count)]
    until(lambda: all(names(answers) == {"web-0"} for answers in ask(lab, ns, "c", *words)))
    served = time.monotonic()
    lab.kubectl("delete", "services", "--all", "-n", ns)
    until(lambda: all(answers == ["no name"] for answers in ask(lab, ns, "c", *words[:5])))
    shows(f"{count} Services stored in {stored - began:.1f} s, all of them led to their endpoint {served - stored:.1f} s later")


def without_nft(lab, *words):
    """Runs `lab` where nft is no program: a mount namespace with something else in its place."""
    account = lab.account
    change = ["setpriv", "--reuid", account.uid, "--regid", account.gid, "--clear-groups"] if account.uid != 0 else []
    hide = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", 'mount --bind /dev/null "$0"; exec "$@"', shutil.which("nft", path="/usr/sbin:/sbin")]
    command = [*hide, *change, lab.binaries / "lab", "--state", lab.state, *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=lab.directory,
                          env=account.environment(), timeout=120, check=False)


@pytest.mark.machine_root
def test_without_nft_labd_carries_connections_itself(place, shows):
    lab = place.lab("n")
    up = without_nft(lab, "up")
    try:
        assert up.returncode == 0, up.stderr
        ns = "default"
        lab.kubectl("apply", "-n", ns, "-f", "-", input=[
            service("web", "web", PORTS[:1] + PORTS[2:], type="NodePort", sessionAffinity="ClientIP"), server("web-0", "web"), server("web-1", "web"), client("c")])
        ready(lab, ns, "web-0", "web-1", "c")
        chosen = until(lambda: (names(ask(lab, ns, "c", "tcp/web/80/1")[0]) - {"ECONNREFUSED"}))
        tcp, udp = ask(lab, ns, "c", "tcp/web/80/10", "udp/web/53/4")
        assert names(tcp) == chosen and len(chosen) == 1 and names(udp) <= {"web-0", "web-1"}
        lab.kubectl("patch", "service", "web", "-n", ns, "-p", '{"spec": {"sessionAffinity": "None"}}')
        until(lambda: names(ask(lab, ns, "c", "tcp/web/80/10")[0]) == {"web-0", "web-1"})
        port = lab.get("service", "web", ns)["spec"]["ports"][0]["nodePort"]
        assert reach(port)[0] in {"web-0", "web-1"}
        for pod in ("web-0", "web-1"):
            lab.kubectl("exec", pod, "-n", ns, "--", "rm", "/tmp/serves")
        until(lambda: names(ask(lab, ns, "c", "tcp/web/80/3")[0]) == {"ECONNREFUSED"})
        # What nobody can enforce is not begun.
        lab.kubectl("apply", "-n", ns, "-f", "-", input=[
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny"}, "spec": {"podSelector": {}}}, client("late")])
        until(lambda: "nft" in lab.kubectl("get", "events", "-n", ns, "--field-selector", "involvedObject.name=late").stdout)
        assert lab.get("pod", "late", ns)["status"]["phase"] == "Pending"
        told = without_nft(lab, "doctor").stdout
        assert "service proxy: labd itself" in told and "egress: none" in told
        shows(f"ten connections to {chosen}, then to both; refused without endpoints; a pod that a policy selects waits")
    finally:
        assert not lab.close()


def test_doctor_says_what_leads_to_services(lab, shows):
    told = lab.lab("doctor", check=False).stdout
    assert "service proxy: nftables" in told and "egress: none unless" in told
    shows([line for line in told.splitlines() if "service proxy" in line or "egress" in line])

"""Names of the cluster as pods resolve them: through the C library and by hand, over UDP and TCP."""

import json
import os
import subprocess
import sys
import textwrap

from kindlingtest.lab import KUBECTL
from kindlingtest.manifests import pod, shell

# A small resolver: asks for NAME/TYPE words and prints for each a list of its own. Types are numbers of IANA.
DIG = textwrap.dedent("""
    import json, socket, struct, sys
    TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "PTR": 12, "AAAA": 28, "SRV": 33}
    def name(data, at):
        labels, after = [], None
        while data[at]:
            if data[at] >= 192:
                after = after or at + 2
                at = (data[at] & 63) << 8 | data[at + 1]
            else:
                labels.append(data[at + 1:at + 1 + data[at]].decode()); at += 1 + data[at]
        return ".".join(labels), after or at + 1
    def ask(question, tcp=False):
        text, kind = question.split("/")
        query = struct.pack(">HHHHHH", 4711, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(p)]) + p.encode() for p in text.split(".")) + b"\\0" + struct.pack(">HH", TYPES[kind], 1)
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        sock.settimeout(5); sock.connect(("10.96.0.10", 53))
        if tcp:
            sock.sendall(struct.pack(">H", len(query)) + query)
            stream = sock.makefile("rb"); data = stream.read(struct.unpack(">H", stream.read(2))[0])
        else:
            sock.send(query); data = sock.recv(65535)
        flags, _, answers = struct.unpack(">HHH", data[2:8])
        _, at = name(data, 12); at += 4
        found = []
        for _ in range(answers):
            _, at = name(data, at)
            kind, _, _, length = struct.unpack(">HHIH", data[at:at + 10]); at += 10
            if kind == 1: found.append(socket.inet_ntoa(data[at:at + 4]))
            elif kind == 33: found.append("%d %d %d " % struct.unpack(">HHH", data[at:at + 6]) + name(data, at + 6)[0])
            elif kind in (5, 12): found.append(name(data, at)[0])
            at += length
        return {"code": flags & 15, "truncated": bool(flags & 0x200), "size": len(data), "answers": sorted(found)}
    print(json.dumps([ask(word.removeprefix("tcp:"), word.startswith("tcp:")) for word in sys.argv[1:]]))
""")


def dig(lab, ns, name, *questions):
    """What a pod hears when it asks `name/TYPE` words; `tcp:` before one asks over TCP."""
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod(name, "python3", "-c", DIG, *questions, image="python:3.11"))
    lab.wait(f"pod/{name}", "jsonpath={.status.phase}=Succeeded", ns)
    return json.loads(lab.kubectl("logs", name, "-n", ns).stdout)


def service(name, ports=(("http", 80),), **spec):
    ports = [{"name": port, "port": number, "targetPort": 8000} for port, number in ports]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports} | spec}


def test_services_are_found_by_name(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        service("web"), {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "out"}, "spec": {
            "type": "ExternalName", "externalName": f"web.{ns}.svc.cluster.local"}}])
    address = lab.get("service", "web", ns)["spec"]["clusterIP"]
    octets = ".".join(reversed(address.split(".")))
    zone = f"{ns}.svc.cluster.local"
    found = dig(lab, ns, "p", f"web.{zone}/A", f"tcp:WEB.{zone}/A", f"web.{zone}/AAAA", f"_http._tcp.web.{zone}/SRV", f"{octets}.in-addr.arpa/PTR",
                f"nobody.{zone}/A", f"out.{zone}/A", f"10-1-2-3.{ns}.pod.cluster.local/A", "kubernetes.default.svc.cluster.local/A", "cluster.local/SOA")
    assert [f["answers"] for f in found[:5]] == [[address], [address], [], [f"0 100 80 web.{zone}"], [f"web.{zone}"]]
    assert [f["code"] for f in found[:6]] == [0, 0, 0, 0, 0, 3]
    assert found[6]["answers"] == sorted([address, f"web.{zone}"]) and found[7]["answers"] == ["10.1.2.3"] and found[8]["answers"] == ["10.96.0.1"]
    shows(f"web.{zone} is {address}")


def test_the_c_library_finds_short_names(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=service("web"))
    address = lab.get("service", "web", ns)["spec"]["clusterIP"]
    script = (f"cat /etc/resolv.conf; for n in web web.{ns} web.{ns}.svc web.{ns}.svc.cluster.local kubernetes.default; do getent ahostsv4 $n | head -n 1; done; "
              "getent hosts nobody || echo none; date +%s%N; getent hosts www.example.org || echo none; date +%s%N")
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", script))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    lines = lab.kubectl("logs", "p", "-n", ns).stdout.splitlines()
    assert lines[0].startswith(f"search {ns}.svc.cluster.local svc.cluster.local cluster.local") and lines[1:3] == ["nameserver 10.96.0.10", "options ndots:5"]
    assert [line.split()[0] for line in lines[3:8]] == [address] * 4 + ["10.96.0.1"]
    assert lines[8] == "none" and lines[10] == "none", lines
    waited = (int(lines[11]) - int(lines[9])) / 1e6
    assert waited < 2000, "without a way out a name outside is refused at once"
    shows(f"four spellings are {address}; a name outside is refused after {waited:.0f} ms")


def test_pods_of_a_statefulset_have_names(lab, ns, shows):
    sleep = {"containers": [{"name": "main", "image": "busybox", "command": ["sleep", "1000"]}], "terminationGracePeriodSeconds": 0}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        service("db", clusterIP="None"), service("all", clusterIP="None", publishNotReadyAddresses=True, selector={"app": "slow"}),
        service("some", clusterIP="None", selector={"app": "slow"}),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "slow", "labels": {"app": "slow"}}, "spec": {"containers": [
            sleep["containers"][0] | {"readinessProbe": {"exec": {"command": ["false"]}}}], "terminationGracePeriodSeconds": 0}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {
            "replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": sleep}}}])
    lab.wait("statefulset/db", "jsonpath={.status.readyReplicas}=2", ns)
    lab.wait("pod/slow", "jsonpath={.status.phase}=Running", ns)
    addresses = [lab.get("pod", name, ns)["status"]["podIP"] for name in ("db-0", "db-1", "slow")]
    zone = f"{ns}.svc.cluster.local"
    octets = ".".join(reversed(addresses[0].split(".")))
    # The slices are written a moment after the pods are ready.
    for _ in range(20):
        found = dig(lab, ns, "p", f"db.{zone}/A", f"db-1.db.{zone}/A", f"_http._tcp.db.{zone}/SRV", f"all.{zone}/A", f"some.{zone}/A", f"{octets}.in-addr.arpa/PTR")
        lab.kubectl("delete", "pod", "p", "-n", ns, "--grace-period=0")
        if len(found[0]["answers"]) == 2 and found[3]["answers"]:
            break
    assert found[0]["answers"] == sorted(addresses[:2]) and found[1]["answers"] == [addresses[1]]
    assert found[2]["answers"] == [f"0 50 8000 db-{number}.db.{zone}" for number in (0, 1)]
    assert found[3]["answers"] == [addresses[2]] and found[4]["code"] == 3, found
    assert found[5]["answers"] == [f"db-0.db.{zone}"]
    # The pod itself knows its full name.
    assert lab.kubectl("exec", "db-0", "-n", ns, "--", "hostname", "-f").stdout.strip() == f"db-0.db.{zone}"
    shows(f"db-0, db-1 at {addresses[:2]}; one that is not ready only where the Service publishes it")


def test_a_long_answer_goes_on_over_tcp(lab, ns, shows):
    endpoints = [{"addresses": [f"10.1.{number // 200}.{number % 200 + 1}"], "conditions": {"ready": True}} for number in range(300)]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "many"}, "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 80}],
         "metadata": {"name": "many", "labels": {"kubernetes.io/service-name": "many"}}}])
    short, whole = dig(lab, ns, "p", f"many.{ns}.svc.cluster.local/A", f"tcp:many.{ns}.svc.cluster.local/A")
    assert short["truncated"] and short["size"] <= 512 and len(short["answers"]) > 20
    assert not whole["truncated"] and len(whole["answers"]) == 300
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("lib", f"getent ahostsv4 many.{ns}.svc.cluster.local | grep -c STREAM"))
    lab.wait("pod/lib", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "lib", "-n", ns).stdout.strip() == "300"
    shows(f"{len(short['answers'])} of 300 in {short['size']} bytes over UDP; all over TCP, and the C library finds all")


# Another machine: its name server says one address for every name, and its other server greets.
MACHINE = textwrap.dedent("""
    import socket, struct, subprocess, threading
    print("here", flush=True); input()
    for words in ("link set lo up", "addr add 192.0.2.99/24 dev out1", "link set out1 up"): subprocess.run(["ip", *words.split()], check=True)
    def names():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("192.0.2.99", 53))
        while True:
            data, peer = sock.recvfrom(65536)
            end = data.index(b"\\0", 12) + 5
            isA = data[end - 4:end - 2] == b"\\0\\1"
            answer = data[:2] + struct.pack(">HHHHH", 0x8180, 1, isA, 0, 0) + data[12:end]
            sock.sendto(answer + (b"\\xc0\\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 99]) if isA else b""), peer)
    threading.Thread(target=names).start()
    server = socket.create_server(("192.0.2.99", 8080))
    print("serves", flush=True)
    while True: server.accept()[0].sendall(b"from outside")
""")


class Enclosure:
    """A network of its own with one interface, behind which another machine seems to be."""

    def __init__(self, lab):
        self.lab = lab
        self.resolver = lab.directory / "resolv.conf"
        self.resolver.write_text("nameserver 192.0.2.99\n")
        self.resolver.chmod(0o644)

    def __enter__(self):
        self.host = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo here; exec sleep infinity"], stdout=subprocess.PIPE, text=True)
        self.machine = subprocess.Popen(["unshare", "--net", sys.executable, "-c", MACHINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            return self.connect()
        except BaseException:
            self.__exit__()
            raise

    def connect(self):
        assert self.host.stdout.readline() == self.machine.stdout.readline() == "here\n"
        for words in ("link set lo up", "link add out0 type veth peer name out1", f"link set out1 netns {self.machine.pid}", "addr add 192.0.2.1/24 dev out0",
                      "link set out0 up", "route add default via 192.0.2.99"):
            subprocess.run([*self.inside, "ip", *words.split()], check=True)
        self.machine.stdin.write("\n")
        self.machine.stdin.flush()
        assert self.machine.stdout.readline() == "serves\n"
        return self

    def __exit__(self, *_):
        for process in (self.machine, self.host):
            process.kill()
            process.wait()

    @property
    def inside(self):
        return ["nsenter", f"--net=/proc/{self.host.pid}/ns/net"]

    def run(self, *words):
        account = self.lab.account
        change = [] if account.uid == os.geteuid() else ["setpriv", "--reuid", account.uid, "--regid", account.gid, "--clear-groups"]
        mount = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf; exec "$@"', self.resolver]
        return subprocess.run([str(word) for word in (*self.inside, *mount, *change, *words)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env=account.environment(), cwd=self.lab.directory, timeout=120, check=False)

    def up(self, *words):
        result = self.run(self.lab.binaries / "lab", "--state", self.lab.state, "up", *words)
        assert result.returncode == 0, result.stdout + result.stderr

    def down(self):
        self.run(self.lab.binaries / "lab", "--state", self.lab.state, "down")

    def kubectl(self, *words, input=None):
        result = subprocess.run([*self.inside, KUBECTL, "--kubeconfig", self.lab.kubeconfig, *words], capture_output=True, text=True,
                                input=None if input is None else json.dumps({"apiVersion": "v1", "kind": "List", "items": input}), check=False,
                                env=self.lab.client_environment(), timeout=120)
        assert result.returncode == 0, result.stderr
        return result.stdout


def test_names_outside_are_asked_through_the_uplink(place, shows):
    if os.geteuid() != 0:
        return shows("a network of its own is root's to make")
    lab = place.lab("e")
    script = ("for n in www.example.org out kubernetes.default; do getent ahostsv4 $n | head -n 1 | cut -d ' ' -f 1; done; grep ^nameserver /etc/resolv.conf; "
              "python3 -c 'import socket; print(socket.create_connection((\"www.example.org\", 8080), 5).recv(100).decode())'; "
              "python3 -c 'import socket; socket.create_connection((\"169.254.169.254\", 80), 1)' 2>&1 | tail -n 1")
    with Enclosure(lab) as outside:
        outside.up("--uplink")
        try:
            outside.kubectl("apply", "-f", "-", input=[
                {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "out"}, "spec": {"type": "ExternalName", "externalName": "www.example.org"}},
                shell("p", script, image="python:3.11"), shell("host", "cat /etc/resolv.conf", dnsPolicy="Default")])
            outside.kubectl("wait", "pod/p", "pod/host", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
            seen = outside.kubectl("logs", "p").splitlines()
            assert seen[:5] == ["192.0.2.99", "192.0.2.99", "10.96.0.1", "nameserver 10.96.0.10", "from outside"], seen
            assert "Timeout" in seen[5] or "timed out" in seen[5] or "unreachable" in seen[5], seen
            assert outside.kubectl("logs", "host") == "nameserver 192.0.2.99\n"
            told = outside.run(lab.binaries / "lab", "--state", lab.state, "doctor").stdout
            assert f"egress: through {'veth' if lab.is_root else 'pasta'}" in told, told
        finally:
            outside.down()
    assert not lab.close()
    shows("www.example.org and an ExternalName are asked of the host's name server; a connection gets out, none to link-local addresses")

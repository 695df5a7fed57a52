"""Programs that run in pods to see what the network does: a server that says who it is, and a client that says whom it met."""

import json
import textwrap

# Over TCP it greets with its name and its client's address and then echoes; over UDP it answers each datagram with the same greeting.
SERVER = textwrap.dedent("""
    import pathlib, socket, threading
    name = socket.gethostname()
    def talk(connection, peer):
        connection.sendall(f"{name} {peer[0]}\\n".encode())
        while data := connection.recv(65536): connection.sendall(data)
    def tcp(port):
        server = socket.create_server(("", port))
        while True: threading.Thread(target=talk, args=server.accept(), daemon=True).start()
    def udp(port):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("", port))
        while True: _, peer = sock.recvfrom(65536); sock.sendto(f"{name} {peer[0]}\\n".encode(), peer)
    for work, port in ((tcp, 8000), (tcp, 8443), (udp, 8053)): threading.Thread(target=work, args=(port,)).start()
    pathlib.Path("/tmp/serves").touch()
""")

# Words `protocol/host/port/times` give a list of what each attempt met.
CLIENT = textwrap.dedent("""
    import errno, json, socket, sys
    def attempt(kind, host, port):
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as sock:
                sock.settimeout(1.5); sock.connect((host, int(port)))
                if kind == "udp": sock.send(b"?")
                return sock.recv(200).decode().strip()
        except TimeoutError: return "timeout"
        except socket.gaierror as error: return "no name"
        except OSError as error: return errno.errorcode.get(error.errno, str(error))
    def run(word):
        kind, host, port, times = word.split("/")
        return [attempt(kind, host, port) for _ in range(int(times))]
    print(json.dumps([run(word) for word in sys.argv[1:]]))
""")


def server(name, app, labels=None, ports=(), **spec):
    """A pod that runs SERVER and is ready while it has a file /tmp/serves."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": app} | (labels or {})}, "spec": {
        "terminationGracePeriodSeconds": 0, "containers": [{
            "name": "main", "image": "python:3.11", "command": ["python3", "-c", SERVER], "ports": [{"name": n, "containerPort": p} for n, p in ports],
            "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/serves"]}, "periodSeconds": 1, "failureThreshold": 1}}]} | spec}


def client(name, labels=None, **spec):
    """A pod that only waits, for `ask`."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}}, "spec": {
        "terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": "python:3.11", "command": ["sleep", "1000"]}]} | spec}


def service(name, app, ports=(("http", 80, 8000, "TCP"),), **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
        "selector": {"app": app}, "ports": [{"name": n, "port": p, "targetPort": t, "protocol": k} for n, p, t, k in ports]} | spec}


def ask(lab, ns, pod, *words):
    """What the pod meets: a list for each word of CLIENT."""
    return json.loads(lab.kubectl("exec", pod, "-n", ns, "--", "python3", "-c", CLIENT, *words).stdout)


def names(answers):
    """Who answered, without the addresses that they saw."""
    return {(answer.split() or ["closed"])[0] for answer in answers}


def until(look, *, tries=40):
    """Looks until it is true, for what follows a change by itself. Gives what was seen."""
    for _ in range(tries):
        if seen := look():
            return seen
    raise AssertionError(f"it did not come about in {tries} looks")

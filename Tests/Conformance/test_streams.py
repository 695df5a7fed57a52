"""Streams: exec, attach, port-forward and cp, as kubectl (over WebSocket and over SPDY) and the Python client do them."""

import base64
import concurrent.futures
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import ssl
import struct
import subprocess
import termios
import urllib.error
import urllib.request

import pytest
import websocket
from kindlingtest.lab import KUBECTL
from kindlingtest.manifests import pod, shell

# kubectl 1.32 speaks WebSocket unless it is told otherwise; then it speaks SPDY, as older ones do.
TRANSPORTS = {"websocket": {}, "spdy": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}}
transports = pytest.mark.parametrize("transport", TRANSPORTS)


def kubectl(lab, *words, transport="websocket", input=b"", timeout=60):
    return subprocess.run(
        [str(KUBECTL), "--kubeconfig", str(lab.kubeconfig), *map(str, words)], capture_output=True, input=input, timeout=timeout,
        env=lab.client_environment() | TRANSPORTS[transport], check=False)


def start(lab, ns, manifest, condition="condition=Ready"):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=manifest)
    lab.wait(f"pod/{manifest['metadata']['name']}", condition, ns)


@pytest.fixture
def sleeper(lab, ns):
    """A pod `p` that does nothing."""
    start(lab, ns, shell("p", "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done", container={"env": [{"name": "OWN", "value": "its own"}]}))
    return ns


class Terminal:
    """kubectl at a terminal of its own."""

    def __init__(self, lab, *words, transport="websocket", size=(43, 132)):
        self.fd, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.process = subprocess.Popen(
            [str(KUBECTL), "--kubeconfig", str(lab.kubeconfig), *map(str, words)], stdin=follower, stdout=follower, stderr=follower,
            env=lab.client_environment() | TRANSPORTS[transport], start_new_session=True)
        os.close(follower)
        self.text = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, timeout=20):
        while not re.search(pattern, self.text):
            if not select.select([self.fd], [], [], timeout)[0]:
                raise AssertionError(f"{pattern!r} did not come in {timeout} s; seen: {self.text!r}")
            try:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"{pattern!r} did not come before the end; seen: {self.text!r}") from None
        return re.search(pattern, self.text)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self.fd)


@transports
def test_exec_gives_output_errors_and_the_exit_status(lab, sleeper, transport, shows):
    result = kubectl(lab, "exec", "p", "-n", sleeper, "--", "sh", "-c", "echo out; echo err >&2; exit 7", transport=transport)
    assert result.returncode == 7 and result.stdout == b"out\n"
    assert result.stderr.splitlines()[0] == b"err" and b"command terminated with exit code 7" in result.stderr
    result = kubectl(lab, "exec", "p", "-n", sleeper, "--", "sh", "-c", "echo $OWN; hostname; cat /proc/1/comm; kill -9 $$", transport=transport)
    assert result.stdout.decode().split("\n")[:3] == ["its own", "p", "init"] and result.returncode == 137
    result = kubectl(lab, "exec", "p", "-n", sleeper, "--", "no-such-program", transport=transport)
    assert result.returncode == 1 and b"executable file not found in $PATH" in result.stderr
    shows(f"7, 137, and {result.stderr.decode().strip()[:150]}")


@transports
def test_exec_takes_input_and_its_end(lab, sleeper, transport, shows):
    data = os.urandom(3 << 20)
    result = kubectl(lab, "exec", "-i", "p", "-n", sleeper, "--", "sha256sum", transport=transport, input=data)
    assert result.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest(), result.stderr
    result = kubectl(lab, "exec", "-i", "p", "-n", sleeper, "--", "cat", transport=transport, input=data)
    assert result.stdout == data
    # A program that does not read its input ends all the same.
    result = kubectl(lab, "exec", "-i", "p", "-n", sleeper, "--", "true", transport=transport, input=data)
    assert result.returncode == 0
    shows("3 MiB there and back, and the end of input")


@transports
def test_exec_at_a_terminal(lab, sleeper, transport, shows):
    terminal = Terminal(lab, "exec", "-it", "p", "-n", sleeper, "--", "sh", transport=transport)
    try:
        terminal.type("echo $((6*7)) $TERM; tty\n")
        terminal.expect(r"42 xterm\r\n/dev/pts/\d")
        # The size comes over when kubectl has asked for it.
        terminal.type("while [ \"$(stty size)\" != '43 132' ]; do sleep 0.05; done; echo size $(stty size)\n")
        terminal.expect(r"size 43 132\r\n")
        fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 90, 0, 0))
        os.kill(terminal.process.pid, 28)
        terminal.type("while [ \"$(stty size)\" != '20 90' ]; do sleep 0.05; done; echo now $(stty size)\n")
        terminal.expect(r"now 20 90\r\n")
        # What is typed comes back too: the word that is waited for must not be in it.
        # By a shell of its own: between fork and exec an interactive one loses the signal.
        terminal.type("sh -c 'echo as\"\"leep; exec sleep 100'\n")
        terminal.expect("asleep")
        terminal.type("\x03")
        terminal.expect(r"(?s)\^C.*[#$] $")
        terminal.type("exit 3\n")
        terminal.expect("command terminated with exit code 3")
        assert terminal.process.wait(10) == 3
    finally:
        terminal.close()
    shows("a shell with a size, a new size, ^C and exit 3")


@transports
def test_what_cannot_be_is_said(lab, ns, transport, shows):
    two = shell("two", "sleep 300", terminationGracePeriodSeconds=1)
    two["spec"]["containers"].append({"name": "other", "image": "busybox", "command": ["sleep", "300"]})
    start(lab, ns, two)
    result = kubectl(lab, "exec", "two", "-n", ns, "-c", "nobody", "--", "true", transport=transport)
    assert result.returncode == 1 and b"container nobody is not valid for pod two" in result.stderr
    result = kubectl(lab, "exec", "two", "-n", ns, "--", "true", transport=transport)
    assert result.returncode == 0 and b'Defaulted container "main" out of: main, other' in result.stderr
    result = kubectl(lab, "exec", "gone", "-n", ns, "--", "true", transport=transport)
    assert b'pods "gone" not found' in result.stderr
    once = shell("once", "test -e /tmp/x || exit 1", restartPolicy="Always")
    lab.kubectl("apply", "-n", ns, "-f", "-", input=once)
    lab.wait("pod/once", "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff", ns)
    result = kubectl(lab, "exec", "once", "-n", ns, "--", "true", transport=transport)
    assert b'container not found ("main")' in result.stderr, result.stderr
    shows(result.stderr.decode().strip())


@transports
def test_attach_to_a_program_that_reads(lab, ns, transport, shows):
    script = "while read line; do echo got $line; [ $line = end ] && exit 5; done; echo eof"
    start(lab, ns, shell("p", script, container={"stdin": True}))
    process = subprocess.Popen(
        [str(KUBECTL), "--kubeconfig", str(lab.kubeconfig), "attach", "-i", "p", "-n", ns], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=lab.client_environment() | TRANSPORTS[transport], text=True)
    process.stdin.write("one\n")
    process.stdin.flush()
    seen = ""
    while "got one" not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    # Input stays open for the next one; the log has all of it.
    process.kill()
    process.communicate()
    result = kubectl(lab, "attach", "-i", "p", "-n", ns, transport=transport, input=b"two\nend\n")
    assert b"got two" in result.stdout and b"got end" in result.stdout
    lab.wait("pod/p", "jsonpath={.status.phase}=Failed", ns)
    assert lab.kubectl("logs", "p", "-n", ns).stdout == "got one\ngot two\ngot end\n"
    shows("two clients one after the other, one log")


def test_run_with_input_and_a_terminal(lab, ns, shows):
    words = ["run", "r", "-n", ns, "--image=busybox", "--restart=Never", "--rm", "-i", "--quiet", "--command", "--"]
    result = kubectl(lab, *words, "sh", "-c", "while read l; do echo got $l; done; echo end", input=b"one\ntwo\n")
    assert b"got one\ngot two\nend\n" in result.stdout, (result.stdout, result.stderr)
    terminal = Terminal(lab, "run", "t", "-n", ns, "--image=busybox", "--restart=Never", "--rm", "-it", "--command", "--", "sh")
    try:
        terminal.expect("press(ing)? enter|# |\\$ ")
        terminal.type("echo $((6*7)) $(tty)\n")
        terminal.expect(r"42 /dev/pts/\d")
        terminal.type("exit\n")
        terminal.expect('pod "t" deleted')
    finally:
        terminal.close()
    shows("kubectl run -i and -it")


SERVER = (
    "import http.server, sys\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "  def do_GET(self):\n"
    "    n = int(self.path[1:] or 0); self.send_response(200); self.end_headers(); self.wfile.write(b'x' * n)\n"
    "  def log_message(self, *a): pass\n"
    "s = http.server.ThreadingHTTPServer(('127.0.0.1', 8000), H); s.request_queue_size = 128; print('serving', flush=True); s.serve_forever()\n")


@pytest.fixture
def server(lab, ns):
    """A pod `web` that serves HTTP on its loopback only."""
    start(lab, ns, pod("web", "python3", "-c", SERVER, image="python:3.11", terminationGracePeriodSeconds=0))
    follow = lab.start_kubectl("logs", "-f", "web", "-n", ns)
    assert follow.stdout.readline() == "serving\n"
    follow.kill()
    follow.communicate()
    return ns


@transports
def test_port_forward_carries_many_connections(lab, server, transport, shows):
    process = subprocess.Popen(
        [str(KUBECTL), "--kubeconfig", str(lab.kubeconfig), "port-forward", "web", ":8000", ":1", "-n", server], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=lab.client_environment() | TRANSPORTS[transport], text=True)
    try:
        port = int(re.search(r"127.0.0.1:(\d+) -> 8000", process.stdout.readline()).group(1))

        def get(size):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{size}", timeout=30) as answer:
                return len(answer.read())

        sizes = [0, 1, 70_000, 5_000_000] + [1000 + n for n in range(46)]
        with concurrent.futures.ThreadPoolExecutor(25) as pool:
            assert list(pool.map(get, sizes)) == sizes
    finally:
        process.kill()
        process.communicate()
    shows(f"{len(sizes)} connections, 25 at once")


@transports
def test_cp_both_ways(lab, sleeper, transport, tmp_path, shows):
    size = 24 << 20
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "file").write_text("text")
    for words in (("cp", source, f"{sleeper}/p:/tmp/there"), ("cp", f"{sleeper}/p:/tmp/there", tmp_path / "back"), ("cp", tmp_path / "tree", f"{sleeper}/p:/tmp/tree")):
        result = kubectl(lab, *words, transport=transport, timeout=120)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    inside = kubectl(lab, "exec", "p", "-n", sleeper, "--", "sh", "-c", "sha256sum < /tmp/there; cat /tmp/tree/deep/file", transport=transport)
    assert inside.stdout.decode() == f"{hashlib.sha256(source.read_bytes()).hexdigest()}  -\ntext"
    shows(f"{size >> 20} MiB there and back")


@pytest.mark.full
def test_cp_of_200_mb_keeps_memory_flat(lab, sleeper, tmp_path, shows):
    def resident():
        status = open(f"/proc/{lab.daemon_pid}/status").read()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) >> 10

    source = tmp_path / "source"
    source.write_bytes(os.urandom(200 << 20))
    before = resident()
    assert kubectl(lab, "cp", source, f"{sleeper}/p:/tmp/there", timeout=300).returncode == 0
    assert kubectl(lab, "cp", f"{sleeper}/p:/tmp/there", tmp_path / "back", timeout=300).returncode == 0
    assert hashlib.sha256((tmp_path / "back").read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    grown = resident() - before
    assert grown < 64
    shows(f"200 MiB both ways; labd's memory grew by {grown} MiB at most")


def test_the_python_client_streams(lab, sleeper, shows):
    import kubernetes
    from kubernetes.stream import stream

    core = kubernetes.client.CoreV1Api(lab.api())
    call = (core.connect_get_namespaced_pod_exec, "p", sleeper)
    options = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
    assert stream(*call, command=["sh", "-c", "echo out; echo err >&2"], **options) in ("out\nerr\n", "err\nout\n")
    session = stream(*call, command=["sh"], _preload_content=False, **options | {"stdin": True})
    session.write_stdin("echo hello; echo problem >&2\n")
    assert session.readline_stdout(timeout=20) == "hello" and session.readline_stderr(timeout=20) == "problem"
    session.write_stdin("exit 9\n")
    session.run_forever(timeout=20)
    assert session.returncode == 9
    session = stream(*call, command=["sha256sum"], _preload_content=False, binary=True, **options | {"stdin": True})
    session.write_stdin(b"x" * 100_000)
    session.close()
    with pytest.raises(kubernetes.client.ApiException) as raised:
        stream(*call, command=["true"], container="nobody", **options)
    shows(f"output, input, exit 9; {str(raised.value).splitlines()[1][:80]}")


def test_the_python_client_forwards_ports(lab, server, shows):
    import kubernetes
    from kubernetes.stream import portforward

    core = kubernetes.client.CoreV1Api(lab.api())
    forward = portforward(core.connect_get_namespaced_pod_portforward, "web", server, ports="8000,1")
    socket = forward.socket(8000)
    socket.settimeout(20)
    socket.sendall(b"GET /300000 HTTP/1.0\r\n\r\n")
    received = b""
    while piece := socket.recv(65536):
        received += piece
    assert received.endswith(b"\r\n\r\n" + b"x" * 300_000) and forward.error(8000) is None
    assert "connection refused" in forward.error(1)
    shows(forward.error(1))


def test_proxy_to_pods_and_services(lab, server, shows):
    lab.kubectl("apply", "-n", server, "-f", "-", input=[
        pod("open", "python3", "-c", SERVER.replace("127.0.0.1", "0.0.0.0"), image="python:3.11", terminationGracePeriodSeconds=0,
            container={"ports": [{"name": "http", "containerPort": 8000}]}) | {"metadata": {"name": "open", "labels": {"app": "open"}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
         "spec": {"selector": {"app": "open"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}}])
    lab.wait("pod/open", "condition=Ready", server)
    follow = lab.start_kubectl("logs", "-f", "open", "-n", server)
    assert follow.stdout.readline() == "serving\n"
    follow.kill()
    follow.communicate()
    root = f"/api/v1/namespaces/{server}"
    process = lab.start_kubectl("proxy", "--port=0")
    try:
        base = "http://" + re.search(r"127.0.0.1:\d+", process.stdout.readline()).group(0)
        for path in ("pods/open/proxy/3000000", "pods/open:8000/proxy/3000000", "services/front/proxy/3000000", "services/front:web/proxy/3000000",
                     "services/http:front:80/proxy/3000000"):
            with urllib.request.urlopen(f"{base}{root}/{path}", timeout=30) as answer:
                assert len(answer.read()) == 3_000_000, path
        with urllib.request.urlopen(f"{base}{root}/pods/open/proxy", timeout=30) as answer:
            assert answer.url.endswith("/proxy/")
        for path, code in (("pods/none/proxy/", 404), ("services/front:other/proxy/", 503), ("pods/open:1/proxy/", 503), ("pods/a:b:c:d/proxy/", 400)):
            with pytest.raises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(f"{base}{root}/{path}", timeout=30)
            assert raised.value.code == code, path
    finally:
        process.kill()
        process.communicate()
    shows("pods and services by number and name, through kubectl proxy")


def test_debug_with_an_ephemeral_container(lab, sleeper, shows):
    script = "tr '\\0' ' ' < /proc/2/cmdline; echo; cat /proc/1/comm; hostname; readlink /proc/self/ns/pid; test -e /proc/1/root/usr && echo root; exit 4\n"
    result = kubectl(
        lab, "debug", "p", "-n", sleeper, "--image=busybox", "--target=main", "-c", "looker", "-i", "--", "sh", input=script.encode())
    lines = result.stdout.decode().splitlines()
    assert any("echo up" in line for line in lines) and "init" in lines and "p" in lines and "root" in lines, (result.stdout, result.stderr)
    inside = kubectl(lab, "exec", "p", "-n", sleeper, "--", "readlink", "/proc/self/ns/pid").stdout.decode().strip()
    assert inside in lines
    lab.wait("pod/p", "jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=4", sleeper)
    pod = lab.get("pod", "p", sleeper)
    assert pod["spec"]["ephemeralContainers"][0]["targetContainerName"] == "main" and pod["status"]["phase"] == "Running"
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    # Existing ones stay as they are, and there is no other way to them.
    for patch, word in (('{"spec":{"ephemeralContainers":null}}', "may not be removed"), ('{"spec":{"ephemeralContainers":[{"name":"looker","image":"other"}]}}', "may not be changed")):
        refused = kubectl(lab, "patch", "pod", "p", "-n", sleeper, "--subresource=ephemeralcontainers", "--type=merge", "-p", patch)
        assert refused.returncode == 1 and word.encode() in refused.stderr, refused.stderr
    refused = kubectl(lab, "debug", "p", "-n", sleeper, "--image=busybox", "--target=nobody", "--", "true")
    assert b"targetContainerName" in refused.stderr and b"Not found" in refused.stderr
    shows(f"{lines[0][:60]!r}, exit 4; removal and change are refused")


def test_exec_works_after_a_restart_of_the_daemon(lab, sleeper, shows):
    lab.kill_daemon()
    lab.up()
    result = kubectl(lab, "exec", "p", "-n", sleeper, "--", "sh", "-c", "echo $OWN")
    assert result.stdout == b"its own\n", result.stderr
    assert lab.get("pod", "p", sleeper)["status"]["containerStatuses"][0]["restartCount"] == 0
    shows("labd was killed; the container was not, and takes commands")


# A WebSocket server of nothing but the standard library (RFC 6455): says what it was asked for, and gives back every message.
ECHO = r"""
import base64, hashlib, socketserver, struct
class Echo(socketserver.StreamRequestHandler):
    def frame(self, opcode, data):
        size = bytes([len(data)]) if len(data) < 126 else struct.pack('>BH', 126, len(data)) if len(data) < 65536 else struct.pack('>BQ', 127, len(data))
        self.wfile.write(bytes([0x80 | opcode]) + size + data)
    def exactly(self, count):
        data = self.rfile.read(count)
        if len(data) < count: raise EOFError
        return data
    def handle(self):
        asked = self.rfile.readline().decode().split()[1]
        headers = {}
        while line := self.rfile.readline().strip().decode():
            name, _, value = line.partition(':')
            headers[name.strip().lower()] = value.strip()
        if headers.get('upgrade', '').lower() != 'websocket':
            self.wfile.write(b'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n')
            return
        key = base64.b64encode(hashlib.sha1((headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()).decode()
        protocols = headers.get('sec-websocket-protocol', '')
        self.wfile.write(('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ' + key + '\r\n' +
                          ('Sec-WebSocket-Protocol: ' + protocols + '\r\n' if protocols else '') + '\r\n').encode())
        self.frame(1, (asked + ' ' + ','.join(sorted(name for name in headers if name in ('authorization', 'x-forwarded-for')))).encode())
        try:
            while True:
                opcode, size = self.exactly(2)
                size &= 127
                if size > 125: size = int.from_bytes(self.exactly(2 if size == 126 else 8), 'big')
                mask = self.exactly(4)
                data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.exactly(size)))
                self.frame(opcode & 15, data)
                if opcode & 15 == 8 or data == b'leave': break
            print('closed by', 'a frame' if opcode & 15 == 8 else 'the server', flush=True)
        except (EOFError, ConnectionError):
            print('gone', flush=True)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
server = Server(('0.0.0.0', 8000), Echo)
print('serving', flush=True)
server.serve_forever()
"""


def test_websockets_through_proxies(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        pod("echo", "python3", "-c", ECHO, image="python:3.11", terminationGracePeriodSeconds=0,
            container={"ports": [{"name": "ws", "containerPort": 8000}]}) | {"metadata": {"name": "echo", "labels": {"app": "echo"}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "echo"},
         "spec": {"selector": {"app": "echo"}, "ports": [{"name": "web", "port": 80, "targetPort": "ws"}]}}])
    lab.wait("pod/echo", "condition=Ready", ns)
    follow = lab.start_kubectl("logs", "-f", "echo", "-n", ns)
    assert follow.stdout.readline() == "serving\n"
    root = f"/api/v1/namespaces/{ns}"
    proxy = lab.start_kubectl("proxy", "--port=0")
    try:
        through = "ws://" + re.search(r"127.0.0.1:\d+", proxy.stdout.readline()).group(0)
        account = json.loads(lab.kubectl("config", "view", "--raw", "-o", "json").stdout)
        direct = account["clusters"][0]["cluster"]["server"].replace("https", "wss")
        token = lab.kubectl("create", "token", "default", "-n", ns).stdout.strip()
        lab.kubectl("create", "role", "through", "-n", ns, "--verb=get", "--resource=pods/proxy,services/proxy")
        lab.kubectl("create", "rolebinding", "through", "-n", ns, "--role=through", f"--serviceaccount={ns}:default")
        own = {"sslopt": {"cert_reqs": ssl.CERT_NONE}, "header": [f"Authorization: Bearer {token}"]}
        bearer = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
        browser = {"sslopt": {"cert_reqs": ssl.CERT_NONE}, "subprotocols": [f"base64url.bearer.authorization.k8s.io.{bearer}", "own"]}
        for base, options in ((through, {}), (direct, own), (direct, browser)):
            for target in ("pods/echo:8000", "services/echo:web", "services/http:echo:80"):
                path = "/deep/a%20b/?q=1%2F2&r"
                connection = websocket.create_connection(f"{base}{root}/{target}/proxy{path}", timeout=30, **options)
                assert connection.recv() == f"{path} x-forwarded-for" and connection.subprotocol == ("own" if options is browser else None)
                connection.send("hello")
                assert connection.recv() == "hello"
                large = os.urandom(300_000)
                connection.send_binary(large)
                assert connection.recv() == large
                connection.close()
                assert follow.stdout.readline() == "closed by a frame\n", target
        # The server leaves, and the client goes without a word.
        connection = websocket.create_connection(f"{through}{root}/pods/echo/proxy/", timeout=30)
        connection.recv()
        connection.send("leave")
        assert connection.recv() == "leave"
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            connection.recv()
        assert follow.stdout.readline() == "closed by the server\n"
        connection = websocket.create_connection(f"{direct}{root}/pods/echo:8000/proxy/", timeout=30, **own)
        connection.recv()
        connection.sock.close()
        assert follow.stdout.readline() == "gone\n"
        # What listens there is no WebSocket's server.
        with pytest.raises(websocket.WebSocketBadStatusException) as raised:
            websocket.create_connection(f"{direct}{root}/pods/echo:1/proxy/", timeout=30, **own)
        assert raised.value.status_code == 503
    finally:
        for process in (proxy, follow):
            process.kill()
            process.communicate()
    shows("WebSockets to a pod and a service by number and name, through kubectl proxy and with a token; ends from both sides")

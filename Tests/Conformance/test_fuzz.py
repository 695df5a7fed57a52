"""Hostile requests by the thousand: no crash, no hang, no 500, memory flat, and nothing of the daemon's own is changed."""

import base64
import http.client
import json
import os
import pathlib
import random
import socket
import ssl
import tempfile
import time

import pytest
import yaml
from kindlingtest.fuzz import Generator, broken_http
from kindlingtest.lab import ROOT
from kindlingtest.manifests import claim, experiment, job, pod

SEED = int(os.environ.get("KINDLING_TEST_SEED", random.SystemRandom().randrange(10**9)))
QUICK, FULL = 3000, 100_000
CORPUS = pathlib.Path(__file__).parent / "corpus"


@pytest.fixture
def own(place):
    made = place.lab(f"f{len(place.labs)}")
    made.up()
    yield made
    made.close()


class Client:
    """A TLS connection that is opened again whenever the server closes it."""

    def __init__(self, lab):
        config = yaml.safe_load(lab.kubeconfig.read_text())
        decode = lambda text: base64.b64decode(text).decode()  # noqa: E731
        user = config["users"][0]["user"]
        self.context = ssl.create_default_context(cadata=decode(config["clusters"][0]["cluster"]["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as pair:
            pair.write(decode(user["client-certificate-data"]) + decode(user["client-key-data"]))
            pair.flush()
            self.context.load_cert_chain(pair.name)
        self.port = int(config["clusters"][0]["cluster"]["server"].rsplit(":", 1)[1])
        self.connection = None

    def send(self, method, path, headers, body):
        for _ in range(2):
            fresh = self.connection is None
            if fresh:
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)
            try:
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                data = answer.read()
                if answer.will_close:
                    self.connection.close()
                    self.connection = None
                return answer.status, answer.headers, data
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError, http.client.BadStatusLine):
                self.connection.close()
                self.connection = None
                if fresh:
                    return None, {}, b""
        return None, {}, b""

    def raw(self, data):
        with self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 20), server_hostname="127.0.0.1") as tls:
            try:
                tls.sendall(data)
                tls.settimeout(2)
                return tls.recv(300)
            except (OSError, ssl.SSLError):
                return b""


def samples():
    found = []
    for path in sorted((ROOT / "samples").rglob("*.yaml")):
        found += [document for document in yaml.safe_load_all(path.read_text()) if document]
    return found


def resident(lab):
    status = pathlib.Path(f"/proc/{lab.daemon_pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


# Objects for patches to hit; but for one trial none of them makes a process.
STILL = [
    {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}},
    {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"}},
    {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
    {"apiVersion": "v1", "kind": "ServiceAccount"},
    claim("seed"), pod("seed", "true", container={"resources": {"requests": {"memory": "100Ti"}}}), job("seed", "true", suspend=True),
    {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 0, "serviceName": "seed", "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "main", "image": "busybox"}]}}}},
    experiment("seed", "true", parallel=1, trials=1),
]


def prepare(own):
    own.kubectl("create", "namespace", "fuzz")
    for object in STILL:
        own.kubectl("create", "-n", "fuzz", "-f", "-", input=object | {"metadata": {"name": "seed"}})


def attack(own, count, shows):
    prepare(own)
    pid, client, source = own.daemon_pid, Client(own), random.Random(SEED)
    generator = iter(Generator(source, samples(), "fuzz"))
    counts, slowest, peak, started = {}, 0.0, resident(own), time.monotonic()
    for number in range(count):
        method, path, headers, body = next(generator)
        begun = time.monotonic()
        status, answered, data = client.send(method, path, headers, body)
        taken = time.monotonic() - begun
        what = f"seed {SEED}, request {number}: {method} {path} {headers} {body[:1500] if body else ''}"
        assert status is None or status < 500 or status in (501, 503, 504), f"{status} {data[:500]} to {what}"
        assert taken < 10 or "watch=1" in path, f"{taken:.1f} s for {what}"
        if status is not None and status >= 400 and method != "HEAD" and "json" in answered.get("Content-Type", ""):
            assert json.loads(data).get("kind") == "Status", f"{data[:300]} to {what}"
        counts[status] = counts.get(status, 0) + 1
        if "watch=1" not in path:
            slowest = max(slowest, taken)
        if number % 100 == 99:
            assert own.daemon_pid == pid and pathlib.Path(f"/proc/{pid}").exists(), f"labd ended before {what}"
            peak = max(peak, resident(own))
        if number % 100 == 50:
            client.raw(broken_http(source))
    rate = count / (time.monotonic() - started)
    assert own.kubectl("get", "--raw", "/readyz").stdout == "ok" and own.daemon_pid == pid
    assert own.kubectl("get", "ns", "default", "kube-system", "kubeflow").returncode == 0
    assert peak < 400, f"labd grew to {peak} MiB"
    told = ", ".join(f"{counts[status]}× {status}" for status in sorted(counts, key=str))
    shows(f"seed {SEED}: {count} requests, {rate:.0f}/s, slowest {slowest * 1000:.0f} ms, labd at most {peak} MiB: {told}")


def test_hostile_requests(own, shows):
    attack(own, int(os.environ.get("KINDLING_FUZZ_REQUESTS", QUICK)), shows)


@pytest.mark.full
@pytest.mark.accounts("user")
def test_hostile_requests_by_the_hundred_thousand(own, shows):
    attack(own, FULL, shows)


def test_what_once_broke_it(own, shows):
    """The corpus: one request a file, `METHOD PATH`, headers, an empty line, the body."""
    client, pid = Client(own), own.daemon_pid
    files = sorted(CORPUS.glob("*.http"))
    assert files
    for path in files:
        head, _, body = path.read_bytes().partition(b"\n\n")
        first, *lines = head.decode().split("\n")
        method, target = first.split(" ", 1)
        headers = dict(line.split(": ", 1) for line in lines)
        status, _, data = client.send(method, target, headers, body or None)
        assert status is not None and status < 500, f"{path.name}: {status} {data[:300]}"
        assert own.daemon_pid == pid
    shows(f"{len(files)} requests of the corpus")

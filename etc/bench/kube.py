"""Figures of the API server: reading, writing, lists, watchers, memory, start; beside etcd and SQLite itself."""

import base64
import json
import multiprocessing
import pathlib
import select
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

from load import Target, closed_loop, request

SECONDS = 4
MAPS = "/api/v1/namespaces/default/configmaps"
POD = {"restartPolicy": "Never", "containers": [{
    "name": "main", "image": "busybox", "command": ["sh", "-c", "echo score=${x}"], "env": [{"name": f"VARIABLE_{n}", "value": "value" * 3} for n in range(6)],
    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}], "nodeSelector": {"nowhere": "here"}}


def configmap(name, size=600):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v" * size}}


def fill(lab, count, offset=0, connections=16, path=MAPS, make=lambda number: configmap(f"fill-{number}")):
    """Makes many objects, fast."""
    numbers = iter(range(offset, offset + count))
    target, lock, problems = Target(lab), threading.Lock(), []

    def work():
        connection = target.connect()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None or problems:
                return
            try:
                connection.call(request("POST", path, make(number)))
            except Exception as problem:
                problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def resident(lab):
    status = pathlib.Path(f"/proc/{lab.daemon_pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def requests(lab, record):
    """GET and a small PATCH, at 1 and at 64 connections."""
    target = Target(lab)
    first = target.connect()
    for number in range(64):
        first.call(request("POST", MAPS, configmap(f"r-{number}")))
    get = [request("GET", f"{MAPS}/r-{number}") for number in range(64)]
    patch = [[request("PATCH", f"{MAPS}/r-{number}", {"data": {"n": str(value)}}, "application/merge-patch+json") for value in range(50)] for number in range(64)]
    for name, make in (("GET of an object", lambda connection, number: get[connection % 64]),
                       ("small PATCH, durable", lambda connection, number: patch[connection % 64][number % 50])):
        for connections in (1, 64):
            times, rate = closed_loop(target, connections, make, SECONDS)
            record(f"{name}, {connections} connection{'s' * (connections > 1)}", times, "ms")
            record(f"{name}, {connections} connection{'s' * (connections > 1)}", [rate], "per second")


def lists(lab, record):
    """A list of 5,000 pods, as objects and as a table."""
    path = "/api/v1/namespaces/default/pods"
    fill(lab, 5000, path=path, make=lambda number: {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p-{number:05}"}, "spec": POD})
    connection = Target(lab).connect()
    for name, accept in (("LIST of 5,000 pods", "application/json"), ("LIST of 5,000 pods as Table", "application/json;as=Table;v=v1;g=meta.k8s.io")):
        samples, size = [], 0
        for _ in range(22):
            started = time.perf_counter()
            size = len(connection.call(request("GET", path, accept=accept)))
            samples.append((time.perf_counter() - started) * 1000)
        record(name, samples[2:], "ms")
        record(name, [size / (1 << 20)], "MiB")


def watchers(lab, record, count=1000, spaces=100, rate=500, seconds=8):
    """Watchers in many namespaces, as users' clients are; each write reaches those of its namespace: the time from the
    sending of the write to the watcher's having the event."""
    target = Target(lab)
    writer = target.connect()
    for number in range(spaces):
        writer.call(request("POST", "/api/v1/namespaces", {"metadata": {"name": f"watch-{number}"}}))
        writer.call(request("POST", f"/api/v1/namespaces/watch-{number}/configmaps", {"metadata": {"name": "seen"}, "data": {"at": "0"}}))
    version = json.loads(writer.call(request("GET", "/api/v1/configmaps?limit=1")))["metadata"]["resourceVersion"]
    queue, begin = multiprocessing.Queue(), multiprocessing.Event()
    reader = multiprocessing.get_context("fork").Process(target=read, args=(target, count, spaces, version, rate * seconds * count // spaces, queue, begin))
    reader.start()
    begin.wait(60)
    started = time.monotonic()
    writers = [target.connect() for _ in range(16)]

    def write(index):
        for number in range(index, rate * seconds, len(writers)):
            time.sleep(max(0, started + number / rate - time.monotonic()))
            path = f"/api/v1/namespaces/watch-{number % spaces}/configmaps/seen"
            writers[index].call(request("PATCH", path, {"data": {"at": repr(time.monotonic())}}, "application/merge-patch+json"))

    threads = [threading.Thread(target=write, args=[index]) for index in range(len(writers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.monotonic() - started
    times = queue.get(timeout=60)
    reader.join()
    record(f"{count:,} watchers, {rate * seconds / taken:.0f} writes/s, {len(times) / taken:.0f} deliveries/s", times, "ms")


def read(target, count, spaces, version, expected, queue, begin):
    """The watchers, in a process of their own."""
    poll, by_fd, times = select.epoll(), {}, []
    for number in range(count):
        connection = target.connect()
        connection.send(request("GET", f"/api/v1/namespaces/watch-{number % spaces}/configmaps?watch=1&resourceVersion={version}"))
        connection.socket.setblocking(False)
        by_fd[connection.socket.fileno()] = connection
        poll.register(connection.socket.fileno(), select.EPOLLIN)
    begin.set()
    deadline = time.monotonic() + 60
    while len(times) < expected and time.monotonic() < deadline:
        for fd, _ in poll.poll(1):
            connection = by_fd[fd]
            try:
                while True:
                    connection.rest += connection.more()
            except (BlockingIOError, socket.timeout, OSError):
                pass
            now = time.monotonic()
            *lines, connection.rest = connection.rest.split(b"\n")
            for line in lines:
                at = line.find(b'"data":{"at":"')
                if at >= 0:
                    times.append((now - float(line[at + 14:line.index(b'"', at + 14)])) * 1000)
    queue.put(times)


def sizes(place, record):
    """Memory and start by the number of objects."""
    lab = place.lab("size")
    lab.up()
    record("labd resident, new lab", [resident(lab)], "MiB")
    made = 0
    for count in (10_000, 50_000):
        fill(lab, count - made, made)
        made = count
        record(f"labd resident, {count:,} objects, as they were made", [resident(lab)], "MiB")
        samples, after = [], []
        for _ in range(5):
            lab.kill_daemon()
            started = time.perf_counter()
            lab.up()
            samples.append((time.perf_counter() - started) * 1000)
            after.append(resident(lab))
        record(f"lab up with {count:,} objects, to ready", samples, "ms")
        record(f"labd resident, {count:,} objects, after a start", after, "MiB")
    lab.close()


def writes(lab, record, missing):
    """Durable creates by 64 clients: labd, SQLite alone with the same groups, and etcd with one member."""
    name = "durable creates, 64 clients"
    target = Target(lab)
    _, rate = closed_loop(target, 64, lambda connection, number: request("POST", MAPS, configmap(f"d-{connection}-{number}")), SECONDS)
    record(name, [rate], "per second")
    with tempfile.TemporaryDirectory(dir=lab.directory) as directory:
        record(name, [group_commit(directory, 64, SECONDS)], "per second", "SQLite alone, groups of 64")
        if not shutil.which("etcd"):
            return missing(name, "etcd")
        etcd(directory, name, record)


def group_commit(directory, group, seconds):
    database = sqlite3.connect(f"{directory}/raw.sqlite", isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma synchronous=full")
    database.execute("create table objects (key text primary key, body text)")
    started, done = time.perf_counter(), 0
    body = json.dumps(configmap("x") | {"metadata": {"name": "x", "uid": "0" * 36, "managedFields": [{"manager": "m" * 200}]}})
    while time.perf_counter() < started + seconds:
        database.execute("begin immediate")
        database.executemany("insert into objects values (?, ?)", [(f"/configmaps/default/{done + n}", body) for n in range(group)])
        database.execute("commit")
        done += group
    rate = done / (time.perf_counter() - started)
    database.close()
    return rate


def etcd(directory, name, record):
    """etcd's own gRPC gateway, without TLS: JSON over HTTP as labd's is, of the same bytes."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        port, peer = one.getsockname()[1], two.getsockname()[1]
    process = subprocess.Popen(
        ["etcd", "--data-dir", f"{directory}/etcd", "--listen-client-urls", f"http://127.0.0.1:{port}", "--advertise-client-urls", f"http://127.0.0.1:{port}",
         "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster",
         f"default=http://127.0.0.1:{peer}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        target = Target(port=port)
        deadline = time.monotonic() + 20
        while True:
            try:
                target.connect().call(request("POST", "/v3/kv/range", {"key": "eA=="}))
                break
            except (OSError, RuntimeError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        value = base64.b64encode(json.dumps(configmap("x")).encode()).decode()
        key = lambda text: base64.b64encode(text.encode()).decode()  # noqa: E731
        put = lambda connection, number: request("POST", "/v3/kv/put", {"key": key(f"/configmaps/default/d-{connection}-{number}"), "value": value})  # noqa: E731
        _, rate = closed_loop(target, 64, put, SECONDS)
        record(name, [rate], "per second", "etcd, no TLS")
        for connections in (1, 64):
            label = f"{connections} connection{'s' * (connections > 1)}"
            read = request("POST", "/v3/kv/range", {"key": key("/configmaps/default/d-0-0")})
            times, rate = closed_loop(target, connections, lambda connection, number: read, SECONDS)
            record(f"GET of an object, {label}", times, "ms", "etcd, no TLS")
            record(f"GET of an object, {label}", [rate], "per second", "etcd, no TLS")
            times, rate = closed_loop(target, connections, put, SECONDS)
            record(f"small PATCH, durable, {label}", times, "ms", "etcd put, no TLS")
            record(f"small PATCH, durable, {label}", [rate], "per second", "etcd put, no TLS")
    finally:
        process.kill()
        process.wait()

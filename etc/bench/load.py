"""A client that costs little: raw HTTP/1.1 over one socket, read without parsing what is not measured."""

import base64
import json
import multiprocessing
import select
import socket
import ssl
import tempfile
import time

import yaml


class Target:
    """Where requests go: a lab with the admin's certificate, or a peer without TLS."""

    def __init__(self, lab=None, port=None):
        self.context, self.port = None, port
        if lab is None:
            return
        config = yaml.safe_load(lab.kubeconfig.read_text())
        decode = lambda text: base64.b64decode(text).decode()  # noqa: E731
        user = config["users"][0]["user"]
        self.context = ssl.create_default_context(cadata=decode(config["clusters"][0]["cluster"]["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as pair:
            pair.write(decode(user["client-certificate-data"]) + decode(user["client-key-data"]))
            pair.flush()
            self.context.load_cert_chain(pair.name)
        self.port = int(config["clusters"][0]["cluster"]["server"].rsplit(":", 1)[1])

    def connect(self):
        return Connection(self)


def request(method, path, body=None, kind="application/json", accept="application/json"):
    """The bytes of one request."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n"
    if data:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


class Connection:
    def __init__(self, target):
        self.socket = socket.create_connection(("127.0.0.1", target.port), 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.context:
            self.socket = target.context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The status and the body of the next answer."""
        data = self.rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.more()
        head, data = data[:end].lower(), data[end + 4:]
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in head:
            pieces = [data]
            while not pieces[-1].endswith(b"0\r\n\r\n"):
                pieces.append(self.more())
                if len(pieces[-1]) < 5 and len(pieces) > 1:
                    pieces[-2:] = [pieces[-2] + pieces[-1]]
            self.rest = b""
            return status, unchunk(b"".join(pieces))
        at = head.find(b"content-length: ")
        length = int(head[at + 16:].split(b"\r\n", 1)[0]) if at >= 0 else 0
        pieces, have = [data], len(data)
        while have < length:
            pieces.append(self.more())
            have += len(pieces[-1])
        data = b"".join(pieces)
        self.rest = data[length:]
        return status, data[:length]

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def call(self, data):
        self.send(data)
        status, body = self.receive()
        if status >= 300:
            raise RuntimeError(f"{data[:120]!r}: {status} {body[:300]!r}")
        return body

    def ready(self):
        """Whether TLS holds bytes that the kernel does not know of."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0


def unchunk(data):
    pieces, at = [], 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        if size == 0:
            return b"".join(pieces)
        pieces.append(data[end + 2:end + 2 + size])
        at = end + 4 + size


def closed_loop(target, connections, make, seconds, processes=1):
    """Each connection sends its next request when it has its answer. `make(connection, number)` gives the bytes.
    Returns times in milliseconds and answers per second."""
    if processes > 1:
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            parts = pool.starmap(closed_loop, [(target, connections // processes, Shifted(make, number * 1000), seconds) for number in range(processes)])
        return [time for part, _ in parts for time in part], sum(rate for _, rate in parts)
    opened = [target.connect() for _ in range(connections)]
    times = []
    if connections == 1:
        only, number, started = opened[0], 0, time.perf_counter()
        while (now := time.perf_counter()) < started + seconds:
            only.call(make(0, number))
            times.append((time.perf_counter() - now) * 1000)
            number += 1
        return times, number / (time.perf_counter() - started)
    poll, by_fd = select.epoll(), {}
    sent, numbers = {}, {}
    started = time.perf_counter()
    for index, connection in enumerate(opened):
        fd = connection.socket.fileno()
        by_fd[fd], numbers[fd] = (index, connection), 0
        poll.register(fd, select.EPOLLIN)
        sent[fd] = time.perf_counter()
        connection.send(make(index, 0))
    busy = len(opened)
    while busy:
        for fd, _ in poll.poll(30):
            index, connection = by_fd[fd]
            status, body = connection.receive()
            if status >= 300:
                raise RuntimeError(f"{status} {body[:300]!r}")
            now = time.perf_counter()
            times.append((now - sent[fd]) * 1000)
            if now > started + seconds:
                busy -= 1
                continue
            numbers[fd] += 1
            sent[fd] = now
            connection.send(make(index, numbers[fd]))
    rate = len(times) / (time.perf_counter() - started)
    for connection in opened:
        connection.socket.close()
    return times, rate


class Shifted:
    """`make` for one process of several: connections have numbers of their own."""

    def __init__(self, make, offset):
        self.make, self.offset = make, offset

    def __call__(self, connection, number):
        return self.make(connection + self.offset, number)

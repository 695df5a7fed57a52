"""Point 3: writers at random, labd killed again and again, reflectors that reconnect: each ends equal to the store."""

import base64
import http.client
import json
import os
import random
import ssl
import tempfile
import threading
import time

import pytest
import yaml
from kindlingtest.lab import USER_NAMESPACE

SEED = int(os.environ.get("KINDLING_TEST_SEED", random.SystemRandom().randrange(10**9)))
PATH = f"/api/v1/namespaces/{USER_NAMESPACE}/configmaps"
ENDED = (OSError, http.client.HTTPException)


@pytest.fixture
def own(place):
    made = place.lab(f"r{len(place.labs)}")
    made.up()
    yield made
    made.close()


class API:
    """Reads the kubeconfig again at each connection: a lab that was started again may have another port."""

    def __init__(self, lab):
        self.lab = lab

    def connect(self, timeout=30):
        config = yaml.safe_load(self.lab.kubeconfig.read_text())
        user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
        decode = lambda text: base64.b64decode(text).decode()  # noqa: E731
        context = ssl.create_default_context(cadata=decode(cluster["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as pair:
            pair.write(decode(user["client-certificate-data"]) + decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
        return http.client.HTTPSConnection("127.0.0.1", int(cluster["server"].rsplit(":", 1)[1]), context=context, timeout=timeout)


class Writer(threading.Thread):
    """Creates, changes and deletes at random, and goes on whatever happens to the server."""

    def __init__(self, lab, source, stop):
        super().__init__(daemon=True)
        self.api, self.source, self.stop, self.done, self.refused = API(lab), source, stop, 0, []

    def run(self):
        connection = None
        while not self.stop.is_set():
            try:
                connection = connection or self.api.connect()
                self.step(connection)
                self.done += 1
            except ENDED:
                connection = None
                time.sleep(0.05)  # the server is away; a client tries again after a while

    def step(self, connection):
        name, source = f"o{self.source.randrange(25)}", self.source
        body = {"metadata": {"name": name, "labels": {"colour": source.choice(["red", "blue"])}}, "data": {"n": str(source.random())}}
        verb = source.choices(["POST", "PATCH", "DELETE"], [3, 5, 2])[0]
        kind = "application/merge-patch+json" if verb == "PATCH" else "application/json"
        connection.request(verb, PATH if verb == "POST" else f"{PATH}/{name}", None if verb == "DELETE" else json.dumps(body), {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201, 404, 409):
            self.refused.append((verb, answer.status, text[:200]))


class Reflector(threading.Thread):
    """What client-go's does: lists and watches from there, or lets a watch begin with all there is; goes on from the last
    version after a break, and lists anew when that is forgotten."""

    def __init__(self, lab, mode, selector, stop):
        super().__init__(daemon=True)
        self.api, self.mode, self.stop = API(lab), mode, stop
        self.selector = f"&labelSelector={selector}" if selector else ""
        self.store, self.version, self.breaks, self.lists, self.problems = {}, None, 0, 0, []

    def run(self):
        while not self.stop.is_set():
            try:
                if self.version is None and self.mode == "list":
                    self.list()
                self.watch()
            except ENDED:
                self.breaks += 1
                time.sleep(0.05)
            except Exception as problem:  # a thread must not end silently
                self.problems.append(repr(problem))
                return

    def list(self):
        connection, found, token = self.api.connect(), {}, ""
        while True:
            connection.request("GET", f"{PATH}?limit=7{self.selector}&continue={token}")
            answer = connection.getresponse()
            page = json.loads(answer.read())
            if answer.status == 410:
                found, token = {}, ""
                continue
            if answer.status != 200:
                raise http.client.HTTPException(page)
            found |= {item["metadata"]["name"]: item for item in page["items"]}
            token = page["metadata"].get("continue", "")
            if not token:
                break
        connection.close()
        self.lists += 1
        self.store, self.version = found, page["metadata"]["resourceVersion"]

    def watch(self):
        query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds=3{self.selector}"
        initial = None
        if self.version is None:
            query += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
            initial = {}
            self.lists += 1
        else:
            query += f"&resourceVersion={self.version}"
        connection = self.api.connect(10)
        try:
            connection.request("GET", f"{PATH}?{query}")
            answer = connection.getresponse()
            if answer.status == 410:
                self.version = None
                return
            if answer.status != 200:
                raise http.client.HTTPException(answer.read()[:200])
            while line := answer.readline():
                event = json.loads(line)
                kind, item = event["type"], event["object"]
                if kind == "ERROR":
                    assert item["code"] == 410, item
                    self.version = None
                    return
                meta = item["metadata"]
                if kind == "BOOKMARK" and initial is not None and meta.get("annotations", {}).get("k8s.io/initial-events-end") == "true":
                    self.store, initial = initial, None
                elif kind != "BOOKMARK" and initial is None and int(meta["resourceVersion"]) <= int(self.version):
                    self.problems.append(f"{kind} {meta['name']} at {meta['resourceVersion']} after {self.version}")
                into = self.store if initial is None else initial
                if kind in ("ADDED", "MODIFIED"):
                    into[meta["name"]] = item
                elif kind == "DELETED":
                    if into.pop(meta["name"], None) is None:
                        self.problems.append(f"{meta['name']} was deleted and not there")
                if initial is None:
                    self.version = meta["resourceVersion"]
        finally:
            connection.close()


def versions(items):
    return {item["metadata"]["name"]: (item["metadata"]["resourceVersion"], item["data"]["n"]) for item in items if item["metadata"]["name"].startswith("o")}


@pytest.mark.accounts("user")
@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.full)])
def test_every_reflector_ends_equal_to_the_store(own, kills, shows):
    source = random.Random(SEED + 20)
    stop, end = threading.Event(), threading.Event()
    writers = [Writer(own, random.Random(SEED + 30 + n), stop) for n in range(3)]
    reflectors = [Reflector(own, mode, selector, end) for mode in ("list", "initial events") for selector in ("", "colour%3Dred", "colour!%3Dred")]
    for thread in writers + reflectors:
        thread.start()
    for _ in range(kills):
        time.sleep(source.uniform(0.2, 1.2))  # the random instant is what is tested
        own.kill_daemon()
        own.up()
    done = sum(writer.done for writer in writers)
    deadline = time.monotonic() + 30
    while sum(writer.done for writer in writers) < done + 60 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sum(writer.done for writer in writers) >= done + 60, "the writers go on after the last kill"
    stop.set()
    for writer in writers:
        writer.join(30)
    items = own.list("configmaps", USER_NAMESPACE)
    red = [item for item in items if item["metadata"].get("labels", {}).get("colour") == "red"]
    truth = {"": versions(items), "&labelSelector=colour%3Dred": versions(red), "&labelSelector=colour!%3Dred": versions(i for i in items if i not in red)}
    deadline = time.monotonic() + 30
    while any(versions(list(r.store.values())) != truth[r.selector] for r in reflectors) and time.monotonic() < deadline:
        time.sleep(0.1)
    end.set()
    for reflector in reflectors:
        assert versions(list(reflector.store.values())) == truth[reflector.selector], (SEED, reflector.mode, reflector.selector)
        assert not reflector.problems, (SEED, reflector.mode, reflector.selector, reflector.problems[:5])
    assert not any(writer.refused for writer in writers), [writer.refused[:3] for writer in writers]
    breaks, lists = sum(r.breaks for r in reflectors), sum(r.lists for r in reflectors)
    shows(f"seed {SEED + 20}: {kills} kills, {sum(writer.done for writer in writers)} writes, {len(reflectors)} reflectors equal, {breaks} broken watches, {lists} lists")

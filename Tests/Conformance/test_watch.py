"""Point 8: watch is correct under load."""

import base64
import http.client
import json
import socket
import ssl
import tempfile
import threading

import pytest
import yaml

pytestmark = pytest.mark.same_for_all


class Connection:
    """A TLS connection with the admin's certificate; raw, to see what the server really sends."""

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

    def request(self, method, path, body=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=60)
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        return connection, connection.getresponse()

    def call(self, method, path, body=None):
        connection, answer = self.request(method, path, body)
        try:
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def watch(self, path):
        connection, answer = self.request("GET", path)
        assert answer.status == 200, answer.read()
        try:
            while line := answer.readline():
                yield json.loads(line)
        finally:
            try:
                connection.sock and connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()


def test_no_event_is_lost_or_repeated_with_writers_at_once(lab, ns, shows):
    api = Connection(lab)
    path = f"/api/v1/namespaces/{ns}/configmaps"
    _, listed = api.call("GET", path)
    start = listed["metadata"]["resourceVersion"]
    writers, writes = 4, 40

    def write(number):
        own = Connection(lab)
        made = own.call("POST", path, {"metadata": {"name": f"w{number}"}, "data": {"n": "0"}})[1]
        for count in range(1, writes):
            made["data"]["n"] = str(count)
            status, made = own.call("PUT", f"{path}/w{number}", made)
            assert status == 200
        own.call("DELETE", f"{path}/w{number}")

    threads = [threading.Thread(target=write, args=[number]) for number in range(writers)]
    watching = api.watch(f"{path}?watch=1&resourceVersion={start}&timeoutSeconds=60")
    for thread in threads:
        thread.start()
    seen, versions = {}, []
    for event in watching:
        object = event["object"]
        if not object["metadata"]["name"].startswith("w"):
            continue
        versions.append(int(object["metadata"]["resourceVersion"]))
        seen.setdefault(object["metadata"]["name"], []).append((event["type"], object["data"]["n"]))
        if sum(events[-1][0] == "DELETED" for events in seen.values()) == writers:
            break
    watching.close()
    for thread in threads:
        thread.join()
    expected = [("ADDED", "0")] + [("MODIFIED", str(n)) for n in range(1, writes)] + [("DELETED", str(writes - 1))]
    assert all(events == expected for events in seen.values())
    assert versions == sorted(set(versions)), "resource versions rise"
    # The past can be read again from the same start.
    again = []
    for event in api.watch(f"{path}?watch=1&resourceVersion={start}&timeoutSeconds=10"):
        # The namespace's own ConfigMap may come only now.
        if not event["object"]["metadata"]["name"].startswith("w"):
            continue
        again.append(int(event["object"]["metadata"]["resourceVersion"]))
        if len(again) == len(versions):
            break
    assert again == versions
    shows(f"{len(versions)} events of {writers} writers: none lost, none twice, in order; the same again from resourceVersion {start}")


def test_bookmarks_and_initial_events(lab, ns, shows):
    api = Connection(lab)
    path = f"/api/v1/namespaces/{ns}/configmaps"
    api.call("POST", path, {"metadata": {"name": "a"}})
    options = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=20"
    types = []
    for event in api.watch(f"{path}?{options}"):
        types.append(event["type"])
        if event["type"] == "BOOKMARK":
            assert event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
            break
    assert types[-1] == "BOOKMARK" and set(types[:-1]) == {"ADDED"}
    shows(" ".join(types))


def test_too_old_is_told(lab, ns, shows):
    api = Connection(lab)
    path = f"/api/v1/namespaces/{ns}/configmaps"
    made = api.call("POST", path, {"metadata": {"name": "a"}, "data": {"n": "0"}})[1]
    found = None
    # A start far before what the window holds; an object at version 1 was never this young.
    for event in api.watch(f"{path}?watch=1&resourceVersion=1&timeoutSeconds=3"):
        found = event
        break
    if found and found["type"] == "ERROR":
        assert found["object"]["code"] == 410 and found["object"]["reason"] == "Expired"
        shows("410 Expired for a start before the window")
    else:
        assert found is None or int(found["object"]["metadata"]["resourceVersion"]) > 1
        shows(f"version 1 is still in the window; first event at {made['metadata']['resourceVersion']}")
    status, _ = api.call("GET", f"{path}?watch=1&resourceVersion=nonsense")
    assert status == 400


def test_a_watch_with_a_selector_sees_objects_come_and_go(lab, ns, shows):
    api = Connection(lab)
    path = f"/api/v1/namespaces/{ns}/configmaps"
    _, listed = api.call("GET", path)
    watching = api.watch(f"{path}?watch=1&labelSelector=in%3Dyes&resourceVersion={listed['metadata']['resourceVersion']}&timeoutSeconds=30")
    made = api.call("POST", path, {"metadata": {"name": "a"}})[1]
    for label in ("yes", "no"):
        made["metadata"]["labels"] = {"in": label}
        made = api.call("PUT", f"{path}/a", made)[1]
    types = [next(watching)["type"], next(watching)["type"]]
    watching.close()
    assert types == ["ADDED", "DELETED"]
    shows("ADDED when the label comes, DELETED when it goes")

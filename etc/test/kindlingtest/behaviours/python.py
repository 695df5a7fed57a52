#!/usr/bin/env python3
"""What the Python clients must see; a program of its own, since several versions of one package cannot be in one process.

    python.py KUBECONFIG NAMESPACE [NAME…]     runs all behaviours, or those named, and prints one JSON line each
    python.py --list                           prints the names of those that this interpreter's packages can do
"""

import asyncio
import functools
import importlib.util
import json
import os
import sys
import threading
import time
import traceback

import kubernetes
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.stream import portforward, stream

FOUND = {}


def behaviour(name, module="kubernetes"):
    def register(function):
        try:
            there = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            there = False
        if there:
            FOUND[name] = function
        return function
    return register


def shell(name, script, **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [
        {"name": "main", "image": "busybox", "command": ["sh", "-c", script]}]} | spec}


def ready(core, name, ns):
    watching = watch.Watch()
    for event in watching.stream(core.list_namespaced_pod, ns, field_selector=f"metadata.name={name}", timeout_seconds=40):
        if any(c.type == "Ready" and c.status == "True" for c in event["object"].status.conditions or []):
            watching.stop()
            return
    raise AssertionError(f"pod {name} is not ready")


@behaviour("typed: create, read, list, patch, replace, delete")
def typed(api, ns):
    core = client.CoreV1Api(api)
    made = core.create_namespaced_config_map(ns, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c", labels={"a": "b"}), data={"k": "v"}))
    assert made.metadata.uid and made.metadata.creation_timestamp.tzinfo
    assert core.patch_namespaced_config_map("c", ns, {"data": {"k": "w"}}).data == {"k": "w"}
    made = core.read_namespaced_config_map("c", ns)
    made.data["z"] = "1"
    assert core.replace_namespaced_config_map("c", ns, made).data == {"k": "w", "z": "1"}
    try:
        made.data["z"] = "2"
        core.replace_namespaced_config_map("c", ns, made)
        raise AssertionError("a stale write was taken")
    except client.ApiException as refused:
        assert refused.status == 409 and json.loads(refused.body)["reason"] == "Conflict"
    assert [m.metadata.name for m in core.list_namespaced_config_map(ns, label_selector="a=b").items] == ["c"]
    ended = core.delete_namespaced_config_map("c", ns)
    assert (ended["status"] if isinstance(ended, dict) else ended.status) == "Success"
    try:
        core.read_namespaced_config_map("c", ns)
        raise AssertionError("still there")
    except client.ApiException as refused:
        assert refused.status == 404


@behaviour("typed: lists in pages")
def pages(api, ns):
    core = client.CoreV1Api(api)
    for number in range(7):
        core.create_namespaced_secret(ns, {"metadata": {"name": f"s{number}", "labels": {"p": "1"}}, "stringData": {"a": "b"}})
    names, token = [], None
    while True:
        page = core.list_namespaced_secret(ns, label_selector="p=1", limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
        assert page.metadata.remaining_item_count == 7 - len(names) or page.metadata.remaining_item_count is None
    assert names == [f"s{number}" for number in range(7)]


@behaviour("typed: workloads, scale, status and eviction")
def workloads(api, ns):
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    labels = {"app": "d"}
    apps.create_namespaced_deployment(ns, {"metadata": {"name": "d"}, "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
        "metadata": {"labels": labels}, "spec": shell("x", "exec sleep 3600")["spec"] | {"restartPolicy": "Always"}}}})
    watching = watch.Watch()
    for event in watching.stream(apps.list_namespaced_deployment, ns, timeout_seconds=40):
        if event["object"].status.ready_replicas == 1:
            watching.stop()
    assert apps.read_namespaced_deployment_status("d", ns).status.available_replicas == 1
    name = core.list_namespaced_pod(ns, label_selector="app=d").items[0].metadata.name
    core.create_namespaced_pod_eviction(name, ns, client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace=ns)))
    assert apps.patch_namespaced_deployment_scale("d", ns, {"spec": {"replicas": 0}}).spec.replicas == 0
    assert apps.read_namespaced_deployment_scale("d", ns).spec.replicas == 0
    apps.delete_namespaced_deployment("d", ns, propagation_policy="Foreground")


@behaviour("typed: tokens, reviews and versions")
def reviews(api, ns):
    core = client.CoreV1Api(api)
    core.create_namespaced_service_account(ns, {"metadata": {"name": "robot"}})
    token = core.create_namespaced_service_account_token("robot", ns, {"spec": {"expirationSeconds": 600}}).status.token
    assert token.count(".") == 2
    review = client.AuthorizationV1Api(api).create_self_subject_access_review({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": ns}}})
    assert review.status.allowed is True
    assert client.AuthenticationV1Api(api).create_token_review({"spec": {"token": token}}).status.authenticated is True
    assert client.VersionApi(api).get_code().major == "1"
    assert any(group.name == "apps" for group in client.ApisApi(api).get_api_versions().groups)


@behaviour("typed: server-side apply")
def server_side(api, ns):
    core = client.CoreV1Api(api)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": {"a": "1"}}
    apply = functools.partial(core.patch_namespaced_config_map, "ssa", ns)
    # Older ones choose the type themselves; only a header of the whole client overrides that.
    if kubernetes.__version__.split(".")[0] < "33":
        api.set_default_header("Content-Type", "application/apply-patch+yaml")
    else:
        apply = functools.partial(apply, _content_type="application/apply-patch+yaml")
    made = apply(body, field_manager="one")
    assert made.metadata.managed_fields[0].operation == "Apply"
    try:
        apply(body | {"data": {"a": "2"}}, field_manager="two")
        raise AssertionError("no conflict")
    except client.ApiException as refused:
        assert refused.status == 409


@behaviour("dynamic: discovery, create, patch, apply, watch, delete")
def dynamically(api, ns):
    dyn = dynamic.DynamicClient(api)
    maps = dyn.resources.get(api_version="v1", kind="ConfigMap")
    maps.create(body={"metadata": {"name": "d"}, "data": {"a": "1"}}, namespace=ns)
    maps.patch(name="d", namespace=ns, body={"data": {"a": "2"}}, content_type="application/merge-patch+json")
    assert maps.get(name="d", namespace=ns).data.a == "2"
    maps.server_side_apply(body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}, "data": {"b": "3"}}, namespace=ns, field_manager="py")
    seen = [event["type"] for event in maps.watch(namespace=ns, field_selector="metadata.name=d", timeout=1)]
    assert seen[:1] == ["ADDED"], seen
    assert dyn.resources.get(api_version="kubeflow.org/v1beta1", kind="Experiment").namespaced
    assert dyn.resources.get(short_names=["po"]).kind == "Pod" if hasattr(dyn.resources, "search") else True
    maps.delete(name="d", namespace=ns)


@behaviour("a user's own kind through the dynamic and the custom objects API")
def own_kind(api, ns):
    extensions = client.ApiextensionsV1Api(api)
    name = "gadgets.py.example.com"
    body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name}, "spec": {
        "group": "py.example.com", "scope": "Namespaced", "names": {"plural": "gadgets", "kind": "Gadget", "singular": "gadget", "listKind": "GadgetList"},
        "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}
    try:
        extensions.create_custom_resource_definition(body)
        watching = watch.Watch()
        for event in watching.stream(extensions.list_custom_resource_definition, field_selector=f"metadata.name={name}", timeout_seconds=20):
            if any(c.type == "Established" and c.status == "True" for c in event["object"].status.conditions or []):
                watching.stop()
        custom = client.CustomObjectsApi(api)
        where = ("py.example.com", "v1", ns, "gadgets")
        custom.create_namespaced_custom_object(*where, {"apiVersion": "py.example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}, "x": 1})
        custom.patch_namespaced_custom_object_status(*where, "g", {"status": {"ok": True}})
        assert custom.get_namespaced_custom_object(*where, "g")["status"] == {"ok": True}
        dyn = dynamic.DynamicClient(api)
        assert dyn.resources.get(api_version="py.example.com/v1", kind="Gadget").get(name="g", namespace=ns).x == 1
    finally:
        extensions.delete_custom_resource_definition(name)


@behaviour("watch: from a list's version, bookmarks, an old version, its time")
def watches(api, ns):
    core = client.CoreV1Api(api)
    version = core.list_namespaced_config_map(ns).metadata.resource_version
    for number in range(3):
        core.create_namespaced_config_map(ns, {"metadata": {"name": f"w{number}"}})
    core.delete_namespaced_config_map("w1", ns)
    watching, seen = watch.Watch(), []
    for event in watching.stream(core.list_namespaced_config_map, ns, resource_version=version, allow_watch_bookmarks=True, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name if event["type"] != "BOOKMARK" else ""))
        if event["type"] == "DELETED":
            watching.stop()
    assert seen == [("ADDED", "w0"), ("ADDED", "w1"), ("ADDED", "w2"), ("DELETED", "w1")], seen
    started = time.monotonic()
    assert not list(watch.Watch().stream(core.list_namespaced_service, ns, timeout_seconds=1))
    assert time.monotonic() - started < 10


@behaviour("streams: exec, its status, its input; logs that are followed")
def streams(api, ns):
    core = client.CoreV1Api(api)
    core.create_namespaced_pod(ns, shell("p", "for i in 1 2 3; do echo line $i; done; exec sleep 3600"))
    ready(core, "p", ns)
    # stream() changes the client that it is given for the time of the call.
    own = client.CoreV1Api(config.new_client_from_config(sys.argv[1]))
    assert stream(own.connect_get_namespaced_pod_exec, "p", ns, command=["sh", "-c", "echo hi"], stdout=True, stderr=True, stdin=False, tty=False) == "hi\n"
    session = stream(own.connect_get_namespaced_pod_exec, "p", ns, command=["sh", "-c", "read a; echo got $a >&2; exit 4"], stdout=True, stderr=True,
                     stdin=True, tty=False, _preload_content=False)
    session.write_stdin("word\n")
    session.run_forever(timeout=20)
    assert session.read_stderr() == "got word\n" and session.returncode == 4
    watching, lines = watch.Watch(), []
    for line in watching.stream(core.read_namespaced_pod_log, "p", ns, follow=True):
        lines.append(line)
        if len(lines) == 3:
            watching.stop()
            break
    assert lines == ["line 1", "line 2", "line 3"], lines
    assert core.read_namespaced_pod_log("p", ns, tail_lines=1) == "line 3\n"


@behaviour("port-forward through the WebSocket")
def forward(api, ns):
    core = client.CoreV1Api(api)
    serve = shell("f", "exec python3 -m http.server 8080")
    serve["spec"]["containers"][0] |= {"image": "python:3.11", "readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1}}
    core.create_namespaced_pod(ns, serve)
    ready(core, "f", ns)
    own = client.CoreV1Api(config.new_client_from_config(sys.argv[1]))
    forwarded = portforward(own.connect_get_namespaced_pod_portforward, "f", ns, ports="8080")
    socket = forwarded.socket(8080)
    socket.settimeout(20)
    socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b""
    while data := socket.recv(65536):
        answer += data
    assert answer.startswith(b"HTTP/1.0 200"), answer[:80]


@behaviour("objects from YAML")
def from_yaml(api, ns):
    utils.create_from_dict(api, {"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "y", "namespace": ns}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "y", "namespace": ns}, "spec": {"suspend": True, "template": {"spec": shell("x", "true")["spec"]}}}]})
    assert client.BatchV1Api(api).read_namespaced_job("y", ns).spec.suspend is True


@behaviour("leader election by a lease", module="kubernetes.leaderelection.resourcelock.leaselock")
def lease(api, ns):
    elect(ns, "leaselock", "LeaseLock")


@behaviour("leader election by a config map", module="kubernetes.leaderelection.resourcelock.configmaplock")
def config_map(api, ns):
    elect(ns, "configmaplock", "ConfigMapLock")


def elect(ns, module, name):
    from kubernetes.leaderelection import electionconfig, leaderelection
    config.load_kube_config(sys.argv[1])
    lock = getattr(importlib.import_module(f"kubernetes.leaderelection.resourcelock.{module}"), name)("lock", ns, "me")
    led = threading.Event()
    settings = electionconfig.Config(lock, lease_duration=8, renew_deadline=6, retry_period=1, onstarted_leading=led.set, onstopped_leading=None)
    threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()
    assert led.wait(20), "nobody became the leader"


@behaviour("informer: its store follows what is written", module="kubernetes.informer")
def informer(api, ns):
    from kubernetes.informer import SharedInformer
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map(ns, {"metadata": {"name": "i0"}})
    informing = SharedInformer(list_func=core.list_namespaced_config_map, namespace=ns)
    names = []
    informing.add_event_handler("ADDED", lambda found: names.append(found.metadata.name))
    informing.start()
    try:
        for number in range(1, 4):
            core.create_namespaced_config_map(ns, {"metadata": {"name": f"i{number}"}})
        core.delete_namespaced_config_map("i2", ns)
        deadline = time.monotonic() + 30
        wanted = {f"{ns}/{name}" for name in ("i0", "i1", "i3")}
        while True:
            keys = {f"{found.metadata.namespace}/{found.metadata.name}" for found in informing.cache.list()} - {f"{ns}/kube-root-ca.crt"}
            if keys == wanted:
                break
            assert time.monotonic() < deadline, (keys, wanted)
            time.sleep(0.1)
    finally:
        informing.stop()


def asynchronously(module):
    async def body(ns):
        lib = importlib.import_module(module)
        settings = lib.client.Configuration()
        await importlib.import_module(f"{module}.config").load_kube_config(sys.argv[1], client_configuration=settings)
        async with lib.client.ApiClient(settings) as api:
            core = lib.client.CoreV1Api(api)
            await core.create_namespaced_config_map(ns, {"metadata": {"name": "aio"}, "data": {"a": "1"}})
            await core.create_namespaced_pod(ns, shell("aio", "echo hi; exec sleep 3600"))
            async with importlib.import_module(f"{module}.watch").Watch() as watching:
                async for event in watching.stream(core.list_namespaced_pod, ns, field_selector="metadata.name=aio", timeout_seconds=40):
                    if any(c.type == "Ready" and c.status == "True" for c in event["object"].status.conditions or []):
                        break
            assert await core.read_namespaced_pod_log("aio", ns) == "hi\n"
            dyn = await importlib.import_module(f"{module}.dynamic").DynamicClient(api)
            maps = await dyn.resources.get(api_version="v1", kind="ConfigMap")
            assert (await maps.get(name="aio", namespace=ns)).data.a == "1"
            many = await asyncio.gather(*(core.create_namespaced_config_map(ns, {"metadata": {"name": f"aio{n}"}}) for n in range(50)))
            assert len({made.metadata.uid for made in many}) == 50
        async with importlib.import_module(f"{module}.stream").WsApiClient(settings) as api:
            core = lib.client.CoreV1Api(api)
            said = await core.connect_get_namespaced_pod_exec("aio", ns, command=["sh", "-c", "echo over there"], stdout=True, stderr=True, stdin=False, tty=False)
            assert said == "over there\n", said
    return body


@behaviour("kubernetes_asyncio: objects, watch, logs, dynamic, exec", module="kubernetes_asyncio")
def asyncio_client(api, ns):
    asyncio.run(asynchronously("kubernetes_asyncio")(ns))


@behaviour("kubernetes.aio: objects, watch, logs, dynamic, exec", module="kubernetes.aio")
def aio(api, ns):
    asyncio.run(asynchronously("kubernetes.aio")(ns))


def main():
    if sys.argv[1:] == ["--list"]:
        return print(json.dumps({"version": kubernetes.__version__, "names": list(FOUND)}))
    ns, chosen = sys.argv[2], sys.argv[3:] or list(FOUND)
    for name in chosen:
        api, problem = config.new_client_from_config(sys.argv[1]), None
        try:
            FOUND[name](api, ns)
        except Exception:
            problem = traceback.format_exc()
        print(json.dumps({"name": name, "problem": problem}), flush=True)
    os._exit(0)  # what leads goes on in threads that nothing ends


if __name__ == "__main__":
    main()

"""Point 7: kinds, finalizers, owners, and a user's own kinds."""

import json

import pytest
from kindlingtest.manifests import claim, shell

pytestmark = pytest.mark.same_for_all


def config_map(name, **meta):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name} | meta}


def test_every_kind_can_be_made_and_listed(lab, ns, shows):
    objects = [
        config_map("c"),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sa"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}},
        claim("p"),
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"{ns}-pv"}, "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp"}, "storageClassName": "manual"}},
    ]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=objects)
    assert lab.get("secret", "s", ns)["data"] == {"k": "dg=="}, "stringData is written as data"
    service = lab.get("service", "svc", ns)
    assert service["spec"]["clusterIP"] and service["spec"]["type"] == "ClusterIP" and service["spec"]["ports"][0]["protocol"] == "TCP"
    assert lab.get("sa", "default", ns)["metadata"]["name"] == "default", "every namespace has a default service account"
    assert lab.get("pvc", "p", ns)["spec"]["storageClassName"] == "standard"
    lab.kubectl("delete", "pv", f"{ns}-pv")
    shows("configmap, secret, serviceaccount, service, claim, volume")


KINDS = [
    # Kind, apiVersion, what stands beside the metadata, whether it has a namespace.
    ("Endpoints", "v1", {"subsets": [{"addresses": [{"ip": "10.9.8.7"}], "ports": [{"port": 80}]}]}, True),
    ("ReplicationController", "v1", {"spec": {"replicas": 0, "template": "TEMPLATE"}}, True),
    ("LimitRange", "v1", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "64"}}]}}, True),
    ("ResourceQuota", "v1", {"spec": {"hard": {"pods": "100"}}}, True),
    ("PodTemplate", "v1", {"template": "TEMPLATE"}, True),
    ("Deployment", "apps/v1", {"spec": {"replicas": 0, "selector": "SELECTOR", "template": "TEMPLATE"}}, True),
    ("ReplicaSet", "apps/v1", {"spec": {"replicas": 0, "selector": "SELECTOR", "template": "TEMPLATE"}}, True),
    ("DaemonSet", "apps/v1", {"spec": {"selector": "SELECTOR", "template": "NOWHERE"}}, True),
    ("ControllerRevision", "apps/v1", {"revision": 1, "data": {"a": 1}}, True),
    ("CronJob", "batch/v1", {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": "ONCE"}}}}, True),
    ("HorizontalPodAutoscaler", "autoscaling/v2", {"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "no"}}}, True),
    ("PodDisruptionBudget", "policy/v1", {"spec": {"minAvailable": "50%", "selector": "SELECTOR"}}, True),
    ("Ingress", "networking.k8s.io/v1", {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}, True),
    ("IngressClass", "networking.k8s.io/v1", {"spec": {"controller": "example.com/none"}}, False),
    ("NetworkPolicy", "networking.k8s.io/v1", {"spec": {"podSelector": {}}}, True),
    ("EndpointSlice", "discovery.k8s.io/v1", {"addressType": "IPv4", "endpoints": [{"addresses": ["10.9.8.7"]}], "ports": [{"port": 80}]}, True),
    ("Lease", "coordination.k8s.io/v1", {"spec": {"holderIdentity": "me"}}, True),
    ("PriorityClass", "scheduling.k8s.io/v1", {"value": 5}, False),
    ("Role", "rbac.authorization.k8s.io/v1", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}, True),
    ("ClusterRole", "rbac.authorization.k8s.io/v1", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}, False),
    ("CSIDriver", "storage.k8s.io/v1", {"spec": {}}, False),
    ("VolumeAttributesClass", "storage.k8s.io/v1", {"driverName": "example.com"}, False),
    ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", {"webhooks": []}, False),
    ("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", {"webhooks": []}, False),
]


def test_every_stable_kind_is_served(lab, ns, shows):
    container = {"name": "main", "image": "busybox", "command": ["true"]}
    labels = {"metadata": {"labels": {"kinds": "all"}}}
    parts = {
        "SELECTOR": {"matchLabels": {"kinds": "all"}}, "TEMPLATE": labels | {"spec": {"containers": [container]}},
        "NOWHERE": labels | {"spec": {"containers": [container], "nodeSelector": {"no": "where"}}},
        "ONCE": {"spec": {"containers": [container], "restartPolicy": "Never"}},
    }

    def filled(value):
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        return parts.get(value, value) if isinstance(value, str) else value

    name = f"{ns}-all"
    objects = [{"apiVersion": version, "kind": kind, "metadata": {"name": name}} | filled(body) for kind, version, body, _ in KINDS]
    try:
        lab.kubectl("apply", "-n", ns, "-f", "-", input=objects)
        again = lab.kubectl("apply", "-n", ns, "-f", "-", input=objects).stdout
        # In these kubectl sends whole lists or selectors again, in any cluster.
        changed = {line.split("/")[0] for line in again.splitlines() if not line.endswith("unchanged")}
        assert changed <= {"endpoints", "limitrange", "poddisruptionbudget.policy", "endpointslice.discovery.k8s.io"}, again
        for kind, version, _, _ in KINDS:
            group = version.split("/")[0] if "/" in version else ""
            table = lab.kubectl("get", f"{kind.lower()}.{version.split('/')[-1]}.{group}", name, "-n", ns).stdout.splitlines()
            assert table[0].startswith("NAME") and table[1].startswith(name), kind
        short = {"rc": "replicationcontroller", "quota": "resourcequota", "limits": "limitrange", "deploy": "deployment", "rs": "replicaset",
                 "ds": "daemonset", "cj": "cronjob", "hpa": "horizontalpodautoscaler", "pdb": "poddisruptionbudget", "ing": "ingress",
                 "netpol": "networkpolicy", "pc": "priorityclass", "ep": "endpoints"}
        for word, kind in short.items():
            assert lab.kubectl("get", word, name, "-n", ns, "-o", "name").stdout.startswith(kind), word
    finally:
        for kind, _, _, is_namespaced in KINDS:
            if not is_namespaced:
                lab.kubectl("delete", kind.lower(), name, "--ignore-not-found", check=False)
    shows(f"{len(KINDS)} kinds applied twice and shown")


def test_the_node_is_this_machine(lab, shows):
    nodes = lab.list("nodes", "default")
    assert len(nodes) == 1
    capacity = nodes[0]["status"]["capacity"]
    import os

    assert int(capacity["cpu"]) == len(os.sched_getaffinity(0)) or int(capacity["cpu"]) == os.cpu_count()
    total = int(next(line for line in open("/proc/meminfo") if line.startswith("MemTotal")).split()[1])
    assert abs(int(capacity["memory"].removesuffix("Ki")) - total) < total / 100
    assert any(c["type"] == "Ready" and c["status"] == "True" for c in nodes[0]["status"]["conditions"])
    shows(f"cpu {capacity['cpu']}, memory {capacity['memory']}")


def test_standard_is_the_default_class(lab, shows):
    storage = lab.get("storageclass", "standard", "default")
    assert storage["volumeBindingMode"] == "WaitForFirstConsumer"
    assert storage["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert "standard (default)" in lab.kubectl("get", "sc").stdout
    shows("standard (default), WaitForFirstConsumer")


def test_a_finalizer_holds_until_it_is_taken_off(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=config_map("held", finalizers=["example.com/hold"]))
    lab.kubectl("delete", "cm", "held", "-n", ns, "--wait=false")
    assert lab.get("cm", "held", ns)["metadata"]["deletionTimestamp"]
    lab.kubectl("patch", "cm", "held", "-n", ns, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert lab.kubectl("get", "cm", "held", "-n", ns, check=False).returncode != 0
    shows("held, then gone")


def test_owned_objects_go_with_their_owner(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=config_map("owner"))
    uid = lab.get("cm", "owner", ns)["metadata"]["uid"]
    owned = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[config_map(f"owned{i}", ownerReferences=[owned]) for i in range(3)])
    lab.kubectl("apply", "-n", ns, "-f", "-", input=config_map("free"))
    lab.kubectl("delete", "cm", "owner", "-n", ns)
    for i in range(3):
        lab.kubectl("wait", f"cm/owned{i}", "-n", ns, "--for=delete", "--timeout=30s")
    assert lab.get("cm", "free", ns)
    shows("three owned objects collected, the free one kept")


def test_orphans_stay(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=config_map("owner"))
    uid = lab.get("cm", "owner", ns)["metadata"]["uid"]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=config_map("owned", ownerReferences=[{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]))
    lab.kubectl("delete", "cm", "owner", "-n", ns, "--cascade=orphan")
    assert not lab.get("cm", "owned", ns)["metadata"].get("ownerReferences")
    shows("--cascade=orphan leaves the object without an owner")


def test_deleting_a_namespace_deletes_what_is_in_it(lab, shows):
    lab.kubectl("create", "namespace", "going")
    lab.kubectl("apply", "-n", "going", "-f", "-", input=[config_map("c"), shell("p", "sleep 300", terminationGracePeriodSeconds=1)])
    lab.wait("pod/p", "condition=Ready", "going")
    lab.kubectl("delete", "namespace", "going", timeout=60)
    assert lab.kubectl("get", "cm,pods", "-n", "going", "-o", "name").stdout == ""
    shows("pod ended and objects gone")


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "kites.example.com"},
    "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "kites", "singular": "kite", "kind": "Kite", "shortNames": ["ki"]},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
            "additionalPrinterColumns": [{"name": "Length", "type": "integer", "jsonPath": ".spec.length"}],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "required": ["length"], "properties": {
                    "length": {"type": "integer", "minimum": 1}, "colour": {"type": "string", "default": "red"}}},
                "status": {"type": "object", "properties": {"flying": {"type": "boolean"}}}}}}}],
    },
}


def test_a_namespace_waits_for_its_own_finalizers(lab, shows):
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "held"}, "spec": {"finalizers": ["example.org/hold"]}}
    lab.kubectl("create", "-f", "-", input=made)
    lab.kubectl("delete", "ns", "held", "--wait=false")
    lab.kubectl("wait", "ns/held", "--for=condition=NamespaceContentRemaining=False", "--timeout=20s")
    held = json.loads(lab.kubectl("get", "ns", "held", "-o", "json").stdout)
    conditions = {c["type"]: c["status"] for c in held["status"]["conditions"]}
    held["spec"]["finalizers"] = []
    held["metadata"].pop("resourceVersion")
    lab.kubectl("replace", "--raw", "/api/v1/namespaces/held/finalize", "-f", "-", input=held)
    lab.kubectl("wait", "ns/held", "--for=delete", "--timeout=20s")
    assert conditions["NamespaceContentRemaining"] == "False" and len(conditions) == 5
    shows("held by its spec until /finalize let it go")


def kite(name, **spec):
    return {"apiVersion": "example.com/v1", "kind": "Kite", "metadata": {"name": name}, "spec": spec}


def test_a_users_own_kind_is_served(lab, ns, shows):
    lab.kubectl("apply", "-f", "-", input=CRD)
    try:
        lab.kubectl("wait", "crd/kites.example.com", "--for=condition=Established", "--timeout=30s")
        lab.kubectl("apply", "-n", ns, "-f", "-", input=kite("a", length=3))
        assert lab.get("kite", "a", ns)["spec"] == {"length": 3, "colour": "red"}, "the default is filled in"
        table = lab.kubectl("get", "ki", "-n", ns).stdout.splitlines()
        assert table[0].split() == ["NAME", "LENGTH"] or "LENGTH" in table[0]
        wrong = lab.kubectl("apply", "-n", ns, "-f", "-", input=kite("b", length=0), check=False)
        assert wrong.returncode != 0 and "spec.length" in wrong.stderr
        unknown = lab.kubectl("apply", "-n", ns, "-f", "-", input=kite("b", length=1, tail=2), check=False)
        assert unknown.returncode != 0 and "tail" in unknown.stderr
        lab.kubectl("patch", "kite", "a", "-n", ns, "--subresource=status", "--type=merge", "-p", '{"status":{"flying":true},"spec":{"length":9}}')
        seen = lab.get("kite", "a", ns)
        assert seen["status"] == {"flying": True} and seen["spec"]["length"] == 3, "the status subresource writes the status alone"
        assert "colour" in lab.kubectl("explain", "kite.spec").stdout
    finally:
        lab.kubectl("delete", "crd", "kites.example.com", "--timeout=60s", check=False)
    assert "kites" not in lab.kubectl("api-resources", "-o", "name", "--cached=false").stdout
    shows("defaults, columns, validation, strictness, status, explain; gone with its definition")


def test_quantities_are_served_in_their_canonical_form(lab, ns, shows):
    import kubernetes

    raw = {"requests": {"cpu": 0.1, "memory": "0.5Gi"}, "limits": {"memory": 1000000000}}
    pod = shell("p", "true", nodeName="elsewhere")
    pod["spec"]["containers"][0]["resources"] = raw
    lab.kubectl("create", "-n", ns, "-f", "-", input=pod)
    seen = lab.get("pod", "p", ns)["spec"]["containers"][0]["resources"]
    assert seen == {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "1G"}}
    with lab.api() as api:
        core = kubernetes.client.CoreV1Api(api)
        read = core.read_namespaced_pod("p", ns)
        read.metadata.labels = {"edited": "yes"}
        assert core.replace_namespaced_pod("p", ns, read).metadata.labels == {"edited": "yes"}
    shows(seen)


def test_a_pod_of_a_node_that_is_not_there_can_be_deleted(lab, ns, shows):
    lab.kubectl("create", "-n", ns, "-f", "-", input=shell("p", "true", nodeName="elsewhere"))
    moved = lab.kubectl("patch", "pod", "p", "-n", ns, "--type=merge", "-p", '{"spec":{"nodeName":"other"}}', check=False)
    assert "pod updates may not change fields other than" in moved.stderr
    lab.kubectl("delete", "pod", "p", "-n", ns, timeout=20)
    shows("no kubelet had to end it")


def test_some_namespaces_and_metadata_stay(lab, ns, shows):
    for name in ("default", "kube-system"):
        kept = lab.kubectl("delete", "ns", name, check=False)
        assert f'namespaces "{name}" is forbidden: this namespace may not be deleted' in kept.stderr
    lab.kubectl("create", "-n", ns, "-f", "-", input=config_map("held", finalizers=["example.com/hold"]))
    lab.kubectl("delete", "cm", "held", "-n", ns, "--wait=false")
    patch = '{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}'
    added = lab.kubectl("patch", "cm", "held", "-n", ns, "--type=merge", "-p", patch, check=False)
    assert "no new finalizers can be added if the object is being deleted" in added.stderr
    uid = lab.kubectl("patch", "cm", "held", "-n", ns, "--type=merge", "-p", '{"metadata":{"uid":"x"}}', check=False)
    assert "field is immutable" in uid.stderr
    lab.kubectl("patch", "cm", "held", "-n", ns, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    # Not by a plain create: kubectl takes the version out itself.
    path = f"/api/v1/namespaces/{ns}/configmaps"
    made = lab.kubectl("create", "--raw", path, "-f", "-", input=config_map("new", resourceVersion="7"), check=False)
    assert "resourceVersion should not be set on objects to be created" in made.stderr
    for command in ("create", "apply"):
        # What was read once can be made anew from the file.
        lab.kubectl(command, "-n", ns, "-f", "-", input=config_map(f"by-{command}", resourceVersion="7"))
    lab.lab("apply", "-n", ns, "-f", "-", input=json.dumps(config_map("by-lab", resourceVersion="7")))
    shows("default, kube-system; finalizers, uid, resourceVersion")

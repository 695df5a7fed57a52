"""Point 17: what is exported is what was applied."""

import json

import pytest
import yaml
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import claim, job, path_of, seed, shell, workflow

pytestmark = pytest.mark.same_for_all

SEEDS = ["experiment.yaml", "pvc.yaml", "workflow.yaml", "dex-config.yaml"]
SERVER_MADE = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink", "ownerReferences", "deletionTimestamp"}


def plural(kind):
    return {"Experiment": "experiment", "PersistentVolumeClaim": "pvc", "Workflow": "workflow", "ConfigMap": "configmap", "Pod": "pod"}[kind]


def apply_by(lab, way, name, namespace):
    """Makes the object in one of four ways; gives its name."""
    if way == "client":
        import kubernetes

        body = seed(name)
        with lab.api() as api:
            if body["apiVersion"] == "v1":
                core = kubernetes.client.CoreV1Api(api)
                create = core.create_namespaced_config_map if body["kind"] == "ConfigMap" else core.create_namespaced_persistent_volume_claim
                return create(namespace, body).metadata.name
            group, version = body["apiVersion"].split("/")
            objects = kubernetes.client.CustomObjectsApi(api)
            return objects.create_namespaced_custom_object(group, version, namespace, plural(body["kind"]) + "s", body)["metadata"]["name"]
    words = {"apply": ["apply"], "create": ["create"], "server-side": ["apply", "--server-side"]}[way]
    made = lab.kubectl(*words, "-n", namespace, "-f", path_of(name), "-o", "json")
    return json.loads(made.stdout)["metadata"]["name"]


def exported(lab, kind, name, namespace, *more):
    return yaml.safe_load(lab.lab("export", f"{plural(kind)}/{name}", "-n", namespace, *more).stdout)


def wanted(object, namespace):
    """The manifest as given; where it names no namespace, the one that the command named may stand."""
    wanted = json.loads(json.dumps(object))
    return wanted, {**wanted, "metadata": {**wanted["metadata"], "namespace": namespace}}


@pytest.mark.parametrize("way", ["apply", "create", "server-side", "client"])
@pytest.mark.parametrize("name", SEEDS)
def test_the_seed_comes_back_field_for_field(lab, name, way, shows):
    object = seed(name)
    namespace = object["metadata"].get("namespace", USER_NAMESPACE)
    if way in ("apply", "server-side") and "name" not in object["metadata"]:
        # kubectl itself cannot apply a generateName; `lab apply` can.
        if way == "server-side":
            return
        made = lab.lab("apply", "-n", namespace, "-f", path_of(name), "-o", "json", check=False)
        if made.returncode != 0:
            made = lab.lab("apply", "-n", namespace, "-f", path_of(name))
            made_name = made.stdout.split("/")[1].split()[0]
        else:
            made_name = json.loads(made.stdout)["metadata"]["name"]
    else:
        made_name = apply_by(lab, way, name, namespace)
    try:
        seen = exported(lab, object["kind"], made_name, namespace)
        assert seen in wanted(object, namespace), f"exported:\n{yaml.safe_dump(seen)}"
        validate(seen)
    finally:
        lab.kubectl("delete", plural(object["kind"]), made_name, "-n", namespace, "--wait=false", check=False)
        lab.kubectl("wait", f"{plural(object['kind'])}/{made_name}", "-n", namespace, "--for=delete", "--timeout=30s", check=False)
    shows(f"{name} by {way}: equal")


def validate(object):
    """As the user's cluster would: the validator of core kinds, upstream's own Python models of the others."""
    if object["apiVersion"] in ("v1", "batch/v1", "apps/v1"):
        import kubernetes_validate

        kubernetes_validate.validate(object, "1.32", strict=True)
    elif object["kind"] == "Experiment":
        from kubeflow_katib_api.models import V1beta1Experiment

        V1beta1Experiment.from_dict(object)
    elif object["kind"] == "Workflow":
        from hera.workflows.models import Workflow

        Workflow.model_validate(object)


def test_edits_are_exported_and_defaults_are_not(lab, ns, shows):
    pod = shell("p", "sleep 300", terminationGracePeriodSeconds=1)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod)
    assert exported(lab, "Pod", "p", ns) in wanted(pod, ns)
    lab.kubectl("label", "pod", "p", "-n", ns, "edited=yes")
    lab.kubectl("patch", "pod", "p", "-n", ns, "--type=json", "-p", '[{"op":"replace","path":"/spec/containers/0/image","value":"alpine"}]')
    seen = exported(lab, "Pod", "p", ns)
    assert seen["metadata"]["labels"] == {"edited": "yes"} and seen["spec"]["containers"][0]["image"] == "alpine"
    assert "status" not in seen and not SERVER_MADE & set(seen["metadata"])
    assert "dnsPolicy" not in seen["spec"] and "imagePullPolicy" not in seen["spec"]["containers"][0]
    lab.kubectl("annotate", "pod", "p", "-n", ns, "kubectl.kubernetes.io/last-applied-configuration-")
    assert exported(lab, "Pod", "p", ns) == seen, "the export does not live on kubectl's annotation"
    validate(seen)
    shows("labels and image of patches, no defaults, nothing server-made")


def test_a_default_that_the_user_set_is_kept(lab, ns, shows):
    pod = shell("p", "true", dnsPolicy="ClusterFirst", terminationGracePeriodSeconds=30)
    lab.kubectl("create", "-n", ns, "-f", "-", input=pod)
    seen = exported(lab, "Pod", "p", ns)
    assert seen["spec"]["dnsPolicy"] == "ClusterFirst" and seen["spec"]["terminationGracePeriodSeconds"] == 30
    assert "schedulerName" not in seen["spec"]
    shows("dnsPolicy: ClusterFirst was set and is exported; schedulerName was defaulted and is not")


def test_generate_name_is_kept(lab, shows):
    object = workflow("x", [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}])
    object["metadata"] = {"generateName": "made-", "namespace": USER_NAMESPACE}
    name = json.loads(lab.kubectl("create", "-f", "-", "-o", "json", input=object).stdout)["metadata"]["name"]
    lab.wait(f"workflow/{name}", "jsonpath={.status.phase}=Succeeded")
    seen = exported(lab, "Workflow", name, USER_NAMESPACE)
    assert seen == object
    lab.kubectl("delete", "workflow", name, "-n", USER_NAMESPACE)
    shows("generateName kept, the made-up name dropped")


def test_check_warns_of_what_a_cluster_would_do_otherwise(lab, shows):
    claim_user = seed("experiment.yaml")
    claim_user["metadata"]["name"] = "shared"
    pod = claim_user["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "one-claim"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]
    pod["containers"][0]["image"] = "my/own-image:1"
    pod["containers"][0]["command"] = ["python3", "-c", "print('two words')"]
    used = [p["name"] for p in claim_user["spec"]["trialTemplate"]["trialParameters"]]
    pod["containers"][0]["env"] = [{"name": f"P{i}", "value": "${trialParameters.%s}" % name} for i, name in enumerate(used)]
    lab.kubectl("apply", "-n", USER_NAMESPACE, "-f", "-", input=[claim("one-claim"), claim_user])
    try:
        result = lab.lab("export", "--check", "experiment/shared", "-n", USER_NAMESPACE, check=False)
        text = result.stdout + result.stderr
        for word in ("my/own-image:1", "one-claim", "ReadWriteOnce", "sh -c"):
            assert word in text, f"no warning of {word}:\n{text}"
    finally:
        lab.kubectl("delete", "experiment/shared", "pvc/one-claim", "-n", USER_NAMESPACE, "--wait=false", check=False)
    shows("local image, shared claim, re-split arguments")


def export(lab, what, *more):
    return yaml.safe_load(lab.lab("export", what, *more).stdout)


def test_what_the_server_made_is_a_manifest(lab, ns, shows):
    lab.kubectl("label", "sa", "default", "-n", ns, "touched=yes")
    node = lab.list("nodes", "default")[0]["metadata"]["name"]
    lab.kubectl("cordon", node)
    lab.kubectl("uncordon", node)
    text = lab.lab("export", "--all-in", ns).stdout
    lab.kubectl("apply", "--dry-run=server", "-f", "-", input=text)
    account = next(d for d in yaml.safe_load_all(text) if d["kind"] == "ServiceAccount")
    assert account == {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": ns, "labels": {"touched": "yes"}}}
    assert export(lab, f"node/{node}") == {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}
    # kubectl sends the whole list of taints, with the one that the lab itself has made of the cordon.
    lab.kubectl("cordon", node)
    lab.wait(f"node/{node}", "jsonpath={.spec.taints[0].key}=node.kubernetes.io/unschedulable")
    lab.kubectl("taint", "node", node, "own=value:PreferNoSchedule")
    lab.kubectl("uncordon", node)
    assert export(lab, f"node/{node}")["spec"] == {"taints": [{"effect": "PreferNoSchedule", "key": "own", "value": "value"}]}
    lab.kubectl("taint", "node", node, "own-")
    assert export(lab, f"node/{node}") == {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}
    lab.kubectl("label", "sa", "default", "-n", ns, "touched-")
    assert "labels" not in export(lab, "sa/default", "-n", ns)["metadata"]
    shows("a labelled account, a node that was cordoned")


def test_a_secret_is_exported_with_its_last_value(lab, ns, shows):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": ns}, "stringData": {"a": "one", "b": "kept"}}
    lab.kubectl("apply", "-f", "-", input=secret)
    lab.kubectl("patch", "secret", "s", "-n", ns, "-p", '{"data":{"a":"dHdv"}}')
    seen = export(lab, "secret/s", "-n", ns)
    assert seen["stringData"] == {"b": "kept"} and seen["data"] == {"a": "dHdv"}
    shows("the patched value once, the other as it was written")


def test_a_default_that_the_user_sets_later_is_kept(lab, ns, shows):
    made = job("j", "sleep 60")
    made["metadata"]["namespace"] = ns
    lab.kubectl("apply", "-f", "-", input=made)
    made["spec"]["backoffLimit"] = 6
    lab.kubectl("apply", "-f", "-", input=made)
    assert export(lab, "job/j", "-n", ns) == made
    lab.kubectl("patch", "job", "j", "-n", ns, "--type=json", "-p", '[{"op":"add","path":"/spec/suspend","value":false}]')
    made["spec"]["suspend"] = False
    assert export(lab, "job/j", "-n", ns) == made
    headless = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc", "namespace": ns}, "spec": {"ports": [{"port": 80}]}}
    lab.kubectl("create", "-f", "-", input=headless)
    headless["spec"]["type"] = "ClusterIP"
    lab.kubectl("replace", "-f", "-", input=headless)
    assert export(lab, "svc/svc", "-n", ns) == headless
    shows("by apply, JSON patch and replace")


def test_any_name_that_kubectl_knows_will_do(lab, ns, shows):
    definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "exported.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "exported", "singular": "export", "kind": "Export", "shortNames": ["exd"]},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}
    lab.kubectl("create", "-f", "-", input=definition)
    try:
        lab.kubectl("wait", "crd/exported.example.com", "--for=condition=Established", "--timeout=20s")
        made = {"apiVersion": "example.com/v1", "kind": "Export", "metadata": {"name": ns, "namespace": ns}}
        lab.kubectl("create", "-f", "-", input=made)
        for word in ("exd", "export", "exported", "exported.example.com"):
            assert export(lab, f"{word}/{ns}", "-n", ns) == made
        result = lab.lab("export", f"exd/{ns}")
        assert yaml.safe_load(result.stdout) == made and f"exd/{ns} is in the namespace {ns}" in result.stderr
        assert "use -n" in lab.lab("export", f"exd/{ns}", "-n", "kube-system", check=False).stderr, "a namespace that is named is meant"
    finally:
        lab.kubectl("delete", "crd", "exported.example.com")
    lab.kubectl("create", "namespace", f"{ns}-2")
    try:
        for namespace in (ns, f"{ns}-2"):
            lab.kubectl("create", "configmap", "twice", "-n", namespace)
        assert "use -n" in lab.lab("export", "cm/twice", check=False).stderr, "one of two is not chosen"
    finally:
        lab.kubectl("delete", "namespace", f"{ns}-2", "--wait=false")
    shows("short, singular, plural and whole; elsewhere with a note")

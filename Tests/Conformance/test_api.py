"""Point 6: unmodified kubectl 1.32 does all that it does with a cluster."""

import json
import subprocess

import pytest
import yaml
from kindlingtest.manifests import shell

pytestmark = pytest.mark.same_for_all

DEPLOYED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"app": "x"}}, "data": {"a": "1", "b": "2"}}
GROUPS = ["v1", "batch/v1", "apps/v1", "storage.k8s.io/v1", "apiextensions.k8s.io/v1", "kubeflow.org/v1beta1", "kubeflow.org/v1", "argoproj.io/v1alpha1"]


def raw(lab, path, **options):
    return json.loads(lab.kubectl("get", "--raw", path, **options).stdout)


def test_discovery_names_every_kind(lab, shows):
    names = lab.kubectl("api-resources", "-o", "name").stdout.split()
    for name in ("pods", "jobs.batch", "statefulsets.apps", "storageclasses.storage.k8s.io", "customresourcedefinitions.apiextensions.k8s.io",
                 "experiments.kubeflow.org", "suggestions.kubeflow.org", "trials.kubeflow.org", "workflows.argoproj.io", "notebooks.kubeflow.org",
                 "serviceaccounts", "services", "events", "nodes", "persistentvolumes", "persistentvolumeclaims", "secrets", "configmaps"):
        assert name in names, f"{name} is not in {names}"
    versions = lab.kubectl("api-versions").stdout.split()
    assert set(GROUPS) <= set(versions)
    legacy = raw(lab, "/apis/batch/v1")
    assert legacy["kind"] == "APIResourceList" and any(r["name"] == "jobs/status" for r in legacy["resources"])
    shows(f"{len(names)} resources in {len(versions)} group versions")


def test_openapi_v2_and_v3(lab, shows):
    v2 = raw(lab, "/openapi/v2")
    assert v2["swagger"] == "2.0" and "io.k8s.api.core.v1.Pod" in v2["definitions"]
    v3 = raw(lab, "/openapi/v3")
    assert "api/v1" in v3["paths"] and "apis/kubeflow.org/v1beta1" in v3["paths"]
    katib = raw(lab, v3["paths"]["apis/kubeflow.org/v1beta1"]["serverRelativeURL"])
    assert any(name.endswith("Experiment") for name in katib["components"]["schemas"])
    shows(f"v2: {len(v2['definitions'])} definitions; v3: {len(v3['paths'])} documents")


def test_apply_creates_configures_and_leaves_unchanged(lab, ns, shows):
    def apply(object):
        return lab.kubectl("apply", "-n", ns, "-f", "-", input=object).stdout.strip()

    assert apply(DEPLOYED).endswith("created")
    assert apply(DEPLOYED).endswith("unchanged")
    changed = DEPLOYED | {"data": {"a": "9"}}
    assert apply(changed).endswith("configured")
    assert lab.get("configmap", "c", ns)["data"] == {"a": "9"}, "the key that was taken out must go"
    shows("created, unchanged, configured; a removed key is removed")


def test_server_side_apply_owns_fields_and_conflicts(lab, ns, shows):
    def apply(data, *more, check=True):
        object = DEPLOYED | {"data": data}
        return lab.kubectl("apply", "--server-side", "-n", ns, "-f", "-", *more, input=object, check=check)

    apply({"a": "1", "b": "2"}, "--field-manager=one")
    conflict = apply({"a": "7"}, "--field-manager=two", check=False)
    assert conflict.returncode != 0 and "conflict" in conflict.stderr.lower() and ".data.a" in conflict.stderr
    apply({"a": "7"}, "--field-manager=two", "--force-conflicts")
    assert lab.get("configmap", "c", ns)["data"] == {"a": "7", "b": "2"}
    apply({"b": "2"}, "--field-manager=one")
    assert lab.get("configmap", "c", ns)["data"] == {"a": "7", "b": "2"}, "two owns a"
    apply({}, "--field-manager=one")
    assert lab.get("configmap", "c", ns)["data"] == {"a": "7"}
    shows("conflict named .data.a; forced; fields go with their last owner")


def test_get_in_every_form(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=DEPLOYED)
    table = lab.kubectl("get", "configmap", "-n", ns).stdout.splitlines()
    assert table[0].split() == ["NAME", "DATA", "AGE"] and ["c", "2"] in [line.split()[:2] for line in table]
    assert yaml.safe_load(lab.kubectl("get", "cm", "c", "-n", ns, "-o", "yaml").stdout)["data"]["a"] == "1"
    assert lab.kubectl("get", "cm", "c", "-n", ns, "-o", "jsonpath={.data.b}").stdout == "2"
    custom = lab.kubectl("get", "cm", "-n", ns, "-l", "app=x", "-o", "custom-columns=N:.metadata.name,A:.data.a").stdout.split()
    assert custom == ["N", "A", "c", "1"]
    assert lab.kubectl("get", "cm", "-n", ns, "-l", "app!=x", "-o", "name").stdout.strip() != "configmap/c"
    wide = lab.kubectl("get", "nodes", "-o", "wide").stdout.splitlines()
    assert {"INTERNAL-IP", "KERNEL-VERSION"} <= set(wide[0].split()) and "Ready" in wide[1]
    assert lab.kubectl("get", "cm", "-n", ns, "--field-selector", "metadata.name=c", "-o", "name").stdout.strip() == "configmap/c"
    shows(f"table {table[0]!r}, yaml, json, jsonpath, custom-columns, wide, selectors")


def test_pods_table_is_kubelets(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "exit 0"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    table = lab.kubectl("get", "pods", "-n", ns).stdout.splitlines()
    assert table[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert table[1].split()[:4] == ["p", "0/1", "Completed", "0"]
    wide = lab.kubectl("get", "pods", "-n", ns, "-o", "wide").stdout.splitlines()[0]
    assert "NODE" in wide and "IP" in wide
    shows(table[1])


def test_three_patches(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "sleep 300"))
    lab.kubectl("patch", "pod", "p", "-n", ns, "--type=merge", "-p", '{"metadata":{"labels":{"m":"1"}}}')
    lab.kubectl("patch", "pod", "p", "-n", ns, "--type=json", "-p", '[{"op":"add","path":"/metadata/labels/j","value":"2"}]')
    lab.kubectl("patch", "pod", "p", "-n", ns, "--type=strategic", "-p", '{"spec":{"containers":[{"name":"main","image":"alpine"}]}}')
    pod = lab.get("pod", "p", ns)
    assert pod["metadata"]["labels"] == {"m": "1", "j": "2"}
    assert len(pod["spec"]["containers"]) == 1 and pod["spec"]["containers"][0]["image"] == "alpine", "a strategic patch merges lists by name"
    failed = lab.kubectl("patch", "pod", "p", "-n", ns, "--type=json", "-p", '[{"op":"test","path":"/metadata/labels/j","value":"3"}]', check=False)
    assert failed.returncode != 0
    lab.kubectl("delete", "pod", "p", "-n", ns, "--grace-period=1")
    shows("json, merge and strategic")


def test_label_annotate_and_edit(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=DEPLOYED)
    lab.kubectl("label", "cm", "c", "-n", ns, "colour=red")
    assert lab.kubectl("label", "cm", "c", "-n", ns, "colour=blue", check=False).returncode != 0
    lab.kubectl("label", "cm", "c", "-n", ns, "colour=blue", "--overwrite")
    lab.kubectl("annotate", "cm", "c", "-n", ns, "why=because")
    meta = lab.get("cm", "c", ns)["metadata"]
    assert meta["labels"]["colour"] == "blue" and meta["annotations"]["why"] == "because"
    lab.kubectl("label", "cm", "c", "-n", ns, "colour-")
    assert "colour" not in lab.get("cm", "c", ns)["metadata"]["labels"]
    edited = subprocess.run(
        [str(lab_kubectl()), "--kubeconfig", str(lab.kubeconfig), "edit", "cm", "c", "-n", ns], text=True, capture_output=True, check=False,
        env=lab.client_environment() | {"KUBE_EDITOR": "sed -i s/'a: \"1\"'/'a: \"edited\"'/"}, stdin=subprocess.DEVNULL)
    assert edited.returncode == 0, edited.stderr
    assert lab.get("cm", "c", ns)["data"]["a"] == "edited"
    shows("label, annotate, edit")


def lab_kubectl():
    from kindlingtest.lab import KUBECTL

    return KUBECTL


def test_wait_for_condition_jsonpath_and_delete(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "sleep 300"))
    lab.wait("pod/p", "condition=Ready", ns)
    gone = lab.start_kubectl("wait", "pod/p", "-n", ns, "--for=delete", "--timeout=60s")
    lab.kubectl("delete", "pod", "p", "-n", ns, "--grace-period=1", "--wait=false")
    assert gone.wait(60) == 0, gone.stdout.read()
    gone.stdout.close()
    shows("wait for Ready and for delete")


def test_describe_and_events(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "echo hi"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    text = lab.kubectl("describe", "pod", "p", "-n", ns).stdout
    for word in ("Status:", "Succeeded", "Exit Code:", "Events:", "Scheduled", "Started"):
        assert word in text, f"{word} is missing:\n{text}"
    events = lab.kubectl("events", "-n", ns, "--for", "pod/p").stdout
    assert "Scheduled" in events and "Started" in events
    assert "cpu" in lab.kubectl("describe", "node").stdout
    shows("describe shows state, exit code and events")


@pytest.mark.parametrize("what", ["pod.spec.containers", "experiment.spec.trialTemplate", "workflow.spec", "notebook.spec.template", "job.spec.backoffLimit",
                                  "experiment.spec.objective.goal"])
def test_explain(lab, what):
    text = lab.kubectl("explain", what).stdout
    assert "KIND:" in text and ("DESCRIPTION:" in text or "FIELDS:" in text or "FIELD:" in text)


def test_watch_shows_changes_as_they_come(lab, ns, shows):
    watch = lab.start_kubectl("get", "cm", "-n", ns, "-w", "--no-headers", "--output-watch-events")
    try:
        lab.kubectl("apply", "-n", ns, "-f", "-", input=DEPLOYED)
        lab.kubectl("label", "cm", "c", "-n", ns, "x=y")
        lab.kubectl("delete", "cm", "c", "-n", ns)
        seen = []
        for line in watch.stdout:
            if line.split()[1:2] == ["c"]:
                seen.append(line.split()[0])
            if seen[-1:] == ["DELETED"]:
                break
        assert seen == ["ADDED", "MODIFIED", "DELETED"]
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()
    shows(" ".join(seen))


def test_generate_name_conflict_generation_and_uid(lab, ns, shows):
    first, second = (lab.kubectl("create", "-n", ns, "-f", "-", "-o", "json", input={
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}).stdout for _ in range(2))
    first, second = json.loads(first), json.loads(second)
    assert first["metadata"]["name"].startswith("made-") and first["metadata"]["name"] != second["metadata"]["name"]
    assert first["metadata"]["uid"] != second["metadata"]["uid"] and first["metadata"]["creationTimestamp"]
    again = lab.kubectl("create", "-n", ns, "-f", "-", input={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": first["metadata"]["name"]}}, check=False)
    assert "AlreadyExists" in again.stderr
    stale = first | {"data": {"x": "1"}}
    lab.kubectl("replace", "-n", ns, "-f", "-", input=stale)
    conflict = lab.kubectl("replace", "-n", ns, "-f", "-", input=stale, check=False)
    assert conflict.returncode != 0 and "the object has been modified" in conflict.stderr
    lab.kubectl("apply", "-n", ns, "-f", "-", input={"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"suspend": True, "template": {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": ["true"]}]}}}})
    assert lab.get("job", "j", ns)["metadata"]["generation"] == 1
    lab.kubectl("label", "job", "j", "-n", ns, "a=b")
    assert lab.get("job", "j", ns)["metadata"]["generation"] == 1, "metadata is no new generation"
    lab.kubectl("patch", "job", "j", "-n", ns, "-p", '{"spec":{"parallelism":2}}')
    assert lab.get("job", "j", ns)["metadata"]["generation"] == 2
    shows(f"{first['metadata']['name']}; stale write refused; generation counts spec changes")


def test_dry_run_and_paging(lab, ns, shows):
    lab.kubectl("apply", "--dry-run=server", "-n", ns, "-f", "-", input=DEPLOYED)
    assert lab.kubectl("get", "cm", "c", "-n", ns, check=False).returncode != 0
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[DEPLOYED | {"metadata": {"name": f"c{i}"}} for i in range(7)])
    page = raw(lab, f"/api/v1/namespaces/{ns}/configmaps?limit=3")
    names = [item["metadata"]["name"] for item in page["items"]]
    while page["metadata"].get("continue"):
        page = raw(lab, f"/api/v1/namespaces/{ns}/configmaps?limit=3&continue={page['metadata']['continue']}")
        names += [item["metadata"]["name"] for item in page["items"]]
    assert [name for name in names if name.startswith("c")] == sorted({f"c{i}" for i in range(7)}) and len(names) == len(set(names))
    shows(f"{len(names)} objects in pages of 3, none twice")


def test_health_and_errors_have_kubernetes_form(lab, shows):
    assert lab.kubectl("get", "--raw", "/readyz").stdout == "ok"
    assert "ok" in lab.kubectl("get", "--raw", "/livez?verbose").stdout
    missing = lab.kubectl("get", "pod", "nobody", check=False)
    assert 'pods "nobody" not found' in missing.stderr and "NotFound" in missing.stderr
    unknown = lab.kubectl("get", "flurbs", check=False)
    assert "the server doesn't have a resource type" in unknown.stderr
    assert "Forbidden" not in lab.kubectl("auth", "can-i", "create", "pods", check=False).stderr
    shows(missing.stderr.strip())


def test_python_client_does_the_same(lab, ns, shows):
    import kubernetes

    with lab.api() as api:
        core = kubernetes.client.CoreV1Api(api)
        made = core.create_namespaced_config_map(ns, kubernetes.client.V1ConfigMap(
            metadata=kubernetes.client.V1ObjectMeta(name="py"), data={"k": "v"}))
        assert made.metadata.uid
        core.patch_namespaced_config_map("py", ns, {"data": {"k": "w"}})
        assert core.read_namespaced_config_map("py", ns).data == {"k": "w"}
        watch = kubernetes.watch.Watch()
        kinds = []
        core.create_namespaced_pod(ns, shell("py", "echo from python"))
        for event in watch.stream(core.list_namespaced_pod, ns, timeout_seconds=60, field_selector="metadata.name=py"):
            kinds.append(event["type"])
            if event["object"].status.phase == "Succeeded":
                watch.stop()
        assert kinds[0] == "ADDED" and "from python" in core.read_namespaced_pod_log("py", ns)
        custom = kubernetes.client.CustomObjectsApi(api)
        assert "items" in custom.list_namespaced_custom_object("kubeflow.org", "v1beta1", ns, "experiments")
        with pytest.raises(kubernetes.client.ApiException) as refused:
            core.create_namespaced_pod(ns, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad_Name"}, "spec": {"containers": []}})
        assert refused.value.status == 422
        dynamic = kubernetes.dynamic.DynamicClient(api)
        assert dynamic.resources.get(api_version="kubeflow.org/v1", kind="Notebook").namespaced
    shows(f"create, patch, watch ({'/'.join(kinds[:4])}), logs, custom objects, dynamic client")


def test_watch_paths_of_old_and_columns_of_scales(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=DEPLOYED)
    for path in (f"/api/v1/watch/namespaces/{ns}/configmaps/c", f"/api/v1/watch/namespaces/{ns}/configmaps"):
        lines = lab.kubectl("get", "--raw", f"{path}?timeoutSeconds=1").stdout.splitlines()
        names = {json.loads(line)["object"]["metadata"].get("name") for line in lines}
        assert "c" in names and all(json.loads(line)["type"] in ("ADDED", "BOOKMARK") for line in lines)
    lab.kubectl("create", "deployment", "d", "-n", ns, "--image=busybox", "--replicas=0")
    rows = lab.kubectl("get", "deploy", "d", "-n", ns, "--subresource=scale").stdout.splitlines()
    assert rows[0].split() == ["NAME", "DESIRED", "AVAILABLE", "AGE"] and rows[1].split()[:3] == ["d", "0", "0"]
    lab.kubectl("scale", "deploy", "d", "-n", ns, "--replicas=0")
    lab.kubectl("patch", "deploy", "d", "-n", ns, "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":1}}')
    managers = json.loads(lab.kubectl("get", "deploy", "d", "-n", ns, "-o", "json", "--show-managed-fields").stdout)["metadata"]["managedFields"]
    assert any(entry.get("subresource") == "scale" and entry["apiVersion"] == "apps/v1" for entry in managers)
    shows("\n".join(rows))

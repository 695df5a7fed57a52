"""What a cluster has beside its workloads: Leases, APIServices, classes of runtimes, roles of controllers."""

import datetime
import json

import pytest
from kindlingtest.manifests import shell
from kubernetes import client, dynamic

pytestmark = pytest.mark.same_for_all


def test_the_node_holds_a_lease(lab, shows):
    node = lab.list("nodes")[0]
    lab.kubectl("wait", f"lease/{node['metadata']['name']}", "-n", "kube-node-lease", "--for=create", "--timeout=10s")
    lease = client.CoordinationV1Api(lab.api()).read_namespaced_lease(node["metadata"]["name"], "kube-node-lease")
    assert lease.spec.holder_identity == node["metadata"]["name"]
    age = datetime.datetime.now(datetime.timezone.utc) - lease.spec.renew_time
    assert age.total_seconds() < lease.spec.lease_duration_seconds, "the lease has run out though the node lives"
    assert lease.metadata.owner_references[0].uid == node["metadata"]["uid"]
    assert all(condition["lastHeartbeatTime"] for condition in node["status"]["conditions"])
    shows(f"renewed {age.total_seconds():.0f} s ago, good for {lease.spec.lease_duration_seconds} s")


def test_every_group_version_has_its_apiservice(lab, ns, shows):
    registration = client.ApiregistrationV1Api(lab.api())
    served = {group.preferred_version.group_version for group in client.ApisApi(lab.api()).get_api_versions().groups}
    found = {f"{item.spec.group}/{item.spec.version}" for item in registration.list_api_service().items}
    assert served - found == {"apiregistration.k8s.io/v1"} and "/v1" in found
    assert lab.kubectl("get", "apiservice", "v1.apps", "--no-headers").stdout.split()[:3] == ["v1.apps", "Local", "True"]
    group = f"{ns}.example.com"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"cups.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "cups", "kind": "Cup"}, "versions": [
            {"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}
    lab.kubectl("apply", "-f", "-", input=definition)
    lab.kubectl("wait", f"apiservice/v1beta1.{group}", "--for=create", "--timeout=10s")
    lab.kubectl("wait", f"apiservice/v1beta1.{group}", "--for=condition=Available", "--timeout=10s")
    lab.kubectl("delete", "crd", f"cups.{group}")
    lab.kubectl("wait", f"apiservice/v1beta1.{group}", "--for=delete", "--timeout=10s")
    foreign = {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"v1.far.{group}"},
        "spec": {"group": f"far.{group}", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 20, "service": {"name": "far", "namespace": ns}}}
    lab.kubectl("apply", "-f", "-", input=foreign)
    lab.kubectl("wait", f"apiservice/v1.far.{group}", "--for=condition=Available=False", "--timeout=10s")
    line = lab.kubectl("get", "apiservice", f"v1.far.{group}", "--no-headers").stdout
    lab.kubectl("delete", "apiservice", f"v1.far.{group}")
    assert f"{ns}/far" in line and "False (ServiceNotFound)" in line
    shows(f"{len(found)} APIServices; one comes and goes with its definition; {line.strip()}")


def test_runtime_classes(lab, ns, shows):
    name = f"{ns}-heavy"
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "runc",
               "overhead": {"podFixed": {"memory": "16Mi"}}}
    unknown = {**runtime, "metadata": {"name": f"{ns}-vm"}, "handler": "kata-qemu"}
    lab.kubectl("apply", "-f", "-", input=[runtime, unknown])
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[shell("p", "true", runtimeClassName=name), shell("q", "true", runtimeClassName=f"{ns}-vm")])
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.get("pod", "p", ns)["spec"]["overhead"] == {"memory": "16Mi"}
    lab.kubectl("wait", "pod/q", "-n", ns, "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ContainerCreating", "--timeout=20s")
    lab.kubectl("wait", "event", "-n", ns, "--field-selector=reason=FailedCreatePodSandBox", "--for=create", "--timeout=20s", check=False)
    events = lab.kubectl("events", "-n", ns, "--for", "pod/q").stdout
    assert 'no runtime for "kata-qemu" is configured' in events
    refused = lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("r", "true", runtimeClassName=f"{ns}-none"), check=False).stderr
    assert f'pod rejected: RuntimeClass "{ns}-none" not found' in refused
    lab.kubectl("delete", "runtimeclass", name, f"{ns}-vm")
    shows("overhead 16Mi; kata-qemu: FailedCreatePodSandBox; an unknown class is refused")


def test_flow_control_objects(lab, shows):
    api = client.FlowcontrolApiserverV1Api(lab.api())
    schemas = {item.metadata.name: item for item in api.list_flow_schema().items}
    levels = {item.metadata.name for item in api.list_priority_level_configuration().items}
    assert {"exempt", "catch-all", "global-default", "system-nodes"} <= set(schemas) and {"exempt", "catch-all", "workload-low"} <= levels
    assert all(item.spec.priority_level_configuration.name in levels for item in schemas.values())
    lines = lab.kubectl("get", "flowschemas", "exempt", "catch-all", "--no-headers").stdout.split("\n")
    assert lines[0].split()[:4] == ["exempt", "exempt", "1", "<none>"] and lines[1].split()[:4] == ["catch-all", "catch-all", "10000", "ByUser"]
    assert lines[0].split()[-1] == "False"
    shows(f"{len(schemas)} schemas, {len(levels)} levels")


def test_component_statuses_can_only_be_looked_at(lab, shows):
    text = lab.kubectl("get", "cs").stdout
    assert all(f"{name}" in text for name in ("scheduler", "controller-manager", "etcd-0")) and text.count("Healthy") == 3
    assert len(client.CoreV1Api(lab.api()).list_component_status().items) == 3
    refused = lab.kubectl("delete", "cs", "scheduler", check=False)
    assert refused.returncode != 0 and "MethodNotAllowed" in refused.stderr or "does not allow this method" in refused.stderr
    kinds = dynamic.DynamicClient(lab.api()).resources.get(api_version="v1", kind="ComponentStatus")
    assert sorted(kinds.verbs) == ["get", "list"]
    shows(refused.stderr.strip())


@pytest.mark.parametrize("account, verb, what, answer", [
    ("replicaset-controller", "create", "pods", "yes"), ("replicaset-controller", "get", "secrets", "no"),
    ("generic-garbage-collector", "delete", "deployments.apps", "yes"), ("job-controller", "update", "jobs.batch/status", "yes"),
])
def test_roles_of_controllers(lab, account, verb, what, answer, shows):
    user = f"system:serviceaccount:kube-system:{account}"
    words = [*what.split("/")[:1], *([f"--subresource={what.split('/')[1]}"] if "/" in what else [])]
    said = lab.kubectl("auth", "can-i", verb, *words, "--as", user, "-A", check=False).stdout.strip()
    assert said == answer
    role = json.loads(lab.kubectl("get", "clusterrolebinding", f"system:controller:{account}", "-o", "json").stdout)
    assert role["roleRef"]["name"] == f"system:controller:{account}" and role["subjects"][0]["name"] == account
    shows(f"{account} {verb} {what}: {said}")


def test_a_scheduler_of_ones_own(lab, ns, shows):
    """A pod of another scheduler waits for it; the Python client binds it, in both of the ways that the API has."""
    core = client.CoreV1Api(lab.api())
    node = lab.list("nodes")[0]["metadata"]["name"]
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[shell("a", "true", schedulerName="mine"), shell("b", "true", schedulerName="mine")])
    assert not lab.get("pod", "a", ns)["spec"].get("nodeName")
    target = client.V1ObjectReference(kind="Node", name=node, api_version="v1")
    core.create_namespaced_pod_binding("a", ns, client.V1Binding(metadata=client.V1ObjectMeta(name="a"), target=target), _preload_content=False)
    core.create_namespaced_binding(ns, client.V1Binding(metadata=client.V1ObjectMeta(name="b"), target=target), _preload_content=False)
    for name in ("a", "b"):
        lab.wait(f"pod/{name}", "jsonpath={.status.phase}=Succeeded", ns)
    with pytest.raises(client.ApiException) as refused:
        core.create_namespaced_pod_binding("a", ns, client.V1Binding(metadata=client.V1ObjectMeta(name="a"), target=target), _preload_content=False)
    assert refused.value.status == 409 and "is already assigned to node" in json.loads(refused.value.body)["message"]
    shows(json.loads(refused.value.body)["message"])

"""What the lab remarks on, as kubectl prints it: a line `Warning: …` for each text, whichever way the object is sent."""

import json

import pytest

pytestmark = pytest.mark.same_for_all

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
    "nodeSelector": {"beta.kubernetes.io/os": "linux"},
    "containers": [{"name": "c", "image": "busybox", "resources": {"requests": {"memory": "67108864500m"}}}]}}
LINES = ['Warning: spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
         'Warning: spec.containers[0].resources.requests[memory]: fractional byte value "67108864500m" is invalid, must be an integer']


@pytest.mark.parametrize("way", [["create", "--dry-run=server"], ["apply", "--dry-run=server"], ["apply", "--server-side", "--dry-run=server"],
                                 ["apply", "--server-side"]], ids=" ".join)
def test_kubectl_prints_warnings_once(lab, ns, way, shows):
    made = lab.kubectl(*way, "-n", ns, "-f", "-", input=POD)
    assert [line for line in made.stderr.splitlines() if line.startswith("Warning")] == LINES, made.stderr
    shows(made.stderr)


def test_a_status_and_a_scale_have_their_own_owners(lab, ns, shows):
    lab.kubectl("create", "deployment", "d", "-n", ns, "--image=busybox", "--replicas=0", "--field-manager=maker")
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d", "namespace": ns}, "spec": {"replicas": 0}}
    path = f"/apis/apps/v1/namespaces/{ns}/deployments/d/scale"
    with lab.api() as api:
        def apply(replicas, force="false"):
            body = scale | {"spec": {"replicas": replicas}}
            return api.call_api(path, "PATCH", query_params=[("fieldManager", "scaler"), ("force", force)], body=body, response_type="object",
                                header_params={"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"},
                                auth_settings=["BearerToken"], _return_http_data_only=True)

        import kubernetes

        with pytest.raises(kubernetes.client.ApiException) as conflict:
            apply(1)
        assert conflict.value.status == 409 and 'conflict with "maker" using autoscaling/v1: .spec.replicas' in json.loads(conflict.value.body)["message"]
        assert apply(1, "true")["spec"]["replicas"] == 1
    managers = json.loads(lab.kubectl("get", "deploy", "d", "-n", ns, "-o", "json", "--show-managed-fields").stdout)["metadata"]["managedFields"]
    owners = [entry["manager"] for entry in managers if "f:replicas" in entry["fieldsV1"].get("f:spec", {})]
    assert owners == ["scaler"]
    shows(conflict.value.body)


def test_a_default_that_came_later_is_seen_and_lost_fields_are_not(lab, ns, shows):
    def definition(fields):
        spec = {"type": "object", "properties": fields}
        return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "sails.sea.example.com"}, "spec": {
            "group": "sea.example.com", "scope": "Namespaced", "names": {"plural": "sails", "kind": "Sail"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}}

    try:
        lab.kubectl("apply", "-f", "-", input=definition({"area": {"type": "integer"}, "mast": {"type": "string"}}))
        sail = {"apiVersion": "sea.example.com/v1", "kind": "Sail", "metadata": {"name": "a"}, "spec": {"area": 3, "mast": "m"}}
        lab.kubectl("apply", "-n", ns, "-f", "-", input=sail)
        lab.kubectl("apply", "-f", "-", input=definition({"area": {"type": "integer"}, "colour": {"type": "string", "default": "white"}}))
        assert lab.get("sail", "a", ns)["spec"] == {"area": 3, "colour": "white"}
        listed = json.loads(lab.kubectl("get", "sails", "-n", ns, "-o", "json").stdout)
        assert listed["items"][0]["spec"] == {"area": 3, "colour": "white"}
        shows(listed["items"][0]["spec"])
    finally:
        lab.kubectl("delete", "crd", "sails.sea.example.com", "--ignore-not-found", "--timeout=30s", check=False)

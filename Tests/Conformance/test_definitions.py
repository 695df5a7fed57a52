"""CustomResourceDefinitions as a user meets them: what is refused when one is made, subresources, selectable fields, and how they go."""

import json

import pytest

pytestmark = pytest.mark.same_for_all


def definition(kind="Glider", properties=None, rules=(), **version):
    plural = f"{kind.lower()}s"
    spec = {"type": "object", "properties": properties or {"wings": {"type": "integer"}, "colour": {"type": "string"}}}
    if rules:
        spec["x-kubernetes-validations"] = list(rules)
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object", "properties": {"wings": {"type": "integer"}, "selector": {"type": "string"}}}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.air.example.com"},
        "spec": {
            "group": "air.example.com", "scope": "Namespaced", "names": {"plural": plural, "kind": kind, "categories": ["aircraft"]},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}} | version]},
    }


@pytest.fixture
def define(lab):
    made = []

    def apply(object):
        made.append(object["metadata"]["name"])
        return lab.kubectl("apply", "-f", "-", input=object)

    yield apply
    for name in made:
        lab.kubectl("delete", "crd", name, "--ignore-not-found", "--timeout=30s", check=False)


def glider(name, finalizers=(), **spec):
    return {"apiVersion": "air.example.com/v1", "kind": "Glider", "metadata": {"name": name, "finalizers": list(finalizers)}, "spec": spec}


def test_a_broken_definition_is_refused(lab, shows):
    broken = lab.kubectl("create", "-f", "-", input=definition(rules=[{"rule": "self.wheels > 2"}]), check=False)
    place = "spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule"
    assert f"{place}: Invalid value" in broken.stderr and "undefined field 'wheels'" in broken.stderr, broken.stderr
    loose = lab.kubectl("create", "-f", "-", input=definition(properties={"wings": {"description": "no type"}}), check=False)
    assert "properties[spec].properties[wings].type: Required value: must not be empty for specified object fields" in loose.stderr, loose.stderr
    shows(place)


def test_subresources_fields_and_categories(lab, ns, define, shows):
    scale = {"specReplicasPath": ".spec.wings", "statusReplicasPath": ".status.wings", "labelSelectorPath": ".status.selector"}
    define(definition(subresources={"status": {}, "scale": scale}, selectableFields=[{"jsonPath": ".spec.colour"}]))
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[glider("a", wings=2, colour="red"), glider("b", wings=4, colour="blue")])
    assert lab.kubectl("get", "gliders", "-n", ns, "-o", "name", "--field-selector", "spec.colour=blue").stdout.split() == ["glider.air.example.com/b"]
    assert "glider.air.example.com/a" in lab.kubectl("get", "aircraft", "-n", ns, "-o", "name").stdout
    lab.kubectl("scale", "glider", "a", "-n", ns, "--replicas=3")
    lab.kubectl("patch", "glider", "a", "-n", ns, "--subresource=status", "--type=merge", "-p", '{"status":{"wings":1,"selector":"x=y"}}')
    assert lab.get("glider", "a", ns)["spec"] == {"wings": 3, "colour": "red"}
    seen = json.loads(lab.kubectl("get", "--raw", f"/apis/air.example.com/v1/namespaces/{ns}/gliders/a/scale").stdout)
    assert seen["spec"] == {"replicas": 3} and seen["status"] == {"replicas": 1, "selector": "x=y"}
    shows("scale by its own paths, selected by its own field")


def test_a_definition_goes_after_its_objects(lab, ns, define, shows):
    define(definition())
    lab.kubectl("create", "-n", ns, "-f", "-", input=[glider("free"), glider("held", ["example.com/hold"])])
    lab.kubectl("delete", "crd", "gliders.air.example.com", "--wait=false")
    lab.kubectl("wait", "-n", ns, "glider/free", "--for=delete", "--timeout=30s")
    terminating = json.loads(lab.kubectl("get", "crd", "gliders.air.example.com", "-o", "json").stdout)
    assert "customresourcecleanup.apiextensions.k8s.io" in terminating["metadata"]["finalizers"]
    lab.kubectl("wait", "crd/gliders.air.example.com", "--for=condition=Terminating", "--timeout=30s")
    refused = lab.kubectl("create", "-n", ns, "-f", "-", input=glider("late"), check=False)
    assert "create not allowed while custom resource definition is terminating" in refused.stderr, refused.stderr
    lab.kubectl("patch", "glider", "held", "-n", ns, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    lab.kubectl("wait", "crd/gliders.air.example.com", "--for=delete", "--timeout=30s")
    shows("its last object's finalizer held it")

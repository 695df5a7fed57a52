"""Conversion webhooks of CustomResourceDefinitions: a real HTTPS server turns one version into another, kubectl and the Python client look."""

import json

import pytest
from kubernetes import client, watch
from test_webhooks import Webhook

pytestmark = pytest.mark.same_for_all

GROUP = "sea.example.com"


@pytest.fixture
def ropes(lab, tmp_path):
    """Ropes: v1 has spec.size and is stored, v2 has spec.length and spec.unit."""
    webhook = Webhook(tmp_path)
    made = []

    def convert(request):
        version = request["desiredAPIVersion"]
        objects = []
        for given in request["objects"]:
            spec = given["spec"]
            changed = {"length": spec["size"], "unit": "m"} if version.endswith("v2") else {"size": spec["length"]}
            objects.append({**given, "apiVersion": version, "spec": changed})
        return {"result": {"status": "Success"}, "convertedObjects": objects}

    def schema(**fields):
        return {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}}

    def define(plural):
        made.append(f"{plural}.{GROUP}")
        lab.kubectl("apply", "-f", "-", input={
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{GROUP}"},
            "spec": {
                "group": GROUP, "scope": "Namespaced", "names": {"plural": plural, "kind": plural[:-1].capitalize()},
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": schema(size={"type": "integer"})},
                    {"name": "v2", "served": True, "storage": False, "schema": schema(length={"type": "integer"}, unit={"type": "string"}),
                     "additionalPrinterColumns": [{"name": "Length", "type": "integer", "jsonPath": ".spec.length"}]}],
                "conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": webhook.client}}}})
        lab.kubectl("wait", f"crd/{plural}.{GROUP}", "--for=condition=Established")

    webhook.answer = convert
    webhook.define = define
    yield webhook
    for name in made:
        lab.kubectl("delete", "crd", name, "--timeout=30s", check=False)
    webhook.close()


def raw(lab, ns, plural, version, name=""):
    return json.loads(lab.kubectl("get", "--raw", f"/apis/{GROUP}/{version}/namespaces/{ns}/{plural}" + (f"/{name}" if name else "")).stdout)


def test_versions_are_brought_over(lab, ns, ropes, shows):
    ropes.define("ropes")
    lab.kubectl("apply", "-n", ns, "-f", "-", input={"apiVersion": f"{GROUP}/v2", "kind": "Rope", "metadata": {"name": "a"}, "spec": {"length": 5, "unit": "m"}})
    lab.kubectl("apply", "-n", ns, "-f", "-", input={"apiVersion": f"{GROUP}/v1", "kind": "Rope", "metadata": {"name": "b"}, "spec": {"size": 7}})
    assert raw(lab, ns, "ropes", "v1", "a")["spec"] == {"size": 5} and raw(lab, ns, "ropes", "v2", "a")["spec"] == {"length": 5, "unit": "m"}
    ropes.requests.clear()
    assert [item["spec"]["length"] for item in raw(lab, ns, "ropes", "v2")["items"]] == [5, 7]
    assert [len(request["objects"]) for request in ropes.requests] == [2], "a list is one question"
    rows = lab.kubectl("get", f"ropes.v2.{GROUP}", "-n", ns, "--no-headers").stdout.split("\n")
    assert rows[0].split()[:2] == ["a", "5"]
    lab.kubectl("patch", f"ropes.v2.{GROUP}", "b", "-n", ns, "--type=merge", "-p", '{"spec":{"length":9}}')
    assert raw(lab, ns, "ropes", "v1", "b")["spec"] == {"size": 9}
    api = client.CustomObjectsApi(lab.api())
    version = raw(lab, ns, "ropes", "v2")["metadata"]["resourceVersion"]
    lab.kubectl("patch", f"ropes.v1.{GROUP}", "b", "-n", ns, "--type=merge", "-p", '{"spec":{"size":11}}')
    for event in watch.Watch().stream(api.list_namespaced_custom_object, GROUP, "v2", ns, "ropes", resource_version=version, timeout_seconds=10):
        assert event["type"] == "MODIFIED" and event["object"]["spec"] == {"length": 11, "unit": "m"}
        break
    shows("written as v2, stored as v1, listed with one question, patched and watched as v2")


def test_without_an_answer_there_is_no_object(lab, ns, ropes, shows):
    ropes.define("cords")
    lab.kubectl("apply", "-n", ns, "-f", "-", input={"apiVersion": f"{GROUP}/v1", "kind": "Cord", "metadata": {"name": "a"}, "spec": {"size": 7}})
    ropes.answer = lambda request: {"result": {"status": "Failed", "message": "only knots here"}}
    said = lab.kubectl("get", f"cords.v2.{GROUP}", "a", "-n", ns, check=False).stderr
    assert f"conversion webhook for {GROUP}/v1, Kind=Cord failed: only knots here" in said
    new = {"apiVersion": f"{GROUP}/v2", "kind": "Cord", "metadata": {"name": "new"}, "spec": {"length": 7}}
    refused = lab.kubectl("create", "-n", ns, "-f", "-", input=new, check=False)
    assert f"conversion webhook for {GROUP}/v2, Kind=Cord failed: only knots here" in refused.stderr
    # The stored version needs nobody, and the lab goes on.
    assert [item["metadata"]["name"] for item in raw(lab, ns, "cords", "v1")["items"]] == ["a"]
    ropes.close()
    gone = lab.kubectl("get", f"cords.v2.{GROUP}", "a", "-n", ns, check=False).stderr
    assert "/review?timeout=30s" in gone and "connection refused" in gone
    shows(gone.strip())

"""The OpenAPI documents beside upstream's: the same paths, names of operations, kinds and definitions but for what is listed here with its reason.

openapi.txt holds upstream's side as names only: `python3 Tests/Conformance/test_openapi.py SWAGGER.json > Tests/Conformance/openapi.txt`."""

import json
import pathlib
import re
import sys
import pytest

pytestmark = pytest.mark.same_for_all

FACTS = pathlib.Path(__file__).with_name("openapi.txt")
# What upstream's document has and ours has not: names of paths and definitions (whole), and why.
LEFT_OUT = [
    (r"/apis/(admissionregistration|certificates|coordination|networking|resource|scheduling|storage)\.k8s\.io/v\d(alpha|beta)\d+(/.*)?",
     "versions that upstream turns off unless asked for"),
    (r"io\.k8s\.api\.(admissionregistration|certificates|coordination|networking|resource|scheduling|storage)\.v\d(alpha|beta)\d+\..*", "their schemas"),
    (r"/apis/(internal\.apiserver|storagemigration)\.k8s\.io(/.*)?|io\.k8s\.api\.(apiserverinternal|storagemigration)\..*",
     "about several API servers and re-encoding of etcd: there is one server, which stores one version"),
    (r"/apis/resource\.k8s\.io(/v1(/.*)?)?|io\.k8s\.api\.resource\.v1\..*", "dynamic resource allocation: devices are extended resources here"),
    (r".*/(watch/)?mutatingadmissionpolic(y|ies|ybindings)(/.*)?|io\.k8s\.api\.admissionregistration\.v1\.(Mutating.*|Mutation|JSONPatch|ApplyConfiguration)",
     "mutating policies: newer than the version that is followed"),
    (r".*/(watch/)?(ipaddresses|servicecidrs)(/.*)?|io\.k8s\.api\.networking\.v1\.(IPAddress|ServiceCIDR|ParentReference).*",
     "one range of service addresses, set at the start"),
    (r"/api/v1/nodes/\{name\}/proxy(/\{path\})?", "the node has no kubelet's server apart"),
    (r"/api/v1/namespaces/\{namespace\}/pods/\{name\}/resize", "containers are not resized in place"),
    (r"/logs(/\{logpath\})?", "files of the machine are nobody's business over the API"),
    (r"io\.k8s\.apimachinery\.pkg\.apis\.meta\.v1\.(FieldSelectorRequirement|GroupResource)", "spoken by kinds left out above only"),
]


def facts(swagger):
    """Lines `path method operation action group/version/kind` and `definition NAME`; `-` for what is not said."""
    for path, item in swagger["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                kind = operation.get("x-kubernetes-group-version-kind", {})
                kind = "/".join(kind[part] for part in ("group", "version", "kind")) if kind else "-"
                yield f"{path.rstrip('/')} {method} {operation['operationId']} {operation.get('x-kubernetes-action', '-')} {kind}"
    for name in swagger["definitions"]:
        yield f"definition {name}"


def name_of(line):
    return line.split(" ")[1] if line.startswith("definition ") else line.split(" ")[0]


def test_the_document_is_upstreams(lab, shows):
    api = lab.api()

    def raw(path):
        return api.call_api(path, "GET", response_type="object", auth_settings=["BearerToken"], _return_http_data_only=True)

    v2 = raw("/openapi/v2")
    ours, theirs = set(facts(v2)), set(FACTS.read_text().splitlines())
    missing = theirs - ours
    reasons = {reason: [line for line in missing if re.fullmatch(pattern, name_of(line))] for pattern, reason in LEFT_OUT}
    told = {line for lines in reasons.values() for line in lines}
    assert not missing - told, "missing without a reason:\n" + "\n".join(sorted(missing - told))
    for reason, lines in reasons.items():
        assert lines, f"nothing is left out any more because of: {reason}"
        print(f"{reason}:", *sorted({name_of(line) for line in lines}), sep="\n    ")
    # Version 3 says the same, in parts.
    parts = [raw(where["serverRelativeURL"]) for where in raw("/openapi/v3")["paths"].values()]
    whole = {"paths": {}, "definitions": {}}
    for part in parts:
        whole["paths"] |= part["paths"]
        whole["definitions"] |= part["components"]["schemas"]
    assert set(facts(whole)) == ours
    known = {name_of(line) for line in theirs}
    assert not [line for line in ours - theirs if name_of(line) in known], "operations that upstream does not have"
    names = [operation["operationId"] for item in v2["paths"].values() for method, operation in item.items() if method != "parameters"]
    assert len(names) == len(set(names))
    for name in ("authentication.v1.TokenReview", "authorization.v1.SubjectAccessReview", "autoscaling.v1.Scale", "policy.v1.Eviction",
                 "authentication.v1.TokenRequest"):
        assert v2["definitions"][f"io.k8s.api.{name}"]["x-kubernetes-group-version-kind"][0]["kind"] == name.rsplit(".", 1)[1]
    shows(f"{len(theirs - missing)} of upstream's {len(theirs)} names, {len(missing)} left out for {len(reasons)} reasons; {len(ours - theirs)} of our own")


def test_kinds_that_are_only_spoken_are_known_to_clients(lab, ns, shows):
    import kubernetes

    assert "<[]ContainerMetrics>" in lab.kubectl("explain", "podmetrics").stdout
    assert "resourceAttributes" in lab.kubectl("explain", "subjectaccessreviews.spec").stdout
    assert "audiences" in lab.kubectl("explain", "tokenreviews.spec").stdout
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {
        "resourceAttributes": {"namespace": ns, "verb": "get", "resource": "pods"}}}
    made = lab.kubectl("create", "-f", "-", "--validate=strict", "-o", "jsonpath={.status.allowed}", input=review)
    assert made.stdout == "true"
    # What cannot be patched is checked by kubectl itself, against the document.
    odd = review | {"spec": review["spec"] | {"nothing": 1}}
    wrong = lab.kubectl("create", "-f", "-", "--validate=strict", input=odd, check=False)
    assert 'unknown field "nothing" in io.k8s.api.authorization.v1.SelfSubjectAccessReviewSpec' in wrong.stderr
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    refused = lab.kubectl("create", "--raw", f"{path}?fieldValidation=Strict", "-f", "-", input=odd, check=False)
    assert 'strict decoding error: unknown field "spec.nothing"' in refused.stderr
    assert 'unknown field "spec.nothing"' in lab.kubectl("create", "--raw", path, "-f", "-", input=odd).stderr
    token = lab.kubectl("create", "token", "default", "-n", ns, "--duration=20m").stdout.strip()
    client = kubernetes.dynamic.DynamicClient(lab.api())
    reviews = client.resources.get(api_version="authentication.k8s.io/v1", kind="TokenReview")
    assert reviews.create(body={"spec": {"token": token}}).status.user.username == f"system:serviceaccount:{ns}:default"
    pods = client.resources.get(api_version="metrics.k8s.io/v1beta1", kind="PodMetrics")
    assert pods.get(namespace=ns).kind == "PodMetricsList"
    lab.kubectl("create", "deployment", "d", "--image=busybox", "--replicas=0", "-n", ns)
    scale = client.resources.get(api_version="apps/v1", kind="Deployment").subresources["scale"]
    assert scale.get(name="d", namespace=ns).kind == "Scale"
    shows(wrong.stderr.strip())


if __name__ == "__main__":
    print("\n".join(sorted(facts(json.loads(pathlib.Path(sys.argv[1]).read_text())))))

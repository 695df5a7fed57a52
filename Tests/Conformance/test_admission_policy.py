"""ValidatingAdmissionPolicies, as the examples of upstream's documentation have them."""

import json

import pytest

pytestmark = pytest.mark.same_for_all


def policy(name, spec, group="apps", resources=("deployments",)):
    rules = [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": list(resources)}]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}} | spec}


def binding(name, policy, ns, actions=("Deny",), **spec):
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {
            "policyName": policy, "validationActions": list(actions),
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}}}} | spec}


def deployment(replicas, name="nginx"):
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "busybox", "command": ["true"]}], "nodeSelector": {"none": "such"}}}}}


@pytest.fixture
def names(lab, ns):
    """Applies policies and bindings under names of the case; they go with it."""
    made = []

    def apply(*objects):
        for object in objects:
            made.append((object["kind"], object["metadata"]["name"]))
        return lab.kubectl("apply", "-f", "-", input=list(objects))

    yield apply
    for kind, name in reversed(made):
        lab.kubectl("delete", kind, name, "--ignore-not-found", check=False)


def test_replicas_are_limited_by_a_policy(lab, ns, names, shows):
    name = f"{ns}.example.com"
    names(policy(name, {"validations": [{"expression": "object.spec.replicas <= 5"}]}), binding(f"{ns}-b", name, ns))
    lab.kubectl("create", "-n", ns, "-f", "-", input=deployment(5))
    refused = lab.kubectl("create", "-n", ns, "-f", "-", input=deployment(6, "more"), check=False)
    words = f"ValidatingAdmissionPolicy '{name}' with binding '{ns}-b' denied request: failed expression: object.spec.replicas <= 5"
    # As kubectl prints what the documentation shows: of an Invalid status the causes.
    assert f'The deployments "more" is invalid: : {words}' in refused.stderr, refused.stderr
    scaled = lab.kubectl("patch", "deployment", "nginx", "-n", ns, "--type=merge", "-p", '{"spec":{"replicas":7}}', check=False)
    assert words in scaled.stderr
    shows(words)


def test_parameters_messages_and_warnings(lab, ns, names, shows):
    name = f"{ns}.example.com"
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "variables": [{"name": "most", "expression": "int(params.data.maxReplicas)"}],
        "validations": [{
            "expression": "object.spec.replicas <= variables.most", "reason": "Invalid",
            "messageExpression": "'replicas must be no greater than ' + string(variables.most)"}],
    }
    reference = {"name": "limit", "namespace": ns, "parameterNotFoundAction": "Deny"}
    lab.kubectl("create", "configmap", "limit", "-n", ns, "--from-literal=maxReplicas=3")
    names(policy(name, spec), binding(f"{ns}-warn", name, ns, ("Warn", "Audit"), paramRef=reference))
    warned = lab.kubectl("create", "-n", ns, "-f", "-", input=deployment(4))
    assert f"Warning: Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{ns}-warn': replicas must be no greater than 3" in warned.stderr
    names(binding(f"{ns}-deny", name, ns, paramRef=reference))
    refused = lab.kubectl("create", "-n", ns, "-f", "-", input=deployment(4, "more"), check=False)
    assert "denied request: replicas must be no greater than 3" in refused.stderr
    lab.kubectl("patch", "configmap", "limit", "-n", ns, "--type=merge", "-p", '{"data":{"maxReplicas":"9"}}')
    lab.kubectl("create", "-n", ns, "-f", "-", input=deployment(4, "more"))
    shows("params, variables, messageExpression, Warn and Deny")


def test_what_cannot_be_evaluated_is_refused_or_reported(lab, ns, names, shows):
    name = f"{ns}.example.com"
    broken = lab.kubectl("create", "-f", "-", input=policy(name, {"validations": [{"expression": "object.spec.replicas <="}]}), check=False)
    assert "spec.validations[0].expression: Invalid value" in broken.stderr and "compilation failed: ERROR: <input>:1:" in broken.stderr, broken.stderr
    names(policy(name, {"validations": [{"expression": "object.replicas > 1"}]}))
    status = json.loads(lab.kubectl("get", "validatingadmissionpolicy", name, "-o", "json").stdout)["status"]
    assert status["observedGeneration"] == 1
    warning = status["typeChecking"]["expressionWarnings"][0]
    assert warning["fieldRef"] == "spec.validations[0].expression" and "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'" in warning["warning"]
    shows(warning["warning"])


def test_expressions_ask_what_somebody_may_do(lab, ns, names, shows):
    name = f"{ns}.example.com"
    asked = f"authorizer.serviceAccount('{ns}', object.metadata.annotations['for']).group('').resource('secrets').namespace('{ns}').check('get').allowed()"
    spec = {"matchConditions": [{"name": "mine", "expression": f"authorizer.requestResource.check('create').allowed() && request.namespace == '{ns}'"}],
            "validations": [{"expression": asked, "messageExpression": "'it may not read secrets: ' + object.metadata.annotations['for']"}]}
    names(policy(name, spec, group="", resources=["configmaps"]), binding(f"{ns}-b", name, ns))
    lab.kubectl("create", "serviceaccount", "reader", "-n", ns)
    lab.kubectl("create", "role", "reader", "-n", ns, "--verb=get", "--resource=secrets")
    lab.kubectl("create", "rolebinding", "reader", "-n", ns, "--role=reader", f"--serviceaccount={ns}:reader")
    object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "annotations": {"for": "default"}}}
    refused = lab.kubectl("create", "-n", ns, "-f", "-", input=object, check=False)
    assert "denied request: it may not read secrets: default" in refused.stderr, refused.stderr
    lab.kubectl("create", "-n", ns, "-f", "-", input=object | {"metadata": {"name": "c", "annotations": {"for": "reader"}}})
    shows(refused.stderr)

"""Points 7 and 8 of the API: who may do what, and clients inside pods."""

import base64
import ctypes
import json
import os
import pathlib
import secrets
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request

import kubernetes
import pytest
import yaml
from kindlingtest.lab import KUBECTL
from kindlingtest.manifests import pod

pytestmark = pytest.mark.same_for_all

GROUP = "rbac.authorization.k8s.io"


def bcrypt(secret):
    """The hash that `htpasswd -nB` would give."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(secret.encode(), b"$2b$05$" + secrets.token_hex(11).encode()).decode()


class Someone:
    """kubectl and API under a bearer token of one's own."""

    def __init__(self, lab, token, name):
        config = yaml.safe_load(lab.kubeconfig.read_text())
        config["users"] = [{"name": "someone", "user": {"token": token}}]
        config["contexts"][0]["context"]["user"] = "someone"
        self.lab = lab
        self.path = lab.directory / f"kubeconfig-{name}"
        self.path.write_text(yaml.safe_dump(config))

    def kubectl(self, *words, input=None):
        return subprocess.run(
            [str(KUBECTL), "--kubeconfig", str(self.path), *map(str, words)], capture_output=True, text=True, timeout=60,
            input=None if input is None else json.dumps(input), env=self.lab.client_environment(), check=False)

    def api(self):
        return kubernetes.config.new_client_from_config(config_file=str(self.path))


def role(name, *rules):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": {"name": name}, "rules": list(rules)}


def rule(resources, verbs, group=""):
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def bind(lab, ns, kind, name, account):
    lab.kubectl("create", "rolebinding", f"{name}-{account}", "-n", ns, f"--{kind}={name}", f"--serviceaccount={ns}:{account}")


@pytest.fixture
def reader(lab, ns):
    """A service account that may read pods and configmaps of its namespace."""
    lab.kubectl("create", "serviceaccount", "reader", "-n", ns)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=role("reader", rule(["pods", "pods/log", "configmaps"], ["get", "list", "watch"])))
    bind(lab, ns, "role", "reader", "reader")
    token = lab.kubectl("create", "token", "reader", "-n", ns).stdout.strip()
    return Someone(lab, token, ns)


def test_a_service_accounts_token_has_its_accounts_rights(lab, ns, reader, shows):
    lab.kubectl("create", "configmap", "a", "-n", ns, "--from-literal=k=v")
    assert reader.kubectl("get", "configmap", "a", "-n", ns, "-o", "jsonpath={.data.k}").stdout == "v"
    for words, message in [
        (("delete", "configmap", "a", "-n", ns), f'configmaps "a" is forbidden: User "system:serviceaccount:{ns}:reader" cannot delete resource "configmaps" in API group "" in the namespace "{ns}"'),
        (("get", "secrets", "-n", ns), f'secrets is forbidden: User "system:serviceaccount:{ns}:reader" cannot list resource "secrets" in API group "" in the namespace "{ns}"'),
        (("get", "nodes"), f'nodes is forbidden: User "system:serviceaccount:{ns}:reader" cannot list resource "nodes" in API group "" at the cluster scope'),
        (("get", "pods", "-n", "kube-system"), 'in the namespace "kube-system"'),
    ]:
        refused = reader.kubectl(*words)
        assert refused.returncode == 1 and message in refused.stderr, refused.stderr
    assert lab.get("configmap", "a", ns)["data"] == {"k": "v"}
    core = kubernetes.client.CoreV1Api(reader.api())
    assert [m.metadata.name for m in core.list_namespaced_config_map(ns).items if m.metadata.name == "a"] == ["a"]
    with pytest.raises(kubernetes.client.ApiException) as refusal:
        core.delete_namespaced_config_map("a", ns)
    body = json.loads(refusal.value.body)
    assert refusal.value.status == 403 and body["reason"] == "Forbidden" and body["details"] == {"name": "a", "kind": "configmaps"}
    # What is taken away is gone at once.
    lab.kubectl("delete", "rolebinding", "reader-reader", "-n", ns)
    assert reader.kubectl("get", "configmap", "a", "-n", ns).returncode == 1
    shows("get allowed, delete, secrets, nodes and other namespaces refused in upstream's words")


def test_whoami_and_can_i(lab, ns, reader, shows):
    who = json.loads(reader.kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert who["username"] == f"system:serviceaccount:{ns}:reader"
    assert set(who["groups"]) == {"system:serviceaccounts", f"system:serviceaccounts:{ns}", "system:authenticated"}
    assert who["uid"] == lab.get("serviceaccount", "reader", ns)["metadata"]["uid"]
    assert "authentication.kubernetes.io/credential-id" in who["extra"]
    assert reader.kubectl("auth", "can-i", "list", "pods", "-n", ns).stdout.strip() == "yes"
    assert reader.kubectl("auth", "can-i", "delete", "pods", "-n", ns).stdout.strip() == "no"
    assert lab.kubectl("auth", "can-i", "*", "*").stdout.strip() == "yes"
    listed = reader.kubectl("auth", "can-i", "--list", "-n", ns).stdout
    assert any(line.split()[0] == "pods/log" and "[get list watch]" in line for line in listed.splitlines()), listed
    assert "selfsubjectaccessreviews.authorization.k8s.io" in listed and "/apis/*" in listed
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": "nobody", "groups": [f"system:serviceaccounts:{ns}"], "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": ns}}}
    answer = json.loads(lab.kubectl("create", "-o", "json", "-f", "-", input=review).stdout)
    assert answer["status"]["allowed"] is False
    shows("whoami, can-i and its list")


def test_impersonation(lab, ns, reader):
    who = lab.kubectl("auth", "whoami", "-o", "json", "--as", "bob", "--as-group", "dev", "--as-uid", "u7")
    info = json.loads(who.stdout)["status"]["userInfo"]
    assert info["username"] == "bob" and info["groups"] == ["dev", "system:authenticated"] and info["uid"] == "u7"
    account = f"system:serviceaccount:{ns}:reader"
    assert lab.kubectl("get", "configmaps", "-n", ns, "--as", account).returncode == 0
    refused = lab.kubectl("get", "secrets", "-n", ns, "--as", account, check=False)
    assert f'User "{account}" cannot list resource "secrets"' in refused.stderr
    refused = reader.kubectl("get", "pods", "-n", ns, "--as", "kubernetes-admin", "--as-group", "system:masters")
    assert refused.returncode == 1 and "cannot impersonate resource" in refused.stderr


def test_nobody_grants_what_they_do_not_hold(lab, ns, shows):
    lab.kubectl("create", "serviceaccount", "boss", "-n", ns)
    bind(lab, ns, "clusterrole", "admin", "boss")
    boss = Someone(lab, lab.kubectl("create", "token", "boss", "-n", ns).stdout.strip(), ns)
    assert boss.kubectl("apply", "-n", ns, "-f", "-", input=role("fine", rule(["pods"], ["get"]))).returncode == 0
    refused = boss.kubectl("apply", "-n", ns, "-f", "-", input=role("more", rule(["nodes"], ["get"])))
    assert refused.returncode == 1
    assert "is attempting to grant RBAC permissions not currently held:" in refused.stderr
    assert '{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}' in refused.stderr
    widened = boss.kubectl("patch", "role", "fine", "-n", ns, "--type=merge", "-p", json.dumps({"rules": [rule(["*"], ["*"], "*")]}))
    assert widened.returncode == 1 and "not currently held" in widened.stderr
    assert lab.get("role", "fine", ns)["rules"][0]["resources"] == ["pods"]
    assert boss.kubectl("create", "rolebinding", "v", "-n", ns, "--clusterrole=view", "--user=x").returncode == 0
    refused = boss.kubectl("create", "rolebinding", "c", "-n", ns, "--clusterrole=cluster-admin", "--user=x")
    assert refused.returncode == 1 and "not currently held" in refused.stderr
    # The verbs `escalate` and `bind` lift it.
    lab.kubectl("apply", "-n", ns, "-f", "-", input=role("lifted", rule(["roles"], ["escalate"], GROUP), rule(["clusterroles"], ["bind"], GROUP)))
    bind(lab, ns, "role", "lifted", "boss")
    assert boss.kubectl("apply", "-n", ns, "-f", "-", input=role("more", rule(["nodes"], ["get"]))).returncode == 0
    assert boss.kubectl("create", "rolebinding", "c", "-n", ns, "--clusterrole=cluster-admin", "--user=x").returncode == 0
    shows(refused.stderr.strip().splitlines()[0][:120])


def test_streams_ask_for_the_verb_of_their_method(lab, ns, shows):
    """kubectl's WebSockets begin with a GET, SPDY with a POST: `get` and `create` on pods/exec are two rights, as upstream's 1.32."""
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("target", "sleep", "300", image="busybox", terminationGracePeriodSeconds=0))
    lab.kubectl("create", "serviceaccount", "runner", "-n", ns)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=role("runner", rule(["pods"], ["get"]), rule(["pods/exec"], ["get"])))
    bind(lab, ns, "role", "runner", "runner")
    runner = Someone(lab, lab.kubectl("create", "token", "runner", "-n", ns).stdout.strip(), ns)
    lab.wait("pod/target", "condition=Ready", ns)
    ran = runner.kubectl("exec", "target", "-n", ns, "--", "echo", "hello")
    assert ran.stdout == "hello\n", ran.stderr
    refused = runner.kubectl("attach", "target", "-n", ns)
    assert refused.returncode == 1 and 'resource "pods/attach"' in refused.stderr, refused.stderr
    refused = runner.kubectl("port-forward", "pod/target", "-n", ns, ":80")
    assert refused.returncode == 1 and 'resource "pods/portforward"' in refused.stderr, refused.stderr
    refused = runner.kubectl("get", "--raw", f"/api/v1/namespaces/{ns}/pods/http:target:80/proxy/")
    assert refused.returncode == 1 and 'pods "http:target:80" is forbidden' in refused.stderr, refused.stderr
    refused = runner.kubectl("logs", "target", "-n", ns)
    assert refused.returncode == 1 and 'cannot get resource "pods/log"' in refused.stderr, refused.stderr
    refused = runner.kubectl("debug", "target", "-n", ns, "--image=busybox", "--target=target")
    assert refused.returncode == 1 and "pods/ephemeralcontainers" in refused.stderr, refused.stderr
    shows("exec with get on pods/exec; attach, port-forward, proxy, logs and debug refused")


def test_controllers_are_no_way_around(lab, ns, shows):
    """What the lab makes for somebody is not more than they could ask it to run."""
    lab.kubectl("create", "serviceaccount", "student", "-n", ns)
    bind(lab, ns, "clusterrole", "kubeflow-edit", "student")
    student = Someone(lab, lab.kubectl("create", "token", "student", "-n", ns).stdout.strip(), ns)
    subject = [{"kind": "ServiceAccount", "name": "student", "namespace": ns}]
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"}
    for name, run in {
        "binding": {"apiVersion": f"{GROUP}/v1", "kind": "RoleBinding", "metadata": {"name": "binding", "namespace": ns}, "roleRef": reference, "subjects": subject},
        "everywhere": {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "everywhere"}, "roleRef": reference, "subjects": subject},
        "elsewhere": {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "elsewhere", "namespace": "kube-system"},
            "spec": {"containers": [{"name": "c", "image": "busybox"}]}},
    }.items():
        trial = {
            "apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "metadata": {"name": name},
            "spec": {
                "objective": {"type": "maximize", "objectiveMetricName": "x"}, "parameterAssignments": [], "runSpec": run, "primaryContainerName": "c",
                "metricsCollector": {"collector": {"kind": "StdOut"}}, "successCondition": "x", "failureCondition": "y"}}
        made = student.kubectl("create", "-n", ns, "-f", "-", input=trial)
        assert made.returncode == 0, made.stderr
        lab.wait(f"trial/{name}", "jsonpath={.status.conditions[-1].message}", ns)
        assert lab.kubectl("get", run["kind"].lower(), name, *(["-n", run["metadata"]["namespace"]] if "namespace" in run["metadata"] else []), check=False).returncode == 1
    assert student.kubectl("auth", "can-i", "*", "*", "-n", ns).stdout.strip() == "no"
    messages = [t["status"]["conditions"][-1]["message"] for t in json.loads(lab.kubectl("get", "trials", "-n", ns, "-o", "json").stdout)["items"]]
    shows(messages[0])


def test_secrets_stay_out_of_errors_and_logs(lab, ns):
    hidden = "c3dvcmRmaXNo-" + secrets.token_hex(8)
    said = []

    def try_it(*words, input):
        answer = lab.kubectl(*words, "-n", ns, "-f", "-", input=input, check=False)
        assert answer.returncode == 1, answer.stdout
        said.append(answer.stderr)

    def secret(name, **fields):
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **fields}

    value = base64.b64encode(hidden.encode()).decode()
    lab.kubectl("create", "-n", ns, "-f", "-", input=secret("kept", immutable=True, stringData={"k": hidden}, type="Opaque"))
    try_it("create", "--validate=false", input=secret("bad", data={"k": hidden}))
    try_it("create", "--validate=false", input=secret("bad", data={"k": [hidden]}))
    try_it("create", "--validate=false", input=secret("bad", stringData={"k": {"deep": hidden}}))
    try_it("create", "--validate=false", input=secret("bad", data=hidden))
    try_it("create", input=secret("bad", data={"a/b": value}))
    try_it("create", input=secret("bad", type="kubernetes.io/service-account-token", data={"token": value}))
    try_it("replace", input=secret("kept", immutable=True, stringData={"k": "other-" + hidden}, type="Opaque"))
    for patch in ([{"op": "test", "path": "/data/k", "value": hidden}], [{"op": "replace", "path": "/data/k", "value": {"x": hidden}}]):
        answer = lab.kubectl("patch", "secret", "kept", "-n", ns, "--type=json", "-p", json.dumps(patch), check=False)
        assert answer.returncode == 1
        said.append(answer.stderr)
    applied = lab.kubectl(
        "apply", "--server-side", "--field-manager=other", "-n", ns, "-f", "-", input=secret("kept", data={"k": base64.b64encode(b"x").decode()}), check=False)
    assert applied.returncode == 1
    said.append(applied.stderr)
    for text in [*said, lab.log()]:
        # kubectl tells whose manifest it was: only what the server says counts.
        assert hidden not in text and value not in text and base64.b64encode(("other-" + hidden).encode()).decode() not in text, text
    events = lab.kubectl("get", "events", "-n", ns, "-o", "json").stdout
    assert hidden not in events and value not in events


def test_default_and_aggregated_roles(lab, ns):
    roles = {r["metadata"]["name"]: r for r in json.loads(lab.kubectl("get", "clusterroles", "-o", "json").stdout)["items"]}
    for name in ("cluster-admin", "admin", "edit", "view", "system:basic-user", "system:discovery", "system:public-info-viewer",
                 "system:service-account-issuer-discovery", "kubeflow-admin", "kubeflow-edit", "kubeflow-view"):
        assert name in roles, name
    own = {
        "apiVersion": f"{GROUP}/v1", "kind": "ClusterRole",
        "metadata": {"name": f"things-{ns}", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [rule(["things"], ["get"], f"{ns}.example.com")]}
    lab.kubectl("apply", "-f", "-", input=own)
    try:
        # view is gathered by edit, edit by admin.
        lab.kubectl("wait", "clusterrole/admin", f"--for=jsonpath={{.rules[?(@.resources[0]=='things')].apiGroups[0]}}={ns}.example.com", "--timeout=20s")
    finally:
        lab.kubectl("delete", "clusterrole", f"things-{ns}")
    bad = lab.kubectl("create", "-f", "-", input={**own, "rules": [{"verbs": ["get"], "resources": ["x"]}]}, check=False)
    assert "resource rules must supply at least one api group" in bad.stderr
    assert "kubeflow" in lab.kubectl("describe", "clusterrole", "kubeflow-edit").stdout


def test_token_requests_and_reviews(lab, ns, shows):
    lab.kubectl("create", "serviceaccount", "bot", "-n", ns)
    token = lab.kubectl("create", "token", "bot", "-n", ns, "--audience=vault", "--duration=20m").stdout.strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] == ["vault"] and claims["exp"] - claims["iat"] == 1200
    assert claims["sub"] == f"system:serviceaccount:{ns}:bot" and claims["kubernetes.io"]["serviceaccount"]["name"] == "bot"

    def review(token, audiences=()):
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token, "audiences": list(audiences)}}
        return json.loads(lab.kubectl("create", "-o", "json", "-f", "-", input=body).stdout)["status"]

    seen = review(token, ["vault", "other"])
    assert seen["authenticated"] and seen["audiences"] == ["vault"] and seen["user"]["username"] == claims["sub"]
    assert not review(token).get("authenticated"), "a token for somebody else is not for the API"
    assert Someone(lab, token, ns).kubectl("get", "pods", "-n", ns).returncode == 1
    short = lab.kubectl("create", "token", "bot", "-n", ns, "--duration=5m", check=False)
    assert "may not specify a duration less than 10 minutes" in short.stderr
    # A token in a Secret, as of old.
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "bot-token", "annotations": {"kubernetes.io/service-account.name": "bot"}}}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=secret)
    lab.kubectl("wait", "secret/bot-token", "-n", ns, "--for=jsonpath={.data.token}", "--timeout=20s")
    data = {key: base64.b64decode(value).decode() for key, value in lab.get("secret", "bot-token", ns)["data"].items()}
    assert data["namespace"] == ns and "BEGIN CERTIFICATE" in data["ca.crt"]
    assert review(data["token"])["user"]["username"] == claims["sub"]
    lab.kubectl("delete", "serviceaccount", "bot", "-n", ns)
    assert not review(data["token"]).get("authenticated")
    lab.kubectl("wait", "secret/bot-token", "-n", ns, "--for=delete", "--timeout=20s")
    shows(f"claims {sorted(claims)}")


def test_users_of_a_file(lab, ns, shows):
    token = lab.lab("user", "add", "ann", "--group", "teachers").stdout.strip()
    assert token.split(":")[1] not in (lab.state / "users").read_text()
    assert [u["name"] for u in json.loads(lab.lab("user", "list", "-o", "json").stdout)] == ["ann"]
    ann = Someone(lab, token, ns)
    info = json.loads(ann.kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert info["username"] == "ann" and info["groups"] == ["teachers", "system:authenticated"]
    assert ann.kubectl("get", "pods", "-n", ns).returncode == 1
    lab.kubectl("create", "rolebinding", "teachers", "-n", ns, "--clusterrole=view", "--group=teachers")
    assert ann.kubectl("get", "pods", "-n", ns).returncode == 0
    wrong = Someone(lab, "ann:wrong", ns + "-wrong").kubectl("get", "pods", "-n", ns)
    assert wrong.returncode == 1 and "Unauthorized" in wrong.stderr
    lab.lab("user", "remove", "ann")
    assert "Unauthorized" in ann.kubectl("get", "pods", "-n", ns).stderr, "who is struck off is out at once"
    # Lines as htpasswd writes them do as well.
    (lab.state / "users").write_text(f"bob:{bcrypt('hidden-secret')}\n")
    bob = Someone(lab, "bob:hidden-secret", ns)
    assert json.loads(bob.kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]["username"] == "bob"
    (lab.state / "users").unlink()
    assert "hidden-secret" not in lab.log() and token.split(":")[1] not in lab.log()
    shows("one token a user, by 'lab user add' or htpasswd")


# Inside pods

# The client's packages: copied, as there need not be an index to install from.
CLIENT = [
    "kubernetes", "dateutil", "six", "yaml", "certifi", "urllib3", "requests", "requests_oauthlib", "oauthlib", "websocket", "google", "idna",
    "charset_normalizer", "durationpy", "pyasn1", "pyasn1_modules", "cryptography", "cffi", "_cffi_backend*.so", "pycparser"]


@pytest.fixture(scope="module")
def client_image(lab, place):
    """An environment with the Python client and kubectl, made of the one that runs these tests."""
    home = place.work / "client-venv"
    identity = lab.account.identity()
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(home)], check=True, cwd=place.work, env=lab.account.environment(), **identity)
    source = pathlib.Path(kubernetes.__file__).parent.parent
    target = next((home / "lib").glob("python*")) / "site-packages"
    for name in CLIENT:
        for path in [*source.glob(f"{name}.py"), *source.glob(name)]:
            if path.is_dir():
                shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("__pycache__", "docs", "test"))
            else:
                shutil.copy2(path, target)
    shutil.copy2(KUBECTL, home / "bin" / "kubectl")
    lab.lab("image", "add", "test/client:1", "--venv", home)
    return "test/client:1"


INSIDE = """
import json, os, sys
from kubernetes import client, config
config.load_incluster_config()
place = "/var/run/secrets/kubernetes.io/serviceaccount"
namespace = open(place + "/namespace").read()
core = client.CoreV1Api()
seen = dict(host=os.environ["KUBERNETES_SERVICE_HOST"], files=sorted(f for f in os.listdir(place) if not f.startswith(".")), namespace=namespace)
seen["pods"] = [p.metadata.name for p in core.list_namespaced_pod(namespace).items]
try:
    core.delete_namespaced_pod("inside", namespace)
except client.ApiException as refusal:
    seen["refused"] = [refusal.status, json.loads(refusal.body)["message"]]
configuration = client.Configuration.get_default_copy()
configuration.host = "https://kubernetes.default.svc"
seen["byName"] = client.VersionApi(client.ApiClient(configuration)).get_code().major
try:
    open(place + "/token", "a")
    seen["writable"] = True
except OSError:
    seen["writable"] = False
print(json.dumps(seen))
"""


def test_the_python_client_inside_a_pod(lab, ns, reader, client_image, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("inside", "python3", "-c", INSIDE, image=client_image, serviceAccountName="reader"))
    lab.wait("pod/inside", "jsonpath={.status.phase}=Succeeded", ns)
    seen = json.loads(lab.kubectl("logs", "inside", "-n", ns).stdout)
    service = lab.get("service", "kubernetes", "default")
    assert seen["host"] == service["spec"]["clusterIP"] and seen["namespace"] == ns
    assert seen["files"] == ["ca.crt", "namespace", "token"] and seen["pods"] == ["inside"] and not seen["writable"]
    assert seen["refused"][0] == 403 and f'User "system:serviceaccount:{ns}:reader" cannot delete resource "pods"' in seen["refused"][1]
    assert seen["byName"] == "1"
    shows(f"in-cluster configuration against {seen['host']}; {seen['refused'][1][:60]}…")


FOLLOW = """
import time
from kubernetes import client, config
place = "/var/run/secrets/kubernetes.io/serviceaccount/token"
first = open(place).read()
config.load_incluster_config()
print([p.metadata.name for p in client.CoreV1Api().list_namespaced_pod("%s").items], flush=True)
while open(place).read() == first:
    time.sleep(0.05)
config.load_incluster_config()
print([p.metadata.name for p in client.CoreV1Api().list_namespaced_pod("%s").items], "anew", flush=True)
"""


def test_a_running_pods_token_is_made_anew(lab, ns, reader, client_image):
    """A labd that starts does not know the tokens of the one before: the pods that run get new ones, as they do in time."""
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("follow", "python3", "-c", FOLLOW % (ns, ns), image=client_image, serviceAccountName="reader"))
    lab.wait("pod/follow", "condition=Ready", ns)
    log = lab.start_kubectl("logs", "-f", "follow", "-n", ns)
    assert log.stdout.readline() == "['follow']\n"
    log.terminate()
    log.wait(10)
    lab.kill_daemon()
    lab.up()
    lab.wait("pod/follow", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "follow", "-n", ns).stdout.splitlines() == ["['follow']", "['follow'] anew"]


def test_kubectl_inside_a_pod(lab, ns, reader, client_image):
    script = "kubectl get pods -o name; kubectl auth whoami -o jsonpath='{.status.userInfo.username}'; echo; kubectl get secrets 2>&1; true"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("inside", "sh", "-c", script, image=client_image, serviceAccountName="reader"))
    lab.wait("pod/inside", "jsonpath={.status.phase}=Succeeded", ns)
    lines = lab.kubectl("logs", "inside", "-n", ns).stdout.splitlines()
    assert lines[:2] == ["pod/inside", f"system:serviceaccount:{ns}:reader"]
    assert 'cannot list resource "secrets"' in lines[2]


def test_the_admitted_volume(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        pod("with", "sleep", "300", image="busybox", terminationGracePeriodSeconds=0),
        pod("without", "sh", "-c", "ls /var/run/secrets 2>&1; env | grep ^KUBERNETES_SERVICE_PORT=", image="busybox", automountServiceAccountToken=False)])
    lab.wait("pod/with", "condition=Ready", ns)
    spec = lab.get("pod", "with", ns)["spec"]
    [volume] = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert [next(iter(source)) for source in volume["projected"]["sources"]] == ["serviceAccountToken", "configMap", "downwardAPI"]
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": volume["name"], "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]
    described = lab.kubectl("describe", "pod", "with", "-n", ns).stdout
    assert "TokenExpirationSeconds:  3607" in described and "kube-root-ca.crt" in described
    exported = lab.lab("export", "pods/with", "-n", ns).stdout
    assert "kube-api-access" not in exported and "serviceAccount" not in exported, exported
    lab.wait("pod/without", "jsonpath={.status.phase}=Succeeded", ns)
    assert "volumes" not in lab.get("pod", "without", ns)["spec"]
    assert "KUBERNETES_SERVICE_PORT=443" in lab.kubectl("logs", "without", "-n", ns).stdout.splitlines()
    missing = lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("no", "true", image="busybox", serviceAccountName="gone"), check=False)
    assert f'error looking up service account {ns}/gone: serviceaccount "gone" not found' in missing.stderr
    shows("token, certificate and namespace; not in the export")


def test_a_certificate_of_another_authority_is_nobodys(lab, tmp_path):
    """Subject and groups of the administrator, signed by oneself."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
         "-subj", "/O=system:masters/CN=kubernetes-admin", "-days", "1"], check=True, capture_output=True)
    server = yaml.safe_load(lab.kubeconfig.read_text())["clusters"][0]["cluster"]
    context = ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
    context.load_cert_chain(certificate, key)
    try:
        status = urllib.request.urlopen(server["server"] + "/api/v1/secrets", context=context, timeout=10).status
    except urllib.error.HTTPError as refusal:
        status = refusal.code
    except (urllib.error.URLError, ssl.SSLError, ConnectionError):
        status = 401  # TLS itself refuses it
    assert status == 401


def test_the_api_says_nothing_to_strangers(lab):

    config = yaml.safe_load(lab.kubeconfig.read_text())["clusters"][0]["cluster"]
    context = ssl.create_default_context(cadata=base64.b64decode(config["certificate-authority-data"]).decode())

    def status(path, token=None):
        request = urllib.request.Request(config["server"] + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            return urllib.request.urlopen(request, context=context, timeout=10).status
        except urllib.error.HTTPError as refusal:
            assert json.loads(refusal.read())["kind"] == "Status"
            return refusal.code

    for path in ("/healthz", "/livez", "/readyz", "/version"):
        assert status(path) == 200
    for path in ("/", "/api", "/apis", "/openapi/v2", "/api/v1/secrets", "/openid/v1/jwks", "/.well-known/openid-configuration", "/kindling/v1/top"):
        assert status(path) == 403, path
        assert status(path, "forged.token.here") == 401, path
    assert json.loads(lab.kubectl("get", "--raw", "/openid/v1/jwks").stdout)["keys"][0]["crv"] == "P-256"
    assert "jwks_uri" in lab.kubectl("get", "--raw", "/.well-known/openid-configuration").stdout

"""Admission webhooks: a real HTTPS server, on the machine's loopback and in a pod behind a Service, and kubectl as the client."""

import base64
import contextlib
import http.server
import json
import ssl
import threading
import time

import pytest
from kindlingtest.manifests import pod

pytestmark = pytest.mark.same_for_all

RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE", "UPDATE", "DELETE"]}


def certificate(*names):
    """A certificate that vouches for itself, valid for these names and for 127.0.0.1; certificate and key in PEM."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.timezone.utc)
    alternatives = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *[x509.DNSName(n) for n in names]]
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256()))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


class Webhook:
    """An HTTPS server on loopback. `answer` turns a request into a response; requests are remembered."""

    def __init__(self, directory):
        self.certificate, key = certificate()
        (directory / "pem").write_text(self.certificate + key)
        self.requests = []
        self.answer = lambda request: {"allowed": True}
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.requests.append(review["request"])
                response = hook.answer(review["request"])
                body = json.dumps({**review, "request": None, "response": {"uid": review["request"]["uid"], **response}}).encode()
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *words):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "pem")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.daemon_threads = True
        # Clients that do not like the certificate go away, which is no news.
        self.server.handle_error = lambda *words: None
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def client(self):
        return {"url": f"https://127.0.0.1:{self.server.server_port}/review", "caBundle": base64.b64encode(self.certificate.encode()).decode()}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def webhook(tmp_path):
    made = Webhook(tmp_path)
    yield made
    made.close()


@pytest.fixture
def register(lab, ns):
    """Registers a webhook for the case's namespace; configurations go with the case."""
    made = []

    def register(kind, client, name="hook", **more):
        hook = {
            "name": f"{name}.example.com", "clientConfig": client, "rules": [RULE], "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}}, "timeoutSeconds": 5,
        } | more
        made.append((f"{kind.lower()}webhookconfiguration", f"{ns}-{name}"))
        lab.kubectl("apply", "-f", "-", input={
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration", "metadata": {"name": f"{ns}-{name}"},
            "webhooks": [hook]})

    yield register
    for kind, name in made:
        lab.kubectl("delete", kind, name, "--ignore-not-found", check=False)


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "1"}}


def patch(*operations):
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(operations).encode()).decode()}


def test_a_mutating_webhook_changes_objects(lab, ns, webhook, register, shows):
    webhook.answer = lambda request: patch({"op": "add", "path": "/data/added", "value": request["operation"]}) | {"warnings": ["changed it"]}
    register("Mutating", webhook.client, rules=[RULE | {"operations": ["CREATE", "UPDATE"]}])
    made = lab.kubectl("apply", "-n", ns, "-f", "-", input=config_map("one"))
    assert "Warning: changed it" in made.stderr
    assert lab.get("configmap", "one", ns)["data"] == {"a": "1", "added": "CREATE"}
    request = webhook.requests[0]
    assert request["userInfo"]["username"] and request["namespace"] == ns and request["options"]["kind"] == "CreateOptions"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=config_map("one", a="2"))
    assert lab.get("configmap", "one", ns)["data"] == {"a": "2", "added": "UPDATE"}
    # The user's own text stays what was applied.
    tried = json.loads(lab.kubectl("create", "-n", ns, "-f", "-", "--dry-run=server", "-o", "json", input=config_map("two")).stdout)
    assert tried["data"]["added"] == "CREATE" and webhook.requests[-1]["dryRun"] is True
    shows("JSON patch, warning, update, dry run")


def test_a_validating_webhook_refuses(lab, ns, webhook, register, shows):
    webhook.answer = lambda request: {"allowed": request["operation"] == "CREATE", "status": {"code": 403, "reason": "Forbidden", "message": "hands off"}}
    register("Validating", webhook.client)
    lab.kubectl("create", "-n", ns, "-f", "-", input=config_map("one"))
    for words in (["patch", "configmap", "one", "--type=merge", "-p", '{"data":{"a":"2"}}'], ["delete", "configmap", "one"]):
        refused = lab.kubectl(*words, "-n", ns, check=False)
        assert 'admission webhook "hook.example.com" denied the request: hands off' in refused.stderr, refused.stderr
        assert "Forbidden" in refused.stderr
    assert lab.get("configmap", "one", ns)["data"] == {"a": "1"}
    assert webhook.requests[-1]["operation"] == "DELETE" and webhook.requests[-1]["oldObject"]["data"] == {"a": "1"}
    shows("update and delete refused with the webhook's words")


def test_pods_of_controllers_pass_webhooks(lab, ns, webhook, register, shows):
    webhook.answer = lambda request: patch({"op": "add", "path": "/metadata/labels/seen", "value": "yes"})
    register("Mutating", webhook.client, rules=[RULE | {"resources": ["pods"], "operations": ["CREATE"]}])
    lab.kubectl("create", "-n", ns, "-f", "-", input={
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox", "command": ["true"]}]}}}})
    lab.wait("job/j", "condition=Complete", ns)
    pods = lab.list("pods", ns)
    assert pods[0]["metadata"]["labels"]["seen"] == "yes"
    assert webhook.requests[0]["userInfo"]["username"] == "system:serviceaccount:kube-system:job-controller"
    shows("the Job's pod has the webhook's label, and runs")


def test_a_dead_webhook_wedges_nothing(lab, ns, webhook, register, shows):
    client = webhook.client
    webhook.close()
    register("Validating", client, rules=[{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}])
    refused = lab.kubectl("create", "configmap", "x", "-n", ns, check=False)
    port = client["url"].split(":")[2].split("/")[0]
    words = f'failed calling webhook "hook.example.com": failed to call webhook: Post "{client["url"]}?timeout=5s": dial tcp 127.0.0.1:{port}: connect: connection refused'
    assert "Internal error occurred: " + words in refused.stderr, refused.stderr
    assert lab.kubectl("get", "pods", "-n", ns).returncode == 0
    lab.kubectl("delete", "validatingwebhookconfiguration", f"{ns}-hook")
    lab.kubectl("create", "configmap", "x", "-n", ns)
    register("Validating", client, failurePolicy="Ignore")
    lab.kubectl("create", "configmap", "y", "-n", ns)
    shows(words)


def test_certificates_and_timeouts(lab, ns, webhook, register, shows):
    other, _ = certificate()
    register("Validating", webhook.client | {"caBundle": base64.b64encode(other.encode()).decode()}, name="stranger")
    refused = lab.kubectl("create", "configmap", "x", "-n", ns, check=False)
    assert "tls: failed to verify certificate: x509: certificate signed by unknown authority" in refused.stderr, refused.stderr
    assert not webhook.requests
    lab.kubectl("delete", "validatingwebhookconfiguration", f"{ns}-stranger")
    release = threading.Event()
    webhook.answer = lambda request: (release.wait(20), {"allowed": True})[1]
    register("Validating", webhook.client, name="slow", timeoutSeconds=1)
    try:
        # Many at once wait side by side, and the API answers others meanwhile.
        began = time.monotonic()
        workers = [threading.Thread(target=lab.kubectl, args=("create", "configmap", f"x{i}", "-n", ns), kwargs={"check": False}) for i in range(12)]
        for worker in workers:
            worker.start()
        while len(webhook.requests) < 12 and time.monotonic() - began < 20:
            lab.kubectl("get", "namespace", ns)
        for worker in workers:
            worker.join()
        refused = lab.kubectl("create", "configmap", "x", "-n", ns, check=False)
        assert "context deadline exceeded" in refused.stderr, refused.stderr
    finally:
        release.set()
    assert not [m for m in lab.list("configmaps", ns) if m["metadata"]["name"].startswith("x")]
    shows("an unknown authority and 12 slow calls are refused")


SERVER = """
import http.server, json, ssl, base64
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        patch = base64.b64encode(json.dumps([{'op': 'add', 'path': '/data/from', 'value': self.path}]).encode()).decode()
        response = {'uid': review['request']['uid'], 'allowed': True, 'patchType': 'JSONPatch', 'patch': patch}
        body = json.dumps({'apiVersion': review['apiVersion'], 'kind': review['kind'], 'response': response}).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/tls/tls.crt', '/tls/tls.key')
server = http.server.ThreadingHTTPServer(('0.0.0.0', 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def test_a_webhook_in_a_pod_behind_a_service(lab, ns, register, shows):
    cert, key = certificate(f"hook.{ns}.svc")
    server = pod("server", "python3", "-c", SERVER, image="python:3.11", terminationGracePeriodSeconds=0, container={
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}], "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1}},
        volumes=[{"name": "tls", "secret": {"secretName": "tls"}}])
    server["metadata"]["labels"] = {"app": "hook"}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=[
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "type": "kubernetes.io/tls", "stringData": {"tls.crt": cert, "tls.key": key}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"}, "spec": {"selector": {"app": "hook"}, "ports": [{"port": 443, "targetPort": 8443}]}},
        server])
    lab.wait("pod/server", "condition=Ready", ns)
    service = {"service": {"namespace": ns, "name": "hook", "path": "/mutate"}, "caBundle": base64.b64encode(cert.encode()).decode()}
    register("Mutating", service, rules=[RULE | {"operations": ["CREATE"]}])
    lab.kubectl("create", "-n", ns, "-f", "-", input=config_map("one"))
    assert lab.get("configmap", "one", ns)["data"]["from"] == "/mutate?timeout=5s"
    lab.kubectl("delete", "pod", "server", "-n", ns)
    refused = lab.kubectl("create", "configmap", "x", "-n", ns, check=False)
    assert f'Post "https://hook.{ns}.svc:443/mutate?timeout=5s": no endpoints available for service "hook"' in refused.stderr, refused.stderr
    shows(refused.stderr.strip())

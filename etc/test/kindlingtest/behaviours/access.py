"""Who may do what, and the cluster's own state."""

import base64
import json
import subprocess

from . import behaviour, equal, has


@behaviour("auth can-i answers for oneself and, impersonating, for others")
def can_i(k):
    equal(k.run("auth", "can-i", "create", "pods").stdout.strip(), "yes")
    k.run("create", "serviceaccount", "robot")
    robot = f"--as=system:serviceaccount:{k.ns}:robot"
    equal(k.run("auth", "can-i", "list", "pods", robot, check=False).stdout.strip().split("\n")[-1], "no")
    has(k.run("get", "pods", robot, check=False).stderr, "Forbidden", "robot", 'cannot list resource "pods"')
    k.run("create", "role", "reader", "--verb=get,list", "--resource=pods")
    k.run("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={k.ns}:robot")
    equal(k.run("auth", "can-i", "list", "pods", robot).stdout.strip(), "yes")
    has(k.run("auth", "can-i", "--list", robot).stdout, "pods", "[get list]")
    equal(k.run("get", "pods", robot, "-o", "name").stdout, "")


@behaviour("auth reconcile makes and mends roles")
def reconcile(k):
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r", "namespace": k.ns},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    k.run("auth", "reconcile", "-f", "-", input=role)
    k.run("auth", "reconcile", "-f", "-", input=role | {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]})
    equal(len(k.get("role", "r")["rules"]), 2)


@behaviour("auth whoami names the certificate's user", since=(1, 28))
def whoami(k):
    has(k.run("auth", "whoami").stdout, "Username", "Groups")


@behaviour("a token of a service account is made and lets in", since=(1, 24))
def token(k):
    k.run("create", "serviceaccount", "robot")
    text = k.run("create", "token", "robot", "--duration=10m").stdout.strip()
    equal(text.count("."), 2)
    refused = k.run("get", "cm", f"--token={text}", check=False, bare=True)
    has(refused.stderr, f"system:serviceaccount:{k.ns}:robot")


@behaviour("a certificate is asked for and approved, another one denied", quick=True)
def certificate(k):
    for name in ("ann", "eve"):
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", k.work / f"{name}.key",
                        "-out", k.work / f"{name}.csr", "-subj", f"/O=students/CN={name}"], check=True, capture_output=True)
        k.run("create", "-f", "-", input={
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": f"{k.ns}-{name}"},
            "spec": {"request": base64.b64encode((k.work / f"{name}.csr").read_bytes()).decode(), "signerName": "kubernetes.io/kube-apiserver-client",
                     "usages": ["client auth"]}})
    has(k.run("certificate", "approve", f"{k.ns}-ann").stdout, "approved")
    has(k.run("certificate", "deny", f"{k.ns}-eve").stdout, "denied")
    k.run("wait", f"csr/{k.ns}-ann", "--for=condition=Approved", "--timeout=10s")
    found = [k.run("get", "csr", f"{k.ns}-{name}", "--no-headers").stdout.split()[-1] for name in ("ann", "eve")]
    assert found[0] in ("Approved", "Approved,Issued") and found[1] == "Denied", found
    k.run("delete", "csr", f"{k.ns}-ann", f"{k.ns}-eve")


@behaviour("what a cluster has of itself: APIServices, component statuses, flow schemas, leases")
def itself(k):
    equal(k.run("get", "apiservice", "v1.batch", "--no-headers").stdout.split()[:3], ["v1.batch", "Local", "True"])
    has(k.run("get", "componentstatuses").stdout, "scheduler", "Healthy")
    has(k.run("get", "flowschemas").stdout, "catch-all", "global-default")
    assert k.run("get", "leases", "-n", "kube-node-lease", "-o", "name").stdout.startswith("lease.coordination.k8s.io/")
    has(k.run("api-resources").stdout, "RuntimeClass", "CertificateSigningRequest", "PriorityLevelConfiguration", "ComponentStatus", "Binding")


@behaviour("cluster-info and its dump tell the lab's state")
def cluster_info(k):
    has(k.run("cluster-info").stdout, "is running at")
    has(k.run("cluster-info", "dump", f"--namespaces={k.ns}", "--output-directory", k.work).stdout, "dumped")
    assert json.loads((k.work / "nodes.json").read_text())["items"]


@behaviour("namespaces are made, listed and emptied at their end")
def namespaces(k):
    name = f"{k.ns}-x"
    k.run("create", "namespace", name)
    k.run("create", "cm", "c", "-n", name)
    has(k.run("get", "ns", name).stdout, "Active")
    k.run("delete", "ns", name, timeout=60)
    has(k.run("get", "ns", name, check=False).stderr, "NotFound")


@behaviour("readyz, livez and OpenAPI by their paths")
def raw(k):
    equal(k.run("get", "--raw", "/readyz").stdout, "ok")
    has(k.run("get", "--raw", "/livez?verbose").stdout, "livez check passed")
    assert json.loads(k.run("get", "--raw", "/openapi/v2").stdout)["swagger"] == "2.0"

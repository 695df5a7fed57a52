"""CertificateSigningRequests: asked for, decided on by whoever may, signed by the lab, and good for its API."""

import base64
import json
import subprocess

import pytest
from kubernetes import client

pytestmark = pytest.mark.same_for_all

CLIENT = "kubernetes.io/kube-apiserver-client"


def request(folder, name, subject, signer=CLIENT, usages=("client auth",), kind=("-newkey", "rsa:2048"), **spec):
    """A request as openssl makes it, with its key left in the folder."""
    subprocess.run(
        ["openssl", "req", "-new", *kind, "-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr", "-subj", subject],
        check=True, capture_output=True)
    text = base64.b64encode((folder / f"{name}.csr").read_bytes()).decode()
    return {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
            "spec": {"request": text, "signerName": signer, "usages": list(usages)} | spec}


def column(lab, name):
    return lab.kubectl("get", "csr", name, "--no-headers").stdout.split()


def test_a_student_gets_a_certificate(lab, ns, tmp_path, shows):
    lab.kubectl("create", "-f", "-", input=request(tmp_path, ns, "/O=students/O=readers/CN=ann", expirationSeconds=3600))
    assert column(lab, ns)[2:] == [CLIENT, "kubernetes-admin", "60m", "Pending"]
    lab.kubectl("certificate", "approve", ns)
    lab.kubectl("wait", f"csr/{ns}", "--for=jsonpath={.status.certificate}", "--timeout=10s")
    assert column(lab, ns)[-1] == "Approved,Issued"
    (tmp_path / "ann.crt").write_bytes(base64.b64decode(lab.get("csr", ns)["status"]["certificate"]))
    text = subprocess.run(["openssl", "x509", "-in", tmp_path / "ann.crt", "-noout", "-text"], check=True, capture_output=True, text=True).stdout
    assert "TLS Web Client Authentication" in text and "CA:FALSE" in text and "CN = ann" in text.replace("CN=ann", "CN = ann")
    config = json.loads(lab.kubectl("config", "view", "--raw", "-o", "json").stdout)
    config["users"][0]["user"] = {"client-certificate": str(tmp_path / "ann.crt"), "client-key": str(tmp_path / f"{ns}.key")}
    (tmp_path / "config").write_text(json.dumps(config))
    who = json.loads(lab.kubectl("--kubeconfig", tmp_path / "config", "auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert who["username"] == "ann" and {"students", "readers", "system:authenticated"} <= set(who["groups"])
    refused = lab.kubectl("--kubeconfig", tmp_path / "config", "get", "pods", "-n", ns, check=False).stderr
    assert 'User "ann" cannot list resource "pods"' in refused
    lab.kubectl("create", "rolebinding", "ann", "-n", ns, "--clusterrole=view", "--group=students")
    lab.kubectl("--kubeconfig", tmp_path / "config", "get", "pods", "-n", ns)
    lab.kubectl("delete", "csr", ns)
    shows(f"{who['username']} of {who['groups']}")


def test_what_is_decided_stays_decided(lab, ns, tmp_path, shows):
    lab.kubectl("create", "-f", "-", input=request(tmp_path, ns, "/CN=eve"))
    lab.kubectl("certificate", "deny", ns)
    assert column(lab, ns)[-1] == "Denied"
    approved = '[{"op":"add","path":"/status/conditions/-","value":{"type":"Approved","status":"True","reason":"x"}}]'
    both = lab.kubectl("patch", "csr", ns, "--subresource=approval", "--type=json", "-p", approved, check=False).stderr
    assert "Approved and Denied conditions are mutually exclusive" in both
    back = lab.kubectl("patch", "csr", ns, "--subresource=approval", "--type=merge", "-p", '{"status":{"conditions":[]}}', check=False).stderr
    assert 'updates may not remove a condition of type "Denied"' in back
    # What was asked cannot be changed, and nobody says for another who asks.
    lab.kubectl("patch", "csr", ns, "--type=merge", "-p", '{"spec":{"username":"somebody","signerName":"example.com/mine"}}')
    spec = lab.get("csr", ns)["spec"]
    assert spec["username"] == "kubernetes-admin" and spec["signerName"] == CLIENT
    forged = request(tmp_path, f"{ns}-ssa", "/CN=eve", username="somebody", groups=["system:masters"])
    lab.kubectl("apply", "--server-side", "-f", "-", input=forged)
    assert lab.get("csr", f"{ns}-ssa")["spec"]["username"] == "kubernetes-admin"
    lab.kubectl("delete", "csr", ns, f"{ns}-ssa")
    shows(back.strip())


def test_bad_requests(lab, ns, tmp_path, shows):
    def refused(manifest):
        return lab.kubectl("create", "-f", "-", input=manifest, check=False).stderr

    assert f"use of {CLIENT} signer with system:masters group is not allowed" in refused(request(tmp_path, ns, "/O=system:masters/CN=x"))
    text = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").decode()
    odd = request(tmp_path, ns, "/CN=x", request=text, usages=[], signerName="plain", expirationSeconds=60)
    said = refused(odd)
    for words in ("PEM block type must be CERTIFICATE REQUEST", "spec.usages: Required value", "may not specify a duration less than 600 seconds (10 minutes)",
                  "must be a fully qualified domain and path of the form 'example.com/signer-name'"):
        assert words in said
    lab.kubectl("create", "-f", "-", input=request(tmp_path, ns, "/CN=x", usages=("server auth",), kind=("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")))
    lab.kubectl("certificate", "approve", ns)
    lab.kubectl("wait", f"csr/{ns}", "--for=condition=Failed", "--timeout=10s")
    seen = lab.get("csr", ns)
    assert seen["status"]["conditions"][-1]["message"] == "invalid usage for client certificate: server auth" and "certificate" not in seen["status"]
    lab.kubectl("delete", "csr", ns)
    shows("masters, a certificate for a request, no usages, a plain signer and a minute are refused; server auth fails")


def test_who_may_decide(lab, ns, tmp_path, shows):
    """Rights on the object are not enough: they must be on the signer, too."""
    lab.kubectl("create", "-f", "-", input=request(tmp_path, ns, "/CN=x"))
    rbac = client.RbacAuthorizationV1Api(lab.api())
    rules = [{"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests", "certificatesigningrequests/approval",
              "certificatesigningrequests/status"], "verbs": ["get", "list", "update", "patch"]}]
    role = {"metadata": {"name": ns}, "rules": rules}
    rbac.create_cluster_role(role)
    lab.kubectl("create", "clusterrolebinding", ns, f"--clusterrole={ns}", "--user=teacher")
    words = lab.kubectl("certificate", "approve", ns, "--as=teacher", check=False).stderr
    assert f'user not permitted to approve requests with signerName "{CLIENT}"' in words
    signs = lab.kubectl("patch", "csr", ns, "--subresource=status", "--type=merge", "-p", '{"status":{"certificate":"QQ=="}}', "--as=teacher", check=False).stderr
    assert f'user not permitted to sign requests with signerName "{CLIENT}"' in signs
    role["rules"] = rules + [{"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": ["kubernetes.io/*"], "verbs": ["approve"]}]
    rbac.replace_cluster_role(ns, role)
    lab.kubectl("certificate", "approve", ns, "--as=teacher")
    lab.kubectl("wait", f"csr/{ns}", "--for=jsonpath={.status.certificate}", "--timeout=10s")
    lab.kubectl("delete", f"csr/{ns}", f"clusterrole/{ns}", f"clusterrolebinding/{ns}")
    shows(words.strip())

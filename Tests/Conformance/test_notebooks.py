"""Point 13: a real JupyterLab on a claim."""

import json
import re
import urllib.parse
import uuid

import pytest
import requests
import websocket
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import claim

NS = USER_NAMESPACE
IMAGE = "docker.io/kubeflownotebookswg/jupyter-scipy:v1.9.0"
NOTEBOOK = {
    "apiVersion": "kubeflow.org/v1", "kind": "Notebook", "metadata": {"name": "nb", "namespace": NS},
    "spec": {"template": {"spec": {"containers": [{"name": "nb", "image": IMAGE, "volumeMounts": [{"name": "home", "mountPath": "/home/jovyan"}]}],
                                   "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "nb-home"}}]}}},
}


@pytest.fixture
def claimed(lab):
    lab.kubectl("apply", "-n", NS, "-f", "-", input=claim("nb-home", "64Mi"))
    yield
    lab.kubectl("delete", "notebook", "nb", "-n", NS, "--ignore-not-found", check=False)
    lab.kubectl("delete", "pvc", "nb-home", "-n", NS, "--timeout=60s", check=False)


def start(lab):
    lab.kubectl("apply", "-f", "-", input=NOTEBOOK)
    lab.kubectl("wait", "notebook/nb", "-n", NS, "--for=jsonpath={.status.readyReplicas}=1", "--timeout=120s", timeout=150)
    printed = lab.lab("open", "nb", "-n", NS, "--print", timeout=90)
    url = re.search(r"https?://\S+", printed.stdout)[0]
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname in ("127.0.0.1", "localhost")
    token = urllib.parse.parse_qs(parts.query)["token"][0]
    base = parts.path.split("/lab")[0].split("/tree")[0].rstrip("/")
    return f"http://{parts.netloc}{base}", token


def execute(base, token, code):
    """Runs code in a new kernel over Jupyter's websocket; gives what it printed."""
    head = {"Authorization": f"token {token}"}
    kernel = requests.post(f"{base}/api/kernels", headers=head, json={}, timeout=60)
    assert kernel.status_code == 201, kernel.text
    identity = kernel.json()["id"]
    socket = websocket.create_connection(f"ws{base[4:]}/api/kernels/{identity}/channels", header=[f"Authorization: token {token}"], timeout=60)
    try:
        message = uuid.uuid4().hex
        socket.send(json.dumps({
            "channel": "shell", "parent_header": {}, "metadata": {}, "buffers": [],
            "header": {"msg_id": message, "username": "t", "session": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"},
            "content": {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}}))
        printed = ""
        while True:
            answer = json.loads(socket.recv())
            if answer.get("parent_header", {}).get("msg_id") != message:
                continue
            if answer["msg_type"] == "stream":
                printed += answer["content"]["text"]
            elif answer["msg_type"] == "error":
                raise AssertionError("\n".join(answer["content"]["traceback"]))
            elif answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
                return printed
    finally:
        socket.close()
        requests.delete(f"{base}/api/kernels/{identity}", headers=head, timeout=30)


def test_a_kernel_executes_and_the_file_survives(lab, claimed, shows):
    base, token = start(lab)
    assert requests.get(f"{base}/api/contents", timeout=30).status_code == 403, "no token, no contents"
    printed = execute(base, token, "import numpy, os; print(int(numpy.arange(10).sum())); open(os.path.expanduser('~/kept.txt'), 'w').write('kept')")
    assert printed.strip() == "45"
    seen = lab.get("notebook", "nb")
    assert seen["status"]["readyReplicas"] == 1 and "running" in seen["status"]["containerState"]
    lab.kubectl("delete", "notebook", "nb", "-n", NS)
    lab.kubectl("wait", "pod/nb-0", "-n", NS, "--for=delete", "--timeout=60s", check=False)
    base, token = start(lab)
    content = requests.get(f"{base}/api/contents/kept.txt", headers={"Authorization": f"token {token}"}, timeout=30).json()
    assert content["content"] == "kept"
    shows(f"{base}: kernel printed 45; kept.txt is there after delete and re-create")

"""Points 3 to 5: the daemon's life, its keys and its ports."""

import json
import os
import pathlib
import re
import signal
import socket
import ssl
import stat
import subprocess

import pytest
import yaml

NAMESPACES = ["default", "kube-system", "kubeflow", "auth", "argo", "kubeflow-user-example-com"]


@pytest.fixture
def second(place):
    """A lab beside the session's, ended with the case."""
    made = place.lab("s2")
    yield made
    made.close()


@pytest.fixture
def fresh(place):
    """A lab that the case may spoil."""
    made = place.lab(f"d{len(place.labs)}")
    yield made
    made.close()


def port_of(kubeconfig):
    server = yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"]
    return int(re.fullmatch(r"https://127\.0\.0\.1:(\d+)", server)[1])


def listening(port):
    """Addresses on which something listens on the port, as /proc/net/tcp of the host gives them."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:] + pathlib.Path("/proc/net/tcp6").read_text().splitlines()[1:]
    return [line.split()[1].split(":")[0] for line in lines if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) == port]


def test_up_says_where_and_kubectl_answers(lab, shows):
    again = lab.up()
    assert str(lab.kubeconfig) in again.stdout
    version = json.loads(lab.kubectl("version", "-o", "json").stdout)
    assert int(version["serverVersion"]["minor"].rstrip("+")) >= 32 and version["serverVersion"]["major"] == "1"
    found = [item["metadata"]["name"] for item in json.loads(lab.kubectl("get", "ns", "-o", "json").stdout)["items"]]
    assert set(NAMESPACES) <= set(found)
    shows(f"server {version['serverVersion']['gitVersion']}, namespaces {', '.join(found)}")


def test_status_gives_versions_endpoints_paths_and_counts(lab, shows):
    status = json.loads(lab.lab("status", "-o", "json").stdout)
    text = json.dumps(status)
    assert str(lab.state) in text and str(port_of(lab.kubeconfig.read_text())) in text
    assert lab.lab("status").stdout.strip()
    shows(f"lab status keys: {', '.join(status)}")


def test_status_of_a_lab_that_is_down_says_so(second):
    result = second.lab("status", check=False)
    assert "up" in result.stdout + result.stderr


def test_doctor_names_every_need(lab, shows):
    result = lab.lab("doctor", check=False)
    text = result.stdout + result.stderr
    for word in ("namespace", "overlay", "disk", "id"):
        assert word in text.lower(), f"doctor says nothing of {word}:\n{text}"
    assert "Traceback" not in text and result.returncode in (0, 1)
    shows(f"doctor: {len(text.splitlines())} lines, status {result.returncode}")


def test_kubeconfig_is_printed_and_merged(lab, place, shows):
    printed = lab.lab("kubeconfig").stdout
    assert yaml.safe_load(printed)["current-context"]
    own = place.work / "own-kubeconfig"
    other = {"apiVersion": "v1", "kind": "Config", "current-context": "other", "contexts": [{"name": "other", "context": {"cluster": "c", "user": "u"}}],
             "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443"}}], "users": [{"name": "u", "user": {}}]}
    own.write_text(yaml.safe_dump(other))
    os.chown(own, lab.account.uid, lab.account.gid)
    lab.lab("kubeconfig", "--merge", environment={"KUBECONFIG": str(own)})
    merged = yaml.safe_load(own.read_text())
    assert {"kindling", "other"} <= {context["name"] for context in merged["contexts"]}
    assert merged["current-context"] == "other", "the user's current context must stay"
    shows("merged context kindling beside the user's own")


def test_keys_are_the_owners_only(lab, shows):
    seen = []
    for path in lab.state.rglob("*"):
        if path.is_file() and (path.suffix == ".key" or path.name == "kubeconfig"):
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode & 0o077 == 0, f"{path} has mode {mode:o}"
            seen.append(path.name)
    assert seen
    assert stat.S_IMODE(lab.state.stat().st_mode) & 0o007 == 0
    shows(f"0600: {', '.join(sorted(seen))}")


def test_only_tls_on_loopback_with_a_client_certificate(lab, shows):
    config = yaml.safe_load(lab.kubeconfig.read_text())
    port = port_of(lab.kubeconfig.read_text())
    assert set(listening(port)) <= {"0100007F", "00000000000000000000000001000000"}, "listens elsewhere than on loopback"
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        plain.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(5)
        try:
            answer = plain.recv(200)
        except ConnectionResetError:
            answer = b""
        assert b"APIVersions" not in answer and b"200 OK" not in answer
    import base64

    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="127.0.0.1") as tls:
        tls.sendall(b"GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        status = tls.recv(100).split()[1]
    assert status in (b"401", b"403"), f"without a certificate the API answers {status}"
    shows(f"plain HTTP refused; TLS verified by the lab's own authority; no certificate: {status.decode()}")


def test_down_and_up_keeps_everything_and_the_port(second, shows):
    second.up()
    port = port_of(second.kubeconfig.read_text())
    second.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    second.down()
    assert not listening(port)
    assert second.kubectl("get", "ns", check=False).returncode != 0
    second.up()
    assert second.get("configmap", "kept", "default")["data"] == {"a": "b"}
    assert port_of(second.kubeconfig.read_text()) == port
    shows(f"the object is kept, and port {port}")


def test_down_right_after_up_is_quiet(second):
    for _ in range(5):
        second.up()
        ended = second.down()
        assert "could not be stopped" not in ended.stderr, ended.stderr


def test_keys_of_the_admin_that_do_not_fit_are_made_anew(fresh, shows):
    fresh.up()
    fresh.down()
    (fresh.state / "keys" / "admin.key").write_text("nonsense")
    fresh.up()
    fresh.kubectl("get", "ns")
    fresh.down()
    (fresh.state / "keys" / "ca.key").write_bytes((fresh.state / "keys" / "admin.key").read_bytes())
    refused = fresh.up(check=False)
    assert refused.returncode == 1 and "do not belong together" in refused.stderr and len(refused.stderr.strip().splitlines()[-1]) < 500
    shows(refused.stderr.strip().splitlines()[-1])


def test_an_emptied_catalogue_is_not_taken_for_a_new_lab(fresh, shows):
    fresh.up()
    fresh.down()
    for path in fresh.state.glob("catalogue.sqlite*"):
        path.write_bytes(b"")
    refused = fresh.up(check=False)
    assert refused.returncode == 1 and "lab restore" in refused.stderr
    shows(refused.stderr.strip().splitlines()[-1])


def test_a_directory_that_cannot_be_used_is_one_line(place, shows):
    made = place.lab("file")
    made.state.write_text("a file")
    refused = made.up(check=False)
    assert refused.returncode == 1 and len(refused.stderr.strip().splitlines()) == 1 and "log is" not in refused.stderr
    made.state.unlink()
    shows(refused.stderr.strip())


def test_a_second_context_beside_the_first(lab, place, shows):
    own = place.work / "two-kubeconfig"
    own.write_text(yaml.safe_dump({"clusters": [{"name": "kindling", "cluster": {"server": "https://127.0.0.1:1"}}], "contexts": [], "users": []}))
    os.chown(own, lab.account.uid, lab.account.gid)
    replaced = lab.lab("kubeconfig", "--merge", environment={"KUBECONFIG": str(own)}).stdout
    assert "Replaced" in replaced and "https://127.0.0.1:1" in replaced
    lab.lab("kubeconfig", "--merge", "--context", "other", environment={"KUBECONFIG": str(own)})
    merged = yaml.safe_load(own.read_text())
    assert {"kindling", "other"} == {context["name"] for context in merged["contexts"]}
    assert next(c for c in merged["contexts"] if c["name"] == "other")["context"]["user"] == "other"
    shows(replaced.splitlines()[0])


def test_two_labs_side_by_side(lab, second, shows):
    second.up()
    second.kubectl("create", "configmap", "only-here", "--from-literal=a=b")
    assert lab.kubectl("get", "configmap", "only-here", check=False).returncode != 0
    assert port_of(second.kubeconfig.read_text()) != port_of(lab.kubeconfig.read_text())
    shows("objects and ports apart")


def test_foreground_ends_with_its_signal(second, shows):
    process = second.start("up", "--foreground")
    try:
        for line in process.stdout:
            if "ready" in line:
                break
        assert process.poll() is None
        second.kubectl("get", "nodes")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)
    finally:
        if process.poll() is None:
            process.kill()
        process.stdout.close()
    shows("served in the foreground, ended by SIGINT")


@pytest.mark.accounts("single")
def test_a_user_without_id_ranges_has_a_lab_too(lab, ns, shows):
    from kindlingtest.manifests import shell

    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("one", "id -u; echo done > /tmp/x && cat /tmp/x"))
    lab.wait("pod/one", "jsonpath={.status.phase}=Succeeded", ns)
    log = lab.kubectl("logs", "one", "-n", ns).stdout
    assert log.split() == ["0", "done"]
    shows(f"one id mapped, pod printed {log.split()}")


@pytest.mark.accounts("user")
def test_the_default_place_is_xdg(place, shows):
    home = pathlib.Path(place.account.home)
    made = place.lab("unused")
    environment = {"XDG_STATE_HOME": str(home / "state"), "XDG_RUNTIME_DIR": str(home / "run")}
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    os.chown(home / "run", place.account.uid, place.account.gid)
    made.lab("up", state=False, environment=environment)
    try:
        assert (home / "state" / "kindling" / "catalogue.sqlite").exists()
        assert (home / "run" / "kindling").is_dir()
    finally:
        made.lab("down", state=False, environment=environment)
    shows("state under XDG_STATE_HOME, sockets under XDG_RUNTIME_DIR")


def test_help_names_every_variable(lab, shows):
    text = lab.lab("--help").stdout
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "KUBECONFIG", "KINDLING_CACHE"):
        assert name in text
    # Every variable that the binary reads is named in its help.
    strings = subprocess.run(["grep", "-aohE", "KINDLING_[A-Z_]+", str(lab.binaries / "lab")], capture_output=True, text=True, check=False).stdout
    hidden = {name for name in strings.split() if name not in text}
    assert not hidden, f"not in lab --help: {hidden}"
    shows("all variables named")

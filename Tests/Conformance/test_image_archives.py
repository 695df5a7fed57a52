"""Images from files: docker save archives and OCI layouts, run in pods, saved again, removed."""

import bz2
import gzip
import json
import lzma
import os
import shutil
import subprocess
import tarfile

import pytest

from kindlingtest import images
from kindlingtest.lab import BINARIES, ROOT
from kindlingtest.manifests import pod


@pytest.fixture(scope="session")
def tool(tmp_path_factory):
    return images.program(tmp_path_factory.mktemp("tool"))


@pytest.fixture
def image(tool):
    """Two layers: the upper one replaces, hides and adds."""
    base = images.layer(
        ("bin", None), ("bin/tool", tool, {"mode": 0o755}), ("etc", None),
        ("etc/passwd", "root:x:0:0::/root:/bin/tool\njovyan:x:1000:100::/home/jovyan:/bin/tool\n"), ("etc/group", "users:x:100:\n"),
        ("home", None), ("home/jovyan", None, {"uid": 1000, "gid": 100}), ("home/jovyan/own", "own", {"uid": 1000, "gid": 100, "mode": 0o600}),
        ("data", None), ("data/old", "old"), ("data/changed", "before"), ("gone", None), ("gone/x", "x"), ("emptied", None), ("emptied/x", "x"),
        ("name", ("link", "data/changed")), ("data/hard", ("hard", "data/changed")), ("device", ("device", "")))
    upper = images.layer(
        ("data", None), ("data/.wh.old", ""), ("data/changed", "after"), (".wh.gone", ""), ("emptied", None), ("emptied/.wh..wh..opq", ""),
        ("data/" + "long-name-" * 20 + "ü", "long"))
    return images.Image(
        [base, upper], Entrypoint=["/bin/tool"], Cmd=["default"], Env=["PATH=/bin", "GREETING=hello"], WorkingDir="/data", User="jovyan",
        StopSignal="SIGINT")


def run(lab, ns, name, image, *args, **more):
    """What a container with these args prints."""
    container = {"name": "main", "image": image} | ({"args": list(args)} if args else {}) | more
    lab.kubectl("apply", "-n", ns, "-f", "-", input={
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": [container]}})
    lab.wait(f"pod/{name}", "jsonpath={.status.phase}=Succeeded", ns)
    return lab.kubectl("logs", name, "-n", ns).stdout.splitlines()


def readable(path):
    path.chmod(0o644)
    return path


LOOKS = ["cwd", "$GREETING", "/data/old", "/data/changed", "/name", "/data/hard", "/gone", "/emptied", "/device", "/home/jovyan/own",
         "/data/" + "long-name-" * 20 + "ü"]


@pytest.mark.accounts("root", "user", "single")
def test_a_docker_archive_runs_as_it_would_elsewhere(lab, ns, place, image, tmp_path, shows):
    archive = place.directory / "image.tar"
    image.docker_archive(archive, "my/archive:1")
    loaded = lab.lab("image", "load", readable(archive)).stdout
    assert "docker.io/my/archive:1 loaded: sha256:" in loaded and "2 layers" in loaded
    assert run(lab, ns, "plain", "my/archive:1") == ["default"]
    lines = run(lab, ns, "looks", "docker.io/my/archive:1", *LOOKS)
    assert lines[:2] == ["cwd /data", "GREETING=hello"]
    facts = dict(line.split(": ", 1) for line in lines[2:])
    assert facts["/data/old"] == "none" and facts["/gone"] == "none" and facts["/device"] == "none"
    assert facts["/data/changed"].endswith("after") and facts["/data/hard"].endswith("before") and facts["/emptied"].endswith("0 entries")
    assert facts["/home/jovyan/own"].endswith("own") and facts[LOOKS[-1]].endswith("long")
    if place.kind != "single":
        # The image's user by name, found in its own passwd; what is the image's user's is its own to read.
        assert run(lab, ns, "ids", "my/archive:1", "ids", "+/home/jovyan/new") == ["ids 1000 100", "written"]
    status = lab.get("pod", "plain", ns)["status"]["containerStatuses"][0]
    listed = next(e for e in json.loads(lab.lab("image", "ls", "-o", "json").stdout) if e["image"] == "docker.io/my/archive:1")
    assert status["imageID"].startswith("docker.io/my/archive@sha256:") and "2 layers" in listed["summary"]
    inspected = json.loads(lab.lab("image", "inspect", "my/archive:1").stdout)
    assert status["imageID"].endswith(inspected["digest"]) and inspected["config"]["StopSignal"] == "SIGINT"
    assert "COPY step 1 /" in lab.lab("image", "history", "my/archive:1").stdout
    shows(f"{loaded.strip()}; whiteouts, links, user and directory as in the image")


def test_the_image_says_which_signal_ends_it(lab, ns, place, image, shows):
    archive = place.directory / "signal.tar"
    image.docker_archive(archive, "my/signal:1")
    lab.lab("image", "load", readable(archive))
    lab.kubectl("apply", "-n", ns, "-f", "-", input={
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "my/signal:1", "args": ["wait"]}]}})
    lab.wait("pod/p", "condition=Ready", ns)
    follower = lab.start_kubectl("logs", "-f", "p", "-n", ns)
    assert follower.stdout.readline() == "waits\n"
    lab.kubectl("delete", "pod", "p", "-n", ns)
    assert follower.communicate(timeout=30)[0] == "signal 2\n"
    shows("STOPSIGNAL SIGINT came in place of SIGTERM")


@pytest.mark.parametrize("form", ["gzip", "plain", "xz", "bzip2", "directory"])
def test_layouts_of_several_architectures_in_every_compression(lab, ns, place, image, form, shows):
    compress = {"gzip": gzip.compress, "plain": bytes, "xz": lzma.compress, "bzip2": bz2.compress, "directory": gzip.compress}[form]
    layout = place.directory / f"layout-{form}"
    image.layout(layout, f"my/layout:{form}", compress, "" if form == "plain" else "+gzip", others=("s390x", "riscv64"))
    source = layout
    if form != "directory":
        source = place.directory / f"layout-{form}.tar"
        with tarfile.open(source, "w:" + {"gzip": "gz", "xz": "xz", "bzip2": "bz2"}.get(form, "")) as tar:
            tar.add(layout, arcname=".")
        readable(source)
    lab.lab("image", "load", source)
    assert run(lab, ns, "p", f"my/layout:{form}", "/data/changed")[0].endswith("after")
    shows(f"{form}: this machine's of three")


def test_save_load_tag_and_remove(lab, ns, place, image, shows):
    archive = place.directory / "kept.tar"
    image.docker_archive(archive, "my/kept:1")
    lab.lab("image", "load", readable(archive))
    lab.lab("image", "tag", "my/kept:1", "my/kept:2")
    first, second = place.work / "first.tar", place.work / "second.tar"
    lab.lab("image", "save", "my/kept:2", "-o", first)
    lab.lab("image", "save", "my/kept:2", "-o", second)
    assert first.read_bytes() == second.read_bytes()
    # A pod holds the layers, even when no name does.
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("holder", "/bin/tool", "wait", image="my/kept:1"))
    lab.wait("pod/holder", "condition=Ready", ns)
    names = [e["image"] for e in json.loads(lab.lab("image", "ls", "-o", "json").stdout) if "layers" in e["summary"]]
    for name in names:
        removed = lab.lab("image", "rm", name)
    assert "are used by pods and stay" in removed.stderr
    assert lab.kubectl("exec", "holder", "-n", ns, "--", "/bin/tool", "/data/changed").stdout.strip().endswith("after")
    lab.kubectl("delete", "pod", "holder", "-n", ns)
    lab.lab("image", "prune")
    layers = lab.state / "images" / "layers"
    assert [entry.name for entry in layers.iterdir()] == []
    refused = lab.lab("image", "save", "my/kept:1", "-o", first, check=False)
    assert refused.returncode == 1 and len(refused.stderr.strip().splitlines()) == 1
    lab.lab("image", "load", first)
    assert run(lab, ns, "again", "my/kept:2") == ["default"]
    shows(f"{len(names)} names removed, layers stayed under a pod and went after it; loaded again from what was saved")


def test_bad_archives_are_one_line_and_change_nothing(lab, place, image, tool, shows):
    before = lab.lab("image", "ls").stdout
    directory = place.directory / "bad"
    directory.mkdir()
    text = directory / "text.tar"
    text.write_text("no archive\n")
    image.docker_archive(directory / "whole.tar", "my/bad:1")
    cut = directory / "cut.tar"
    cut.write_bytes((directory / "whole.tar").read_bytes()[: -len(tool) // 2])
    escape = directory / "escape.tar"
    images.Image([images.layer(("../../../../tmp/escaped", "x"), ("a", ("link", "/")), ("a/etc/x", "x"), ("bin/tool", tool, {"mode": 0o755}))],
                 Cmd=["/bin/tool", "/tmp/escaped"]).docker_archive(escape, "my/escape:1")
    layout = directory / "changed"
    image.layout(layout, "my/bad:1")
    blob = max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(gzip.compress(b"other"))
    for path in directory.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    said = []
    for path in (text, cut, layout, directory / "none.tar", directory):
        result = lab.lab("image", "load", path, check=False)
        assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1, result.stderr
        said.append(result.stderr.strip())
    assert lab.lab("image", "ls").stdout == before
    lab.lab("image", "load", escape)
    assert not os.path.exists("/tmp/escaped") and not os.path.exists("/etc/x")
    lab.lab("image", "rm", "my/escape:1")
    shows("; ".join(line.rsplit("/", 1)[-1] for line in said))


def test_skopeo_takes_what_was_saved_and_gives_what_can_be_loaded(tmp_path, image, shows, capsys):
    """Debian's skopeo. No daemon is needed for any of this."""
    skopeo = skopeo_command()
    lab = [BINARIES / "lab", "--state", tmp_path / "state", "image"]

    def call(*words):
        result = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"})
        assert result.returncode == 0, f"{words}\n{result.stdout}{result.stderr}"
        return result.stdout

    image.docker_archive(tmp_path / "a.tar", "my/it:1")
    call(*lab, "load", tmp_path / "a.tar")
    call(*lab, "save", "my/it:1", "-o", tmp_path / "b.tar")
    inspected = json.loads(call(*lab, "inspect", "my/it:1"))
    seen = json.loads(call(*skopeo, "inspect", "--config", f"oci-archive:{tmp_path}/b.tar"))
    assert seen["config"] == inspected["config"]
    assert json.loads(call(*skopeo, "inspect", f"docker-archive:{tmp_path}/b.tar"))["Layers"]
    for number, (form, extra) in enumerate([
            ("oci-archive", ()), ("docker-archive", ()), ("oci", ("--dest-compress-format", "zstd")), ("oci", ("--dest-compress-format", "gzip"))]):
        place = tmp_path / f"{number}"
        call(*skopeo, "copy", *(("--dest-compress", *extra) if extra else ()), f"oci-archive:{tmp_path}/b.tar", f"{form}:{place}:my/copy{number}:1")
        told = call(*lab, "load", place)
        assert f"docker.io/my/copy{number}:1 loaded" in told
    layers = [entry for entry in (tmp_path / "state" / "images" / "layers").iterdir()]
    assert len(layers) == 2
    shows(f"{skopeo[0]}: five archives, one set of {len(layers)} layers")


def skopeo_command():
    """skopeo of the machine, or the one that the set-up took out of Debian's package."""
    options = ["--insecure-policy"]
    if found := shutil.which("skopeo"):
        return [found, *options]
    root = ROOT / ".build" / "tools" / "clients" / "debian" / "root"
    libraries = ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu"))
    return ["env", f"LD_LIBRARY_PATH={libraries}", root / "usr/bin/skopeo", *options]

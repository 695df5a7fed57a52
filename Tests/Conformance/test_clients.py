"""Unmodified clients of many versions: each behaviour with each client that can ask for it. `make conformance-kube` prints the table."""

import functools
import json
import subprocess

import pytest
from kindlingtest import behaviours
from kindlingtest.clients import CLIENTS, Client, found
from kindlingtest.lab import ROOT

PROGRAM = ROOT / "etc" / "test" / "kindlingtest" / "behaviours" / "python.py"
PYTHONS = [ROOT / ".build" / "tools" / "test" / "bin" / "python", CLIENTS / "bin" / "python"]
# An ordinary user's lab: it is the same server as root's, and everybody can have it.
pytestmark = pytest.mark.accounts("user")
# `make test` shows the most common behaviours with the oldest and the newest client; `make test-full` all with all.
QUICK = {"kubectl": [(1, 21), (1, 37)], "helm": [(3, 9), (4, 3)]}
QUICK_PYTHON = ("typed: create", "dynamic", "watch", "streams", "informer", "kubernetes_asyncio")


def programs():
    made = []
    for program in found():
        for behaviour in behaviours.of(program.kind):
            if program.version < behaviour.since:
                continue
            quick = behaviour.quick and program.version in QUICK[program.kind]
            made.append(pytest.param(behaviour, program, id=f"{program.name}: {behaviour.name}", marks=[] if quick else [pytest.mark.full]))
    return made


@functools.cache
def pythons():
    made = []
    for python in PYTHONS:
        said = json.loads(subprocess.run([python, PROGRAM, "--list"], capture_output=True, text=True, check=True).stdout)
        made.append((python, "python " + ".".join(said["version"].split(".")[:1]), said["names"]))
    return made


@pytest.mark.parametrize("behaviour,program", programs())
def test_program(lab, ns, behaviour, program, tmp_path, record_property):
    record_property("behaviour", (program.kind, behaviour.name, program.name))
    behaviour.show(Client(program, lab, ns, tmp_path))


@pytest.mark.parametrize("python,name,number,quick", [
    pytest.param(python, name, number, quick, id=f"{client}: {name}", marks=[] if quick else [pytest.mark.full])
    for python, client, names in pythons() for number, name in enumerate(names) for quick in [client.endswith("37") and name.startswith(QUICK_PYTHON)]])
def test_python(lab, ns, python, name, number, quick, record_property):
    client = next(client for path, client, _ in pythons() if path == python)
    record_property("behaviour", ("python", name, client))
    result = subprocess.run([python, PROGRAM, lab.kubeconfig, ns, name], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    problem = json.loads(result.stdout.splitlines()[-1])["problem"]
    assert problem is None, problem

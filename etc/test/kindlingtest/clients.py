"""kubectl and helm of several versions, as etc/test/tools.py brought them, and one of them at work in a namespace."""

import json
import os
import pathlib
import re
import subprocess
import time
from dataclasses import dataclass

from .lab import ROOT, Failure

CLIENTS = ROOT / ".build" / "tools" / "clients"


@dataclass(frozen=True)
class Program:
    """A client's program; `version` is (major, minor)."""
    kind: str
    path: pathlib.Path
    version: tuple

    @property
    def name(self):
        return f"{self.kind} {'.'.join(map(str, self.version))}"


def found():
    """All clients' programs, the oldest first. KINDLING_KUBECTL names another kubectl."""
    programs = []
    for path in [*CLIENTS.glob("*/kubectl"), *CLIENTS.glob("*/helm"), *filter(None, [os.environ.get("KINDLING_KUBECTL")])]:
        path = pathlib.Path(path)
        kind = "helm" if path.name == "helm" else "kubectl"
        words = ["version", "--short"] if kind == "helm" else ["version", "--client", "-o", "json"]
        said = subprocess.run([str(path), *words], capture_output=True, text=True, check=False)
        version = re.search(r"v(\d+)\.(\d+)\.", said.stdout)
        if not version:
            raise RuntimeError(f"{path} does not tell its version ({said.stderr.strip()[-200:]}); remove {CLIENTS.resolve()} and run etc/test/tools.py clients")
        programs.append(Program(kind, path, (int(version[1]), int(version[2]))))
    if not programs:
        raise RuntimeError(f"no client is in {CLIENTS}: run etc/test/tools.py clients")
    return sorted(programs, key=lambda program: (program.kind, program.version), reverse=False)


class Client:
    """One client's program against one lab, in one namespace. `work` is a folder for files."""

    def __init__(self, program, lab, namespace, work):
        self.program, self.lab, self.ns, self.work = program, lab, namespace, work
        self.version = program.version
        self.home = lab.directory / f"home-{program.name.replace(' ', '-')}"
        self.home.mkdir(exist_ok=True)
        # A kubeconfig of its own, as helm and old kubectls take the namespace from there most surely.
        self.config = work / "kubeconfig"
        text = lab.kubeconfig.read_text()
        self.config.write_text(re.sub(r"(?m)^(\s*)namespace: .*$", rf"\1namespace: {namespace}", text))
        if f"namespace: {namespace}" not in self.config.read_text():
            self.config.write_text(re.sub(r"(?m)^(\s*)(- )?context:\s*$", rf"\g<0>\n\1    namespace: {namespace}", text))
        self.config.chmod(0o600)

    def environment(self, more):
        return {**os.environ, "HOME": str(self.home), "KUBECONFIG": str(self.config), "KUBECTL_KUBERC": "false"} | (more or {})

    def run(self, *words, check=True, input=None, timeout=100, environment=None, bare=False):
        """Runs the program. `input`: a text, an object, or several. `bare`: without the certificate of the kubeconfig."""
        if input is not None and not isinstance(input, str):
            objects = input if isinstance(input, list) else [input]
            input = json.dumps(objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": objects})
        more = dict(environment or {})
        if bare:
            config = self.work / "bare"
            config.write_text(re.sub(r"(?m)^\s*client-(certificate|key)-data: .*\n", "", self.config.read_text()))
            more["KUBECONFIG"] = str(config)
        result = subprocess.run(
            [str(self.program.path), *map(str, words)], capture_output=True, text=True, input=input, timeout=timeout, cwd=self.work,
            stdin=subprocess.DEVNULL if input is None else None, env=self.environment(more), check=False)
        if check and result.returncode != 0:
            raise Failure(result)
        return result

    def start(self, *words):
        return subprocess.Popen([str(self.program.path), *map(str, words)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, cwd=self.work, env=self.environment(None))

    @staticmethod
    def stop(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def get(self, kind, name):
        """One object, as this kubectl gives it, or the lab's own where the client is helm."""
        if self.program.kind == "helm":
            return json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return json.loads(self.run("get", kind, name, "-o", "json").stdout)

    def kubectl(self, *words):
        """The test's own kubectl, for a helm behaviour to look with."""
        return self.lab.kubectl(*words, "-n", self.ns).stdout

    def eventually(self, holds, seconds=40):
        """Waits for what the cluster does by itself: asks again until nothing is raised."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return holds()
            except (AssertionError, IndexError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

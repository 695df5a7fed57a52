"""One real lab: release binaries, a state directory of its own, an account, and the clients that speak to it."""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile

from . import accounts

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
KUBECTL = ROOT / ".build" / "tools" / "test" / "bin" / "kubectl"
# Debug binaries may be named here while developing; `make test` uses release.
BINARIES = pathlib.Path(os.environ.get("LAB_BIN_DIR", ROOT / ".build" / "release")).resolve()
USER_NAMESPACE = "kubeflow-user-example-com"


class Failure(AssertionError):
    """A command failed that should have succeeded; shows what it printed."""

    def __init__(self, result):
        self.result = result
        command = " ".join(map(str, result.args))
        super().__init__(f"`{command[-600:]}` ended with {result.returncode}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}")


def install(directory):
    """Copies what a lab needs to where every account can read it: the checkout may lie under a home that is closed."""
    target = directory / "bin"
    target.mkdir()
    for name in ("lab", "lab-shim"):
        source = BINARIES / name
        if not source.exists():
            raise RuntimeError(f"{source} is missing: run `make build` first, or name a directory of binaries with LAB_BIN_DIR")
        shutil.copy2(source, target / name)
    os.link(target / "lab", target / "labd")
    shutil.copytree(ROOT / "etc", directory / "etc", ignore=shutil.ignore_patterns("__pycache__", "bench", "test"))
    shutil.copytree(ROOT / "samples", directory / "samples")
    for path in [directory, *directory.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    return target


class Lab:
    """A lab in a state directory. `close` ends it and all that it started."""

    def __init__(self, account, directory, binaries, name="state"):
        self.account = account
        self.binaries = binaries
        self.state = directory / name
        self.directory = directory
        self.is_root = account.is_root
        self.context = {}

    @property
    def kubeconfig(self):
        return self.state / "kubeconfig"

    # The command line

    def lab(self, *words, check=True, timeout=120, input=None, environment=None, state=True):
        """Runs `lab --state DIR …` as the account. Gives its result, with text."""
        command = [self.binaries / "lab", *(["--state", self.state] if state else []), *words]
        result = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, input=input, timeout=timeout, cwd=self.directory,
            stdin=subprocess.DEVNULL if input is None else None, env=self.account.environment(**(environment or {})),
            **self.account.identity(), check=False)
        if check and result.returncode != 0:
            raise Failure(result)
        return result

    def start(self, *words, environment=None, **options):
        """Starts `lab --state DIR …` and does not wait."""
        command = [self.binaries / "lab", "--state", self.state, *words]
        return subprocess.Popen(
            [str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            cwd=self.directory, env=self.account.environment(**(environment or {})), **self.account.identity(), **options)

    def up(self, *words, check=True, timeout=120):
        return self.lab("up", *words, check=check, timeout=timeout)

    def down(self, *words, check=True):
        return self.lab("down", *words, check=check, timeout=180)

    # kubectl

    def kubectl(self, *words, check=True, timeout=120, input=None):
        """Runs kubectl 1.32 against the lab. `input` is given as standard input: a text, or objects to be sent as JSON."""
        if input is not None and not isinstance(input, str):
            objects = input if isinstance(input, list) else [input]
            # Several as a List: kubectl takes a text that begins with a brace for one JSON document.
            input = json.dumps(objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": objects})
        result = subprocess.run(
            [str(KUBECTL), "--kubeconfig", str(self.kubeconfig), *map(str, words)], capture_output=True, text=True, input=input,
            stdin=subprocess.DEVNULL if input is None else None, timeout=timeout, env=self.client_environment(), check=False)
        if check and result.returncode != 0:
            raise Failure(result)
        return result

    def start_kubectl(self, *words):
        return subprocess.Popen(
            [str(KUBECTL), "--kubeconfig", str(self.kubeconfig), *map(str, words)], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self.client_environment())

    def client_environment(self):
        # kubectl keeps what it discovered in the home; every lab has a cache of its own.
        return {**os.environ, "HOME": str(self.directory / "kubectl-home"), "KUBECTL_KUBERC": "false"}

    def get(self, kind, name, namespace=USER_NAMESPACE, **options):
        """One object as a dictionary."""
        return json.loads(self.kubectl("get", kind, name, "-n", namespace, "-o", "json", **options).stdout)

    def list(self, kind, namespace=USER_NAMESPACE, *words):
        return json.loads(self.kubectl("get", kind, "-n", namespace, "-o", "json", *words).stdout)["items"]

    def wait(self, target, condition, namespace=USER_NAMESPACE, timeout=60):
        """`kubectl wait`: condition is as its --for wants it. Shows the object when the time is over."""
        result = self.kubectl("wait", target, "-n", namespace, f"--for={condition}", f"--timeout={timeout}s", check=False, timeout=timeout + 30)
        if result.returncode != 0:
            seen = self.kubectl("describe", target, "-n", namespace, check=False)
            raise AssertionError(f"{target} did not become {condition} in {timeout} s: {result.stderr.strip()}\n{seen.stdout[-5000:]}")
        return result

    def api(self):
        """The unmodified Python client's `ApiClient`."""
        import kubernetes

        return kubernetes.config.new_client_from_config(config_file=str(self.kubeconfig))

    # Processes

    @property
    def daemon_pid(self):
        """labd's process id: its namespaces are its own, but for that of process ids."""
        return json.loads((self.state / "run" / "labd.json").read_text())["pid"]

    def kill_daemon(self):
        """SIGKILL to labd alone, and waits until it has gone."""
        descriptor = os.pidfd_open(self.daemon_pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            if not select.select([descriptor], [], [], 10)[0]:
                raise AssertionError("labd did not end within 10 s of SIGKILL")
        finally:
            os.close(descriptor)

    def processes(self):
        """All processes that name the lab's state directory: helper and daemon."""
        state = str(self.state).encode()
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word == state or word.startswith(state + b"/") for word in words):
                found[int(entry.name)] = b" ".join(words).decode(errors="replace")
        return found

    def supervisors(self):
        """Start times of the supervisors that live, by process id: the records of containers name them."""
        found = {}
        for record in (self.state / "pods").glob("*/containers/*/*/state"):
            try:
                fields = dict(line.split("=", 1) for line in record.read_text().splitlines() if "=" in line)
                pid, start = int(fields["supervisor"]), fields["supervisor_start"]
                rest = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, KeyError, ValueError):
                continue
            if rest[0] != "Z" and rest[19] == start:
                found[pid] = start
        return found

    def log(self):
        """The end of the daemon's log, for a failure's report."""
        for name in ("log/labd.log", "labd.log"):
            path = self.state / name
            if path.exists():
                return path.read_text(errors="replace")[-6000:]
        return "(labd has written no log)"

    def close(self):
        """Ends the lab; what does not end by itself is killed. Returns what had to be killed."""
        if self.state.exists():
            try:
                self.down(check=False)
            except subprocess.TimeoutExpired:
                pass
        left = {pid: words for pid, words in self.processes().items() if str(self.state) in words and pid != os.getpid()}
        left |= {pid: "a container's supervisor" for pid in self.supervisors()}
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return left


class Place:
    """A temporary directory with an installation in it, for the labs of one account."""

    def __init__(self, kind):
        """kind: `root`, `user` (an ordinary user with id ranges) or `single` (one without)."""
        self.kind = kind
        # Sockets lie in it, and their paths must stay short.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="kt-"))
        self.directory.chmod(0o755)
        self.binaries = install(self.directory)
        if kind == "root" or os.geteuid() != 0:
            self.account = accounts.current()
        else:
            self.account = accounts.make(kind)
        self.work = self.directory / "w"
        self.work.mkdir()
        os.chown(self.work, self.account.uid, self.account.gid)
        self.labs = []

    def lab(self, name="s"):
        lab = Lab(self.account, self.work, self.binaries, name)
        self.labs.append(lab)
        return lab

    def close(self):
        left = {}
        for lab in reversed(self.labs):
            left |= lab.close()
        if self.account.is_made:
            accounts.remove(self.account.name)
        shutil.rmtree(self.directory, ignore_errors=True)
        return left

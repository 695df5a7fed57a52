#!/usr/bin/env python3
"""Measures release binaries beside their peers, in one run on one machine: `make bench`, or bench.py NAME… for some figures.

Writes etc/bench/RESULTS.md, and one JSON object a line (name, p50, p90, p99, unit, peer) to .build/bench.jsonl.
A peer that is not installed is said to be missing; nothing is copied from another run.
"""

import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import platform
import shutil
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "etc" / "test"))
import kube  # noqa: E402
import yaml  # noqa: E402
from kindlingtest.lab import BINARIES, USER_NAMESPACE, Place  # noqa: E402
from kindlingtest.manifests import experiment, pod  # noqa: E402

ROWS = []


def record(name, samples, unit, peer=""):
    ordered = sorted(samples)
    at = lambda share: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)  # noqa: E731
    row = dict(name=name, p50=at(0.5), p90=at(0.9), p99=at(0.99), unit=unit, peer=peer)
    ROWS.append(row)
    print(f"  {name:<46} {peer or 'kindling':<22} p50 {row['p50']:>9} p90 {row['p90']:>9} p99 {row['p99']:>9} {unit}", flush=True)


ABSENT = []


def missing(name, peer, why="not installed"):
    ABSENT.append(f"{peer}, {name}: {why}")
    print(f"  {name:<46} {peer:<22} {why}", flush=True)


class API:
    """One TLS connection with the admin's certificate; keeps the client's own cost small."""

    def __init__(self, lab):
        config = yaml.safe_load(lab.kubeconfig.read_text())
        decode = lambda text: base64.b64decode(text).decode()  # noqa: E731
        user = config["users"][0]["user"]
        context = ssl.create_default_context(cadata=decode(config["clusters"][0]["cluster"]["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as pair:
            pair.write(decode(user["client-certificate-data"]) + decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
        port = int(config["clusters"][0]["cluster"]["server"].rsplit(":", 1)[1])
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=120)

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def watch(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        while line := answer.readline():
            yield json.loads(line)


def sandbox():
    """/bin/true from start to exit: the sandbox of a pod's container, and other people's sandboxes."""
    name = "sandbox /bin/true, start to exit"
    # labd has such namespaces already: their making belongs to its start, not to a container's.
    unshare = ["unshare", "--mount", "--net"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"])
    with tempfile.TemporaryDirectory() as directory:
        command = [*unshare, str(BINARIES / "labd"), "measure-sandbox", str(BINARIES / "lab-shim"), directory, "200"]
        times = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    record(name, [nanoseconds / 1e6 for nanoseconds in times["warm"][20:]], "ms")
    record(f"{name}, supervisor included", [nanoseconds / 1e6 for nanoseconds in times["cold"][20:]], "ms")
    spawn = []
    for _ in range(200):
        started = time.perf_counter()
        os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], {}), 0)
        spawn.append((time.perf_counter() - started) * 1000)
    record(name, spawn, "ms", "posix_spawn, no isolation")
    bwrap = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "/bin/true"]
    repeat(name, "bubblewrap", lambda number: bwrap)
    if not shutil.which("crun"):
        return missing(name, "crun")
    with tempfile.TemporaryDirectory() as bundle:
        subprocess.run(["crun", "spec"], cwd=bundle, check=True)
        path = pathlib.Path(bundle) / "config.json"
        spec = json.loads(path.read_text())
        spec["process"] |= {"terminal": False, "args": ["/bin/true"]}
        spec["root"] = {"path": "/", "readonly": True}
        path.write_text(json.dumps(spec))
        repeat(name, "crun", lambda number: ["crun", "--cgroup-manager=disabled", "run", "--bundle", bundle, f"kindling-bench-{os.getpid()}-{number}"])


def repeat(name, peer, command, count=100):
    samples = []
    for number in range(count):
        started = time.perf_counter()
        try:
            result = subprocess.run(command(number), capture_output=True, check=False)
        except FileNotFoundError:
            return missing(name, peer)
        if result.returncode != 0:
            return missing(name, peer, "does not run here: " + result.stderr.decode(errors="replace").strip().split("\n")[-1])
        samples.append((time.perf_counter() - started) * 1000)
    record(name, samples, "ms", peer)


def pods(lab):
    path = f"/api/v1/namespaces/{USER_NAMESPACE}/pods"
    api, watcher = API(lab), API(lab)
    version = api.call("GET", path)["metadata"]["resourceVersion"]
    events = watcher.watch(f"{path}?watch=1&resourceVersion={version}")
    samples = []
    for number in range(120):
        started = time.perf_counter()
        api.call("POST", path, pod(f"one-{number}", "/bin/true"))
        for event in events:
            if event["object"]["metadata"]["name"] == f"one-{number}" and event["object"]["status"].get("phase") == "Succeeded":
                break
        if number >= 20:
            samples.append((time.perf_counter() - started) * 1000)
    record("pod /bin/true through the API, create to Succeeded", samples, "ms")
    count, done = 300, set()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        started = time.perf_counter()
        making = pool.submit(lambda: [api.call("POST", path, pod(f"many-{number}", "/bin/true")) for number in range(count)])
        for event in events:
            meta, phase = event["object"]["metadata"], event["object"]["status"].get("phase")
            if meta["name"].startswith("many-") and phase == "Succeeded":
                done.add(meta["name"])
                if len(done) == count:
                    break
        making.result()
    record("pods /bin/true sustained", [count / (time.perf_counter() - started)], "pods/s")


def trials(lab):
    name, count = "trials of a no-op python3 -c", 60
    for jobs in (1, 2):
        object = experiment(f"bench{jobs}", "", parallel=jobs, trials=count)
        container = object["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
        container["command"] = ["python3", "-c", "print('score=${trialParameters.x}')"]
        started = time.perf_counter()
        lab.kubectl("create", "-f", "-", input=object)
        lab.wait(f"experiment/bench{jobs}", "condition=Succeeded", timeout=300)
        record(f"{name}, {jobs} at once", [count / (time.perf_counter() - started)], "trials/s")
        optuna(f"{name}, {jobs} at once", jobs, count)


def optuna(name, jobs, count):
    try:
        import optuna as peer
    except ImportError:
        return missing(name, "optuna")
    peer.logging.set_verbosity(peer.logging.ERROR)

    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        return float(subprocess.run(["/usr/bin/python3", "-c", f"print({x})"], capture_output=True, check=True).stdout)

    with tempfile.TemporaryDirectory() as directory:
        study = peer.create_study(storage=f"sqlite:///{directory}/study.db", direction="maximize", sampler=peer.samplers.RandomSampler())
        started = time.perf_counter()
        study.optimize(objective, n_trials=count, n_jobs=jobs)
    record(name, [count / (time.perf_counter() - started)], "trials/s", "optuna, SQLite")


def daemon(place):
    samples, resident = [], []
    lab = place.lab("boot")
    lab.up()
    for _ in range(10):
        lab.down()
        started = time.perf_counter()
        lab.up()
        samples.append((time.perf_counter() - started) * 1000)
        status = pathlib.Path(f"/proc/{lab.daemon_pid}/status").read_text()
        resident.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
    record("lab up: helper and labd to ready", samples, "ms")
    record("labd resident, idle", resident, "MiB")
    lab.close()
    with tempfile.TemporaryDirectory() as directory:
        for name in ("lab", "lab-shim"):
            subprocess.run(["strip", "-o", f"{directory}/{name}", str(BINARIES / name)], check=True)
        total = sum(path.stat().st_size for path in pathlib.Path(directory).iterdir())
    record("stripped binaries together", [total / (1 << 20)], "MiB")


def write_results():
    if BINARIES.name != "release":
        print(f"{BINARIES} is no release build: the figures are not written down")
        return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    dirty = subprocess.run(["git", "status", "--porcelain", "--", "Sources"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    lines = ["# Benchmarks", "", f"{time.strftime('%Y-%m-%d', time.gmtime())}, commit {commit}{' with changes' if dirty else ''}, "
             f"{len(os.sched_getaffinity(0))} cores of {model}, Linux {platform.release()}, {'root' if os.geteuid() == 0 else 'user'}.",
             "Made by `make bench`; peers were measured in the same run.", "", "| what | whose | p50 | p90 | p99 | unit |", "|---|---|---|---|---|---|"]
    lines += [f"| {r['name']} | {r['peer'] or 'kindling'} | {r['p50']} | {r['p90']} | {r['p99']} | {r['unit']} |" for r in ROWS]
    lines += [""] * bool(ABSENT) + [f"- No figure of {line}" for line in ABSENT]
    (ROOT / "etc" / "bench" / "RESULTS.md").write_text("\n".join(lines) + "\n")
    (ROOT / ".build" / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def main():
    place = Place("root" if os.geteuid() == 0 else "user")
    chosen = sys.argv[1:]
    wanted = lambda name: not chosen or name in chosen  # noqa: E731
    try:
        for name, measure in (("daemon", lambda: daemon(place)), ("sandbox", sandbox), ("sizes", lambda: kube.sizes(place, record))):
            if wanted(name):
                measure()
        lab = place.lab()
        lab.up()
        for name, measure in (("pods", pods), ("trials", trials), ("requests", lambda lab: kube.requests(lab, record)),
                              ("writes", lambda lab: kube.writes(lab, record, missing)), ("watchers", lambda lab: kube.watchers(lab, record)),
                              ("lists", lambda lab: kube.lists(lab, record))):
            if wanted(name):
                measure(lab)
    finally:
        place.close()
    if not chosen:
        write_results()


if __name__ == "__main__":
    main()

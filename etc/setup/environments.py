#!/usr/bin/env python3
"""Builds the Python environments that stand for images: virtual environments from pinned requirement files.

    environments.py                       all shipped ones (../environments/requirements/*.txt)
    environments.py --light               those that are not heavy: their files begin with `# heavy`
    environments.py trainer               one of them
    environments.py --name x --requirements FILE

Each is built once into CACHE/python/NAME-KEY, where KEY names the requirements: a second run does nothing, in
milliseconds and without network. Wheels are kept in CACHE/wheels, so a rebuild needs no network either.
CACHE is --cache, else $KINDLING_CACHE, else /var/cache/kindling as root, else $XDG_CACHE_HOME/kindling or
~/.cache/kindling. pip's own configuration and variables (index, mirror, proxy, find-links) decide where wheels come from.

Pods see NAME-KEY/root as a layer of their root, the environment in it as /var/lib/kindling/python/NAME.
A comment line `# from PACKAGE==VERSION: MEMBER -> PATH` in a requirements file puts one file of that package's wheel
at PATH of the layer (unpacked when MEMBER ends in .gz and PATH does not) without installing the package.
"""

import argparse
import contextlib
import fcntl
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

OLDEST_PYTHON = (3, 11)  # what the pinned wheels are published for
SHIPPED = pathlib.Path(__file__).resolve().parent.parent / "environments" / "requirements"
FIRST = ["trainer", "python"]  # the demo waits for these, so they come before the large ones
DISPLACING = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER"}  # would install somewhere else
MEMBER_LINE = re.compile(r"^#\s*from\s+(\S+==\S+):\s*(\S+)\s*->\s*(\S+)\s*$")


class SetupError(Exception):
    pass


def say(text):
    print(text, flush=True)


SYSTEM_CACHE = pathlib.Path("/var/cache/kindling")  # root's, which serves all users of the machine


def default_cache():
    if path := os.environ.get("KINDLING_CACHE"):
        return pathlib.Path(path).absolute()
    if os.geteuid() == 0:
        return SYSTEM_CACHE
    base = os.environ.get("XDG_CACHE_HOME")
    return pathlib.Path(base if base and base.startswith("/") else pathlib.Path.home() / ".cache") / "kindling"


def fingerprint(name, requirements):
    """64-bit FNV-1a. labd computes the same to find the environment (CacheDirectory.pythonEnvironment)."""
    value = 0xCBF29CE484222325
    for byte in f"kindling python environment 2 {name}\n".encode() + requirements:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def inspect_interpreter(path):
    """What we must know of an interpreter, or None when it cannot make virtual environments."""
    code = (
        "import json, sys, os, ensurepip, venv; print(json.dumps(dict(version='%d.%d.%d' % sys.version_info[:3],"
        "short='%d.%d' % sys.version_info[:2], executable=os.path.realpath(sys.executable), prefix=sys.base_prefix)))"
    )
    try:
        result = subprocess.run([path, "-I", "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return json.loads(result.stdout) if result.returncode == 0 else None


def choose_interpreter(asked):
    """/usr/bin/python3 first: every user can read it, and pods have /usr anyway."""
    candidates = [asked] if asked else ["/usr/bin/python3", sys.executable, shutil.which("python3")]
    for path in filter(None, candidates):
        found = inspect_interpreter(path)
        if found and tuple(map(int, found["short"].split("."))) >= OLDEST_PYTHON:
            return found
    wanted = ".".join(map(str, OLDEST_PYTHON))
    raise SetupError(
        f"no Python {wanted} or newer that can make virtual environments (tried {', '.join(filter(None, candidates))}).\n"
        "  On Debian and Ubuntu: sudo apt-get install -y python3-venv\n"
        "  Or name another interpreter with --python PATH."
    )


def requirement_lines(text):
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


class Environment:
    def __init__(self, name, requirements, cache, shared, python):
        self.name, self.requirements, self.cache, self.shared, self.python = name, requirements, cache, shared, python
        self.text = requirements.read_bytes()
        self.members = [match.groups() for match in map(MEMBER_LINE.match, self.text.decode().splitlines()) if match]
        self.key = fingerprint(name, self.text)
        self.directory = cache / "python" / f"{name}-{self.key}"
        self.wheels = cache / "wheels"
        self.started = time.monotonic()

    def say(self, text):
        say(f"{self.name}: {text} [{time.monotonic() - self.started:.0f} s]")

    def state(self):
        """The record of a finished build whose interpreter is still there, or None."""
        for directory in filter(None, (self.directory, self.shared and self.shared / "python" / self.directory.name)):
            try:
                record = json.loads((directory / "environment.json").read_text())
            except (OSError, ValueError):
                continue
            if os.access(record["executable"], os.X_OK):
                return record
        return None

    def ensure(self):
        if record := self.state():
            say(f"{self.name}: ready (Python {record['version']}, {record['packages']} packages)")
            return
        (self.cache / "python").mkdir(parents=True, exist_ok=True)
        self.wheels.mkdir(exist_ok=True)
        with self.lock():
            if self.state():  # another run has built it meanwhile
                return self.ensure()
            for left in (self.cache / "python").glob(f".build-{self.name}-{self.key}-*"):
                shutil.rmtree(left, ignore_errors=True)  # an interrupted run's
            scratch = pathlib.Path(tempfile.mkdtemp(prefix=f".build-{self.name}-{self.key}-", dir=self.cache / "python"))
            try:
                self.build(scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    @contextlib.contextmanager
    def lock(self):
        with open(self.cache / "python" / f".lock-{self.name}", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("another set-up is building it; waiting")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def build(self, scratch):
        base = choose_interpreter(self.python)
        scratch.chmod(0o755)  # mkdtemp makes it private, and pods of other ids read it
        root = scratch / "root"
        target = f"/var/lib/kindling/python/{self.name}"
        home = root / target[1:]
        lines = requirement_lines(self.text.decode())
        self.say(f"making a virtual environment of Python {base['version']}, {len(lines)} packages")
        self.run([base["executable"], "-m", "venv", str(home)])
        self.download(home, base, lines)
        self.say("installing")
        self.run([*self.pip(home), "install", "--no-index", "--find-links", str(self.wheels), "--no-compile",
                  "--no-warn-script-location", "-r", str(self.requirements)])
        for package, member, path in self.members:
            self.unpack(package, member, root / path.lstrip("/"))
        self.relocate(home, str(home), target)
        self.say("compiling")
        subprocess.run([str(home / "bin" / "python"), "-I", "-m", "compileall", "-qq", "-j", "0", "-s", str(root), "-p", "/",
                        str(home / "lib")], check=False)  # a package may ship test files that are not valid Python
        installed = list((home / "lib" / f"python{base['short']}" / "site-packages").glob("*.dist-info"))
        record = dict(name=self.name, target=target, version=base["version"], executable=base["executable"],
                      prefix=base["prefix"], packages=len(installed))
        (scratch / "environment.json").write_text(json.dumps(record, indent=1) + "\n")
        self.publish(scratch)
        self.say(f"ready: Python {base['version']}, {len(installed)} packages, {self.directory}")

    def pip(self, home):
        return [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]

    def download(self, home, base, lines):
        """All wheels of the file into the wheel cache. A marker says that they are complete for this Python version."""
        marker = self.wheels / f".complete-{self.name}-{self.key}-{base['short']}"
        if marker.exists():
            return
        self.run([*self.pip(home), "wheel", "--wheel-dir", str(self.wheels), "--find-links", str(self.wheels),
                  "-r", str(self.requirements)], total=len(lines))
        for package in sorted({member[0] for member in self.members}):
            self.run([*self.pip(home), "download", "--no-deps", "--only-binary", ":all:", "--dest", str(self.wheels),
                      "--find-links", str(self.wheels), package], total=1)
        marker.touch()

    def run(self, command, total=0):
        """Runs pip or venv; shows what is fetched, and all of the output when it fails."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in DISPLACING}
        environment |= {"PYTHONUNBUFFERED": "1", "PIP_PROGRESS_BAR": "off", "PIP_REQUIRE_VIRTUALENV": "false"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        output, seen, shown = [], 0, 0.0
        for line in process.stdout:
            output.append(line)
            words = line.split()
            if total and words[:1] in (["Collecting"], ["Processing"]):
                seen += 1
            elif total and words[:1] == ["Downloading"] and time.monotonic() - shown > 0.5:
                shown = time.monotonic()
                self.say(f"{min(seen, total)}/{total} {os.path.basename(words[1])} {' '.join(words[2:])}")
        if process.wait() != 0:
            sys.stderr.write("".join(output[-40:]))
            hint = ""
            if total:
                hint = ("\n  No package index may be reachable. Name a mirror with PIP_INDEX_URL (or pip config), or bring the"
                        "\n  wheels as files into a directory and set PIP_FIND_LINKS=DIR PIP_NO_INDEX=1."
                        f"\n  Needed: {self.requirements}")
            raise SetupError(f"{self.name}: `{' '.join(command)}` failed with status {process.returncode}.{hint}")

    def unpack(self, package, member, path):
        name, version = package.split("==")
        prefix = f"{re.sub('[-_.]+', '_', name).lower()}-{version}-"
        for wheel in self.wheels.glob("*.whl"):
            if wheel.name.lower().startswith(prefix):
                data = zipfile.ZipFile(wheel).read(member)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(gzip.decompress(data) if member.endswith(".gz") and path.suffix != ".gz" else data)
                return
        raise SetupError(f"{self.name}: no wheel of {package} in {self.wheels}")

    def relocate(self, home, old, new):
        """Scripts and activation files name the place they were made at; pods see them at another."""
        for file in [*(home / "bin").iterdir(), home / "pyvenv.cfg"]:
            if file.is_file() and not file.is_symlink():
                data = file.read_bytes()
                if old.encode() in data:
                    file.write_bytes(data.replace(old.encode(), new.encode()))

    def publish(self, scratch):
        """Puts the finished build in place. One whose interpreter has gone makes way."""
        if self.directory.exists():
            gone = pathlib.Path(tempfile.mkdtemp(prefix=f".build-{self.name}-{self.key}-", dir=self.cache / "python"))
            self.directory.rename(gone / "old")
            scratch.rename(self.directory)
            shutil.rmtree(gone, ignore_errors=True)
        else:
            scratch.rename(self.directory)


def shipped_names():
    names = sorted(path.stem for path in SHIPPED.glob("*.txt"))
    return sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))


def is_heavy(name):
    return (SHIPPED / f"{name}.txt").read_text().startswith("# heavy")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(shipped_names())}; all when none is given")
    parser.add_argument("--light", action="store_true", help="leave out the heavy ones, which take gigabytes")
    parser.add_argument("--cache", type=pathlib.Path, help="default: see above")
    parser.add_argument("--python", help="base interpreter (default: /usr/bin/python3, else this one)")
    parser.add_argument("--name", help="name of the environment to build from --requirements")
    parser.add_argument("--requirements", type=pathlib.Path, help="a requirements file of your own")
    arguments = parser.parse_args()
    if bool(arguments.name) != bool(arguments.requirements) or (arguments.name and arguments.names):
        parser.error("give --name and --requirements together, and no other names with them")
    if arguments.name and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", arguments.name):
        parser.error(f"{arguments.name!r} is no environment name: lower case letters, digits, '.', '_' and '-', at most 63")
    for name in arguments.names:
        if name not in shipped_names():
            parser.error(f"{name!r} is none of {', '.join(shipped_names())}")
    names = arguments.names or [name for name in shipped_names() if not (arguments.light and is_heavy(name))]
    os.umask(0o022)
    cache = (arguments.cache or default_cache()).absolute()
    # A place that was named is the only one to look at.
    shared = None if arguments.cache or "KINDLING_CACHE" in os.environ or cache == SYSTEM_CACHE else SYSTEM_CACHE
    wanted = [(arguments.name, arguments.requirements.resolve())] if arguments.name else [
        (name, SHIPPED / f"{name}.txt") for name in names]
    try:
        for name, requirements in wanted:
            Environment(name, requirements, cache, shared, arguments.python).ensure()
    except (SetupError, OSError, zipfile.BadZipFile, KeyError) as error:
        print(f"environments.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("environments.py: interrupted; the next run begins again where wheels were kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

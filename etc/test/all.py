#!/usr/bin/env python3
"""All tests, as `make test` runs them: what may go side by side on two cores does, and every phase says how long it took.

Words after it are pytest's. Python environments are fetched while the programs are built; the Swift tests run beside the
conformance cases, which wait for processes more than they compute, but one after the other with --full, whose cases count
more than minutes. Ends with 1 when a phase has failed; the phases after a failed build are left out.
"""

import pathlib
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STARTED = time.monotonic()


class Phase:
    """A command that goes on beside others. What it prints is shown at once, or held back until it is awaited."""

    def __init__(self, name, *command, held=False):
        self.name, self.started = name, time.monotonic()
        self.output = tempfile.TemporaryFile() if held else None
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.output, stderr=subprocess.STDOUT if held else None)
        self.seconds = 0.0
        self.waiter = threading.Thread(target=self.wait)
        self.waiter.start()

    def wait(self):
        self.process.wait()
        self.seconds = time.monotonic() - self.started

    def end(self):
        """Waits, shows what was held back, and is true when the command succeeded."""
        self.waiter.join()
        code, seconds = self.process.returncode, self.seconds
        if self.output:
            self.output.seek(0)
            sys.stdout.write(self.output.read().decode(errors="replace"))
        print(f"# {self.name}: {'done' if code == 0 else f'failed ({code})'} after {seconds:.0f} s, {time.monotonic() - STARTED:.0f} s in all", flush=True)
        return code == 0


def make(name, target, *words, held=False):
    return Phase(name, "make", "--no-print-directory", target, *words, held=held)


def main(words):
    if not make("house rules", "check").end():
        return 1
    # PyTorch is for the long cases only.
    fetched = [Phase("Python environments", "etc/setup/environments.py", *([] if "--full" in words else ["--light"]), held=True),
               Phase("tests' tools and clients", sys.executable, "etc/test/tools.py", "test", "clients", held=True)]
    built = make("release build", "build").end() and make("debug build", "tests").end()
    ready = [phase.end() for phase in fetched]
    if not built or not all(ready):
        return 1
    cases = ["PYTEST=" + " ".join(words)]
    if "--full" in words:
        passed = [make("Swift tests", "unit").end(), make("conformance and crash cases", "conformance", *cases).end()]
    else:
        beside = make("Swift tests", "unit", held=True)
        passed = [make("conformance and crash cases", "conformance", *cases).end(), beside.end()]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

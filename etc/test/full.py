#!/usr/bin/env python3
"""Runs `make test` with full counts, shows its output, and records the run in etc/test/FULL.md: `make test-full`.

A row has the commit, the seed of the random cases, what the test runners counted, and minutes. The seed is
$KINDLING_TEST_SEED, or made up here and given to the tests, so that a failure can be run again.
"""

import os
import pathlib
import random
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RECORD = ROOT / "etc" / "test" / "FULL.md"
HEAD = """# Full runs

Made by `make test-full`: the cases of `make test` with the issues' full counts. A random case prints its own seed, counted up
from the one here.

| date | commit | seed | Swift tests | conformance and crash cases | minutes | result |
|---|---|---|---|---|---|---|
"""


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def main():
    seed = os.environ.get("KINDLING_TEST_SEED") or str(random.SystemRandom().randrange(10**9))
    commit = git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain", "--", "Sources", "Tests") else "")
    started = time.monotonic()
    process = subprocess.Popen(["make", "--no-print-directory", "test", "PYTEST=--full"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env={**os.environ, "KINDLING_TEST_SEED": seed, "KINDLING_TEST_FULL": "1"})
    swift = cases = "none"
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if found := re.search(r"Test run with (\d+ tests.* (?:passed|failed))", line):
            swift = found[1]
        elif found := re.search(r"=+ (.*\b(?:passed|failed)\b.*) in [\d.]+s", line):
            cases = found[1]
    code = process.wait()
    minutes = (time.monotonic() - started) / 60
    text = RECORD.read_text() if RECORD.exists() else HEAD
    row = [time.strftime("%Y-%m-%d", time.gmtime()), commit, seed, swift, cases, f"{minutes:.0f}", "passed" if code == 0 else f"failed ({code})"]
    RECORD.write_text(text + "| " + " | ".join(row) + " |\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The house rules that a program can check. Ends with 1 and a line for each breach."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LINES_MAX = 450
COLUMNS_MAX = 190
FORBIDDEN = [
    (r"\btry!", "an error is swallowed by a crash: throw it on or handle it"),
    (r"\bfatalError\(", "a crash in place of an error"),
    (r"\bas! ", "a cast that may crash: use `as?`"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "unfinished work: do it, or tell of it in the README"),
    (r"\bThread\.sleep|\busleep\(", "waiting in place of an event"),
]
# Written by a script that stands beside them.
GENERATED = {"Sources/KubeServer/Protobuf/MessageTable.swift"}
# Put together, so that this file does not name what it forbids.
PLACES = ["/wo" + "rk/", "/fa" + "rm/"]


def tracked():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def problems():
    files = tracked()
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        if path.stat().st_size > 1 << 20:
            yield f"{name}: larger than 1 MiB"
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for place in PLACES:
            if place in text:
                yield f"{name}: names a path of one machine ({place})"
        if name in GENERATED or not name.startswith("Sources/") or path.suffix not in (".swift", ".c", ".h"):
            continue
        lines = text.splitlines()
        if len(lines) > LINES_MAX:
            yield f"{name}: {len(lines)} lines, more than {LINES_MAX}; is it still one idea?"
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                yield f"{name}:{number}: {len(line)} columns, more than {COLUMNS_MAX}"
            if path.suffix == ".swift":
                for pattern, why in FORBIDDEN:
                    if re.search(pattern, line):
                        yield f"{name}:{number}: {why}"


def main():
    found = list(problems())
    for line in found:
        print(line)
    print(f"tidy: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

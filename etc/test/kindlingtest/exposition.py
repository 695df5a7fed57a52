"""Prometheus' text format, version 0.0.4, read strictly: what a line may be, and what families must be like."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? ([+-]?Inf|NaN|[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(?: -?[0-9]+)?")
COMMENT = re.compile(rf"# (HELP|TYPE) ({NAME}) ?(.*)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


def labels_of(text):
    found, place = {}, 0
    while place < len(text):
        match = LABEL.match(text, place)
        assert match, f"no label at {text[place:]!r}"
        name, value, _ = match.groups()
        assert name not in found, f"label {name} twice in {text!r}"
        found[name] = re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], value)
        place = match.end()
    return found


def parse(text):
    """Families by name: (type, [(name, labels, value)]). Raises AssertionError for what Prometheus would refuse or misread."""
    families, helps, kinds, current = {}, set(), {}, None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("#"):
            kind, name, rest = COMMENT.fullmatch(line).groups()
            assert name not in families, f"{name} is told of after its samples: {line}"
            if kind == "HELP":
                assert name not in helps and not re.search(r"\\(?![\\n])", rest), line
                helps.add(name)
            else:
                assert name not in kinds and rest in ("counter", "gauge", "histogram", "summary", "untyped"), line
                kinds[name], current = rest, name
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        kind = kinds[current]
        assert name in [current + suffix for suffix in SUFFIXES.get(kind, ("",))], f"{name} stands among {current}"
        families.setdefault(current, (kind, []))[1].append((name, labels_of(labels or ""), float(value.replace("Inf", "inf"))))
    for name, (kind, samples) in families.items():
        keys = [(part, tuple(sorted(labels.items()))) for part, labels, _ in samples]
        assert len(keys) == len(set(keys)), f"{name} has a sample twice"
        assert kind != "counter" or all(value >= 0 for _, _, value in samples), name
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    series = {}
    for part, labels, value in samples:
        key = tuple(sorted(item for item in labels.items() if item[0] != "le"))
        one = series.setdefault(key, {"buckets": []})
        if part.endswith("_bucket"):
            one["buckets"].append((float(labels["le"].replace("Inf", "inf")), value))
        else:
            one[part[len(name):]] = value
    for key, one in series.items():
        bounds, counts = zip(*one["buckets"])
        assert list(bounds) == sorted(bounds) and math.isinf(bounds[-1]), (name, key)
        assert list(counts) == sorted(counts) and counts[-1] == one["_count"] and one["_sum"] >= 0, (name, key)

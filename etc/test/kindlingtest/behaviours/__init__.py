"""What clients must see, as data: a behaviour is a sentence and a function that shows it with one client.

`behaviours.of("kubectl")` lists those of a kind of client. A function takes the client (see clients.py) and fails by
raising; Tests/Conformance/test_clients.py runs every behaviour with every client that can do it.
"""

import importlib
from dataclasses import dataclass
from typing import Callable

MODULES = {"kubectl": ["objects", "workloads", "streams", "access"], "helm": ["helm"]}


@dataclass(frozen=True)
class Behaviour:
    name: str
    show: Callable
    since: tuple
    quick: bool


FOUND = []


def behaviour(name, since=(1, 0), quick=False):
    """name: what holds, as a line of the table. since: the first version of the client that can ask for it. quick: part
    of `make test`, not of `make test-full` alone."""

    def register(function):
        FOUND.append(Behaviour(name, function, since, quick))
        return function

    return register


def of(kind):
    modules = [importlib.import_module(f"{__name__}.{name}") for name in MODULES[kind]]
    return [found for found in FOUND if found.show.__module__ in {module.__name__ for module in modules}]


def has(text, *words):
    """Each word is part of the text."""
    for word in words:
        assert word in text, f"{word!r} is missing in:\n{text}"


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"

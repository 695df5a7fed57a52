"""Fixtures of all tests that need a running lab. The same cases run on root's lab and on an ordinary user's."""

import os
import pathlib
import secrets
import signal

import pytest
from kindlingtest.lab import Place

KINDS = ["root", "user", "single"]
GAPS = pathlib.Path(__file__).resolve().parent.parent / "etc" / "test" / "known-gaps.txt"


def known_gaps():
    """Cases that are known not to hold yet, each with why: lines of `part of the case's id: reason`. They run all the same
    and are reported as expected failures."""
    lines = [line.strip() for line in GAPS.read_text().splitlines()]
    return [tuple(part.strip() for part in line.split(" = ", 1)) for line in lines if line and not line.startswith("#")]


def pytest_configure(config):
    # A run in the background of a script ignores SIGINT, and so would all that cases start and interrupt.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run the long cases too")
    parser.addoption("--table", action="store_true", help="print a line for each behaviour of the client suites: passed or failed")
    parser.addoption("--labs", default=None, help="comma-separated accounts: root, user, single (default: all that can be)")


def kinds(config):
    chosen = config.getoption("--labs")
    if chosen:
        return chosen.split(",")
    # An ordinary user can only have a lab of its own; root tries everybody's.
    return KINDS if os.geteuid() == 0 else ["user"]


def pytest_generate_tests(metafunc):
    if "place" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("accounts")
        wanted = marker.args if marker else ("root", "user")
        thorough = metafunc.config.getoption("--full") or metafunc.config.getoption("--labs")
        if metafunc.definition.get_closest_marker("same_for_all") and not thorough:
            wanted = ["user"]
        metafunc.parametrize("place", [kind for kind in kinds(metafunc.config) if kind in wanted], indirect=True, scope="session")


def pytest_collection_modifyitems(config, items):
    gaps = known_gaps()
    for item in items:
        for part, reason in gaps:
            if part in item.nodeid:
                item.add_marker(pytest.mark.xfail(reason=reason))
    if not config.getoption("--full"):
        long = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("full")]
    if os.geteuid() != 0:
        foreign = [item for item in items if not is_possible_for_a_user(item)]
        config.hook.pytest_deselected(items=foreign)
        config.stash[LEFT_TO_ROOT] = [item.nodeid for item in foreign]
        items[:] = [item for item in items if item not in foreign]


LEFT_TO_ROOT = pytest.StashKey[list]()


def is_possible_for_a_user(item):
    """Root makes accounts and mounts for cases of theirs; an ordinary user has one lab, its own."""
    if item.get_closest_marker("machine_root"):
        return False
    return "place" not in item.fixturenames or item.callspec.params.get("place") in KINDS


def pytest_report_collectionfinish(config):
    left = config.stash.get(LEFT_TO_ROOT, [])
    return [f"left to a run as root, which makes accounts and mounts: {len(left)} cases", *(f"  {name}" for name in left)] if left else []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    # Rootless is half of the product: a case that is left out there is a failure, not an omission.
    if report.skipped and "place" in getattr(item, "fixturenames", ()) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped; every case must run, on every account"
    if report.failed and call.when == "call" and "lab" in getattr(item, "funcargs", {}):
        report.sections.append(("labd's log", item.funcargs["lab"].log()))


def pytest_terminal_summary(terminalreporter, config):
    """One line a behaviour, one column a client: what `make conformance-kube` is for."""
    if not config.getoption("--table"):
        return
    rows, clients = {}, {}
    for outcome in ("passed", "failed", "error", "xfailed"):
        for report in terminalreporter.stats.get(outcome, []):
            for kind, name, client in (value for key, value in getattr(report, "user_properties", []) if key == "behaviour"):
                clients.setdefault(kind, set()).add(client)
                row = rows.setdefault((kind, name), {})
                row[client] = "passed" if outcome == "passed" and row.get(client) != "failed" else "failed"
    for kind, columns in clients.items():
        columns = sorted(columns, key=lambda name: [int(part) for part in name.split()[1].split(".")])
        terminalreporter.write_line("")
        terminalreporter.write_line(f"{kind:<78}" + "".join(f"{name.split()[1]:<8}" for name in columns))
        for (of, name), row in rows.items():
            if of == kind:
                terminalreporter.write_line(f"{name:<78}" + "".join(f"{row.get(column, '-'):<8}" for column in columns))


@pytest.fixture(scope="session")
def place(request):
    """An installation for one account."""
    made = Place(request.param)
    yield made
    left = made.close()
    assert not left, f"processes outlived their lab: {left}"


@pytest.fixture(scope="session")
def lab(place):
    """A lab that is up for the whole session of that account."""
    made = place.lab()
    made.up()
    return made


@pytest.fixture
def ns(lab):
    """A namespace of its own for the case; it goes with the case."""
    name = f"t-{secrets.token_hex(4)}"
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture
def shows(request, capsys):
    """Says what the case has shown, on the terminal."""

    def say(text):
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return say

"""A small tmpfs as state directory, filled to the last byte: what takes space is refused, what frees some is not."""

import re
import subprocess

import pytest
from kindlingtest.manifests import pod, shell

# The small disk is a mount.
pytestmark = pytest.mark.machine_root


@pytest.fixture
def small(place, request):
    """A lab on a disk of 32 MiB."""
    made = place.lab(f"f{len(place.labs)}")
    made.state.mkdir()
    options = f"size=32m,mode=0700,uid={made.account.uid},gid={made.account.gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(made.state)], check=True)
    yield made
    (made.state / "filler").unlink(missing_ok=True)
    left = made.close()
    subprocess.run(["umount", "--lazy", str(made.state)], check=False)
    assert not left


def fill(lab):
    filler = lab.state / "filler"
    with open(filler, "ab", buffering=0) as file:
        for size in (1 << 20, 1 << 16, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass
    return filler


def config(name, size):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "x" * size}}


def refused(lab, name):
    result = lab.kubectl("create", "-f", "-", input=config(name, 100000), check=False)
    return result.stderr.strip() if result.returncode != 0 else ""


def until_refused(lab):
    """What SQLite has set aside itself is used up first. Gives the message, and how many went through."""
    for number in range(200):
        message = refused(lab, f"c{number}")
        if message:
            return message, number
    raise AssertionError("a full disk never refused anything")


def test_deletions_free_space_and_it_recovers_by_itself(small, shows):
    small.up()
    small.kubectl("create", "cm", "before", "--from-literal=a=b")
    small.kubectl("create", "ns", "heap")
    small.kubectl("apply", "-n", "heap", "-f", "-", input=[shell("on", "sleep 300", terminationGracePeriodSeconds=1)])
    small.wait("pod/on", "condition=Ready", "heap")
    for number in range(20):
        small.kubectl("create", "-n", "heap", "-f", "-", input=config(f"big{number}", 200000))
    filler = fill(small)
    message, written = until_refused(small)
    assert re.search(r"disk|space|full", message), message
    assert small.get("cm", "before", "default")["data"] == {"a": "b"}
    # One object, one that grows, a namespace with all that is in it: collection and finalizers too.
    small.kubectl("delete", "cm", "big0", "-n", "heap")
    assert small.kubectl("patch", "cm", "before", "-p", '{"data":{"a":"' + "y" * 100000 + '"}}', check=False).returncode != 0
    small.kubectl("delete", "pod", "on", "-n", "heap", "--timeout=30s")
    small.kubectl("delete", "ns", "heap", "--timeout=60s")
    assert not small.supervisors()
    small.kubectl("get", "--raw", "/readyz")
    filler.unlink()
    small.kubectl("create", "cm", "after", "--from-literal=a=b")
    assert (small.state / "catalogue.sqlite.reserve").stat().st_size == 4 << 20, "the reserve is set aside again"
    small.down()
    small.up()
    for name in ["before", "after", *(f"c{number}" for number in range(written))]:
        small.get("cm", name, "default")
    shows(message)


def test_pods_that_end_or_fill_the_disk(small, shows):
    """An end on a full disk is told when there is room; a pod's own log may fill it, and labd goes on."""
    small.up()
    small.kubectl("apply", "-f", "-", input=[shell("ends", "while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 3")])
    small.wait("pod/ends", "condition=Ready", "default")
    daemon = small.daemon_pid
    small.kubectl("apply", "-f", "-", input=pod("loud", "sh", "-c", "yes 0123456789012345678901234567890123456789"))
    small.wait("pod/loud", "condition=Ready", "default")
    fill(small)
    until_refused(small)
    small.kubectl("exec", "ends", "--", "touch", "/tmp/go")
    small.kubectl("delete", "pod", "loud", "--grace-period=1", "--timeout=60s")
    assert small.daemon_pid == daemon
    (small.state / "filler").unlink()
    small.wait("pod/ends", "jsonpath={.status.phase}=Failed", "default")
    assert small.get("pod", "ends", "default")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert small.daemon_pid == daemon
    shows("exit code 3 is told when there is room; the log that filled the disk cost the lab nothing")


def test_a_start_on_a_full_disk(small, shows):
    """The lab starts on its reserve and serves what it has; without one it says in a line what is full."""
    small.up()
    small.kubectl("create", "-f", "-", input=config("kept", 100000))
    small.down()
    filler = fill(small)
    small.up()
    small.get("cm", "kept", "default")
    assert refused(small, "more")
    small.kubectl("delete", "cm", "kept")
    small.down()
    (small.state / "catalogue.sqlite.reserve").unlink(missing_ok=True)
    fill(small)
    result = small.up(check=False)
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines()
        assert result.returncode == 1 and len(lines) == 1 and str(small.state) in lines[0] and "full" in lines[0], result.stderr
        shows(lines[0])
    filler.unlink()
    small.up()
    small.kubectl("create", "cm", "after", "--from-literal=a=b")

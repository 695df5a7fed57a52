"""`lab backup` of a lab that runs, and `lab restore`."""

import shutil
import sqlite3
import stat

import pytest


@pytest.fixture
def second(place):
    made = place.lab(f"b{len(place.labs)}")
    yield made
    made.close()


def test_a_backup_brings_back_what_was_deleted_since(second, place, shows):
    second.up()
    second.kubectl("create", "cm", "kept", "--from-literal=a=b")
    copy = place.work / "copy.sqlite"
    said = second.lab("backup", copy).stdout
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600 and copy.stat().st_uid == second.account.uid
    refused = second.lab("backup", copy, check=False)
    assert refused.returncode == 1 and "exists" in refused.stderr
    second.kubectl("delete", "cm", "kept")
    second.kubectl("create", "cm", "later", "--from-literal=a=b")
    seen = int(second.get("cm", "later", "default")["metadata"]["resourceVersion"])
    running = second.lab("restore", copy, check=False)
    assert running.returncode == 1 and "down" in running.stderr
    second.down()
    second.lab("restore", copy)
    second.up()
    assert second.get("cm", "kept", "default")["data"] == {"a": "b"}
    assert second.kubectl("get", "cm", "later", check=False).returncode != 0
    second.kubectl("create", "cm", "new", "--from-literal=a=b")
    assert int(second.get("cm", "new", "default")["metadata"]["resourceVersion"]) > seen, "revisions never go back"
    old = second.state / "catalogue.sqlite.old-1"
    names = [name for name, in sqlite3.connect(old).execute("select name from objects where resource = 'configmaps'")]
    assert "later" in names, "what was there before is kept"
    shows(said.strip())


def test_pods_of_a_restored_lab_run_again(second, place, shows):
    second.up()
    second.kubectl("create", "deployment", "web", "--image=busybox", "--", "sleep", "3600")
    second.wait("deployment/web", "condition=Available", "default")
    second.lab("backup", place.work / "pods.sqlite")
    second.down()
    for path in (second.state / "pods").iterdir():
        shutil.rmtree(path)
    second.lab("restore", place.work / "pods.sqlite")
    second.up()
    second.kubectl("wait", "pods", "--all", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "--timeout=30s")
    second.kubectl("wait", "pods", "--all", "--for=condition=Ready", "--timeout=30s")
    shows("started again, though nothing of its files was left")


def test_a_damaged_copy_is_refused_and_changes_nothing(second, place, shows):
    second.up()
    second.kubectl("create", "cm", "kept", "--from-literal=a=b")
    second.down()
    bad = place.work / "bad.sqlite"
    bad.write_bytes(b"SQLite format 3\0" + b"x" * 9000)
    result = second.lab("restore", bad, check=False)
    assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1
    bad.unlink()
    second.up()
    assert second.get("cm", "kept", "default")["data"] == {"a": "b"}
    assert {path.name for path in second.state.glob("catalogue.sqlite.*")} <= {"catalogue.sqlite.reserve"}, "nothing is left of the try"
    shows(result.stderr.strip())

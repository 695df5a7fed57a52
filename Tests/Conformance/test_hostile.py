"""`lab up` and `lab down` where the surroundings are not as one expects: a working lab or one clear line."""

import os
import shlex
import shutil
import signal
import subprocess

import pytest


@pytest.fixture
def fresh(place):
    made = place.lab(f"h{len(place.labs)}")
    yield made
    left = made.close()
    assert not left, left


def run(lab, script, *, environment=None, remove=(), timeout=120, **options):
    """A shell command as the lab's account; `$LAB` is `lab --state DIR`."""
    words = " ".join(shlex.quote(str(word)) for word in (lab.binaries / "lab", "--state", lab.state))
    surroundings = {key: value for key, value in lab.account.environment(**(environment or {})).items() if key not in remove}
    return subprocess.run(
        ["bash", "-c", script.replace("$LAB", words)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout, cwd=lab.directory,
        env=surroundings, **lab.account.identity(), **options, check=False)


def works(lab, result):
    assert result.returncode == 0, result.stdout + result.stderr
    assert lab.kubectl("get", "--raw", "/readyz").stdout == "ok"
    ended = lab.down()
    assert "has ended" in ended.stdout
    assert not lab.processes()


def says(result, *parts):
    """One line that says what is wrong."""
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 1 and len(lines) == 1 and len(lines[0]) < 500, (result.returncode, result.stdout, result.stderr)
    for part in parts:
        assert part in lines[0], lines[0]
    return lines[0]


SURROUNDINGS = {
    "no HOME": ({}, ["HOME"], "$LAB up"),
    "relative and missing XDG directories": ({"XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "here", "XDG_CACHE_HOME": "c"}, [], "$LAB up"),
    "no XDG_RUNTIME_DIR there": ({"XDG_RUNTIME_DIR": "/nonexistent/run"}, [], "$LAB up"),
    "umask 077": ({}, [], "umask 077; $LAB up"),
    "umask 000": ({}, [], "umask 000; $LAB up"),
    "umask 777": ({}, [], "umask 777; $LAB up"),
    "no TMPDIR": ({"TMPDIR": "/nonexistent"}, [], "$LAB up"),
    "LANG=C": ({"LANG": "C", "LC_ALL": "C"}, [], "$LAB up"),
    "a narrow terminal": ({"COLUMNS": "20", "TERM": "dumb"}, [], "$LAB up"),
    "a deleted directory": ({}, [], "mkdir gone; cd gone; rmdir ../gone; $LAB up"),
    "few descriptors": ({}, [], "ulimit -n 64; $LAB up"),
    "closed streams": ({}, [], "$LAB up <&- >&- 2>&-"),
    "an empty environment": ({}, ["HOME", "USER", "LOGNAME", "PATH", "LANG"], "$LAB up"),
}


@pytest.mark.parametrize("what", SURROUNDINGS)
def test_surroundings(fresh, what):
    environment, remove, script = SURROUNDINGS[what]
    works(fresh, run(fresh, script, environment=environment, remove=remove))


def test_a_state_path_longer_than_a_sockets_may_be(place, shows):
    made = place.lab("/".join(["a" * 60] * 3))
    try:
        made.state.parent.mkdir(parents=True)
        for path in (made.state.parent, made.state.parent.parent):
            os.chown(path, made.account.uid, made.account.gid)
        works(made, made.up())
        shows(f"{len(str(made.state))} bytes")
    finally:
        assert not made.close()


@pytest.mark.accounts("root")
@pytest.mark.parametrize("options", ["ro", "noexec,nosuid,nodev"])
def test_the_file_system_of_the_state(fresh, options, shows):
    fresh.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64m,mode=0755,{options}", "tmpfs", str(fresh.state)], check=True)
    try:
        result = fresh.up(check=False)
        if options == "ro":
            shows(says(result, str(fresh.state), "Read-only"))
        else:
            works(fresh, result)
    finally:
        fresh.close()
        subprocess.run(["umount", "--lazy", str(fresh.state)], check=False)


@pytest.mark.machine_root
@pytest.mark.accounts("user")
def test_a_state_directory_of_another(fresh, shows):
    fresh.state.mkdir()
    shows(says(fresh.up(check=False), str(fresh.state)))
    fresh.state.chmod(0o700)
    says(fresh.up(check=False), str(fresh.state))
    shutil.rmtree(fresh.state)


def test_down_of_one_leaves_the_other(lab, fresh):
    fresh.up()
    pid = lab.daemon_pid
    fresh.down()
    assert lab.daemon_pid == pid and lab.kubectl("get", "--raw", "/readyz").stdout == "ok"


@pytest.mark.accounts("root")
def test_control_groups_that_cannot_be_written(fresh):
    """As in a container: they are mounted read-only."""
    script = "mount -t tmpfs -o ro none /sys/fs/cgroup; " + " ".join(shlex.quote(str(w)) for w in (fresh.binaries / "lab", "--state", fresh.state, "up"))
    result = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False)
    works(fresh, result)


@pytest.mark.accounts("user")
@pytest.mark.parametrize("home", [None, "relative"])
def test_the_home_is_the_accounts_where_the_environment_has_none(place, home, shows):
    """Then even the default place of the state is found."""
    made = place.lab("unused")
    environment = {key: value for key, value in made.account.environment().items() if key != "HOME"} | ({"HOME": home} if home else {})
    command = [str(made.binaries / "lab")]
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "cwd": made.directory, "env": environment, "check": False, **made.account.identity()}
    up = subprocess.run([*command, "up"], timeout=120, **options)
    down = subprocess.run([*command, "down"], timeout=120, **options)
    assert up.returncode == 0 and f"{made.account.home}/.local/state/kindling" in up.stdout, up.stdout + up.stderr
    assert "has ended" in down.stdout and not (made.directory / "relative").exists()
    shows(up.stdout.splitlines()[1].strip())


@pytest.mark.accounts("root")
def test_programs_that_are_stopped(fresh, shows):
    """Nobody waits for ever, and each is told what to do."""
    fresh.up()
    daemon = fresh.daemon_pid
    helper = next(pid for pid, words in fresh.processes().items() if " helper " in words)
    os.kill(daemon, signal.SIGSTOP)
    status = fresh.lab("status", check=False)
    assert status.returncode == 1 and "does not answer" in status.stdout
    os.kill(helper, signal.SIGSTOP)
    try:
        line = says(fresh.down(check=False), f"kill -CONT {helper}")
    finally:
        os.kill(helper, signal.SIGCONT)
    assert "has ended" in fresh.down("--timeout", "1").stdout
    shows(line)


def test_limits_of_processes_and_files(fresh):
    """Files of half a kilobyte at most: no catalogue can be made."""
    result = run(fresh, "ulimit -f 1; $LAB up")
    if result.returncode == 0:
        works(fresh, result)
    else:
        says(result)

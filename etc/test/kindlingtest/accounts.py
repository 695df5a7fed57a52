"""The accounts that labs run as: root, and ordinary users made for one test run."""

import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass

PREFIX = "kindling-test-"
# A user needs these; elsewhere udev opens them for everybody.
DEVICES = ["/dev/net/tun", "/dev/fuse"]


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int
    home: str
    is_made: bool = False

    @property
    def is_root(self):
        return self.uid == 0

    def environment(self, **more):
        """The least that a login gives; nothing of the test's own environment but where programs and packages lie."""
        kept = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy") or key.startswith("PIP_")}
        # As Debian's login gives them: an ordinary user's has no directory of administrators' programs.
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" if self.is_root else "/usr/local/bin:/usr/bin:/bin"
        return kept | {"HOME": self.home, "USER": self.name, "LOGNAME": self.name, "PATH": path, "LANG": "C.UTF-8"} | more

    def identity(self):
        """Arguments for `subprocess` that make the child this account."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": [self.gid]}


def current():
    entry = pwd.getpwuid(os.geteuid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def has_id_range(name):
    """Whether /etc/subuid and /etc/subgid give the user ids of its own."""
    return all(
        re.search(rf"^{re.escape(name)}:\d+:\d+", pathlib.Path(path).read_text() if os.path.exists(path) else "", re.MULTILINE)
        for path in ("/etc/subuid", "/etc/subgid")
    )


def make(kind):
    """Makes an ordinary user: kind `user` with ranges in /etc/subuid and /etc/subgid, kind `single` without.

    Only root can. The name carries this process's id, so that what an interrupted run left behind can be told from what
    a run beside this one uses.
    """
    remove_stale()
    name = f"{PREFIX}{os.getpid()}{'s' if kind == 'single' else ''}"
    count = "0" if kind == "single" else "65536"
    subprocess.run(
        ["useradd", "--create-home", "--shell", "/bin/sh", "-K", f"SUB_UID_COUNT={count}", "-K", f"SUB_GID_COUNT={count}", name],
        check=True, capture_output=True, text=True)
    if has_id_range(name) != (kind != "single"):
        remove(name)
        raise RuntimeError(f"useradd made {name} {'with' if kind == 'single' else 'without'} ranges in /etc/subuid; the test needs the contrary")
    for device in DEVICES:
        if os.path.exists(device):
            os.chmod(device, 0o666)
    entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid, entry.pw_dir, is_made=True)


def processes(uid):
    """The ids of all processes of a user."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == uid:
                    found.append(int(entry.name))
            except OSError:
                pass  # it has ended meanwhile
    return found


def remove(name):
    """Ends the user's processes and removes the user with its home."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return
    for pid in processes(entry.pw_uid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["userdel", "--force", name], capture_output=True, check=False)
    shutil.rmtree(entry.pw_dir, ignore_errors=True)


def remove_stale():
    for entry in pwd.getpwall():
        match = re.fullmatch(rf"{PREFIX}(\d+)s?", entry.pw_name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            remove(entry.pw_name)

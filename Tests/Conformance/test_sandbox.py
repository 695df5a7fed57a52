"""Point 9: what a pod sees, and what it does not."""

import json
import pathlib

from kindlingtest.manifests import pod, shell

LOOK = r"""
import ctypes, json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
def readable(path):
    try: open(path).read(1); return True
    except OSError: return False
def writable(path):
    try: open(path, "a").close(); return True
    except OSError: return False
libc = ctypes.CDLL(None, use_errno=True)
def errno(*call):
    ctypes.set_errno(0)
    return libc.syscall(*call), ctypes.get_errno()
print(json.dumps(dict(
    pids=[int(p) for p in os.listdir("/proc") if p.isdigit()], pid=os.getpid(), nnp=status["NoNewPrivs"].strip(),
    seccomp=status["Seccomp"].strip(), interfaces=sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else [],
    home=os.path.exists(os.environ.get("LOOK_HOME", "/nowhere")), state=os.path.exists(os.environ.get("LOOK_STATE", "/nowhere")),
    kcore=readable("/proc/kcore"), sysrq=writable("/proc/sysrq-trigger"), sysctl=writable("/proc/sys/kernel/hostname"),
    usr=writable("/usr/bin/new-file"), tmp=writable("/tmp/new-file"), shm=os.statvfs("/dev/shm").f_bsize > 0, null=writable("/dev/null"),
    disks=[d for d in os.listdir("/dev") if d.startswith(("sd", "vd", "nvme", "kvm", "mem"))],
    unshare=errno(272, 0x10000000), keyctl=errno(250, 0, 0, 0), bpf=errno(321, 0, 0, 0), mount=libc.mount(b"none", b"/mnt", b"tmpfs", 0, None),
    bounding=int(status["CapBnd"], 16), ambient=int(status["CapAmb"], 16), hostname=os.uname().nodename, cwd=os.getcwd())))
"""


def look(lab, ns):
    container = {"env": [{"name": "LOOK_HOME", "value": lab.account.home}, {"name": "LOOK_STATE", "value": str(lab.state / "catalogue.sqlite")}]}
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("look", "python3", "-c", LOOK, image="python:3.11", container=container))
    lab.wait("pod/look", "jsonpath={.status.phase}=Succeeded", ns)
    return json.loads(lab.kubectl("logs", "look", "-n", ns).stdout)


def test_a_pod_sees_only_its_own_world(lab, ns, shows):
    seen = look(lab, ns)
    assert len(seen["pids"]) <= 3, f"a pod sees its own processes only: {seen['pids']}"
    assert seen["nnp"] == "1" and seen["seccomp"] == "2"
    assert not seen["state"], "the catalogue is visible"
    assert lab.is_root or not seen["home"], "the user's home is visible"
    assert not seen["kcore"] and not seen["sysrq"] and not seen["sysctl"]
    assert seen["tmp"] and seen["null"] and not seen["disks"]
    assert seen["hostname"] == "look"
    assert seen["unshare"][0] == -1 and seen["keyctl"][0] == -1 and seen["bpf"][0] == -1 and seen["mount"] == -1
    for dangerous in (1 << 21, 1 << 16, 1 << 12, 1 << 19):  # SYS_ADMIN, SYS_MODULE, NET_ADMIN, SYS_PTRACE
        assert not seen["bounding"] & dangerous
    shows(f"pids {seen['pids']}, seccomp filter, capabilities {seen['bounding']:x}, hostname {seen['hostname']}")


def test_pods_do_not_see_each_others_processes_or_files(lab, ns, shows):
    script = "echo hidden > /tmp/marker; exec -a visible-name sleep 300"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("secret", "bash", "-c", script, image="bash", terminationGracePeriodSeconds=1))
    lab.wait("pod/secret", "condition=Ready", ns)
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("spy", "ls /tmp; cat /proc/*/cmdline | tr '\\0' ' '"))
    lab.wait("pod/spy", "jsonpath={.status.phase}=Succeeded", ns)
    text = lab.kubectl("logs", "spy", "-n", ns).stdout
    assert "marker" not in text and "visible-name" not in text
    shows("neither files of /tmp nor processes of the other pod")


def test_pods_reach_each_other_by_address(lab, ns, shows):
    serve = "import http.server; http.server.HTTPServer(('0.0.0.0', 8000), http.server.SimpleHTTPRequestHandler).serve_forever()"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("server", "python3", "-c", serve, image="python:3.11", terminationGracePeriodSeconds=1))
    lab.wait("pod/server", "condition=Ready", ns)
    address = lab.get("pod", "server", ns)["status"]["podIP"]
    ask = f"import time, urllib.request\nfor _ in range(100):\n  try:\n    print(urllib.request.urlopen('http://{address}:8000/', timeout=5).status); break\n  except OSError: time.sleep(0.05)"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("client", "python3", "-c", ask, image="python:3.11"))
    lab.wait("pod/client", "jsonpath={.status.phase}=Succeeded", ns)
    assert lab.kubectl("logs", "client", "-n", ns).stdout.strip() == "200"
    shows(f"pod to pod over {address}")


def test_log_survives_rotation(lab, ns, shows):
    script = "import sys\nfor i in range(400000): sys.stdout.write('%07d %s\\n' % (i, 'x' * 90))"
    lab.kubectl("apply", "-n", ns, "-f", "-", input=pod("p", "python3", "-c", script, image="python:3.11"))
    lab.wait("pod/p", "jsonpath={.status.phase}=Succeeded", ns, 120)
    lines = lab.kubectl("logs", "p", "-n", ns, timeout=120).stdout.splitlines()
    numbers = [int(line.split()[0]) for line in lines]
    assert numbers[-1] == 399999 and numbers == list(range(numbers[0], 400000)), "lines are in order and whole to the end"
    size = sum(path.stat().st_size for path in lab.state.rglob("*") if path.is_file() and "log" in path.name and ns in str(path))
    shows(f"{len(lines)} of 400000 lines kept, the last ones; {size >> 20} MiB on disk")


def test_nothing_is_left_of_an_ended_pod(lab, ns, shows):
    lab.kubectl("apply", "-n", ns, "-f", "-", input=shell("p", "setsid sleep 4242 & setsid sleep 4242 & sleep 4242", terminationGracePeriodSeconds=1))
    lab.wait("pod/p", "condition=Ready", ns)
    lab.kubectl("delete", "pod", "p", "-n", ns)
    left = [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if read(p) == b"sleep\x004242\x00"]
    assert not left
    shows("three processes, all gone with the pod")


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""

"""lab image build: Dockerfiles and the short YAML file, built without and beside labd, run in pods, saved for others."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tarfile
import tempfile
import textwrap

import pytest

from kindlingtest import images
from kindlingtest.lab import BINARIES, ROOT
from test_image_archives import run, skopeo_command


@pytest.fixture(scope="session")
def system():
    return images.Image([images.small_system()], Env=["PATH=/bin"], Cmd=["sh"])


@pytest.fixture
def base(lab, place, system, tmp_path):
    """A loaded image with a shell."""
    archive = place.directory / "system.tar"
    if not archive.exists():
        system.docker_archive(archive, "my/base:1")
        archive.chmod(0o644)
        lab.lab("image", "load", archive)
    return "my/base:1"


@pytest.fixture
def context(place, request):
    """An empty directory of the lab's account."""
    directory = place.work / f"context-{abs(hash(request.node.nodeid))}"
    directory.mkdir()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def write(context, **files):
    for name, text in files.items():
        path = context / name.replace("__", "/").replace("_yaml", ".yaml").replace("_txt", ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    for path in [context, *context.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def build(lab, context, name, *words, **options):
    result = lab.lab("image", "build", "-t", name, *words, context, **options)
    found = re.search(r" built: (sha256:[0-9a-f]{64})", result.stdout)
    return result, found[1] if found else None


EVERYTHING = """
    # syntax=docker/dockerfile:1
    ARG BASE=my/base:1
    FROM ${BASE} AS build
    ARG WORD=default
    RUN echo "${WORD}" > /made && ln /made /same && rm /data/old && rm -r /home/jovyan && mkdir /home/jovyan && touch /theirs && chown 1000:100 /theirs
    RUN --mount=type=cache,target=/cache --mount=type=bind,source=src,target=/in <<EOF
    cat /in/a.txt /in/b.txt > /joined
    touch /cache/seen
    EOF
    FROM build
    ENV GREETING="hello $WORD" PATH=/opt/own:$PATH
    WORKDIR /app
    COPY --chown=jovyan --chmod=640 src/*.txt ./
    COPY <<'EOF' /opt/own/say
    #!/bin/sh
    echo "$GREETING" "$@" $(id -u) $(cat /app/a.txt)
    EOF
    COPY --from=build /theirs /kept/
    RUN ["chmod", "755", "/opt/own/say"]
    USER jovyan
    RUN id -u > /tmp/who && touch /app/mine 2>/dev/null || echo "not mine" >> /tmp/who
    STOPSIGNAL SIGINT
    LABEL made.by="test"
    ENTRYPOINT ["say"]
    CMD ["and", "more"]
"""


@pytest.mark.accounts("root", "user")
def test_a_dockerfile_runs_as_a_pod_by_its_name(lab, ns, base, context, shows):
    """Three builds and two pods are some seconds: what makes the layers has to be seen in the pods."""
    write(context, Dockerfile=EVERYTHING, src__a_txt="a\n", src__b_txt="b\n", src__c_md="c\n")
    first, digest = build(lab, context, "my/built:1", "--build-arg", "WORD=you")
    assert digest and "CACHED" not in first.stdout
    again, same = build(lab, context, "my/built:1", "--build-arg", "WORD=you")
    steps = [line for line in again.stdout.splitlines() if line.startswith("[") and "FROM" not in line]
    assert same == digest and len(steps) == 8 and all("CACHED" in line for line in steps), again.stdout
    fresh, rebuilt = build(lab, context, "my/built:2", "--build-arg", "WORD=you", "--no-cache")
    assert rebuilt == digest and "CACHED" not in fresh.stdout
    # ARG is out of scope after FROM, as docker has it; the pod has its ENTRYPOINT, CMD, ENV, USER and WORKDIR.
    assert run(lab, ns, "plain", "my/built:1", imagePullPolicy="IfNotPresent") == ["hello  and more 1000 a"]
    seen = run(lab, ns, "looks", "my/built:2", command=["sh", "-c"], args=[
        "cat /made /joined /tmp/who; ls /app /data /cache 2>&1; ls -ln /app/a.txt /kept/theirs; ls -a /home/jovyan; [ /made -ef /same ] && echo linked; echo $0 $PWD"])
    assert seen[:5] == ["you", "a", "b", "1000", "not mine"]
    assert "old" not in seen and "kept" in seen and "c.md" not in seen and "linked" in seen and seen[-1].endswith("/app")
    assert any(line.startswith("-rw-r----- 1 1000 100 ") for line in seen) and any(line.startswith("-rw-r--r-- 1 1000 100 0 ") for line in seen)
    status = lab.get("pod", "plain", ns)["status"]["containerStatuses"][0]
    assert status["imageID"].endswith(digest)
    inspected = json.loads(lab.lab("image", "inspect", "my/built:1").stdout)
    assert inspected["config"]["Labels"] == {"made.by": "test"} and inspected["config"]["StopSignal"] == "SIGINT"
    assert "ENTRYPOINT" in lab.lab("image", "history", "my/built:1").stdout
    shows(f"{digest}: twice the same, the second time nothing ran")


@pytest.mark.accounts("single")
def test_a_users_single_id_is_enough(place, system, shows):
    """Without ranges in /etc/subuid, and without labd."""
    lab = place.lab("noid")
    system.docker_archive(place.directory / "one.tar", "my/base:1")
    (place.directory / "one.tar").chmod(0o644)
    lab.lab("image", "load", place.directory / "one.tar")
    context = place.work / "one"
    context.mkdir()
    write(context, Dockerfile="FROM my/base:1\nRUN id -u && echo made > /made\nCOPY . /all\nUSER 1000\nRUN id -u && cat /made\n")
    result, digest = build(lab, context, "my/one:1")
    lines = result.stdout.splitlines()
    assert digest and "0" in lines and "1000" in lines and "made" in lines
    assert "the lab does not run, so RUN has no network" in result.stderr
    shows(f"{digest} by one id")


def test_errors_name_the_line_and_the_exit_code(lab, base, context, shows):
    write(context, Dockerfile=f"FROM {base}\n\nRUN echo seen && \\\n  exit 7\n")
    failed, _ = build(lab, context, "my/bad:1", check=False)
    assert failed.returncode == 7 and "seen\n" in failed.stdout
    assert failed.stderr.strip() == "lab: Dockerfile:3: RUN echo seen &&   exit 7 ended with exit code 7; what it printed is above"
    said = [failed.stderr.strip()]
    for number, (text, part) in enumerate([
            ("HEALTHCHECK CMD true", "livenessProbe"), ("ADD https://example.com/x /", "nothing is ever fetched"),
            ("COPY missing /", "missing is not in the context"), ('RUN ["/bin/none"]', "/bin/none")]):
        write(context, Dockerfile=f"FROM {base}\n# one\n{text}\n")
        result, _ = build(lab, context, f"my/bad:{number}", check=False)
        assert result.returncode != 0 and "Dockerfile:3: " in result.stderr and part in result.stderr, result.stderr
        said.append(result.stderr.strip().splitlines()[-1])
    assert "my/bad" not in lab.lab("image", "ls").stdout
    shows("; ".join(said)[:300])


def test_what_a_run_may_and_may_not(lab, place, base, context, shows):
    secret = place.work / "secret-of-the-host"
    secret.write_text("secret")
    write(context, Dockerfile=f"""
        FROM {base}
        RUN ls {place.work} 2>&1 || true
        RUN ls /proc/1/root/etc; ls /proc; id -u; cat /proc/self/status
        RUN echo 1 > /proc/sys/kernel/panic || echo refused
        RUN mkdir /dev/x && touch /sys/x || echo also refused
        """)
    result, _ = build(lab, context, "my/tight:1")
    assert "secret-of-the-host" not in result.stdout and "refused" in result.stdout and "also refused" in result.stdout
    assert "NoNewPrivs:\t1" in result.stdout and "Seccomp:\t2" in result.stdout
    # Its own processes alone.
    pids = [int(word) for line in result.stdout.splitlines() for word in line.split() if word.isdigit()]
    assert "CapEff:\t00000000a80425fb" in result.stdout, [line for line in result.stdout.splitlines() if line.startswith("Cap")]
    shows(f"as a container: its own capabilities, no_new_privs, seccomp, {len(pids)} numbers seen")


def test_a_runs_network_is_a_pods(lab, ns, base, context, shows):
    """labd's own DNS and API answer, as in a pod; --network=none has loopback alone."""
    write(context, Dockerfile=f"""
        FROM {base}
        RUN cat /etc/resolv.conf /proc/net/dev
        RUN --network=none cat /etc/resolv.conf /proc/net/dev
        """)
    result, _ = build(lab, context, "my/net:1")
    assert "nameserver" in result.stdout and "svc.cluster.local" in result.stdout
    parts = result.stdout.split("--network=none")
    assert "eth0:" in parts[0] and "eth0:" not in parts[1] and "lo:" in parts[1]
    shows("a pod's address and resolver")


def test_the_machines_own_system_and_pip_from_a_wheelhouse(lab, ns, place, context, shows):
    """A YAML file: Python of this machine, a package from a directory of wheels, files, variables, a command."""
    wheel(context / "wheels", "labtestpkg", "VALUE = 42\n")
    write(context, image_yaml="""
        from: python:3.11
        pip: {packages: [labtestpkg], wheelhouse: wheels}
        env: {GREETING: "it's $HOME"}
        workdir: /srv/app
        files: {main_txt: /srv/app/main.py}
        command: [python3, main.py]
        """.replace("main_txt", "main.txt"), main_txt="import labtestpkg, os; print(labtestpkg.VALUE, os.environ['GREETING'], os.getcwd())\n")
    first, digest = build(lab, context, "my/env:1")
    again, same = build(lab, context, "my/env:1")
    assert digest == same and again.stdout.count("CACHED") == 3, again.stdout
    if place.kind == "root":
        # pip twice is some seconds: its bytecode and records are the same each time.
        assert build(lab, context, "my/env:1", "--no-cache")[1] == digest
    assert run(lab, ns, "p", "my/env:1") == ["42 it's $HOME /srv/app"]
    refused = lab.lab("image", "save", "my/env:1", "-o", place.work / "x.tar", check=False)
    assert refused.returncode == 1 and "this machine's own system" in refused.stderr
    write(context, image_yaml="from: host\nfiels: {}\n")
    wrong, _ = build(lab, context, "my/env:2", check=False)
    assert wrong.returncode == 1 and "image.yaml:2: unknown field \"fiels\"" in wrong.stderr
    shows("pip install --no-index from a directory; the same bytes each time")


def test_changes_of_the_systems_own_directories_are_layers(lab, ns, context, shows):
    write(context, Dockerfile="""
        FROM debian
        RUN echo mine > /usr/local/lib/mine && rm /usr/bin/bash && ln -s /usr/local/lib/mine /etc/mine
        RUN cat /etc/mine && ! test -e /usr/bin/bash
        CMD ["sh", "-c", "cat /usr/local/lib/mine; test -e /usr/bin/bash || echo gone; cat /etc/mine; touch /usr/bin/new && echo writable"]
        """)
    build(lab, context, "my/usr:1")
    assert run(lab, ns, "p", "my/usr:1") == ["mine", "gone", "mine", "writable"]
    assert pathlib.Path("/usr/bin/bash").exists() and not pathlib.Path("/usr/local/lib/mine").exists()
    shows("/usr written, hidden and seen in a pod; the host's is as it was")


def wheel(directory, name, text):
    directory.mkdir(exist_ok=True)
    import zipfile

    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.mark.parametrize("who", ["interrupt", "kill", "labd"])
def test_an_interrupted_build_leaves_nothing(lab, place, base, context, who, shows):
    """Ctrl-C, SIGKILL of lab, SIGKILL of labd: no process lives on, prune removes the rest, and the cache stays right."""
    mark = f"build-mark-{who}-{os.getpid()}"
    write(context, Dockerfile=f"FROM {base}\nRUN echo one > /one\nRUN echo {mark}-runs && while :; do sleep 1000; done; : {mark}\n")
    process = lab.start("image", "build", "-t", "my/never:1", context, start_new_session=True)
    for line in process.stdout:
        if line.strip() == f"{mark}-runs":
            break
    assert living(f"; : {mark}")
    if who == "labd":
        lab.kill_daemon()
        # The build goes on; its network goes with the next labd perhaps, its files do not.
        assert living(f"; : {mark}") and process.poll() is None
        lab.up()
    os.killpg(process.pid, signal.SIGINT if who == "interrupt" else signal.SIGKILL)
    process.communicate(timeout=20)
    assert ends(f"; : {mark}")
    lab.lab("image", "prune")
    images_directory = lab.state / "images"
    assert list((images_directory / "builds").iterdir()) == [], "what the build wrote is still there"
    # The step that was done is not known any more, or is whole.
    write(context, Dockerfile=f"FROM {base}\nRUN echo one > /one\nRUN cat /one; : {who}\n")
    result, digest = build(lab, context, "my/after:1")
    assert digest and "one" in result.stdout.splitlines()
    assert "my/never" not in lab.lab("image", "ls").stdout
    shows(f"{who}: nothing left")


def pids(mark):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            # The shell of the RUN, not lab's own arguments.
            if words[0].endswith(b"sh") and any(word.endswith(mark.encode()) for word in words):
                found.append(int(entry.name))
    return found


def living(mark):
    return bool(pids(mark))


def ends(mark):
    for pid in pids(mark):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([descriptor], [], [], 10)[0]:
                return False
        finally:
            os.close(descriptor)
    return not living(mark)


def test_what_a_build_uses_is_not_removed(lab, base, context, shows):
    """The base loses its only name, and prune runs, while a RUN does."""
    lab.lab("image", "tag", base, "my/held:1")
    write(context, Dockerfile=f"FROM my/held:1\nRUN echo early > /early\nRUN echo go && cat /hold/on || cat /early /data/kept\n")
    process = lab.start("image", "build", "-t", "my/holds:1", "--no-cache", context)
    output = ""
    for line in process.stdout:
        output += line
        if line.startswith("[3/3]"):
            lab.lab("image", "rm", "my/held:1")
            lab.lab("image", "prune")
    assert process.wait() == 0, output
    assert "early" in output.splitlines() and "kept" in output
    shows("base and first layer stayed")


def test_skopeo_takes_what_was_built(tmp_path, system, shows):
    """Debian's skopeo reads what was saved, and what it wrote runs in a pod's way again: the same digests."""
    skopeo = skopeo_command()
    lab = [BINARIES / "lab", "--state", tmp_path / "state", "image"]

    def call(*words, **options):
        result = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"}, **options)
        assert result.returncode == 0, f"{words}\n{result.stdout}{result.stderr}"
        return result.stdout

    system.docker_archive(tmp_path / "base.tar", "my/base:1")
    call(*lab, "load", tmp_path / "base.tar")
    context = tmp_path / "context"
    context.mkdir()
    write(context, Dockerfile="FROM my/base:1\nRUN rm /data/old && echo new > /data/new\nENV A=b\nCOPY <<EOF /x/ü\nx\nEOF\n")
    call(*lab, "build", "-t", "my/it:1", context)
    call(*lab, "save", "my/it:1", "-o", tmp_path / "it.tar")
    seen = json.loads(call(*skopeo, "inspect", "--config", f"oci-archive:{tmp_path}/it.tar"))
    assert "A=b" in seen["config"]["Env"] and len(seen["rootfs"]["diff_ids"]) == 3
    call(*skopeo, "copy", f"oci-archive:{tmp_path}/it.tar", f"docker-archive:{tmp_path}/again.tar:my/again:1")
    call(*lab, "load", tmp_path / "again.tar")
    assert len(list((tmp_path / "state" / "images" / "layers").iterdir())) == 3
    # What another runtime unpacks: whiteouts, times and owners as tars have them.
    with tarfile.open(tmp_path / "it.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        with tarfile.open(fileobj=archive.extractfile(manifest["Layers"][1])) as layer:
            members = layer.getmembers()
    assert [member.name for member in members] == ["data", "data/.wh.old", "data/new"]
    assert {member.mtime for member in members} <= {315_619_200, 1_700_000_000} and {member.uname for member in members} == {""}
    shows(f"{skopeo[0]}: {len(members)} members of the RUN's layer")


@pytest.fixture
def short():
    """A directory whose path podman does not find too long."""
    with tempfile.TemporaryDirectory(prefix="kp-", ignore_cleanup_errors=True) as directory:
        yield directory


@pytest.mark.machine_root
def test_podman_says_the_same(tmp_path, short, system, shows):
    """Debian's podman loads what was saved and runs it; a pod of ours prints the same lines."""
    root = ROOT / ".build" / "tools" / "clients" / "debian" / "root"
    if not (root / "usr/bin/podman").exists():
        pytest.skip("the set-up found no podman of Debian's: 'python3 etc/test/tools.py clients' tells why")
    lab = [str(BINARIES / "lab"), "--state", str(tmp_path / "state")]
    environment = os.environ | {"LC_ALL": "C.UTF-8"}

    def call(*words, env=environment):
        result = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, env=env)
        assert result.returncode == 0, f"{words}\n{result.stdout}{result.stderr}"
        return result.stdout

    system.docker_archive(tmp_path / "base.tar", "my/base:1")
    call(*lab, "image", "load", tmp_path / "base.tar")
    context = tmp_path / "context"
    context.mkdir()
    write(context, Dockerfile="""
        FROM my/base:1
        RUN rm /data/old && echo new > /data/new && ln /data/new /data/same && rm -r /home/jovyan && mkdir /home/jovyan
        ENV GREETING=hello
        WORKDIR /data
        COPY <<"EOF" /say
        #!/bin/sh
        echo $GREETING $(id -u) $PWD "$@"; ls -ln /data /home/jovyan; cat /data/new
        EOF
        RUN chmod 755 /say
        USER jovyan
        ENTRYPOINT ["/say"]
        CMD ["and more"]
        """)
    call(*lab, "image", "build", "-t", "my/it:1", context)
    call(*lab, "image", "save", "my/it:1", "-o", tmp_path / "it.tar")
    (tmp_path / "containers.conf").write_text(f'[engine]\nconmon_path=["{root}/usr/bin/conmon"]\ncgroup_manager="cgroupfs"\nevents_logger="file"\n')
    (tmp_path / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    libraries = ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu"))
    theirs = environment | {
        "PATH": f"{root}/usr/bin:{os.environ['PATH']}", "LD_LIBRARY_PATH": libraries, "CONTAINERS_CONF": str(tmp_path / "containers.conf")}
    # crun refuses machines with both versions of control groups: in these mounts there are none.
    podman = [
        "unshare", "-m", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh", "podman", "--root", tmp_path / "store", "--runroot", short,
        "--storage-driver", "vfs", "--runtime", f"{root}/usr/bin/crun"]
    assert "docker.io/my/it:1" in call(*podman, "load", "--signature-policy", tmp_path / "policy.json", "-i", tmp_path / "it.tar", env=theirs)
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
    said = call(
        *podman, "run", "--rm", "--network", "none", "--cgroups=disabled", "--security-opt", "seccomp=unconfined", *limits, "docker.io/my/it:1", env=theirs)
    assert said.startswith("hello 1000 /data and more\n") and " old" not in said and said.endswith("new\n")
    call(*lab, "up")
    try:
        kubectl = [ROOT / ".build" / "tools" / "test" / "bin" / "kubectl", "--kubeconfig", tmp_path / "state" / "kubeconfig"]
        call(*kubectl, "run", "p", "--image=my/it:1", "--restart=Never", "--image-pull-policy=IfNotPresent")
        call(*kubectl, "wait", "pod/p", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
        assert call(*kubectl, "logs", "p") == said
    finally:
        call(*lab, "down")
    shows(f"{len(said.splitlines())} lines, the same from podman and from a pod")

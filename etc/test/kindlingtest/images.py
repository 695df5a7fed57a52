"""Images made here: their layers, configurations and archives, with one static program in them."""

import gzip
import hashlib
import io
import json
import pathlib
import platform
import shutil
import subprocess
import tarfile

PROGRAM = r"""
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static void ended(int number) { printf("signal %d\n", number); fflush(stdout); _exit(0); }
int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < count; i++) {
        char *word = words[i], text[4096];
        if (!strcmp(word, "ids")) printf("ids %d %d\n", (int)getuid(), (int)getgid());
        else if (!strcmp(word, "cwd")) printf("cwd %s\n", getcwd(text, sizeof text));
        else if (!strcmp(word, "wait")) { for (int s = 1; s < 32; s++) signal(s, ended); puts("waits"); for (;;) pause(); }
        else if (word[0] == '$') printf("%s=%s\n", word + 1, getenv(word + 1) ? getenv(word + 1) : "(none)");
        else if (word[0] == '+') { FILE *f = fopen(word + 1, "w"); puts(f && fputs("written", f) >= 0 && !fclose(f) ? "written" : "refused"); }
        else if (word[0] == '/') {
            struct stat about;
            if (lstat(word, &about)) { printf("%s: none\n", word); continue; }
            printf("%s: %o %d ", word, (unsigned)about.st_mode & 07777, (int)about.st_uid);
            DIR *directory = S_ISDIR(about.st_mode) ? opendir(word) : NULL;
            if (directory) {
                int entries = 0;
                for (struct dirent *e; (e = readdir(directory));) entries += e->d_name[0] != '.';
                printf("%d entries\n", entries);
                continue;
            }
            FILE *f = fopen(word, "r");
            size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
            text[n] = 0;
            puts(f ? text : "unreadable");
        } else puts(word);
    }
    return 0;
}
"""


def program(directory):
    """The static program, compiled."""
    source = pathlib.Path(directory) / "tool.c"
    source.write_text(PROGRAM)
    subprocess.run(["gcc", "-O1", "-static", "-o", source.with_suffix(""), source], check=True)
    return source.with_suffix("").read_bytes()


def layer(*entries):
    """The bytes of a tar. An entry: name, content or None for a directory or ("link", target), and attributes of TarInfo."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, *rest in entries:
            info = tarfile.TarInfo(name)
            info.mtime, info.mode = 1_700_000_000, 0o644
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, tuple):
                info.type, info.linkname = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[content[0]], content[1]
            else:
                content = content.encode() if isinstance(content, str) else content
                info.size = len(content)
            for key, value in (rest[0] if rest else {}).items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def machine():
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "unknown")


class Image:
    """Layers (tars without compression, lowest first) and a configuration."""

    def __init__(self, layers, **config):
        self.layers, self.config = layers, config

    def configuration(self, architecture=None):
        return json.dumps({
            "architecture": architecture or machine(), "os": "linux", "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": [digest(content) for content in self.layers]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": f"COPY step {number} /"} for number in range(len(self.layers))]}).encode()

    def docker_archive(self, path, *names):
        """As `docker save` writes it."""
        members = {f"{number}/layer.tar": content for number, content in enumerate(self.layers)}
        manifest = [{"Config": "config.json", "RepoTags": list(names), "Layers": list(members)}]
        members |= {"config.json": self.configuration(), "manifest.json": json.dumps(manifest).encode()}
        path.write_bytes(layer(*members.items()))

    def layout(self, directory, name, compress=gzip.compress, suffix="+gzip", others=()):
        """An OCI layout whose index has an index of several architectures."""
        blobs = directory / "blobs" / "sha256"
        blobs.mkdir(parents=True)

        def put(content, media):
            (blobs / digest(content)[7:]).write_bytes(content)
            return {"mediaType": media, "digest": digest(content), "size": len(content)}

        def manifest(architecture):
            config = put(self.configuration(architecture), "application/vnd.oci.image.config.v1+json")
            layers = [put(compress(content), "application/vnd.oci.image.layer.v1.tar" + suffix) for content in self.layers]
            document = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers}
            return put(json.dumps(document).encode(), document["mediaType"]) | {"platform": {"os": "linux", "architecture": architecture}}

        media = "application/vnd.oci.image.index.v1+json"
        inner = {"schemaVersion": 2, "mediaType": media, "manifests": [manifest(a) for a in (*others, machine())]}
        outer = put(json.dumps(inner).encode(), media) | {"annotations": {"org.opencontainers.image.ref.name": name}}
        (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [outer]}))
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        for path in [directory, *directory.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


TOOLS = ["sh", "cat", "chmod", "chown", "echo", "env", "id", "ln", "ls", "mkdir", "rm", "sleep", "touch"]


def small_system(more=()):
    """A layer with this machine's shell and a few tools, and the libraries they need: a base for RUN."""
    files = {}
    for name in TOOLS:
        path = shutil.which(name)
        files[f"bin/{name}"] = pathlib.Path(path).resolve()
        told = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        for word in told.split():
            if word.startswith("/"):
                files[word.lstrip("/")] = pathlib.Path(word).resolve()
    entries = [(name, path.read_bytes(), {"mode": 0o755}) for name, path in files.items()]
    users = "root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\n"
    return layer(
        *entries, ("etc", None), ("etc/passwd", users), ("etc/group", "users:x:100:\n"), ("tmp", None, {"mode": 0o1777}), ("root", None, {"mode": 0o700}),
        ("home", None), ("home/jovyan", None, {"uid": 1000, "gid": 100}), ("data", None), ("data/old", "old"), ("data/kept", "kept"), *more)

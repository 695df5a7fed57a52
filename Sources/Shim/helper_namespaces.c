// Making labd's namespaces, or taking over those that a killed helper left to its labd and supervisors.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"

static int open_namespace(pid_t pid, const char *kind, ino_t *inode) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd >= 0 && fstat(fd, &info) == 0) *inode = info.st_ino;
    return fd;
}

static void close_namespaces(struct namespaces *ns) {
    if (ns->user >= 0) close(ns->user);
    if (ns->mount >= 0) close(ns->mount);
    if (ns->network >= 0) close(ns->network);
    ns->user = ns->mount = ns->network = -1;
}

static bool open_all(pid_t pid, struct namespaces *ns) {
    ns->user = open_namespace(pid, "user", &ns->user_inode);
    ns->mount = open_namespace(pid, "mnt", &ns->mount_inode);
    ns->network = open_namespace(pid, "net", &ns->network_inode);
    if (ns->user >= 0 && ns->mount >= 0 && ns->network >= 0) return true;
    close_namespaces(ns);
    return false;
}

// Without a record of the old ones, a namespace is believed only if it is not the helper's own and belongs to its user.
static bool plausible(const struct namespaces *ns) {
    struct stat own;
    uid_t owner = (uid_t)-1;
    if (stat("/proc/self/ns/user", &own) < 0 || own.st_ino == ns->user_inode) return false;
    return ioctl(ns->user, NS_GET_OWNER_UID, &owner) == 0 && owner == geteuid();
}

static bool adopt_from(struct helper *h, pid_t pid) {
    struct process process = {.pidfd = -1};
    struct namespaces found = {-1, -1, -1, 0, 0, 0};
    if (!process_hold(&process, pid, 0)) return false;
    bool opened = open_all(pid, &found);
    // Still the same process after its namespaces were opened, so they are its.
    bool alive = opened && process_signal(&process, 0) == 0;
    process_release(&process);
    bool known = h->ns.user_inode != 0;
    bool match = alive && (known ? found.user_inode == h->ns.user_inode && found.mount_inode == h->ns.mount_inode &&
                                       found.network_inode == h->ns.network_inode
                                 : plausible(&found));
    if (!match) {
        if (opened) close_namespaces(&found);
        return false;
    }
    h->ns = found;
    h->adopted = true;
    return true;
}

// Any process that is still in the namespaces of the record will do, above all a pod's supervisor.
static bool adopt_from_any(struct helper *h) {
    DIR *proc = h->ns.user_inode != 0 ? opendir("/proc") : NULL;
    if (proc == NULL) return false;
    const struct dirent *entry;
    bool found = false;
    while (!found && (entry = readdir(proc)) != NULL) {
        char path[64];
        struct stat info;
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid <= 1) continue;
        snprintf(path, sizeof path, "/proc/%ld/ns/mnt", pid);
        found = stat(path, &info) == 0 && info.st_ino == h->ns.mount_inode && adopt_from(h, (pid_t)pid);
    }
    closedir(proc);
    return found;
}

int namespaces_adopt(struct helper *h) {
    if (h->labd.pid != 0 && adopt_from(h, h->labd.pid)) return EXIT_OK;
    for (int i = 0; i < h->adopt_count; i++) {
        if (adopt_from(h, h->adopt[i])) return EXIT_OK;
    }
    return adopt_from_any(h) ? EXIT_OK : EXIT_FAILED;
}

// What is wrong when the kernel refuses a user namespace, and the command that cures it.
static void explain_refusal(int error) {
    char value[16] = "", self[PATH_MAX] = "/usr/local/bin/lab-shim";
    int fd = open("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, value, sizeof value - 1) < 0) value[0] = 0;
        close(fd);
    }
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) self[n] = 0;
    fprintf(stderr, "lab-shim: the kernel refuses a user namespace (%s)\n", strerror(error));
    if (value[0] == '1') {
        fprintf(stderr,
                "AppArmor restricts user namespaces on this machine (Ubuntu 23.10 and later). An administrator allows "
                "them for this program with:\n\n"
                "sudo tee /etc/apparmor.d/kindling >/dev/null <<'END'\n"
                "abi <abi/4.0>,\n"
                "include <tunables/global>\n"
                "profile kindling %s flags=(unconfined) {\n"
                "  userns,\n"
                "}\n"
                "END\n"
                "sudo apparmor_parser -r /etc/apparmor.d/kindling\n",
                self);
        return;
    }
    if (access("/proc/sys/kernel/unprivileged_userns_clone", F_OK) == 0)
        fprintf(stderr, "An administrator allows them with: sudo sysctl -w kernel.unprivileged_userns_clone=1\n");
    if (error == ENOSPC)
        fprintf(stderr, "The limit is used up or 0; an administrator raises it with: "
                        "sudo sysctl -w user.max_user_namespaces=15000\n");
    else
        fprintf(stderr, "If this is a container, its runtime's seccomp profile forbids clone(CLONE_NEWUSER): allow it, or "
                        "start lab outside the container.\n");
}

// Runs in the new namespaces once the id map is written: gives the exit status that says what failed.
static int prepare_inside(int go, int ready) {
    char byte;
    if (read(go, &byte, 1) != 1) return 1;
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) return 2;
    // Slave, not private: the host may still unmount a disk, and what it mounts later can be given to a pod.
    if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return 3;
    int nl = kd_nl_open();
    if (nl < 0) return 4;
    if (kd_nl_link_up(nl, "lo") < 0) return 5;
    close(nl);
    if (write(ready, "", 1) != 1) return 6;
    // The parent opens the namespaces while this process still exists; it then closes the pipe.
    while (read(go, &byte, 1) < 0 && errno == EINTR) {}
    return 0;
}

static int make_in_child(struct helper *h, pid_t child, int go, int ready) {
    static const char *const stages[] = {"", "waiting for the id map", "becoming root in the namespace",
                                         "making mounts slaves", "opening netlink", "bringing lo up", "answering"};
    int rc = idmap_write(h, child);
    if (rc < 0) {
        fprintf(stderr, "lab-shim: cannot write the id map of labd's user namespace: %s\n", strerror(-rc));
        if (rc == -EPERM || rc == -EACCES) explain_refusal(-rc);
        return EXIT_NOT_PERMITTED;
    }
    char byte = 0;
    if (write(go, &byte, 1) == 1 && read(ready, &byte, 1) == 1) {
        if (open_all(child, &h->ns)) return EXIT_OK;
        fprintf(stderr, "lab-shim: cannot open the new namespaces: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    int status = 0;
    waitpid(child, &status, 0);
    int stage = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    fprintf(stderr, "lab-shim: preparing labd's namespaces failed when %s\n", stage > 0 && stage < 7 ? stages[stage] : "starting");
    explain_refusal(EPERM);
    return EXIT_NOT_PERMITTED;
}

int namespaces_create(struct helper *h) {
    int go[2], ready[2];
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0) {
        fprintf(stderr, "lab-shim: cannot make a pipe: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    long child = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        close(go[1]);
        close(ready[0]);
        _exit(prepare_inside(go[0], ready[1]));
    }
    int error = errno;
    close(go[0]);
    close(ready[1]);
    int code;
    if (child < 0) {
        explain_refusal(error);
        code = EXIT_NOT_PERMITTED;
    } else {
        code = make_in_child(h, (pid_t)child, go[1], ready[0]);
    }
    close(go[1]);
    close(ready[0]);
    if (child > 0) waitpid((pid_t)child, NULL, 0);
    return code;
}

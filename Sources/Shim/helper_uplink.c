// The way out of labd's network namespace: a veth pair when root, pasta or slirp4netns otherwise. The work is done by a
// child, so that the loop goes on; the child's exit status says whether it worked and uplink.log why not.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"

// Inside addresses that reach the host's resolver. pasta's is free to choose, slirp4netns's is its default.
#define PASTA_NAMESERVER "169.254.1.53"
#define SLIRP_NAMESERVER "10.0.2.3"
#define NO_PROGRAM 127

const char *uplink_kind_name(enum uplink_kind kind) {
    switch (kind) {
        case UPLINK_NONE: return "none";
        case UPLINK_VETH: return "veth";
        case UPLINK_PASTA: return "pasta";
        case UPLINK_SLIRP: return "slirp4netns";
    }
    return "none";
}

// What changed is written down before anyone is told, so that a helper killed at any moment leaves a true record.
static void answer(struct helper *h, const char *code, const char *message) {
    record_write(h);
    waiter_reply(h, h->uplink.waiters, code, message);
}

static void set_up(struct helper *h) {
    h->uplink.state = UPLINK_UP;
    const char *nameserver = "";
    if (h->uplink.kind == UPLINK_PASTA) nameserver = PASTA_NAMESERVER;
    if (h->uplink.kind == UPLINK_SLIRP) nameserver = SLIRP_NAMESERVER;
    snprintf(h->uplink.nameserver, sizeof h->uplink.nameserver, "%s", nameserver);
}

static void set_down(struct helper *h) {
    process_release(&h->uplink.process);
    h->uplink.state = UPLINK_DOWN;
    h->uplink.kind = UPLINK_NONE;
    h->uplink.changed[0] = h->uplink.nameserver[0] = 0;
}

static int write_pid(pid_t pid) {
    FILE *file = fopen("uplink.pid", "we");
    if (file == NULL) return EXIT_FAILED;
    fprintf(file, "%d\n", (int)pid);
    return fclose(file) == 0 ? EXIT_OK : EXIT_FAILED;
}

// pasta puts itself into the background when the namespace is configured, so its end as a child means it is ready.
static int run_pasta(struct helper *h) {
    char user[64], network[64], pid[32];
    snprintf(user, sizeof user, "/proc/%d/ns/user", (int)h->labd.pid);
    snprintf(network, sizeof network, "/proc/%d/ns/net", (int)h->labd.pid);
    if (h->labd.pid == 0) {
        // Only without a labd: a profile that confines pasta knows the paths of /proc/PID/ns, not those of descriptors.
        snprintf(user, sizeof user, "/proc/%d/fd/%d", (int)getppid(), h->ns.user);
        snprintf(network, sizeof network, "/proc/%d/fd/%d", (int)getppid(), h->ns.network);
    }
    snprintf(pid, sizeof pid, "uplink.pid");
    char *argv[] = {"pasta", "--quiet", "--config-net", "-4", "--no-map-gw", "--no-netns-quit",
                    "-t", "none", "-u", "none", "-T", "none", "-U", "none",
                    "-I", "uplink0", "--dns-forward", PASTA_NAMESERVER, "--pid", pid,
                    "--userns", user, "--netns", network, NULL};
    execvp(argv[0], argv);
    return NO_PROGRAM;
}

static int run_slirp(struct helper *h) {
    int ready[2];
    if (pipe(ready) < 0) return EXIT_FAILED;
    pid_t parent = getppid();
    pid_t pid = fork();
    if (pid == 0) {
        char user[64], network[64], ready_word[32];
        close(ready[0]);
        setsid();
        snprintf(user, sizeof user, "--userns-path=/proc/%d/fd/%d", (int)parent, h->ns.user);
        snprintf(network, sizeof network, "/proc/%d/fd/%d", (int)parent, h->ns.network);
        snprintf(ready_word, sizeof ready_word, "--ready-fd=%d", ready[1]);
        char *argv[] = {"slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", user,
                        "--netns-type=path", ready_word, network, "uplink0", NULL};
        execvp(argv[0], argv);
        _exit(NO_PROGRAM);
    }
    close(ready[1]);
    char byte;
    if (pid > 0 && read(ready[0], &byte, 1) == 1) return write_pid(pid);
    int status = 0;
    if (pid > 0) waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM ? NO_PROGRAM : EXIT_FAILED;
}

static int job_body(struct helper *h, bool up) {
    switch (h->uplink.kind) {
        case UPLINK_VETH: return up ? uplink_veth_up(h) : uplink_veth_down(h);
        case UPLINK_PASTA: return run_pasta(h);
        case UPLINK_SLIRP: return run_slirp(h);
        case UPLINK_NONE: return EXIT_FAILED;
    }
    return EXIT_FAILED;
}

static bool start_job(struct helper *h, bool up) {
    pid_t pid = fork();
    if (pid != 0) {
        h->uplink.job = pid > 0 ? pid : 0;
        return pid > 0;
    }
    helper_reset_signals();
    if (fchdir(h->runtime_fd) < 0) _exit(EXIT_FAILED);
    int log = open("uplink.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    int code = job_body(h, up);
    fflush(NULL);
    _exit(code);
}

static void start_up(struct helper *h, enum uplink_kind kind) {
    h->uplink.kind = kind;
    h->uplink.state = UPLINK_STARTING;
    unlinkat(h->runtime_fd, "uplink.pid", 0);
    if (start_job(h, true)) return;
    set_down(h);
    answer(h, "system", "cannot fork a child for the uplink");
}

void uplink_up(struct helper *h, struct waiter waiter) {
    if (!waiter_add(h->uplink.waiters, waiter)) return;
    if (h->uplink.state == UPLINK_UP) {
        answer(h, NULL, NULL);
    } else if (h->uplink.state == UPLINK_STOPPING) {
        answer(h, "busy", "the uplink is being taken down; ask again when it is");
    } else if (h->uplink.state == UPLINK_DOWN) {
        start_up(h, geteuid() == 0 ? UPLINK_VETH : UPLINK_PASTA);
    }
}

void uplink_down(struct helper *h, struct waiter waiter) {
    if (waiter.slot >= 0 && !waiter_add(h->uplink.waiters, waiter)) return;
    switch (h->uplink.state) {
        case UPLINK_DOWN: answer(h, NULL, NULL); return;
        case UPLINK_STOPPING: return;
        case UPLINK_STARTING:
            // Its end will be noticed as a failed start, which answers everyone.
            kill(h->uplink.job, SIGTERM);
            return;
        case UPLINK_UP: break;
    }
    h->uplink.state = UPLINK_STOPPING;
    if (h->uplink.kind == UPLINK_VETH) {
        if (start_job(h, false)) return;
    } else if (process_signal(&h->uplink.process, SIGTERM) == 0) {
        return;
    }
    set_down(h);
    answer(h, NULL, NULL);
}

static void read_text(struct helper *h, const char *name, char *text, size_t size) {
    text[0] = 0;
    int fd = openat(h->runtime_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
}

static void started(struct helper *h) {
    char text[MESSAGE_SIZE];
    if (h->uplink.kind == UPLINK_VETH) {
        read_text(h, "uplink.changed", h->uplink.changed, sizeof h->uplink.changed);
    } else {
        read_text(h, "uplink.pid", text, sizeof text);
        if (!process_hold(&h->uplink.process, (pid_t)strtol(text, NULL, 10), 0)) {
            const char *name = uplink_kind_name(h->uplink.kind);
            snprintf(text, sizeof text, "%s ended at once; see uplink.log in the runtime directory", name);
            set_down(h);
            answer(h, "uplink", text);
            return;
        }
        helper_watch(h, h->uplink.process.pidfd, WATCH_UPLINK, 0);
    }
    set_up(h);
    helper_log("uplink up: %s", uplink_kind_name(h->uplink.kind));
    answer(h, NULL, NULL);
}

static void start_failed(struct helper *h, int status) {
    char text[MESSAGE_SIZE], log[512];
    bool missing = WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM;
    read_text(h, "uplink.log", log, sizeof log);
    log[strcspn(log, "\n")] = 0;
    if (h->uplink.kind == UPLINK_PASTA && !h->stopping) {
        snprintf(h->uplink.refused, sizeof h->uplink.refused, "%s", missing ? "" : log[0] ? log : "it gave no reason");
        start_up(h, UPLINK_SLIRP);
        return;
    }
    if (missing && h->uplink.refused[0])
        // On a machine without any network pasta has nothing to lead to.
        snprintf(text, sizeof text, "no uplink: pasta does not start (%s), and slirp4netns is not there", h->uplink.refused);
    else if (missing)
        snprintf(text, sizeof text, "no uplink: neither pasta nor slirp4netns works here; install one: apt-get install passt");
    else
        snprintf(text, sizeof text, "no uplink: %s failed: %s", uplink_kind_name(h->uplink.kind), log[0] ? log : "it gave no reason");
    helper_log("%s", text);
    set_down(h);
    answer(h, "uplink", text);
}

void uplink_job_ended(struct helper *h, int status) {
    h->uplink.job = 0;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (h->uplink.state == UPLINK_STOPPING) {
        set_down(h);
        answer(h, good ? NULL : "uplink", "parts of the uplink could not be removed; see uplink.log");
    } else if (good) {
        started(h);
    } else {
        start_failed(h, status);
    }
}

void uplink_process_ended(struct helper *h) {
    bool asked = h->uplink.state == UPLINK_STOPPING;
    if (!asked) helper_lost(h, "the uplink: %s ended by itself", uplink_kind_name(h->uplink.kind));
    set_down(h);
    answer(h, asked ? NULL : "uplink", "the uplink ended by itself");
}

void uplink_recover(struct helper *h, const char *kind, pid_t pid, unsigned long long start, const char *changed) {
    enum uplink_kind found = UPLINK_NONE;
    for (int k = UPLINK_VETH; k <= UPLINK_SLIRP; k++) {
        if (strcmp(kind, uplink_kind_name((enum uplink_kind)k)) == 0) found = (enum uplink_kind)k;
    }
    if (found == UPLINK_NONE) return;
    h->uplink.kind = found;
    snprintf(h->uplink.changed, sizeof h->uplink.changed, "%s", changed);
    bool alive = found == UPLINK_VETH ? h->adopted : process_hold(&h->uplink.process, pid, start);
    if (alive && h->adopted) {
        if (found != UPLINK_VETH) helper_watch(h, h->uplink.process.pidfd, WATCH_UPLINK, 0);
        set_up(h);
        return;
    }
    // Its namespace is gone, so it serves nobody: what is left of it in the host goes too.
    helper_lost(h, "the uplink (%s)", kind);
    if (found == UPLINK_VETH) uplink_veth_down(h);
    else if (alive) process_signal(&h->uplink.process, SIGTERM);
    set_down(h);
}

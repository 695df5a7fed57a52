// Starting and stopping labd in the namespaces that the helper holds.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"

#define LOG_MAX (16L << 20)

struct failure {
    char doing[64];
    int error;
};

// labd's own log; one older file is kept.
static int open_log(struct helper *h) {
    char path[PATH_MAX], old[PATH_MAX + 2];
    if (snprintf(path, sizeof path, "%s/log/labd.log", h->state) >= (int)sizeof path) return -1;
    snprintf(old, sizeof old, "%s.1", path);
    struct stat info;
    if (stat(path, &info) == 0 && info.st_size > LOG_MAX) rename(path, old);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void fail(int report, const char *doing) {
    struct failure failure = {.error = errno};
    snprintf(failure.doing, sizeof failure.doing, "%s", doing);
    if (write(report, &failure, sizeof failure) < 0) _exit(126);
    _exit(127);
}

static void become_daemon(struct helper *h, char *const argv[], int report) {
    int log = h->foreground ? -1 : open_log(h);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    helper_reset_signals();
    setsid();
    if (setns(h->ns.user, CLONE_NEWUSER) < 0) fail(report, "joining the user namespace");
    if (setns(h->ns.network, CLONE_NEWNET) < 0) fail(report, "joining the network namespace");
    if (setns(h->ns.mount, CLONE_NEWNS) < 0) fail(report, "joining the mount namespace");
    // Supplementary groups have no meaning inside; with a single id the kernel does not let them be dropped.
    if (setgroups(0, NULL) < 0 && errno != EPERM) fail(report, "dropping groups");
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) fail(report, "becoming root of the namespace");
    if (chdir("/") < 0) fail(report, "changing to /");
    if (null >= 0) dup2(null, STDIN_FILENO);
    if (log < 0 && !h->foreground) log = null;
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    execv(argv[0], argv);
    fail(report, "executing labd");
}

static void write_pid_file(struct helper *h) {
    char text[64];
    int fd = openat(h->runtime_fd, "labd.pid.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return;
    int n = snprintf(text, sizeof text, "%d %llu\n", (int)h->labd.pid, h->labd.started);
    bool written = write(fd, text, (size_t)n) == n;
    close(fd);
    if (written) renameat(h->runtime_fd, "labd.pid.new", h->runtime_fd, "labd.pid");
}

int daemon_start(struct helper *h, char *const argv[], char *message) {
    if (h->labd.pid != 0) {
        snprintf(message, MESSAGE_SIZE, "labd already runs as process %d", (int)h->labd.pid);
        return -EALREADY;
    }
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) {
        snprintf(message, MESSAGE_SIZE, "cannot make a pipe: %s", strerror(errno));
        return -errno;
    }
    pid_t pid = fork();
    if (pid == 0) become_daemon(h, argv, report[1]);
    close(report[1]);
    struct failure failure = {.doing = "forking", .error = errno};
    // The other end closes when labd's program has been executed: milliseconds, not the time labd needs to be ready.
    ssize_t n = pid < 0 ? (ssize_t)sizeof failure : read(report[0], &failure, sizeof failure);
    close(report[0]);
    if (n == (ssize_t)sizeof failure) {
        if (pid > 0) waitpid(pid, NULL, 0);
        snprintf(message, MESSAGE_SIZE, "cannot start %s: %s: %s", argv[0], failure.doing, strerror(failure.error));
        return -failure.error;
    }
    if (!process_hold(&h->labd, pid, 0)) {
        // It ended already: the signal that says so is handled next, and needs to know whose end it was.
        h->labd = (struct process){.pid = pid, .pidfd = -1};
    }
    h->labd.child = true;
    h->labd_exited = false;
    h->labd_starts++;
    write_pid_file(h);
    helper_log("labd started as process %d", (int)pid);
    return 0;
}

void daemon_stop(struct helper *h, int grace_seconds) {
    process_signal(&h->labd, SIGTERM);
    struct itimerspec when = {.it_value = {.tv_sec = grace_seconds > 0 ? grace_seconds : 0, .tv_nsec = 1000000}};
    timerfd_settime(h->timer, 0, &when, NULL);
}

void daemon_ended(struct helper *h, int status) {
    struct itimerspec never = {0};
    timerfd_settime(h->timer, 0, &never, NULL);
    if (status < 0) helper_log("labd (process %d) ended", (int)h->labd.pid);
    else if (WIFEXITED(status)) helper_log("labd (process %d) ended with status %d", (int)h->labd.pid, WEXITSTATUS(status));
    else helper_log("labd (process %d) was ended by signal %d", (int)h->labd.pid, WTERMSIG(status));
    process_release(&h->labd);
    h->labd_exited = true;
    h->labd_status = status;
    unlinkat(h->runtime_fd, "labd.pid", 0);
    record_write(h);
    waiter_reply(h, h->stop_waiters, NULL, NULL);
    if (!h->foreground) return;
    h->stopping = true;
    h->exit_code = status < 0 ? EXIT_FAILED : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

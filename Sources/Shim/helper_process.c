#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"

unsigned long long process_start_time(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    // The command name in brackets may hold blanks and brackets itself; the fields that follow do not.
    char *at = strrchr(text, ')');
    if (at == NULL) return 0;
    at++;
    if (at[0] == ' ' && (at[1] == 'Z' || at[1] == 'X')) return 0;
    for (int field = 2; field < 21 && at != NULL; field++) at = strchr(at + 1, ' ');
    return at == NULL ? 0 : strtoull(at, NULL, 10);
}

bool process_hold(struct process *process, pid_t pid, unsigned long long started) {
    if (pid <= 1) return false;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) return false;
    // Read after the descriptor was opened: if it is the right process now, the descriptor is its.
    unsigned long long found = process_start_time(pid);
    if (found == 0 || (started != 0 && found != started)) {
        close(pidfd);
        return false;
    }
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    *process = (struct process){.pid = pid, .started = found, .pidfd = pidfd, .child = false};
    return true;
}

void process_release(struct process *process) {
    if (process->pid != 0 && process->pidfd >= 0) close(process->pidfd);
    *process = (struct process){.pid = 0, .pidfd = -1};
}

int process_signal(const struct process *process, int signal) {
    if (process->pid == 0) return -ESRCH;
    return syscall(SYS_pidfd_send_signal, process->pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int process_run(char *const argv[], const char *input) {
    int feed[2];
    if (pipe2(feed, O_CLOEXEC) < 0) return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        close(feed[0]);
        close(feed[1]);
        return -ENOMEM;
    }
    if (pid == 0) {
        helper_reset_signals();
        dup2(feed[0], STDIN_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(feed[0]);
    size_t left = input ? strlen(input) : 0;
    while (left > 0) {
        ssize_t n = write(feed[1], input, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        input += n;
        left -= (size_t)n;
    }
    close(feed[1]);
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

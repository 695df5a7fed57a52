// Runs a program as root of a user namespace with the ids that a lab of this user has, so that it can make and remove files of
// other ids, such as those of an image's layers.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "common.h"
#include "helper.h"

static int run_inside(int go, int ready, char **argv) {
    char byte = 0;
    // Nobody is left to wait for it when the caller is killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWUSER) < 0) {
        fprintf(stderr, "lab: a user namespace cannot be made: %s; 'lab doctor' tells what is missing\n", strerror(errno));
        return 1;
    }
    if (write(ready, "u", 1) != 1 || read(go, &byte, 1) != 1) return 1;
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
        fprintf(stderr, "lab: cannot become root of a user namespace: %s\n", strerror(errno));
        return 1;
    }
    execv(argv[0], argv);
    fprintf(stderr, "lab: cannot run %s: %s\n", argv[0], strerror(errno));
    return 127;
}

// Into the user namespace of a lab that runs: its ids are the same, and what is in it may be joined.
static int run_in(const char *pid, char **argv) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/ns/user", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWUSER) < 0) {
        fprintf(stderr, "lab: the namespace of labd (process %s) cannot be entered: %s; is it just ending? Try again\n", pid, strerror(errno));
        return 1;
    }
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
        fprintf(stderr, "lab: cannot become root of a user namespace: %s\n", strerror(errno));
        return 1;
    }
    execv(argv[0], argv);
    fprintf(stderr, "lab: cannot run %s: %s\n", argv[0], strerror(errno));
    return 127;
}

int shim_mapped(int argc, char **argv) {
    int go[2], ready[2];
    char byte;
    if (argc < 2 || (strcmp(argv[1], "--in") == 0 && argc < 4)) {
        fputs("usage: lab-shim mapped [--in PID] PROGRAM [ARGUMENT …]\n", stderr);
        return 64;
    }
    if (strcmp(argv[1], "--in") == 0) return run_in(argv[2], argv + 3);
    if (pipe(go) < 0 || pipe(ready) < 0) return 1;
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
        close(go[1]);
        close(ready[0]);
        int code = run_inside(go[0], ready[1], argv + 1);
        _exit(code);
    }
    close(go[0]);
    close(ready[1]);
    struct helper helper = {0};
    bool mapped = read(ready[0], &byte, 1) == 1;
    if (mapped && idmap_write(&helper, child) < 0) {
        fputs("lab: the ids of a user namespace cannot be set; 'lab doctor' tells what is missing\n", stderr);
        mapped = false;
    }
    // Without the byte the child ends by itself.
    if (mapped && write(go[1], "g", 1) != 1) mapped = false;
    close(go[1]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    return WEXITSTATUS(status) == 0 && !mapped ? 1 : WEXITSTATUS(status);
}

// Starting lab-shim from a program with many threads: vfork semantics on a stack of its own, so that neither page tables nor
// locks are copied.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"

#define STACK_SIZE (64 * 1024)
#define FIRST_FD 3
#define FDS_MAX 8

struct child {
    int executable;
    const char *const *arguments;
    const int *fds;
    int fd_count;
    const sigset_t *mask;
    int error;  // shared with the parent, which sleeps until exec
};

// Moves every descriptor above the range that the targets occupy, then each to its place.
static int place_descriptors(struct child *child, int *executable) {
    int moved[FDS_MAX];
    int floor = FIRST_FD + FDS_MAX + 1;
    for (int i = 0; i < child->fd_count; i++)
        if ((moved[i] = fcntl(child->fds[i], F_DUPFD_CLOEXEC, floor)) < 0) return -1;
    if ((*executable = fcntl(child->executable, F_DUPFD_CLOEXEC, floor)) < 0) return -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    for (int fd = 0; fd < FIRST_FD; fd++)
        if (dup2(null, fd) < 0) return -1;
    for (int i = 0; i < child->fd_count; i++)
        if (dup2(moved[i], FIRST_FD + i) < 0) return -1;
    return (int)syscall(SYS_close_range, FIRST_FD + child->fd_count, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
}

static int run_child(void *context) {
    struct child *child = context;
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < _NSIG; number++) sigaction(number, &standard, NULL);
    sigprocmask(SIG_SETMASK, child->mask, NULL);
    setsid();
    int executable;
    if (place_descriptors(child, &executable) == 0) {
        char *environment[] = {NULL};
        syscall(SYS_execveat, executable, "", child->arguments, environment, AT_EMPTY_PATH);
    }
    child->error = errno;
    _exit(127);
}

int ksb_spawn(int executable, const char *const *arguments, const int *fds, int fd_count, int *pidfd) {
    if (fd_count > FDS_MAX) return -EINVAL;
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -errno;
    sigset_t all, previous, none;
    sigfillset(&all);
    sigemptyset(&none);
    struct child child = {executable, arguments, fds, fd_count, &none, 0};
    // Signals wait: a handler of the daemon must not run in the child, which shares its memory.
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    int pid = clone(run_child, stack + STACK_SIZE, flags, &child, pidfd);
    int error = pid < 0 ? errno : child.error;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    munmap(stack, STACK_SIZE);
    if (pid > 0 && error != 0) {
        waitpid(pid, NULL, 0);
        close(*pidfd);
    }
    return error != 0 ? -error : pid;
}

int ksb_pidfd_open(int pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

int ksb_pidfd_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int ksb_reap(int pidfd) {
    siginfo_t info = {0};
    if (waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -errno;
    return info.si_pid != 0;
}

uint64_t ksb_start_time(int pid) {
    char path[32 + 16], text[1024];
    int length = 0;
    char digits[16];
    for (int rest = pid; rest > 0 && length < 15; rest /= 10) digits[length++] = (char)('0' + rest % 10);
    char *out = stpcpy(path, "/proc/");
    while (length > 0) *out++ = digits[--length];
    strcpy(out, "/stat");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    if (count <= 0) return 0;
    text[count] = 0;
    // The name may hold anything; fields are counted from its closing parenthesis. The start time is the 22nd.
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

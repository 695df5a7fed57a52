// `lab-shim exec`: one more program in a container that runs. Descriptors: 3 the daemon's socket, 4 a pidfd of the container's
// init, 5 the container's spec as its supervisor recorded it, 6 what to run (arguments and further variables), and 7, 8, 9 the
// standard streams unless the program gets a terminal.
//
// The process stays outside and tends a child that joins the container: the namespaces that the pidfd names, so no other
// process can be meant, and all that the container's own program was given. Until it has exec'd, the child cannot be looked into
// from the container (CVE-2016-9962), and nothing of the host's is open in it after.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "run.h"

enum { CONTROL = 3, CONTAINER, SPEC, REQUEST, STREAMS };

struct session {
    struct cgroups groups;
    struct spec spec, request;
    bool wants_terminal;
    int terminal;  // the daemon's end
    pid_t child;
    int child_pidfd;
    int socket;                // to the child
    struct failure *told;      // by the child, in memory of both
    int64_t started_ns;
};
static struct session self;

// ---- in the child

static int enter_container(void) {
    const char *const ended = "it refuses; has it ended meanwhile?";
    int kinds = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    // The user namespace last: in it there is no right over the others, which belong to the daemon's.
    if (syscall(SYS_setns, CONTAINER, kinds) < 0) return fail("enter the container", "%s", ended);
    if (enter_working_directory(&self.spec) < 0) return -1;
    if (syscall(SYS_setns, CONTAINER, CLONE_NEWUSER) < 0) return fail("enter the container's user namespace", "%s", ended);
    return 0;
}

static int take_terminal(int socket) {
    int leader, follower;
    if (terminal_open(&leader, &follower) < 0) return -1;
    if (ioctl(follower, TIOCSCTTY, 0) < 0) return fail("open a terminal", "it cannot be taken");
    for (int stream = 0; stream < 3; stream++)
        if (dup2(follower, stream) < 0) return fail("open a terminal", "it cannot become a standard stream");
    if (!byte_send(socket, 'T', leader)) return fail("open a terminal", "nobody takes it");
    close(leader);
    close(follower);
    return 0;
}

static int take_streams(void) {
    int streams[] = {STREAMS, STREAMS + 1, STREAMS + 2};
    own_streams(&self.spec.numbers, streams, 3);
    for (int stream = 0; stream < 3; stream++)
        if (dup2(streams[stream], stream) < 0) return fail("open the standard streams", "they cannot be taken");
    return 0;
}

// Returns only when it has failed.
static int become_program(int socket) {
    // No control group, no program: its limits must hold from the beginning.
    if (byte_receive(socket, NULL) != 'G') _exit(1);
    if (enter_container() < 0) return -1;
    if (!self.wants_terminal && take_streams() < 0) return -1;
    if (assume_identity(&self.spec) < 0) return -1;
    // A change of identity resets it to the machine's setting.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (self.wants_terminal && take_terminal(socket) < 0) return -1;
    if (drop_privileges(&self.spec) < 0) return -1;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    umask(self.spec.numbers.umask);
    if (syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) < 0) return fail("start the program", "descriptors cannot be closed");
    int error = program_exec(&self.spec);
    return program_explain(&self.spec.arguments, error);
}

// ---- outside

static void tell(uint32_t type, int status) {
    struct ksb_event event = {.type = type, .init_pid = self.child, .started_ns = self.started_ns, .finished_ns = now_ns()};
    if (type == KSB_EVENT_EXITED) {
        event.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        event.exit_code = event.signal ? 128 + event.signal : WEXITSTATUS(status);
    }
    if (type == KSB_EVENT_FAILED) {
        event.failure = failure.kind;
        event.error = failure.error;
        memcpy(event.step, failure.step, sizeof event.step);
        memcpy(event.message, failure.message, sizeof event.message);
    }
    // Nobody may be listening any more.
    packet_send(CONTROL, &event, sizeof event, type == KSB_EVENT_STARTED ? self.terminal : -1, MSG_DONTWAIT);
}

static int read_request(void) {
    if (spec_read(SPEC, &self.spec) < 0 || spec_parse(REQUEST, &self.request) < 0) return -1;
    if (self.request.arguments.count == 0) return fail_kind(KSB_FAIL_SETUP, 0, "read the request", "it names no program");
    size_t own = self.spec.environment.count, more = self.request.environment.count;
    const char **all = calloc(own + more + 1, sizeof *all);
    if (!all) return fail("read the request", "no memory is left");
    memcpy(all, self.spec.environment.items, own * sizeof *all);
    memcpy(all + own, self.request.environment.items, more * sizeof *all);
    self.spec.environment = (struct list){all, own + more};
    self.spec.arguments = self.request.arguments;
    return 0;
}

static int start_child(void) {
    int pair[2];
    self.told = mmap(NULL, sizeof *self.told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self.told == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail("enter the container", "no memory or no descriptors are left");
    // For our children only.
    if (syscall(SYS_setns, CONTAINER, CLONE_NEWPID) < 0) return fail("enter the container", "has it ended meanwhile?");
    struct clone_args arguments = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)&self.child_pidfd};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) return fail("enter the container", "no process can be made in it; has it ended meanwhile?");
    if (pid == 0) {
        setsid();
        close(pair[0]);
        close(CONTROL);
        become_program(pair[1]);
        *self.told = failure;
        _exit(127);
    }
    close(pair[1]);
    self.child = (pid_t)pid;
    self.socket = pair[0];
    return 0;
}

// Until the child has exec'd or failed.
static int await_start(void) {
    int byte, descriptor;
    if (cgroups_join(&self.groups, self.child) < 0 || !byte_send(self.socket, 'G', -1)) {
        kill(self.child, SIGKILL);
        return fail("enter the container", "it has ended meanwhile");
    }
    while ((byte = byte_receive(self.socket, &descriptor)) >= 0)
        if (byte == 'T') self.terminal = descriptor;
    if (self.told->kind) failure = *self.told;
    if (!failure.kind && self.wants_terminal && self.terminal < 0) fail_kind(KSB_FAIL_SETUP, 0, "enter the container", "it has ended meanwhile");
    return failure.kind ? -1 : 0;
}

// Passes on the signals that the daemon asks for. When it hangs up, the program is told as a terminal would tell it.
static void tend(void) {
    struct pollfd fds[] = {{.fd = self.child_pidfd, .events = POLLIN}, {.fd = CONTROL, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0) continue;
        if (fds[0].revents) return;
        if (!fds[1].revents) continue;
        unsigned char number;
        ssize_t count = recv(CONTROL, &number, 1, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (count < 1) {
            number = SIGHUP;
            fds[1].fd = -1;
        }
        // The whole group: a shell's commands go with it. Its leader has not been collected, so the number is still its own.
        kill(-self.child, number);
    }
}

static bool take_arguments(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--terminal") == 0) self.wants_terminal = true;
        else if (strcmp(argv[i], "--cgroup") == 0 && i + 1 < argc && cgroups_add(&self.groups, argv[i + 1])) i++;
        else return false;
    }
    return true;
}

int shim_exec(int argc, char **argv) {
    self.terminal = self.socket = self.child_pidfd = -1;
    self.groups.unified_fd = -1;
    if (!take_arguments(argc, argv)) {
        fputs("lab-shim exec: unexpected arguments\n", stderr);
        return 64;
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    int status = 0;
    bool started = read_request() == 0 && start_child() == 0 && await_start() == 0;
    self.started_ns = now_ns();
    tell(started ? KSB_EVENT_STARTED : KSB_EVENT_FAILED, 0);
    if (self.child <= 0) return 0;
    // What only the program may hold: it alone decides when its streams end.
    if (self.terminal >= 0) close(self.terminal);
    syscall(SYS_close_range, CONTAINER, self.wants_terminal ? REQUEST : STREAMS + 2, 0);
    if (started) tend();
    waitpid(self.child, &status, 0);
    if (started) tell(KSB_EVENT_EXITED, status);
    return 0;
}

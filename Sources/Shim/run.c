// The supervisor of one container. It prepares itself before it has a spec (the daemon keeps a few such ready), and lives until
// the container has ended, whatever becomes of the daemon: it keeps the log and leaves the records.
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "run.h"

#define CONTROL 3
#define USER_NAMESPACE 4
#define WATCHDOG_MS 100

struct supervisor {
    struct cgroups groups;
    struct spec spec;
    pid_t init;
    uint64_t init_start;
    int init_pidfd;
    int socket;     // to the init
    int input;      // writing end of stdin, or the terminal, for those who attach; -1: none
    int output[2];  // reading ends of stdout and stderr
    struct log *log;
    int64_t started_ns;
    bool started;         // the program runs
    bool program_ended;   // the init told its status
    int wait_status;
    bool watchdog_killed;
    bool abandoned;       // nobody is left who wants it
};

static struct supervisor self;
static char *command_line;  // ours, with the host's paths
static size_t command_line_bytes;

// What `ps` in the container shows of its first process.
static void rename_init(void) {
    memset(command_line, 0, command_line_bytes);
    memcpy(command_line, "init", 4);
    prctl(PR_SET_NAME, "init", 0, 0, 0);
}

static void tell(uint32_t type, const struct outcome *outcome) {
    struct ksb_event event = {
        .type = type, .init_pid = self.init, .init_start = self.init_start, .started_ns = self.started_ns};
    if (outcome) {
        event.exit_code = outcome->exit_code;
        event.signal = outcome->signal;
        event.oom_killed = outcome->oom_killed;
        event.finished_ns = outcome->finished_ns;
    }
    if (type == KSB_EVENT_FAILED) {
        event.failure = failure.kind;
        event.error = failure.error;
        memcpy(event.step, failure.step, sizeof event.step);
        memcpy(event.message, failure.message, sizeof event.message);
    }
    // Nobody may be listening any more.
    send(CONTROL, &event, sizeof event, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int start_init(bool shared_user_namespace, bool own_processes) {
    int pair[2], in[2], out[2], err[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
        pipe2(err, O_CLOEXEC) < 0)
        return fail("prepare pipes", "no descriptors are left");
    struct clone_args arguments = {
        .flags = (own_processes ? CLONE_NEWPID : 0) | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)&self.init_pidfd};
    if (self.groups.unified_fd >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)self.groups.unified_fd;
    }
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) return fail("start the container's init", "the kernel refuses new namespaces; lab doctor says what is missing");
    if (pid == 0) {
        rename_init();
        close(CONTROL);
        close(pair[0]);
        close(in[1]);
        close(out[0]);
        close(err[0]);
        struct init_context context = {
            .socket = pair[1], .input = in[0], .output = {out[1], err[1]}, .user_namespace = shared_user_namespace ? USER_NAMESPACE : -1,
            .in_unified_group = self.groups.unified_fd >= 0};
        init_main(&context);
    }
    close(pair[1]);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    self.init = (pid_t)pid;
    self.init_start = run_start_time(self.init);
    self.socket = pair[0];
    self.input = in[1];
    self.output[0] = out[0];
    self.output[1] = err[0];
    return 0;
}

// The part that needs no spec.
static int prepare(bool shared_user_namespace) {
    if (cgroups_create(&self.groups) < 0 || start_init(shared_user_namespace, true) < 0) return -1;
    return cgroups_attach(&self.groups, self.init);
}

// The init that waits has a namespace of processes to itself: one in another container's takes its place.
static int share_processes(const char *path) {
    kill(self.init, SIGKILL);
    waitpid(self.init, NULL, 0);
    int old[] = {self.init_pidfd, self.socket, self.input, self.output[0], self.output[1]};
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) close(old[i]);
    self.init = 0;
    self.socket = self.input = self.output[0] = self.output[1] = self.init_pidfd = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWPID) < 0) return fail("share processes", "%s must be a namespace of processes; has its container ended?", path);
    close(fd);
    if (start_init(false, false) < 0) return -1;
    return cgroups_attach(&self.groups, self.init);
}

static bool write_map(const char *name, const char *text) {
    char directory[40];
    snprintf(directory, sizeof directory, "/proc/%d", (int)self.init);
    return write_file(directory, name, text);
}

static void write_maps(void) {
    const struct spec *spec = &self.spec;
    if (spec->numbers.flags & KSB_NO_SETGROUPS) write_map("setgroups", "deny");
    bool done = spec->uid_map && spec->gid_map && write_map("uid_map", spec->uid_map) && write_map("gid_map", spec->gid_map);
    if (done) {
        byte_send(self.socket, 'M', -1);
        return;
    }
    fail("map ids", "the kernel refuses the map \"%s\" for users or \"%s\" for groups", spec->uid_map ? spec->uid_map : "",
        spec->gid_map ? spec->gid_map : "");
    kill(self.init, SIGKILL);
}

static int take_spec(void) {
    int descriptor;
    // The daemon ended before it needed us: the init sees our socket close.
    if (byte_receive(CONTROL, &descriptor) < 0 || descriptor < 0) {
        kill(self.init, SIGKILL);
        waitpid(self.init, NULL, 0);
        cgroups_remove(&self.groups);
        _exit(0);
    }
    int result = spec_read(descriptor, &self.spec);
    if (failure.kind == 0 && result == 0 && self.spec.process_path) share_processes(self.spec.process_path);
    if (failure.kind == 0 && !byte_send(self.socket, 'S', descriptor))
        fail("start the container's init", "it ended before it had its spec");
    close(descriptor);
    if (result < 0 || failure.kind) return -1;
    const struct ksb_numbers *numbers = &self.spec.numbers;
    self.started_ns = now_ns();
    if (cgroups_limit(&self.groups, &self.spec) < 0) return -1;
    self.log = log_open(self.spec.log_path, numbers->log_max_bytes, numbers->log_max_files);
    if (!self.log) return -1;
    if (!(numbers->flags & KSB_OPEN_STDIN)) {
        close(self.input);
        self.input = -1;
    }
    if (attach_listen(&self.spec, &self.input) < 0) return -1;
    if (record_spec(&self.spec) < 0 || record_state(&self.spec, &self.groups, self.init, self.init_start, self.started_ns) < 0) return -1;
    // Only now look whether the daemon lives: if it is gone before this, the next one may find no record and start the container
    // again, so we must not; if it goes after this, the next one finds the record.
    struct pollfd control = {.fd = CONTROL, .events = POLLIN};
    if (poll(&control, 1, 0) > 0 && (control.revents & (POLLHUP | POLLERR)))
        return fail_kind(KSB_FAIL_ABANDONED, 0, "start the program", "the daemon ended before it was started; start it again");
    // If it is gone already it has told why, or its end tells.
    byte_send(self.socket, 'G', -1);
    return 0;
}

// Keeps the container's mounts until we end: taking them down costs a millisecond that would else delay the news of its end.
static void hold_mounts(void) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)self.init);
    open(path, O_RDONLY | O_CLOEXEC);
}

// The container's terminal is both where it writes and where one types.
static void take_terminal(int terminal) {
    for (int stream = 0; stream < 2; stream++)
        if (self.output[stream] >= 0) close(self.output[stream]);
    if (self.input >= 0) close(self.input);
    self.output[0] = terminal;
    self.output[1] = -1;
    self.input = fcntl(terminal, F_DUPFD_CLOEXEC, 0);
}

static void hear_init(void) {
    struct init_message message;
    int descriptor;
    ssize_t count = message_receive(self.socket, &message, &descriptor);
    if (count != sizeof message) {
        // A peer that ends without having read all we sent resets the connection once, before its own last words come.
        if (count >= 0 || (errno != EAGAIN && errno != ECONNRESET)) {
            close(self.socket);
            self.socket = -1;
        }
        return;
    }
    switch (message.type) {
    case INIT_TERMINAL:
        if (!self.started && descriptor >= 0) {
            take_terminal(descriptor);
            descriptor = -1;
        }
        break;
    case INIT_NEEDS_MAPS:
        if (!self.started) write_maps();
        break;
    case INIT_STARTED:
        if (self.started) break;
        tell(KSB_EVENT_STARTED, NULL);
        self.started = true;
        hold_mounts();
        break;
    case INIT_FAILED:
        if (!self.started && !failure.kind) failure = message.failure;
        break;
    case INIT_EXITED:
        self.program_ended = true;
        self.wait_status = message.wait_status;
        break;
    default: break;
    }
    if (descriptor >= 0) close(descriptor);
}

static void check_memory(void) {
    uint64_t most = self.spec.numbers.memory_bytes;
    if (tree_memory_bytes(self.init) <= most) return;
    self.watchdog_killed = true;
    syscall(SYS_pidfd_send_signal, self.init_pidfd, SIGKILL, NULL, 0);
}

// Until the init, and with it every process of the container, is gone.
static void supervise(void) {
    bool watch_memory = self.spec.numbers.memory_bytes && !cgroups_limit_memory(&self.groups);
    for (;;) {
        struct pollfd fds[6 + ATTACH_CLIENTS] = {{.fd = self.init_pidfd, .events = POLLIN}, {.fd = self.socket, .events = POLLIN}};
        size_t attached = attach_poll(fds + 4);
        // While a client has not taken what it was given, nothing more is read: the container waits.
        bool blocked = attach_blocked();
        for (int stream = 0; stream < 2; stream++) fds[2 + stream] = (struct pollfd){.fd = blocked ? -1 : self.output[stream], .events = POLLIN};
        bool ends_with_starter = (self.spec.numbers.flags & KSB_END_WITH_STARTER) && !self.abandoned;
        struct pollfd *starter = &fds[4 + attached];
        *starter = (struct pollfd){.fd = ends_with_starter ? CONTROL : -1};
        int count = poll(fds, 5 + attached, watch_memory ? WATCHDOG_MS : -1);
        if (count < 0 && errno != EINTR) return;
        if (count < 0) continue;
        if (count == 0 || (watch_memory && !self.watchdog_killed && self.started)) check_memory();
        for (int stream = 0; self.log && stream < 2; stream++) {
            if (!fds[2 + stream].revents || attach_blocked()) continue;
            if (log_pump(self.log, stream, self.output[stream])) continue;
            close(self.output[stream]);
            self.output[stream] = -1;
        }
        if (self.log) log_flush(self.log, false);
        attach_serve(fds + 4);
        if (fds[1].revents) hear_init();
        if (starter->revents & (POLLHUP | POLLERR)) {
            self.abandoned = true;
            syscall(SYS_pidfd_send_signal, self.init_pidfd, SIGKILL, NULL, 0);
        }
        if (fds[0].revents) return;
    }
}

// What is still in the pipes. Not until their end: a process elsewhere may have been handed a writing end.
static void drain(void) {
    for (int stream = 0; stream < 2; stream++) {
        if (self.output[stream] < 0) continue;
        fcntl(self.output[stream], F_SETFL, O_NONBLOCK);
        struct pollfd ready = {.fd = self.output[stream], .events = POLLIN};
        attach_settle();
        for (int rounds = 0; rounds < 1024 && poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN); rounds++, attach_settle())
            if (!log_pump(self.log, stream, self.output[stream])) break;
    }
    log_flush(self.log, true);
}

static struct outcome judge(int init_status) {
    struct outcome outcome = {.started_ns = self.started ? self.started_ns : 0, .finished_ns = now_ns()};
    int status = self.program_ended ? self.wait_status : init_status;
    if (WIFSIGNALED(status)) {
        outcome.signal = WTERMSIG(status);
        outcome.exit_code = 128 + outcome.signal;
    } else {
        outcome.exit_code = WEXITSTATUS(status);
    }
    outcome.oom_killed = self.watchdog_killed || (outcome.exit_code != 0 && cgroups_oom_kills(&self.groups) > 0);
    if (!self.started) {
        if (!failure.kind)
            fail_kind(KSB_FAIL_SETUP, 0, "set up the container", "its init ended unexpectedly%s", outcome.oom_killed ? ": out of memory; the limit is too low to start anything" : "");
        outcome.exit_code = 128;
        outcome.signal = 0;
        outcome.failure = &failure;
    }
    return outcome;
}

static uint64_t nanoseconds(struct timeval time) { return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000; }

static void finish(void) {
    int status = 0;
    struct pollfd more = {.fd = self.socket, .events = POLLIN};
    while (self.socket >= 0 && poll(&more, 1, 0) > 0) hear_init();
    struct rusage usage = {0};
    if (self.init > 0) wait4(self.init, &status, 0, &usage);
    // Where processes are shared, the end of an init does not end the rest.
    if (self.spec.process_path) cgroups_kill(&self.groups);
    if (self.log) drain();
    struct outcome outcome = judge(status);
    outcome.cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    outcome.memory_peak = (uint64_t)usage.ru_maxrss * 1024;
    cgroups_spent(&self.groups, &outcome.cpu_ns, &outcome.memory_peak);
    if (self.spec.state_directory) record_exit(&self.spec, &outcome);
    tell(self.started ? KSB_EVENT_EXITED : KSB_EVENT_FAILED, &outcome);
    // Nobody waits for this.
    cgroups_remove(&self.groups);
}

int shim_run(int argc, char **argv) {
    bool shared_user_namespace = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--user-namespace") == 0) shared_user_namespace = true;
        else if (strcmp(argv[i], "--cgroup") == 0 && i + 1 < argc && cgroups_add(&self.groups, argv[i + 1])) i++;
        else {
            fprintf(stderr, "lab-shim run: unexpected argument %s\n", argv[i]);
            return 64;
        }
    }
    command_line = argv[0] - sizeof "lab-shim";
    command_line_bytes = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - command_line);
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    self.socket = self.input = self.output[0] = self.output[1] = self.init_pidfd = -1;
    // A failure before there is a spec is told when there is one to tell it of.
    prepare(shared_user_namespace);
    if (take_spec() < 0 && self.init > 0) kill(self.init, SIGKILL);
    if (self.init > 0) supervise();
    finish();
    return 0;
}

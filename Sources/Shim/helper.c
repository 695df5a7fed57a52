// lab-shim helper --state DIR --runtime DIR [--adopt PID]… [--foreground] --labd PATH [labd's arguments…]
#define _GNU_SOURCE
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define STATE_CHECK_MS 2000

void helper_log(const char *format, ...) {
    char stamp[32] = "", line[MESSAGE_SIZE];
    time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts)) strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &parts);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s helper: %s\n", stamp, line);
}

void helper_lost(struct helper *h, const char *format, ...) {
    char line[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    helper_log("lost: %s", line);
    if (h->lost_count < LOST_MAX && (h->lost[h->lost_count] = strdup(line)) != NULL) h->lost_count++;
}

bool helper_watch(struct helper *h, int fd, uint32_t kind, uint32_t index) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)kind << 32 | index};
    return epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void helper_reset_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

static int usage(const char *problem) {
    fprintf(stderr,
            "lab-shim: %s\nusage: lab-shim helper --state DIR --runtime DIR [--adopt PID]... [--foreground] --labd PATH [ARGUMENT]...\n",
            problem);
    return EXIT_USAGE;
}

static char *prepared_directory(const char *path, const char *what) {
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = copy + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = 0;
        mkdir(copy, 0755);
        *slash = '/';
    }
    int refusal = mkdir(copy, 0700) < 0 && errno != EEXIST ? errno : 0;
    struct stat info;
    char *real = realpath(copy, NULL);
    if (real != NULL && stat(real, &info) == 0 && !S_ISDIR(info.st_mode)) {
        fprintf(stderr, "lab-shim: %s directory %s is none: something else has that name\n", what, path);
        return NULL;
    }
    if (real == NULL || stat(real, &info) < 0) {
        fprintf(stderr, "lab-shim: cannot use %s directory %s: %s\n", what, path,
                strerror(refusal && errno == ENOENT ? refusal : errno));
        return NULL;
    }
    if (info.st_uid != geteuid() || (info.st_mode & 0022)) {
        fprintf(stderr, "lab-shim: %s directory %s must belong to the user of the lab and be writable by no one else\n", what, path);
        return NULL;
    }
    return real;
}

static int parse(struct helper *h, int argc, char **argv) {
    const char *state = NULL, *runtime = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--foreground") == 0) {
            h->foreground = true;
            continue;
        }
        if (i + 1 >= argc) return usage("an option has no value, or is not known");
        const char *option = argv[i], *value = argv[++i];
        if (strcmp(option, "--state") == 0) {
            state = value;
        } else if (strcmp(option, "--runtime") == 0) {
            runtime = value;
        } else if (strcmp(option, "--adopt") == 0) {
            if (h->adopt_count < ADOPT_MAX) h->adopt[h->adopt_count++] = (pid_t)atoi(value);
        } else if (strcmp(option, "--labd") == 0) {
            h->daemon = argv[i];
            h->daemon_arguments = argv + i;  // the program's path is its argument 0
            break;
        } else {
            return usage("unknown option");
        }
    }
    if (state == NULL || runtime == NULL || h->daemon == NULL) return usage("--state, --runtime and --labd are needed");
    h->daemon_arguments[0] = h->daemon = realpath(h->daemon, NULL);
    if (h->daemon == NULL || access(h->daemon, X_OK) < 0) {
        fprintf(stderr, "lab-shim: cannot execute the daemon given with --labd: %s\n", strerror(errno));
        return EXIT_DAEMON;
    }
    h->state = prepared_directory(state, "the state");
    if (h->state == NULL) return EXIT_FAILED;
    state_remember(h);
    h->runtime = prepared_directory(runtime, "the runtime");
    if (h->runtime == NULL) return EXIT_FAILED;
    h->runtime_fd = open(h->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return h->runtime_fd < 0 ? EXIT_FAILED : EXIT_OK;
}

// A helper that was killed closes its socket before its lock: one that answers no more is waited for until it is gone.
static bool outlived_killed_helper(struct helper *h, pid_t holder) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/helper.sock", h->runtime_fd);
    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    bool answers = connect(probe, (struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    if (answers || holder <= 0) return false;
    int pidfd = (int)syscall(SYS_pidfd_open, holder, 0);
    if (pidfd >= 0) {
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        poll(&end, 1, 5000);
        close(pidfd);
    }
    return flock(h->lock, LOCK_EX | LOCK_NB) == 0;
}

static int take_lock(struct helper *h) {
    char text[32];
    h->lock = openat(h->runtime_fd, "helper.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (h->lock < 0) {
        fprintf(stderr, "lab-shim: cannot open %s/helper.lock: %s\n", h->runtime, strerror(errno));
        return EXIT_FAILED;
    }
    if (flock(h->lock, LOCK_EX | LOCK_NB) == 0) return EXIT_OK;
    ssize_t n = read(h->lock, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    if (outlived_killed_helper(h, atoi(text))) return EXIT_OK;
    fprintf(stderr, "lab-shim: a helper (process %d) already serves the lab of %s; see `lab status`, end it with `lab down`\n",
            atoi(text), h->runtime);
    return EXIT_ALREADY_RUNNING;
}

static void write_lock(struct helper *h) {
    char text[32];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(h->lock, 0) < 0 || pwrite(h->lock, text, (size_t)n, 0) < 0) helper_log("cannot write helper.lock");
}

static int open_loop(struct helper *h) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    h->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    h->listener = kd_seqpacket_listen(h->runtime, "helper.sock");
    if (h->listener < 0) {
        fprintf(stderr, "lab-shim: cannot listen on %s/helper.sock: %s\n", h->runtime, strerror(-h->listener));
        return EXIT_FAILED;
    }
    bool good = h->epoll >= 0 && h->signals >= 0 && h->timer >= 0 && helper_watch(h, h->signals, WATCH_SIGNALS, 0) &&
                helper_watch(h, h->timer, WATCH_TIMER, 0) && helper_watch(h, h->listener, WATCH_LISTENER, 0);
    if (!good) fprintf(stderr, "lab-shim: cannot set up the event loop: %s\n", strerror(errno));
    return good ? EXIT_OK : EXIT_FAILED;
}

// Everything up to the moment at which labd runs.
static int set_up(struct helper *h) {
    char log[PATH_MAX], message[MESSAGE_SIZE];
    if (snprintf(log, sizeof log, "%s/log", h->state) < (int)sizeof log) mkdir(log, 0700);
    write_lock(h);
    int code = open_loop(h);
    if (code != EXIT_OK) return code;
    record_read(h);
    if (!h->adopted) code = namespaces_create(h);
    if (code != EXIT_OK) return code;
    if (h->labd.pid != 0) {
        helper_watch(h, h->labd.pidfd, WATCH_LABD, 0);
    } else if (daemon_start(h, h->daemon_arguments, message) < 0) {
        fprintf(stderr, "lab-shim: %s\n", message);
        return EXIT_DAEMON;
    }
    record_write(h);
    return EXIT_OK;
}

static void on_children(struct helper *h) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == h->labd.pid) daemon_ended(h, status);
        else if (pid == h->uplink.job) uplink_job_ended(h, status);
    }
}

static void on_signals(struct helper *h) {
    struct signalfd_siginfo info;
    while (read(h->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) continue;
        // In the foreground the person who started the lab ends it; in the background only the helper was meant.
        if (h->foreground && h->labd.pid != 0) daemon_stop(h, 15);
        else h->stopping = true;
    }
    on_children(h);
}

static void on_event(struct helper *h, uint64_t data) {
    uint64_t expirations;
    switch (data >> 32) {
        case WATCH_SIGNALS: on_signals(h); break;
        case WATCH_LISTENER: client_accept(h); break;
        case WATCH_CLIENT: client_readable(h, (int)(data & 0xffffffff)); break;
        case WATCH_TIMER:
            if (read(h->timer, &expirations, sizeof expirations) > 0) process_signal(&h->labd, SIGKILL);
            break;
        // A job's child may hold a copy of a descriptor for a moment after it was closed here: look whether it still counts.
        case WATCH_LABD:
            if (h->labd.pid != 0 && !h->labd.child) daemon_ended(h, -1);
            break;
        case WATCH_UPLINK:
            if (h->uplink.process.pid != 0) uplink_process_ended(h);
            break;
    }
}

static void loop(struct helper *h) {
    struct epoll_event event;
    while (!h->done) {
        if (epoll_wait(h->epoll, &event, 1, STATE_CHECK_MS) == 1) on_event(h, event.data.u64);
        state_check(h);
        if (!h->stopping) continue;
        if (h->uplink.state == UPLINK_UP) uplink_down(h, (struct waiter){-1, 0});
        h->done = h->uplink.state == UPLINK_DOWN;
    }
    if (h->labd.pid == 0) groups_remove(h);
    unlinkat(h->runtime_fd, "helper.sock", 0);
    record_write(h);
    helper_log("ended");
    // Whoever asked for the end may start another helper, or use the ports, as soon as it is answered.
    while (h->port_count > 0) close(h->ports[--h->port_count].fd);
    close(h->lock);
    waiter_reply(h, h->end_waiters, NULL, NULL);
}

static void redirect_to_log(struct helper *h) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/log/helper.log", h->state) >= (int)sizeof path) return;
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(log >= 0 ? log : null, STDOUT_FILENO);
    dup2(log >= 0 ? log : null, STDERR_FILENO);
    if (log >= 0) close(log);
    close(null);
    if (chdir("/") < 0) helper_log("cannot change to /");
}

static size_t report_text(struct helper *h, char *buffer, size_t capacity) {
    struct text text = {.bytes = buffer, .capacity = capacity};
    text_add(&text, "{");
    status_members(h, &text);
    text_add(&text, "}\n");
    return text.overflow ? 0 : text.length;
}

// The process that `lab up` waits for: prints what the background one reports, and ends with its code.
static int await_report(int report) {
    char buffer[KD_PACKET_MAX];
    unsigned char code = EXIT_FAILED;
    if (read(report, &code, 1) != 1) {
        fprintf(stderr, "lab-shim: the helper ended before it was ready\n");
        return EXIT_FAILED;
    }
    ssize_t n;
    while ((n = read(report, buffer, sizeof buffer)) > 0) fwrite(buffer, 1, (size_t)n, stdout);
    return code;
}

static int run_in_background(struct helper *h) {
    static char buffer[KD_PACKET_MAX];
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return EXIT_FAILED;
    pid_t pid = fork();
    if (pid < 0) return EXIT_FAILED;
    if (pid > 0) {
        close(report[1]);
        waitpid(pid, NULL, 0);
        return await_report(report[0]);
    }
    close(report[0]);
    setsid();
    if (fork() != 0) _exit(EXIT_OK);
    unsigned char code = (unsigned char)set_up(h);
    size_t length = code == EXIT_OK ? report_text(h, buffer, sizeof buffer) : 0;
    if (code == EXIT_OK) redirect_to_log(h);
    else close(h->lock);  // before the report, after which another helper may be started
    if (write(report[1], &code, 1) != 1 || write(report[1], buffer, length) < 0) helper_log("nobody waited for the start");
    close(report[1]);
    if (code != EXIT_OK) _exit(code);
    helper_log("started, id map %s%s%s", idmap_name(h->idmap), h->idmap_note[0] ? ": " : "", h->idmap_note);
    loop(h);
    _exit(EXIT_OK);
}

// nft and ip lie where administrators' programs are, which Debian leaves out of a user's PATH. labd inherits it.
static void add_to_path(const char *directory) {
    const char *path = getenv("PATH");
    size_t length = strlen(directory);
    for (const char *at = path; at != NULL && (at = strstr(at, directory)) != NULL; at += length) {
        if ((at == path || at[-1] == ':') && (at[length] == ':' || at[length] == 0)) return;
    }
    char *longer = NULL;
    if (asprintf(&longer, "%s:%s", path ? path : "/usr/local/bin:/usr/bin:/bin", directory) < 0) return;
    setenv("PATH", longer, 1);
    free(longer);
}

int shim_helper(int argc, char **argv) {
    static struct helper helper;
    struct helper *h = &helper;
    h->ns = (struct namespaces){-1, -1, -1, 0, 0, 0};
    h->labd.pidfd = h->uplink.process.pidfd = -1;
    h->started = time(NULL);
    // What the lab makes is as open as its code says, whoever calls; labd inherits it.
    umask(022);
    add_to_path("/usr/sbin");
    add_to_path("/sbin");
    // The helper lives for days: a descriptor of whoever called it must not stay open that long.
    close_range(3, ~0U, 0);
    for (int i = 0; i < CLIENTS_MAX; i++) h->clients[i].fd = -1;
    waiters_clear(h->stop_waiters);
    waiters_clear(h->uplink.waiters);
    waiters_clear(h->end_waiters);
    int code = parse(h, argc, argv);
    if (code == EXIT_OK) code = take_lock(h);
    if (code != EXIT_OK) return code;
    if (!h->foreground) return run_in_background(h);
    code = set_up(h);
    if (code != EXIT_OK) return code;
    loop(h);
    return h->exit_code;
}

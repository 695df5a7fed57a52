// The files `spec`, `state` and `exit` of the state directory. Each is one write: a process may be killed between two system calls, not
// in the middle of a short one, so a file that ends with its last line is whole.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

static const char *const kind_names[CGROUP_KINDS] = {"unified", "memory", "pids", "cpu", "cpuacct"};

struct text {
    char bytes[KSB_CGROUP_MAX * 4400];
    size_t length;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text->bytes + text->length, sizeof text->bytes - text->length, format, arguments);
    va_end(arguments);
    if (count > 0 && text->length + (size_t)count < sizeof text->bytes) text->length += (size_t)count;
}

// The space of `exit` is set aside at the start, so that a full disk cannot swallow how the container ended.
static int exit_file = -1;

static int open_record(const struct spec *spec, const char *name) {
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", spec->state_directory, name);
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int put(int fd, const struct text *text) {
    ssize_t count = write(fd, text->bytes, text->length);
    if (count == (ssize_t)text->length) return 0;
    if (count >= 0) errno = ENOSPC;
    return -1;
}

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t run_start_time(pid_t pid) {
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    if (count <= 0) return 0;
    text[count] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

int record_spec(const struct spec *spec) {
    int fd = open_record(spec, "spec");
    ssize_t count = fd < 0 ? -1 : write(fd, spec->map, spec->map_bytes);
    if (fd >= 0) close(fd);
    if (count == (ssize_t)spec->map_bytes) return 0;
    if (count >= 0) errno = ENOSPC;
    return fail("write the spec's record", "the state directory %s must exist and be writable", spec->state_directory);
}

int record_state(const struct spec *spec, const struct cgroups *groups, pid_t init, uint64_t init_start, int64_t started_ns) {
    static struct text text;
    add(&text, "supervisor=%d\nsupervisor_start=%llu\n", (int)getpid(), (unsigned long long)run_start_time(getpid()));
    add(&text, "init=%d\ninit_start=%llu\n", (int)init, (unsigned long long)init_start);
    add(&text, "boot=%s\nstarted=%lld\n", spec->boot_id, (long long)started_ns);
    for (int kind = 0; kind < CGROUP_KINDS; kind++)
        if (groups->directory[kind]) add(&text, "cgroup=%s=%s\n", kind_names[kind], groups->directory[kind]);
    add(&text, "end\n");
    exit_file = open_record(spec, "exit");
    if (exit_file >= 0) fallocate(exit_file, FALLOC_FL_KEEP_SIZE, 0, 4096);
    int state = open_record(spec, "state");
    if (exit_file < 0 || state < 0 || put(state, &text) < 0)
        return fail("write the state record", "the state directory %s must exist and be writable", spec->state_directory);
    close(state);
    return 0;
}

// A record has one line a value.
static const char *one_line(char *text) {
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ') *at = ' ';
    return text;
}

void record_exit(const struct spec *spec, const struct outcome *outcome) {
    static struct text text;
    add(&text, "exit_code=%d\nsignal=%d\noom_killed=%d\n", outcome->exit_code, outcome->signal, outcome->oom_killed);
    add(&text, "started=%lld\nfinished=%lld\n", (long long)outcome->started_ns, (long long)outcome->finished_ns);
    add(&text, "cpu=%llu\nmemory_peak=%llu\n", (unsigned long long)outcome->cpu_ns, (unsigned long long)outcome->memory_peak);
    if (outcome->failure) {
        struct failure copy = *outcome->failure;
        add(&text, "failure=%u\nerrno=%d\n", copy.kind, copy.error);
        add(&text, "step=%s\nmessage=%s\n", one_line(copy.step), one_line(copy.message));
    }
    add(&text, "end\n");
    if (exit_file < 0) exit_file = open_record(spec, "exit");
    if (exit_file >= 0) put(exit_file, &text);
}

// The container's control groups: v2, or v1's controllers each in its own tree. The supervisor stays outside of them, so that
// the container's limits never hit it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

static const char *const kind_names[CGROUP_KINDS] = {"unified", "memory", "pids", "cpu", "cpuacct"};

// "kind=directory"
bool cgroups_add(struct cgroups *groups, const char *argument) {
    const char *separator = strchr(argument, '=');
    if (!separator) return false;
    size_t length = (size_t)(separator - argument);
    for (int kind = 0; kind < CGROUP_KINDS; kind++) {
        if (strlen(kind_names[kind]) != length || strncmp(argument, kind_names[kind], length) != 0) continue;
        groups->directory[kind] = separator + 1;
        return true;
    }
    return false;
}

bool write_file(const char *directory, const char *name, const char *text) {
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t count = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return count >= 0;
}

static bool write_number(const char *directory, const char *name, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return write_file(directory, name, text);
}

int cgroups_create(struct cgroups *groups) {
    groups->unified_fd = -1;
    for (int kind = 0; kind < CGROUP_KINDS; kind++) {
        const char *directory = groups->directory[kind];
        if (!directory) continue;
        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
            return fail("make the control group", "%s cannot be made", directory);
        if (kind != CGROUP_UNIFIED) continue;
        groups->unified_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (groups->unified_fd < 0) return fail("make the control group", "%s cannot be opened", directory);
    }
    return 0;
}

static int attach_from(int kind, const struct cgroups *groups, pid_t pid) {
    for (; kind < CGROUP_KINDS; kind++) {
        if (groups->directory[kind] && !write_number(groups->directory[kind], "cgroup.procs", (uint64_t)pid))
            return fail("join the control group", "%s does not take the container's process", groups->directory[kind]);
    }
    return 0;
}

int cgroups_attach(const struct cgroups *groups, pid_t pid) { return attach_from(CGROUP_MEMORY, groups, pid); }

int cgroups_join(const struct cgroups *groups, pid_t pid) { return attach_from(CGROUP_UNIFIED, groups, pid); }

static int limit_legacy(const struct cgroups *groups, const struct ksb_numbers *numbers) {
    const char *memory = groups->directory[CGROUP_MEMORY];
    const char *cpu = groups->directory[CGROUP_CPU], *pids = groups->directory[CGROUP_PIDS];
    if (memory && numbers->memory_bytes) {
        if (!write_number(memory, "memory.limit_in_bytes", numbers->memory_bytes))
            return fail("limit memory", "the kernel refuses %llu bytes", (unsigned long long)numbers->memory_bytes);
        // No swap on top, where the kernel accounts for it.
        write_number(memory, "memory.memsw.limit_in_bytes", numbers->memory_bytes);
    }
    if (pids && !write_number(pids, "pids.max", numbers->pids))
        return fail("limit processes", "the kernel refuses %llu", (unsigned long long)numbers->pids);
    if (cpu && numbers->cpu_shares) write_number(cpu, "cpu.shares", numbers->cpu_shares < 2 ? 2 : numbers->cpu_shares);
    if (cpu && numbers->cpu_millicores) {
        uint64_t quota = numbers->cpu_millicores * 100;
        if (!write_number(cpu, "cpu.cfs_quota_us", quota < 1000 ? 1000 : quota))
            return fail("limit cpu", "the kernel refuses %llu millicores", (unsigned long long)numbers->cpu_millicores);
    }
    return 0;
}

static int limit_unified(const char *directory, const struct ksb_numbers *numbers) {
    if (numbers->memory_bytes) {
        if (!write_number(directory, "memory.max", numbers->memory_bytes) && errno != ENOENT)
            return fail("limit memory", "the kernel refuses %llu bytes", (unsigned long long)numbers->memory_bytes);
        write_file(directory, "memory.swap.max", "0");
        // One process over the limit ends the container, as kubelet has it with v2.
        write_file(directory, "memory.oom.group", "1");
    }
    if (!write_number(directory, "pids.max", numbers->pids) && errno != ENOENT)
        return fail("limit processes", "the kernel refuses %llu", (unsigned long long)numbers->pids);
    if (numbers->cpu_shares) {
        // The conversion of shares (2 … 262144) to weights (1 … 10000) that container runtimes use.
        uint64_t shares = numbers->cpu_shares < 2 ? 2 : numbers->cpu_shares > 262144 ? 262144 : numbers->cpu_shares;
        write_number(directory, "cpu.weight", 1 + (shares - 2) * 9999 / 262142);
    }
    if (numbers->cpu_millicores) {
        char text[64];
        uint64_t quota = numbers->cpu_millicores * 100;
        snprintf(text, sizeof text, "%llu 100000", (unsigned long long)(quota < 1000 ? 1000 : quota));
        if (!write_file(directory, "cpu.max", text) && errno != ENOENT)
            return fail("limit cpu", "the kernel refuses %llu millicores", (unsigned long long)numbers->cpu_millicores);
    }
    return 0;
}

int cgroups_limit(const struct cgroups *groups, const struct spec *spec) {
    const char *unified = groups->directory[CGROUP_UNIFIED];
    return unified ? limit_unified(unified, &spec->numbers) : limit_legacy(groups, &spec->numbers);
}

static bool read_text(const char *directory, const char *name, char *text, size_t size) {
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t count = read(fd, text, size - 1);
    close(fd);
    text[count > 0 ? count : 0] = 0;
    return count > 0;
}

bool cgroups_limit_memory(const struct cgroups *groups) {
    char text[64];
    if (groups->directory[CGROUP_MEMORY]) return true;
    const char *unified = groups->directory[CGROUP_UNIFIED];
    return unified && read_text(unified, "memory.max", text, sizeof text);
}

uint64_t cgroups_oom_kills(const struct cgroups *groups) {
    char text[1024];
    const char *directory = groups->directory[CGROUP_MEMORY], *name = "memory.oom_control";
    if (!directory) {
        directory = groups->directory[CGROUP_UNIFIED];
        name = "memory.events";
    }
    if (!directory || !read_text(directory, name, text, sizeof text)) return 0;
    const char *at = strstr(text, "oom_kill ");
    return at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
}

static void count(const char *directory, const char *name, const char *key, uint64_t unit, uint64_t *value) {
    char text[1024];
    if (!directory || !read_text(directory, name, text, sizeof text)) return;
    const char *at = strstr(text, key);
    if (at) *value = strtoull(at + strlen(key), NULL, 10) * unit;
}

void cgroups_spent(const struct cgroups *groups, uint64_t *cpu_ns, uint64_t *memory_peak) {
    const char *const *directory = groups->directory;
    count(directory[CGROUP_UNIFIED], "cpu.stat", "usage_usec ", 1000, cpu_ns);
    count(directory[CGROUP_UNIFIED], "memory.peak", "", 1, memory_peak);
    count(directory[CGROUP_CPU], "cpuacct.usage", "", 1, cpu_ns);
    count(directory[CGROUP_CPUACCT], "cpuacct.usage", "", 1, cpu_ns);
    count(directory[CGROUP_MEMORY], "memory.max_usage_in_bytes", "", 1, memory_peak);
}

void cgroups_kill(const struct cgroups *groups) {
    const char *unified = groups->directory[CGROUP_UNIFIED];
    if (unified && write_file(unified, "cgroup.kill", "1")) return;
    for (int kind = 0; kind < CGROUP_KINDS; kind++) {
        char text[4096];
        // Each look may find what others have just made.
        for (int look = 0; look < 100 && groups->directory[kind] && read_text(groups->directory[kind], "cgroup.procs", text, sizeof text); look++)
            for (char *at = text; *at; at += strcspn(at, "\n") + 1) {
                int pid = atoi(at);
                if (pid > 0) kill(pid, SIGKILL);
                if (!at[strcspn(at, "\n")]) break;
            }
    }
}

void cgroups_remove(const struct cgroups *groups) {
    for (int kind = 0; kind < CGROUP_KINDS; kind++)
        if (groups->directory[kind]) rmdir(groups->directory[kind]);
}

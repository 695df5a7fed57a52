// Where no control group counts memory: the container's anonymous memory, summed over its processes.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

static ssize_t read_proc(pid_t pid, const char *name, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t count = read(fd, text, size - 1);
    close(fd);
    if (count >= 0) text[count] = 0;
    return count;
}

// Resident memory that is backed by no file: what a limit is about. Shared memory counts where it is mapped.
static uint64_t anonymous_bytes(pid_t pid) {
    char text[4096];
    if (read_proc(pid, "status", text, sizeof text) <= 0) return 0;
    uint64_t sum = 0;
    static const char *const lines[] = {"RssAnon:", "RssShmem:", "VmSwap:"};
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(text, lines[i]);
        if (at) sum += strtoull(at + strlen(lines[i]), NULL, 10) * 1024;
    }
    return sum;
}

static ino_t pid_namespace(const char *pid) {
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%.20s/ns/pid", pid);
    // Others' processes may not be looked at, and are none of ours.
    return stat(path, &info) == 0 ? info.st_ino : 0;
}

uint64_t tree_memory_bytes(pid_t init) {
    char name[16];
    snprintf(name, sizeof name, "%d", (int)init);
    ino_t ours = pid_namespace(name);
    DIR *stream = ours ? opendir("/proc") : NULL;
    if (!stream) return 0;
    uint64_t sum = 0;
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        int pid = atoi(entry->d_name);
        if (pid > 0 && pid_namespace(entry->d_name) == ours) sum += anonymous_bytes(pid);
    }
    closedir(stream);
    return sum;
}

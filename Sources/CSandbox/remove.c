// Removing what a container left: untrusted names at any depth, so by descriptors, never through a link or a mount.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox.h"

static int is_directory(int parent, const struct dirent *entry) {
    if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
    struct stat info;
    return fstatat(parent, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

static int open_directory(int parent, const char *name) {
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags);
    if (fd >= 0 || errno != EACCES) return fd;
    // A directory that its owner closed to himself.
    if (fchmodat(parent, name, 0700, 0) < 0) return -1;
    return openat(parent, name, flags);
}

#define DEPTH_MAX 64

struct remover {
    int top;
    dev_t device;
    unsigned long counter;
    int error;
};

// A container may nest deeper than our descriptors reach: what lies too deep moves up beside the top, for the next pass.
static int hoist(struct remover *state, int parent, const char *name) {
    char target[32];
    snprintf(target, sizeof target, ".~%lu", ++state->counter);
    return renameat(parent, name, state->top, target);
}

static void sweep(struct remover *state, int fd, int depth);

static int remove_directory(struct remover *state, int parent, const char *name, int depth) {
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return 0;
    if (errno != ENOTEMPTY && errno != EEXIST) return -1;
    if (depth >= DEPTH_MAX) return hoist(state, parent, name);
    int child = open_directory(parent, name);
    if (child < 0) return -1;
    struct stat info;
    if (fstat(child, &info) < 0 || info.st_dev != state->device) {
        close(child);
        errno = EXDEV;
        return -1;
    }
    sweep(state, child, depth + 1);
    return unlinkat(parent, name, AT_REMOVEDIR);
}

// Takes over the descriptor.
static void sweep(struct remover *state, int fd, int depth) {
    DIR *stream = fdopendir(fd);
    if (!stream) {
        if (!state->error) state->error = errno;
        close(fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        int here = dirfd(stream);
        int failed = is_directory(here, entry) ? remove_directory(state, here, entry->d_name, depth)
                                               : unlinkat(here, entry->d_name, 0);
        if (failed && errno != ENOENT && !state->error) state->error = errno;
    }
    closedir(stream);
}

int ksb_remove_tree(const char *path) {
    struct stat info;
    struct remover state = {.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (state.top < 0) return -errno;
    if (fstat(state.top, &info) < 0) {
        int error = errno;
        close(state.top);
        return -error;
    }
    state.device = info.st_dev;
    int result = -EBUSY;
    // Each pass takes away 64 levels; two without a hoisted directory change nothing any more.
    for (;;) {
        unsigned long before = state.counter;
        state.error = 0;
        int again = dup(state.top);
        if (again < 0) break;
        lseek(again, 0, SEEK_SET);
        sweep(&state, again, 0);
        if (rmdir(path) == 0) {
            result = 0;
            break;
        }
        if (state.counter == before) {
            result = -(state.error ? state.error : errno);
            break;
        }
    }
    close(state.top);
    return result;
}

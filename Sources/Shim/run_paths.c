// Paths inside a root that others may change, and mounts held by descriptor. The kernel resolves (openat2); we never look twice.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"

static int open_how(int root, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    int fd;
    // EAGAIN: a rename raced with "..", nothing was decided.
    do fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN);
    return fd;
}

int path_open(int root, const char *path) {
    return open_how(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

// Walks component by component, opening what exists and making what does not, always from the root so that links stay inside.
static int make(int root, const char *path, int type, uint64_t resolve) {
    int fd = open_how(root, path, O_PATH, resolve);
    if (fd >= 0 || errno != ENOENT) return fd;
    char prefix[4096];
    size_t length = strlen(path);
    if (length >= sizeof prefix) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int parent = fcntl(root, F_DUPFD_CLOEXEC, 0);
    for (size_t at = 0; at < length && parent >= 0;) {
        while (path[at] == '/') at++;
        if (at >= length) break;
        size_t end = at + strcspn(path + at, "/");
        memcpy(prefix, path, end);
        prefix[end] = 0;
        bool last = path[end + strspn(path + end, "/")] == 0;
        int next = open_how(root, prefix, O_PATH, resolve);
        if (next < 0 && errno == ENOENT) {
            const char *name = prefix + at;
            int file = last && type == PATH_FILE ? openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644) : -2;
            if (file >= 0) close(file);
            if (file == -1 || (file == -2 && mkdirat(parent, name, 0755) < 0)) {
                int error = errno;
                close(parent);
                errno = error;
                return -1;
            }
            next = open_how(root, prefix, O_PATH, resolve);
        }
        int error = errno;
        close(parent);
        errno = error;
        parent = next;
        at = end;
    }
    return parent;
}

int path_make(int root, const char *path, int type) {
    return make(root, path, type, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_make_plain(int root, const char *path) {
    return make(root, path, PATH_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

int mount_new(const char *type, const char *const *options, unsigned int attributes) {
    int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0) return -1;
    long result = 0;
    for (; result == 0 && options && options[0]; options += 2) {
        unsigned int command = options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
        result = syscall(SYS_fsconfig, context, command, options[0], options[1], 0);
    }
    if (result == 0) result = syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (result == 0) result = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
    int error = errno;
    close(context);
    errno = error;
    return (int)result;
}

int mount_clone(int from, const char *path, bool recursive) {
    unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    if (recursive) flags |= AT_RECURSIVE;
    return (int)syscall(SYS_open_tree, from, path, flags);
}

int mount_change(int mount, uint64_t set, bool recursive) {
    struct mount_attr attributes = {.attr_set = set};
    unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    return (int)syscall(SYS_mount_setattr, mount, "", flags, &attributes, sizeof attributes);
}

int mount_attach(int mount, int target) {
    long result = syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    int error = errno;
    close(target);
    errno = error;
    return (int)result;
}

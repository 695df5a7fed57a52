// The container's root: an overlay over the environment's layers, entered with pivot_root so that nothing of the old one is left.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"

#define OPTIONS_MAX 4095  // mount(2) takes one page

static int make_layer(int parent, const char *name, const char *half, const char *step) {
    char path[64];
    snprintf(path, sizeof path, "%s%s", name, half);
    if (mkdirat(parent, path, 0755) < 0 && errno != EEXIST) return fail(step, "the writable layer %s cannot be made", path);
    int fd = openat(parent, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? fail(step, "the writable layer %s cannot be opened", path) : fd;
}

int overlay_mount(const struct spec *spec, const char *step, const char *name, const int *lower, size_t count, const char *place) {
    int state = open(spec->state_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (state < 0) return fail(step, "the state directory %s must exist", spec->state_directory);
    int upper = make_layer(state, name, "upper", step);
    int work = upper < 0 ? -1 : make_layer(state, name, "work", step);
    if (work < 0) return -1;
    char options[OPTIONS_MAX + 1];
    // userxattr: we are in a user namespace. volatile: the layer dies with the container, so ending it must not sync a disk.
    // Layers go by descriptor: short, free of ':' and ',' and of races.
    int length = snprintf(
        options, sizeof options, "userxattr,volatile,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", upper, work);
    for (size_t i = 0; i < count && length < OPTIONS_MAX; i++)
        length += snprintf(
            options + length, sizeof options - (size_t)length, "%s/proc/self/fd/%d", i ? ":" : ",lowerdir=", lower[i]);
    if (length >= OPTIONS_MAX) {
        errno = E2BIG;
        return fail(step, "%zu layers are more than the kernel takes in one mount", count);
    }
    if (mount("overlay", place, "overlay", MS_NODEV | MS_NOSUID, options) < 0) {
        return fail(
            step, "an overlay over %zu directories with its writable layer in %s: its file system must hold extended "
            "attributes, no layer may contain mounts, and a state directory serves one start only", count, spec->state_directory);
    }
    close(state);
    close(upper);
    close(work);
    return 0;
}

// Mounted over its own upper directory, in our mount namespace only. Returns the new root.
static int mount_root(const struct spec *spec) {
    int lower[OPTIONS_MAX / 16] = {0};
    size_t count = spec->lower.count;
    if (count > sizeof lower / sizeof lower[0]) {
        errno = E2BIG;
        return fail("mount the root", "%zu layers are more than the kernel takes in one mount", count);
    }
    char place[4400];
    for (size_t i = 0; i < count; i++) {
        lower[i] = open(spec->lower.items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (lower[i] < 0) return fail("open a root layer", "%s must be an existing directory", spec->lower.items[i]);
    }
    snprintf(place, sizeof place, "%s/upper", spec->state_directory);
    if (overlay_mount(spec, "mount the root", "", lower, count, place) < 0) return -1;
    for (size_t i = 0; i < count; i++) close(lower[i]);
    int root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? fail("mount the root", "%s cannot be opened", place) : root;
}

static int make_working_directory(const struct spec *spec, int root) {
    int fd = path_make(root, spec->working_directory, PATH_DIRECTORY);
    if (fd < 0) return fail("enter the working directory", "%s can neither be found nor made", spec->working_directory);
    close(fd);
    return 0;
}

static int pivot(int root) {
    if (fchdir(root) < 0) return fail("enter the root", "its directory cannot be entered");
    if (syscall(SYS_pivot_root, ".", ".") < 0) return fail("enter the root", "pivot_root is refused");
    // The old root lies on top of the new one now.
    if (umount2(".", MNT_DETACH) < 0) return fail("enter the root", "the old root cannot be unmounted");
    if (chdir("/") < 0) return fail("enter the root", "the new root cannot be entered");
    return 0;
}

int enter_working_directory(const struct spec *spec) {
    if (chdir(spec->working_directory) < 0)
        return fail("enter the working directory", "%s must be a directory", spec->working_directory);
    // A directory outside the root, reached through a leaked descriptor, would have no path here.
    char path[4097];
    long length = syscall(SYS_getcwd, path, sizeof path);
    if (length < 2 || path[0] != '/')
        return fail_kind(
            KSB_FAIL_SETUP, 0, "enter the working directory", "%s lies outside the container", spec->working_directory);
    return 0;
}

int root_enter(const struct spec *spec) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return fail("make mounts private", "the kernel refuses");
    int root = mount_root(spec);
    if (root < 0) return -1;
    if (root_standard_mounts(spec, root) < 0 || root_volumes(spec, root) < 0) return -1;
    if (make_working_directory(spec, root) < 0 || root_masks(spec, root) < 0) return -1;
    if ((spec->numbers.flags & KSB_ROOT_READ_ONLY) && mount_change(root, MOUNT_ATTR_RDONLY, false) < 0)
        return fail("make the root read-only", "the kernel refuses");
    return pivot(root) < 0 || enter_working_directory(spec) < 0 ? -1 : 0;
}

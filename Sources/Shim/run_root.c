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

// Layers go by descriptor: short, free of ':' and ',' and of races.
static int lower_option(const struct spec *spec, char *options, size_t *length) {
    for (size_t i = 0; i < spec->lower.count; i++) {
        int fd = open(spec->lower.items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return fail("open a root layer", "%s must be an existing directory", spec->lower.items[i]);
        int count = snprintf(options + *length, OPTIONS_MAX - *length, "%s/proc/self/fd/%d", i ? ":" : "lowerdir=", fd);
        if (count < 0 || *length + (size_t)count >= OPTIONS_MAX) {
            errno = E2BIG;
            return fail("open the root layers", "%zu layers are more than the kernel takes in one mount", spec->lower.count);
        }
        *length += (size_t)count;
    }
    return 0;
}

static int make_private_directory(int parent, const char *name, const char *state_directory) {
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return fail("make the writable layer", "%s/%s cannot be made", state_directory, name);
    int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? fail("make the writable layer", "%s/%s cannot be opened", state_directory, name) : fd;
}

// Mounted over its own upper directory, in our mount namespace only. Returns the new root.
static int mount_overlay(const struct spec *spec) {
    const char *state_directory = spec->state_directory;
    int state = open(state_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (state < 0) return fail("open the state directory", "%s must exist", state_directory);
    int upper = make_private_directory(state, "upper", state_directory);
    int work = upper < 0 ? -1 : make_private_directory(state, "work", state_directory);
    if (work < 0) return -1;
    char options[OPTIONS_MAX + 1];
    // userxattr: we are in a user namespace. volatile: the layer dies with the container, so ending it must not sync a disk.
    size_t length = (size_t)snprintf(
        options, sizeof options, "userxattr,volatile,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,", upper, work);
    if (lower_option(spec, options, &length) < 0) return -1;
    char place[4400];
    snprintf(place, sizeof place, "%s/upper", state_directory);
    if (mount("overlay", place, "overlay", MS_NODEV, options) < 0) {
        return fail(
            "mount the root", "an overlay over %zu layers with its upper layer in %s: the file system there must hold extended "
            "attributes, and a state directory serves one start only", spec->lower.count, state_directory);
    }
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

static int enter_working_directory(const struct spec *spec) {
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
    int root = mount_overlay(spec);
    if (root < 0) return -1;
    if (root_standard_mounts(spec, root) < 0 || root_volumes(spec, root) < 0) return -1;
    if (make_working_directory(spec, root) < 0 || root_masks(spec, root) < 0) return -1;
    if ((spec->numbers.flags & KSB_ROOT_READ_ONLY) && mount_change(root, MOUNT_ATTR_RDONLY, false) < 0)
        return fail("make the root read-only", "the kernel refuses");
    return pivot(root) < 0 || enter_working_directory(spec) < 0 ? -1 : 0;
}

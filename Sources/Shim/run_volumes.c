// Mounts that the spec asks for. Sources and targets are held by descriptor from their one resolution to the mount, so a
// container that swaps a directory for a link meanwhile changes nothing.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

#define MOUNT_LAYERS_MAX 200  // of /proc/self/fd/NNN in one page

static int open_source(const struct mount_entry *entry, const char *step) {
    int source = open(entry->source, O_PATH | O_CLOEXEC);
    if (source < 0) return fail(step, "its source %s must exist", entry->source);
    if (!entry->subpath[0]) return source;
    // Beneath the volume whatever links it holds: it may have been filled by another, hostile container.
    int below = path_make(source, entry->subpath, PATH_DIRECTORY);
    int error = errno;
    close(source);
    errno = error;
    return below < 0 ? fail(step, "its subPath %s cannot be opened in the volume", entry->subpath) : below;
}

static int bind(const struct mount_entry *entry, const char *step, bool *directory) {
    struct stat info;
    int source = open_source(entry, step);
    if (source < 0) return -1;
    if (fstat(source, &info) < 0) return fail(step, "its source cannot be examined");
    *directory = S_ISDIR(info.st_mode);
    bool device = entry->kind == KSB_MOUNT_DEVICE;
    if (device && !S_ISCHR(info.st_mode)) {
        errno = ENODEV;
        return fail(step, "%s must be a character device", entry->source);
    }
    int mount = mount_clone(source, "", *directory);
    close(source);
    if (mount < 0) return fail(step, "its source %s cannot be mounted", entry->source);
    uint64_t attributes = MOUNT_ATTR_NOSUID | (device ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV);
    if (entry->read_only) attributes |= MOUNT_ATTR_RDONLY;
    if (mount_change(mount, attributes, *directory) < 0) {
        close(mount);
        return fail(step, "the kernel refuses nosuid,nodev%s on %s", entry->read_only ? ",ro" : "", entry->source);
    }
    return mount;
}

static int tmpfs(const struct mount_entry *entry, const char *step) {
    char size[24], mode[12];
    snprintf(size, sizeof size, "%llu", (unsigned long long)entry->size_bytes);
    snprintf(mode, sizeof mode, "%o", entry->mode ? entry->mode & 07777 : 0777);
    const char *options[] = {"mode", mode, entry->size_bytes ? "size" : NULL, size, NULL, NULL};
    unsigned int attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (entry->read_only ? MOUNT_ATTR_RDONLY : 0);
    int mount = mount_new("tmpfs", options, attributes);
    return mount < 0 ? fail(step, "the kernel refuses a tmpfs with mode %s and size %s", mode, size) : mount;
}

// Mounted where it goes at once: an overlay is no file system that the older kernels make detached.
static int put_overlay(const struct spec *spec, const struct mount_entry *entry, int root, const char *step) {
    int lower[MOUNT_LAYERS_MAX + 1];
    size_t count = entry->above_count + 1;
    if (count > sizeof lower / sizeof lower[0]) {
        errno = E2BIG;
        return fail(step, "%zu layers are more than the kernel takes in one mount", count);
    }
    for (size_t i = 0; i < count; i++) {
        const char *path = i < entry->above_count ? entry->above[i] : entry->source;
        lower[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (lower[i] < 0) return fail(step, "its source %s must be an existing directory", path);
    }
    int target = path_make(root, entry->target, PATH_DIRECTORY);
    if (target < 0) return fail(step, "the target can neither be found nor made in the container's root");
    char name[32], place[40];
    snprintf(name, sizeof name, "mount-%zu-", (size_t)(entry - spec->mounts));
    snprintf(place, sizeof place, "/proc/self/fd/%d", target);
    int result = overlay_mount(spec, step, name, lower, count, place);
    for (size_t i = 0; i < count; i++) close(lower[i]);
    close(target);
    return result;
}

static int put(const struct spec *spec, const struct mount_entry *entry, int root) {
    char step[KSB_STEP_MAX];
    snprintf(step, sizeof step, "mount volume %s", entry->target);
    if (entry->kind == KSB_MOUNT_OVERLAY) return put_overlay(spec, entry, root, step);
    bool directory = true;
    int mount = entry->kind == KSB_MOUNT_TMPFS ? tmpfs(entry, step) : bind(entry, step, &directory);
    if (mount < 0) return -1;
    int target = path_make(root, entry->target, directory ? PATH_DIRECTORY : PATH_FILE);
    if (target < 0) {
        close(mount);
        return fail(step, "the target can neither be found nor made in the container's root");
    }
    int result = mount_attach(mount, target);
    close(mount);
    return result < 0 ? fail(step, "a %s cannot be put there", directory ? "directory" : "file") : 0;
}

// The container's last words: a file of the state directory that any of its users may write.
static int put_termination_log(const struct spec *spec, int root) {
    char source[4400];
    snprintf(source, sizeof source, "%s/termination-log", spec->state_directory);
    int file = open(source, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0 || fchmod(file, 0666) < 0) return fail("make the termination log", "%s cannot be made", source);
    close(file);
    struct mount_entry entry = {
        .kind = KSB_MOUNT_BIND, .target = spec->termination_path, .source = source, .subpath = ""};
    return put(spec, &entry, root);
}

int root_volumes(const struct spec *spec, int root) {
    for (size_t i = 0; i < spec->mount_count; i++)
        if (put(spec, &spec->mounts[i], root) < 0) return -1;
    return spec->termination_path ? put_termination_log(spec, root) : 0;
}

// What every container gets: its own /proc, /dev, /sys and /tmp, and what of the kernel's files it must not see or change.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

// A new file system at a directory of the root, none of whose components may be a link: an image could else have /proc point
// to a place where writes meant for the kernel land elsewhere. Returns the mount.
static int mount_at(int root, const char *path, const char *type, const char *const *options, unsigned int attributes) {
    char step[64];
    snprintf(step, sizeof step, "mount %s", path);
    int target = path_make_plain(root, path);
    if (target < 0) return fail(step, "the image must have a real directory there, or nothing; a symbolic link is refused");
    int mount = mount_new(type, options, attributes);
    if (mount < 0) {
        close(target);
        return fail(step, "the kernel refuses a new %s here", type);
    }
    if (mount_attach(mount, target) < 0) return fail(step, "%s cannot be put there", type);
    return mount;
}

static int bind_device(int dev, const char *name) {
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", name);
    int file = openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0) return fail("make /dev", "%s cannot be made", name);
    int tree = mount_clone(AT_FDCWD, path, false);
    if (tree < 0) return fail("make /dev", "%s must exist on this machine", path);
    int result = mount_attach(tree, file);
    close(tree);
    return result < 0 ? fail("make /dev", "%s cannot be mounted", path) : 0;
}

static int make_dev_links(int dev) {
    static const char *const links[][2] = {
        {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
        {"pts/ptmx", "ptmx"},
    };
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0) return fail("make /dev", "%s cannot be linked", links[i][1]);
    return 0;
}

static int make_dev(const struct spec *spec, int root) {
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
    const char *dev_options[] = {"mode", "755", "size", "65536k", NULL, NULL};
    int dev = mount_at(root, "/dev", "tmpfs", dev_options, MOUNT_ATTR_NOSUID);
    if (dev < 0) return -1;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (bind_device(dev, devices[i]) < 0) return -1;
    if (make_dev_links(dev) < 0) return -1;
    // Without gid=5: that group may have no number in our id map.
    const char *pts_options[] = {"newinstance", NULL, "ptmxmode", "0666", "mode", "0620", NULL, NULL};
    int pts = mount_at(root, "/dev/pts", "devpts", pts_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (pts < 0) return -1;
    char size[24];
    snprintf(size, sizeof size, "%llu", (unsigned long long)spec->numbers.shm_bytes);
    const char *shm_options[] = {"mode", "1777", "size", size, NULL, NULL};
    int shm = mount_at(root, "/dev/shm", "tmpfs", shm_options, QUIET);
    if (shm < 0) return -1;
    close(shm);
    close(pts);
    close(dev);
    return 0;
}

// A new sysfs shows the network namespace we are in. Where the kernel allows none, the daemon's own, or nothing.
static void make_sys(const struct spec *spec, int root) {
    unsigned int attributes = QUIET | MOUNT_ATTR_RDONLY;
    int mount = mount_new("sysfs", NULL, attributes);
    if (mount < 0 && (mount = mount_clone(AT_FDCWD, "/sys", false)) >= 0 && mount_change(mount, attributes, false) < 0) {
        close(mount);
        mount = -1;
    }
    int target = mount < 0 ? -1 : path_make_plain(root, "/sys");
    if (target >= 0 && mount_attach(mount, target) == 0) {
        // Own limits only: the group namespace hides all others. Absent where v1 rules, whose v2 tree is not ours.
        int groups = spec->in_unified_group ? mount_new("cgroup2", NULL, attributes) : -1;
        int place = groups < 0 ? -1 : path_open(root, "/sys/fs/cgroup");
        if (place >= 0) mount_attach(groups, place);
        if (groups >= 0) close(groups);
    }
    if (mount >= 0) close(mount);
}

int root_standard_mounts(const struct spec *spec, int root) {
    int proc = mount_at(root, "/proc", "proc", NULL, QUIET);
    if (proc < 0) return -1;
    close(proc);
    if (make_dev(spec, root) < 0) return -1;
    struct stat info;
    if (fstatat(root, "sys", &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode)) {
        errno = ELOOP;
        return fail("mount /sys", "the image must have a real directory there, or nothing; a symbolic link is refused");
    }
    make_sys(spec, root);
    if (spec->numbers.flags & KSB_PRIVATE_TMP) {
        const char *options[] = {"mode", "1777", NULL, NULL};
        int tmp = mount_at(root, "/tmp", "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (tmp < 0) return -1;
        close(tmp);
    }
    return 0;
}

// Hides a path: a file under /dev/null, a directory under an empty one. What does not exist needs no hiding.
static int mask(int root, const char *path) {
    struct stat info;
    int target = path_open(root, path);
    if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : fail("hide a path", "%s cannot be opened", path);
    int mount = -1;
    if (fstat(target, &info) == 0) {
        const char *options[] = {"mode", "555", "size", "4k", NULL, NULL};
        mount = S_ISDIR(info.st_mode) ? mount_new("tmpfs", options, QUIET | MOUNT_ATTR_RDONLY) : mount_clone(AT_FDCWD, "/dev/null", false);
    }
    if (mount < 0 || mount_attach(mount, target) < 0) return fail("hide a path", "%s cannot be covered", path);
    close(mount);
    return 0;
}

static int make_read_only(int root, const char *path) {
    int target = path_open(root, path);
    if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : fail("protect a path", "%s cannot be opened", path);
    int mount = mount_clone(target, "", true);
    if (mount < 0 || mount_change(mount, MOUNT_ATTR_RDONLY, true) < 0 || mount_attach(mount, target) < 0)
        return fail("protect a path", "%s cannot be made read-only", path);
    close(mount);
    return 0;
}

int root_masks(const struct spec *spec, int root) {
    static const char *const hidden[] = {
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
        "/sys/devices/virtual/powercap",
    };
    static const char *const fixed[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (mask(root, hidden[i]) < 0) return -1;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (make_read_only(root, fixed[i]) < 0) return -1;
    for (size_t i = 0; i < spec->masked.count; i++)
        if (mask(root, spec->masked.items[i]) < 0) return -1;
    for (size_t i = 0; i < spec->read_only.count; i++)
        if (make_read_only(root, spec->read_only.items[i]) < 0) return -1;
    return 0;
}

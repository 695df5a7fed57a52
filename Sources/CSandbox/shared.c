// What several containers share for as long as any of them may come: an ipc namespace and a /dev/shm, held by mounts in the
// caller's mount namespace instead of by a process.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sandbox.h"

#define NSFS_MAGIC 0x6e736673
#define TMPFS_MAGIC 0x01021994

static int is_mounted(const char *path, long magic) {
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == magic;
}

struct job {
    const char *path;
    int error;
};

// On a thread of its own: unshare moves only the calling thread, and this one ends with its work.
static void *pin(void *argument) {
    struct job *job = argument;
    if (unshare(CLONE_NEWIPC) < 0 || mount("/proc/thread-self/ns/ipc", job->path, NULL, MS_BIND, NULL) < 0) job->error = errno;
    return NULL;
}

int ksb_shared_ipc(const char *path) {
    if (is_mounted(path, NSFS_MAGIC)) return 0;
    int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return -errno;
    close(file);
    struct job job = {.path = path, .error = 0};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, pin, &job);
    if (error) return -error;
    pthread_join(thread, NULL);
    return -job.error;
}

int ksb_shared_memory(const char *path, unsigned long long bytes) {
    // The directory itself may lie on a tmpfs: what is mounted there has another device than its parent.
    struct stat own, parent;
    char above[4200], options[64];
    if (snprintf(above, sizeof above, "%s/..", path) >= (int)sizeof above) return -ENAMETOOLONG;
    if (mkdir(path, 0700) < 0 && errno != EEXIST) return -errno;
    if (stat(path, &own) < 0 || stat(above, &parent) < 0) return -errno;
    if (own.st_dev != parent.st_dev && is_mounted(path, TMPFS_MAGIC)) return 0;
    snprintf(options, sizeof options, "mode=1777,size=%llu", bytes);
    return mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0 ? -errno : 0;
}

int ksb_unshare(const char *path) {
    return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT ? -errno : 0;
}

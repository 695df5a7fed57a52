// What must not be left when a lab ends: control groups, and, where its state directory was removed under it, every process.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "helper.h"

#define PAUSE_NS 10000000L
#define ROUNDS 150
#define GRACE_SECONDS 10
#define CHECK_SECONDS 2

static void pause_shortly(void) { nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL); }

// Only a group of a lab's own is ever removed.
bool groups_add(struct helper *h, const char *path) {
    const char *name = strrchr(path, '/');
    if (path[0] != '/' || name == NULL || strncmp(name, "/kindling-", 10) != 0 || strlen(path) >= PATH_MAX / 2) return false;
    for (int i = 0; i < h->group_count; i++) {
        if (strcmp(h->groups[i], path) == 0) return true;
    }
    if (h->group_count == GROUPS_MAX || (h->groups[h->group_count] = strdup(path)) == NULL) return false;
    h->group_count++;
    return true;
}

// The groups of containers are named after the labd that made them: those of one that lives may be empty as they are new.
static void remove_containers(const char *parent) {
    DIR *stream = opendir(parent);
    if (stream == NULL) return;
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        long maker = strtol(entry->d_name, NULL, 10);
        if (entry->d_type != DT_DIR || maker <= 1 || kill((pid_t)maker, 0) == 0 || errno != ESRCH) continue;
        char path[PATH_MAX + NAME_MAX + 2];
        snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
        rmdir(path);
    }
    closedir(stream);
}

void groups_remove(struct helper *h) {
    // Supervisors that waited for work end when they see labd's end, a moment after it.
    for (int round = 0; round < ROUNDS; round++) {
        int left = 0;
        for (int i = 0; i < h->group_count; i++) {
            remove_containers(h->groups[i]);
            if (rmdir(h->groups[i]) < 0 && (errno == EBUSY || errno == ENOTEMPTY)) left++;
        }
        if (left == 0) return;
        pause_shortly();
    }
    helper_log("control groups stay: something still runs in them");
}

static bool is_missing(const char *path, struct stat *info) { return stat(path, info) < 0 && (errno == ENOENT || errno == ENOTDIR); }

void state_remember(struct helper *h) {
    struct stat info;
    if (stat(h->state, &info) < 0) return;
    h->state_device = info.st_dev;
    h->state_inode = info.st_ino;
}

// Its directory is gone or another's, or labd runs and its catalogue is gone: what a user cannot remove may be left of it.
static bool state_is_gone(struct helper *h) {
    char catalogue[PATH_MAX];
    struct stat info;
    if (is_missing(h->state, &info)) return true;
    if (stat(h->state, &info) == 0 && (info.st_dev != h->state_device || info.st_ino != h->state_inode)) return true;
    if (snprintf(catalogue, sizeof catalogue, "%s/catalogue.sqlite", h->state) >= (int)sizeof catalogue) return false;
    if (!is_missing(catalogue, &info)) {
        h->catalogue_seen = true;
        return false;
    }
    return h->catalogue_seen && h->labd.pid != 0;
}

static bool in_labs_namespace(long pid, ino_t inode) {
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%ld/ns/mnt", pid);
    return stat(path, &info) == 0 && info.st_ino == inode;
}

// labd and supervisors are in labd's mount namespace; containers end with their supervisors.
static int kill_lab(struct helper *h) {
    int found = 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL) return 0;
    const struct dirent *entry;
    while ((entry = readdir(proc)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid <= 1 || pid == getpid() || !in_labs_namespace(pid, h->ns.mount_inode)) continue;
        found++;
        kill((pid_t)pid, SIGKILL);
    }
    closedir(proc);
    return found;
}

// A lab whose state was removed ends: labd has its chance, then nothing of it is left alive.
void state_check(struct helper *h) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (h->stopping || h->state_inode == 0) return;
    if (!h->state_gone) {
        if (now.tv_sec < h->state_checked + CHECK_SECONDS) return;
        h->state_checked = now.tv_sec;
        if (!state_is_gone(h)) return;
        h->state_gone = true;
        helper_log("the state directory %s was removed: the lab ends", h->state);
        if (h->labd.pid != 0) daemon_stop(h, GRACE_SECONDS);
    }
    if (h->labd.pid != 0) return;
    for (int round = 0; round < ROUNDS && kill_lab(h) > 0; round++) pause_shortly();
    h->stopping = true;
}

// Which user and group ids exist in labd's user namespace.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"

#define RANGES_MAX 32

struct range {
    unsigned long first, count;
};

const char *idmap_name(enum idmap idmap) {
    switch (idmap) {
        case IDMAP_IDENTITY: return "identity";
        case IDMAP_RANGES: return "ranges";
        case IDMAP_SINGLE: return "single";
    }
    return "single";
}

static int write_file(pid_t pid, const char *name, const char *text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

// Every id that exists here maps to itself; inside a container the helper's own namespace has only some.
static int write_identity(pid_t child, const char *name) {
    char path[32], line[128], map[4096];
    snprintf(path, sizeof path, "/proc/self/%s", name);
    FILE *file = fopen(path, "re");
    if (file == NULL) return -errno;
    size_t used = 0;
    map[0] = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long inside, outside, count;
        if (sscanf(line, "%lu %lu %lu", &inside, &outside, &count) != 3) continue;
        used += (size_t)snprintf(map + used, sizeof map - used, "%lu %lu %lu\n", inside, inside, count);
        if (used >= sizeof map - 64) break;
    }
    fclose(file);
    return write_file(child, name, map);
}

static int read_ranges(const char *path, const char *user, uid_t uid, struct range *ranges) {
    char line[512], number[16];
    snprintf(number, sizeof number, "%u", (unsigned)uid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    int n = 0;
    while (n < RANGES_MAX && fgets(line, sizeof line, file) != NULL) {
        char *first = strchr(line, ':');
        if (first == NULL) continue;
        *first++ = 0;
        char *count = strchr(first, ':');
        if (count == NULL) continue;
        *count++ = 0;
        if (strcmp(line, number) != 0 && (user == NULL || strcmp(line, user) != 0)) continue;
        struct range range = {strtoul(first, NULL, 10), strtoul(count, NULL, 10)};
        if (range.first > 0 && range.count > 0) ranges[n++] = range;
    }
    fclose(file);
    return n;
}

// newuidmap PID 0 OWN 1 1 FIRST COUNT …: only it may write more than the caller's own id.
static int run_newidmap(const char *program, pid_t child, unsigned own, const struct range *ranges, int n) {
    char words[RANGES_MAX * 3 + 5][24];
    char *argv[RANGES_MAX * 3 + 6];
    int w = 0;
    snprintf(words[w++], 24, "%d", (int)child);
    snprintf(words[w++], 24, "0");
    snprintf(words[w++], 24, "%u", own);
    snprintf(words[w++], 24, "1");
    unsigned long inside = 1;
    for (int i = 0; i < n; i++) {
        snprintf(words[w++], 24, "%lu", inside);
        snprintf(words[w++], 24, "%lu", ranges[i].first);
        snprintf(words[w++], 24, "%lu", ranges[i].count);
        inside += ranges[i].count;
    }
    argv[0] = (char *)program;
    for (int i = 0; i < w; i++) argv[i + 1] = words[i];
    argv[w + 1] = NULL;
    return process_run(argv, NULL);
}

static int write_single(pid_t child, bool groups_written) {
    char map[64];
    snprintf(map, sizeof map, "0 %u 1\n", (unsigned)geteuid());
    int rc = write_file(child, "uid_map", map);
    if (rc < 0 || groups_written) return rc;
    rc = write_file(child, "setgroups", "deny");
    if (rc < 0 && rc != -ENOENT) return rc;
    snprintf(map, sizeof map, "0 %u 1\n", (unsigned)getegid());
    return write_file(child, "gid_map", map);
}

static bool write_ranges(struct helper *h, pid_t child, bool *groups_written) {
    struct range users[RANGES_MAX], groups[RANGES_MAX];
    const struct passwd *entry = getpwuid(geteuid());
    const char *user = entry ? entry->pw_name : NULL;
    int user_count = read_ranges("/etc/subuid", user, geteuid(), users);
    int group_count = read_ranges("/etc/subgid", user, geteuid(), groups);
    if (user_count == 0 || group_count == 0) {
        snprintf(h->idmap_note, sizeof h->idmap_note,
                 "/etc/%s has no line for %s: files in pods belong to one id; an administrator adds ranges with: "
                 "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
                 user_count == 0 ? "subuid" : "subgid", user ? user : "this user", user ? user : "USER");
        return false;
    }
    // Groups first: if either fails, nothing has been written to uid_map and the single id can still be.
    int rc = run_newidmap("newgidmap", child, (unsigned)getegid(), groups, group_count);
    if (rc == 0) {
        *groups_written = true;
        rc = run_newidmap("newuidmap", child, (unsigned)geteuid(), users, user_count);
        if (rc == 0) return true;
    }
    snprintf(h->idmap_note, sizeof h->idmap_note,
             rc == 127 ? "newuidmap is missing: files in pods belong to one id; an administrator runs: apt-get install uidmap"
                       : "newuidmap refused the ranges of /etc/subuid and /etc/subgid (status %d): files in pods belong to "
                         "one id; see that the program has its set-user-id bit or capability",
             rc);
    return false;
}

int idmap_write(struct helper *h, pid_t child) {
    h->idmap_note[0] = 0;
    if (geteuid() == 0) {
        h->idmap = IDMAP_IDENTITY;
        int rc = write_identity(child, "uid_map");
        return rc < 0 ? rc : write_identity(child, "gid_map");
    }
    bool groups_written = false;
    h->idmap = write_ranges(h, child, &groups_written) ? IDMAP_RANGES : IDMAP_SINGLE;
    return h->idmap == IDMAP_RANGES ? 0 : write_single(child, groups_written);
}

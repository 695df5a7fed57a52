// helper.json, for people and other programs, and helper.state, lines for the next helper should this one be killed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"

static bool replace(struct helper *h, const char *name, const struct text *text) {
    char fresh[64];
    if (text->overflow) return false;
    snprintf(fresh, sizeof fresh, "%s.new", name);
    int fd = openat(h->runtime_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool good = write(fd, text->bytes, text->length) == (ssize_t)text->length;
    close(fd);
    return good && renameat(h->runtime_fd, fresh, h->runtime_fd, name) == 0;
}

// Differs after each boot, when no process and no namespace of the record exists any more.
static void boot_id(char *id, size_t size) {
    id[0] = 0;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL) return;
    if (fgets(id, (int)size, file) == NULL) id[0] = 0;
    fclose(file);
    id[strcspn(id, "\n")] = 0;
}

void record_write(struct helper *h) {
    static char buffer[1 << 17];
    char boot[64];
    struct text json = {.bytes = buffer, .capacity = sizeof buffer};
    text_add(&json, "{");
    status_members(h, &json);
    text_add(&json, ",\"ports\":");
    ports_array(h, &json);
    text_add(&json, "}\n");
    if (h->done) unlinkat(h->runtime_fd, "helper.json", 0);
    else if (!replace(h, "helper.json", &json)) helper_log("cannot write helper.json: %s", strerror(errno));

    struct text state = {.bytes = buffer, .capacity = sizeof buffer};
    boot_id(boot, sizeof boot);
    text_add(&state, "boot %s\nnamespaces %llu %llu %llu\n", boot, (unsigned long long)h->ns.user_inode,
             (unsigned long long)h->ns.mount_inode, (unsigned long long)h->ns.network_inode);
    text_add(&state, "idmap %s\n", idmap_name(h->idmap));
    if (h->labd.pid != 0) text_add(&state, "labd %d %llu\n", (int)h->labd.pid, h->labd.started);
    if (h->uplink.state == UPLINK_UP)
        text_add(&state, "uplink %s %d %llu\nchanged %s\n", uplink_kind_name(h->uplink.kind), (int)h->uplink.process.pid,
                 h->uplink.process.started, h->uplink.changed);
    for (int i = 0; i < h->group_count; i++) text_add(&state, "group %s\n", h->groups[i]);
    for (int i = 0; i < h->port_count && !h->done; i++)
        text_add(&state, "port %s %d %s\n", h->ports[i].address, h->ports[i].port, h->ports[i].name);
    if (h->done) text_add(&state, "stopped\n");
    if (!replace(h, "helper.state", &state)) helper_log("cannot write helper.state: %s", strerror(errno));
}

struct recorded {
    bool found, stopped;
    char boot[64], uplink[16], changed[1024];
    int uplink_pid;
    unsigned long long uplink_started;
};

static void read_line(struct helper *h, char *line, struct recorded *old) {
    char word[16];
    int pid;
    unsigned long long started, a, b, c;
    if (sscanf(line, "namespaces %llu %llu %llu", &a, &b, &c) == 3) {
        h->ns.user_inode = (ino_t)a;
        h->ns.mount_inode = (ino_t)b;
        h->ns.network_inode = (ino_t)c;
    } else if (sscanf(line, "idmap %15s", word) == 1) {
        for (int i = IDMAP_IDENTITY; i <= IDMAP_SINGLE; i++) {
            if (strcmp(word, idmap_name((enum idmap)i)) == 0) h->idmap = (enum idmap)i;
        }
    } else if (sscanf(line, "labd %d %llu", &pid, &started) == 2) {
        process_hold(&h->labd, pid, started);
    } else if (sscanf(line, "port %63s %d %127s", h->ports[h->port_count].address, &pid, h->ports[h->port_count].name) == 3) {
        h->ports[h->port_count].port = pid;
        h->ports[h->port_count].fd = -1;
        if (h->port_count < PORTS_MAX - 1) h->port_count++;
    } else if (strncmp(line, "group ", 6) == 0) {
        groups_add(h, line + 6);
    } else if (strncmp(line, "changed ", 8) == 0) {
        snprintf(old->changed, sizeof old->changed, "%s", line + 8);
    } else if (strcmp(line, "stopped") == 0) {
        old->stopped = true;
    } else {
        sscanf(line, "uplink %15s %d %llu", old->uplink, &old->uplink_pid, &old->uplink_started);
    }
}

// A labd that lives has the sockets itself and gives them back; those of a dead one are opened again where that is possible.
static void reopen_ports(struct helper *h) {
    struct port old[PORTS_MAX];
    int n = h->port_count;
    memcpy(old, h->ports, sizeof(struct port) * (size_t)n);
    h->port_count = 0;
    for (int i = 0; i < n && h->labd.pid == 0; i++) {
        const char *code;
        char message[MESSAGE_SIZE];
        // What was open before may be opened again: the permission was given then.
        if (port_open(h, old[i].name, old[i].address, old[i].port, true, &code, message) == NULL)
            helper_lost(h, "the listening socket '%s': %s", old[i].name, message);
    }
}

void record_read(struct helper *h) {
    char line[1024], boot[64];
    struct recorded old = {0};
    int fd = openat(h->runtime_fd, "helper.state", O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    boot_id(boot, sizeof boot);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "boot ", 5) == 0) {
            if (strcmp(line + 5, boot) != 0) break;
            old.found = true;
        } else if (old.found) {
            read_line(h, line, &old);
        }
    }
    if (file != NULL) fclose(file);
    bool expected = old.found && !old.stopped;
    if (namespaces_adopt(h) != EXIT_OK) {
        h->ns = (struct namespaces){-1, -1, -1, 0, 0, 0};
        process_release(&h->labd);
        if (expected) helper_lost(h, "labd's namespaces and the pods' networks in them: no process of this lab was left alive");
    }
    reopen_ports(h);
    uplink_recover(h, old.uplink, old.uplink_pid, old.uplink_started, old.changed);
}

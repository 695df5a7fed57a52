// The JSON that the helper answers with.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"

void text_add(struct text *text, const char *format, ...) {
    if (text->overflow) return;
    va_list arguments;
    va_start(arguments, format);
    size_t room = text->capacity - text->length;
    int n = vsnprintf(text->bytes + text->length, room, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= room) text->overflow = true;
    else text->length += (size_t)n;
}

void text_quote(struct text *text, const char *value) {
    text_add(text, "\"");
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c == '"' || *c == '\\') text_add(text, "\\%c", *c);
        else if (*c < 0x20) text_add(text, "\\u%04x", *c);
        else text_add(text, "%c", *c);
    }
    text_add(text, "\"");
}

void ports_array(struct helper *h, struct text *text) {
    text_add(text, "[");
    for (int i = 0; i < h->port_count; i++) {
        text_add(text, "%s{\"name\":", i ? "," : "");
        text_quote(text, h->ports[i].name);
        text_add(text, ",\"address\":\"%s\",\"port\":%d}", h->ports[i].address, h->ports[i].port);
    }
    text_add(text, "]");
}

void host_members(struct text *text) {
    struct host_route routes[512];
    char names[8][64], search[1024];
    int n = host_routes(routes, 512);
    text_add(text, "\"mtu\":%d,\"routes\":[", host_mtu());
    for (int i = 0; i < n; i++) {
        char address[INET_ADDRSTRLEN] = "";
        struct in_addr network = {htonl(routes[i].network)};
        inet_ntop(AF_INET, &network, address, sizeof address);
        text_add(text, "%s\"%s/%d\"", i ? "," : "", address, routes[i].prefix);
    }
    n = host_nameservers(names, 8, search, sizeof search);
    text_add(text, "],\"nameservers\":[");
    for (int i = 0; i < n; i++) {
        text_add(text, "%s", i ? "," : "");
        text_quote(text, names[i]);
    }
    text_add(text, "],\"search\":[");
    char *rest = NULL;
    int i = 0;
    for (char *word = strtok_r(search, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        text_add(text, "%s", i++ ? "," : "");
        text_quote(text, word);
    }
    text_add(text, "]");
}

void uplink_members(struct helper *h, struct text *text) {
    static const char *const states[] = {"down", "starting", "up", "stopping"};
    bool up = h->uplink.state == UPLINK_UP;
    text_add(text, "\"kind\":\"%s\",\"state\":\"%s\",\"interface\":\"%s\",\"nameservers\":[",
             uplink_kind_name(h->uplink.kind), states[h->uplink.state], up ? "uplink0" : "");
    if (up && h->uplink.nameserver[0]) {
        text_quote(text, h->uplink.nameserver);
    } else if (up) {
        char names[8][64], search[1024];
        int n = host_nameservers(names, 8, search, sizeof search);
        for (int i = 0; i < n; i++) {
            text_add(text, "%s", i ? "," : "");
            text_quote(text, names[i]);
        }
    }
    text_add(text, "]");
}

static void daemon_members(struct helper *h, struct text *text) {
    text_add(text, "\"pid\":%d,\"running\":%s,\"starts\":%d,\"path\":", (int)h->labd.pid, h->labd.pid ? "true" : "false",
             h->labd_starts);
    text_quote(text, h->daemon);
    if (!h->labd_exited) return;
    bool exited = h->labd_status >= 0 && WIFEXITED(h->labd_status), killed = h->labd_status >= 0 && WIFSIGNALED(h->labd_status);
    text_add(text, ",\"lastExit\":{\"code\":%d,\"signal\":%d}", exited ? WEXITSTATUS(h->labd_status) : -1,
             killed ? WTERMSIG(h->labd_status) : 0);
}

void status_members(struct helper *h, struct text *text) {
    text_add(text, "\"protocol\":1,\"pid\":%d,\"startedAt\":%lld,\"uptimeSeconds\":%lld,\"foreground\":%s,", (int)getpid(),
             (long long)h->started, (long long)(time(NULL) - h->started), h->foreground ? "true" : "false");
    text_add(text, "\"idmap\":\"%s\",\"idmapNote\":", idmap_name(h->idmap));
    text_quote(text, h->idmap_note);
    text_add(text, ",\"adopted\":%s,\"lost\":[", h->adopted ? "true" : "false");
    for (int i = 0; i < h->lost_count; i++) {
        text_add(text, "%s", i ? "," : "");
        text_quote(text, h->lost[i]);
    }
    text_add(text, "],\"daemon\":{");
    daemon_members(h, text);
    text_add(text, "},\"uplink\":{");
    uplink_members(h, text);
    text_add(text, "},\"namespaces\":{\"user\":%llu,\"mount\":%llu,\"network\":%llu}", (unsigned long long)h->ns.user_inode,
             (unsigned long long)h->ns.mount_inode, (unsigned long long)h->ns.network_inode);
}

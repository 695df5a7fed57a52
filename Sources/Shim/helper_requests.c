// Requests: one packet of words separated by newlines; the answer is one packet of JSON, {"ok":true,…} or
// {"ok":false,"code":…,"message":…}, with a descriptor where one was asked for.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper.h"

static char answer[KD_PACKET_MAX];

struct request {
    struct waiter from;
    char *words[WORDS_MAX + 1];
    int count;
    int *fds;
    int fd_count;
};

static void drop(struct helper *h, int slot) {
    close(h->clients[slot].fd);
    h->clients[slot].fd = -1;
    h->clients[slot].generation++;
}

static struct text begin(void) {
    struct text text = {.bytes = answer, .capacity = sizeof answer};
    text_add(&text, "{\"ok\":true");
    return text;
}

// A client that does not read its answers is let go; the helper does not wait for it.
static void reply(struct helper *h, struct waiter to, struct text *text, int fd) {
    if (to.slot < 0 || h->clients[to.slot].fd < 0 || h->clients[to.slot].generation != to.generation) return;
    text_add(text, "}");
    if (text->overflow) {
        text->length = 0;
        text->overflow = false;
        text_add(text, "{\"ok\":false,\"code\":\"too-long\",\"message\":\"the answer does not fit into a packet\"}");
    }
    if (kd_send_packet(h->clients[to.slot].fd, text->bytes, text->length, &fd, fd >= 0 ? 1 : 0) < 0) drop(h, to.slot);
}

static void reply_error(struct helper *h, struct waiter to, const char *code, const char *message) {
    struct text text = {.bytes = answer, .capacity = sizeof answer};
    text_add(&text, "{\"ok\":false,\"code\":\"%s\",\"message\":", code);
    text_quote(&text, message);
    reply(h, to, &text, -1);
}

void waiters_clear(struct waiter *waiters) {
    for (int i = 0; i < CLIENTS_MAX; i++) waiters[i].slot = -1;
}

bool waiter_add(struct waiter *waiters, struct waiter waiter) {
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (waiters[i].slot != -1) continue;
        waiters[i] = waiter;
        return true;
    }
    return false;
}

void waiter_reply(struct helper *h, struct waiter *waiters, const char *code, const char *message) {
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct waiter to = waiters[i];
        if (to.slot == -1) continue;
        waiters[i].slot = -1;
        if (code != NULL) {
            reply_error(h, to, code, message);
            continue;
        }
        struct text text = begin();
        text_add(&text, ",\"uplink\":{");
        uplink_members(h, &text);
        text_add(&text, "}");
        reply(h, to, &text, -1);
    }
}

static void reply_port(struct helper *h, struct waiter to, const struct port *port, int fd) {
    struct text text = begin();
    text_add(&text, ",\"name\":");
    text_quote(&text, port->name);
    text_add(&text, ",\"address\":\"%s\",\"port\":%d", port->address, port->port);
    reply(h, to, &text, fd);
}

static void on_listen(struct helper *h, struct request *r) {
    char message[MESSAGE_SIZE];
    const char *code = "invalid";
    char *end = NULL;
    if (r->count < 4) return reply_error(h, r->from, code, "expected: listen NAME ADDRESS PORT [any]");
    long number = strtol(r->words[3], &end, 10);
    if (end == r->words[3] || *end != 0 || number > 65535) number = -1;
    bool any = r->count > 4 && strcmp(r->words[4], "any") == 0;
    struct port *port = port_open(h, r->words[1], r->words[2], (int)number, any, &code, message);
    if (port == NULL) return reply_error(h, r->from, code, message);
    record_write(h);
    reply_port(h, r->from, port, port->fd);
}

static void on_keep(struct helper *h, struct request *r) {
    char message[MESSAGE_SIZE];
    if (r->count < 2 || r->fd_count != 1) return reply_error(h, r->from, "invalid", "expected: keep NAME and one descriptor");
    struct port *port = port_keep(h, r->words[1], r->fds[0], message);
    if (port == NULL) return reply_error(h, r->from, "invalid", message);
    r->fd_count = 0;
    record_write(h);
    reply_port(h, r->from, port, -1);
}

static void on_close(struct helper *h, struct request *r) {
    if (r->count < 2 || !port_close(h, r->words[1]))
        return reply_error(h, r->from, "not-found", "no listening socket has that name");
    record_write(h);
    struct text text = begin();
    reply(h, r->from, &text, -1);
}

static void on_dial(struct helper *h, struct request *r) {
    char message[MESSAGE_SIZE];
    if (r->count < 3) return reply_error(h, r->from, "invalid", "expected: dial ADDRESS PORT");
    int fd = port_dial(r->words[1], atoi(r->words[2]), message);
    if (fd < 0) return reply_error(h, r->from, fd == -ECONNREFUSED ? "refused" : fd == -EPERM ? "not-permitted" : "system", message);
    struct text text = begin();
    reply(h, r->from, &text, fd);
    close(fd);
}

static void on_start(struct helper *h, struct request *r) {
    char message[MESSAGE_SIZE];
    // argv of the helper's own command line, or the words of this request.
    char **argv = r->count > 1 ? r->words + 1 : h->daemon_arguments;
    int rc = h->stopping ? -ESHUTDOWN : daemon_start(h, argv, message);
    if (rc == -ESHUTDOWN) return reply_error(h, r->from, "stopping", "the helper is ending; start a new one with lab up");
    if (rc < 0) return reply_error(h, r->from, rc == -EALREADY ? "already-running" : "daemon", message);
    record_write(h);
    struct text text = begin();
    text_add(&text, ",\"pid\":%d", (int)h->labd.pid);
    reply(h, r->from, &text, -1);
}

static void on_stop_daemon(struct helper *h, struct request *r) {
    if (h->labd.pid == 0) {
        struct text text = begin();
        return reply(h, r->from, &text, -1);
    }
    if (!waiter_add(h->stop_waiters, r->from)) return;
    daemon_stop(h, r->count > 1 ? atoi(r->words[1]) : 15);
}

static void on_uplink(struct helper *h, struct request *r) {
    const char *verb = r->count > 1 ? r->words[1] : "status";
    if (strcmp(verb, "up") == 0) return uplink_up(h, r->from);
    if (strcmp(verb, "down") == 0) return uplink_down(h, r->from);
    if (strcmp(verb, "status") != 0) return reply_error(h, r->from, "invalid", "expected: uplink up|down|status");
    struct text text = begin();
    text_add(&text, ",\"uplink\":{");
    uplink_members(h, &text);
    text_add(&text, "}");
    reply(h, r->from, &text, -1);
}

static void on_report(struct helper *h, struct request *r) {
    struct text text = begin();
    text_add(&text, ",");
    if (strcmp(r->words[0], "status") == 0) {
        status_members(h, &text);
    } else if (strcmp(r->words[0], "host") == 0) {
        host_members(&text);
    } else {
        text_add(&text, "\"ports\":");
        ports_array(h, &text);
    }
    reply(h, r->from, &text, -1);
}

static void on_groups(struct helper *h, struct request *r) {
    for (int i = 1; i < r->count; i++) {
        if (!groups_add(h, r->words[i])) return reply_error(h, r->from, "invalid", "expected: groups PATH..., each of a lab's own group");
    }
    record_write(h);
    struct text text = begin();
    reply(h, r->from, &text, -1);
}

static void on_stop(struct helper *h, struct request *r) {
    h->stopping = true;  // answered when the uplink is down and everything is written
    waiter_add(h->end_waiters, r->from);
}

static void serve(struct helper *h, struct request *r) {
    static const struct {
        const char *word;
        void (*serve)(struct helper *, struct request *);
    } verbs[] = {
        {"status", on_report}, {"host", on_report},       {"ports", on_report},  {"listen", on_listen},
        {"keep", on_keep},     {"close", on_close},       {"uplink", on_uplink}, {"start-labd", on_start},
        {"stop", on_stop},     {"stop-labd", on_stop_daemon}, {"groups", on_groups}, {"dial", on_dial},
    };
    for (size_t i = 0; r->count > 0 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(r->words[0], verbs[i].word) == 0) return verbs[i].serve(h, r);
    }
    reply_error(h, r->from, "invalid",
                "expected: status, host, ports, listen, keep, close, dial, uplink, groups, start-labd, stop-labd or stop");
}

static void split(char *packet, struct request *r) {
    char *rest = packet;
    while (rest != NULL && r->count < WORDS_MAX) r->words[r->count++] = strsep(&rest, "\n");
    r->words[r->count] = NULL;
}

void client_readable(struct helper *h, int slot) {
    static char packet[KD_PACKET_MAX + 1];
    int fds[KD_FDS_MAX], fd_count = 0;
    long n = kd_receive_packet(h->clients[slot].fd, packet, KD_PACKET_MAX, fds, &fd_count);
    if (n == -EAGAIN) return;
    if (n <= 0) return drop(h, slot);
    packet[n] = 0;
    struct request r = {.from = {slot, h->clients[slot].generation}, .fds = fds, .fd_count = fd_count};
    split(packet, &r);
    serve(h, &r);
    for (int i = 0; i < r.fd_count; i++) close(fds[i]);
}

void client_accept(struct helper *h) {
    int fd = accept4(h->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    long uid = kd_peer_uid(fd);
    int slot = 0;
    while (slot < CLIENTS_MAX && h->clients[slot].fd >= 0) slot++;
    bool welcome = uid == 0 || uid == (long)geteuid();
    if (!welcome || slot == CLIENTS_MAX) {
        helper_log(welcome ? "refused a client: %d are connected" : "refused a client of another user (limit %d)", CLIENTS_MAX);
        close(fd);
        return;
    }
    h->clients[slot].fd = fd;
    if (!helper_watch(h, fd, WATCH_CLIENT, (uint32_t)slot)) drop(h, slot);
}

// The kernel's table of connections, of which only UDP needs care: TCP ends by itself, while a client that keeps its port would be
// sent to an endpoint that is gone for as long as it goes on sending.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "include/netlink.h"

struct flow {
    uint32_t destination, endpoint;  // where the client sent to, and who answers; host byte order
    uint16_t port;                   // the endpoint's
    uint8_t protocol;
};

static const struct nlattr *next(const struct nlattr *a) { return (const struct nlattr *)((const char *)a + NLA_ALIGN(a->nla_len)); }
static const void *data(const struct nlattr *a) { return (const char *)a + NLA_HDRLEN; }

// The attribute of a kind among those in `size` bytes, or NULL.
static const struct nlattr *find(const void *start, size_t size, int type) {
    const struct nlattr *a = start;
    const char *end = (const char *)start + size;
    while ((const char *)a + NLA_HDRLEN <= end && a->nla_len >= NLA_HDRLEN && (const char *)a + a->nla_len <= end) {
        if ((a->nla_type & NLA_TYPE_MASK) == type) return a;
        a = next(a);
    }
    return NULL;
}

static const struct nlattr *inside(const struct nlattr *outer, int type) {
    return outer == NULL ? NULL : find(data(outer), outer->nla_len - NLA_HDRLEN, type);
}

static bool read_tuple(const struct nlattr *tuple, uint32_t *source, uint32_t *destination, uint16_t *port, uint8_t *protocol) {
    const struct nlattr *ip = inside(tuple, CTA_TUPLE_IP), *proto = inside(tuple, CTA_TUPLE_PROTO);
    const struct nlattr *from = inside(ip, CTA_IP_V4_SRC), *to = inside(ip, CTA_IP_V4_DST);
    const struct nlattr *number = inside(proto, CTA_PROTO_NUM), *from_port = inside(proto, CTA_PROTO_SRC_PORT);
    if (from == NULL || to == NULL || number == NULL || from_port == NULL) return false;
    if (from->nla_len < NLA_HDRLEN + 4 || to->nla_len < NLA_HDRLEN + 4 || from_port->nla_len < NLA_HDRLEN + 2) return false;
    uint32_t address;
    memcpy(&address, data(from), sizeof address);
    *source = ntohl(address);
    memcpy(&address, data(to), sizeof address);
    *destination = ntohl(address);
    uint16_t big;
    memcpy(&big, data(from_port), sizeof big);
    *port = ntohs(big);
    *protocol = *(const uint8_t *)data(number);
    return true;
}

static bool read_flow(const void *attributes, size_t size, struct flow *flow) {
    uint32_t source, back;
    uint16_t port;
    if (!read_tuple(find(attributes, size, CTA_TUPLE_ORIG), &source, &flow->destination, &port, &flow->protocol)) return false;
    return read_tuple(find(attributes, size, CTA_TUPLE_REPLY), &flow->endpoint, &back, &flow->port, &flow->protocol);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_stale(const struct flow *flow, uint32_t network, int prefix, const uint64_t *living, size_t count) {
    uint32_t mask = prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
    if (flow->protocol != IPPROTO_UDP || (flow->destination & mask) != network || flow->endpoint == flow->destination) return false;
    uint64_t key = (uint64_t)flow->endpoint << 16 | flow->port;
    return count == 0 || bsearch(&key, living, count, sizeof key, compare) == NULL;
}

struct request {
    struct nlmsghdr header;
    struct nfgenmsg family;
    char attribute[256];
};

static struct request begin(int type, int flags) {
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)), .nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type),
                   .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)},
        .family = {.nfgen_family = AF_INET, .version = NFNETLINK_V0},
    };
    return request;
}

// A flow is deleted by the tuple of its first direction. One that has gone by itself meanwhile is as good as deleted.
static int forget(int socket, const struct nlattr *tuple) {
    struct request request = begin(IPCTNL_MSG_CT_DELETE, 0);
    if (tuple->nla_len > sizeof request.attribute) return -EMSGSIZE;
    memcpy(request.attribute, tuple, tuple->nla_len);
    request.header.nlmsg_len += NLMSG_ALIGN(tuple->nla_len);
    return send(socket, &request, request.header.nlmsg_len, 0) < 0 ? -errno : 0;
}

long kd_conntrack_forget(uint32_t network, int prefix, const uint64_t *living, size_t count) {
    int dump = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (dump < 0) return -errno;
    int deletions = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    long result = deletions < 0 ? -errno : 0;
    struct request request = begin(IPCTNL_MSG_CT_GET, NLM_F_DUMP);
    if (result == 0 && send(dump, &request, request.header.nlmsg_len, 0) < 0) result = -errno;
    char *buffer = malloc(65536);
    if (buffer == NULL) result = -ENOMEM;
    bool done = result < 0;
    while (!done) {
        ssize_t n = recv(dump, buffer, 65536, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            result = n < 0 ? -errno : -EIO;
            break;
        }
        size_t left = (size_t)n;
        for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            if (h->nlmsg_type == NLMSG_DONE) done = true;
            if (h->nlmsg_type == NLMSG_ERROR) {
                result = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
                done = true;
            }
            size_t head = NLMSG_LENGTH(sizeof(struct nfgenmsg));
            if (done || h->nlmsg_len < head) continue;
            const void *attributes = (const char *)h + NLMSG_ALIGN(head);
            size_t size = h->nlmsg_len - NLMSG_ALIGN(head);
            struct flow flow;
            if (!read_flow(attributes, size, &flow) || !is_stale(&flow, network, prefix, living, count)) continue;
            int rc = forget(deletions, find(attributes, size, CTA_TUPLE_ORIG));
            if (rc < 0) result = rc;
            else if (result >= 0) result++;
        }
    }
    free(buffer);
    if (deletions >= 0) close(deletions);
    close(dump);
    return result;
}

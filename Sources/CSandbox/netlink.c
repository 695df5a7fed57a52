#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "include/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_message.h"

// Reads answers until each of the batch's requests has been acknowledged; gives the first error.
static int await_acks(int nl, uint32_t first, int count) {
    char buffer[16384] __attribute__((aligned(NLMSG_ALIGNTO)));
    int result = 0;
    while (count > 0) {
        ssize_t n = recv(nl, buffer, sizeof buffer, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - first >= 64) continue;
            const struct nlmsgerr *answer = NLMSG_DATA(h);
            if (answer->error != 0 && result == 0) result = answer->error;
            count--;
        }
    }
    return result;
}

int kd_batch_send(int nl, struct kd_batch *batch) {
    if (batch->overflow) return -EMSGSIZE;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n;
    do n = sendto(nl, batch->bytes, batch->length, 0, (struct sockaddr *)&kernel, sizeof kernel);
    while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    return await_acks(nl, batch->first, batch->count);
}

int kd_nl_open(void) {
    int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (nl < 0) return -errno;
    // Acknowledgements without a copy of the request keep a batch's answers inside one receive buffer.
    int one = 1;
    setsockopt(nl, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
    struct sockaddr_nl self = {.nl_family = AF_NETLINK};
    if (bind(nl, (struct sockaddr *)&self, sizeof self) < 0) {
        int error = -errno;
        close(nl);
        return error;
    }
    return nl;
}

int kd_nl_open_in(int netns) {
    int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0) return -errno;
    int nl;
    if (setns(netns, CLONE_NEWNET) < 0) {
        nl = -errno;
    } else {
        nl = kd_nl_open();
        if (setns(own, CLONE_NEWNET) < 0) {
            if (nl >= 0) close(nl);
            nl = -errno;
        }
    }
    close(own);
    return nl;
}

int kd_nl_ifindex(int nl, const char *name) {
    struct kd_batch batch = kd_batch_begin();
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    kd_request(&batch, RTM_GETLINK, 0, &link, sizeof link);
    kd_attribute_text(&batch, IFLA_IFNAME, name);
    if (batch.overflow) return -EMSGSIZE;
    if (send(nl, batch.bytes, batch.length, 0) < 0) return -errno;
    char buffer[16384] __attribute__((aligned(NLMSG_ALIGNTO)));
    int index = -ENODEV;
    // The link itself and then, as asked for with every request, an acknowledgement.
    for (int done = 0; !done;) {
        ssize_t n = recv(nl, buffer, sizeof buffer, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_seq != batch.first) continue;
            if (h->nlmsg_type == RTM_NEWLINK) index = ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
            if (h->nlmsg_type == NLMSG_ERROR) {
                int error = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
                if (error != 0) index = error;
                done = 1;
            }
        }
    }
    return index;
}

int kd_nl_link_up(int nl, const char *name) {
    struct kd_batch batch = kd_batch_begin();
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    kd_request(&batch, RTM_NEWLINK, 0, &link, sizeof link);
    kd_attribute_text(&batch, IFLA_IFNAME, name);
    return kd_batch_send(nl, &batch);
}

int kd_nl_link_delete(int nl, const char *name) {
    struct kd_batch batch = kd_batch_begin();
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    kd_request(&batch, RTM_DELLINK, 0, &link, sizeof link);
    kd_attribute_text(&batch, IFLA_IFNAME, name);
    return kd_batch_send(nl, &batch);
}

int kd_nl_address_add(int nl, const char *name, uint32_t address, int prefix) {
    int index = kd_nl_ifindex(nl, name);
    if (index < 0) return index;
    struct kd_batch batch = kd_batch_begin();
    kd_address(&batch, index, address, prefix);
    return kd_batch_send(nl, &batch);
}

int kd_nl_route(int nl, const char *name, uint32_t destination, int prefix, uint32_t source) {
    int index = kd_nl_ifindex(nl, name);
    if (index < 0) return index;
    struct kd_batch batch = kd_batch_begin();
    kd_route(&batch, index, destination, prefix, 0, source);
    return kd_batch_send(nl, &batch);
}

int kd_nl_default_route(int nl, const char *name, uint32_t gateway) {
    int index = kd_nl_ifindex(nl, name);
    if (index < 0) return index;
    struct kd_batch batch = kd_batch_begin();
    kd_route(&batch, index, 0, 0, gateway, 0);
    return kd_batch_send(nl, &batch);
}

int kd_nl_veth(int nl, const char *name, const char *peer, int peer_netns, int mtu) {
    struct kd_batch batch = kd_batch_begin();
    struct kd_veth veth = {.name = name, .peer = peer, .peer_netns = peer_netns, .mtu = mtu};
    kd_veth(&batch, &veth);
    return kd_batch_send(nl, &batch);
}

long kd_nl_interfaces(int nl, const char *prefix, char *out, size_t capacity) {
    struct kd_batch batch = kd_batch_begin();
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    kd_request(&batch, RTM_GETLINK, NLM_F_DUMP, &link, sizeof link);
    if (send(nl, batch.bytes, batch.length, 0) < 0) return -errno;
    size_t used = 0, prefix_length = strlen(prefix);
    char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
    for (;;) {
        ssize_t n = recv(nl, buffer, sizeof buffer, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_seq != batch.first) continue;
            if (h->nlmsg_type == NLMSG_DONE) return (long)used;
            if (h->nlmsg_type == NLMSG_ERROR) return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
            int left = (int)IFLA_PAYLOAD(h);
            for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(h)); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                if (a->rta_type != IFLA_IFNAME) continue;
                const char *name = RTA_DATA(a);
                size_t length = strnlen(name, RTA_PAYLOAD(a));
                if (strncmp(name, prefix, prefix_length) != 0) continue;
                if (used + length + 1 > capacity) return -ENOSPC;
                memcpy(out + used, name, length);
                out[used + length] = 0;
                used += length + 1;
            }
        }
    }
}

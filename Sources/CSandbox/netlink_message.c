#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "netlink_message.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

static _Atomic uint32_t next_sequence = 1;

struct kd_batch kd_batch_begin(void) {
    struct kd_batch batch;
    batch.length = batch.current = 0;
    batch.first = atomic_fetch_add(&next_sequence, 64);  // more than any batch holds
    batch.count = 0;
    batch.overflow = 0;
    return batch;
}

static void *reserve(struct kd_batch *batch, size_t size) {
    size_t padded = NLMSG_ALIGN(size);
    if (batch->overflow || batch->length + padded > sizeof batch->bytes) {
        batch->overflow = 1;
        return NULL;
    }
    char *start = batch->bytes + batch->length;
    memset(start, 0, padded);
    batch->length += padded;
    return start;
}

static void update_length(struct kd_batch *batch) {
    struct nlmsghdr *header = (struct nlmsghdr *)(batch->bytes + batch->current);
    header->nlmsg_len = (uint32_t)(batch->length - batch->current);
}

void kd_request(struct kd_batch *batch, int type, int flags, const void *data, size_t size) {
    batch->current = batch->length;
    struct nlmsghdr *header = reserve(batch, sizeof *header);
    if (header == NULL) return;
    header->nlmsg_type = (uint16_t)type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | ((flags & NLM_F_DUMP) == NLM_F_DUMP ? 0 : NLM_F_ACK) | flags);
    header->nlmsg_seq = batch->first + (uint32_t)batch->count++;
    void *body = reserve(batch, size);
    if (body == NULL) return;
    memcpy(body, data, size);
    update_length(batch);
}

void kd_attribute(struct kd_batch *batch, int type, const void *data, size_t size) {
    struct rtattr *attribute = reserve(batch, RTA_LENGTH(size));
    if (attribute == NULL) return;
    attribute->rta_type = (uint16_t)type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(size);
    if (size > 0) memcpy(RTA_DATA(attribute), data, size);
    update_length(batch);
}

void kd_attribute_text(struct kd_batch *batch, int type, const char *text) {
    kd_attribute(batch, type, text, strlen(text) + 1);
}

size_t kd_nest(struct kd_batch *batch, int type) {
    size_t offset = batch->length;
    kd_attribute(batch, type, NULL, 0);
    return offset;
}

void kd_nest_end(struct kd_batch *batch, size_t offset) {
    if (batch->overflow) return;
    ((struct rtattr *)(batch->bytes + offset))->rta_len = (uint16_t)(batch->length - offset);
}

void kd_veth(struct kd_batch *batch, const struct kd_veth *veth) {
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    kd_request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    uint32_t mtu = (uint32_t)veth->mtu;
    kd_attribute_text(batch, IFLA_IFNAME, veth->name);
    if (veth->mac) kd_attribute(batch, IFLA_ADDRESS, veth->mac, 6);
    kd_attribute(batch, IFLA_MTU, &mtu, sizeof mtu);
    size_t info = kd_nest(batch, IFLA_LINKINFO);
    kd_attribute(batch, IFLA_INFO_KIND, "veth", 4);
    size_t data = kd_nest(batch, IFLA_INFO_DATA);
    size_t peer = kd_nest(batch, VETH_INFO_PEER);
    struct ifinfomsg *other = reserve(batch, sizeof *other);
    if (other == NULL) return;
    other->ifi_index = veth->peer_index;  // not up yet: a veth end refuses that until both exist
    uint32_t netns = (uint32_t)veth->peer_netns;
    kd_attribute_text(batch, IFLA_IFNAME, veth->peer);
    if (veth->peer_mac) kd_attribute(batch, IFLA_ADDRESS, veth->peer_mac, 6);
    kd_attribute(batch, IFLA_MTU, &mtu, sizeof mtu);
    kd_attribute(batch, IFLA_NET_NS_FD, &netns, sizeof netns);
    kd_nest_end(batch, peer);
    kd_nest_end(batch, data);
    kd_nest_end(batch, info);
}

void kd_up(struct kd_batch *batch, int index) {
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    kd_request(batch, RTM_NEWLINK, 0, &link, sizeof link);
}

void kd_address(struct kd_batch *batch, int index, uint32_t address, int prefix) {
    struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefix, .ifa_index = (uint32_t)index};
    uint32_t network = htonl(address);
    kd_request(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof header);
    kd_attribute(batch, IFA_LOCAL, &network, sizeof network);
    kd_attribute(batch, IFA_ADDRESS, &network, sizeof network);
}

void kd_route(struct kd_batch *batch, int index, uint32_t destination, int prefix, uint32_t gateway, uint32_t source) {
    struct rtmsg header = {
        .rtm_family = AF_INET,
        .rtm_dst_len = (uint8_t)prefix,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
        .rtm_type = RTN_UNICAST,
    };
    uint32_t to = htonl(destination), via = htonl(gateway), from = htonl(source);
    kd_request(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof header);
    if (prefix > 0) kd_attribute(batch, RTA_DST, &to, sizeof to);
    if (gateway) kd_attribute(batch, RTA_GATEWAY, &via, sizeof via);
    if (source) kd_attribute(batch, RTA_PREFSRC, &from, sizeof from);
    kd_attribute(batch, RTA_OIF, &index, sizeof index);
}

void kd_neighbour(struct kd_batch *batch, int index, uint32_t address, const uint8_t *mac) {
    struct ndmsg header = {.ndm_family = AF_INET, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
    uint32_t network = htonl(address);
    kd_request(batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof header);
    kd_attribute(batch, NDA_DST, &network, sizeof network);
    kd_attribute(batch, NDA_LLADDR, mac, 6);
}

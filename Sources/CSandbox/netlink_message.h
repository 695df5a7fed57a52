// Building route-netlink requests, several to a packet so that one system call does a pod's whole configuration.
#ifndef KINDLING_NETLINK_MESSAGE_H
#define KINDLING_NETLINK_MESSAGE_H
#include <stddef.h>
#include <stdint.h>

struct kd_batch {
    char bytes[2048] __attribute__((aligned(4)));
    size_t length;
    size_t current;  // offset of the request being built
    uint32_t first;  // sequence number of the first request
    int count;
    int overflow;
};

struct kd_veth {
    const char *name, *peer;
    const uint8_t *mac, *peer_mac;  // six bytes, or NULL for random ones
    int peer_netns;                 // descriptor
    int peer_index;                 // 0: any
    int mtu;
};

struct kd_batch kd_batch_begin(void);
void kd_request(struct kd_batch *batch, int type, int flags, const void *header, size_t size);
void kd_attribute(struct kd_batch *batch, int type, const void *data, size_t size);
void kd_attribute_text(struct kd_batch *batch, int type, const char *text);
// Opens a nested attribute; gives the offset for kd_nest_end.
size_t kd_nest(struct kd_batch *batch, int type);
void kd_nest_end(struct kd_batch *batch, size_t offset);

void kd_veth(struct kd_batch *batch, const struct kd_veth *veth);
void kd_up(struct kd_batch *batch, int index);
void kd_address(struct kd_batch *batch, int index, uint32_t address, int prefix);
// gateway 0: on-link; source 0: the kernel's choice.
void kd_route(struct kd_batch *batch, int index, uint32_t destination, int prefix, uint32_t gateway, uint32_t source);
void kd_neighbour(struct kd_batch *batch, int index, uint32_t address, const uint8_t *mac);
// Sends the batch and gives 0 or the first error.
int kd_batch_send(int nl, struct kd_batch *batch);
#endif

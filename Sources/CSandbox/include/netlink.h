// rtnetlink without processes: the few requests that pods, the uplink and the helper need. IPv4 addresses are in host
// byte order (10.0.0.1 is 0x0a000001). Every function gives 0 (or a descriptor or index) or a negative errno.
#ifndef KINDLING_NETLINK_H
#define KINDLING_NETLINK_H
#include <stddef.h>
#include <stdint.h>

// What a failed call was doing, for the error's text; `doing` points at a constant string.
struct kd_fault {
    int error;
    const char *doing;
};

// A route-netlink socket of the calling thread's network namespace; it stays bound to that one.
int kd_nl_open(void);
// The same for another namespace; the calling thread is back in its own afterwards.
int kd_nl_open_in(int netns);

int kd_nl_ifindex(int nl, const char *name);
int kd_nl_link_up(int nl, const char *name);
int kd_nl_link_delete(int nl, const char *name);
int kd_nl_address_add(int nl, const char *name, uint32_t address, int prefix);
// A route to a block of addresses on `name`; what the namespace's own programs send there is from `source`. Replaces an earlier one.
int kd_nl_route(int nl, const char *name, uint32_t destination, int prefix, uint32_t source);
int kd_nl_default_route(int nl, const char *name, uint32_t gateway);
// A veth pair: `name` in nl's namespace, up, and `peer` in the namespace of descriptor `peer_netns`, still down.
int kd_nl_veth(int nl, const char *name, const char *peer, int peer_netns, int mtu);

// One pod's network: its own namespace pinned at `pin`, joined to nl's namespace by a routed point-to-point veth.
struct kd_pod_network {
    const char *pin;        // path of the bind mount that keeps the namespace
    const char *interface;  // host side's name; the pod's side is eth0
    uint32_t address;       // the pod's, with prefix 32
    uint32_t gateway;       // on-link next hop, an address of lo in nl's namespace
    int mtu;                // bytes
};

// Prepares the calling process's network namespace as the router of pods: lo up with the gateway address, forwarding on,
// strict reverse-path filter so that a pod cannot send under another's address.
struct kd_fault kd_router_prepare(int nl, uint32_t gateway);
// Makes the namespace, the veth and the routes. Nothing is left behind on failure.
struct kd_fault kd_pod_network_make(int nl, const struct kd_pod_network *spec);
// Unpins the namespace and deletes its veth; what does not exist any more is no error.
struct kd_fault kd_pod_network_remove(int nl, const char *pin, const char *interface);
// A TCP socket (0) or UDP socket (1) that belongs to the pinned namespace: what it connects to is what the pod would reach.
int kd_socket_in(const char *pin, int datagram);
// 1 if the pinned namespace has no socket in use, so that no process of a pod can be left in it that talked to anyone.
int kd_pod_network_is_idle(const char *pin);
// 1 if `path` is a pinned namespace, 0 if not.
int kd_is_pinned(const char *path);
// Names of the interfaces in nl's namespace that begin with `prefix`, each ended by a zero byte; gives the bytes used.
long kd_nl_interfaces(int nl, const char *prefix, char *buffer, size_t capacity);
// Forgets the UDP flows that were sent to addresses of the block and led on to somebody who is not among `living` (address << 16 |
// port, ascending). In the calling process's network namespace. Gives how many were forgotten.
long kd_conntrack_forget(uint32_t network, int prefix, const uint64_t *living, size_t count);
#endif

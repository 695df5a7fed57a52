#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "include/netlink.h"
#include "netlink_message.h"

#define NSFS_MAGIC 0x6e736673
#define POD_INDEX 2  // lo is 1 in every new namespace, so the pod's side can be given the next index beforehand

// All host sides share one hardware address, so that a pod's neighbour entry for the gateway never changes.
static const uint8_t router_mac[6] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};

static struct kd_fault fault(int error, const char *doing) {
    return (struct kd_fault){.error = error < 0 ? -error : error, .doing = doing};
}
static const struct kd_fault no_fault = {0, ""};

// Network settings under /proc/sys/net are those of the calling thread's network namespace.
static int set_sysctl(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int rc = write(fd, value, strlen(value)) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

struct kd_fault kd_router_prepare(int nl, uint32_t gateway) {
    static const struct {
        const char *path, *value;
    } settings[] = {
        {"/proc/sys/net/ipv4/ip_forward", "1"},
        {"/proc/sys/net/ipv4/conf/all/rp_filter", "1"},
        {"/proc/sys/net/ipv4/conf/default/rp_filter", "1"},
        {"/proc/sys/net/ipv4/conf/all/send_redirects", "0"},
        {"/proc/sys/net/ipv4/conf/default/send_redirects", "0"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        int rc = set_sysctl(settings[i].path, settings[i].value);
        if (rc < 0) return fault(rc, settings[i].path);
    }
    // Without this each veth would negotiate an IPv6 address for itself; a kernel without IPv6 has no such file.
    set_sysctl("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1");
    int rc = kd_nl_link_up(nl, "lo");
    if (rc < 0) return fault(rc, "bringing lo up");
    rc = kd_nl_address_add(nl, "lo", gateway, 32);
    if (rc < 0 && rc != -EEXIST) return fault(rc, "adding the gateway address to lo");
    return no_fault;
}

int kd_is_pinned(const char *path) {
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

// In the new namespace: addresses and routes of the pod's side, then of the host's.
static struct kd_fault configure(int nl, int pod, const struct kd_pod_network *spec, const uint8_t *pod_mac) {
    struct kd_batch inside = kd_batch_begin();
    kd_up(&inside, 1);
    kd_up(&inside, POD_INDEX);
    kd_address(&inside, POD_INDEX, spec->address, 32);
    kd_route(&inside, POD_INDEX, spec->gateway, 32, 0, 0);
    kd_route(&inside, POD_INDEX, 0, 0, spec->gateway, 0);
    kd_neighbour(&inside, POD_INDEX, spec->gateway, router_mac);
    int rc = kd_batch_send(pod, &inside);
    if (rc < 0) return fault(rc, "configuring the pod's side of the veth");
    int index = kd_nl_ifindex(nl, spec->interface);
    if (index < 0) return fault(index, "finding the host's side of the veth");
    struct kd_batch outside = kd_batch_begin();
    kd_route(&outside, index, spec->address, 32, 0, spec->gateway);
    kd_neighbour(&outside, index, spec->address, pod_mac);
    rc = kd_batch_send(nl, &outside);
    return rc < 0 ? fault(rc, "adding the route to the pod") : no_fault;
}

static struct kd_fault connect_namespace(int nl, int netns, const struct kd_pod_network *spec) {
    // As common network plugins form it: a fixed prefix and the address, unique in the lab.
    uint8_t pod_mac[6] = {0x0a, 0x58, (uint8_t)(spec->address >> 24), (uint8_t)(spec->address >> 16),
                          (uint8_t)(spec->address >> 8), (uint8_t)spec->address};
    int pod = kd_nl_open();
    if (pod < 0) return fault(pod, "opening netlink in the pod's namespace");
    struct kd_veth veth = {.name = spec->interface, .peer = "eth0", .mac = router_mac, .peer_mac = pod_mac,
                           .peer_netns = netns, .peer_index = POD_INDEX, .mtu = spec->mtu};
    struct kd_batch batch = kd_batch_begin();
    kd_veth(&batch, &veth);
    int rc = kd_batch_send(nl, &batch);
    if (rc < 0) {
        close(pod);
        return fault(rc, "making the veth pair");
    }
    struct kd_fault result = configure(nl, pod, spec, pod_mac);
    if (result.error) kd_nl_link_delete(nl, spec->interface);
    close(pod);
    return result;
}

struct job {
    int nl;
    const struct kd_pod_network *spec;
    struct kd_fault result;
};

// Runs on a thread of its own: unshare moves only the calling thread, and this one ends with its work.
static void *make(void *argument) {
    struct job *job = argument;
    const struct kd_pod_network *spec = job->spec;
    if (unshare(CLONE_NEWNET) < 0) {
        job->result = fault(errno, "making a network namespace");
        return NULL;
    }
    int netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (netns < 0) {
        job->result = fault(errno, "opening the network namespace");
        return NULL;
    }
    // A pod's process may serve port 80 without a capability, as under containerd; ping needs a mapped group range.
    set_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    if (set_sysctl("/proc/sys/net/ipv4/ping_group_range", "0 2147483647") < 0)
        set_sysctl("/proc/sys/net/ipv4/ping_group_range", "0 0");
    set_sysctl("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1");
    job->result = connect_namespace(job->nl, netns, spec);
    if (job->result.error == 0) {
        int pin = open(spec->pin, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
        if (pin < 0) {
            job->result = fault(errno, "creating the pin of the network namespace");
        } else {
            close(pin);
            if (mount("/proc/thread-self/ns/net", spec->pin, NULL, MS_BIND, NULL) < 0) {
                job->result = fault(errno, "pinning the network namespace");
                unlink(spec->pin);
            }
        }
        if (job->result.error) kd_nl_link_delete(job->nl, spec->interface);
    }
    close(netns);
    return NULL;
}

struct kd_fault kd_pod_network_make(int nl, const struct kd_pod_network *spec) {
    struct job job = {.nl = nl, .spec = spec, .result = no_fault};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    int rc = pthread_create(&thread, &attributes, make, &job);
    pthread_attr_destroy(&attributes);
    if (rc != 0) return fault(rc, "starting a thread");
    pthread_join(thread, NULL);
    return job.result;
}

struct kd_fault kd_pod_network_remove(int nl, const char *pin, const char *interface) {
    struct kd_fault result = no_fault;
    int rc = kd_nl_link_delete(nl, interface);
    if (rc < 0 && rc != -ENODEV) result = fault(rc, "deleting the pod's veth");
    if (umount2(pin, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT) result = fault(errno, "unpinning");
    if (unlink(pin) < 0 && errno != ENOENT) result = fault(errno, "removing the pin of the network namespace");
    return result;
}

// The counters that the kernel keeps for the calling thread's network namespace.
static int sockets_used(void) {
    char text[1024];
    int fd = open("/proc/thread-self/net/sockstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return -EIO;
    text[n] = 0;
    int all = -1, tcp = -1;
    const char *line = strstr(text, "TCP: inuse");
    if (sscanf(text, "sockets: used %d", &all) != 1 || line == NULL || sscanf(line, "TCP: inuse %d", &tcp) != 1) return -EIO;
    return all + tcp;
}

struct visit {
    const char *pin;
    int (*work)(int);
    int argument, result;
};

static void *visit(void *argument) {
    struct visit *visit = argument;
    int netns = open(visit->pin, O_RDONLY | O_CLOEXEC);
    if (netns < 0 || setns(netns, CLONE_NEWNET) < 0) visit->result = -errno;
    else visit->result = visit->work(visit->argument);
    if (netns >= 0) close(netns);
    return NULL;
}

// Does `work` in the pinned namespace, on a thread that ends there.
static int in_namespace(const char *pin, int (*work)(int), int argument) {
    struct visit job = {pin, work, argument, -EAGAIN};
    pthread_t thread;
    if (pthread_create(&thread, NULL, visit, &job) != 0) return -EAGAIN;
    pthread_join(thread, NULL);
    return job.result;
}

static int count_sockets(int unused) {
    (void)unused;
    return sockets_used();
}

static int open_socket(int datagram) {
    int fd = socket(AF_INET, (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int kd_pod_network_is_idle(const char *pin) { return in_namespace(pin, count_sockets, 0) == 0; }

int kd_socket_in(const char *pin, int datagram) { return in_namespace(pin, open_socket, datagram); }

// Root's uplink: a veth pair into labd's network namespace, and masquerading of what comes out of it. Everything made
// here is removed again, the forwarding flags of the host's devices included.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"

#define INSIDE "uplink0"

// A lab's own names in the host, from its runtime directory, so that two labs do not meet.
static uint32_t lab_hash(const struct helper *h) {
    uint32_t hash = 2166136261u;
    for (const char *c = h->runtime; *c; c++) hash = (hash ^ (uint8_t)*c) * 16777619u;
    return hash;
}

static bool overlaps(uint32_t network, const struct host_route *routes, int n) {
    for (int i = 0; i < n; i++) {
        if (routes[i].prefix == 0) continue;
        uint32_t mask = routes[i].prefix >= 30 ? 0xfffffffcu : 0xffffffffu << (32 - routes[i].prefix);
        if ((network & mask) == (routes[i].network & mask)) return true;
    }
    return false;
}

// Four addresses that no route of the host covers.
static uint32_t choose_link(uint32_t hash) {
    struct host_route routes[512];
    int n = host_routes(routes, 512);
    for (uint32_t attempt = 0; attempt < 4096; attempt++) {
        uint32_t network = 0x0a570000u | (((hash + attempt * 4) & 0x3fff) << 2);  // 10.87.0.0/16
        if (!overlaps(network, routes, n)) return network;
        network = 0xac1f0000u | (((hash + attempt * 4) & 0x3fff) << 2);  // 172.31.0.0/16
        if (!overlaps(network, routes, n)) return network;
    }
    return 0x0a570000u;
}

static bool set_forwarding(const char *device, char value, char *old) {
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/forwarding", device);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    bool good = true;
    if (old != NULL) good = read(fd, old, 1) == 1;
    if (good && (old == NULL || *old != value)) good = pwrite(fd, &value, 1, 0) == 1;
    close(fd);
    return good;
}

// Answers come back through the devices that have routes; those that did not forward yet are written down.
static void forward_through_routes(const char *own) {
    struct host_route routes[512];
    int n = host_routes(routes, 512);
    FILE *changed = fopen("uplink.changed", "we");
    for (int i = 0; i < n; i++) {
        char old = '1';
        if (strcmp(routes[i].device, own) == 0) continue;
        if (set_forwarding(routes[i].device, '1', &old) && old == '0' && changed) fprintf(changed, "%s ", routes[i].device);
    }
    if (changed) fclose(changed);
}

static int install_rules(const char *device, const char *table, uint32_t network) {
    char source[INET_ADDRSTRLEN + 4], rules[2048];
    struct in_addr address = {htonl(network)};
    inet_ntop(AF_INET, &address, source, sizeof source);
    snprintf(source + strlen(source), 4, "/30");
    // Pods may not reach the host's own services, and nothing from outside may reach pods unasked.
    snprintf(rules, sizeof rules,
             "table ip %s {\n"
             " chain input { type filter hook input priority 0; policy accept;\n"
             "  iifname \"%s\" ct state established,related accept\n"
             "  iifname \"%s\" udp dport 53 accept\n  iifname \"%s\" tcp dport 53 accept\n  iifname \"%s\" drop\n }\n"
             " chain forward { type filter hook forward priority 0; policy accept;\n"
             "  oifname \"%s\" ct state established,related accept\n  oifname \"%s\" drop\n"
             "  iifname \"%s\" ip saddr != %s drop\n }\n"
             " chain postrouting { type nat hook postrouting priority 100; policy accept;\n"
             "  ip saddr %s oifname != \"%s\" masquerade\n }\n}\n",
             table, device, device, device, device, device, device, device, source, source, device);
    char *nft[] = {"nft", "-f", "-", NULL};
    int status = process_run(nft, rules);
    if (status != 127) return status;
    fprintf(stderr, "nft is not installed; an administrator runs: apt-get install nftables");
    return status;
}

static void remove_rules(const char *table) {
    char removal[128];
    // Declaring the table first makes its removal no error when it does not exist.
    snprintf(removal, sizeof removal, "table ip %s {}\ndelete table ip %s\n", table, table);
    char *nft[] = {"nft", "-f", "-", NULL};
    process_run(nft, removal);
}

static int configure(int host, int inside, const char *device, uint32_t network) {
    static const struct {
        const char *doing;
    } steps[] = {{"giving the host's end its address"}, {"giving the inside end its address"}, {"bringing the inside end up"},
                 {"adding the default route inside"}};
    int rc[] = {
        kd_nl_address_add(host, device, network + 1, 30),
        kd_nl_address_add(inside, INSIDE, network + 2, 30),
        kd_nl_link_up(inside, INSIDE),
        kd_nl_default_route(inside, INSIDE, network + 1),
    };
    for (size_t i = 0; i < sizeof rc / sizeof rc[0]; i++) {
        if (rc[i] == 0) continue;
        fprintf(stderr, "%s: %s", steps[i].doing, strerror(-rc[i]));
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

static void names(const struct helper *h, char *device, char *table) {
    snprintf(device, 16, "kd%08x", lab_hash(h));
    snprintf(table, 32, "kindling_%08x", lab_hash(h));
}

int uplink_veth_up(struct helper *h) {
    char device[16], table[32];
    names(h, device, table);
    int host = kd_nl_open(), inside = kd_nl_open_in(h->ns.network);
    if (host < 0 || inside < 0) {
        fprintf(stderr, "opening netlink: %s", strerror(host < 0 ? -host : -inside));
        return EXIT_FAILED;
    }
    kd_nl_link_delete(host, device);
    remove_rules(table);
    uint32_t network = choose_link(lab_hash(h));
    int rc = kd_nl_veth(host, device, INSIDE, h->ns.network, host_mtu());
    if (rc < 0) {
        fprintf(stderr, "making a veth pair: %s", strerror(-rc));
        return EXIT_FAILED;
    }
    int code = configure(host, inside, device, network);
    if (code == EXIT_OK && install_rules(device, table, network) != 0) code = EXIT_FAILED;
    if (code == EXIT_OK && !set_forwarding(device, '1', NULL)) {
        fprintf(stderr, "switching forwarding on for %s: %s", device, strerror(errno));
        code = EXIT_FAILED;
    }
    if (code == EXIT_OK) {
        forward_through_routes(device);
    } else {
        remove_rules(table);
        kd_nl_link_delete(host, device);
    }
    return code;
}

// Another lab of this machine still needs forwarding if its table is there.
static bool other_lab_has_uplink(void) {
    char *shell[] = {"sh", "-c", "nft list tables ip 2>/dev/null | grep -q 'kindling_'", NULL};
    return process_run(shell, NULL) == 0;
}

int uplink_veth_down(struct helper *h) {
    char device[16], table[32], changed[sizeof h->uplink.changed];
    names(h, device, table);
    remove_rules(table);
    int host = kd_nl_open();
    int rc = host < 0 ? host : kd_nl_link_delete(host, device);
    if (host >= 0) close(host);
    snprintf(changed, sizeof changed, "%s", h->uplink.changed);
    if (!other_lab_has_uplink()) {
        char *rest = NULL;
        for (char *d = strtok_r(changed, " ", &rest); d != NULL; d = strtok_r(NULL, " ", &rest)) set_forwarding(d, '0', NULL);
    }
    return rc == 0 || rc == -ENODEV ? EXIT_OK : EXIT_FAILED;
}

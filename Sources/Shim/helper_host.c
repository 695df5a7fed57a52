// What labd cannot see from its own network namespace: the host's routes, packet size and resolvers.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper.h"

int host_routes(struct host_route *routes, int capacity) {
    char line[512];
    FILE *file = fopen("/proc/net/route", "re");
    if (file == NULL) return 0;
    int n = 0;
    while (n < capacity && fgets(line, sizeof line, file) != NULL) {
        struct host_route route;
        unsigned network, gateway, flags, mask;
        if (sscanf(line, "%15s %x %x %x %*d %*d %*d %x", route.device, &network, &gateway, &flags, &mask) != 5) continue;
        if (!(flags & 1)) continue;  // RTF_UP
        route.network = ntohl(network);
        route.prefix = __builtin_popcount(mask);
        routes[n++] = route;
    }
    fclose(file);
    return n;
}

bool host_default_device(char *device, size_t size) {
    struct host_route routes[256];
    int n = host_routes(routes, 256);
    for (int i = 0; i < n; i++) {
        if (routes[i].prefix != 0) continue;
        snprintf(device, size, "%s", routes[i].device);
        return true;
    }
    return false;
}

int host_mtu(void) {
    char device[16], path[64];
    int mtu = 1500;
    if (!host_default_device(device, sizeof device)) return mtu;
    snprintf(path, sizeof path, "/sys/class/net/%s/mtu", device);
    FILE *file = fopen(path, "re");
    if (file == NULL) return mtu;
    if (fscanf(file, "%d", &mtu) != 1) mtu = 1500;
    fclose(file);
    return mtu;
}

static int read_resolvers(const char *path, char names[][64], int capacity, char *search, size_t search_size) {
    char line[1024];
    int n = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n#;")] = 0;
        if (strncmp(line, "nameserver", 10) == 0 && n < capacity && sscanf(line + 10, "%63s", names[n]) == 1) n++;
        if (strncmp(line, "search", 6) == 0 && line[6] != 0) snprintf(search, search_size, "%s", line + 7);
    }
    fclose(file);
    return n;
}

int host_nameservers(char names[][64], int capacity, char *search, size_t search_size) {
    search[0] = 0;
    int n = read_resolvers("/etc/resolv.conf", names, capacity, search, search_size);
    bool local = false;
    for (int i = 0; i < n; i++) local = local || strncmp(names[i], "127.", 4) == 0 || strcmp(names[i], "::1") == 0;
    // A resolver on the host's loopback is out of a pod's reach; systemd keeps the list of those behind it.
    if (!local) return n;
    int behind = read_resolvers("/run/systemd/resolve/resolv.conf", names, capacity, search, search_size);
    return behind > 0 ? behind : n;
}

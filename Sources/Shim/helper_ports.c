// Listening sockets in the host's network namespace. The helper keeps a copy of each, so that connections made while
// labd restarts wait in the backlog instead of being refused.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper.h"

struct port *port_find(struct helper *h, const char *name) {
    for (int i = 0; i < h->port_count; i++) {
        if (strcmp(h->ports[i].name, name) == 0) return &h->ports[i];
    }
    return NULL;
}

static bool valid_name(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length >= NAME_SIZE) return false;
    for (const char *c = name; *c; c++) {
        if (!isgraph((unsigned char)*c)) return false;
    }
    return true;
}

static socklen_t parse(const char *address, int port, struct sockaddr_storage *out, bool *loopback) {
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        return sizeof *v6;
    }
    return 0;
}

// Sockets for UDP have names of their own, so that an earlier helper's record says enough to open them again.
static bool is_datagram(const char *name) { return strncmp(name, "udp/", 4) == 0; }

static int open_socket(const struct sockaddr_storage *address, socklen_t size, bool datagram) {
    int fd = socket(address->ss_family, (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int one = 1;
    // For UDP it would let two labs have one port.
    if (!datagram) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)address, size) < 0 || (!datagram && listen(fd, 1024) < 0)) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static bool describe(struct port *port, bool datagram) {
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    int found = 0;
    socklen_t flag = sizeof found;
    if (getsockopt(port->fd, SOL_SOCKET, datagram ? SO_TYPE : SO_ACCEPTCONN, &found, &flag) < 0) return false;
    if (datagram ? found != SOCK_DGRAM : !found) return false;
    if (getsockname(port->fd, (struct sockaddr *)&own, &size) < 0) return false;
    const void *bytes = &((struct sockaddr_in *)&own)->sin_addr;
    if (own.ss_family == AF_INET6) bytes = &((struct sockaddr_in6 *)&own)->sin6_addr;
    else if (own.ss_family != AF_INET) return false;
    port->port = ntohs(((struct sockaddr_in *)&own)->sin_port);  // both families have it at the same offset
    return inet_ntop(own.ss_family, bytes, port->address, sizeof port->address) != NULL;
}

struct port *port_open(struct helper *h, const char *name, const char *address, int number, bool any, const char **code,
                       char *message) {
    struct sockaddr_storage target;
    bool loopback = false;
    socklen_t size = parse(address, number, &target, &loopback);
    *code = "invalid";
    if (!valid_name(name)) {
        snprintf(message, MESSAGE_SIZE, "a port's name is 1 to %d printable characters without blanks", NAME_SIZE - 1);
        return NULL;
    }
    if (size == 0 || number < 0 || number > 65535) {
        snprintf(message, MESSAGE_SIZE, "expected an IP address and a port from 0 to 65535, found '%s' and %d", address, number);
        return NULL;
    }
    if (!loopback && !any) {
        snprintf(message, MESSAGE_SIZE, "%s is not a loopback address; say 'any' to listen where others can reach it", address);
        return NULL;
    }
    struct port *port = port_find(h, name);
    if (port != NULL && (number == 0 || number == port->port) && strcmp(port->address, address) == 0) return port;
    if (port == NULL && h->port_count == PORTS_MAX) {
        snprintf(message, MESSAGE_SIZE, "%d ports are open, which is the limit; close some", PORTS_MAX);
        return NULL;
    }
    int fd = open_socket(&target, size, is_datagram(name));
    if (fd < 0) {
        *code = fd == -EADDRINUSE ? "in-use" : fd == -EACCES ? "not-permitted" : "system";
        snprintf(message, MESSAGE_SIZE, "cannot listen on %s port %d: %s%s", address, number, strerror(-fd),
                 fd == -EADDRINUSE ? "; another program has it: choose another port or 0 for a free one" : "");
        return NULL;
    }
    if (port != NULL) close(port->fd);
    else port = &h->ports[h->port_count++];
    snprintf(port->name, sizeof port->name, "%s", name);
    port->fd = fd;
    describe(port, is_datagram(name));
    return port;
}

struct port *port_keep(struct helper *h, const char *name, int fd, char *message) {
    struct port kept = {.fd = fd};
    if (!valid_name(name) || !describe(&kept, is_datagram(name))) {
        snprintf(message, MESSAGE_SIZE, "expected a name and a listening TCP socket, or one for UDP with a name that begins with udp/");
        return NULL;
    }
    struct port *port = port_find(h, name);
    if (port == NULL && h->port_count == PORTS_MAX) {
        snprintf(message, MESSAGE_SIZE, "%d ports are open, which is the limit; close some", PORTS_MAX);
        return NULL;
    }
    if (port != NULL) close(port->fd);
    else port = &h->ports[h->port_count++];
    *port = kept;
    snprintf(port->name, sizeof port->name, "%s", name);
    return port;
}

bool port_close(struct helper *h, const char *name) {
    struct port *port = port_find(h, name);
    if (port == NULL) return false;
    close(port->fd);
    *port = h->ports[--h->port_count];
    return true;
}

int port_dial(const char *address, int number, char *message) {
    struct sockaddr_storage target;
    bool loopback = false;
    socklen_t size = parse(address, number, &target, &loopback);
    if (size == 0 || number < 1 || number > 65535) {
        snprintf(message, MESSAGE_SIZE, "expected an IP address and a port from 1 to 65535, found '%s' and %d", address, number);
        return -EINVAL;
    }
    if (!loopback) {
        snprintf(message, MESSAGE_SIZE, "%s is not a loopback address; others are reached through the uplink", address);
        return -EPERM;
    }
    int fd = socket(target.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? errno : 0;
    // The receiver waits for a connection that is under way: the helper waits for nobody.
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&target, size) < 0 && errno != EINPROGRESS) error = errno;
    if (error == 0) return fd;
    if (fd >= 0) close(fd);
    snprintf(message, MESSAGE_SIZE, "cannot connect to %s port %d: %s", address, number, strerror(error));
    return -error;
}

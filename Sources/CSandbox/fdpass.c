#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "include/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// The socket's address through /proc/self/fd, because sun_path holds only 107 bytes. *held must stay open until the
// address has been used.
static int socket_address(const char *directory, const char *name, struct sockaddr_un *address, int *held) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    *held = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*held < 0) return -errno;
    int n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *held, name);
    if (n < 0 || (size_t)n >= sizeof address->sun_path) {
        close(*held);
        return -ENAMETOOLONG;
    }
    return 0;
}

int kd_seqpacket_connect(const char *directory, const char *name) {
    struct sockaddr_un address;
    int held;
    int rc = socket_address(directory, name, &address, &held);
    if (rc < 0) return rc;
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0) {
        rc = -errno;
    } else if (connect(sock, (struct sockaddr *)&address, sizeof address) < 0) {
        rc = -errno;
        close(sock);
    } else {
        rc = sock;
    }
    close(held);
    return rc;
}

int kd_seqpacket_listen(const char *directory, const char *name) {
    struct sockaddr_un address;
    int held;
    int rc = socket_address(directory, name, &address, &held);
    if (rc < 0) return rc;
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock < 0) {
        rc = -errno;
        close(held);
        return rc;
    }
    unlinkat(held, name, 0);
    mode_t old = umask(0177);
    if (bind(sock, (struct sockaddr *)&address, sizeof address) < 0 || listen(sock, 64) < 0) {
        rc = -errno;
        close(sock);
    } else {
        rc = sock;
    }
    umask(old);
    close(held);
    return rc;
}

long kd_peer_uid(int sock) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    return (long)peer.uid;
}

int kd_send_packet(int sock, const void *data, size_t length, const int *fds, int count) {
    if (count < 0 || count > KD_FDS_MAX || length > KD_PACKET_MAX) return -EINVAL;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * KD_FDS_MAX)];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {.iov_base = (void *)data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)count);
    }
    ssize_t n;
    do n = sendmsg(sock, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

long kd_receive_packet(int sock, void *data, size_t capacity, int *fds, int *count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * KD_FDS_MAX)];
    } control;
    struct iovec part = {.iov_base = data, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *count = 0;
    ssize_t n;
    do n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h != NULL; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
        int got = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + (size_t)i * sizeof(int), sizeof fd);
            if (*count < KD_FDS_MAX) fds[(*count)++] = fd;
            else close(fd);
        }
    }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (int i = 0; i < *count; i++) close(fds[i]);
        *count = 0;
        return -EMSGSIZE;
    }
    return (long)n;
}

int kd_memory_file(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int kd_peer_pidfd(int socket) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    int pidfd = peer.pid > 0 ? (int)syscall(SYS_pidfd_open, peer.pid, 0) : -1;
    return pidfd < 0 ? -errno : pidfd;
}

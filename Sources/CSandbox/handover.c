// Sealed memory files, sockets that carry descriptors, and the shared user namespace.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int memory_file(const char *name, unsigned int kind) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kind);
    // Kernels before 6.3 do not know the kind.
    if (fd < 0 && errno == EINVAL) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

static int seal(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

static int give_up(int fd) {
    int error = errno;
    if (fd >= 0) close(fd);
    return error ? -error : -EIO;
}

int ksb_sealed_copy(const char *path) {
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0) return -errno;
    struct stat info;
    int to = memory_file("lab-shim", MFD_EXEC);
    // Where the administrator forbids programs in memory (vm.memfd_noexec), the file itself: others cannot write it either.
    if (to < 0 && errno == EACCES) return from;
    if (to < 0 || fstat(from, &info) < 0) {
        int error = give_up(to);
        close(from);
        return error;
    }
    off_t offset = 0;
    while (offset < info.st_size) {
        ssize_t count = sendfile(to, from, &offset, (size_t)(info.st_size - offset));
        if (count <= 0) break;
    }
    close(from);
    if (offset < info.st_size || fchmod(to, 0555) < 0 || seal(to) < 0) return give_up(to);
    return to;
}

int ksb_sealed_bytes(const void *bytes, size_t length) {
    int fd = memory_file("spec", MFD_NOEXEC_SEAL);
    if (fd < 0) return -errno;
    const char *from = bytes;
    for (size_t done = 0; done < length;) {
        ssize_t count = write(fd, from + done, length - done);
        if (count < 0) return give_up(fd);
        done += (size_t)count;
    }
    return seal(fd) < 0 ? give_up(fd) : fd;
}

int ksb_socket_pair(int pair[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

int ksb_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int ksb_send_descriptor(int socket, int descriptor) {
    char byte = 'S';
    struct iovec vector = {&byte, 1};
    union {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int write_proc(int pid, const char *name, const char *text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t count = write(fd, text, strlen(text));
    int error = count < 0 ? -errno : 0;
    close(fd);
    return error;
}

static int sleep_until_killed(void *unused) {
    (void)unused;
    while (pause() < 0) continue;
    return 0;
}

int ksb_user_namespace(const char *uid_map, const char *gid_map, int deny_setgroups) {
    char stack[4096] __attribute__((aligned(16)));
    // A helper process holds the namespace until we have a descriptor of it. It shares our memory and only pauses.
    int pid = clone(sleep_until_killed, stack + sizeof stack, CLONE_NEWUSER | CLONE_VM | SIGCHLD, NULL);
    if (pid < 0) return -errno;
    int result = 0;
    if (deny_setgroups) write_proc(pid, "setgroups", "deny");
    result = write_proc(pid, "uid_map", uid_map);
    if (result == 0) result = write_proc(pid, "gid_map", gid_map);
    if (result == 0) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        result = fd < 0 ? -errno : fd;
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    return result;
}

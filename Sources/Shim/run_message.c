// Failures, and the short messages between the supervisor and the container's init.
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run.h"

struct failure failure;

static int note(uint32_t kind, int error, const char *step, const char *format, va_list arguments) {
    if (failure.kind) return -1;
    failure.kind = kind;
    failure.error = error;
    snprintf(failure.step, sizeof failure.step, "%s", step);
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    // Kinds of their own explain themselves.
    if (error && kind == KSB_FAIL_SETUP)
        snprintf(failure.message, sizeof failure.message, "%s: %s (%s)", failure.step, text, strerror(error));
    else
        snprintf(failure.message, sizeof failure.message, "%s: %s", failure.step, text);
    return -1;
}

int fail(const char *step, const char *format, ...) {
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    note(KSB_FAIL_SETUP, error, step, format, arguments);
    va_end(arguments);
    return -1;
}

int fail_kind(uint32_t kind, int error, const char *step, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    note(kind, error, step, format, arguments);
    va_end(arguments);
    return -1;
}

// One descriptor beside a message's bytes.
union room {
    char buffer[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static void put_descriptor(struct msghdr *message, union room *room, int descriptor) {
    if (descriptor < 0) return;
    memset(room, 0, sizeof *room);
    message->msg_control = room;
    message->msg_controllen = sizeof *room;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
}

static int take_descriptor(struct msghdr *message) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return -1;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
    return descriptor;
}

bool packet_send(int socket, const void *bytes, size_t length, int descriptor, int flags) {
    struct iovec vector = {(void *)bytes, length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union room room;
    put_descriptor(&message, &room, descriptor);
    return sendmsg(socket, &message, MSG_NOSIGNAL | flags) == (ssize_t)length;
}

static ssize_t packet_receive(int socket, void *bytes, size_t length, int *descriptor, int flags) {
    struct iovec vector = {bytes, length};
    union room room;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room};
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    while (count < 0 && errno == EINTR);
    *descriptor = count < 0 ? -1 : take_descriptor(&message);
    return count;
}

bool message_send(int socket, uint32_t type, int wait_status) {
    struct init_message message = {.type = type, .wait_status = wait_status};
    if (type == INIT_FAILED) message.failure = failure;
    return packet_send(socket, &message, sizeof message, -1, 0);
}

bool message_send_with(int socket, uint32_t type, int descriptor) {
    struct init_message message = {.type = type};
    return packet_send(socket, &message, sizeof message, descriptor, 0);
}

ssize_t message_receive(int socket, struct init_message *message, int *descriptor) {
    return packet_receive(socket, message, sizeof *message, descriptor, MSG_DONTWAIT);
}

bool byte_send(int socket, char byte, int descriptor) { return packet_send(socket, &byte, 1, descriptor, 0); }

int byte_receive(int socket, int *descriptor) {
    char byte;
    int received;
    ssize_t count = packet_receive(socket, &byte, 1, &received, 0);
    if (descriptor) *descriptor = received;
    else if (received >= 0) close(received);
    return count == 1 ? (unsigned char)byte : -1;
}

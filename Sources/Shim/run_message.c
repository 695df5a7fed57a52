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

bool message_send(int socket, uint32_t type, int wait_status) {
    struct init_message message = {.type = type, .wait_status = wait_status};
    if (type == INIT_FAILED) message.failure = failure;
    return send(socket, &message, sizeof message, MSG_NOSIGNAL) == sizeof message;
}

bool byte_send(int socket, char byte, int descriptor) {
    struct iovec vector = {&byte, 1};
    union {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (descriptor >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

int byte_receive(int socket, int *descriptor) {
    char byte;
    struct iovec vector = {&byte, 1};
    union {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (descriptor) *descriptor = -1;
    if (count != 1) return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        int received;
        memcpy(&received, CMSG_DATA(header), sizeof(int));
        if (descriptor) *descriptor = received;
        else close(received);
    }
    return (unsigned char)byte;
}

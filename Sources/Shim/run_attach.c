// Clients that look on: each gets a copy of what the container writes, and may type where the container has an input. They come
// over a socket in the state directory, so that a later daemon finds it too. A client that is slow holds up the container, as a
// terminal does; one that is gone is forgotten.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "run.h"

#define PENDING_BYTES (64 * 1024)
#define DRAIN_MS 1000

struct client {
    int fds[2];  // where its output and its errors go; -1: not wanted
    int waiting;  // the stream that has not taken everything, or -1
    size_t length, taken;
    char pending[PENDING_BYTES];
};

static int listener = -1;
static struct client *clients[ATTACH_CLIENTS];
static const struct spec *the_spec;
static int *the_input;  // the writing end of the container's input, or its terminal; -1: none

int attach_listen(const struct spec *spec, int *input) {
    the_spec = spec;
    the_input = input;
    int directory = open(spec->state_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return fail("listen for attach", "the state directory %s must exist", spec->state_directory);
    // Through /proc, as an address holds 107 bytes only.
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" KSB_ATTACH_NAME, directory);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177);
    int result = listener < 0 ? -1 : bind(listener, (struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (result == 0) result = listen(listener, ATTACH_CLIENTS);
    if (result < 0) fail("listen for attach", "no socket can be made in %s", spec->state_directory);
    close(directory);
    return result;
}

static void forget(int index) {
    for (int stream = 0; stream < 2; stream++)
        if (clients[index]->fds[stream] >= 0) close(clients[index]->fds[stream]);
    free(clients[index]);
    clients[index] = NULL;
}

// Writes what it can; false when the client is gone.
static bool flush_client(struct client *client) {
    while (client->taken < client->length) {
        ssize_t count = write(client->fds[client->waiting], client->pending + client->taken, client->length - client->taken);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno == EAGAIN;
        client->taken += (size_t)count;
    }
    client->waiting = -1;
    return true;
}

// Hands a client the container's input; the answer is one byte, with the descriptor where there is one.
static void answer(int socket, bool types) {
    int input = types ? *the_input : -1;
    byte_send(socket, 'A', input);
    // Once: when this client closes it, the container reads the end.
    if (input >= 0 && (the_spec->numbers.flags & KSB_STDIN_ONCE) && !(the_spec->numbers.flags & KSB_TERMINAL)) {
        close(*the_input);
        *the_input = -1;
    }
}

static void admit(int socket) {
    struct ksb_attach wanted;
    int fds[2] = {-1, -1};
    struct iovec vector = {&wanted, sizeof wanted};
    union {
        char buffer[CMSG_SPACE(sizeof fds)];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    // It was sent before the daemon connected, or is not ours.
    struct timeval limit = {.tv_sec = 1};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof wanted) return;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof fds)) return;
    memcpy(fds, CMSG_DATA(header), sizeof fds);
    int index = 0;
    while (index < ATTACH_CLIENTS && clients[index]) index++;
    struct client *client = index < ATTACH_CLIENTS ? malloc(sizeof *client) : NULL;
    if (!client) {
        close(fds[0]);
        close(fds[1]);
        return;
    }
    *client = (struct client){.fds = {fds[0], fds[1]}, .waiting = -1};
    for (int stream = 0; stream < 2; stream++) fcntl(fds[stream], F_SETFL, O_NONBLOCK);
    clients[index] = client;
    answer(socket, wanted.types);
}

void attach_accept(void) {
    int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (socket < 0) return;
    admit(socket);
    close(socket);
}

void attach_copy(int stream, const char *bytes, size_t length) {
    for (int index = 0; index < ATTACH_CLIENTS; index++) {
        struct client *client = clients[index];
        if (!client || client->waiting >= 0) continue;
        if (length > sizeof client->pending) length = sizeof client->pending;
        memcpy(client->pending, bytes, length);
        client->length = length;
        client->taken = 0;
        client->waiting = stream;
        if (!flush_client(client)) forget(index);
    }
}

size_t attach_poll(struct pollfd *fds) {
    size_t count = 0;
    fds[count++] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (int index = 0; index < ATTACH_CLIENTS; index++) {
        struct client *client = clients[index];
        int fd = client ? client->fds[client->waiting >= 0 ? client->waiting : 0] : -1;
        // Without anything to write, an error still tells that it is gone.
        fds[count++] = (struct pollfd){.fd = fd, .events = client && client->waiting >= 0 ? POLLOUT : 0};
    }
    return count;
}

bool attach_blocked(void) {
    for (int index = 0; index < ATTACH_CLIENTS; index++)
        if (clients[index] && clients[index]->waiting >= 0) return true;
    return false;
}

void attach_serve(const struct pollfd *fds) {
    for (int index = 0; index < ATTACH_CLIENTS; index++) {
        if (!clients[index] || !fds[1 + index].revents) continue;
        bool lives = clients[index]->waiting >= 0 ? flush_client(clients[index]) : !(fds[1 + index].revents & (POLLERR | POLLHUP | POLLNVAL));
        if (!lives) forget(index);
    }
    if (fds[0].revents) attach_accept();
}

void attach_settle(void) {
    struct pollfd fds[1 + ATTACH_CLIENTS];
    while (attach_blocked()) {
        size_t count = attach_poll(fds);
        if (poll(fds + 1, count - 1, DRAIN_MS) <= 0) {
            for (int index = 0; index < ATTACH_CLIENTS; index++)
                if (clients[index] && clients[index]->waiting >= 0) forget(index);
            return;
        }
        fds[0].revents = 0;
        attach_serve(fds);
    }
}

// epoll for Swift, which sees none of its header.
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "sandbox.h"

#define BATCH 64

int ksb_watch_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int ksb_watch_add(int watch, int descriptor, uint64_t token, int for_writing) {
    uint32_t kinds = for_writing ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
    struct epoll_event event = {.events = kinds | EPOLLONESHOT, .data = {.u64 = token}};
    if (epoll_ctl(watch, EPOLL_CTL_MOD, descriptor, &event) == 0) return 0;
    if (errno == ENOENT && epoll_ctl(watch, EPOLL_CTL_ADD, descriptor, &event) == 0) return 0;
    return -errno;
}

int ksb_watch_wait(int watch, uint64_t *tokens, int capacity) {
    struct epoll_event events[BATCH];
    int count;
    do count = epoll_wait(watch, events, capacity < BATCH ? capacity : BATCH, -1);
    while (count < 0 && errno == EINTR);
    for (int i = 0; i < count; i++) tokens[i] = events[i].data.u64;
    return count < 0 ? -errno : count;
}

int ksb_set_window_size(int terminal, unsigned short columns, unsigned short rows) {
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    return ioctl(terminal, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int ksb_event_create(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

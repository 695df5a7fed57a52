// A terminal of the container's own file system, owned by the container's user.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "run.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int terminal_open(int *leader, int *follower) {
    int unlocked = 0;
    struct statfs system;
    *leader = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    // An image must not be able to put something else there.
    if (*leader < 0 || fstatfs(*leader, &system) < 0 || system.f_type != DEVPTS_SUPER_MAGIC)
        return fail("open a terminal", "/dev/pts of the container must be a terminal file system");
    if (ioctl(*leader, TIOCSPTLCK, &unlocked) < 0) return fail("open a terminal", "it cannot be unlocked");
    *follower = ioctl(*leader, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return *follower < 0 ? fail("open a terminal", "its other end cannot be opened") : 0;
}

// Who the program is: namespaces, user and groups, capabilities, limits and the seccomp filter.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"

static int join(const char *path, int type, const char *what) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, type) < 0) return fail("join a namespace", "%s must be a %s namespace", path, what);
    close(fd);
    return 0;
}

// A network namespace of our own has loopback only, and no port or ping is a privilege in it, as container runtimes have it.
static int prepare_network(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
    if (fd >= 0) close(fd);
    if (result < 0) return fail("make the network namespace", "loopback cannot be brought up");
    write_file("/proc/sys/net/ipv4", "ip_unprivileged_port_start", "0");
    write_file("/proc/sys/net/ipv4", "ping_group_range", "0 2147483647");
    return 0;
}

int enter_namespaces(const struct spec *spec) {
    int flags = CLONE_NEWNS | CLONE_NEWCGROUP;
    if (spec->net_path && join(spec->net_path, CLONE_NEWNET, "network") < 0) return -1;
    if (spec->ipc_path && join(spec->ipc_path, CLONE_NEWIPC, "ipc") < 0) return -1;
    if (spec->uts_path && join(spec->uts_path, CLONE_NEWUTS, "uts") < 0) return -1;
    if (!spec->net_path) flags |= CLONE_NEWNET;
    // New ones of the other kinds we were born with.
    if (unshare(flags) < 0) return fail("make namespaces", "the kernel refuses; lab doctor says what is missing");
    if (!spec->uts_path && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
        return fail("set the host name", "%s is refused", spec->hostname);
    return spec->net_path ? 0 : prepare_network();
}

// Into the user namespace in which the program will be: from here on we have no right over the namespaces and mounts made
// before, which belong to the daemon's.
int enter_user(const struct init_context *context, const struct spec *spec) {
    if (!spec->uid_map) {
        if (setns(context->user_namespace, CLONE_NEWUSER) == 0) return 0;
        return fail("join the user namespace", "the one that the daemon made for containers is unusable");
    }
    if (unshare(CLONE_NEWUSER) < 0) return fail("make the user namespace", "the kernel refuses; lab doctor says why");
    // Only a process outside of it may map more than its own id.
    message_send(context->socket, INIT_NEEDS_MAPS, 0);
    if (!init_await(context->socket, 'M')) return fail_kind(KSB_FAIL_SETUP, 0, "map ids", "the supervisor could not");
    return 0;
}

void own_streams(const struct ksb_numbers *numbers, const int *streams, size_t count) {
    // Whoever opens /dev/stdout anew must own it. Where that may not be, it is as before.
    for (size_t i = 0; i < count; i++)
        if (fchown(streams[i], numbers->user, numbers->group) < 0) continue;
}

int assume_identity(const struct spec *spec) {
    const struct ksb_numbers *numbers = &spec->numbers;
    if (!(numbers->flags & KSB_NO_SETGROUPS) && setgroups(spec->group_count, spec->groups) < 0)
        return fail("set groups", "%zu supplementary groups are refused", spec->group_count);
    // The bounding set is what a program of user 0 gets at exec. Dropped while we still may.
    for (int capability = 0; capability < 64; capability++) {
        if (numbers->capabilities >> capability & 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            if (errno == EINVAL) break;  // past the last one
            return fail("drop capabilities", "number %d stays", capability);
        }
    }
    if (setresgid(numbers->group, numbers->group, numbers->group) < 0) return fail("set the group", "%u is refused", numbers->group);
    if (setresuid(numbers->user, numbers->user, numbers->user) < 0) return fail("set the user", "%u is refused", numbers->user);
    return 0;
}

// User 0 keeps what it is allowed: with no_new_privs an exec gives it no more than it has. Others have none, and nobody can
// hand any on.
static int set_capabilities(const struct ksb_numbers *numbers) {
    uint64_t keep = numbers->user == 0 ? numbers->capabilities & ((1ULL << (CAP_LAST_CAP + 1)) - 1) : 0;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)keep, (uint32_t)keep, 0}, {(uint32_t)(keep >> 32), (uint32_t)(keep >> 32), 0}};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return (int)syscall(SYS_capset, &header, data);
}

static void limit(int resource, uint64_t value) {
    struct rlimit now;
    if (getrlimit(resource, &now) < 0) return;
    rlim_t most = now.rlim_max == RLIM_INFINITY || value < now.rlim_max ? value : now.rlim_max;
    struct rlimit next = {most, most};
    setrlimit(resource, &next);
}

int drop_privileges(const struct spec *spec) {
    limit(RLIMIT_NOFILE, spec->numbers.open_files);
    limit(RLIMIT_CORE, 0);
    if (spec->numbers.flags & KSB_LIMIT_NPROC) limit(RLIMIT_NPROC, spec->numbers.pids);
    if (set_capabilities(&spec->numbers) < 0) return fail("drop capabilities", "capset is refused");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail("set no_new_privs", "the kernel refuses");
    if (!spec->seccomp) return 0;
    struct sock_fprog program = {
        .len = (unsigned short)(spec->seccomp_bytes / sizeof(struct sock_filter)), .filter = (struct sock_filter *)spec->seccomp};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return fail("load the seccomp filter", "the kernel needs CONFIG_SECCOMP_FILTER");
    return 0;
}

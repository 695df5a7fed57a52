// The default seccomp profile, compiled once by libseccomp. A list of refusals rather than of permissions: what container
// runtimes (containerd, docker) refuse by default to a container without extra capabilities, and for each a reason.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox.h"

// By name, as an older libseccomp or header may not know the number; an unknown name cannot be called for by old programs.
static const char *const refused[] = {
    // New or other namespaces, and anything that changes mounts.
    "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "open_tree_attr", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "listmount", "statmount",
    // Files by handle reach past every mount.
    "open_by_handle_at", "name_to_handle_at",
    // Large, often attacked parts of the kernel that containers do without.
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "fanotify_init",
    "lookup_dcookie", "vmsplice",
    // Keys are shared by user id, not by container.
    "keyctl", "add_key", "request_key",
    // The machine itself.
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module", "query_module",
    "get_kernel_syms", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "sethostname",
    "setdomainname", "settimeofday", "stime", "clock_settime", "clock_settime64", "iopl", "ioperm", "vhangup", "nfsservctl",
    "_sysctl", "sysfs", "ustat", "uselib", "vm86", "vm86old", "kcmp",
};

static int refuse(scmp_filter_ctx context, const char *name, int error) {
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return 0;
    int result = seccomp_rule_add(context, SCMP_ACT_ERRNO((uint16_t)error), number, 0);
    // A call that this architecture never had.
    return result == -EDOM || result == -EINVAL ? 0 : result;
}

static int refuse_calls(scmp_filter_ctx context) {
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        int result = refuse(context, refused[i], EPERM);
        if (result < 0) return result;
    }
    // Its flags lie in memory, where a filter cannot look; "not implemented" makes libc use clone.
    return refuse(context, "clone3", ENOSYS);
}

static int refuse_arguments(scmp_filter_ctx context) {
    static const unsigned int namespaces[] = {
        CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP,
    };
    int result = 0;
    uint32_t action = SCMP_ACT_ERRNO(EPERM);
    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0] && result == 0; i++) {
        result = seccomp_rule_add(context, action, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
    }
    // The kernel looks at the low half of the request only, so must we: else high bits slip a request past the filter.
    static const unsigned int terminal[] = {TIOCSTI, TIOCLINUX};
    for (size_t i = 0; i < 2 && result == 0; i++) {
        result = seccomp_rule_add(context, action, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, terminal[i]));
    }
    // Families that know no network namespace (vsock) or put the kernel's crypto in reach (alg).
    static const unsigned int families[] = {AF_VSOCK, AF_ALG};
    for (size_t i = 0; i < 2 && result == 0; i++) {
        result = seccomp_rule_add(
            context, action, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, families[i]));
    }
    return result;
}

static int compile(scmp_filter_ctx context) {
    // Foreign ABIs of the same machine (i386 through int 0x80, x32) would number the calls differently.
    int result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (result == 0) result = seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0);
    // A balanced tree instead of a chain; a library too old for it makes a chain.
    seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (result == 0) result = refuse_calls(context);
    if (result == 0) result = refuse_arguments(context);
    return result;
}

static long export_program(scmp_filter_ctx context, void **program) {
    int file = memfd_create("seccomp", MFD_CLOEXEC);
    if (file < 0) return -errno;
    long result = seccomp_export_bpf(context, file);
    off_t size = result == 0 ? lseek(file, 0, SEEK_END) : -1;
    if (result == 0) result = size > 0 ? 0 : -EIO;
    if (result == 0) {
        *program = malloc((size_t)size);
        if (!*program) result = -ENOMEM;
        else if (pread(file, *program, (size_t)size, 0) != size) result = -EIO;
        else result = size;
    }
    if (result < 0) {
        free(*program);
        *program = NULL;
    }
    close(file);
    return result;
}

long ksb_seccomp_default(void **program) {
    *program = NULL;
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    if (!context) return -ENOMEM;
    long result = compile(context);
    if (result == 0) result = export_program(context, program);
    seccomp_release(context);
    return result;
}

int ksb_capability(const char *name) {
    static const char *const names[] = {
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
        "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
        "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
        "CHECKPOINT_RESTORE",
    };
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

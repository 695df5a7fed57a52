// What Swift and lab-shim agree on: the flat spec of one container, the events on the control socket, and the few system
// calls that cannot be made from Swift in a program with threads.
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KSB_SPEC_MAGIC 0x3142534bu
#define KSB_CGROUP_MAX 6
#define KSB_STEP_MAX 160
#define KSB_MESSAGE_MAX 768

/// The spec is this header, then records: each a `ksb_record`, its bytes, and zeros up to a multiple of eight. Strings end
/// with a NUL that counts in the length. A tag that may repeat keeps its order.
enum ksb_tag {
    KSB_IDENTIFIER = 1,
    KSB_STATE_DIRECTORY = 2,
    KSB_HOSTNAME = 3,
    KSB_LOWER = 4,
    KSB_ARGUMENT = 5,
    KSB_ENVIRONMENT = 6,
    KSB_WORKING_DIRECTORY = 7,
    KSB_MASKED = 8,
    KSB_READ_ONLY = 9,
    KSB_LOG_PATH = 10,
    KSB_STDIN_PATH = 11,
    KSB_TERMINATION_PATH = 12,
    KSB_NET_PATH = 13,
    KSB_IPC_PATH = 14,
    KSB_UTS_PATH = 15,
    KSB_MOUNT = 16,
    KSB_SECCOMP = 17,
    KSB_GROUP = 18,
    KSB_NUMBERS = 19,
    KSB_UID_MAP = 20,
    KSB_GID_MAP = 21,
    KSB_BOOT_ID = 22,
    /// Namespaces of another container, whose processes this one shares.
    KSB_PROCESS_PATH = 23,
    KSB_USER_PATH = 24,
    /// A directory over the source of the overlay mount that comes before it; the topmost first.
    KSB_MOUNT_LOWER = 25,
    KSB_TAG_MAX = KSB_MOUNT_LOWER,
};

struct ksb_header {
    uint32_t magic;
    uint32_t length;
    uint32_t records;
    uint32_t reserved;
};

struct ksb_record {
    uint32_t tag;
    uint32_t length;
};

enum ksb_flag {
    KSB_ROOT_READ_ONLY = 1,
    KSB_PRIVATE_TMP = 2,
    KSB_MERGE_STREAMS = 4,
    KSB_NO_SETGROUPS = 8,
    /// Nothing counts processes for us: RLIMIT_NPROC in a user namespace of its own does.
    KSB_LIMIT_NPROC = 16,
    /// A terminal in place of pipes.
    KSB_TERMINAL = 32,
    /// Standard input is a pipe for those who attach; with KSB_STDIN_ONCE it ends with the first of them.
    KSB_OPEN_STDIN = 64,
    KSB_STDIN_ONCE = 128,
    /// The container is killed when the other end of the control socket is gone.
    KSB_END_WITH_STARTER = 256,
};

struct ksb_numbers {
    uint32_t user;
    uint32_t group;
    uint32_t umask;
    uint32_t flags;
    uint64_t capabilities;
    uint64_t memory_bytes;      // 0: no limit
    uint64_t cpu_millicores;    // 0: no limit
    uint64_t cpu_shares;        // 0: the kernel's default
    uint64_t pids;
    uint64_t log_max_bytes;     // 0: no rotation
    uint64_t log_max_files;
    uint64_t shm_bytes;
    uint64_t open_files;
};

enum ksb_mount_kind { KSB_MOUNT_BIND = 1, KSB_MOUNT_TMPFS = 2, KSB_MOUNT_DEVICE = 3, KSB_MOUNT_OVERLAY = 4 };

/// Followed by three NUL-terminated strings: target, source, subpath (empty: none).
struct ksb_mount {
    uint32_t kind;
    uint32_t read_only;
    uint64_t size_bytes;
    uint32_t mode;
    uint32_t reserved;
};

/// The socket of a state directory on which a supervisor takes those who attach. A client sends this with two descriptors, pipes for
/// the container's output and errors, and gets one byte back, with where to type if it asked for it and there is such a thing.
#define KSB_ATTACH_NAME "attach"
struct ksb_attach {
    uint32_t types;
};

enum ksb_event_type { KSB_EVENT_STARTED = 1, KSB_EVENT_FAILED = 2, KSB_EVENT_EXITED = 3 };
enum ksb_failure { KSB_FAIL_SETUP = 1, KSB_FAIL_NOT_FOUND, KSB_FAIL_DENIED, KSB_FAIL_NOT_EXECUTABLE, KSB_FAIL_ABANDONED };

/// One datagram from lab-shim to the daemon.
struct ksb_event {
    uint32_t type;
    uint32_t failure;
    int32_t error;
    int32_t init_pid;
    uint64_t init_start;
    int64_t started_ns;
    int64_t finished_ns;
    int32_t exit_code;
    int32_t signal;
    uint32_t oom_killed;
    uint32_t reserved;
    char step[KSB_STEP_MAX];
    char message[KSB_MESSAGE_MAX];
};

/// Starts `executable` (a file descriptor, run with execveat) with `arguments` and an empty environment. Descriptors 3, 4, …
/// of the child are `fds[0…]`; 0, 1 and 2 are /dev/null; every other one is closed. Signals are reset, the child leads a
/// session of its own. The caller's threads are not copied (vfork semantics). Returns the pid and stores a pidfd, or -errno.
int ksb_spawn(int executable, const char *const *arguments, const int *fds, int fd_count, int *pidfd);

/// A sealed copy in memory of the file at `path`, executable: nothing that runs from it can change it. -errno on failure.
int ksb_sealed_copy(const char *path);

/// A memfd holding `length` bytes, sealed. -errno on failure.
int ksb_sealed_bytes(const void *bytes, size_t length);

/// A new user namespace below the caller's with these id maps (texts as in /proc/<pid>/uid_map). Returns its descriptor or -errno.
int ksb_user_namespace(const char *uid_map, const char *gid_map, int deny_setgroups);

/// Sends one byte and one descriptor. 0 or -errno.
int ksb_send_descriptor(int socket, int descriptor);

/// A pair of SOCK_SEQPACKET sockets, close-on-exec. 0 or -errno.
int ksb_socket_pair(int pair[2]);

/// A pipe, close-on-exec: its reading and its writing end. 0 or -errno.
int ksb_pipe(int ends[2]);

/// A pidfd for `pid`, or -errno.
int ksb_pidfd_open(int pid);

// An ipc namespace that is held by a mount on the file `path`, which is made; one that is there stays. 0 or -errno.
int ksb_shared_ipc(const char *path);
// A tmpfs for the /dev/shm of several containers, mounted on the directory `path`, which is made; one that is there stays.
int ksb_shared_memory(const char *path, unsigned long long bytes);
// Takes the mount of either away; nothing there is no error.
int ksb_unshare(const char *path);

/// Sends a signal through a pidfd. 0 or -errno.
int ksb_pidfd_signal(int pidfd, int signal);

/// Collects a child that ended; 1 when there was one, 0 when it still runs, -errno otherwise (ECHILD: not our child).
int ksb_reap(int pidfd);

/// Start time of a process in clock ticks since boot (field 22 of /proc/<pid>/stat); 0 when there is none.
uint64_t ksb_start_time(int pid);

/// Compiles the default profile with libseccomp. Writes a `struct sock_filter` array into a malloc'ed block that the caller
/// frees. Returns its size in bytes or -errno.
long ksb_seccomp_default(void **program);

/// The number of a capability by its name without `CAP_`, or -1.
int ksb_capability(const char *name);

/// An epoll descriptor, or -errno.
int ksb_watch_create(void);

/// Watches `descriptor` once for being readable or hung up (or, `for_writing`, writable or broken), under a number of the
/// caller's. 0 or -errno.
int ksb_watch_add(int watch, int descriptor, uint64_t token, int for_writing);

/// The size of a terminal in characters. 0 or -errno.
int ksb_set_window_size(int terminal, unsigned short columns, unsigned short rows);

/// Sleeps until some are ready and stores their numbers. Returns how many, or -errno.
int ksb_watch_wait(int watch, uint64_t *tokens, int capacity);

/// An event descriptor, readable after 8 bytes are written. -errno on failure.
int ksb_event_create(void);

/// Removes a directory tree without following symbolic links or leaving its file system. Returns 0, or -errno of the first failure.
int ksb_remove_tree(const char *path);

#endif

// `lab-shim run`, the supervisor of one container, and its child, the container's init. What the files run_*.c share.
#ifndef LAB_SHIM_RUN_H
#define LAB_SHIM_RUN_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../CSandbox/include/sandbox.h"

// ---- failures: a step says what was being done; the first failure of a process wins and is sent to the daemon.
struct failure {
    uint32_t kind;  // enum ksb_failure
    int32_t error;
    char step[KSB_STEP_MAX];
    char message[KSB_MESSAGE_MAX];
};
extern struct failure failure;

/// Notes a failed set-up step with the current errno and an explanation; always returns -1.
int fail(const char *step, const char *format, ...) __attribute__((format(printf, 2, 3)));
/// The same with a kind and an error number.
int fail_kind(uint32_t kind, int error, const char *step, const char *format, ...) __attribute__((format(printf, 4, 5)));

// ---- the spec, its strings pointing into the mapped memory file (run_spec.c)
struct mount_entry {
    uint32_t kind;
    uint32_t mode;
    bool read_only;
    uint64_t size_bytes;
    const char *target, *source, *subpath;
    const char **above;  // over the source of an overlay, topmost first
    size_t above_count;
};
struct list {
    const char **items;  // ends with NULL
    size_t count;
};
struct spec {
    struct ksb_numbers numbers;
    const char *identifier, *state_directory, *hostname, *working_directory, *log_path, *stdin_path, *termination_path;
    const char *net_path, *ipc_path, *uts_path, *process_path, *user_path, *uid_map, *gid_map, *boot_id;
    struct list lower, arguments, environment, masked, read_only;
    struct mount_entry *mounts;
    size_t mount_count;
    const char **mount_layers;  // of all mounts
    gid_t *groups;
    size_t group_count;
    const void *seccomp;
    size_t seccomp_bytes;
    void *map;
    size_t map_bytes;
    bool in_unified_group;  // known to the init, not part of the file
};
int spec_read(int fd, struct spec *spec);
/// The same for a list of records that need not describe a whole container.
int spec_parse(int fd, struct spec *spec);

// ---- between supervisor and init (run_message.c)
enum init_message_type { INIT_NEEDS_MAPS = 1, INIT_STARTED, INIT_FAILED, INIT_EXITED, INIT_TERMINAL };
struct init_message {
    uint32_t type;
    int32_t wait_status;
    struct failure failure;
};
/// One packet, with a descriptor unless that is -1.
bool packet_send(int socket, const void *bytes, size_t length, int descriptor, int flags);
bool message_send(int socket, uint32_t type, int wait_status);
/// The same with a descriptor.
bool message_send_with(int socket, uint32_t type, int descriptor);
/// Receives without waiting; `descriptor` is what came along, or -1. As recv.
ssize_t message_receive(int socket, struct init_message *message, int *descriptor);
/// Receives one byte and, where there is one, a descriptor (-1 else). Returns the byte, or -1 at the end.
int byte_receive(int socket, int *descriptor);
bool byte_send(int socket, char byte, int descriptor);

// ---- control groups of this container (run_cgroup.c)
enum cgroup_kind { CGROUP_UNIFIED, CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_CPUACCT, CGROUP_KINDS };
struct cgroups {
    const char *directory[CGROUP_KINDS];  // NULL: not in use
    int unified_fd;
};
bool cgroups_add(struct cgroups *groups, const char *argument);
int cgroups_create(struct cgroups *groups);
int cgroups_attach(const struct cgroups *groups, pid_t pid);
/// The same for every hierarchy: for a process that was not born into the unified one.
int cgroups_join(const struct cgroups *groups, pid_t pid);
int cgroups_limit(const struct cgroups *groups, const struct spec *spec);
bool cgroups_limit_memory(const struct cgroups *groups);
uint64_t cgroups_oom_kills(const struct cgroups *groups);
/// What the container's groups have counted; what none of them counts stays as it is. In nanoseconds and bytes.
void cgroups_spent(const struct cgroups *groups, uint64_t *cpu_ns, uint64_t *memory_peak);
/// Ends every process of the container by its group.
void cgroups_kill(const struct cgroups *groups);
void cgroups_remove(const struct cgroups *groups);
bool write_file(const char *directory, const char *name, const char *text);

// ---- output (run_log.c)
struct log;
struct log *log_open(const char *path, uint64_t max_bytes, uint64_t max_files);
/// Takes what a pipe has; false at its end.
bool log_pump(struct log *log, int stream, int fd);
/// Writes what is buffered, and unfinished lines too when `final`.
void log_flush(struct log *log, bool final);

// ---- a terminal (run_terminal.c): both ends, in the calling process's file system and of its user
int terminal_open(int *leader, int *follower);

// ---- clients that look on (run_attach.c)
#define ATTACH_CLIENTS 16
/// `input` is where they type: the writing end of a pipe, a terminal, or -1.
int attach_listen(const struct spec *spec, int *input);
/// Gives every client a copy. Only while none is blocked.
void attach_copy(int stream, const char *bytes, size_t length);
/// A client has not taken all that it was given.
bool attach_blocked(void);
/// What to wait for: 1 + ATTACH_CLIENTS entries.
size_t attach_poll(struct pollfd *fds);
void attach_serve(const struct pollfd *fds);
/// Waits a little for those who are blocked, then forgets them.
void attach_settle(void);

// ---- records (run_record.c)
struct outcome {
    int exit_code;
    int signal;
    bool oom_killed;
    int64_t started_ns, finished_ns;
    uint64_t cpu_ns, memory_peak;  // of all its processes, or of the largest where no group counts
    const struct failure *failure;
};
/// The spec itself, for those who join the container later.
int record_spec(const struct spec *spec);
int record_state(const struct spec *spec, const struct cgroups *groups, pid_t init, uint64_t init_start, int64_t started_ns);
void record_exit(const struct spec *spec, const struct outcome *outcome);
int64_t now_ns(void);
uint64_t run_start_time(pid_t pid);

// ---- memory without a control group (run_watchdog.c)
uint64_t tree_memory_bytes(pid_t init);

// ---- the container's init: never returns (run_init.c)
struct init_context {
    int socket;          // to the supervisor
    int input;           // reading end for stdin, where the container has one
    int output[2];       // writing ends for stdout and stderr
    int user_namespace;  // shared one, or -1
    bool in_unified_group;
};
void init_main(const struct init_context *context) __attribute__((noreturn));
/// False when the supervisor is gone.
bool init_await(int socket, char wanted);
/// Namespaces and identity of the calling init (run_identity.c).
int enter_namespaces(const struct spec *spec);
int enter_user(const struct init_context *context, const struct spec *spec);
/// Gives pipes to the user that the program will be.
void own_streams(const struct ksb_numbers *numbers, const int *streams, size_t count);
/// Groups, bounding set, group and user; inside the user namespace.
int assume_identity(const struct spec *spec);
/// Limits, capabilities, no_new_privs and the seccomp filter.
int drop_privileges(const struct spec *spec);

// ---- the program takes the place of the calling process (run_program.c)
/// Returns an error number when it cannot.
int program_exec(const struct spec *spec);
/// Notes such an error as the failure; always returns -1.
int program_explain(const struct list *arguments, int error);

// ---- the container's file system: built, then entered (run_mounts.c, run_root.c, run_volumes.c)
int root_enter(const struct spec *spec);
int enter_working_directory(const struct spec *spec);
int root_standard_mounts(const struct spec *spec, int root);
int root_masks(const struct spec *spec, int root);
/// An overlay at `place` whose private layers `NAMEupper` and `NAMEwork` are made in the state directory. `lower` are
/// descriptors of directories, uppermost first.
int overlay_mount(const struct spec *spec, const char *step, const char *name, const int *lower, size_t count, const char *place);
int root_volumes(const struct spec *spec, int root);

// ---- paths and mounts by descriptor (run_paths.c)
enum { PATH_FILE, PATH_DIRECTORY };
/// Opens `path` inside `root` (O_PATH), following links as if `root` were the root directory.
int path_open(int root, const char *path);
/// The same, making missing directories and, for PATH_FILE, an empty file at the end.
int path_make(int root, const char *path, int type);
/// Opens or makes a directory none of whose components may be a link: for the mounts that the container relies on.
int path_make_plain(int root, const char *path);
int mount_new(const char *type, const char *const *options, unsigned int attributes);
int mount_clone(int from, const char *path, bool recursive);
int mount_change(int mount, uint64_t set, bool recursive);
/// Moves a detached mount onto `target` and closes `target`.
int mount_attach(int mount, int target);

#endif

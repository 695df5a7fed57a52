// The helper in the host's namespaces: holds labd's user, mount and network namespaces, starts labd inside them, opens
// listening sockets and the uplink for it. One thread, one epoll loop, nothing in it waits for a client.
#ifndef LAB_SHIM_HELPER_H
#define LAB_SHIM_HELPER_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "../CSandbox/include/fdpass.h"
#include "../CSandbox/include/netlink.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_ALREADY_RUNNING = 3,
    EXIT_NOT_PERMITTED = 4,
    EXIT_DAEMON = 5,
};

enum { CLIENTS_MAX = 64, PORTS_MAX = 256, LOST_MAX = 64, ADOPT_MAX = 256, WORDS_MAX = 256, DEVICES_MAX = 32, GROUPS_MAX = 8 };
#define NAME_SIZE 128
#define MESSAGE_SIZE 1024

enum idmap { IDMAP_IDENTITY, IDMAP_RANGES, IDMAP_SINGLE };
enum uplink_kind { UPLINK_NONE, UPLINK_VETH, UPLINK_PASTA, UPLINK_SLIRP };
enum uplink_state { UPLINK_DOWN, UPLINK_STARTING, UPLINK_UP, UPLINK_STOPPING };

// A process that is not ours to wait for is known by its number and start time, and held by a pidfd.
struct process {
    pid_t pid;  // 0: none
    unsigned long long started;
    int pidfd;
    bool child;
};

struct namespaces {
    int user, mount, network;  // descriptors, -1 when not held
    ino_t user_inode, mount_inode, network_inode;
};

struct port {
    char name[NAME_SIZE];
    char address[64];
    int port;
    int fd;
};

struct client {
    int fd;               // -1: free
    uint32_t generation;  // tells a new client in this slot from the one that asked
};

// A client that waits for the end of something slow.
struct waiter {
    int slot;  // -1: nobody
    uint32_t generation;
};

struct uplink {
    enum uplink_kind kind;
    enum uplink_state state;
    pid_t job;  // child that does the work; its errors go to uplink.log
    struct process process;
    char changed[1024];     // host devices whose forwarding was switched on, separated by blanks
    char nameserver[64];    // inside address that reaches the host's resolver; empty: use the host's own list
    struct waiter waiters[CLIENTS_MAX];
    char refused[512];      // why pasta, which is tried first, did not start; empty: it is not there
};

struct helper {
    char *state, *runtime, *daemon;
    char **daemon_arguments;
    int daemon_argument_count;
    pid_t adopt[ADOPT_MAX];
    int adopt_count;
    bool foreground;

    int lock, epoll, signals, timer, listener, runtime_fd;
    time_t started;
    enum idmap idmap;
    char idmap_note[MESSAGE_SIZE];
    struct namespaces ns;
    bool adopted;
    char *lost[LOST_MAX];
    int lost_count;

    struct process labd;
    int labd_starts;
    bool labd_exited;
    int labd_status;  // as waitpid gives it; -1 when it was not our child
    struct waiter stop_waiters[CLIENTS_MAX], end_waiters[CLIENTS_MAX];

    struct port ports[PORTS_MAX];
    int port_count;
    struct uplink uplink;
    struct client clients[CLIENTS_MAX];
    char *groups[GROUPS_MAX];  // the lab's own control groups, which labd has made
    int group_count;
    dev_t state_device;
    ino_t state_inode;
    time_t state_checked;
    bool catalogue_seen, state_gone;
    bool stopping, done;
    int exit_code;
};

// helper.c
void helper_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void helper_lost(struct helper *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool helper_watch(struct helper *h, int fd, uint32_t kind, uint32_t index);
// Puts a child back to the state a program expects: signals unblocked and at their defaults.
void helper_reset_signals(void);

// helper_process.c
unsigned long long process_start_time(pid_t pid);
// Holds a running process; false when it is gone or another process has its number now (started 0: not compared).
bool process_hold(struct process *process, pid_t pid, unsigned long long started);
void process_release(struct process *process);
int process_signal(const struct process *process, int signal);
// Runs a program to its end with `input` on its standard input; gives its exit status, or a negative errno.
int process_run(char *const argv[], const char *input);

// helper_namespaces.c: gives an exit code, the message on stderr.
int namespaces_adopt(struct helper *h);
int namespaces_create(struct helper *h);
// helper_idmap.c
int idmap_write(struct helper *h, pid_t child);
const char *idmap_name(enum idmap idmap);

// helper_daemon.c
int daemon_start(struct helper *h, char *const argv[], char *message);
void daemon_stop(struct helper *h, int grace_seconds);
void daemon_ended(struct helper *h, int status);

// helper_ports.c
struct port *port_find(struct helper *h, const char *name);
// Gives the port, or NULL with a code and a message.
struct port *port_open(struct helper *h, const char *name, const char *address, int port, bool any, const char **code,
                       char *message);
struct port *port_keep(struct helper *h, const char *name, int fd, char *message);
bool port_close(struct helper *h, const char *name);
// A TCP socket in the host's network namespace that is connected, or connects, to a loopback address; negative: -errno.
int port_dial(const char *address, int number, char *message);

// helper_uplink.c
void uplink_up(struct helper *h, struct waiter waiter);
void uplink_down(struct helper *h, struct waiter waiter);
void uplink_job_ended(struct helper *h, int status);
void uplink_process_ended(struct helper *h);
void uplink_recover(struct helper *h, const char *kind, pid_t pid, unsigned long long started, const char *changed);
const char *uplink_kind_name(enum uplink_kind kind);
// helper_veth.c: bodies of the root uplink's jobs, run in a child; exit code.
int uplink_veth_up(struct helper *h);
int uplink_veth_down(struct helper *h);
// helper_host.c
struct host_route {
    uint32_t network;
    int prefix;
    char device[16];
};
int host_routes(struct host_route *routes, int capacity);
bool host_default_device(char *device, size_t size);
int host_mtu(void);
int host_nameservers(char names[][64], int capacity, char *search, size_t search_size);

// helper_record.c
void record_write(struct helper *h);
void record_read(struct helper *h);

// helper_end.c
bool groups_add(struct helper *h, const char *path);
void groups_remove(struct helper *h);
void state_remember(struct helper *h);
void state_check(struct helper *h);

// helper_json.c: a bounded text that becomes empty instead of overflowing.
struct text {
    char *bytes;
    size_t length, capacity;
    bool overflow;
};
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_quote(struct text *text, const char *value);
void status_members(struct helper *h, struct text *text);
void ports_array(struct helper *h, struct text *text);
void uplink_members(struct helper *h, struct text *text);
void host_members(struct text *text);

// helper_requests.c
void client_accept(struct helper *h);
void client_readable(struct helper *h, int slot);
void waiter_reply(struct helper *h, struct waiter *waiters, const char *code, const char *message);
bool waiter_add(struct waiter *waiters, struct waiter waiter);
void waiters_clear(struct waiter *waiters);

enum { WATCH_SIGNALS, WATCH_LISTENER, WATCH_CLIENT, WATCH_TIMER, WATCH_LABD, WATCH_UPLINK };
#endif

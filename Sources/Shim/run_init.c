// Process 1 of the container: builds its surroundings, starts the program, forwards signals to it, collects orphans, and takes
// everything with it when the program ends.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

#define PROGRAM_STACK (256 * 1024)

struct program {
    const struct spec *spec;
    int output[2];
    int input;
    // Written by the child when every exec has failed; the two share their memory until then.
    int error;
    char path[4200];
};

static const char *variable(const struct spec *spec, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < spec->environment.count; i++)
        if (strncmp(spec->environment.items[i], name, length) == 0 && spec->environment.items[i][length] == '=')
            return spec->environment.items[i] + length + 1;
    return NULL;
}

// Returns the error to report: a file that may not be run is better news than the next directory's lack of one.
static int try_exec(const struct program *program, const char *path, int earlier) {
    const struct spec *spec = program->spec;
    execve(path, (char *const *)spec->arguments.items, (char *const *)spec->environment.items);
    return earlier == EACCES && (errno == ENOENT || errno == ENOTDIR) ? EACCES : errno;
}

static int search_exec(struct program *program) {
    const char *name = program->spec->arguments.items[0];
    if (strchr(name, '/') || !name[0]) return try_exec(program, name, 0);
    const char *at = variable(program->spec, "PATH");
    if (!at) at = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int error = ENOENT;
    for (;;) {
        size_t length = strcspn(at, ":");
        if (length > 0 && length + strlen(name) + 2 <= sizeof program->path) {
            snprintf(program->path, sizeof program->path, "%.*s/%s", (int)length, at, name);
            error = try_exec(program, program->path, error);
            if (error != ENOENT && error != ENOTDIR && error != EACCES) return error;
        }
        if (!at[length]) return error;
        at += length + 1;
    }
}

static int run_program(void *context) {
    struct program *program = context;
    sigset_t none;
    sigemptyset(&none);
    setsid();
    umask(program->spec->numbers.umask);
    if (dup2(program->input, 0) < 0 || dup2(program->output[0], 1) < 0 || dup2(program->output[1], 2) < 0 ||
        syscall(SYS_close_range, 3, ~0U, 0) < 0) {
        program->error = errno;
        _exit(127);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    program->error = search_exec(program);
    _exit(127);
}

static int explain_exec(const struct program *program) {
    const char *name = program->spec->arguments.items[0];
    struct stat info;
    switch (program->error) {
    case ENOENT:
    case ENOTDIR:
        if (strchr(name, '/') && stat(name, &info) == 0)
            return fail_kind(
                KSB_FAIL_NOT_EXECUTABLE, ENOENT, "start the program",
                "exec: \"%s\": it exists, but the interpreter or loader that it names does not exist in the image", name);
        return fail_kind(
            KSB_FAIL_NOT_FOUND, ENOENT, "start the program", "exec: \"%s\": %s", name,
            strchr(name, '/') ? "stat: no such file in the image" : "executable file not found in $PATH");
    case EACCES:
        return fail_kind(
            KSB_FAIL_DENIED, EACCES, "start the program", "exec: \"%s\": permission denied; it must be an executable file", name);
    case ENOEXEC:
        return fail_kind(
            KSB_FAIL_NOT_EXECUTABLE, ENOEXEC, "start the program",
            "exec: \"%s\": exec format error; expected a binary of this machine or a script with a #! line", name);
    default: return fail_kind(KSB_FAIL_SETUP, program->error, "start the program", "exec: \"%s\"", name);
    }
}

static pid_t start_program(const struct init_context *context, const struct spec *spec, int input) {
    static struct program program;
    // One pipe for both keeps the order of writes.
    int errors = context->output[spec->numbers.flags & KSB_MERGE_STREAMS ? 0 : 1];
    program = (struct program){.spec = spec, .output = {context->output[0], errors}, .input = input};
    char *stack = mmap(NULL, PROGRAM_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return fail("start the program", "no memory for its stack");
    // We sleep until it has exec'd or failed, so nothing is copied and its error is at hand.
    pid_t pid = clone(run_program, stack + PROGRAM_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &program);
    int error = errno;
    munmap(stack, PROGRAM_STACK);
    errno = error;
    if (pid < 0) return fail("start the program", "no process can be made; is the limit of processes too low?");
    return program.error ? explain_exec(&program) : pid;
}

// Waits for one of the supervisor's bytes: 'M', the id maps are written; 'G', the state record is written and the daemon still
// wants the container. They come in either order.
bool init_await(int socket, char wanted) {
    static bool seen[128];
    while (!seen[(unsigned char)wanted]) {
        int byte = byte_receive(socket, NULL);
        if (byte < 0 || byte > 127) return false;
        seen[byte] = true;
    }
    return true;
}

static int prepare(const struct init_context *context, struct spec *spec) {
    int descriptor;
    if (byte_receive(context->socket, &descriptor) != 'S') _exit(0);  // the supervisor was not needed
    if (spec_read(descriptor, spec) < 0) return -1;
    close(descriptor);
    spec->in_unified_group = context->in_unified_group;
    int input = open(spec->stdin_path ? spec->stdin_path : "/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (input < 0) return fail("open standard input", "%s must be readable", spec->stdin_path ? spec->stdin_path : "/dev/null");
    if (enter_namespaces(spec) < 0 || root_enter(spec) < 0 || enter_user(context, spec) < 0) return -1;
    // After the last change of identity, which would undo it: no supervisor, no container.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (drop_privileges(spec) < 0) return -1;
    return input;
}

static void close_all_but(int keep) {
    if (keep > 3) syscall(SYS_close_range, 3, keep - 1, 0);
    syscall(SYS_close_range, keep + 1, ~0U, 0);
}

// Forwards every signal that reaches us to the program; returns its wait status when it ends.
static int tend(pid_t program) {
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(&all, &info);
        if (number > 0 && number != SIGCHLD) {
            kill(program, number);
            continue;
        }
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            if (pid == program) return status;
        if (pid < 0 && errno == ECHILD) return 0;
    }
}

void init_main(const struct init_context *context) {
    struct spec spec;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    int input = prepare(context, &spec);
    pid_t program = -1;
    if (input >= 0) {
        if (!init_await(context->socket, 'G')) _exit(0);
        program = start_program(context, &spec, input);
    }
    message_send(context->socket, program > 0 ? INIT_STARTED : INIT_FAILED, 0);
    if (program < 0) _exit(1);
    munmap(spec.map, spec.map_bytes);
    close_all_but(context->socket);
    int status = tend(program);
    message_send(context->socket, INIT_EXITED, status);
    _exit(0);
}

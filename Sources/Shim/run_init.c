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
#include <sys/ioctl.h>
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
    bool has_terminal;
    // Written by the child when every exec has failed; the two share their memory until then.
    int error;
};

static int run_program(void *context) {
    struct program *program = context;
    setsid();
    umask(program->spec->numbers.umask);
    // Where the init is not the first of its namespace, the kernel does not end the program with it.
    if (program->spec->process_path) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (program->has_terminal && ioctl(program->input, TIOCSCTTY, 0) < 0) {
        program->error = errno;
        _exit(127);
    }
    if (dup2(program->input, 0) < 0 || dup2(program->output[0], 1) < 0 || dup2(program->output[1], 2) < 0 ||
        syscall(SYS_close_range, 3, ~0U, 0) < 0) {
        program->error = errno;
        _exit(127);
    }
    program->error = program_exec(program->spec);
    _exit(127);
}

static pid_t start_program(const struct init_context *context, const struct spec *spec, int input) {
    static struct program program;
    // One pipe for both keeps the order of writes.
    int errors = context->output[spec->numbers.flags & KSB_MERGE_STREAMS ? 0 : 1];
    bool has_terminal = spec->numbers.flags & KSB_TERMINAL;
    program = (struct program){.spec = spec, .output = {context->output[0], errors}, .input = input, .has_terminal = has_terminal};
    if (has_terminal) program.output[0] = program.output[1] = input;
    char *stack = mmap(NULL, PROGRAM_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return fail("start the program", "no memory for its stack");
    // We sleep until it has exec'd or failed, so nothing is copied and its error is at hand.
    pid_t pid = clone(run_program, stack + PROGRAM_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &program);
    int error = errno;
    munmap(stack, PROGRAM_STACK);
    errno = error;
    if (pid < 0) return fail("start the program", "no process can be made; is the limit of processes too low?");
    return program.error ? program_explain(&spec->arguments, program.error) : pid;
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
    int input = context->input;
    if (!(spec->numbers.flags & KSB_OPEN_STDIN)) input = open(spec->stdin_path ? spec->stdin_path : "/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (input < 0) return fail("open standard input", "%s must be readable", spec->stdin_path ? spec->stdin_path : "/dev/null");
    // Opened while its path can still be seen.
    struct init_context outside = *context;
    if (spec->user_path) outside.user_namespace = open(spec->user_path, O_RDONLY | O_CLOEXEC);
    if (enter_namespaces(spec) < 0 || root_enter(spec) < 0 || enter_user(&outside, spec) < 0) return -1;
    own_streams(&spec->numbers, context->output, 2);
    own_streams(&spec->numbers, &context->input, 1);
    if (assume_identity(spec) < 0) return -1;
    if (spec->numbers.flags & KSB_TERMINAL) {
        int leader;
        if (terminal_open(&leader, &input) < 0) return -1;
        if (!message_send_with(context->socket, INIT_TERMINAL, leader)) return fail("open a terminal", "the supervisor is gone");
        close(leader);
    }
    // After the last change of identity, which would undo it: no supervisor, no container.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (drop_privileges(spec) < 0) return -1;
    // The container's users may look at its init as at any process of theirs: it holds nothing that they do not.
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
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

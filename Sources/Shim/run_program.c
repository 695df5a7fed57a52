// The last step of a process that becomes the container's program: finding it in $PATH, and saying why it cannot run.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

static const char *variable(const struct spec *spec, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < spec->environment.count; i++)
        if (strncmp(spec->environment.items[i], name, length) == 0 && spec->environment.items[i][length] == '=')
            return spec->environment.items[i] + length + 1;
    return NULL;
}

// Returns the error to report: a file that may not be run is better news than the next directory's lack of one.
static int try_exec(const struct spec *spec, const char *path, int earlier) {
    execve(path, (char *const *)spec->arguments.items, (char *const *)spec->environment.items);
    return earlier == EACCES && (errno == ENOENT || errno == ENOTDIR) ? EACCES : errno;
}

static int search_exec(const struct spec *spec) {
    char path[4200];
    const char *name = spec->arguments.items[0];
    if (strchr(name, '/') || !name[0]) return try_exec(spec, name, 0);
    const char *at = variable(spec, "PATH");
    if (!at) at = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int error = ENOENT;
    for (;;) {
        size_t length = strcspn(at, ":");
        if (length > 0 && length + strlen(name) + 2 <= sizeof path) {
            snprintf(path, sizeof path, "%.*s/%s", (int)length, at, name);
            error = try_exec(spec, path, error);
            if (error != ENOENT && error != ENOTDIR && error != EACCES) return error;
        }
        if (!at[length]) return error;
        at += length + 1;
    }
}

int program_exec(const struct spec *spec) {
    // The supervisor ignores some signals; programs expect the standard.
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < _NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    return search_exec(spec);
}

int program_explain(const struct list *arguments, int error) {
    const char *name = arguments->items[0];
    struct stat info;
    switch (error) {
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
    default: return fail_kind(KSB_FAIL_SETUP, error, "start the program", "exec: \"%s\"", name);
    }
}

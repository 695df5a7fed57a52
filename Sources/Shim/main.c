// lab-shim: one small C binary for what must happen outside the daemon's process or between clone and exec.
#include <stdio.h>
#include <string.h>

#include "common.h"

// Weak, so that a build of the supervisor alone links.
__attribute__((weak)) int shim_helper(int argc, char **argv) {
    (void)argc;
    fprintf(stderr, "%s: this build has no helper\n", argv[0]);
    return 64;
}

__attribute__((weak)) int shim_mapped(int argc, char **argv) { return shim_helper(argc, argv); }

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "run") == 0) return shim_run(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "exec") == 0) return shim_exec(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "helper") == 0) return shim_helper(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "mapped") == 0) return shim_mapped(argc - 1, argv + 1);
    fputs("usage: lab-shim run|exec|helper|mapped …  (started by labd; not meant to be run by hand)\n", stderr);
    return 64;
}

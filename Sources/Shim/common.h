// Entry points of lab-shim's lives.
#ifndef LAB_SHIM_COMMON_H
#define LAB_SHIM_COMMON_H

/// `lab-shim run`: sets up one container, supervises it and keeps its log and records. Outlives the daemon.
int shim_run(int argc, char **argv);

/// `lab-shim exec`: runs one more program in a container and tends it.
int shim_exec(int argc, char **argv);

/// `lab-shim helper`: stays in the host's namespaces for the daemon.
int shim_helper(int argc, char **argv);

/// `lab-shim mapped`: runs a program as root of a user namespace with the lab's ids.
int shim_mapped(int argc, char **argv);

#endif

// The C of CSandbox that the helper shares with labd, compiled a second time: linking the whole module would bring
// libseccomp into a program that must stay small.
#include "../CSandbox/fdpass.c"
#include "../CSandbox/netlink.c"
#include "../CSandbox/netlink_message.c"

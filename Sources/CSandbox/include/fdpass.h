// Packets with descriptors over a Unix seqpacket socket.
#ifndef KINDLING_FDPASS_H
#define KINDLING_FDPASS_H
#include <stddef.h>
#include <sys/types.h>

#define KD_PACKET_MAX 65536
#define KD_FDS_MAX 4

// Socket `name` in directory `directory`, whose path may be longer than sun_path. Give a descriptor or a negative errno.
int kd_seqpacket_connect(const char *directory, const char *name);
int kd_seqpacket_listen(const char *directory, const char *name);
// User id of the other end, as seen in the caller's user namespace; negative errno if the kernel does not say.
long kd_peer_uid(int sock);
// Sends one packet with `count` descriptors (may be 0). 0 or a negative errno.
int kd_send_packet(int sock, const void *data, size_t length, const int *fds, int count);
// Receives one packet; `fds` has room for KD_FDS_MAX, *count is set. Descriptors are close-on-exec. Gives the length,
// 0 when the other end has closed, or a negative errno (-EMSGSIZE: the packet was cut).
long kd_receive_packet(int sock, void *data, size_t capacity, int *fds, int *count);
// An empty file in memory, close-on-exec; a descriptor or a negative errno.
int kd_memory_file(const char *name);
// A pidfd of the process at the other end of a Unix socket; -errno where it cannot be had.
int kd_peer_pidfd(int socket);

#endif

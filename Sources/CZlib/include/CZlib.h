// gzip's form: whole files, and streams.
#ifndef CZLIB_H
#define CZLIB_H
#include <stddef.h>

// Writes the bytes compressed to a new file, for its owner alone. 0, or an errno; nothing is left then.
int czlib_write(const char *path, const void *bytes, size_t count);

// Reads a file to its end, at most `most` bytes of content. The caller frees *bytes. 0, or an errno.
int czlib_read(const char *path, size_t most, unsigned char **bytes, size_t *count);

// A stream that is compressed piece by piece. NULL when no memory is left.
void *czlib_gzip_create(int level);

// Takes from `bytes` and writes to `out`; says how much of each. With `is_last` it is to be called until it returns 1: the stream is
// whole. 0 for more, -1 for a stream that cannot go on.
int czlib_gzip(void *stream, const void *bytes, size_t count, int is_last, unsigned char *out, size_t room, size_t *taken, size_t *made);

void czlib_gzip_destroy(void *stream);

#endif

// Whole files in gzip's form.
#ifndef CZLIB_H
#define CZLIB_H
#include <stddef.h>

// Writes the bytes compressed to a new file, for its owner alone. 0, or an errno; nothing is left then.
int czlib_write(const char *path, const void *bytes, size_t count);

// Reads a file to its end, at most `most` bytes of content. The caller frees *bytes. 0, or an errno.
int czlib_read(const char *path, size_t most, unsigned char **bytes, size_t *count);

#endif

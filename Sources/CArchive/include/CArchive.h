// libarchive's headers for Swift (reading and writing tar, with gzip, zstd, xz and bzip2), and what else of C unpacking needs
// that Swift's Glibc module leaves out.
#ifndef CARCHIVE_H
#define CARCHIVE_H
#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// archive_set_error is variadic, which Swift cannot call.
void carchive_fail(struct archive *archive, const char *message);

// Extended attributes of the path itself; a link is not followed. 0, or -1 with errno.
int carchive_set_attribute(const char *path, const char *name, const void *value, size_t size);
bool carchive_has_attribute(const char *path, const char *name);
// Names, each with a NUL at its end, or a value; the count of bytes, or -1 with errno.
ssize_t carchive_list_attributes(const char *path, char *names, size_t size);
ssize_t carchive_get_attribute(const char *path, const char *name, void *value, size_t size);

// Everything that was written to the file system of a descriptor is on disk afterwards.
int carchive_sync(int descriptor);

bool carchive_contains(const void *bytes, size_t count, const void *needle, size_t length);

#endif

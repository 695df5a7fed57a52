#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "include/CArchive.h"

void carchive_fail(struct archive *archive, const char *message) { archive_set_error(archive, EIO, "%s", message); }

int carchive_set_attribute(const char *path, const char *name, const void *value, size_t size) { return lsetxattr(path, name, value, size, 0); }

bool carchive_has_attribute(const char *path, const char *name) { return lgetxattr(path, name, NULL, 0) >= 0; }

int carchive_sync(int descriptor) { return syncfs(descriptor); }

bool carchive_contains(const void *bytes, size_t count, const void *needle, size_t length) { return memmem(bytes, count, needle, length) != NULL; }

#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "include/CArchive.h"

void carchive_fail(struct archive *archive, const char *message) { archive_set_error(archive, EIO, "%s", message); }

int carchive_set_attribute(const char *path, const char *name, const void *value, size_t size) { return lsetxattr(path, name, value, size, 0); }

bool carchive_has_attribute(const char *path, const char *name) { return lgetxattr(path, name, NULL, 0) >= 0; }

ssize_t carchive_list_attributes(const char *path, char *names, size_t size) { return llistxattr(path, names, size); }

ssize_t carchive_get_attribute(const char *path, const char *name, void *value, size_t size) { return lgetxattr(path, name, value, size); }

int carchive_sync(int descriptor) { return syncfs(descriptor); }

bool carchive_contains(const void *bytes, size_t count, const void *needle, size_t length) { return memmem(bytes, count, needle, length) != NULL; }

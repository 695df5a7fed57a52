#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "include/CZlib.h"

int czlib_write(const char *path, const void *bytes, size_t count) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return errno;
    errno = 0;
    // Level 1: a log is read seldom, and a trial's end should not wait.
    gzFile file = gzdopen(fd, "wb1");
    if (file == NULL) {
        close(fd);
        unlink(path);
        return ENOMEM;
    }
    const unsigned char *next = bytes;
    int code = 0;
    while (code == 0 && count > 0) {
        unsigned piece = count > 1 << 20 ? 1 << 20 : (unsigned)count;
        if (gzwrite(file, next, piece) != (int)piece) code = errno ? errno : EIO;
        next += piece;
        count -= piece;
    }
    if (gzclose(file) != Z_OK && code == 0) code = errno ? errno : EIO;
    if (code != 0) unlink(path);
    return code;
}

int czlib_read(const char *path, size_t most, unsigned char **bytes, size_t *count) {
    *bytes = NULL;
    *count = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno;
    gzFile file = gzdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return ENOMEM;
    }
    size_t room = 1 << 16;
    unsigned char *content = malloc(room);
    int code = content == NULL ? ENOMEM : 0;
    while (code == 0 && *count < most) {
        if (*count == room) {
            unsigned char *larger = realloc(content, room * 2);
            if (larger == NULL) {
                code = ENOMEM;
                break;
            }
            content = larger;
            room *= 2;
        }
        int got = gzread(file, content + *count, (unsigned)(room - *count));
        if (got < 0) code = EIO;
        if (got <= 0) break;
        *count += (size_t)got;
    }
    gzclose(file);
    if (code != 0) {
        free(content);
        return code;
    }
    *bytes = content;
    return 0;
}

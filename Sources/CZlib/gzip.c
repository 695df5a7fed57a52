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

void *czlib_gzip_create(int level) {
    z_stream *stream = calloc(1, sizeof *stream);
    // 15 bits of window, and 16 for gzip's header.
    if (stream && deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK) return stream;
    free(stream);
    return NULL;
}

int czlib_gzip(void *stream, const void *bytes, size_t count, int is_last, unsigned char *out, size_t room, size_t *taken, size_t *made) {
    z_stream *deflater = stream;
    uInt given = count > 1 << 30 ? 1 << 30 : (uInt)count;
    deflater->next_in = (Bytef *)bytes;
    deflater->avail_in = given;
    deflater->next_out = out;
    deflater->avail_out = room > 1 << 30 ? 1 << 30 : (uInt)room;
    uInt free_before = deflater->avail_out;
    int result = deflate(deflater, is_last && given == count ? Z_FINISH : Z_NO_FLUSH);
    *taken = given - deflater->avail_in;
    *made = free_before - deflater->avail_out;
    if (result == Z_STREAM_END) return 1;
    return result == Z_OK || result == Z_BUF_ERROR ? 0 : -1;
}

void czlib_gzip_destroy(void *stream) {
    if (stream) deflateEnd(stream);
    free(stream);
}

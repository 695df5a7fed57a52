// The container's output as one file in CRI's format: "2006-01-02T15:04:05.999999999Z stdout F text". Bounded memory whatever
// comes; a disk that is full makes us drop and count, never stop reading, as that would stop the container.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define LINE_MAX_BYTES (16 * 1024)  // CRI's limit: a longer line is cut into parts flagged P
#define INPUT_BYTES (64 * 1024)
#define OUTPUT_BYTES (256 * 1024)
#define PREFIX_BYTES 48

struct stream {
    char pending[LINE_MAX_BYTES];  // the beginning of a line whose end has not come
    size_t length;
};

struct log {
    int fd;
    const char *path;
    uint64_t size, max_bytes, max_files;
    uint64_t dropped_bytes;
    struct stream streams[2];
    time_t second;      // of `stamp`
    char stamp[24];     // "2006-01-02T15:04:05."
    size_t length;
    char output[OUTPUT_BYTES];
};

static const char *const stream_names[2] = {"stdout", "stderr"};
static struct log the_log;

static int open_newest(struct log *log) {
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
    log->fd = open(log->path, flags, 0640);
    struct stat info;
    log->size = log->fd >= 0 && fstat(log->fd, &info) == 0 ? (uint64_t)info.st_size : 0;
    return log->fd;
}

struct log *log_open(const char *path, uint64_t max_bytes, uint64_t max_files) {
    the_log.path = path;
    the_log.max_bytes = max_bytes;
    the_log.max_files = max_files;
    if (open_newest(&the_log) >= 0) return &the_log;
    fail("open the log", "%s cannot be written; its directory must exist", path);
    return NULL;
}

static void rotate(struct log *log) {
    char from[4400], to[4400];
    for (uint64_t number = log->max_files - 1; number > 0; number--) {
        snprintf(to, sizeof to, "%s.%llu", log->path, (unsigned long long)number);
        if (number == 1) snprintf(from, sizeof from, "%s", log->path);
        else snprintf(from, sizeof from, "%s.%llu", log->path, (unsigned long long)(number - 1));
        rename(from, to);
    }
    if (log->max_files <= 1) unlink(log->path);
    int old = log->fd;
    if (open_newest(log) >= 0) close(old);
    else log->fd = old;
}

// "<time> stdout F " into `out`; returns its length. Formats the date once a second only.
static size_t prefix(struct log *log, char *out, int stream, char flag) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != log->second || !log->stamp[0]) {
        struct tm parts;
        gmtime_r(&now.tv_sec, &parts);
        strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S.", &parts);
        log->second = now.tv_sec;
    }
    memcpy(out, log->stamp, 20);
    long rest = now.tv_nsec;
    for (int at = 28; at >= 20; at--, rest /= 10) out[at] = (char)('0' + rest % 10);
    memcpy(out + 29, "Z ", 2);
    memcpy(out + 31, stream_names[stream], 6);
    memcpy(out + 37, (char[]){' ', flag, ' '}, 3);
    return 40;
}

static void drop(struct log *log, uint64_t before) {
    // No half lines in the file.
    if (ftruncate(log->fd, (off_t)before) == 0) log->size = before;
    log->dropped_bytes += log->length;
}

static bool write_all(struct log *log, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = write(log->fd, bytes, length);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes += count;
        length -= (size_t)count;
        log->size += (uint64_t)count;
    }
    return true;
}

// Says once that something is missing, as soon as there is room to say it.
static bool write_marker(struct log *log) {
    char line[PREFIX_BYTES + 128];
    size_t length = prefix(log, line, 1, 'F');
    length += (size_t)snprintf(
        line + length, sizeof line - length, "[kindling: %llu bytes of output are missing here: the disk was full]\n",
        (unsigned long long)log->dropped_bytes);
    uint64_t before = log->size;
    if (write_all(log, line, length)) {
        log->dropped_bytes = 0;
        return true;
    }
    if (ftruncate(log->fd, (off_t)before) == 0) log->size = before;
    return false;
}

static void write_out(struct log *log) {
    if (log->length == 0) return;
    uint64_t before = log->size;
    if (log->dropped_bytes && !write_marker(log)) {
        log->dropped_bytes += log->length;
    } else {
        before = log->size;
        if (!write_all(log, log->output, log->length)) drop(log, before);
    }
    log->length = 0;
}

// One line or part of one: `head` then `tail`.
static void put(struct log *log, int stream, char flag, const char *head, size_t head_length, const char *tail, size_t tail_length) {
    size_t need = PREFIX_BYTES + head_length + tail_length + 1;
    if (log->length + need > OUTPUT_BYTES) write_out(log);
    if (log->max_bytes && log->size + log->length > 0 && log->size + log->length + need > log->max_bytes) {
        write_out(log);
        rotate(log);
    }
    char *out = log->output + log->length;
    size_t length = prefix(log, out, stream, flag);
    memcpy(out + length, head, head_length);
    length += head_length;
    memcpy(out + length, tail, tail_length);
    length += tail_length;
    out[length++] = '\n';
    log->length += length;
}

static void take(struct log *log, int number, const char *bytes, size_t length) {
    struct stream *stream = &log->streams[number];
    while (length > 0) {
        size_t room = LINE_MAX_BYTES - stream->length;
        const char *newline = memchr(bytes, '\n', length < room + 1 ? length : room + 1);
        if (newline) {
            size_t count = (size_t)(newline - bytes);
            put(log, number, 'F', stream->pending, stream->length, bytes, count);
            stream->length = 0;
            bytes += count + 1;
            length -= count + 1;
        } else if (length > room) {
            put(log, number, 'P', stream->pending, stream->length, bytes, room);
            stream->length = 0;
            bytes += room;
            length -= room;
        } else {
            memcpy(stream->pending + stream->length, bytes, length);
            stream->length += length;
            length = 0;
        }
    }
}

bool log_pump(struct log *log, int stream, int fd) {
    static char input[INPUT_BYTES];
    ssize_t count = read(fd, input, sizeof input);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    take(log, stream, input, (size_t)count);
    attach_copy(stream, input, (size_t)count);
    return count > 0;
}

void log_flush(struct log *log, bool final) {
    // A last line without its end is a part, as containerd has it.
    for (int stream = 0; final && stream < 2; stream++) {
        struct stream *rest = &log->streams[stream];
        if (rest->length > 0) put(log, stream, 'P', rest->pending, rest->length, "", 0);
        rest->length = 0;
    }
    write_out(log);
    if (final && log->dropped_bytes) write_marker(log);
}

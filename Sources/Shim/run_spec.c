// Reading the flat spec (CSandbox/include/sandbox.h) without copying its strings.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

static const char *const wrong = "the daemon and lab-shim disagree about its format; install both from one build";

struct cursor {
    const char *at, *end;
};

static const struct ksb_record *next(struct cursor *cursor, const char **payload) {
    size_t left = (size_t)(cursor->end - cursor->at);
    if (left < sizeof(struct ksb_record)) return NULL;
    const struct ksb_record *record = (const void *)cursor->at;
    size_t padded = ((size_t)record->length + 7) & ~(size_t)7;
    if (padded > left - sizeof *record) return NULL;
    *payload = cursor->at + sizeof *record;
    cursor->at = *payload + padded;
    return record;
}

static const char **string_place(struct spec *spec, uint32_t tag) {
    switch (tag) {
    case KSB_IDENTIFIER: return &spec->identifier;
    case KSB_STATE_DIRECTORY: return &spec->state_directory;
    case KSB_HOSTNAME: return &spec->hostname;
    case KSB_WORKING_DIRECTORY: return &spec->working_directory;
    case KSB_LOG_PATH: return &spec->log_path;
    case KSB_STDIN_PATH: return &spec->stdin_path;
    case KSB_TERMINATION_PATH: return &spec->termination_path;
    case KSB_NET_PATH: return &spec->net_path;
    case KSB_IPC_PATH: return &spec->ipc_path;
    case KSB_UTS_PATH: return &spec->uts_path;
    case KSB_PROCESS_PATH: return &spec->process_path;
    case KSB_USER_PATH: return &spec->user_path;
    case KSB_UID_MAP: return &spec->uid_map;
    case KSB_GID_MAP: return &spec->gid_map;
    case KSB_BOOT_ID: return &spec->boot_id;
    default: return NULL;
    }
}

static struct list *list_place(struct spec *spec, uint32_t tag) {
    switch (tag) {
    case KSB_LOWER: return &spec->lower;
    case KSB_ARGUMENT: return &spec->arguments;
    case KSB_ENVIRONMENT: return &spec->environment;
    case KSB_MASKED: return &spec->masked;
    case KSB_READ_ONLY: return &spec->read_only;
    default: return NULL;
    }
}

static int take_mount(struct spec *spec, const char *payload, uint32_t length) {
    struct ksb_mount fixed;
    if (length < sizeof fixed + 3) return -1;
    memcpy(&fixed, payload, sizeof fixed);
    struct mount_entry *entry = &spec->mounts[spec->mount_count++];
    *entry = (struct mount_entry){
        .kind = fixed.kind, .mode = fixed.mode, .read_only = fixed.read_only, .size_bytes = fixed.size_bytes};
    const char *at = payload + sizeof fixed, *end = payload + length;
    const char **places[] = {&entry->target, &entry->source, &entry->subpath};
    for (int i = 0; i < 3; i++) {
        size_t size = strnlen(at, (size_t)(end - at));
        if (at + size >= end) return -1;
        *places[i] = at;
        at += size + 1;
    }
    // Those of one mount lie together, after those of the mounts before it.
    const struct mount_entry *last = spec->mount_count > 1 ? entry - 1 : NULL;
    entry->above = last ? last->above + last->above_count : spec->mount_layers;
    return 0;
}

static int take_mount_layer(struct spec *spec, const char *payload, uint32_t length) {
    if (spec->mount_count == 0 || length == 0 || payload[length - 1] != 0) return -1;
    struct mount_entry *entry = &spec->mounts[spec->mount_count - 1];
    entry->above[entry->above_count++] = payload;
    return 0;
}

static int take(struct spec *spec, const struct ksb_record *record, const char *payload) {
    const char **place = string_place(spec, record->tag);
    struct list *list = list_place(spec, record->tag);
    if (place || list) {
        if (record->length == 0 || payload[record->length - 1] != 0) return -1;
        if (place) *place = payload;
        else list->items[list->count++] = payload;
        return 0;
    }
    switch (record->tag) {
    case KSB_NUMBERS:
        if (record->length != sizeof spec->numbers) return -1;
        memcpy(&spec->numbers, payload, sizeof spec->numbers);
        return 0;
    case KSB_GROUP:
        if (record->length != sizeof(uint32_t)) return -1;
        memcpy(&spec->groups[spec->group_count++], payload, sizeof(uint32_t));
        return 0;
    case KSB_SECCOMP:
        spec->seccomp = payload;
        spec->seccomp_bytes = record->length;
        return 0;
    case KSB_MOUNT_LOWER: return take_mount_layer(spec, payload, record->length);
    case KSB_MOUNT: return take_mount(spec, payload, record->length);
    default: return -1;
    }
}

// Room for every list, counted in a first pass; one block for all.
static int make_room(struct spec *spec, struct cursor cursor) {
    size_t counts[KSB_TAG_MAX + 1] = {0};
    const struct ksb_record *record;
    const char *payload;
    while ((record = next(&cursor, &payload)))
        if (record->tag <= KSB_TAG_MAX) counts[record->tag]++;
    if (cursor.at != cursor.end) return -1;
    static const uint32_t tags[] = {KSB_LOWER, KSB_ARGUMENT, KSB_ENVIRONMENT, KSB_MASKED, KSB_READ_ONLY};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        const char **items = calloc(counts[tags[i]] + 1, sizeof *items);
        if (!items) return -1;
        list_place(spec, tags[i])->items = items;
    }
    spec->mounts = calloc(counts[KSB_MOUNT] + 1, sizeof *spec->mounts);
    spec->groups = calloc(counts[KSB_GROUP] + 1, sizeof *spec->groups);
    spec->mount_layers = calloc(counts[KSB_MOUNT_LOWER] + 1, sizeof *spec->mount_layers);
    return spec->mounts && spec->groups && spec->mount_layers ? 0 : -1;
}

int spec_parse(int fd, struct spec *spec) {
    memset(spec, 0, sizeof *spec);
    struct stat info;
    if (fstat(fd, &info) < 0) return fail("read the spec", "its memory file cannot be examined");
    spec->map_bytes = (size_t)info.st_size;
    spec->map = mmap(NULL, spec->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (spec->map == MAP_FAILED) return fail("read the spec", "its memory file cannot be mapped");
    const struct ksb_header *header = spec->map;
    if (spec->map_bytes < sizeof *header || header->magic != KSB_SPEC_MAGIC || header->length != spec->map_bytes)
        return fail_kind(KSB_FAIL_SETUP, 0, "read the spec", "%s", wrong);
    struct cursor cursor = {(const char *)spec->map + sizeof *header, (const char *)spec->map + spec->map_bytes};
    if (make_room(spec, cursor) < 0) return fail_kind(KSB_FAIL_SETUP, 0, "read the spec", "%s", wrong);
    const struct ksb_record *record;
    const char *payload;
    while ((record = next(&cursor, &payload)))
        if (take(spec, record, payload) < 0) return fail_kind(KSB_FAIL_SETUP, 0, "read the spec", "%s", wrong);
    return 0;
}

int spec_read(int fd, struct spec *spec) {
    if (spec_parse(fd, spec) < 0) return -1;
    bool complete = spec->identifier && spec->state_directory && spec->log_path && spec->working_directory && spec->boot_id &&
                    spec->hostname && spec->lower.count > 0 && spec->arguments.count > 0;
    return complete ? 0 : fail_kind(KSB_FAIL_SETUP, 0, "read the spec", "%s", wrong);
}

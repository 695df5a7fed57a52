#include "faulty_disk.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

// What a sector held before it was written since the last sync; `existed` is 0 where the file ended before it.
struct before {
    sqlite3_int64 sector;
    int existed;
    unsigned char bytes[SECTOR];
    struct before *next;
};

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real;
    int is_watched;
    char name[64];
    struct before *unsynced;
    struct faulty_file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct faulty_file *files;
static struct { enum faulty_disk_fault fault; int after, count, hits; } plan;
static int remembers, is_dead;
static sqlite3_vfs vfs;
static sqlite3_vfs *ordinary;

static int strikes(enum faulty_disk_fault fault)
{
    if (plan.fault != fault || plan.count == 0) return 0;
    if (plan.after > 0) { plan.after--; return 0; }
    plan.count--;
    plan.hits++;
    return 1;
}

static void forget(struct faulty_file *file)
{
    while (file->unsynced) {
        struct before *next = file->unsynced->next;
        free(file->unsynced);
        file->unsynced = next;
    }
}

// Keeps what the sectors of a range hold now, unless it is kept already.
static void keep(struct faulty_file *file, sqlite3_int64 offset, int amount)
{
    if (!remembers) return;
    sqlite3_int64 size = 0;
    file->real->pMethods->xFileSize(file->real, &size);
    for (sqlite3_int64 sector = offset / SECTOR; sector * SECTOR < offset + amount; sector++) {
        struct before *found = file->unsynced;
        while (found && found->sector != sector) found = found->next;
        if (found) continue;
        struct before *new = calloc(1, sizeof *new);
        if (!new) abort();
        new->sector = sector;
        new->existed = sector * SECTOR < size;
        if (new->existed) file->real->pMethods->xRead(file->real, new->bytes, SECTOR, sector * SECTOR);
        new->next = file->unsynced;
        file->unsynced = new;
    }
}

#define REAL(f) (((struct faulty_file *)(f))->real)
#define PASS(f, call, ...) REAL(f)->pMethods->call(REAL(f), ##__VA_ARGS__)

static int f_close(sqlite3_file *f)
{
    struct faulty_file *file = (struct faulty_file *)f;
    pthread_mutex_lock(&lock);
    for (struct faulty_file **at = &files; *at; at = &(*at)->next)
        if (*at == file) { *at = file->next; break; }
    forget(file);
    pthread_mutex_unlock(&lock);
    int result = file->real->pMethods ? PASS(f, xClose) : SQLITE_OK;
    sqlite3_free(file->real);
    return result;
}

static int f_read(sqlite3_file *f, void *to, int amount, sqlite3_int64 offset)
{
    pthread_mutex_lock(&lock);
    int fails = ((struct faulty_file *)f)->is_watched && strikes(FAULTY_DISK_READ_ERROR);
    pthread_mutex_unlock(&lock);
    return fails ? SQLITE_IOERR_READ : PASS(f, xRead, to, amount, offset);
}

static int f_write(sqlite3_file *f, const void *from, int amount, sqlite3_int64 offset)
{
    struct faulty_file *file = (struct faulty_file *)f;
    if (!file->is_watched) return PASS(f, xWrite, from, amount, offset);
    pthread_mutex_lock(&lock);
    int result = SQLITE_OK;
    if (is_dead) result = SQLITE_IOERR_WRITE;
    else if (strikes(FAULTY_DISK_FULL)) result = SQLITE_FULL;
    else if (strikes(FAULTY_DISK_WRITE_ERROR)) result = SQLITE_IOERR_WRITE;
    else {
        keep(file, offset, amount);
        int torn = strikes(FAULTY_DISK_SHORT_WRITE);
        result = PASS(f, xWrite, from, torn ? amount / 2 : amount, offset);
        if (torn) result = SQLITE_IOERR_WRITE;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct faulty_file *file = (struct faulty_file *)f;
    pthread_mutex_lock(&lock);
    int result = is_dead && file->is_watched ? SQLITE_IOERR_TRUNCATE : PASS(f, xTruncate, size);
    pthread_mutex_unlock(&lock);
    return result;
}

static int f_sync(sqlite3_file *f, int flags)
{
    struct faulty_file *file = (struct faulty_file *)f;
    if (!file->is_watched) return PASS(f, xSync, flags);
    pthread_mutex_lock(&lock);
    int result = SQLITE_OK;
    if (is_dead || strikes(FAULTY_DISK_SYNC_ERROR)) {
        result = SQLITE_IOERR_FSYNC;
    } else {
        // What the real disk does is not the matter here, and it is slow: the shim alone decides what is synced.
        forget(file);
        if (!remembers) result = PASS(f, xSync, flags);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size) { return PASS(f, xFileSize, size); }
static int f_lock(sqlite3_file *f, int level) { return PASS(f, xLock, level); }
static int f_unlock(sqlite3_file *f, int level) { return PASS(f, xUnlock, level); }
static int f_check(sqlite3_file *f, int *out) { return PASS(f, xCheckReservedLock, out); }
static int f_control(sqlite3_file *f, int op, void *arg) { return PASS(f, xFileControl, op, arg); }
static int f_sector(sqlite3_file *f) { (void)f; return SECTOR; }
// No promise that the real file system may make: a sector is all that is written as one.
static int f_device(sqlite3_file *f) { (void)f; return 0; }
static int f_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) { return PASS(f, xShmMap, page, size, extend, out); }
static int f_shmlock(sqlite3_file *f, int offset, int n, int flags) { return PASS(f, xShmLock, offset, n, flags); }
static void f_barrier(sqlite3_file *f) { PASS(f, xShmBarrier); }
static int f_unmap(sqlite3_file *f, int remove) { return PASS(f, xShmUnmap, remove); }

static const sqlite3_io_methods methods = {
    2, f_close, f_read, f_write, f_truncate, f_sync, f_size, f_lock, f_unlock, f_check, f_control, f_sector, f_device,
    f_map, f_shmlock, f_barrier, f_unmap, 0, 0,
};

static int v_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out)
{
    (void)v;
    struct faulty_file *file = (struct faulty_file *)f;
    memset(file, 0, sizeof *file);
    file->real = sqlite3_malloc(ordinary->szOsFile);
    if (!file->real) return SQLITE_NOMEM;
    memset(file->real, 0, (size_t)ordinary->szOsFile);
    int result = ordinary->xOpen(ordinary, path, file->real, flags, out);
    if (result != SQLITE_OK) {
        sqlite3_free(file->real);
        return result;
    }
    file->base.pMethods = &methods;
    if (path && strstr(path, "faulty-disk") && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) {
        file->is_watched = 1;
        snprintf(file->name, sizeof file->name, "%s", strrchr(path, '/') + 1);
        pthread_mutex_lock(&lock);
        file->next = files;
        files = file;
        pthread_mutex_unlock(&lock);
    }
    return SQLITE_OK;
}

int faulty_disk_install(void)
{
    pthread_mutex_lock(&lock);
    if (!ordinary) {
        ordinary = sqlite3_vfs_find(0);
        vfs = *ordinary;
        vfs.zName = "faulty-disk";
        vfs.szOsFile = sizeof(struct faulty_file);
        vfs.xOpen = v_open;
        vfs.pNext = 0;
        sqlite3_vfs_register(&vfs, 1);
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

void faulty_disk_plan(enum faulty_disk_fault fault, int after, int count)
{
    pthread_mutex_lock(&lock);
    plan.fault = fault;
    plan.after = after;
    plan.count = count;
    plan.hits = 0;
    pthread_mutex_unlock(&lock);
}

int faulty_disk_hits(void)
{
    pthread_mutex_lock(&lock);
    int hits = plan.hits;
    pthread_mutex_unlock(&lock);
    return hits;
}

void faulty_disk_remember(void)
{
    pthread_mutex_lock(&lock);
    remembers = 1;
    pthread_mutex_unlock(&lock);
}

static int copy(struct faulty_file *file, const char *directory, unsigned *seed)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, file->name);
    FILE *to = fopen(path, "w");
    if (!to) return -1;
    sqlite3_int64 size = 0, end = 0;
    PASS((sqlite3_file *)file, xFileSize, &size);
    for (sqlite3_int64 sector = 0; sector * SECTOR < size; sector++) {
        unsigned char bytes[SECTOR] = {0};
        PASS((sqlite3_file *)file, xRead, bytes, SECTOR, sector * SECTOR);
        struct before *found = file->unsynced;
        while (found && found->sector != sector) found = found->next;
        int reached = !found || rand_r(seed) % 2;
        if (!reached) memcpy(bytes, found->bytes, SECTOR);
        if (reached || found->existed) end = sector * SECTOR + SECTOR < size ? sector * SECTOR + SECTOR : size;
        fwrite(bytes, 1, SECTOR, to);
    }
    // A file that grew may have grown or not: as far as the last sector that reached the disk.
    fflush(to);
    int result = truncate(path, end);
    fclose(to);
    return result;
}

int faulty_disk_cut(const char *directory, unsigned seed)
{
    pthread_mutex_lock(&lock);
    is_dead = 1;
    int count = 0;
    for (struct faulty_file *file = files; file && count >= 0; file = file->next)
        count = copy(file, directory, &seed) == 0 ? count + 1 : -1;
    pthread_mutex_unlock(&lock);
    return count;
}

void faulty_disk_heal(void)
{
    pthread_mutex_lock(&lock);
    memset(&plan, 0, sizeof plan);
    is_dead = remembers = 0;
    for (struct faulty_file *file = files; file; file = file->next) forget(file);
    pthread_mutex_unlock(&lock);
}

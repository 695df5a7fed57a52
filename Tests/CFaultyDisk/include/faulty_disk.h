// A disk that fails on demand, for tests: a VFS of SQLite over the ordinary one. It becomes the process's default VFS,
// and touches only files whose path contains "faulty-disk".
#ifndef FAULTY_DISK_H
#define FAULTY_DISK_H

enum faulty_disk_fault {
    FAULTY_DISK_FULL = 1,       // a write finds no space
    FAULTY_DISK_WRITE_ERROR,    // a write fails
    FAULTY_DISK_SHORT_WRITE,    // half of a write reaches the file, then it fails
    FAULTY_DISK_SYNC_ERROR,     // a sync fails
    FAULTY_DISK_READ_ERROR,     // a read fails
};

// Registers the VFS; may be called often.
int faulty_disk_install(void);

// From now on the next `count` operations that such a fault can hit fail, after `after` of them went well.
void faulty_disk_plan(enum faulty_disk_fault fault, int after, int count);

// How many faults have happened since the plan was made.
int faulty_disk_hits(void);

// Begins to remember what is written and not synced, for faulty_disk_cut.
void faulty_disk_remember(void);

// The power goes: of each sector that was written after its file's last sync, chance decides whether it reached the disk.
// Copies of the files as they are then found go into `directory`, under their own names; the files themselves can no
// longer be written or synced. Gives the number of files copied, or a negative number.
int faulty_disk_cut(const char *directory, unsigned seed);

// Ends all plans, and the state after a power cut.
void faulty_disk_heal(void);

#endif

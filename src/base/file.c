/* The one door to files: read, replaced whole, appended to, cut, removed; the clock, and a hash for file names. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static const char *kind_name(mode_t mode)
{
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static enum st check(const struct stat *info, const char *path, uint64_t max_bytes)
{
    if (!S_ISREG(info->st_mode))
        return st_fail(ST_INPUT, "cannot read %s: it is %s, not a file", path, kind_name(info->st_mode));
    if ((uint64_t)info->st_size > max_bytes)
        return st_fail(ST_INPUT, "cannot read %s: %lld bytes, more than the %llu allowed", path,
                       (long long)info->st_size, (unsigned long long)max_bytes);
    return ST_OK;
}

enum st file_open(const char *path, uint64_t max_bytes, int *out, uint64_t *size)
{
    enum st s = ST_OK;
    struct stat info;
    int fd = -1;
    /* asked before, for opening a device may do something, and behind, for another may stand there by then */
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (i == 0 ? stat(path, &info) != 0 : fd < 0 || fstat(fd, &info) != 0)
            TRY(st_fail(ST_INPUT, "cannot open %s: %s", path, strerror(errno)));
        TRY(check(&info, path, max_bytes));
    }
    *out = fd;
    *size = (uint64_t)info.st_size;
    fd = -1;
out:
    if (fd >= 0)
        close(fd);
    return s;
}

/* Up to `want` bytes; fewer only where the file ends. */
static enum st read_all(int fd, const char *path, char *bytes, size_t want, size_t *got)
{
    for (*got = 0; *got < want;) {
        ssize_t n = read(fd, bytes + *got, want - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return st_fail(ST_INPUT, "cannot read %s: %s", path, strerror(errno));
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return ST_OK;
}

enum st file_read_open(int fd, const char *path, size_t max_bytes, char **data, size_t *len)
{
    enum st s = ST_OK;
    char *bytes = NULL;
    struct stat info;
    size_t got;
    if (fstat(fd, &info) != 0)
        TRY(st_fail(ST_INPUT, "cannot open %s: %s", path, strerror(errno)));
    TRY(check(&info, path, max_bytes));
    TRY(NEW(bytes, (size_t)info.st_size + 1));
    TRY(read_all(fd, path, bytes, (size_t)info.st_size, &got));
    if (got < (size_t)info.st_size)
        TRY(st_fail(ST_INPUT, "cannot read %s: it got shorter meanwhile", path));
    *data = bytes;
    *len = got;
    bytes = NULL;
out:
    mem_free(bytes);
    return s;
}

enum st file_read(const char *path, size_t max_bytes, char **data, size_t *len)
{
    uint64_t size;
    int fd = -1;
    enum st s = file_open(path, max_bytes, &fd, &size);
    if (s == ST_OK)
        s = file_read_open(fd, path, max_bytes, data, len);
    if (fd >= 0)
        close(fd);
    return s;
}

enum st file_read_start(const char *path, void *bytes, size_t most, size_t *got)
{
    enum st s = ST_OK;
    uint64_t size;
    int fd = -1;
    TRY(file_open(path, UINT64_MAX, &fd, &size));
    TRY(read_all(fd, path, bytes, most, got));
out:
    if (fd >= 0)
        close(fd);
    return s;
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

enum file_kind file_kind(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return FILE_NONE;
    return S_ISREG(info.st_mode) ? FILE_REGULAR : S_ISDIR(info.st_mode) ? FILE_FOLDER
           : S_ISLNK(info.st_mode) ? FILE_LINK : FILE_OTHER;
}

bool file_absolute(const char *path, char *out, size_t size)
{
    char all[PATH_MAX];
    return realpath(path, all) && (size_t)snprintf(out, size, "%s", all) < size;
}

/* ---- single steps of writing: each a fault point, with a kill point before and behind it ------------------------- */

/* Whether the step before which this stands shall fail, with which errno. */
static bool fails(const char *step, const char *path, int why)
{
    kill_here(step, path);
    if (!fault_here())
        return false;
    errno = why;
    return true;
}

static enum st failed(const char *path)
{
    return st_fail(ST_SYSTEM, "cannot write %s: %s", path, strerror(errno));
}

static int write_bytes(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static enum st write_all(int fd, const char *path, const char *bytes, size_t len)
{
    size_t first = kill_points() ? len / 2 : len; /* a loss of power may leave any part */
    if (fails("before write", path, ENOSPC) || write_bytes(fd, bytes, first) != 0)
        return failed(path);
    if (first < len) {
        kill_here("amid write", path);
        if (write_bytes(fd, bytes + first, len - first) != 0)
            return failed(path);
    }
    kill_here("after write", path);
    return ST_OK;
}

/* Some file systems cannot do it, and say so. */
static int sync_fd(int fd, const char *path)
{
    if (fails("before fsync", path, EIO) || (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP))
        return -1;
    kill_here("after fsync", path);
    return 0;
}

int folder_sync(int folder, const char *path)
{
    return sync_fd(folder, path);
}

static int rename_in(int folder, const char *name, const char *new_name, const char *path)
{
    if (fails("before rename", path, EIO) || renameat(folder, name, folder, new_name) != 0)
        return -1;
    kill_here("after rename", path);
    return 0;
}

static int unlink_in(int folder, const char *name, const char *path)
{
    kill_here("before unlink", path);
    if (unlinkat(folder, name, 0) != 0)
        return -1;
    kill_here("after unlink", path);
    return 0;
}

static int cut_fd(int fd, off_t bytes, const char *path)
{
    if (fails("before cut", path, EIO) || ftruncate(fd, bytes) != 0)
        return -1;
    kill_here("after cut", path);
    return 0;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* A file's open folder and its name in there. */
struct place {
    int folder;
    const char *name;
};

static enum st place_open(const char *path, struct place *p)
{
    char why[WHY_BYTES];
    const char *slash = strrchr(path, '/');
    p->name = slash ? slash + 1 : path;
    p->folder = folder_open(path, slash ? (size_t)(slash - path) + (slash == path) : 0, why);
    return p->folder >= 0 ? ST_OK : st_fail(ST_SYSTEM, "cannot write %s: %s", path, why);
}

static void place_close(struct place *p)
{
    if (p->folder >= 0)
        close(p->folder);
}

/* Lets the file `part` take the place of another. */
static enum st put(const struct place *p, const char *part, const char *path, bool lasting)
{
    if (rename_in(p->folder, part, p->name, path) != 0 || (lasting && folder_sync(p->folder, path) != 0))
        return failed(path);
    return ST_OK;
}

enum st file_replace(const char *path, const void *data, size_t len, unsigned mode, bool lasting)
{
    enum st s = ST_OK;
    struct place p = {.folder = -1};
    char part[PART_NAME_BYTES] = "";
    int fd = -1;
    TRY(place_open(path, &p));
    fd = part_open(p.folder, part, mode);
    if (fd < 0)
        TRY(failed(path));
    TRY(write_all(fd, path, data, len));
    if (lasting && sync_fd(fd, path) != 0)
        TRY(failed(path));
    TRY(put(&p, part, path, lasting));
out:
    if (fd >= 0 && s != ST_OK)
        (void)!unlink_in(p.folder, part, path); /* gone already where the failure came behind the rename */
    if (fd >= 0)
        close(fd);
    place_close(&p);
    return s;
}

enum st file_write(const char *path, const void *data, size_t len)
{
    return file_replace(path, data, len, 0666, true);
}

/* For changes in place: a regular file, and no link to one. */
static enum st open_in_place(const struct place *p, const char *path, int flags, int *out, struct stat *info)
{
    int fd = openat(p->folder, p->name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | flags, 0666);
    *out = fd;
    if (fd < 0 && errno == ELOOP)
        return st_fail(ST_SYSTEM, "cannot write %s: it is a link, which is not followed", path);
    if (fd < 0 || fstat(fd, info) != 0)
        return failed(path);
    if (!S_ISREG(info->st_mode))
        return st_fail(ST_SYSTEM, "cannot write %s: it is %s, not a file", path, kind_name(info->st_mode));
    return ST_OK;
}

/* Length of a text up to the end of its last whole line; *size is the whole. */
static enum st whole_lines(int fd, const char *path, off_t size, off_t *whole)
{
    char block[4096];
    for (*whole = size; *whole > 0;) {
        off_t start = *whole > (off_t)sizeof block ? *whole - (off_t)sizeof block : 0;
        ssize_t n = pread(fd, block, (size_t)(*whole - start), start);
        if (n != (ssize_t)(*whole - start))
            return failed(path);
        while (n > 0 && block[n - 1] != '\n')
            n--;
        *whole = start + n;
        if (n > 0)
            break;
    }
    return ST_OK;
}

enum st file_append(const char *path, const void *data, size_t len)
{
    enum st s = ST_OK;
    struct place p = {.folder = -1};
    struct stat info;
    off_t whole = 0;
    int fd = -1;
    TRY(place_open(path, &p));
    TRY(open_in_place(&p, path, O_CREAT, &fd, &info));
    TRY(whole_lines(fd, path, info.st_size, &whole));
    if (whole < info.st_size && cut_fd(fd, whole, path) != 0)
        TRY(failed(path));
    if (lseek(fd, whole, SEEK_SET) < 0)
        TRY(failed(path));
    s = write_all(fd, path, data, len);
    if (s == ST_OK && sync_fd(fd, path) != 0)
        s = failed(path);
    if (s != ST_OK)
        (void)!ftruncate(fd, whole); /* as if it had not been tried */
    if (s == ST_OK && info.st_size == 0 && folder_sync(p.folder, path) != 0)
        s = failed(path);
out:
    if (fd >= 0)
        close(fd);
    place_close(&p);
    return s;
}

enum st file_cut(const char *path, uint64_t bytes)
{
    enum st s = ST_OK;
    struct place p = {.folder = -1};
    struct stat info;
    int fd = -1;
    if (bytes == 0 && file_kind(path) == FILE_NONE)
        return ST_OK;
    TRY(place_open(path, &p));
    TRY(open_in_place(&p, path, 0, &fd, &info));
    if ((uint64_t)info.st_size < bytes)
        TRY(st_fail(ST_INPUT, "%s has %lld bytes, but must have %llu or more", path, (long long)info.st_size,
                    (unsigned long long)bytes));
    if ((uint64_t)info.st_size > bytes && (cut_fd(fd, (off_t)bytes, path) != 0 || sync_fd(fd, path) != 0))
        TRY(failed(path));
out:
    if (fd >= 0)
        close(fd);
    place_close(&p);
    return s;
}

enum st file_remove(const char *path)
{
    enum st s = ST_OK;
    struct place p = {.folder = -1};
    if (file_kind(path) == FILE_NONE)
        return ST_OK;
    TRY(place_open(path, &p));
    if (unlink_in(p.folder, p.name, path) != 0 && errno != ENOENT)
        TRY(st_fail(ST_SYSTEM, "cannot remove %s: %s", path, strerror(errno)));
out:
    place_close(&p);
    return s;
}

enum st file_link(const char *path, const char *new_path)
{
    enum st s = ST_OK;
    struct place old = {.folder = -1}, new = {.folder = -1};
    struct stat info;
    char part[PART_NAME_BYTES], *bytes = NULL;
    size_t len;
    int fd = -1;
    TRY(place_open(path, &old));
    TRY(place_open(new_path, &new));
    TRY(open_in_place(&old, path, 0, &fd, &info));
    part_name(part);
    flock(fd, LOCK_SH | LOCK_NB); /* so that dir_clear() leaves the second name alone, which is the same file */
    if (!fails("before link", new_path, EPERM) && linkat(old.folder, old.name, new.folder, part, 0) == 0) {
        kill_here("after link", new_path);
        s = put(&new, part, new_path, true);
        (void)!unlink_in(new.folder, part, new_path); /* a rename to another name of the same file does nothing */
    } else { /* not every file system has hard links */
        TRY(file_read(path, PTRDIFF_MAX, &bytes, &len));
        TRY(file_write(new_path, bytes, len));
    }
out:
    mem_free(bytes);
    if (fd >= 0)
        close(fd);
    place_close(&old);
    place_close(&new);
    return s;
}

uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

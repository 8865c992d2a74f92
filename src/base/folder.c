/*
 * Folders: made, listed, and held. A folder that is held is resolved once; what is written below it goes by its
 * descriptor and follows no link, and no other process that asks gets it meanwhile.
 */
#include "inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME ".clutch-lock"
#define PART_START ".clutch-"
#define PART_END ".part"

enum { PART_DIGITS = 16, IN_FOLDER = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

struct dir {
    struct dir *next;
    char path[PATH_MAX]; /* without slashes at its end */
    size_t len;
    int folder, lock;
};

/* Those that are held, newest first. */
static struct dir *held;
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- ways -------------------------------------------------------------------------------------------------------- */

/* Where the first `len` bytes of `path` begin with a held folder: a descriptor of that, and in *rest how many bytes
 * name it; -1: they do not. */
static int held_folder(const char *path, size_t len, size_t *rest)
{
    int fd = -1;
    *rest = 0;
    pthread_mutex_lock(&held_lock);
    for (const struct dir *d = held; d; d = d->next)
        if (d->len <= len && d->len >= *rest && strncmp(path, d->path, d->len) == 0 &&
            (d->len == len || path[d->len] == '/')) {
            if (fd >= 0)
                close(fd);
            fd = openat(d->folder, ".", IN_FOLDER); /* a duplicate would share its place in the list of names */
            *rest = d->len;
        }
    pthread_mutex_unlock(&held_lock);
    return fd;
}

/* From folder `at`, which is closed, into the one called `name`. */
static int step(int at, const char *name, bool make, char why[WHY_BYTES])
{
    struct stat info;
    int fd = -1;
    if (strcmp(name, "..") == 0)
        snprintf(why, WHY_BYTES, "the name leads out of its folder");
    else if (make && mkdirat(at, name, 0777) != 0 && errno != EEXIST)
        snprintf(why, WHY_BYTES, "%s", strerror(errno));
    else if ((fd = openat(at, name, IN_FOLDER | O_NOFOLLOW)) < 0) {
        snprintf(why, WHY_BYTES, "%s", strerror(errno));
        if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(info.st_mode))
            snprintf(why, WHY_BYTES, "%s is %s", name, S_ISLNK(info.st_mode) ? "a link, which is not followed"
                                                                            : "no folder");
    }
    close(at);
    return fd;
}

/* From folder `at`, which is closed, along the names of `way`. */
static int walk(int at, const char *way, size_t len, bool make, char why[WHY_BYTES])
{
    char name[NAME_MAX + 1];
    for (const char *end = way + len; way < end && at >= 0;) {
        size_t n = 0;
        while (way + n < end && way[n] != '/')
            n++;
        if (n >= sizeof name) {
            snprintf(why, WHY_BYTES, "%s", strerror(ENAMETOOLONG));
            close(at);
            return -1;
        }
        memcpy(name, way, n);
        name[n] = '\0';
        if (n > 0 && strcmp(name, ".") != 0)
            at = step(at, name, make, why);
        way += n + (way + n < end);
    }
    return at;
}

int folder_open(const char *path, size_t len, char why[WHY_BYTES])
{
    char part[PATH_MAX] = ".";
    size_t rest;
    int fd = held_folder(path, len, &rest);
    if (fd >= 0)
        return walk(fd, path + rest, len - rest, false, why);
    if (len >= sizeof part) {
        snprintf(why, WHY_BYTES, "the name is too long");
        return -1;
    }
    if (len) {
        memcpy(part, path, len);
        part[len] = '\0';
    }
    fd = open(part, IN_FOLDER);
    if (fd < 0)
        snprintf(why, WHY_BYTES, "%s", strerror(errno));
    return fd;
}

bool dir_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* A folder that was just made stays made only when the one above it is on the disk. */
static void sync_above(const char *path)
{
    char why[WHY_BYTES];
    const char *slash = strrchr(path, '/');
    int fd = folder_open(path, slash ? (size_t)(slash - path) + (slash == path) : 0, why);
    if (fd >= 0) {
        (void)!fsync(fd); /* where it cannot be, the files in it are no worse off than before */
        close(fd);
    }
}

static enum st make_held(int at, const char *path, size_t rest)
{
    char why[WHY_BYTES];
    int fd = walk(at, path + rest, strlen(path) - rest, true, why);
    if (fd < 0)
        return st_fail(ST_SYSTEM, "cannot make folder %s: %s", path, why);
    close(fd);
    sync_above(path);
    return ST_OK;
}

enum st dir_make(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path), rest;
    if (len >= sizeof part)
        return st_fail(ST_SYSTEM, "cannot make folder %s: the name is too long", path);
    int at = held_folder(path, len, &rest);
    if (at >= 0)
        return make_held(at, path, rest);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        int why = mkdir(part, 0777) == 0 ? 0 : errno; /* dir_exists() changes errno */
        if (why && !dir_exists(part))
            return st_fail(ST_SYSTEM, "cannot make folder %s: %s", part, strerror(why));
        if (!why)
            sync_above(part);
    }
    return ST_OK;
}

enum st dir_make_new(const char *path, bool *made)
{
    *made = mkdir(path, 0777) == 0;
    if (!*made && errno != EEXIST)
        return st_fail(ST_SYSTEM, "cannot make folder %s: %s", path, strerror(errno));
    if (*made)
        sync_above(path);
    return ST_OK;
}

void dir_remove_empty(const char *path)
{
    (void)!rmdir(path);
}

enum st dir_check_writable(const char *path)
{
    if (access(path, W_OK | X_OK) == 0)
        return ST_OK;
    return st_fail(ST_INPUT, "cannot write to folder %s: %s", path, strerror(errno));
}

/* ---- temporary files --------------------------------------------------------------------------------------------- */

void part_name(char out[PART_NAME_BYTES])
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = clock_ns(); /* then O_EXCL alone guards it */
    snprintf(out, PART_NAME_BYTES, PART_START "%0*llx" PART_END, PART_DIGITS, (unsigned long long)random);
}

bool is_part(const char *name)
{
    size_t start = strlen(PART_START);
    return strncmp(name, PART_START, start) == 0 && strspn(name + start, "0123456789abcdef") == PART_DIGITS &&
           strcmp(name + start + PART_DIGITS, PART_END) == 0;
}

int part_open(int folder, char name[PART_NAME_BYTES], unsigned mode)
{
    for (;;) {
        struct stat info;
        part_name(name);
        int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd < 0 && errno == EEXIST)
            continue;
        /* dir_clear() of another process may have come between */
        if (fd < 0 || ((flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && fstat(fd, &info) == 0 &&
                       info.st_nlink > 0))
            return fd;
        close(fd);
    }
}

/* Whoever writes one has it locked; where a file system has no locks, all stay. */
static void clear_part(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        kill_here("before unlink", name);
        (void)!unlinkat(folder, name, 0);
        kill_here("after unlink", name);
    }
    close(fd);
}

/* Opens folder `path` for a look at its entries; below a held one as all else. NULL: errno or `why` tells. */
static DIR *entries(const char *path, char why[WHY_BYTES])
{
    int fd = folder_open(path, strlen(path), why);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !folder) {
        snprintf(why, WHY_BYTES, "%s", strerror(errno));
        close(fd);
    }
    return folder;
}

void dir_clear(const char *path)
{
    char why[WHY_BYTES];
    const struct dirent *entry;
    DIR *folder = entries(path, why);
    if (!folder)
        return;
    while ((entry = readdir(folder)))
        if (is_part(entry->d_name))
            clear_part(dirfd(folder), entry->d_name);
    closedir(folder);
}

/* ---- held folders ------------------------------------------------------------------------------------------------ */

static enum st in_use(const char *path, int lock)
{
    char text[32] = "";
    int64_t process = 0;
    ssize_t n = pread(lock, text, sizeof text - 1, 0);
    text[n > 0 && text[n - 1] == '\n' ? n - 1 : 0] = '\0';
    if (n > 0 && parse_i64(text, &process))
        return st_fail(ST_INPUT, "folder %s is in use: clutch, process %lld, writes into it", path, (long long)process);
    return st_fail(ST_INPUT, "folder %s is in use: another clutch writes into it", path);
}

enum st dir_check_free(const char *path)
{
    enum st s = ST_OK;
    char why[WHY_BYTES];
    int folder = folder_open(path, strlen(path), why);
    int lock = folder < 0 ? -1 : openat(folder, LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        s = in_use(path, lock);
    if (lock >= 0)
        close(lock);
    if (folder >= 0)
        close(folder);
    return s;
}

/* The lock is on a file and not on the folder, since some file systems lock files only; and says whose it is. */
static enum st take_lock(struct dir *d)
{
    for (;;) {
        struct stat mine, there;
        d->lock = openat(d->folder, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
        if (d->lock < 0 || fstat(d->lock, &mine) != 0 || !S_ISREG(mine.st_mode))
            return st_fail(ST_INPUT, "cannot lock folder %s: %s: %s", d->path, LOCK_NAME,
                           d->lock < 0 ? strerror(errno) : "not a file");
        kill_here("after lock", d->path);
        if (flock(d->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            return in_use(d->path, d->lock);
        /* the one before may have removed it between */
        if (fstatat(d->folder, LOCK_NAME, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == mine.st_ino)
            break;
        close(d->lock);
    }
    /* for who is refused; without it he learns no number */
    if (ftruncate(d->lock, 0) == 0)
        (void)!dprintf(d->lock, "%ld\n", (long)getpid());
    return ST_OK;
}

static void let_go(struct dir *d)
{
    if (d->lock >= 0)
        close(d->lock);
    if (d->folder >= 0)
        close(d->folder);
    mem_free(d);
}

enum st dir_hold(const char *path, struct dir **out)
{
    enum st s = ST_OK;
    struct dir *d = NULL;
    char why[WHY_BYTES];
    TRY(NEW(d, 1));
    d->folder = d->lock = -1;
    d->len = strlen(path);
    while (d->len > 1 && path[d->len - 1] == '/')
        d->len--;
    if (d->len >= sizeof d->path)
        TRY(st_fail(ST_INPUT, "cannot open folder %s: the name is too long", path));
    memcpy(d->path, path, d->len);
    d->folder = folder_open(path, strlen(path), why);
    if (d->folder < 0)
        TRY(st_fail(ST_INPUT, "cannot open folder %s: %s", path, why));
    TRY(take_lock(d));
    pthread_mutex_lock(&held_lock);
    d->next = held;
    held = d;
    pthread_mutex_unlock(&held_lock);
    *out = d;
    d = NULL;
out:
    if (d)
        let_go(d);
    return s;
}

void dir_release(struct dir *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&held_lock);
    for (struct dir **at = &held; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    pthread_mutex_unlock(&held_lock);
    (void)!unlinkat(d->folder, LOCK_NAME, 0); /* while it is locked: nobody else's */
    let_go(d);
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *ending)
{
    size_t len = strlen(name), tail = strlen(ending);
    return len > tail && strcasecmp(name + len - tail, ending) == 0;
}

static bool is_folder(DIR *folder, const char *name)
{
    struct stat info;
    return fstatat(dirfd(folder), name, &info, 0) == 0 && S_ISDIR(info.st_mode);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What dir_list_all() takes: visible files of an ending, or visible sub-folders. */
static bool is_listed(DIR *folder, const char *name, const char *ending)
{
    return name[0] != '.' && (!ending || ends_in(name, ending)) && is_folder(folder, name) == !ending;
}

/* What dir_names() takes: all but what comes and goes while we write. */
static bool is_kept(DIR *folder, const char *name, const char *ending)
{
    (void)folder, (void)ending;
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, LOCK_NAME) != 0 && !is_part(name);
}

/* The names that `wanted` takes, in the order of their bytes. */
static enum st gather(DIR *folder, const char *path, bool (*wanted)(DIR *folder, const char *name, const char *ending),
                      const char *ending, struct arena *arena, char ***names, size_t *n)
{
    enum st s = ST_OK;
    const struct dirent *entry;
    char **name = NULL;
    size_t count = 0, room = 0;
    for (errno = 0; folder && (entry = readdir(folder)); errno = 0) {
        if (!wanted(folder, entry->d_name, ending))
            continue;
        if (count == room) {
            char **grown = mem_resize(name, room = 2 * room + 16, sizeof *name);
            if (!grown)
                TRY(ST_MEMORY);
            name = grown;
        }
        if (!(name[count++] = arena_copy(arena, entry->d_name, strlen(entry->d_name))))
            TRY(ST_MEMORY);
    }
    if (folder && errno)
        TRY(st_fail(ST_INPUT, "cannot read folder %s: %s", path, strerror(errno)));
    if (!(*names = arena_alloc(arena, count, sizeof **names)))
        TRY(ST_MEMORY);
    if (count) {
        qsort(name, count, sizeof *name, by_bytes);
        memcpy(*names, name, count * sizeof *name);
    }
    *n = count;
out:
    mem_free(name);
    return s;
}

enum st dir_list_all(const char *path, const char *ending, struct arena *arena, char ***names, size_t *n)
{
    enum st s = ST_OK;
    DIR *folder = opendir(path);
    if (!folder && errno != ENOENT && errno != ENOTDIR)
        TRY(st_fail(ST_INPUT, "cannot open folder %s: %s", path, strerror(errno)));
    TRY(gather(folder, path, is_listed, ending, arena, names, n));
out:
    if (folder)
        closedir(folder);
    return s;
}

enum st dir_names(const char *path, struct arena *arena, char ***names, size_t *n)
{
    enum st s = ST_OK;
    char why[WHY_BYTES];
    DIR *folder = entries(path, why);
    if (!folder)
        TRY(st_fail(ST_INPUT, "cannot read folder %s: %s", path, why));
    TRY(gather(folder, path, is_kept, NULL, arena, names, n));
out:
    if (folder)
        closedir(folder);
    return s;
}

enum st dir_list(const char *path, const char *ending, int most, struct arena *arena, char **names, int *n)
{
    enum st s = ST_OK;
    char **all;
    size_t count;
    *n = 0;
    TRY(dir_list_all(path, ending, arena, &all, &count));
    while (*n < most && (size_t)*n < count) {
        names[*n] = all[*n];
        ++*n;
    }
out:
    return s;
}

/* ---- the user's folders ------------------------------------------------------------------------------------------ */

/* The folder that an XDG variable names, or its usual place below the home folder. */
static bool user_folder(const char *variable, const char *usual, char *out, size_t size)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    int n = -1;
    if (base && base[0] == '/')
        n = snprintf(out, size, "%s/clutch", base);
    else if (home && home[0] == '/')
        n = snprintf(out, size, "%s/%s/clutch", home, usual);
    return n > 0 && (size_t)n < size;
}

bool dir_cache(char *out, size_t size)
{
    return user_folder("XDG_CACHE_HOME", ".cache", out, size);
}

bool dir_config(char *out, size_t size)
{
    return user_folder("XDG_CONFIG_HOME", ".config", out, size);
}

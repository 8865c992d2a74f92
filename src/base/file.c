/* Whole files in and out, folders, the clock, and a hash for file names. */
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum st file_read(const char *path, size_t max_bytes, char **data, size_t *len)
{
    enum st s = ST_OK;
    char *bytes = NULL;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0)
        TRY(st_fail(ST_INPUT, "cannot open %s: %s", path, strerror(errno)));
    if (!S_ISREG(info.st_mode))
        TRY(st_fail(ST_INPUT, "cannot read %s: not a file", path));
    if ((uint64_t)info.st_size > max_bytes)
        TRY(st_fail(ST_INPUT, "cannot read %s: %lld bytes, more than the %zu allowed", path, (long long)info.st_size,
                    max_bytes));
    size_t size = (size_t)info.st_size, got = 0;
    TRY(NEW(bytes, size + 1));
    while (got < size) {
        ssize_t n = read(fd, bytes + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            TRY(st_fail(ST_INPUT, "cannot read %s: %s", path, n < 0 ? strerror(errno) : "it got shorter meanwhile"));
        got += (size_t)n;
    }
    *data = bytes;
    *len = size;
    bytes = NULL;
out:
    mem_free(bytes);
    if (fd >= 0)
        close(fd);
    return s;
}

static enum st write_all(int fd, const char *path, const char *bytes, size_t len)
{
    if (fault_here())
        return st_fail(ST_SYSTEM, "cannot write %s: no space (fault point)", path);
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return st_fail(ST_SYSTEM, "cannot write %s: %s", path, strerror(errno));
        bytes += n;
        len -= (size_t)n;
    }
    return ST_OK;
}

enum st file_write(const char *path, const void *data, size_t len)
{
    enum st s = ST_OK;
    char part[PATH_MAX];
    int fd = -1;
    bool made = false;
    if (snprintf(part, sizeof part, "%s.%ld.part", path, (long)getpid()) >= (int)sizeof part)
        TRY(st_fail(ST_SYSTEM, "cannot write %s: the name is too long", path));
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        TRY(st_fail(ST_SYSTEM, "cannot write %s: %s", path, strerror(errno)));
    made = true;
    TRY(write_all(fd, path, data, len));
    if (close(fd) != 0) {
        fd = -1;
        TRY(st_fail(ST_SYSTEM, "cannot write %s: %s", path, strerror(errno)));
    }
    fd = -1;
    if (rename(part, path) != 0)
        TRY(st_fail(ST_SYSTEM, "cannot write %s: %s", path, strerror(errno)));
    made = false;
out:
    if (fd >= 0)
        close(fd);
    if (made)
        unlink(part);
    return s;
}

enum st file_append(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return st_fail(ST_SYSTEM, "cannot write %s: %s", path, strerror(errno));
    enum st s = write_all(fd, path, data, len);
    if (close(fd) != 0 && s == ST_OK)
        s = st_fail(ST_SYSTEM, "cannot write %s: %s", path, strerror(errno));
    return s;
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool dir_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

enum st dir_make(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part)
        return st_fail(ST_SYSTEM, "cannot make folder %s: the name is too long", path);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        int why = mkdir(part, 0777) == 0 ? 0 : errno; /* dir_exists() changes errno */
        if (why && !dir_exists(part))
            return st_fail(ST_SYSTEM, "cannot make folder %s: %s", part, strerror(why));
    }
    return ST_OK;
}

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

enum st dir_list_all(const char *path, const char *ending, struct arena *arena, char ***names, size_t *n)
{
    enum st s = ST_OK;
    const struct dirent *entry;
    char **name = NULL;
    size_t count = 0, room = 0;
    DIR *folder = opendir(path);
    if (!folder && errno != ENOENT && errno != ENOTDIR)
        TRY(st_fail(ST_INPUT, "cannot open folder %s: %s", path, strerror(errno)));
    for (errno = 0; folder && (entry = readdir(folder)); errno = 0) {
        if (entry->d_name[0] == '.' || (ending && !ends_in(entry->d_name, ending)) ||
            is_folder(folder, entry->d_name) != !ending)
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

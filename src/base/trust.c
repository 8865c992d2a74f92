/* Files that decide what is computed, and by what code: believed where only the user, or the system, can have written
 * them. What is looked at is what was opened, so that nobody can put another in its place meanwhile. */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever made it, an open file or folder can be written by nobody but the user or root. */
static enum st check(int fd, const char *path, struct stat *info)
{
    if (fstat(fd, info) != 0)
        return st_fail(ST_INPUT, "cannot open %s: %s", path, strerror(errno));
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return st_fail(ST_INPUT, "%s is not used, for it belongs to user %ld, who is not the one that runs this (%ld)",
                       path, (long)info->st_uid, (long)geteuid());
    if (info->st_mode & (S_IWGRP | S_IWOTH))
        return st_fail(ST_INPUT, "%s is not used, for others can write to it (mode %04o); remove it, or, if what it "
                       "holds is yours: chmod go-w %s", path, (unsigned)info->st_mode & 07777, path);
    return ST_OK;
}

/* What a file or folder lies in. */
static enum st folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int n = slash && slash > path ? (int)(slash - path) : 1;
    if (n >= PATH_MAX)
        return st_fail(ST_SYSTEM, "cannot open %s: the name is too long", path);
    snprintf(out, PATH_MAX, "%.*s", n, slash ? path : ".");
    return ST_OK;
}

static enum st open_folder(const char *path, int *out)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return st_fail(ST_INPUT, "cannot open %s: %s", path, strerror(errno));
    enum st s = check(fd, path, &info);
    if (s == ST_OK)
        *out = fd;
    else
        close(fd);
    return s;
}

bool trust_folder(const char *path)
{
    int fd = -1;
    if (!dir_exists(path))
        return false;
    if (open_folder(path, &fd) != ST_OK) {
        note_once("%s", st_message());
        return false;
    }
    close(fd);
    return true;
}

enum st trust_make(const char *path)
{
    enum st s = ST_OK;
    char parent[PATH_MAX];
    int fd = -1;
    TRY(folder_of(path, parent));
    TRY(dir_make(parent));
    int why = mkdir(path, 0700) == 0 ? 0 : errno; /* dir_exists() changes errno */
    if (why && !dir_exists(path))
        TRY(st_fail(ST_SYSTEM, "cannot make folder %s: %s", path, strerror(why)));
    TRY(open_folder(path, &fd));
    close(fd);
out:
    return s;
}

enum st trust_read(const char *path, size_t max_bytes, char **data, size_t *len)
{
    enum st s = ST_OK;
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct stat info;
    int fd = -1, in = -1;
    TRY(folder_of(path, folder));
    TRY(open_folder(folder, &in));
    fd = openat(in, slash ? slash + 1 : path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        TRY(st_fail(ST_INPUT, "cannot open %s: %s", path, strerror(errno)));
    TRY(check(fd, path, &info));
    TRY(file_read_open(fd, path, max_bytes, data, len));
out:
    if (fd >= 0)
        close(fd);
    if (in >= 0)
        close(in);
    return s;
}

enum st trust_write(const char *path, const void *data, size_t len, bool lasting)
{
    enum st s = ST_OK;
    char folder[PATH_MAX];
    TRY(folder_of(path, folder));
    TRY(trust_make(folder));
    dir_clear(folder);
    TRY(file_replace(path, data, len, 0600, lasting)); /* whatever the umask: else it would not be believed */
out:
    return s;
}

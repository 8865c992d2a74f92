/* Folders that last as long as the program. */
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS_MAX = 4 };
static char folder[FOLDERS_MAX][PATH_MAX];
static _Atomic int folders;
static atomic_flag seen_to = ATOMIC_FLAG_INIT; /* remove_folders() will be called at the end */

/* No link is followed, neither to `name` nor below it. */
static void remove_all(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !dir)
        close(fd);
    for (const struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            remove_all(dirfd(dir), entry->d_name);
    if (dir)
        closedir(dir);
    unlinkat(parent, name, AT_REMOVEDIR);
}

static void remove_folders(void)
{
    for (int i = 0; i < atomic_load(&folders) && i < FOLDERS_MAX; i++)
        if (folder[i][0])
            remove_all(AT_FDCWD, folder[i]);
}

enum st dir_temporary(char *out, size_t size)
{
    const char *base = getenv("TMPDIR");
    int i = atomic_fetch_add(&folders, 1);
    if (i >= FOLDERS_MAX)
        return st_fail(ST_INTERNAL, "more than %d temporary folders", FOLDERS_MAX);
    if (snprintf(out, size, "%s/clutch-XXXXXX", base && base[0] == '/' ? base : "/tmp") >= (int)size || size > PATH_MAX)
        return st_fail(ST_SYSTEM, "TMPDIR is too long");
    if (fault_here() || !mkdtemp(out))
        return st_fail(ST_SYSTEM, "cannot make folder %s: %s", out, strerror(errno));
    if (!atomic_flag_test_and_set(&seen_to) && atexit(remove_folders) != 0)
        return st_fail(ST_SYSTEM, "cannot see to the end of folder %s", out);
    memcpy(folder[i], out, strlen(out) + 1);
    return ST_OK;
}

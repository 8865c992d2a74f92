/* Which of a folder's files are the four of an IDX set, under the names that they have in the wild:
 *
 *     [SET-]{train|t10k|test}-{images|labels}{-|.}idx{3|1}-ubyte[.gz]
 *
 * SET as EMNIST's files have it. What unpacks a file into a folder of the file's own name is seen through. */
#include "formats.h"
#include "store.h"

#include <stdio.h>
#include <string.h>

enum { SETS_MAX = 16, PREFIX_MAX = 64, NAMINGS = 4 };

/* The files of one prefix. */
struct found {
    char prefix[PREFIX_MAX]; /* "", or "emnist-letters" */
    char *path[DATA_IDX_FILES];
    int naming[DATA_IDX_FILES]; /* of the path: the lowest counts */
};

struct search {
    struct arena arena;
    struct found set[SETS_MAX];
    int n;
    bool more; /* sets than that */
};

static bool ends_with(const char *name, size_t len, const char *ending)
{
    size_t end = strlen(ending);
    return len >= end && memcmp(name + len - end, ending, end) == 0;
}

/* Which of the four a name says, how it is written (plain dash, plain dot, dash .gz, dot .gz), and what stands before.
 * False: none. */
static bool parse_name(const char *name, int *file, int *naming, char prefix[PREFIX_MAX])
{
    static const char *const parts[DATA_IDX_FILES][2] = {{"train-images", "train-images"},
                                                         {"train-labels", "train-labels"},
                                                         {"t10k-images", "test-images"},
                                                         {"t10k-labels", "test-labels"}};
    size_t len = strlen(name);
    bool gzip = ends_with(name, len, ".gz");
    len -= gzip ? 3 : 0;
    for (*file = 0; *file < DATA_IDX_FILES; ++*file)
        for (int i = 0; i < 4; i++) {
            char ending[40];
            snprintf(ending, sizeof ending, "%s%cidx%d-ubyte", parts[*file][i / 2], "-."[i & 1], *file & 1 ? 1 : 3);
            if (!ends_with(name, len, ending))
                continue;
            size_t before = len - strlen(ending);
            if (before && name[before - 1] != '-') /* "mytrain-images" is nothing known */
                continue;
            before -= before > 0;
            if (before >= PREFIX_MAX)
                continue;
            memcpy(prefix, name, before);
            prefix[before] = '\0';
            *naming = 2 * gzip + (i & 1);
            return true;
        }
    return false;
}

static struct found *set_of(struct search *s, const char *prefix)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->set[i].prefix, prefix) == 0)
            return &s->set[i];
    if (s->n == SETS_MAX) {
        s->more = true;
        return NULL;
    }
    memcpy(s->set[s->n].prefix, prefix, strlen(prefix) + 1);
    return &s->set[s->n++];
}

static enum st take(struct search *search, const char *folder, const char *name, int wanted)
{
    enum st s = ST_OK;
    int file, naming;
    char prefix[PREFIX_MAX], path[DATA_PATH_MAX];
    if (!parse_name(name, &file, &naming, prefix) || (wanted >= 0 && file != wanted))
        return ST_OK;
    struct found *set = set_of(search, prefix);
    if (!set || (set->path[file] && set->naming[file] <= naming))
        return ST_OK;
    TRY(store_path(folder, name, path, sizeof path));
    if (!(set->path[file] = arena_copy(&search->arena, path, strlen(path))))
        TRY(ST_MEMORY);
    set->naming[file] = naming;
out:
    return s;
}

/* All files of a folder that say `wanted`, or any of the four where that is -1. */
static enum st take_all(struct search *search, const char *folder, int wanted)
{
    enum st s = ST_OK;
    char **name;
    size_t n;
    TRY(dir_list_all(folder, "", &search->arena, &name, &n));
    for (size_t i = 0; i < n; i++)
        TRY(take(search, folder, name[i], wanted));
out:
    return s;
}

/* Folders that are called as a file is. */
static enum st take_unpacked(struct search *search, const char *folder)
{
    enum st s = ST_OK;
    char **name, prefix[PREFIX_MAX], path[DATA_PATH_MAX];
    size_t n;
    int file, naming;
    TRY(dir_list_all(folder, NULL, &search->arena, &name, &n));
    for (size_t i = 0; i < n; i++) {
        if (!parse_name(name[i], &file, &naming, prefix))
            continue;
        TRY(store_path(folder, name[i], path, sizeof path));
        TRY(take_all(search, path, file));
    }
out:
    return s;
}

/* The set without a prefix, else the only one. */
static enum st choose(const struct search *search, const char *folder, const struct found **out)
{
    enum st s = ST_OK;
    struct text names = {0};
    *out = search->n ? &search->set[0] : NULL;
    for (int i = 0; i < search->n; i++) {
        if (!search->set[i].prefix[0]) {
            *out = &search->set[i];
            goto out;
        }
        text_add(&names, "%s%s", i ? ", " : "", search->set[i].prefix);
    }
    TRY(text_status(&names));
    if (search->n > 1)
        TRY(st_fail(ST_INPUT, "%s holds IDX files of several sets, %s%s: put the four of one into a folder of their "
                    "own", folder, names.s, search->more ? ", ..." : ""));
out:
    text_free(&names);
    return s;
}

enum st data_find_idx(const char *folder, struct data_idx_paths *out, bool *found)
{
    enum st s = ST_OK;
    struct search *search = NULL;
    const struct found *set;
    *found = false;
    *out = (struct data_idx_paths){0};
    TRY(NEW(search, 1));
    TRY(take_all(search, folder, -1));
    TRY(take_unpacked(search, folder));
    TRY(choose(search, folder, &set));
    for (int i = 0; set && i < DATA_IDX_FILES; i++)
        if (set->path[i]) {
            memcpy(out->path[i], set->path[i], strlen(set->path[i]) + 1);
            *found = true;
        }
    out->emnist = set && strncmp(set->prefix, "emnist", 6) == 0;
out:
    if (search)
        arena_free(&search->arena);
    mem_free(search);
    return s;
}

/* Folders of data as people have them: what systems leave behind is passed over, and data may lie deeper. */
#include "formats.h"
#include "store.h"

#include <string.h>
#include <strings.h>

/* What macOS, Synology, QNAP, Linux and Windows put where they go. */
static const char *const left_behind[] = {"__MACOSX",   "@eaDir",       "@Recycle", "#recycle", "#snapshot",
                                          "lost+found", "$RECYCLE.BIN", "RECYCLER", "System Volume Information"};

static bool is_junk(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(left_behind); i++)
        if (strcasecmp(name, left_behind[i]) == 0)
            return true;
    return false;
}

static void add_junk(struct data_junk *junk, const char *name)
{
    for (int i = 0; i < junk->n; i++)
        if (strcmp(junk->name[i], name) == 0)
            return;
    if (junk->n < DATA_JUNK_MAX)
        junk->name[junk->n++] = name;
}

enum st data_folders(const char *folder, struct arena *arena, struct data_junk *junk, char ***names, size_t *n)
{
    enum st s = ST_OK;
    size_t kept = 0;
    TRY(dir_list_all(folder, NULL, arena, names, n));
    for (size_t i = 0; i < *n; i++)
        if (!is_junk((*names)[i]))
            (*names)[kept++] = (*names)[i];
        else if (junk)
            add_junk(junk, (*names)[i]);
    *n = kept;
out:
    return s;
}

/* The folder's only folder, else the only one with IDX files in it, as MNIST/raw beside MNIST/processed. */
enum st data_deeper(const char *folder, char out[DATA_PATH_MAX], bool *found)
{
    enum st s = ST_OK;
    struct arena arena = {0};
    struct data_idx_paths *paths = NULL;
    char **name, path[DATA_PATH_MAX];
    size_t n, with_idx = 0;
    *found = false;
    TRY(data_folders(folder, &arena, NULL, &name, &n));
    TRY(NEW(paths, 1));
    for (size_t i = 0; i < n; i++) {
        bool has_idx = false;
        TRY(store_path(folder, name[i], path, sizeof path));
        TRY(data_find_idx(path, paths, &has_idx));
        with_idx += has_idx;
        if (n == 1 || has_idx)
            memcpy(out, path, strlen(path) + 1);
    }
    *found = n == 1 || with_idx == 1;
out:
    mem_free(paths);
    arena_free(&arena);
    return s;
}

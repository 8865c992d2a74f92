/* Folders of data as people have them: what systems leave behind is passed over, and data may lie deeper. */
#include "formats.h"
#include "store.h"

#include <ctype.h>
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

/* The next character of a name as a small letter without an accent, be that one with the letter or behind it, and what
 * follows; 0 at the end. Bytes that are no UTF-8 stand for themselves. */
static uint32_t next_plain(const char **name)
{
    static const char letter[] = /* of U+00C0 to U+017F; '.': none with an accent */
        "AAAAAA.CEEEEIIII.NOOOOO..UUUUY..aaaaaa.ceeeeiiii.nooooo..uuuuy.yAaAaAaCcCcCcCcDd..EeEeEeEeEeGgGg"
        "GgGgHh..IiIiIiIiI...JjKk.LlLlLl....NnNnNn...OoOoOo..RrRrRrSsSsSsSsTtTt..UuUuUuUuUuUuWwYyYZzZzZz.";
    _Static_assert(sizeof letter == 0x180 - 0xc0 + 1, "a letter each");
    const uint32_t no_utf8 = 0x110000;
    uint32_t c;
    do {
        int n;
        c = utf8_at(*name, &n);
        if (!n)
            c = no_utf8 | (unsigned char)**name;
        *name += !c ? 0 : n ? n : 1;
    } while (c >= 0x300 && c <= 0x36f);
    if (c >= 0xc0 && c < 0x180 && letter[c - 0xc0] != '.')
        c = (unsigned char)letter[c - 0xc0];
    return c < 0x80 ? (uint32_t)tolower((int)c) : c;
}

bool data_alike(const char *a, const char *b)
{
    uint32_t x, y;
    do {
        x = next_plain(&a);
        y = next_plain(&b);
    } while (x == y && x);
    return x == y;
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

/* Files beside the PNGs of a folder: counted by what their names end in, and told. */
#include "store.h"

#include <ctype.h>
#include <string.h>

static const char *const pictures[] = {"jpg", "jpeg", "jpe",  "jfif", "gif", "webp", "bmp", "tif",
                                       "tiff", "heic", "avif", "jp2", "pgm", "ppm",  "pnm", "tga"};

static bool is_picture(const char *ending)
{
    for (size_t i = 0; i < COUNT_OF(pictures); i++)
        if (strcmp(ending, pictures[i]) == 0)
            return true;
    return false;
}

/* In small letters; "" where what is behind the last dot is no short word. */
static void ending_of(const char *name, char out[8])
{
    const char *dot = strrchr(name, '.');
    size_t len = dot ? strlen(dot + 1) : 0;
    out[0] = '\0';
    if (len == 0 || len > 7)
        return;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)dot[1 + i]))
            return;
    for (size_t i = 0; i <= len; i++)
        out[i] = (char)tolower((unsigned char)dot[1 + i]);
}

static void count(struct store_others *o, const char *ending)
{
    int k = 0;
    o->n++;
    while (k < o->kinds && strcmp(o->kind[k].ending, ending) != 0)
        k++;
    if (k == (int)COUNT_OF(o->kind))
        return;
    if (k == o->kinds)
        memcpy(o->kind[o->kinds++].ending, ending, strlen(ending) + 1);
    o->kind[k].n++;
}

enum st store_png_list(const char *folder, struct arena *arena, char ***names, size_t *n, struct store_others *others)
{
    enum st s = ST_OK;
    size_t kept = 0;
    TRY(dir_list_all(folder, "", arena, names, n));
    for (size_t i = 0; i < *n; i++) {
        char ending[8];
        ending_of((*names)[i], ending);
        if (strcmp(ending, "png") == 0)
            (*names)[kept++] = (*names)[i];
        else
            count(others, ending);
    }
    *n = kept;
out:
    return s;
}

void store_others_show(const struct store_others *o, struct text *out)
{
    size_t shown = 0;
    const char *convert = NULL;
    for (int k = 0; k < o->kinds; k++) {
        const struct store_other *kind = &o->kind[k];
        text_add(out, "%s%zu %s%s", k ? ", " : "", kind->n, kind->ending[0] ? "." : "without an ending", kind->ending);
        shown += kind->n;
        if (!convert && is_picture(kind->ending))
            convert = kind->ending;
    }
    if (shown < o->n)
        text_add(out, ", %zu of other kinds", o->n - shown);
    if (convert)
        text_add(out, "; clutch reads PNG, and `mogrify -format png *.%s` (of ImageMagick) converts", convert);
}

bool store_others_pictures(const struct store_others *o)
{
    for (int k = 0; k < o->kinds; k++)
        if (is_picture(o->kind[k].ending))
            return true;
    return false;
}

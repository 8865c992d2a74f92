/* The known sets and where they lie, and what one can ask of any set: hold-out, moments, order. */
#include "formats.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fashion[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                      "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

static const struct known {
    const char *name, *hint;
    int h, w;
    const char *const *class_name; /* NULL: the numbers */
    int classes;
} known_sets[] = {
    {"fashion-mnist", "on Debian: apt install dataset-fashion-mnist", 28, 28, fashion, COUNT_OF(fashion)},
    {"mnist", "put its four IDX files into one of these", 28, 28, NULL, 10},
};

static const struct known *find_known(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(known_sets); i++)
        if (strcmp(known_sets[i].name, name) == 0)
            return &known_sets[i];
    return NULL;
}

/* Place `i` to look for a known set: the user's own first, then Debian's. False where there is no such place. */
static bool place(int i, const char *name, char path[PATH_MAX])
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int len = -1;
    if (i == 1)
        len = snprintf(path, PATH_MAX, "/usr/share/datasets/%s", name);
    else if (data && data[0] == '/')
        len = snprintf(path, PATH_MAX, "%s/clutch/%s", data, name);
    else if (home && home[0] == '/')
        len = snprintf(path, PATH_MAX, "%s/.local/share/clutch/%s", home, name);
    return len > 0 && len < PATH_MAX;
}

/* The first that is there counts. */
static enum st (*const formats[])(const char *folder, struct data_set *set, bool *found) = {data_read_idx,
                                                                                            data_read_png};

enum { DEEPER_MAX = 3 }; /* folders within the one that was named: torchvision's root/MNIST/raw */

static enum st read_formats(const char *folder, struct data_set *set, bool *found)
{
    enum st s = ST_OK;
    for (size_t i = 0; i < COUNT_OF(formats) && !*found; i++)
        TRY(formats[i](folder, set, found));
out:
    return s;
}

static enum st read_folder(const char *folder, struct data_set *set)
{
    enum st s = ST_OK;
    char path[DATA_PATH_MAX], deeper[DATA_PATH_MAX];
    bool found = false, more = true;
    if (snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path)
        TRY(st_fail(ST_INPUT, "name too long: %s", folder));
    for (int depth = 0; more; depth++) {
        TRY(read_formats(path, set, &found));
        if (found || depth == DEEPER_MAX)
            break;
        TRY(data_deeper(path, deeper, &more));
        if (more)
            memcpy(path, deeper, sizeof path);
    }
    if (!found)
        TRY(st_fail(ST_INPUT, "no data in %s: neither the four IDX files (train-images-idx3-ubyte and so on, plain or "
                    ".gz) nor folders of PNGs (train/CLASS/*.png and test/CLASS/*.png, or CLASS/*.png)", folder));
    size_t len = strlen(path);
    TRY(NEW(set->path, len + 1));
    memcpy(set->path, path, len);
out:
    return s;
}

static enum st read_known(const struct known *known, struct data_set *set)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct text looked = {0};
    for (int i = 0; i < 2; i++) {
        if (!place(i, known->name, path))
            continue;
        if (dir_exists(path)) {
            TRY(read_folder(path, set));
            if (set->h != known->h || set->w != known->w)
                TRY(st_fail(ST_INPUT, "%s is not %s: its pictures are %d x %d pixels, wanted %d x %d", path,
                            known->name, set->h, set->w, known->h, known->w));
            goto out;
        }
        text_add(&looked, "%s%s", looked.len ? ", " : "", path);
    }
    TRY(text_status(&looked));
    TRY(st_fail(ST_INPUT, "data set %s not found; looked in %s; %s; or give a folder", known->name, looked.s,
                known->hint));
out:
    text_free(&looked);
    return s;
}

const char *data_known_name(size_t i)
{
    return i < COUNT_OF(known_sets) ? known_sets[i].name : i == COUNT_OF(known_sets) ? "digits" : NULL;
}

static const char *known_name(const void *unused, size_t i)
{
    (void)unused;
    return data_known_name(i);
}

static enum st fail_unknown(const char *word)
{
    char unknown[SHOW_UNKNOWN_MAX];
    return st_fail(ST_INPUT, "%s; or give a folder",
                   show_unknown(unknown, sizeof unknown, "data set", word, known_name, NULL));
}

/* The word's last path component, cut to fit between two UTF-8 characters. */
static void name_set(const char *word, char name[DATA_NAME_MAX])
{
    size_t end = strlen(word), len = 0;
    while (end > 1 && word[end - 1] == '/')
        end--;
    while (len < end && (len == 0 || word[end - len - 1] != '/'))
        len++;
    const char *part = word + end - len;
    if (len >= DATA_NAME_MAX)
        for (len = DATA_NAME_MAX - 1; len > 0 && (part[len] & 0xC0) == 0x80;)
            len--;
    memcpy(name, part, len);
    name[len] = '\0';
}

/* Unless the data has names of its own. */
static void name_classes(struct data_set *set)
{
    const struct known *known = find_known(set->name);
    bool named = known && known->class_name && known->classes == set->classes;
    if (set->class_name[0][0])
        return;
    for (int k = 0; k < DATA_CLASSES_MAX; k++) /* beyond `classes` too: a net may have more outputs */
        if (named && k < set->classes)
            snprintf(set->class_name[k], DATA_CLASS_NAME_MAX, "%s", known->class_name[k]);
        else
            snprintf(set->class_name[k], DATA_CLASS_NAME_MAX, "%d", k);
}

enum st data_open(const char *word, uint64_t seed, struct data_set **out)
{
    enum st s = ST_OK;
    const struct known *known = find_known(word);
    struct data_set *set = NULL;
    TRY(NEW(set, 1));
    if (strcmp(word, "digits") == 0)
        TRY(data_draw_digits(seed, set));
    else if (known)
        TRY(read_known(known, set));
    else if (dir_exists(word))
        TRY(read_folder(word, set));
    else
        TRY(fail_unknown(word));
    name_set(word, set->name);
    name_classes(set);
    *out = set;
    set = NULL;
out:
    data_free(set);
    return s;
}

static void free_split(struct data_split *split)
{
    mem_free(split->pixels);
    mem_free(split->labels);
}

void data_free(struct data_set *set)
{
    if (!set)
        return;
    free_split(&set->train);
    free_split(&set->validation);
    free_split(&set->test);
    mem_free(set->path);
    mem_free(set);
}

static void copy_sample(struct data_split *to, uint32_t at, const struct data_split *from, uint32_t i, size_t bytes)
{
    memmove(to->pixels + at * bytes, from->pixels + i * bytes, bytes);
    to->labels[at] = from->labels[i];
}

enum st data_hold_out(struct data_set *set, uint32_t limit, uint32_t validation, uint64_t seed)
{
    enum st s = ST_OK;
    struct data_split held = {0}, *train = &set->train;
    uint32_t *order = NULL, n = limit ? limit : train->n;
    bool *chosen = NULL;
    size_t bytes = (size_t)set->c * (size_t)set->h * (size_t)set->w;
    struct rng r;
    if (n > train->n)
        TRY(st_fail(ST_INPUT, "limit %u is more than the %u training sample%s of %s", n, train->n, plural(train->n),
                    set->name));
    if (validation >= n)
        TRY(st_fail(ST_INPUT, "validation %u of %u training sample%s of %s leaves none to train on; allowed are 0 to "
                    "%u", validation, n, plural(n), set->name, n - 1));
    if (validation) {
        TRY(NEW(order, n));
        TRY(NEW(chosen, n));
        TRY(NEW(held.labels, validation));
        TRY(NEW(held.pixels, validation * bytes));
        for (uint32_t i = 0; i < n; i++)
            order[i] = i;
        rng_init(&r, seed, DATA_STREAM_HOLD);
        rng_shuffle(&r, order, n);
        for (uint32_t i = 0; i < validation; i++)
            chosen[order[i]] = true;
    }
    train->n = 0;
    for (uint32_t i = 0; i < n; i++) { /* both keep their order */
        struct data_split *to = chosen && chosen[i] ? &held : train;
        copy_sample(to, to->n++, train, i, bytes);
    }
    set->validation = held;
    held = (struct data_split){0};
out:
    free_split(&held);
    mem_free(chosen);
    mem_free(order);
    return s;
}

void data_moments(const struct data_set *set, double *mean, double *deviation)
{
    size_t plane = (size_t)set->h * (size_t)set->w, channels = (size_t)set->c;
    for (size_t c = 0; c < channels; c++) {
        /* counts are exact, so the sums below do not depend on how many pixels there are */
        uint64_t count[256] = {0};
        for (size_t i = 0; i < set->train.n; i++)
            for (size_t p = 0; p < plane; p++)
                count[set->train.pixels[(i * channels + c) * plane + p]]++;
        double n = (double)set->train.n * (double)plane, sum = 0, squares = 0;
        for (int v = 0; v < 256; v++)
            sum += (double)v * (double)count[v];
        for (int v = 0; v < 256; v++)
            squares += (double)count[v] * (v - sum / n) * (v - sum / n);
        mean[c] = sum / n / 255;
        deviation[c] = squares > 0 ? sqrt(squares / n) / 255 : 1;
    }
}

uint64_t data_fingerprint(const struct data_set *set)
{
    enum { PIECES = 1024, PIECE = 1024 };
    const struct data_split *split = &set->train;
    size_t bytes = split->n * (size_t)set->c * (size_t)set->h * (size_t)set->w, step = bytes / PIECES;
    uint64_t h = hash_bytes(HASH_START, split->labels, split->n);
    for (size_t i = 0; i < PIECES && step; i++)
        h = hash_bytes(h, split->pixels + i * step, step < PIECE ? step : PIECE);
    return step ? h : hash_bytes(h, split->pixels, bytes);
}

void data_order(uint64_t seed, uint32_t epoch, uint32_t n, uint32_t *order)
{
    struct rng r;
    rng_init(&r, seed, DATA_STREAM_ORDER | epoch);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    rng_shuffle(&r, order, n);
}

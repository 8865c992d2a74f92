/* PNGs in folders, one a class (data.h tells the layouts). All names are listed first, then all heads are looked at, so
 * that nothing is allocated for pictures that do not fit each other or memory; then each is read to its place. */
#include "formats.h"
#include "store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SIDE_MAX = 4096, SIXTH = 6 };

/* Names of the folders that hold class folders, the first that is there. */
static const char *const train_names[] = {"train", "training"};
static const char *const test_names[] = {"test", "testing"};
static const char *const stand_ins[] = {"val", "valid", "validation"};

/* The PNGs of a class folder, by name. */
struct pile {
    char *folder;
    char **name;
    size_t n;
};

/* A data folder as names; all of it lives in the arena. */
struct tree {
    struct arena arena;
    struct data_junk junk;      /* passed over */
    struct store_others others; /* beside the PNGs of classes: likewise */
    size_t deeper;              /* folders beside them: likewise */
    char *train, *test; /* folders of class folders; test NULL: every sixth of train */
    bool stands_in;     /* test is not called so */
    char **class_name, *shown_name[DATA_CLASSES_MAX]; /* as the disk has it; where that is no UTF-8, with \xff */
    size_t classes;
    struct pile train_pile[DATA_CLASSES_MAX], test_pile[DATA_CLASSES_MAX]; /* test: empty where it lacks a class */
};

/* One picture of a split: number `rank` of the `of` ones of its class. */
struct sample {
    const char *folder, *name;
    uint64_t rank, of;
    uint8_t label;
};

struct samples {
    struct sample *one;
    size_t n;
};

/* What all pictures have in common, and the first of them. */
struct look {
    int w, h;
    bool color;
    char first[PATH_MAX];
};

/* ---- names ------------------------------------------------------------------------------------------------------- */

static enum st join(struct tree *t, const char *folder, const char *name, char **out)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    TRY(store_path(folder, name, path, sizeof path));
    if (!(*out = arena_copy(&t->arena, path, strlen(path))))
        TRY(ST_MEMORY);
out:
    return s;
}

/* The folder of that name, in small letters or capitals; NULL where there is none. */
static enum st find_folder(struct tree *t, const char *folder, const char *name, char **out)
{
    enum st s = ST_OK;
    char **there, *first = NULL;
    size_t n;
    *out = NULL;
    TRY(data_folders(folder, &t->arena, &t->junk, &there, &n));
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(there[i], name) != 0)
            continue;
        if (first)
            TRY(st_fail(ST_INPUT, "%s has both a folder %s and a folder %s: one of them must go, or be called "
                        "otherwise", folder, first, there[i]));
        first = there[i];
        TRY(join(t, folder, first, out));
    }
out:
    return s;
}

/* The first of the names that is a folder with folders in it; NULL where there is none. `bare`: a folder without. */
static enum st find_part(struct tree *t, const char *folder, const char *const *names, size_t n, char **out,
                         char **bare)
{
    enum st s = ST_OK;
    *out = *bare = NULL;
    for (size_t i = 0; i < n && !*out; i++) {
        char *path, **inside;
        size_t count;
        TRY(find_folder(t, folder, names[i], &path));
        if (!path)
            continue;
        TRY(data_folders(path, &t->arena, &t->junk, &inside, &count));
        if (count)
            *out = path;
        else
            *bare = path;
    }
out:
    return s;
}

static enum st find_parts(struct tree *t, const char *folder)
{
    enum st s = ST_OK;
    char *bare_train, *bare_test, *none;
    TRY(find_part(t, folder, train_names, COUNT_OF(train_names), &t->train, &bare_train));
    TRY(find_part(t, folder, test_names, COUNT_OF(test_names), &t->test, &bare_test));
    if (!t->train && bare_train && (t->test || bare_test)) /* else they would be taken for two classes */
        TRY(st_fail(ST_INPUT, "no folders in %s: wanted is one a class, with its PNGs", bare_train));
    if (!t->train) {
        t->test = NULL;
        if (!(t->train = arena_copy(&t->arena, folder, strlen(folder))))
            TRY(ST_MEMORY);
    } else if (!t->test) {
        TRY(find_part(t, folder, stand_ins, COUNT_OF(stand_ins), &t->test, &none));
        t->stands_in = t->test;
    }
out:
    return s;
}

static int by_number(const void *a, const void *b)
{
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    int64_t l, r;
    if (parse_i64(left, &l) && parse_i64(right, &r) && l != r)
        return l < r ? -1 : 1;
    return strcmp(left, right);
}

static enum st find_classes(struct tree *t)
{
    enum st s = ST_OK;
    int64_t number;
    bool numbers = true;
    TRY(data_folders(t->train, &t->arena, &t->junk, &t->class_name, &t->classes));
    if (t->classes > DATA_CLASSES_MAX)
        TRY(st_fail(ST_INPUT, "%s holds %zu folders, one a class; allowed are 2 to %d", t->train, t->classes,
                    DATA_CLASSES_MAX));
    for (size_t k = 0; k < t->classes; k++)
        numbers = numbers && parse_i64(t->class_name[k], &number);
    if (numbers && t->classes)
        qsort(t->class_name, t->classes, sizeof *t->class_name, by_number);
out:
    return s;
}

/* The PNGs of a class; where it has none but one folder, as CLASS/images, those in that. */
static enum st find_pile(struct tree *t, const char *folder, const char *name, struct pile *out)
{
    enum st s = ST_OK;
    char **inside, *deeper;
    size_t n;
    TRY(join(t, folder, name, &out->folder));
    TRY(store_png_list(out->folder, &t->arena, &out->name, &out->n, &t->others));
    TRY(data_folders(out->folder, &t->arena, &t->junk, &inside, &n));
    if (out->n)
        t->deeper += n;
    if (out->n || n != 1)
        goto out;
    TRY(join(t, out->folder, inside[0], &deeper));
    TRY(store_png_list(deeper, &t->arena, &out->name, &out->n, &t->others));
    if (out->n)
        out->folder = deeper;
out:
    return s;
}

/* `what` for want of PNGs, and what there is in the folder instead, if anything. */
static enum st fail_without(const char *what, const struct store_others *others)
{
    enum st s = ST_OK;
    struct text there = {0};
    if (others->n)
        text_add(&there, ", but ");
    store_others_show(others, &there);
    TRY(text_status(&there));
    s = st_fail(ST_INPUT, "%s%s", what, others->n ? there.s : "");
out:
    text_free(&there);
    return s;
}

static enum st check_pile(const struct pile *p)
{
    enum st s = ST_OK;
    struct store_others others = {0};
    struct arena arena = {0};
    char **name, what[PATH_MAX + 64];
    size_t n;
    if (p->n)
        return ST_OK;
    TRY(store_png_list(p->folder, &arena, &name, &n, &others));
    snprintf(what, sizeof what, "no PNG in %s, the folder of a class", p->folder);
    TRY(fail_without(what, &others));
out:
    arena_free(&arena);
    return s;
}

/* The name of a class as all others see it. */
static enum st show_class(struct tree *t, size_t k)
{
    enum st s = ST_OK;
    struct text name = {0};
    text_add_foreign(&name, t->class_name[k]);
    TRY(text_status(&name));
    if (name.len >= DATA_CLASS_NAME_MAX)
        TRY(st_fail(ST_INPUT, "%s, the name of a class, has %zu bytes, more than the %d allowed",
                    t->train_pile[k].folder, name.len, DATA_CLASS_NAME_MAX - 1));
    if (!(t->shown_name[k] = arena_copy(&t->arena, name.s, name.len)))
        TRY(ST_MEMORY);
out:
    text_free(&name);
    return s;
}

static enum st find_train_piles(struct tree *t, bool *found)
{
    enum st s = ST_OK;
    *found = false;
    for (size_t k = 0; k < t->classes; k++) {
        TRY(find_pile(t, t->train, t->class_name[k], &t->train_pile[k]));
        *found = *found || t->train_pile[k].n;
    }
    if (!*found)
        goto out;
    if (t->classes < 2)
        TRY(st_fail(ST_INPUT, "%s holds 1 folder, one a class; allowed are 2 to %d", t->train, DATA_CLASSES_MAX));
    for (size_t k = 0; k < t->classes; k++) {
        TRY(check_pile(&t->train_pile[k]));
        TRY(show_class(t, k));
    }
out:
    return s;
}

static enum st fail_unknown(const struct tree *t, const char *name)
{
    for (size_t k = 0; k < t->classes; k++)
        if (data_alike(t->class_name[k], name))
            return st_fail(ST_INPUT, "class %s of %s is not in %s: its %s is written otherwise, in capitals or accents",
                           name, t->test, t->train, t->class_name[k]);
    return st_fail(ST_INPUT, "class %s of %s is not in %s, so nothing can learn it", name, t->test, t->train);
}

static enum st find_test_piles(struct tree *t)
{
    enum st s = ST_OK;
    char **name;
    size_t n = 0;
    if (t->test)
        TRY(data_folders(t->test, &t->arena, &t->junk, &name, &n));
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < t->classes && strcmp(t->class_name[k], name[i]) != 0)
            k++;
        if (k == t->classes)
            TRY(fail_unknown(t, name[i]));
        TRY(find_pile(t, t->test, name[i], &t->test_pile[k]));
        TRY(check_pile(&t->test_pile[k]));
    }
out:
    return s;
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

enum part { ALL, BUT_SIXTHS, SIXTHS };

static enum st gather(const struct pile *pile, size_t classes, enum part part, struct samples *out)
{
    enum st s = ST_OK;
    size_t total = 0;
    for (size_t k = 0; k < classes; k++)
        total += pile[k].n;
    TRY(NEW(out->one, total));
    for (size_t k = 0; k < classes; k++) {
        size_t sixths = pile[k].n / SIXTH, rank = 0;
        size_t of = part == ALL ? pile[k].n : part == SIXTHS ? sixths : pile[k].n - sixths;
        for (size_t i = 0; i < pile[k].n; i++)
            if (part == ALL || (i % SIXTH == SIXTH - 1) == (part == SIXTHS))
                out->one[out->n++] = (struct sample){pile[k].folder, pile[k].name[i], rank++, of, (uint8_t)k};
    }
out:
    return s;
}

/* By the middle of each sample's share of its class: (rank + 1/2) / of. */
static int by_share(const void *a, const void *b)
{
    const struct sample *left = a, *right = b;
    uint64_t l = (2 * left->rank + 1) * right->of, r = (2 * right->rank + 1) * left->of;
    if (l != r)
        return l < r ? -1 : 1;
    return (left->label > right->label) - (left->label < right->label);
}

static enum st look_at(const struct samples *samples, struct look *look)
{
    enum st s = ST_OK;
    for (size_t i = 0; i < samples->n; i++) {
        char path[PATH_MAX];
        struct store_png_facts f;
        TRY(store_path(samples->one[i].folder, samples->one[i].name, path, sizeof path));
        TRY(store_png_look(path, &f));
        if (!look->w) {
            if (f.w > SIDE_MAX || f.h > SIDE_MAX)
                TRY(st_fail(ST_INPUT, "%s is %d pixel%s wide and %d high; allowed are 1 to %d", path, f.w,
                            plural((uint64_t)f.w), f.h, SIDE_MAX));
            look->w = f.w;
            look->h = f.h;
            memcpy(look->first, path, strlen(path) + 1);
        }
        if (f.w != look->w || f.h != look->h)
            TRY(st_fail(ST_INPUT, "%s is %d pixel%s wide and %d high, but %s %d and %d: all must have one size", path,
                        f.w, plural((uint64_t)f.w), f.h, look->first, look->w, look->h));
        look->color = look->color || f.color;
    }
out:
    return s;
}

static enum st check_total(const struct samples *samples, const struct data_set *set, const char *folder)
{
    char text[32];
    uint64_t each = (uint64_t)set->c * (uint64_t)set->h * (uint64_t)set->w;
    if (samples->n <= UINT32_MAX / each)
        return ST_OK;
    return st_fail(ST_INPUT, "%s: %zu pictures of %d x %d x %d bytes are %s, more than the 4 GiB allowed", folder,
                   samples->n, set->c, set->h, set->w, show_bytes(text, sizeof text, samples->n * each));
}

/* One picture into planes of bytes, (C, H, W). */
static enum st read_sample(const struct sample *one, const struct data_set *set, uint8_t *planes)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct store_picture p = {0};
    TRY(store_path(one->folder, one->name, path, sizeof path));
    TRY(store_png_read(path, set->c, &p));
    if (p.w != set->w || p.h != set->h)
        TRY(st_fail(ST_INPUT, "%s changed its size while it was read", path));
    store_picture_planes(&p, planes);
out:
    store_picture_free(&p);
    return s;
}

static enum st read_split(struct samples *samples, const struct data_set *set, struct data_split *split)
{
    enum st s = ST_OK;
    size_t each = (size_t)set->c * (size_t)set->h * (size_t)set->w;
    qsort(samples->one, samples->n, sizeof *samples->one, by_share);
    TRY(NEW(split->pixels, samples->n * each));
    TRY(NEW(split->labels, samples->n));
    split->n = (uint32_t)samples->n;
    for (size_t i = 0; i < samples->n; i++) {
        split->labels[i] = samples->one[i].label;
        TRY(read_sample(&samples->one[i], set, split->pixels + i * each));
    }
out:
    return s;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum st fill(const struct tree *t, const char *folder, struct data_set *set)
{
    enum st s = ST_OK;
    struct samples train = {0}, test = {0};
    struct look look = {0};
    TRY(gather(t->train_pile, t->classes, t->test ? ALL : BUT_SIXTHS, &train));
    TRY(gather(t->test ? t->test_pile : t->train_pile, t->classes, t->test ? ALL : SIXTHS, &test));
    if (!test.n)
        TRY(st_fail(ST_INPUT, "no class in %s has %d PNGs, of which every sixth could be kept for testing; give more, "
                    "or a folder test beside a folder train", t->train, SIXTH));
    TRY(look_at(&train, &look));
    TRY(look_at(&test, &look));
    set->c = look.color ? 3 : 1;
    set->h = look.h;
    set->w = look.w;
    set->classes = (int)t->classes;
    TRY(check_total(&train, set, t->train));
    TRY(check_total(&test, set, t->test ? t->test : t->train));
    TRY(read_split(&train, set, &set->train));
    TRY(read_split(&test, set, &set->test));
    for (size_t k = 0; k < DATA_CLASSES_MAX; k++)
        if (k < t->classes)
            snprintf(set->class_name[k], DATA_CLASS_NAME_MAX, "%s", t->shown_name[k]);
        else
            snprintf(set->class_name[k], DATA_CLASS_NAME_MAX, "output %zu", k);
    if (t->stands_in)
        note("%s has no folders to test on in test or testing: %s stands in", folder, t->test);
    if (!t->test)
        note("%s has no folders to test on: every sixth PNG of each class, by name, is kept for testing, %zu of %zu",
             folder, test.n, train.n + test.n);
out:
    mem_free(train.one);
    mem_free(test.one);
    return s;
}

/* The first two alike are told: where there are more, they came the same way. */
static void tell_alike(const struct tree *t)
{
    for (size_t k = 1; k < t->classes; k++)
        for (size_t i = 0; i < k; i++)
            if (data_alike(t->class_name[i], t->class_name[k])) {
                note("%s has classes %s and %s, whose names differ in capitals or accents alone: if they are one "
                     "class, put them into one folder", t->train, t->shown_name[i], t->shown_name[k]);
                return;
            }
}

static void tell_passed_over(const struct tree *t, const char *folder)
{
    struct text words = {0};
    store_others_show(&t->others, &words);
    if (t->others.n && !words.failed)
        note("%zu file%s of classes in %s passed over: %s", t->others.n, plural(t->others.n), folder, words.s);
    if (t->deeper)
        note("%zu folder%s within those of classes in %s passed over", t->deeper, plural(t->deeper), folder);
    text_clear(&words);
    for (int i = 0; i < t->junk.n; i++)
        text_add(&words, "%s%s", i ? ", " : "", t->junk.name[i]);
    if (t->junk.n && !words.failed)
        note("passed over in %s, for they are no data: %s", folder, words.s);
    text_free(&words);
}

/* No PNG in any class's folder: pictures of other kinds there, or where no classes are, tell what was meant. */
static enum st check_pictures(struct tree *t, const char *folder)
{
    enum st s = ST_OK;
    char **name, what[PATH_MAX + 64];
    size_t n;
    if (store_others_pictures(&t->others)) {
        snprintf(what, sizeof what, "no PNG in the folders of classes of %s", folder);
        TRY(fail_without(what, &t->others));
    }
    t->others = (struct store_others){0};
    TRY(store_png_list(folder, &t->arena, &name, &n, &t->others));
    if (n || store_others_pictures(&t->others)) {
        snprintf(what, sizeof what, "no data in %s: its pictures are in no folder of a class, as CLASS/*.png; there "
                 "are %zu .png", folder, n);
        TRY(fail_without(what, &t->others));
    }
out:
    return s;
}

enum st data_read_png(const char *folder, struct data_set *set, bool *found)
{
    enum st s = ST_OK;
    struct tree *t = NULL;
    *found = false;
    TRY(NEW(t, 1));
    TRY(find_parts(t, folder));
    TRY(find_classes(t));
    TRY(find_train_piles(t, found));
    if (!*found) {
        TRY(check_pictures(t, folder));
        goto out;
    }
    TRY(find_test_piles(t));
    tell_passed_over(t, folder);
    tell_alike(t);
    TRY(fill(t, folder, set));
out:
    if (t)
        arena_free(&t->arena);
    mem_free(t);
    return s;
}

/*
 * What the layers of a trained net make of pictures: how unlike its answers to them are, layer by layer, and inputs
 * that are made to excite its units.
 */
#include "pictures.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 200, ROWS_LEAST = 2 /* of a class */, BATCH = 256, UNITS_MAX = 400, DEPTHS_MAX = 12, NAME_ROOM = 96 };
enum { HIDDEN_JITTER = 2 }; /* a third of the time of the default, which classes need to be told apart */

/* ---- depths ------------------------------------------------------------------------------------------------------ */

static bool has_matrix(const struct nn_layer *l)
{
    return l->param_count > 0 && l->param[0].rank >= 2;
}

/* Numbers of layers at which a net is looked at: before each layer with weights, and all; of many, some evenly. */
static int choose_depths(const struct nn_net *net, int out[DEPTHS_MAX])
{
    int all = 1, n = 0, seen = 0;
    for (int i = 1; i < net->layer_count; i++)
        all += has_matrix(&net->layer[i]) && nn_net_may_cut(net, i);
    int most = all < DEPTHS_MAX ? all : DEPTHS_MAX;
    for (int i = 1; i < net->layer_count; i++) {
        if (!has_matrix(&net->layer[i]) || !nn_net_may_cut(net, i))
            continue;
        if (seen++ == n * (all - 1) / (most > 1 ? most - 1 : 1) && n < most - 1)
            out[n++] = i;
    }
    out[n++] = net->layer_count;
    return n;
}

static void name_depth(const struct nn_net *net, int layers, char *out, size_t size)
{
    const struct nn_layer *l = layers > 0 ? &net->layer[layers - 1] : NULL;
    int n = nn_size(l ? l->out : net->input);
    const char *s = plural((uint64_t)n);
    if (!l)
        snprintf(out, size, "pictures: %d value%s", n, s);
    else if (layers == net->layer_count)
        snprintf(out, size, "output: %d value%s", n, s);
    else
        snprintf(out, size, "after layer %d, %s: %d value%s", l->index, l->kind->name, n, s);
}

static enum st open_view(const struct drawing *d, const struct draw_test *t, int layers, int batch,
                         struct train_view **out)
{
    return train_view_open(t->device, t->net, layers, t->model, &d->facts->scaling, batch, out);
}

/* A file of numbers behind pictures, its tensors in the arena. */
struct numbers {
    struct store_tensor *tensor;
    int n;
};

static enum st add_numbers(struct drawing *d, struct numbers *all, const char *name, int rank, const int64_t *shape,
                           float **values)
{
    struct store_tensor *t = &all->tensor[all->n];
    size_t count = 1;
    snprintf(t->name, sizeof t->name, "%s", name);
    t->type = STORE_F32;
    t->rank = rank;
    for (int k = 0; k < rank; k++) {
        t->shape[k] = shape[k];
        count *= (size_t)shape[k];
    }
    *values = arena_alloc(&d->arena, count, sizeof **values);
    if (!*values)
        return ST_MEMORY;
    t->data = *values;
    all->n++;
    return ST_OK;
}

static enum st write_numbers(const struct drawing *d, const struct numbers *all, const char *file)
{
    char path[PATH_MAX];
    enum st s = drawing_path(d, file, path);
    return s != ST_OK ? s : store_tensors_write(path, all->tensor, all->n, NULL);
}

/* ---- dissimilarity ----------------------------------------------------------------------------------------------- */

/* The same number of test pictures of each class, in the order of the classes. */
static enum st choose_pictures(struct drawing *d, const struct draw_test *t, struct data_split *out, int *each)
{
    const struct data_split *test = &t->set->test;
    int classes = t->set->classes, n = ROWS / classes;
    uint32_t have[DATA_CLASSES_MAX] = {0}, least = UINT32_MAX;
    size_t size = (size_t)t->set->c * (size_t)t->set->h * (size_t)t->set->w;
    for (uint32_t i = 0; i < test->n; i++)
        have[test->labels[i]]++;
    for (int c = 0; c < classes; c++)
        least = have[c] < least ? have[c] : least;
    n = n < ROWS_LEAST ? ROWS_LEAST : n;
    n = least < (uint32_t)n ? (int)least : n;
    *each = n;
    *out = (struct data_split){.pixels = arena_alloc(&d->arena, (size_t)(n * classes), size),
                               .labels = arena_alloc(&d->arena, (size_t)(n * classes), 1)};
    if (!out->pixels || !out->labels)
        return ST_MEMORY;
    for (int c = 0; c < classes; c++) {
        int taken = 0;
        for (uint32_t i = 0; i < test->n && taken < n; i++) {
            if (test->labels[i] != c)
                continue;
            memcpy(out->pixels + out->n * size, test->pixels + i * size, size);
            out->labels[out->n++] = (uint8_t)c;
            taken++;
        }
    }
    return ST_OK;
}

static enum st dissimilarity_at(struct drawing *d, const struct draw_test *t, const struct data_split *pictures,
                                int layers, double **out)
{
    enum st s = ST_OK;
    struct train_view *view = NULL;
    float *rows = NULL;
    int n = (int)pictures->n, size = t->set->c * t->set->h * t->set->w;
    *out = arena_alloc(&d->arena, (size_t)n * (size_t)n, sizeof **out);
    if (!*out)
        TRY(ST_MEMORY);
    if (layers > 0) {
        TRY(open_view(d, t, layers, BATCH, &view));
        size = train_view_size(view);
    }
    TRY(NEW(rows, (size_t)n * (size_t)size));
    if (view)
        TRY(train_view_outputs(view, pictures, rows));
    for (size_t i = 0; !view && i < (size_t)n * (size_t)size; i++)
        rows[i] = pictures->pixels[i];
    train_dissimilarity(rows, n, size, *out);
out:
    train_view_close(view);
    mem_free(rows);
    return s;
}

static enum st keep_matrix(struct drawing *d, struct numbers *all, const char *name, const struct store_matrix *m)
{
    const int64_t shape[] = {m->rows, m->columns};
    float *values;
    enum st s = add_numbers(d, all, name, 2, shape, &values);
    for (int i = 0; s == ST_OK && i < m->rows * m->columns; i++)
        values[i] = (float)m->values[i];
    return s;
}

enum st draw_dissimilarity(struct drawing *d, const struct draw_test *t)
{
    enum st s = ST_OK;
    struct store_picture picture = {0};
    struct data_split pictures;
    int depth[1 + DEPTHS_MAX], n = 1, each;
    char (*title)[NAME_ROOM] = NULL, name[32], caption[300];
    struct store_matrix *m = NULL;
    struct numbers all = {0};
    double most = 0;
    TRY(choose_pictures(d, t, &pictures, &each));
    if (each == 0) /* a class that the test set does not have */
        return ST_OK;
    depth[0] = 0;
    n += choose_depths(t->net, depth + 1);
    TRY(NEW(m, (size_t)n));
    TRY(NEW(title, (size_t)n));
    TRY(NEW(all.tensor, (size_t)n));
    for (int k = 0; k < n; k++) {
        double *values;
        TRY(dissimilarity_at(d, t, &pictures, depth[k], &values));
        name_depth(t->net, depth[k], title[k], NAME_ROOM);
        m[k] = (struct store_matrix){.title = title[k], .values = values, .rows = (int)pictures.n,
                                     .columns = (int)pictures.n, .group = each, .row_name = d->facts->class_name};
        snprintf(name, sizeof name, "layers.%d", depth[k]);
        TRY(keep_matrix(d, &all, name, &m[k]));
        for (uint32_t i = 0; i < pictures.n * pictures.n; i++)
            most = fmax(most, values[i]);
    }
    for (int k = 0; k < n; k++)
        m[k].most = most;
    TRY(write_numbers(d, &all, "pictures/dissimilarity.safetensors"));
    TRY(store_matrices_draw("How unlike the net finds pictures, layer by layer", m, n, n < 3 ? n : 3, &picture));
    snprintf(caption, sizeof caption, "1 - correlation between what a layer makes of two pictures, for %d test "
             "pictures of each class: white for alike, dark for unlike, at most %.2f; classes become blocks as layers "
             "tell them apart", each, most);
    TRY(drawing_write(d, (struct picture){.section = "Inside the net", .file = "pictures/dissimilarity.png",
                                          .caption = caption, .numbers = "pictures/dissimilarity.safetensors"},
                      &picture, NULL, 0));
out:
    store_picture_free(&picture);
    mem_free(m);
    mem_free(title);
    mem_free(all.tensor);
    return s;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

/* Units whose inputs are made: the first n of a layer, or all classes. */
struct excited {
    int layers, n;
    const int *unit;
    float *pixels, *before, *after;
};

static enum st excite(struct drawing *d, const struct draw_test *t, struct excited *e, struct numbers *all)
{
    enum st s = ST_OK;
    struct train_view *view = NULL;
    struct train_excite how = train_excite_defaults();
    if (e->layers < t->net->layer_count)
        how.jitter = HIDDEN_JITTER;
    const int64_t shape[] = {e->n, d->input[0], d->input[1], d->input[2]};
    char name[32];
    int *unit = arena_alloc(&d->arena, (size_t)e->n, sizeof *unit);
    e->before = arena_alloc(&d->arena, (size_t)e->n, sizeof *e->before);
    e->after = arena_alloc(&d->arena, (size_t)e->n, sizeof *e->after);
    if (!unit || !e->before || !e->after)
        TRY(ST_MEMORY);
    for (int i = 0; i < e->n; i++)
        unit[i] = i;
    e->unit = unit;
    snprintf(name, sizeof name, "layers.%d", e->layers);
    TRY(add_numbers(d, all, name, 4, shape, &e->pixels));
    TRY(open_view(d, t, e->layers, e->n, &view));
    TRY(train_view_excite(view, &how, unit, e->n, d->input[1], d->input[2], e->pixels, e->before, e->after));
out:
    train_view_close(view);
    return s;
}

static enum st card_picture(const struct drawing *d, const float *pixels, struct store_picture *out)
{
    enum st s = ST_OK;
    uint8_t *planes;
    size_t size = (size_t)d->input[0] * (size_t)d->input[1] * (size_t)d->input[2];
    TRY(NEW(planes, size));
    for (size_t i = 0; i < size; i++)
        planes[i] = (uint8_t)lroundf(255 * fminf(1, fmaxf(0, pixels[i])));
    TRY(store_picture_of_planes(planes, d->input[0], d->input[1], d->input[2], out));
out:
    mem_free(planes);
    return s;
}

static enum st draw_excited(struct drawing *d, const struct draw_test *t, const struct excited *e, int number)
{
    enum st s = ST_OK;
    struct store_picture picture = {0}, *one = NULL;
    struct store_card *card = NULL;
    char (*caption)[NAME_ROOM] = NULL, depth[NAME_ROOM], title[NAME_ROOM + 64], file[64];
    bool classes = e->layers == t->net->layer_count;
    size_t size = (size_t)d->input[0] * (size_t)d->input[1] * (size_t)d->input[2];
    TRY(NEW(one, (size_t)e->n));
    TRY(NEW(card, (size_t)e->n));
    TRY(NEW(caption, (size_t)e->n));
    for (int i = 0; i < e->n; i++) {
        TRY(card_picture(d, e->pixels + (size_t)i * size, &one[i]));
        if (classes)
            snprintf(caption[i], NAME_ROOM, "%s\n%.1f to %.1f", d->facts->class_name[e->unit[i]], (double)e->before[i],
                     (double)e->after[i]);
        else if (!(e->after[i] > e->before[i]))
            snprintf(caption[i], NAME_ROOM, "%d: silent", e->unit[i]);
        else
            snprintf(caption[i], NAME_ROOM, "%d: %.1f", e->unit[i], (double)e->after[i]);
        card[i] = (struct store_card){&one[i], caption[i]};
    }
    name_depth(t->net, e->layers, depth, sizeof depth);
    snprintf(title, sizeof title, classes ? "Inputs that excite each class most" : "Inputs that excite units %s",
             depth);
    snprintf(file, sizeof file, classes ? "pictures/inputs-classes.png" : "pictures/inputs-%02d.png", number);
    TRY(store_cards_draw(title, card, e->n, &picture));
    TRY(drawing_write(d, (struct picture){.section = "Inside the net", .file = file,
                                          .caption = classes
                                              ? "For each class the input with the largest output, found by gradient "
                                                "ascent from the mean picture; the output there and here"
                                              : title,
                                          .numbers = "pictures/inputs.safetensors"}, &picture, NULL, 0));
out:
    for (int i = 0; one && i < e->n; i++)
        store_picture_free(&one[i]);
    store_picture_free(&picture);
    mem_free(one);
    mem_free(card);
    mem_free(caption);
    return s;
}

enum st draw_inputs(struct drawing *d, const struct draw_test *t)
{
    enum st s = ST_OK;
    struct numbers all = {0};
    int depth[DEPTHS_MAX], n = choose_depths(t->net, depth);
    if (!shows_pictures(d))
        return ST_OK;
    TRY(NEW(all.tensor, (size_t)n));
    for (int k = n - 1; k >= 0; k--) { /* the classes first */
        bool last = k == n - 1;
        int size = nn_size(t->net->layer[depth[k] - 1].out), units = last ? size : t->units;
        struct excited e = {.layers = depth[k], .n = units < size ? units : size};
        e.n = e.n < UNITS_MAX ? e.n : UNITS_MAX;
        if (e.n == 0)
            continue;
        TRY(excite(d, t, &e, &all));
        TRY(draw_excited(d, t, &e, k));
    }
    TRY(write_numbers(d, &all, "pictures/inputs.safetensors"));
out:
    mem_free(all.tensor);
    return s;
}

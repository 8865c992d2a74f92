/*
 * Weights as pictures: a tile a unit where units look at a picture, rows of outputs and columns of inputs for kernels,
 * else the plain matrix; below it names, numbers and a histogram.
 */
#include "pictures.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { KERNEL_GAP = 1 };

const struct tensor_owner owner_net = {"weights", "Weights", true};
const struct tensor_owner owner_couplings = {"coupling", "Couplings", false};

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static bool drawable(const struct store_tensor *t)
{
    for (int k = 0; k < t->rank; k++)
        if (t->shape[k] < 1 || t->shape[k] > INT_MAX)
            return false;
    return t->type == STORE_F32 && t->rank >= 2;
}

int drawn_number(const struct store_tensor *tensor, int i)
{
    int number = 0;
    if (!drawable(&tensor[i]))
        return -1;
    for (int k = 0; k < i; k++)
        number += drawable(&tensor[k]);
    return number;
}

/* Rows of inputs that are a picture of c x h x w: in colour where they are three channels, else one above the other. */
static void lay_out_pictures(const int input[3], struct layout *l)
{
    bool color = input[0] == 3;
    l->tiles = (struct store_tiles){.n = l->units, .channels = color ? 3 : 1, .tile_w = input[2],
                                    .tile_h = color ? input[1] : input[0] * input[1]};
    snprintf(l->what, sizeof l->what, "%d unit%s, %d x %d inputs each%s", l->units, plural((uint64_t)l->units),
             input[1], input[2], color ? ", true colour" : input[0] > 1 ? ", channels one above the other" : "");
}

static void lay_out_matrix(int in, struct layout *l)
{
    l->tiles = (struct store_tiles){.n = 1, .channels = 1, .tile_h = l->units, .tile_w = in};
    snprintf(l->what, sizeof l->what, "%d output%s down, %d input%s across", l->units, plural((uint64_t)l->units), in,
             plural((uint64_t)in));
}

static void lay_out_kernels(int in, int h, int w, struct layout *l)
{
    l->tiles = (struct store_tiles){.n = l->units, .channels = in == 3 ? 3 : 1, .tile_h = h, .tile_w = w};
    if (in == 1 || in == 3) {
        snprintf(l->what, sizeof l->what, "%d kernel%s of %d x %d%s", l->units, plural((uint64_t)l->units), h, w,
                 in == 3 ? ", true colour" : "");
        return;
    }
    l->tiles.n = l->units * in;
    l->tiles.columns = in;
    l->tiles.gap = KERNEL_GAP;
    snprintf(l->what, sizeof l->what, "kernels of %d x %d: %d output%s down, %d input%s across", h, w, l->units,
             plural((uint64_t)l->units), in, plural((uint64_t)in));
}

/* Pixels that are left for tiles, with the strip below them. */
static int tiles_side(const struct drawing *d)
{
    return (d->side_max ? d->side_max : STORE_SIDE_MAX) - STORE_STRIP_H_MAX;
}

bool lay_out(const struct drawing *d, const struct store_tensor *t, bool first, struct layout *out)
{
    int64_t count = 1;
    if (!drawable(t))
        return false;
    for (int k = 0; k < t->rank; k++)
        count *= t->shape[k];
    if (count > INT_MAX)
        return false;
    *out = (struct layout){.units = (int)t->shape[0]};
    int in = (int)t->shape[1];
    if (t->rank > 2)
        lay_out_kernels(in, t->rank == 4 ? (int)t->shape[2] : 1, (int)t->shape[t->rank - 1], out);
    else if (first && in > 1 && in == d->input[0] * d->input[1] * d->input[2])
        lay_out_pictures(d->input, out);
    else
        lay_out_matrix(in, out);
    out->tiles.each = d->each;
    out->tiles.side_max = tiles_side(d);
    return true;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static void say_what(const struct drawing *d, const struct render *r, struct rendering *out)
{
    const struct layout *l = r->layout;
    const struct store_tiles_facts *f = &out->facts;
    char cut[64] = "", epoch[32] = "", seed[40] = "";
    int side = l->tiles.side_max;
    if (f->shown < l->tiles.n)
        snprintf(cut, sizeof cut, " (the first %d x %d of them)", f->rows, f->columns);
    else if (l->tiles.tile_h > side || l->tiles.tile_w > side) /* about: gaps take some pixels, too */
        snprintf(cut, sizeof cut, " (cut at %d pixels)", side);
    if (r->epoch >= 0)
        snprintf(epoch, sizeof epoch, "; epoch %d", r->epoch);
    if (d->facts)
        snprintf(seed, sizeof seed, "; seed %llu", (unsigned long long)d->facts->options.seed);
    snprintf(out->what, sizeof out->what, "%s%s%s%s", l->what, cut, epoch, seed);
}

static void say_range(const struct drawing *d, struct rendering *out)
{
    const struct store_tiles_facts *f = &out->facts;
    char bad[64] = "";
    if (f->bad)
        snprintf(bad, sizeof bad, "; %lld NOT FINITE (green)", (long long)f->bad);
    snprintf(out->range, sizeof out->range, "%s%.3g to %.3g, %.2f %% beyond; values %.3g to %.3g%s",
             d->each ? "a range for each tile, at most " : "colours ", -f->range, f->range, 100 * f->clipped, f->least,
             f->most, bad);
}

static size_t value_count(const struct store_tiles *t)
{
    return (size_t)t->n * (size_t)(t->channels > 1 ? t->channels : 1) * (size_t)t->tile_h * (size_t)t->tile_w;
}

enum st render_values(const struct drawing *d, const struct render *r, struct rendering *out)
{
    enum st s = ST_OK;
    struct store_tiles tiles = r->layout->tiles;
    *out = (struct rendering){0};
    tiles.values = r->values;
    tiles.range = r->range;
    TRY(store_tiles_draw(&tiles, &out->picture, &out->facts));
    say_what(d, r, out);
    say_range(d, out);
    const struct store_strip strip = {.line = {r->title, out->what, out->range}, .values = r->values,
                                      .count = value_count(&tiles), .range = out->facts.range,
                                      .true_color = tiles.channels == 3};
    TRY(store_strip_add(&out->picture, &strip));
out:
    if (s != ST_OK)
        store_picture_free(&out->picture);
    return s;
}

void render_notes(struct rendering *r, const char *layer, struct store_note out[RENDER_NOTES])
{
    static const char *const key[] = {"range", "clipped", "least", "most", "not finite", "tiles"};
    const struct store_tiles_facts *f = &r->facts;
    const double real[] = {f->range, f->clipped, f->least, f->most};
    for (size_t k = 0; k < COUNT_OF(real); k++)
        snprintf(r->number[k], sizeof r->number[k], "%.6g", real[k]);
    snprintf(r->number[4], sizeof r->number[4], "%lld", (long long)f->bad);
    snprintf(r->number[5], sizeof r->number[5], "%d in %d row%s and %d column%s", f->shown, f->rows,
             plural((uint64_t)f->rows), f->columns, plural((uint64_t)f->columns));
    out[0] = (struct store_note){"layer", layer};
    for (size_t k = 0; k < COUNT_OF(key); k++)
        out[k + 1] = (struct store_note){key[k], r->number[k]};
}

static enum st draw_one(struct drawing *d, const struct tensor_owner *owner, int number, const struct store_tensor *t,
                        const struct layout *l)
{
    enum st s = ST_OK;
    struct rendering r;
    struct store_note notes[RENDER_NOTES];
    char file[STORE_NAME_MAX + 64], caption[700];
    snprintf(file, sizeof file, "pictures/%s-%02d-%s.png", owner->word, number, t->name);
    TRY(render_values(d, &(struct render){t->name, l, t->data, 0, d->epoch}, &r));
    render_notes(&r, t->name, notes);
    snprintf(caption, sizeof caption, "%s: %s; %s", t->name, r.what, r.range);
    TRY(drawing_write(d, (struct picture){.section = owner->section, .file = file, .caption = caption}, &r.picture,
                      notes, RENDER_NOTES));
out:
    store_picture_free(&r.picture);
    return s;
}

enum st draw_weights(struct drawing *d, const struct tensor_owner *owner, const struct store_tensor *tensor, int n)
{
    enum st s = ST_OK;
    struct layout l;
    for (int i = 0; i < n; i++) {
        int number = drawn_number(tensor, i);
        if (number >= 0 && lay_out(d, &tensor[i], owner->sees_inputs && number == 0, &l))
            TRY(draw_one(d, owner, number, &tensor[i], &l));
    }
out:
    return s;
}

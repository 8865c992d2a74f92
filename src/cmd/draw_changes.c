/*
 * How weights changed: the difference from the start, the units that changed most, and frames over the epochs, from the
 * copies in snapshots/. All frames of a tensor have one range of colours, else the motion would lie.
 */
#include "pictures.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAMES_LEAST = 2, FRAMES_MAX = 40,
    FRAMES_BYTES = 1 << 29, /* of weights, all frames together: more of them are thinned out */
    MOVED = 16,             /* units shown as those that changed most */
    MOTION_SIDE = 512,      /* pixels that frames are enlarged to, the most they have, and tiles they show: a file */
    MOTION_SIDE_MAX = 1024, /* has many of them */
    MOTION_TILES = 100,
    FRAME_MS = 400, LAST_MS = 2000,
};

/* ---- snapshots --------------------------------------------------------------------------------------------------- */

static const char ending[] = ".safetensors";

void snapshot_name(int epoch, char *out, size_t size)
{
    snprintf(out, size, "snapshots/epoch-%05d%s", epoch, ending);
}

/* "epoch-00012.safetensors"; -1: something else. */
static int epoch_of(const char *name)
{
    const char *digits = name + strlen("epoch-");
    int64_t epoch;
    char number[16];
    if (strncmp(name, "epoch-", strlen("epoch-")) != 0)
        return -1;
    snprintf(number, sizeof number, "%.*s", (int)strcspn(digits, "."), digits);
    return parse_i64(number, &epoch) && epoch >= 0 && epoch <= INT_MAX ? (int)epoch : -1;
}

static enum st open_one(struct snapshots *all, const char *folder, int epoch)
{
    char name[64], path[PATH_MAX];
    snapshot_name(epoch, name, sizeof name);
    enum st s = store_path(folder, name, path, sizeof path);
    if (s == ST_OK)
        s = store_tensors_open(path, &all->file[all->n]);
    if (s == ST_OK)
        all->epoch[all->n++] = epoch;
    return s;
}

enum st snapshots_open(const char *folder, int most, struct snapshots *out)
{
    enum st s = ST_OK;
    char path[PATH_MAX], **name;
    size_t listed;
    int n = 0;
    *out = (struct snapshots){0};
    TRY(store_path(folder, "snapshots", path, sizeof path));
    TRY(dir_list_all(path, ending, &out->arena, &name, &listed));
    for (size_t i = 0; i < listed; i++)
        if (epoch_of(name[i]) >= 0)
            name[n++] = name[i];
    int taken = n < most ? n : most;
    out->epoch = arena_alloc(&out->arena, (size_t)taken, sizeof *out->epoch);
    out->file = arena_alloc(&out->arena, (size_t)taken, sizeof *out->file);
    if (!out->epoch || !out->file)
        TRY(ST_MEMORY);
    for (int i = 0; i < taken; i++) /* evenly, both ends among them */
        TRY(open_one(out, folder, epoch_of(name[taken > 1 ? (int)((int64_t)i * (n - 1) / (taken - 1)) : 0])));
out:
    if (s != ST_OK)
        snapshots_close(out);
    return s;
}

void snapshots_close(struct snapshots *s)
{
    for (int i = 0; i < s->n; i++)
        store_tensors_close(s->file[i]);
    arena_free(&s->arena);
    *s = (struct snapshots){0};
}

/* The same tensor in a snapshot; NULL where it is not there, as with another net in an old folder. */
static const float *values_in(const struct store_file *file, const struct store_tensor *t)
{
    const struct store_tensor *found;
    for (int i = 0; i < store_tensors_count(file); i++) {
        found = store_tensors_at(file, i);
        if (strcmp(found->name, t->name) == 0 && found->type == t->type && found->rank == t->rank &&
            memcmp(found->shape, t->shape, (size_t)t->rank * sizeof *t->shape) == 0)
            return found->data;
    }
    return NULL;
}

/* ---- change ------------------------------------------------------------------------------------------------------ */

struct change {
    struct drawing *d;
    const struct store_tensor *tensor;
    const struct layout *layout;
    const struct tensor_owner *owner;
    int number, since; /* of the tensor among those drawn; epoch of the first snapshot */
    size_t count;      /* values */
    const float *before, *now;
    float *difference;
};

static enum st write_change(const struct change *c, const char *name, const char *section, struct rendering *r,
                            const char *title)
{
    struct store_note notes[RENDER_NOTES];
    char file[STORE_NAME_MAX + 96], caption[700];
    snprintf(file, sizeof file, "pictures/%s-%s-%02d-%s.png", c->owner->word, name, c->number, c->tensor->name);
    snprintf(caption, sizeof caption, "%s: %s; %s", title, r->what, r->range);
    render_notes(r, c->tensor->name, notes);
    return drawing_write(c->d, (struct picture){.section = section, .file = file, .caption = caption}, &r->picture,
                         notes, RENDER_NOTES);
}

static enum st draw_difference(const struct change *c)
{
    enum st s = ST_OK;
    struct rendering r;
    char title[STORE_NAME_MAX + 64];
    snprintf(title, sizeof title, "%s: change since epoch %d", c->tensor->name, c->since);
    TRY(render_values(c->d, &(struct render){title, c->layout, c->difference, 0, c->d->epoch}, &r));
    TRY(write_change(c, "change", "Change", &r, title));
out:
    store_picture_free(&r.picture);
    return s;
}

struct moved {
    int unit;
    double length; /* of the difference of its weights; infinite where they are not finite */
};

static int by_length(const void *left, const void *right)
{
    const struct moved *a = left, *b = right;
    if (a->length != b->length)
        return a->length < b->length ? 1 : -1;
    return (a->unit > b->unit) - (a->unit < b->unit);
}

static enum st rank_units(const struct change *c, struct moved **out)
{
    int units = c->layout->units;
    size_t each = c->count / (size_t)units;
    enum st s = NEW(*out, (size_t)units);
    for (int u = 0; s == ST_OK && u < units; u++) {
        double sum = 0;
        for (size_t k = 0; k < each; k++) {
            double v = (double)c->difference[(size_t)u * each + k];
            sum += v * v;
        }
        (*out)[u] = (struct moved){u, isfinite(sum) ? sqrt(sum) : HUGE_VAL};
    }
    if (s == ST_OK)
        qsort(*out, (size_t)units, sizeof **out, by_length);
    return s;
}

/* Three bands below each other: pictures side by side where units look at pictures, else a row of values a unit. */
static struct layout moved_bands(const struct change *c, int n)
{
    struct layout l = *c->layout;
    if (l.tiles.n == l.units && l.tiles.tile_h > 1) {
        l.tiles.columns = n;
        l.tiles.n = 3 * n;
        return l;
    }
    l.tiles = (struct store_tiles){.n = 3, .tile_h = n, .tile_w = (int)(c->count / (size_t)l.units), .columns = 1,
                                   .side_max = l.tiles.side_max};
    return l;
}

static enum st draw_moved(const struct change *c)
{
    enum st s = ST_OK;
    struct moved *order = NULL;
    struct rendering r = {0};
    float *values = NULL;
    size_t each = c->count / (size_t)c->layout->units;
    int n = c->layout->units < MOVED ? c->layout->units : MOVED;
    struct layout l = moved_bands(c, n);
    char title[STORE_NAME_MAX + 64];
    const float *const band[] = {c->before, c->now, c->difference};
    TRY(rank_units(c, &order));
    TRY(NEW(values, COUNT_OF(band) * (size_t)n * each));
    for (size_t b = 0; b < COUNT_OF(band); b++)
        for (size_t k = 0; k < (size_t)n; k++)
            memcpy(values + (b * (size_t)n + k) * each, band[b] + (size_t)order[k].unit * each, each * sizeof *values);
    int at = snprintf(l.what, sizeof l.what, "epoch %d, now, difference; units", c->since);
    for (int k = 0; k < n && at < (int)sizeof l.what - 8; k++)
        at += snprintf(l.what + at, sizeof l.what - (size_t)at, " %d", order[k].unit);
    snprintf(title, sizeof title, "%s: the %d unit%s that changed most", c->tensor->name, n, plural((uint64_t)n));
    TRY(render_values(c->d, &(struct render){title, &l, values, 0, c->d->epoch}, &r));
    TRY(write_change(c, "moved", "Change", &r, title));
out:
    store_picture_free(&r.picture);
    mem_free(order);
    mem_free(values);
    return s;
}

/* ---- motion ------------------------------------------------------------------------------------------------------ */

static enum st draw_frame(const struct change *c, const struct layout *l, const float *values, int epoch, double range,
                          struct rendering *r)
{
    char title[STORE_NAME_MAX + 64];
    snprintf(title, sizeof title, "%s, epoch %d", c->tensor->name, epoch);
    return render_values(c->d, &(struct render){title, l, values, range, epoch}, r);
}

static enum st draw_motion(const struct change *c, const struct snapshots *all)
{
    enum st s = ST_OK;
    struct rendering *r = NULL;
    struct store_picture *frame = NULL;
    struct layout l = *c->layout;
    int n = 0;
    char frames[16], file[STORE_NAME_MAX + 96], caption[700];
    l.tiles.each = false;
    l.tiles.side_wanted = MOTION_SIDE;
    l.tiles.side_max = MOTION_SIDE_MAX;
    if (l.tiles.n == l.units && l.units > MOTION_TILES) {
        l.tiles.n = MOTION_TILES;
        snprintf(l.what, sizeof l.what, "the first %d of %d units", MOTION_TILES, l.units);
    }
    TRY(NEW(r, (size_t)all->n + 1));
    TRY(NEW(frame, (size_t)all->n));
    /* the range of the last epoch, whose weights are as a rule the largest */
    TRY(draw_frame(c, &l, c->now, c->d->epoch, 0, &r[all->n]));
    for (int i = 0; i < all->n; i++) {
        const float *values = values_in(all->file[i], c->tensor);
        if (!values)
            continue;
        TRY(draw_frame(c, &l, values, all->epoch[i], r[all->n].facts.range, &r[n]));
        frame[n] = r[n].picture;
        n++;
    }
    struct rendering *last = &r[n - 1];
    struct store_note notes[RENDER_NOTES + 1];
    render_notes(last, c->tensor->name, notes);
    snprintf(frames, sizeof frames, "%d", n);
    notes[RENDER_NOTES] = (struct store_note){"frames", frames};
    snprintf(file, sizeof file, "pictures/%s-motion-%02d-%s.png", c->owner->word, c->number, c->tensor->name);
    snprintf(caption, sizeof caption, "%s over the epochs, %d frame%s of one range of colours; %s", c->tensor->name, n,
             plural((uint64_t)n), last->range);
    TRY(drawing_write_motion(c->d, (struct picture){.section = "Motion", .file = file, .caption = caption},
                             &(struct store_motion){frame, n, FRAME_MS, LAST_MS}, notes, RENDER_NOTES + 1));
out:
    for (int i = 0; r && i <= all->n; i++)
        store_picture_free(&r[i].picture);
    mem_free(r);
    mem_free(frame);
    return s;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static enum st draw_tensor(struct change *c, const struct snapshots *all)
{
    enum st s = ST_OK;
    c->before = values_in(all->file[0], c->tensor);
    c->now = c->tensor->data;
    c->count = 1;
    for (int k = 0; k < c->tensor->rank; k++)
        c->count *= (size_t)c->tensor->shape[k];
    if (!c->before || all->epoch[0] == c->d->epoch)
        return ST_OK;
    TRY(NEW(c->difference, c->count));
    for (size_t k = 0; k < c->count; k++)
        c->difference[k] = c->now[k] - c->before[k];
    if (c->number == 0 || c->d->all_motion)
        TRY(draw_motion(c, all));
    TRY(draw_difference(c));
    TRY(draw_moved(c));
out:
    mem_free(c->difference);
    return s;
}

static int frames_that_fit(const struct store_tensor *tensor, int n)
{
    double bytes = 1;
    for (int i = 0; i < n; i++) {
        double count = drawn_number(tensor, i) < 0 ? 0 : sizeof(float);
        for (int k = 0; k < tensor[i].rank; k++)
            count *= (double)tensor[i].shape[k];
        bytes += count;
    }
    return (int)fmax(FRAMES_LEAST, fmin(FRAMES_MAX, FRAMES_BYTES / bytes));
}

enum st draw_changes(struct drawing *d, const struct tensor_owner *owner, const struct store_tensor *tensor, int n)
{
    enum st s = ST_OK;
    struct snapshots all = {0};
    struct layout l;
    if (!d->run)
        return ST_OK;
    TRY(snapshots_open(d->run, frames_that_fit(tensor, n), &all));
    for (int i = 0; all.n > 0 && i < n; i++) {
        int number = drawn_number(tensor, i);
        if (number < 0 || !lay_out(d, &tensor[i], owner->sees_inputs && number == 0, &l))
            continue;
        TRY(draw_tensor(&(struct change){.d = d, .tensor = &tensor[i], .layout = &l, .owner = owner, .number = number,
                                         .since = all.epoch[0]}, &all));
    }
out:
    snapshots_close(&all);
    return s;
}

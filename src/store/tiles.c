/* Weights as a picture: one tile a block of values, a diverging map or true colour, whole pixels. */
#include "inside.h"

#include <math.h>
#include <string.h>

enum {
    GAP = 2,
    SIDE_MOST = 16000,  /* what a picture with a strip below it may have */
    SIDE_WANTED = 1200, /* enlarge while the longer side stays within this */
    SCALE_MAX = 8,
};

/* What is drawn, with defaults filled in and tiles cut to what fits. */
struct plan {
    const float *values;
    int n, channels;
    int h, w;           /* values of a tile */
    int cut_h, cut_w;   /* those of them that fit */
    int gap, side_max;
    double *range;      /* (n) of each tile, or (1) of all */
    bool each;
};

/* ---- range ------------------------------------------------------------------------------------------------------- */

/* Bits of |v|: they sort as the sizes do. Not finite: INFINITE or more. */
enum { INFINITE = 0x7f800000 };

static uint32_t size_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits & 0x7fffffff;
}

static float size_of_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* The size that `rank` of the finite values are not larger than, from 0: 31 bits are found in three passes. */
static float select_size(const float *values, size_t count, size_t rank)
{
    enum { FIRST = 11, OTHERS = 10 };
    uint32_t found = 0;
    for (int shift = 2 * OTHERS; shift >= 0; shift -= OTHERS) {
        size_t tally[1 << FIRST] = {0};
        const int width = shift == 2 * OTHERS ? FIRST : OTHERS;
        for (size_t i = 0; i < count; i++) {
            uint32_t bits = size_bits(values[i]);
            if (bits < INFINITE && bits >> (shift + width) == found)
                tally[bits >> shift & ((1u << width) - 1)]++;
        }
        uint32_t digit = 0;
        while (rank >= tally[digit])
            rank -= tally[digit++];
        found = found << width | digit;
    }
    return size_of_bits(found);
}

struct sizes {
    size_t finite;
    double least, most; /* of the finite values */
    double largest;     /* |value| */
};

static struct sizes look_at(const float *values, size_t count)
{
    struct sizes z = {0};
    float least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (size_bits(values[i]) >= INFINITE)
            continue;
        z.finite++;
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    if (z.finite) {
        z.least = least;
        z.most = most;
        z.largest = fmax(-(double)least, (double)most);
    }
    return z;
}

/* The 99.9 % quantile; where almost all are zero, the largest, which shows the few that are not. */
static double range_of(const float *values, size_t count, const struct sizes *z)
{
    size_t left_out = z->finite / 1000;
    double quantile = left_out ? select_size(values, count, z->finite - 1 - left_out) : z->largest;
    return quantile > 0 ? quantile : z->largest;
}

static size_t count_outside(const float *values, size_t count, double range)
{
    size_t outside = 0;
    for (size_t i = 0; i < count; i++)
        outside += size_bits(values[i]) < INFINITE && fabs((double)values[i]) > range;
    return outside;
}

/* Fills the ranges, and the facts of values: from all tiles, shown or not. */
static void measure(struct plan *p, double range, struct store_tiles_facts *facts)
{
    const size_t tile = (size_t)p->channels * (size_t)p->h * (size_t)p->w, count = tile * (size_t)p->n;
    const size_t block = p->each ? tile : count;
    const struct sizes all = look_at(p->values, count);
    size_t outside = 0;
    for (size_t i = 0; i * block < count; i++) {
        const float *values = p->values + i * block;
        const struct sizes own = p->each ? look_at(values, block) : all;
        p->range[i] = range > 0 ? range : range_of(values, block, &own);
        if (p->range[i] < own.largest)
            outside += count_outside(values, block, p->range[i]);
        facts->range = fmax(facts->range, p->range[i]);
    }
    facts->least = all.least;
    facts->most = all.most;
    facts->bad = (int64_t)(count - all.finite);
    facts->clipped = all.finite ? (double)outside / (double)all.finite : 0;
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

/* Pixels along `count` tiles of `values` values, gaps included. */
static int64_t side_pixels(const struct plan *p, int64_t count, int64_t values, int64_t scale)
{
    return count * (values * scale + p->gap) + p->gap;
}

/* Tiles of `values` values that fit a side, not enlarged. */
static int most_of(const struct plan *p, int values)
{
    return (p->side_max - p->gap) / (values + p->gap);
}

/* Sets the grid with the shortest longer side at this scale, and returns that side; of several grids the one with the
 * fewest empty places, then the widest. */
static int64_t fit_grid(const struct plan *p, int scale, struct store_tiles_facts *facts)
{
    int64_t best = INT64_MAX, best_cells = 0;
    for (int columns = 1; columns <= facts->shown; columns++) {
        int rows = (int)(((int64_t)facts->shown + columns - 1) / columns);
        int64_t w = side_pixels(p, columns, p->cut_w, scale), h = side_pixels(p, rows, p->cut_h, scale);
        int64_t longer = w > h ? w : h, cells = (int64_t)columns * rows;
        if (w > p->side_max)
            break;
        if (longer < best || (longer == best && cells <= best_cells)) {
            best = longer;
            best_cells = cells;
            facts->columns = columns;
            facts->rows = rows;
        }
    }
    facts->scale = scale;
    return best;
}

static void choose_grid(const struct plan *p, int wanted, struct store_tiles_facts *facts)
{
    int64_t most = (int64_t)most_of(p, p->cut_w) * most_of(p, p->cut_h);
    facts->shown = (int)(p->n < most ? p->n : most);
    int scale = SCALE_MAX;
    while (fit_grid(p, scale, facts) > wanted && scale > 1)
        scale--;
}

/* Rows of so many tiles: those that do not fit are left out at the right and at the bottom. */
static void cut_grid(const struct plan *p, int columns, int wanted, struct store_tiles_facts *facts)
{
    const int rows = p->n / columns + (p->n % columns != 0), wide = columns < p->n ? columns : p->n;
    facts->columns = wide < most_of(p, p->cut_w) ? wide : most_of(p, p->cut_w);
    facts->rows = rows < most_of(p, p->cut_h) ? rows : most_of(p, p->cut_h);
    for (int row = 0; row < facts->rows; row++) {
        int left = p->n - row * columns;
        facts->shown += left < facts->columns ? left : facts->columns;
    }
    facts->scale = SCALE_MAX;
    while (facts->scale > 1 && (side_pixels(p, wide, p->cut_w, facts->scale) > wanted ||
                                side_pixels(p, rows, p->cut_h, facts->scale) > wanted))
        facts->scale--;
}

/* ---- painting ---------------------------------------------------------------------------------------------------- */

static void map_color(const float *value, double range, uint8_t out[3])
{
    if (size_bits(*value) >= INFINITE)
        memcpy(out, bad_color, sizeof bad_color);
    else
        diverging_color(range > 0 ? *value / range : 0, out);
}

static void true_color(const float *value, size_t plane, double range, uint8_t out[3])
{
    for (size_t c = 0; c < 3; c++) {
        if (size_bits(value[c * plane]) >= INFINITE) {
            memcpy(out, bad_color, sizeof bad_color);
            return;
        }
        double at = range > 0 ? value[c * plane] / range : 0;
        at = at < -1 ? -1 : at > 1 ? 1 : at;
        out[c] = (uint8_t)(127.5 + 127.5 * at + 0.5);
    }
}

/* The tile at row and column of the grid; a line of pixels is made once and copied. */
static void paint_tile(const struct plan *p, int tile, int row, int column, int scale, struct store_picture *picture)
{
    const size_t plane = (size_t)p->h * (size_t)p->w, pitch = (size_t)picture->w * 3;
    const float *values = p->values + (size_t)tile * plane * (size_t)p->channels;
    const double range = p->range[p->each ? tile : 0];
    const size_t top = (size_t)side_pixels(p, row, p->cut_h, scale), bytes = (size_t)(p->cut_w * scale) * 3;
    uint8_t *line = picture->pixels + top * pitch + (size_t)side_pixels(p, column, p->cut_w, scale) * 3;
    for (int y = 0; y < p->cut_h; y++) {
        uint8_t *dot = line;
        for (int x = 0; x < p->cut_w; x++) {
            const float *value = values + (size_t)y * (size_t)p->w + x;
            uint8_t color[3];
            if (p->channels == 3)
                true_color(value, plane, range, color);
            else
                map_color(value, range, color);
            for (int i = 0; i < scale; i++, dot += 3)
                memcpy(dot, color, sizeof color);
        }
        for (int i = 1; i < scale; i++)
            memcpy(line + (size_t)i * pitch, line, bytes);
        line += (size_t)scale * pitch;
    }
}

static void paint(const struct plan *p, int columns, const struct store_tiles_facts *facts,
                  struct store_picture *picture)
{
    const size_t pitch = (size_t)picture->w * 3;
    for (int x = 0; x < picture->w; x++)
        memcpy(picture->pixels + 3 * x, gap_color, sizeof gap_color);
    for (int y = 1; y < picture->h; y++)
        memcpy(picture->pixels + (size_t)y * pitch, picture->pixels, pitch);
    for (int row = 0; row < facts->rows; row++)
        for (int column = 0; column < facts->columns; column++) {
            int64_t tile = (int64_t)row * columns + column;
            if (tile < p->n)
                paint_tile(p, (int)tile, row, column, facts->scale, picture);
        }
}

static enum st check(const struct store_tiles *t)
{
    const int side = t->side_max ? t->side_max : STORE_SIDE_MAX, gap = t->gap ? t->gap : GAP;
    if (t->n < 1 || t->tile_h < 1 || t->tile_w < 1)
        return st_fail(ST_INPUT, "cannot draw %d tiles of %d x %d values: there are none", t->n, t->tile_h, t->tile_w);
    if (t->channels != 0 && t->channels != 1 && t->channels != 3)
        return st_fail(ST_INTERNAL, "tiles of %d channels; 1 and 3 are allowed", t->channels);
    if (side < 1 || side > SIDE_MOST || gap < 0 || gap > (side - 1) / 2)
        return st_fail(ST_INPUT, "cannot draw tiles with gaps of %d pixels in %d a side: up to %d are allowed", gap,
                       side, SIDE_MOST);
    if (t->columns < 0 || !(t->range >= 0) || !isfinite(t->range))
        return st_fail(ST_INPUT, "cannot draw tiles in %d columns, in the range %g", t->columns, t->range);
    return ST_OK;
}

enum st store_tiles_draw(const struct store_tiles *t, struct store_picture *out, struct store_tiles_facts *facts)
{
    enum st s = ST_OK;
    struct plan p = {.values = t->values, .n = t->n, .h = t->tile_h, .w = t->tile_w,
                     .channels = t->channels ? t->channels : 1, .gap = t->gap ? t->gap : GAP,
                     .side_max = t->side_max ? t->side_max : STORE_SIDE_MAX, .each = t->each};
    *facts = (struct store_tiles_facts){0};
    TRY(check(t));
    const int room = p.side_max - 2 * p.gap, wish = t->side_wanted ? t->side_wanted : SIDE_WANTED;
    const int wanted = p.side_max < wish ? p.side_max : wish;
    p.cut_h = p.h < room ? p.h : room;
    p.cut_w = p.w < room ? p.w : room;
    TRY(NEW(p.range, p.each ? (size_t)p.n : 1));
    measure(&p, t->range, facts);
    if (t->columns)
        cut_grid(&p, t->columns, wanted, facts);
    else
        choose_grid(&p, wanted, facts);
    TRY(store_picture_new((int)side_pixels(&p, facts->columns, p.cut_w, facts->scale),
                          (int)side_pixels(&p, facts->rows, p.cut_h, facts->scale), 3, out));
    paint(&p, t->columns ? t->columns : facts->columns, facts, out);
out:
    mem_free(p.range);
    return s;
}

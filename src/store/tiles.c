/* Weights as a picture: one tile a row of values, a diverging map, whole pixels. */
#include "store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP = 2,            /* pixels around and between tiles */
    SIDE_MAX = 4096,    /* of a picture, in pixels */
    SIDE_WANTED = 1200, /* enlarge while the longer side stays within this */
    SCALE_MAX = 8,
    TILE_MAX = SIDE_MAX - 2 * GAP,
};

/* ColorBrewer's RdBu with 11 classes (Brewer 2002, colorbrewer2.org), blue first: both arms have nearly the same
 * lightness at the same distance from zero, and readers with any common colour blindness can tell them apart. */
static const uint8_t map[][3] = {
    {5, 48, 97},     {33, 102, 172},  {67, 147, 195},  {146, 197, 222}, {209, 229, 240}, {247, 247, 247},
    {253, 219, 199}, {244, 165, 130}, {214, 96, 77},   {178, 24, 43},   {103, 0, 31},
};
static const uint8_t gap_color[3] = {64, 64, 64};
static const uint8_t bad_color[3] = {120, 230, 0}; /* NaN and infinity: no mixture of the map comes near it */

static void color_of(float value, double range, uint8_t out[3])
{
    const int arm = (int)COUNT_OF(map) / 2; /* index of zero */
    if (!isfinite(value)) {
        memcpy(out, bad_color, sizeof bad_color);
        return;
    }
    double at = range > 0 ? fmax(-1, fmin(1, value / range)) : 0;
    double place = (at + 1) * arm;
    int below = (int)place;
    if (below >= 2 * arm)
        below = 2 * arm - 1;
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)lround(map[below][c] + (place - below) * (map[below + 1][c] - map[below][c]));
}

static int compare_floats(const void *left, const void *right)
{
    const float *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Fills range, clipped and bad: from all tiles, shown or not. */
static enum st measure(const struct store_tiles *tiles, struct store_tiles_facts *facts)
{
    enum st s = ST_OK;
    size_t count = (size_t)tiles->n * (size_t)tiles->tile_h * (size_t)tiles->tile_w, finite = 0, outside = 0;
    float *sizes;
    TRY(NEW(sizes, count));
    for (size_t i = 0; i < count; i++)
        if (isfinite(tiles->values[i]))
            sizes[finite++] = fabsf(tiles->values[i]);
    facts->bad = (int64_t)(count - finite);
    if (finite) {
        qsort(sizes, finite, sizeof *sizes, compare_floats);
        facts->range = sizes[finite - 1 - finite / 1000];
        if (facts->range <= 0) /* almost all are zero: show the few that are not */
            facts->range = sizes[finite - 1];
        while (outside < finite && sizes[finite - 1 - outside] > facts->range)
            outside++;
        facts->clipped = (double)outside / (double)finite;
    }
out:
    mem_free(sizes);
    return s;
}

/* Pixels along `count` tiles of `values` values, gaps included. */
static int64_t side_pixels(int64_t count, int64_t values, int64_t scale)
{
    return count * (values * scale + GAP) + GAP;
}

/* Sets the grid with the shortest longer side at this scale, and returns that side; of several grids the one with the
 * fewest empty places, then the widest. */
static int64_t fit_grid(const struct store_tiles *tiles, int scale, struct store_tiles_facts *facts)
{
    int64_t best = INT64_MAX, best_cells = 0;
    for (int columns = 1; columns <= facts->shown; columns++) {
        int rows = (facts->shown + columns - 1) / columns;
        int64_t w = side_pixels(columns, tiles->tile_w, scale), h = side_pixels(rows, tiles->tile_h, scale);
        int64_t longer = w > h ? w : h, cells = (int64_t)columns * rows;
        if (w > SIDE_MAX)
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

static void choose_layout(const struct store_tiles *tiles, struct store_tiles_facts *facts)
{
    int most = (SIDE_MAX - GAP) / (tiles->tile_w + GAP) * ((SIDE_MAX - GAP) / (tiles->tile_h + GAP));
    facts->shown = tiles->n < most ? tiles->n : most;
    int scale = SCALE_MAX;
    while (fit_grid(tiles, scale, facts) > SIDE_WANTED && scale > 1)
        scale--;
}

static void paint_tile(const struct store_tiles *tiles, int tile, const struct store_tiles_facts *facts,
                       struct store_picture *picture)
{
    const int h = tiles->tile_h, w = tiles->tile_w, scale = facts->scale;
    const float *values = tiles->values + (size_t)tile * (size_t)h * (size_t)w;
    const int top = (int)side_pixels(tile / facts->columns, h, scale);
    const int left = (int)side_pixels(tile % facts->columns, w, scale);
    for (int i = 0; i < h * w; i++) {
        uint8_t color[3];
        color_of(values[i], facts->range, color);
        for (int dot = 0; dot < scale * scale; dot++) {
            int y = top + i / w * scale + dot / scale, x = left + i % w * scale + dot % scale;
            memcpy(picture->pixels + ((size_t)y * (size_t)picture->w + (size_t)x) * 3, color, sizeof color);
        }
    }
}

enum st store_tiles_draw(const struct store_tiles *tiles, struct store_picture *out, struct store_tiles_facts *facts)
{
    enum st s = ST_OK;
    *facts = (struct store_tiles_facts){0};
    if (tiles->n < 1 || tiles->tile_h < 1 || tiles->tile_w < 1 || tiles->tile_h > TILE_MAX || tiles->tile_w > TILE_MAX)
        TRY(st_fail(ST_INPUT, "cannot draw %d tiles of %d x %d values: 1 to %d a side are allowed", tiles->n,
                    tiles->tile_h, tiles->tile_w, TILE_MAX));
    TRY(measure(tiles, facts));
    choose_layout(tiles, facts);
    TRY(store_picture_new((int)side_pixels(facts->columns, tiles->tile_w, facts->scale),
                          (int)side_pixels(facts->rows, tiles->tile_h, facts->scale), 3, out));
    for (size_t i = 0; i < (size_t)out->w * (size_t)out->h; i++)
        memcpy(out->pixels + i * 3, gap_color, sizeof gap_color);
    for (int tile = 0; tile < facts->shown; tile++)
        paint_tile(tiles, tile, facts, out);
out:
    return s;
}

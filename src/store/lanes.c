/* Time lines: what happened when, in rows, several charts under each other on one scale of time. */
#include "inside.h"

#include <math.h>
#include <string.h>

enum {
    PLOT_W = 960,
    ROW = 28, ROW_AIR = 6, /* a row, and what of it is air */
    ROW_NAMED = 12,        /* lower rows have no names */
    NAME_MOST = 240,
    TITLE_H = 28,
    AXIS_H = 46,
    GAP = 16,
    LEGEND_AIR = 8,
};

struct chart {
    struct canvas *canvas;
    const struct store_lanes *lanes;
    int n, w, h, row;    /* pixels of a row */
    int rows_left;       /* that fit, over all charts */
    double left;         /* of plots */
    struct axis time;
    struct key *key;
    bool shared;         /* one legend for all */
};

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static bool same_legends(const struct store_lanes *lanes, int n)
{
    for (int i = 1; i < n; i++) {
        if (lanes[i].legend_n != lanes[0].legend_n)
            return false;
        for (int j = 0; j < lanes[0].legend_n; j++)
            if (strcmp(lanes[i].legend[j], lanes[0].legend[j]) != 0)
                return false;
    }
    return true;
}

/* The span, or where it is none, the end of the last bar. */
static double end_of(const struct store_lanes *lanes)
{
    double end = 0;
    if (lanes->span_ms > 0 && is_drawable(lanes->span_ms))
        return lanes->span_ms;
    for (int i = 0; i < lanes->n; i++)
        if (is_drawable(lanes->bar[i].end_ms))
            end = fmax(end, lanes->bar[i].end_ms);
    return end;
}

static double lanes_legend(struct chart *c, const struct store_lanes *lanes, double y, bool draw)
{
    for (int i = 0; i < lanes->legend_n; i++)
        c->key[i] = (struct key){.name = lanes->legend[i], .color = palette_color(i)};
    double h = legend(c->canvas, c->key, lanes->legend_n, CHART_PAD, y, c->w - 2 * CHART_PAD, draw);
    return h > 0 ? h + LEGEND_AIR : 0;
}

static enum st check_lanes(const struct store_lanes *lanes, int i)
{
    if (lanes->rows < 0)
        return st_fail(ST_INTERNAL, "time line %d of %d rows", i, lanes->rows);
    for (int b = 0; b < lanes->n; b++)
        if (lanes->bar[b].row < 0 || lanes->bar[b].row >= lanes->rows)
            return st_fail(ST_INTERNAL, "bar %d of time line %d is in row %d of %d", b, i, lanes->bar[b].row,
                           lanes->rows);
    return ST_OK;
}

/* Rows get lower where there are many; what still does not fit is left out at the end. */
static enum st lay_out(struct chart *c)
{
    enum st s = ST_OK;
    int keys = 0;
    double rows = 0, end = 0, names = 0, h = 2 * CHART_PAD + AXIS_H - GAP;
    for (int i = 0; i < c->n; i++) {
        const struct store_lanes *l = &c->lanes[i];
        TRY(check_lanes(l, i));
        rows += l->rows;
        end = fmax(end, end_of(l));
        keys = l->legend_n > keys ? l->legend_n : keys;
        names = fmax(names, widest(c->canvas, font_text, l->row, l->rows, NAME_MOST));
    }
    TRY(NEW(c->key, (size_t)keys));
    c->left = CHART_PAD + names + (names > 0 ? 10 : 0);
    c->w = (int)c->left + PLOT_W + CHART_PAD + 12; /* the last number may reach over the end */
    axis_set(&c->time, 0, end > 1e-6 ? end : 1, PLOT_W / 95, false);
    for (int i = 0; i < c->n; i++)
        h += GAP + (c->lanes[i].title ? TITLE_H : 0) +
             (c->shared && i > 0 ? 0 : lanes_legend(c, &c->lanes[i], 0, false));
    const double room = fmax(1, STORE_SIDE_MAX - h);
    if (h >= STORE_SIDE_MAX)
        TRY(st_fail(ST_INPUT, "cannot draw %d time lines: too many for %d pixels", c->n, STORE_SIDE_MAX));
    c->row = rows * ROW <= room ? ROW : rows <= room ? (int)(room / rows) : 1;
    c->rows_left = (int)fmin(rows, room);
    c->h = (int)ceil(h) + c->rows_left * c->row;
out:
    return s;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static double x_of(const struct chart *c, double ms)
{
    return c->left + fmax(0, fmin(1, axis_place(&c->time, ms))) * PLOT_W;
}

/* Bars end a pixel early, so that neighbours can be told apart; narrow ones by a part of their width; of those within a
 * pixel, only how full it is can be seen. */
static void draw_bar(struct chart *c, const struct store_bar *bar, double y, double h)
{
    const uint8_t *color = palette_color(bar->color);
    if (!is_drawable(bar->start_ms) || !is_drawable(bar->end_ms))
        return;
    const double x0 = x_of(c, bar->start_ms), x1 = x_of(c, bar->end_ms), wide = x1 - x0;
    if (!(wide > 0))
        return;
    if (wide >= 3) /* whole pixels are sharp */
        draw_box(c->canvas, round(x0), y, fmax(1, round(x1) - round(x0) - 1), h, color);
    else
        draw_box(c->canvas, x0, y, wide >= 1 ? 0.75 * wide : wide, h, color);
    if (h >= font_small.size && bar->label && text_width(c->canvas, font_small, bar->label) <= wide - 6)
        draw_text(c->canvas, &(struct words){.text = bar->label, .x = (round(x0) + round(x1) - 1) / 2, .y = y + h / 2,
                                             .font = font_small, .side = AT_CENTER,
                                             .color = is_dark(color) ? white : ink});
}

/* Paper of a chart that ends before the others do, and the grid, which is the same in all. */
static void draw_ground(struct chart *c, const struct store_lanes *l, double y, double h)
{
    static const uint8_t ground[3] = {246, 246, 246};
    const double end = round(x_of(c, end_of(l)));
    draw_box(c->canvas, c->left, y, end - c->left, h, ground);
    for (int i = 0; i < c->time.ticks; i++)
        draw_box(c->canvas, round(x_of(c, axis_tick(&c->time, i))), y, 1, h, faint);
    draw_box(c->canvas, c->left, y, 1, h, grey);
}

static double draw_lanes(struct chart *c, const struct store_lanes *l, double y)
{
    const int rows = l->rows < c->rows_left ? l->rows : c->rows_left, air = c->row >= ROW_NAMED ? ROW_AIR : 0;
    const double h = rows * c->row;
    c->rows_left -= rows;
    if (l->title) {
        draw_text(c->canvas, &(struct words){.text = l->title, .x = c->left, .y = y + 10, .font = font_bold,
                                             .most = c->w - c->left - CHART_PAD});
        y += TITLE_H;
    }
    draw_ground(c, l, y, h);
    for (int r = 0; r < rows && c->row >= ROW_NAMED; r++)
        draw_text(c->canvas, &(struct words){.text = l->row[r], .x = c->left - 10, .y = y + (r + 0.5) * c->row,
                                             .font = font_text, .side = AT_RIGHT, .most = c->left - 10 - CHART_PAD});
    bool any = false;
    for (int i = 0; i < l->n; i++) {
        if (l->bar[i].row >= rows)
            continue;
        any = true;
        draw_bar(c, &l->bar[i], y + l->bar[i].row * c->row + air / 2, c->row - air);
    }
    if (!any && rows > 0)
        draw_text(c->canvas, &(struct words){.text = "nothing to show", .x = c->left + PLOT_W / 2.0, .y = y + h / 2,
                                             .font = font_text, .side = AT_CENTER, .color = grey});
    return y + h;
}

static double draw_time(struct chart *c, double y)
{
    char label[TICK_BYTES];
    draw_box(c->canvas, c->left, y, PLOT_W, 1, grey);
    for (int i = 0; i < c->time.ticks; i++) {
        const double x = round(x_of(c, axis_tick(&c->time, i)));
        axis_label(&c->time, i, label);
        draw_box(c->canvas, x, y, 1, 5, grey);
        draw_text(c->canvas, &(struct words){.text = label, .x = x, .y = y + 15, .font = font_small,
                                             .side = AT_CENTER, .color = grey});
    }
    draw_text(c->canvas, &(struct words){.text = "ms", .x = c->left + PLOT_W / 2.0, .y = y + 34, .font = font_text,
                                         .side = AT_CENTER});
    return y + AXIS_H;
}

enum st store_lanes_draw(const struct store_lanes *lanes, int n, struct store_picture *out)
{
    enum st s = ST_OK;
    struct chart c = {.lanes = lanes, .n = n, .shared = same_legends(lanes, n)};
    double y = CHART_PAD;
    if (n < 1)
        return draw_nothing(NULL, out);
    TRY(canvas_open(&c.canvas));
    TRY(lay_out(&c));
    TRY(canvas_begin(c.canvas, c.w, c.h));
    for (int i = 0; i < n; i++) {
        y = draw_lanes(&c, &lanes[i], y + (i > 0 ? GAP : 0));
        if (i == n - 1)
            y = draw_time(&c, y);
        if (!c.shared || i == n - 1)
            y += lanes_legend(&c, &lanes[i], y + LEGEND_AIR, true);
    }
    TRY(canvas_end(c.canvas, out));
out:
    mem_free(c.key);
    canvas_free(c.canvas);
    return s;
}

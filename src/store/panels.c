/* Panels of lines side by side, all of one size, with axes of their own. */
#include "inside.h"

#include <math.h>
#include <string.h>

enum {
    PANEL_W = 460, ONE_W = 680, PLOT_H = 270, ONE_H = 330, /* of several, and of one alone */
    PANEL_LEAST = 220, PLOT_LEAST = 60,                    /* where there are many */
    GAP = 18,
    TICK_GAP = 7,
    ENOUGH = 100, /* rows or columns: numbers of pixels stay small */
    TURNED = 24, /* a title beside an axis */
    DOT_FROM = 24, /* pixels between points from which on each is marked */
};

/* Where a panel's plot lies. All panels have the same margins, so that plots line up. */
struct plot {
    struct axis x, y;
    bool empty;
    double left, top, w, h;
};

struct chart {
    struct canvas *canvas;
    const struct store_panel *panel;
    struct plot *plot;
    int n, columns, rows, w, h;
    int panel_w;
    double left, above, below; /* margins of a plot */
    double plot_h;
    struct key *key;  /* of all panels, panel by panel; or the first `keys`, for all */
    int keys;
    bool shared;      /* one legend for all */
    double legend_h;
};

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool shown(const struct store_line *line, int i)
{
    return is_drawable(line->x[i]) && is_drawable(line->y[i]);
}

static void set_axes(const struct store_panel *p, struct plot *plot)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (int l = 0; l < p->n; l++)
        for (int i = 0; i < p->line[l].n; i++) {
            const struct store_line *line = &p->line[l];
            if (!shown(line, i))
                continue;
            x0 = fmin(x0, line->x[i]);
            x1 = fmax(x1, line->x[i]);
            y0 = fmin(y0, line->y[i]);
            y1 = fmax(y1, line->y[i]);
        }
    plot->empty = !(x0 <= x1);
    if (plot->empty)
        x0 = x1 = y0 = y1 = 0;
    if (p->from_zero) { /* or reaches it */
        y0 = fmin(y0, 0);
        y1 = fmax(y1, 0);
    }
    const double air = 0.05 * (y1 - y0), beside = 0.015 * (x1 - x0);
    axis_set(&plot->x, x0 - beside, x1 + beside, plot->w / 90, p->whole_x);
    axis_set(&plot->y, p->from_zero && !(y0 < 0) ? y0 : y0 - air, y1 + air, plot->h / 50, false);
    if (p->from_zero && y0 >= 0 && plot->y.lo < 0) /* all are zero: parted to both sides */
        axis_set(&plot->y, 0, plot->y.hi, plot->h / 50, false);
}

/* ---- legends ----------------------------------------------------------------------------------------------------- */

static bool has_key(const struct key *keys, int n, const struct key *key, bool by_name)
{
    for (int i = 0; i < n; i++)
        if (keys[i].color == key->color && keys[i].dashed == key->dashed &&
            (!by_name || strcmp(keys[i].name, key->name) == 0))
            return true;
    return false;
}

static int collect_keys(const struct store_panel *p, struct key *key)
{
    int n = 0;
    for (int l = 0; l < p->n; l++)
        if (p->line[l].name)
            key[n++] = (struct key){p->line[l].name, palette_color(p->line[l].color), true, p->line[l].dashed};
    return n;
}

/* One legend serves all panels unless a look means different things in two of them. */
static enum st choose_legend(struct chart *c)
{
    enum st s = ST_OK;
    size_t lines = 0;
    for (int i = 0; i < c->n; i++)
        lines += (size_t)c->panel[i].n;
    TRY(NEW(c->key, 2 * lines)); /* those of all, and behind them, later, those of one panel */
    c->shared = true;
    for (int i = 0; i < c->n; i++) {
        struct key *own = c->key + lines;
        const int n = collect_keys(&c->panel[i], own), before = c->keys;
        for (int j = 0; j < n; j++) {
            if (has_key(c->key, c->keys, &own[j], true))
                continue;
            if (has_key(c->key, before, &own[j], false))
                c->shared = false;
            c->key[c->keys++] = own[j];
        }
    }
out:
    return s;
}

static double panel_legend(struct chart *c, int i, double x, double y, bool draw)
{
    const int n = collect_keys(&c->panel[i], c->key);
    return legend(c->canvas, c->key, n, x, y, c->panel_w, draw);
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static double tick_width(struct canvas *c, const struct axis *a)
{
    double w = 0;
    for (int i = 0; i < a->ticks; i++) {
        char label[TICK_BYTES];
        axis_label(a, i, label);
        w = fmax(w, text_width(c, font_small, label));
    }
    return ceil(w);
}

static void measure_margins(struct chart *c)
{
    bool y_title = false, x_title = false, title = false;
    double ticks = 0;
    for (int i = 0; i < c->n; i++) {
        y_title |= c->panel[i].y_title != NULL;
        x_title |= c->panel[i].x_title != NULL;
        title |= c->panel[i].title != NULL;
        c->plot[i].h = c->plot_h;
        c->plot[i].w = c->panel_w - 60; /* nearly */
        set_axes(&c->panel[i], &c->plot[i]);
        ticks = fmax(ticks, c->plot[i].empty ? 0 : tick_width(c->canvas, &c->plot[i].y));
    }
    c->left = (y_title ? TURNED : 0) + fmin(ticks, c->panel_w / 2.0) + TICK_GAP;
    c->above = title ? 26 : 6;
    c->below = 22 + (x_title ? CHART_LINE : 0);
}

static void measure_legends(struct chart *c)
{
    if (c->shared)
        c->legend_h = legend(c->canvas, c->key, c->keys, 0, 0, c->w - 2 * CHART_PAD, false);
    for (int i = 0; i < c->n && !c->shared; i++)
        c->legend_h = fmax(c->legend_h, panel_legend(c, i, 0, 0, false));
    if (c->legend_h > 0)
        c->legend_h += 8;
}

static enum st too_many(const struct chart *c)
{
    return st_fail(ST_INPUT, "cannot draw %d panels in %d columns: too many for %d pixels a side", c->n, c->columns,
                   STORE_SIDE_MAX);
}

static enum st lay_out(struct chart *c, const char *title)
{
    const int room = STORE_SIDE_MAX - 2 * CHART_PAD;
    c->rows = (c->n + c->columns - 1) / c->columns;
    if (c->columns > ENOUGH || c->rows > ENOUGH)
        return too_many(c);
    c->panel_w = c->n == 1 ? ONE_W : PANEL_W;
    if (c->columns * (c->panel_w + GAP) - GAP > room)
        c->panel_w = (room + GAP) / c->columns - GAP;
    c->plot_h = c->n == 1 ? ONE_H : PLOT_H;
    c->w = c->columns * (c->panel_w + GAP) - GAP + 2 * CHART_PAD;
    measure_legends(c);
    measure_margins(c);
    const double other = c->above + c->below + (c->shared ? 0 : c->legend_h);
    const double rest = room - (title ? CHART_TITLE : 0) - (c->shared ? c->legend_h : 0) + GAP;
    if (c->rows * (other + c->plot_h + GAP) > rest)
        c->plot_h = floor(rest / c->rows) - other - GAP;
    if (c->panel_w < PANEL_LEAST || !(c->plot_h >= PLOT_LEAST))
        return too_many(c);
    const double y = title ? CHART_PAD + CHART_TITLE : CHART_PAD;
    for (int i = 0; i < c->n; i++) {
        struct plot *p = &c->plot[i];
        p->left = CHART_PAD + i % c->columns * (c->panel_w + GAP) + c->left;
        p->top = y + i / c->columns * (other + c->plot_h + GAP) + c->above;
        p->w = c->panel_w - c->left - 6;
        p->h = c->plot_h;
        set_axes(&c->panel[i], p);
    }
    c->h = (int)ceil(y + c->rows * (other + c->plot_h + GAP) - GAP + (c->shared ? c->legend_h : 0) + CHART_PAD);
    return ST_OK;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static double x_of(const struct plot *p, double v)
{
    return p->left + axis_place(&p->x, v) * p->w;
}

static double y_of(const struct plot *p, double v)
{
    return p->top + (1 - axis_place(&p->y, v)) * p->h;
}

static void draw_axes(struct canvas *c, const struct plot *p)
{
    char label[TICK_BYTES];
    for (int i = 0; i < p->y.ticks && !p->empty; i++) {
        const double y = round(y_of(p, axis_tick(&p->y, i)));
        axis_label(&p->y, i, label);
        draw_box(c, p->left, y, p->w, 1, faint);
        draw_text(c, &(struct words){.text = label, .x = p->left - TICK_GAP, .y = y, .font = font_small,
                                     .side = AT_RIGHT, .color = grey});
    }
    const double apart = p->w * p->x.step / (p->x.hi - p->x.lo);
    const int each = 1 + (int)fmin(10, (tick_width(c, &p->x) + 8) / apart); /* long numbers: not at every line */
    for (int i = 0; i < p->x.ticks && !p->empty; i++) {
        const double x = round(x_of(p, axis_tick(&p->x, i)));
        axis_label(&p->x, i, label);
        draw_box(c, x, p->top, 1, p->h, faint);
        if (i % each == 0)
            draw_text(c, &(struct words){.text = label, .x = x, .y = p->top + p->h + 12, .font = font_small,
                                         .side = AT_CENTER, .color = grey});
    }
    draw_box(c, p->left, p->top, 1, p->h, grey);
    draw_box(c, p->left, p->top + p->h, p->w, 1, grey);
}

static void draw_titles(struct canvas *c, const struct chart *chart, const struct store_panel *panel,
                        const struct plot *p)
{
    const double middle = p->left + p->w / 2;
    draw_text(c, &(struct words){.text = panel->title, .x = middle, .y = p->top - 15, .font = font_bold,
                                 .side = AT_CENTER, .most = p->w});
    draw_text(c, &(struct words){.text = panel->x_title, .x = middle, .y = p->top + p->h + 31, .font = font_text,
                                 .side = AT_CENTER, .most = p->w});
    draw_text(c, &(struct words){.text = panel->y_title, .x = p->left - chart->left + 9, .y = p->top + p->h / 2,
                                 .font = font_text, .side = AT_CENTER, .most = p->h, .turn = -90});
}

/* Values from..to - 1, all drawable. Pieces are faster to draw than one long line; dashes need it whole. */
static void draw_run(struct canvas *c, const struct plot *p, const struct store_line *line, int from, int to)
{
    const uint8_t *color = palette_color(line->color);
    const int piece = line->dashed ? to - from : 400;
    for (int i = from; i < to - 1; i += piece) {
        path_start(c, x_of(p, line->x[i]), y_of(p, line->y[i]));
        for (int j = i + 1; j < to && j <= i + piece; j++)
            path_to(c, x_of(p, line->x[j]), y_of(p, line->y[j]));
        path_draw(c, 2, line->dashed, color);
    }
    const bool marked = to - from == 1 || (!line->dashed && p->w / line->n >= DOT_FROM);
    for (int i = from; marked && i < to; i++)
        draw_dot(c, x_of(p, line->x[i]), y_of(p, line->y[i]), 3, color);
}

static void draw_line(struct canvas *c, const struct plot *p, const struct store_line *line)
{
    for (int from = 0, to; from < line->n; from = to) {
        to = from;
        while (to < line->n && shown(line, to))
            to++;
        if (to > from)
            draw_run(c, p, line, from, to);
        while (to < line->n && !shown(line, to))
            to++;
    }
}

static void draw_panel(struct chart *c, int i)
{
    const struct store_panel *panel = &c->panel[i];
    const struct plot *p = &c->plot[i];
    draw_axes(c->canvas, p);
    draw_titles(c->canvas, c, panel, p);
    if (p->empty)
        draw_text(c->canvas, &(struct words){.text = "nothing to show", .x = p->left + p->w / 2,
                                             .y = p->top + p->h / 2, .font = font_text, .side = AT_CENTER,
                                             .color = grey});
    for (int l = 0; l < panel->n; l++)
        draw_line(c->canvas, p, &panel->line[l]);
    if (!c->shared)
        panel_legend(c, i, p->left - c->left, p->top + p->h + c->below + 8, true);
}

enum st store_panels_draw(const char *title, const struct store_panel *panel, int n, int columns,
                          struct store_picture *out)
{
    enum st s = ST_OK;
    struct chart c = {.panel = panel, .n = n, .columns = columns > 0 && columns < n ? columns : n};
    if (n < 1)
        return draw_nothing(title, out);
    TRY(canvas_open(&c.canvas));
    TRY(NEW(c.plot, (size_t)n));
    TRY(choose_legend(&c));
    TRY(lay_out(&c, title));
    TRY(canvas_begin(c.canvas, c.w, c.h));
    draw_title(c.canvas, title, c.w);
    for (int i = 0; i < n; i++)
        draw_panel(&c, i);
    if (c.shared)
        legend(c.canvas, c.key, c.keys, CHART_PAD, c.h - CHART_PAD - c.legend_h + 8, c.w - 2 * CHART_PAD, true);
    TRY(canvas_end(c.canvas, out));
out:
    mem_free(c.key);
    mem_free(c.plot);
    canvas_free(c.canvas);
    return s;
}

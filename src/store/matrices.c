/* Matrices side by side: cells in shades of blue, with names along the sides, and text or a scale. */
#include "inside.h"

#include <math.h>
#include <stdio.h>

enum {
    SIDE = 400,                     /* of a matrix without text, about */
    CELL_MOST = 40,                 /* of one without text */
    CELL_TEXT = 34, TEXT_MOST = 96, /* of one with text: at least, at most */
    CELL_GRID = 10,                 /* smaller cells have no lines between them */
    NAME_MOST = 150, NAME_H = 15, NAME_GAP = 7,
    TURNED = 24,
    TITLE_H = 28,
    SCALE_GAP = 14, SCALE_W = 12,
    GAP = 28,
    ENOUGH = 100, /* matrices side by side or under each other */
    EMPTY_W = 200, EMPTY_H = 80,
};

static const uint8_t nothing_color[3] = {190, 190, 190};

struct block {
    int across, down; /* pixels of a cell; 0: nothing to show */
    int w, h;         /* of all cells */
    int left, right, above, below; /* margins, for names, titles and the scale */
    bool turned;      /* names of columns */
};

/* A row or a column of matrices: as wide as the widest, their cells aligned. */
struct track {
    int before, size, after;
};

struct chart {
    struct canvas *canvas;
    const struct store_matrix *m;
    struct block *block;
    struct track column[ENOUGH], row[ENOUGH];
    int n, columns, rows, w, h;
};

static bool is_empty(const struct store_matrix *m)
{
    return m->rows < 1 || m->columns < 1 || !m->values;
}

static int names_of(const struct store_matrix *m, int cells)
{
    return m->group > 0 ? cells / m->group + (cells % m->group != 0) : cells;
}

static bool has_scale(const struct store_matrix *m)
{
    return !m->text && !is_empty(m) && is_drawable(m->least) && is_drawable(m->most);
}

static double place_of(const struct store_matrix *m, double v)
{
    if (!(m->most > m->least))
        return v > m->least ? 1 : 0;
    return (v - m->least) / (m->most - m->least);
}

static void cell_color(const struct store_matrix *m, double v, uint8_t out[3])
{
    if (v != v)
        for (int c = 0; c < 3; c++)
            out[c] = nothing_color[c];
    else
        sequential_color(place_of(m, v), out);
}

static void scale_label(double v, char out[TICK_BYTES])
{
    snprintf(out, TICK_BYTES, "%s%.3g", v < 0 ? "\xe2\x88\x92" : "", fabs(v));
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static enum st too_many(const struct chart *c)
{
    return st_fail(ST_INPUT, "cannot draw %d matrices in %d columns: too much for %d pixels a side", c->n, c->columns,
                   STORE_SIDE_MAX);
}

/* The cells as large as they want to be. */
static void choose_cells(struct chart *c, int i)
{
    const struct store_matrix *m = &c->m[i];
    struct block *b = &c->block[i];
    const int longer = m->rows > m->columns ? m->rows : m->columns;
    if (is_empty(m))
        return;
    b->across = b->down = longer >= SIDE ? 1 : SIDE / longer < CELL_MOST ? SIDE / longer : CELL_MOST;
    if (m->text) {
        b->across = (int)widest(c->canvas, font_text, m->text, m->rows * m->columns, TEXT_MOST - 12) + 12;
        b->across = b->across > CELL_TEXT ? b->across : CELL_TEXT;
        b->down = b->across < CELL_MOST ? b->across : CELL_MOST;
    }
}

/* Pixels of the names below a matrix; those that would touch are turned, and may reach out to the left. */
static int measure_columns(struct canvas *c, const struct store_matrix *m, struct block *b, int *beside)
{
    const double w = widest(c, font_text, m->column_name, names_of(m, m->columns), NAME_MOST);
    const int each = m->group > 0 ? m->group : 1;
    b->turned = w + 6 > b->across * each;
    if (!b->turned)
        return CHART_LINE + 2;
    *beside = (int)(0.71 * w - b->across * each / 2.0);
    return (int)(0.71 * (w + 14)) + NAME_GAP;
}

static void measure_margins(struct canvas *c, const struct store_matrix *m, struct block *b)
{
    int names = 0, beside = 0;
    b->above = m->title ? TITLE_H : 0;
    if (is_empty(m))
        return;
    if (m->row_name)
        names = (int)widest(c, font_text, m->row_name, names_of(m, m->rows), NAME_MOST) + NAME_GAP;
    if (m->column_name)
        b->below = measure_columns(c, m, b, &beside);
    b->left = names + (m->row_title ? TURNED : 0);
    b->left = b->left > beside ? b->left : beside;
    b->below += m->column_title ? CHART_LINE + 4 : 0;
    if (has_scale(m)) {
        char least[TICK_BYTES], most[TICK_BYTES];
        scale_label(m->least, least);
        scale_label(m->most, most);
        b->right = SCALE_GAP + SCALE_W + 6 +
                   (int)ceil(fmax(text_width(c, font_small, least), text_width(c, font_small, most)));
    }
}

/* Cells shrink where a picture would get too large: to so many pixels for all of them. */
static enum st size_cells(const struct chart *c, int i, int room_w, int room_h)
{
    const struct store_matrix *m = &c->m[i];
    struct block *b = &c->block[i];
    if (b->across == 0) {
        b->w = EMPTY_W;
        b->h = EMPTY_H;
        return EMPTY_W <= room_w && EMPTY_H <= room_h ? ST_OK : too_many(c);
    }
    if (room_w / m->columns < b->across)
        b->across = room_w / m->columns;
    if (room_h / m->rows < b->down)
        b->down = room_h / m->rows;
    if (!m->text) /* square */
        b->across = b->down = b->across < b->down ? b->across : b->down;
    b->w = b->across * m->columns;
    b->h = b->down * m->rows;
    return b->across < 1 || b->down < 1 ? too_many(c) : ST_OK;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static void widen(struct track *t, int before, int size, int after)
{
    *t = (struct track){larger(t->before, before), larger(t->size, size), larger(t->after, after)};
}

static enum st lay_out(struct chart *c, const char *title)
{
    enum st s = ST_OK;
    const int room = STORE_SIDE_MAX - 2 * CHART_PAD + GAP, top = title ? CHART_TITLE : 0;
    struct track across = {0}, down = {0}; /* the margins of all */
    c->rows = c->n / c->columns + (c->n % c->columns != 0);
    if (c->columns > ENOUGH || c->rows > ENOUGH)
        return too_many(c);
    for (int i = 0; i < c->n; i++) {
        struct block *b = &c->block[i];
        if (c->m[i].rows > STORE_SIDE_MAX || c->m[i].columns > STORE_SIDE_MAX)
            return too_many(c);
        choose_cells(c, i);
        measure_margins(c->canvas, &c->m[i], b);
        widen(&across, b->left, 0, b->right);
        widen(&down, b->above, 0, b->below);
    }
    const int most_w = room / c->columns - GAP - across.before - across.after;
    const int most_h = (room - top) / c->rows - GAP - down.before - down.after;
    for (int i = 0; i < c->n; i++) {
        const struct block *b = &c->block[i];
        TRY(size_cells(c, i, most_w, most_h));
        /* titles may be wider than small matrices */
        const double titled = fmin(fmin(SIDE, most_w), text_width(c->canvas, font_bold, c->m[i].title));
        widen(&c->column[i % c->columns], b->left, larger(b->w, (int)ceil(titled)), b->right);
        widen(&c->row[i / c->columns], b->above, b->h, b->below);
    }
    c->w = c->h = 2 * CHART_PAD - GAP;
    for (int i = 0; i < c->columns; i++)
        c->w += c->column[i].before + c->column[i].size + c->column[i].after + GAP;
    for (int i = 0; i < c->rows; i++)
        c->h += c->row[i].before + c->row[i].size + c->row[i].after + GAP;
    c->h += top;
out:
    return s;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static enum st draw_cells(struct canvas *c, const struct store_matrix *m, const struct block *b, int x, int y)
{
    enum st s = ST_OK;
    struct store_picture cells = {0};
    TRY(store_picture_new(m->columns, m->rows, 3, &cells));
    for (int i = 0; i < m->rows * m->columns; i++)
        cell_color(m, m->values[i], cells.pixels + 3 * (size_t)i);
    draw_picture(c, &cells, x, y, b->across, b->down);
    for (int i = 0; m->text && i < m->rows * m->columns; i++) {
        const double middle = x + (i % m->columns + 0.5) * b->across;
        if (!m->text[i] || b->down < NAME_H || text_width(c, font_text, m->text[i]) > b->across - 4)
            continue;
        draw_text(c, &(struct words){.text = m->text[i], .x = middle, .y = y + (i / m->columns + 0.5) * b->down,
                                     .font = font_text, .side = AT_CENTER,
                                     .color = is_dark(cells.pixels + 3 * (size_t)i) ? white : ink});
    }
out:
    store_picture_free(&cells);
    return s;
}

static void draw_grid(struct canvas *c, const struct store_matrix *m, const struct block *b, int x, int y)
{
    const int each = m->group > 0 ? m->group : 1;
    const uint8_t *color = m->group > 0 ? grey : faint;
    if (each * b->across >= CELL_GRID && each * b->down >= CELL_GRID) {
        for (int i = each; i < m->columns; i += each)
            draw_box(c, x + i * b->across, y, 1, b->h, color);
        for (int i = each; i < m->rows; i += each)
            draw_box(c, x, y + i * b->down, b->w, 1, color);
    }
    draw_frame(c, x - 1, y - 1, b->w + 2, b->h + 2, grey);
}

/* Names that would be too close are left out evenly. */
static int name_step(int pixels)
{
    return pixels >= NAME_H ? 1 : (NAME_H + pixels - 1) / pixels;
}

/* The middle of the n-th group, in pixels; the last may be shorter. */
static double middle_of(const struct store_matrix *m, int n, int cells, int pixels)
{
    const int each = m->group > 0 ? m->group : 1, end = cells - n * each < each ? cells : (n + 1) * each;
    return (n * each + end) / 2.0 * pixels;
}

static void draw_names(struct canvas *c, const struct store_matrix *m, const struct block *b, int x, int y)
{
    const int each = m->group > 0 ? m->group : 1;
    const int rows = m->row_name ? names_of(m, m->rows) : 0;
    const int columns = m->column_name ? names_of(m, m->columns) : 0;
    for (int i = 0; i < rows; i += name_step(b->down * each))
        draw_text(c, &(struct words){.text = m->row_name[i], .x = x - NAME_GAP,
                                     .y = y + middle_of(m, i, m->rows, b->down), .font = font_text, .side = AT_RIGHT,
                                     .most = NAME_MOST});
    for (int i = 0; i < columns; i += b->turned ? name_step(b->across * each) : 1)
        draw_text(c, &(struct words){.text = m->column_name[i], .x = x + middle_of(m, i, m->columns, b->across),
                                     .y = y + b->h + (b->turned ? 9 : 12), .font = font_text,
                                     .side = b->turned ? AT_RIGHT : AT_CENTER, .turn = b->turned ? -45 : 0,
                                     .most = NAME_MOST});
}

static void draw_scale(struct canvas *c, const struct store_matrix *m, int x, int y, int h)
{
    char label[TICK_BYTES];
    for (int i = 0; i < h; i++) {
        uint8_t color[3];
        sequential_color(1 - (i + 0.5) / h, color);
        draw_box(c, x, y + i, SCALE_W, 1, color);
    }
    draw_frame(c, x, y - 1, SCALE_W, h + 2, grey);
    scale_label(m->most, label);
    draw_text(c, &(struct words){.text = label, .x = x + SCALE_W + 6, .y = y + 5, .font = font_small, .color = grey});
    scale_label(m->least, label);
    if (h >= 2 * NAME_H)
        draw_text(c, &(struct words){.text = label, .x = x + SCALE_W + 6, .y = y + h - 5, .font = font_small,
                                     .color = grey});
}

static enum st draw_matrix(const struct chart *c, int i, int x, int y)
{
    enum st s = ST_OK;
    const struct store_matrix *m = &c->m[i];
    const struct block *b = &c->block[i];
    const double middle = x + b->w / 2.0, room = c->column[i % c->columns].size;
    draw_text(c->canvas, &(struct words){.text = m->title, .x = middle, .y = y - 17, .font = font_bold,
                                         .side = AT_CENTER, .most = room});
    if (is_empty(m)) {
        draw_text(c->canvas, &(struct words){.text = "nothing to show", .x = middle, .y = y + b->h / 2.0,
                                             .font = font_text, .side = AT_CENTER, .color = grey});
        return ST_OK;
    }
    TRY(draw_cells(c->canvas, m, b, x, y));
    draw_grid(c->canvas, m, b, x, y);
    draw_names(c->canvas, m, b, x, y);
    draw_text(c->canvas, &(struct words){.text = m->row_title, .x = x - b->left + 9, .y = y + b->h / 2.0,
                                         .font = font_text, .side = AT_CENTER, .turn = -90, .most = b->h});
    draw_text(c->canvas, &(struct words){.text = m->column_title, .x = middle, .y = y + b->h + b->below - 9,
                                         .font = font_text, .side = AT_CENTER, .most = room});
    if (has_scale(m))
        draw_scale(c->canvas, m, x + b->w + SCALE_GAP, y, b->h);
out:
    return s;
}

static enum st draw_row(const struct chart *c, int row, int x, int y)
{
    enum st s = ST_OK;
    for (int column = 0; column < c->columns && row * c->columns + column < c->n; column++) {
        const int i = row * c->columns + column;
        const struct track *t = &c->column[column];
        TRY(draw_matrix(c, i, x + t->before + (t->size - c->block[i].w) / 2, y + c->row[row].before));
        x += t->before + t->size + t->after + GAP;
    }
out:
    return s;
}

enum st store_matrices_draw(const char *title, const struct store_matrix *m, int n, int columns,
                            struct store_picture *out)
{
    enum st s = ST_OK;
    struct chart c = {.m = m, .n = n, .columns = columns > 0 && columns < n ? columns : n};
    if (n < 1)
        return draw_nothing(title, out);
    TRY(canvas_open(&c.canvas));
    TRY(NEW(c.block, (size_t)n));
    TRY(lay_out(&c, title));
    const int wanted = (int)ceil(fmin(text_width(c.canvas, font_title, title), 640)) + 2 * CHART_PAD;
    const int w = larger(c.w, wanted);
    TRY(canvas_begin(c.canvas, w, c.h));
    int y = (int)draw_title(c.canvas, title, w);
    for (int row = 0; row < c.rows; row++) {
        TRY(draw_row(&c, row, CHART_PAD + (w - c.w) / 2, y));
        y += c.row[row].before + c.row[row].size + c.row[row].after + GAP;
    }
    TRY(canvas_end(c.canvas, out));
out:
    mem_free(c.block);
    canvas_free(c.canvas);
    return s;
}

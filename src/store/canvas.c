/* What charts are drawn with: boxes, lines, pictures and text, by cairo's image surfaces and its plain text functions,
 * which need no more than fontconfig. Nothing here lasts between calls, so that any thread may draw. */
#include "inside.h"

#include <cairo.h>
#include <math.h>
#include <string.h>

struct canvas {
    cairo_surface_t *surface;
    cairo_t *cairo;
    uint8_t *pixels;
    int w, h, pitch; /* bytes from line to line */
};

const struct font font_small = {12, false}, font_text = {14, false}, font_bold = {14, true}, font_title = {18, true};

static enum st check_cairo(cairo_status_t status)
{
    if (status == CAIRO_STATUS_SUCCESS)
        return ST_OK;
    return st_fail(status == CAIRO_STATUS_NO_MEMORY ? ST_MEMORY : ST_INTERNAL, "cannot draw: %s",
                   cairo_status_to_string(status));
}

/* ---- from the first to the last ---------------------------------------------------------------------------------- */

static void drop_surface(struct canvas *c)
{
    if (c->cairo)
        cairo_destroy(c->cairo);
    if (c->surface)
        cairo_surface_destroy(c->surface);
    mem_free(c->pixels);
    *c = (struct canvas){0};
}

/* Text in shades of grey without hinting of widths for one screen or another: the same letters on every machine. */
static void set_font_options(struct canvas *c)
{
    cairo_font_options_t *options = cairo_font_options_create(); /* where memory ends, setting it fails later */
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_SLIGHT);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_ON);
    cairo_set_font_options(c->cairo, options);
    cairo_font_options_destroy(options);
}

enum st canvas_begin(struct canvas *c, int w, int h)
{
    enum st s = ST_OK;
    drop_surface(c);
    if (w < 1 || h < 1 || w > PNG_SIDE_MAX || h > PNG_SIDE_MAX)
        TRY(st_fail(ST_INTERNAL, "canvas of %d x %d pixels; 1 to %d a side are allowed", w, h, PNG_SIDE_MAX));
    c->w = w;
    c->h = h;
    c->pitch = cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, w);
    TRY(NEW(c->pixels, (size_t)c->pitch * (size_t)h));
    memset(c->pixels, 255, (size_t)c->pitch * (size_t)h);
    c->surface = cairo_image_surface_create_for_data(c->pixels, CAIRO_FORMAT_RGB24, w, h, c->pitch);
    TRY(check_cairo(cairo_surface_status(c->surface)));
    c->cairo = cairo_create(c->surface);
    set_font_options(c);
    TRY(check_cairo(cairo_status(c->cairo)));
out:
    return s;
}

enum st canvas_open(struct canvas **out)
{
    enum st s = ST_OK;
    struct canvas *c;
    TRY(NEW(c, 1));
    s = canvas_begin(c, 1, 1);
    if (s != ST_OK) {
        canvas_free(c);
        c = NULL;
    }
    *out = c;
out:
    return s;
}

enum st canvas_end(struct canvas *c, struct store_picture *out)
{
    enum st s = ST_OK;
    TRY(check_cairo(cairo_status(c->cairo)));
    cairo_surface_flush(c->surface);
    TRY(check_cairo(cairo_surface_status(c->surface)));
    TRY(store_picture_new(c->w, c->h, 3, out));
    uint8_t *to = out->pixels;
    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++, to += 3) {
            uint32_t pixel;
            memcpy(&pixel, c->pixels + (size_t)y * (size_t)c->pitch + (size_t)x * 4, sizeof pixel);
            to[0] = (uint8_t)(pixel >> 16);
            to[1] = (uint8_t)(pixel >> 8);
            to[2] = (uint8_t)pixel;
        }
out:
    return s;
}

void canvas_free(struct canvas *c)
{
    if (c)
        drop_surface(c);
    mem_free(c);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* Text that cairo takes, and where its characters begin. */
enum { TEXT_MAX = 256, ELLIPSIS_BYTES = 4 };
struct clean {
    char s[TEXT_MAX + ELLIPSIS_BYTES];
    int at[TEXT_MAX + 1]; /* at[n]: the end */
    int n;
    bool cut;
};

/* Bytes of the character at s, or 0 where it is none: the rules of Unicode, as cairo applies them. */
static int character_bytes(const unsigned char *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const int n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (n < 2)
        return n;
    uint32_t v = s[0] & (0xffu >> (n + 1));
    for (int i = 1; i < n; i++) { /* the closing NUL is no continuation either */
        if (s[i] >> 6 != 2)
            return 0;
        v = v << 6 | (s[i] & 0x3fu);
    }
    bool nothing = v >> 11 == 0x1b || (v >= 0xfdd0 && v <= 0xfdef) || (v & 0xfffe) == 0xfffe || v > 0x10ffff;
    return v < least[n] || nothing ? 0 : n;
}

static void clean_text(const char *text, struct clean *out)
{
    const unsigned char *s = (const unsigned char *)text;
    int len = 0;
    *out = (struct clean){0};
    while (*s) {
        int bytes = character_bytes(s);
        if (len + bytes > TEXT_MAX - 1) {
            out->cut = true;
            break;
        }
        out->at[out->n++] = len;
        if (bytes > 1) {
            memcpy(out->s + len, s, (size_t)bytes);
            len += bytes;
        } else {
            out->s[len++] = bytes == 0 ? '?' : *s < ' ' || *s == 0x7f ? ' ' : (char)*s;
        }
        s += bytes ? bytes : 1;
    }
    out->at[out->n] = len;
    out->s[len] = '\0';
}

static double measured(struct canvas *c, const char *text)
{
    cairo_text_extents_t size = {0};
    cairo_text_extents(c->cairo, text, &size);
    return size.x_advance;
}

static void choose_font(struct canvas *c, struct font font)
{
    cairo_select_font_face(c->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c->cairo, font.size);
}

static void cut_to(struct clean *t, int characters)
{
    while (characters > 0 && t->s[t->at[characters] - 1] == ' ')
        characters--;
    memcpy(t->s + t->at[characters], "\xe2\x80\xa6", ELLIPSIS_BYTES); /* with its NUL */
}

/* The font is chosen. Halves the number of characters that may stand before the ellipsis. */
static void fit(struct canvas *c, struct clean *t, double most)
{
    if (!t->cut && (most <= 0 || measured(c, t->s) <= most))
        return;
    const struct clean whole = *t;
    int fits = 0, beyond = t->n + 1;
    while (beyond - fits > 1) {
        int half = fits + (beyond - fits) / 2;
        *t = whole;
        cut_to(t, half);
        if (most <= 0 || measured(c, t->s) <= most)
            fits = half;
        else
            beyond = half;
    }
    *t = whole;
    cut_to(t, fits);
}

double text_width(struct canvas *c, struct font font, const char *text)
{
    struct clean t;
    if (!text)
        return 0;
    clean_text(text, &t);
    choose_font(c, font);
    fit(c, &t, 0);
    return measured(c, t.s);
}

double widest(struct canvas *c, struct font font, const char *const *text, int n, double most)
{
    double w = 0;
    for (int i = 0; i < n && w < most; i++)
        w = fmax(w, text_width(c, font, text[i]));
    return ceil(fmin(w, most));
}

static void set_color(struct canvas *c, const uint8_t *color)
{
    cairo_set_source_rgb(c->cairo, color[0] / 255.0, color[1] / 255.0, color[2] / 255.0);
}

void draw_text(struct canvas *c, const struct words *words)
{
    struct clean t;
    if (!words->text)
        return;
    clean_text(words->text, &t);
    choose_font(c, words->font);
    fit(c, &t, words->most);
    double back = words->side == AT_LEFT ? 0 : measured(c, t.s) / (words->side == AT_CENTER ? 2 : 1);
    set_color(c, words->color ? words->color : ink);
    cairo_save(c->cairo);
    cairo_translate(c->cairo, words->x, words->y);
    cairo_rotate(c->cairo, words->turn * acos(-1) / 180);
    double down = 0.36 * words->font.size; /* half the height of capitals */
    /* whole pixels keep letters sharp */
    cairo_move_to(c->cairo, words->turn != 0 ? -back : round(words->x - back) - words->x,
                  words->turn != 0 ? down : round(words->y + down) - words->y);
    cairo_show_text(c->cairo, t.s);
    cairo_restore(c->cairo);
    cairo_new_path(c->cairo);
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

void draw_box(struct canvas *c, double x, double y, double w, double h, const uint8_t *color)
{
    set_color(c, color);
    cairo_rectangle(c->cairo, x, y, w, h);
    cairo_fill(c->cairo);
}

void draw_frame(struct canvas *c, double x, double y, double w, double h, const uint8_t *color)
{
    draw_box(c, x, y, w, 1, color);
    draw_box(c, x, y + h - 1, w, 1, color);
    draw_box(c, x, y, 1, h, color);
    draw_box(c, x + w - 1, y, 1, h, color);
}

void draw_dot(struct canvas *c, double x, double y, double radius, const uint8_t *color)
{
    set_color(c, color);
    cairo_arc(c->cairo, x, y, radius, 0, 2 * acos(-1));
    cairo_fill(c->cairo);
}

void path_start(struct canvas *c, double x, double y)
{
    cairo_move_to(c->cairo, x, y);
}

void path_to(struct canvas *c, double x, double y)
{
    cairo_line_to(c->cairo, x, y);
}

void path_draw(struct canvas *c, double width, bool dashed, const uint8_t *color)
{
    const double dashes[] = {3 * width, 2 * width};
    set_color(c, color);
    cairo_set_line_width(c->cairo, width);
    cairo_set_line_join(c->cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(c->cairo, dashed ? CAIRO_LINE_CAP_BUTT : CAIRO_LINE_CAP_ROUND);
    cairo_set_dash(c->cairo, dashes, dashed ? 2 : 0, 0);
    cairo_stroke(c->cairo);
}

void draw_picture(struct canvas *c, const struct store_picture *p, int x, int y, int across, int down)
{
    const int left = x > 0 ? x : 0, top = y > 0 ? y : 0;
    const int right = x + p->w * across < c->w ? x + p->w * across : c->w;
    const int bottom = y + p->h * down < c->h ? y + p->h * down : c->h;
    cairo_surface_flush(c->surface);
    for (int row = top; row < bottom; row++) {
        const uint8_t *from = p->pixels + (size_t)((row - y) / down) * (size_t)p->w * (size_t)p->channels;
        uint8_t *to = c->pixels + (size_t)row * (size_t)c->pitch;
        for (int column = left; column < right; column++) {
            const uint8_t *dot = from + (size_t)((column - x) / across) * (size_t)p->channels;
            uint32_t pixel = p->channels == 1 ? (uint32_t)dot[0] * 0x10101u
                                              : (uint32_t)dot[0] << 16 | (uint32_t)dot[1] << 8 | dot[2];
            memcpy(to + (size_t)column * 4, &pixel, sizeof pixel);
        }
    }
    cairo_surface_mark_dirty(c->surface);
}

/* The strip below a picture of weights: what it shows, a histogram, and what the colours mean. */
#include "inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BINS = 61, /* odd: zero has its own, in the middle */
    BIN = 4,   /* pixels across; these and the next grow with the picture */
    BARS = 48,
    MAP = 8,
    PAD = 12,
    LINE = 22,
    STRIP_H = 96,
    GROW_FROM = 1200, GROW_MOST = STORE_STRIP_H_MAX / STRIP_H,
};

struct histogram {
    size_t bin[BINS], most, finite;
};

/* Values outside of the range are in the bins at the ends. */
static void count_values(const struct store_strip *strip, struct histogram *h)
{
    *h = (struct histogram){0};
    for (size_t i = 0; i < strip->count; i++) {
        double v = strip->values[i];
        if (!isfinite(v))
            continue;
        double at = strip->range > 0 ? v / strip->range : v > 0 ? 1 : v < 0 ? -1 : 0;
        double bin = floor((fmax(-1, fmin(1, at)) + 1) / 2 * BINS);
        h->bin[bin < BINS ? (size_t)bin : BINS - 1]++;
        h->finite++;
    }
    for (size_t i = 0; i < BINS; i++)
        h->most = h->bin[i] > h->most ? h->bin[i] : h->most;
}

static double bar_height(const struct histogram *h, size_t i, double full)
{
    return round(full * log1p((double)h->bin[i]) / log1p((double)h->most));
}

static void draw_bars(struct canvas *c, const struct store_strip *strip, const struct histogram *h, double x, double y,
                      double k)
{
    double before = 0;
    for (size_t i = 0; i < BINS; i++) {
        const double left = round(x + (double)i * BIN * k), right = round(x + (double)(i + 1) * BIN * k);
        const double high = bar_height(h, i, BARS * k), lower = fmin(high, before), edge = fmax(1, floor(k));
        uint8_t color[3] = {153, 153, 153};
        if (!strip->true_color)
            diverging_color(2 * ((double)i + 0.5) / BINS - 1, color);
        draw_box(c, left, y - high, right - left, high, color);
        /* an outline: bars near zero are nearly as white as the paper */
        if (high > 0)
            draw_box(c, left, y - high, right - left, edge, grey);
        draw_box(c, left, y - fmax(high, before), edge, fmax(high, before) - lower, grey);
        before = high;
    }
    draw_box(c, round(x + BINS * BIN * k), y - before, fmax(1, floor(k)), before, grey);
}

static void draw_numbers(struct canvas *c, const struct store_strip *strip, double x, double y, double k)
{
    const struct font font = {font_small.size * k, false};
    const double w = BINS * BIN * k;
    char number[32], negative[40];
    draw_text(c, &(struct words){.text = "0", .x = x + w / 2, .y = y, .font = font, .side = AT_CENTER});
    if (!(strip->range > 0))
        return;
    snprintf(number, sizeof number, "%.3g", strip->range);
    snprintf(negative, sizeof negative, "\xe2\x88\x92%s", number);
    draw_text(c, &(struct words){.text = negative, .x = x, .y = y, .font = font});
    draw_text(c, &(struct words){.text = number, .x = x + w, .y = y, .font = font, .side = AT_RIGHT});
}

static void draw_map(struct canvas *c, double x, double y, double k)
{
    const int w = (int)round(BINS * BIN * k), high = (int)round(MAP * k);
    for (int i = 1; i < w - 1; i++) { /* within the frame */
        uint8_t color[3];
        diverging_color(2.0 * (i - 1) / (w - 3) - 1, color);
        draw_box(c, round(x) + i, y, 1, high, color);
    }
    draw_frame(c, round(x), y, w, high, grey);
}

/* x: the left end of the scale. */
static void draw_values(struct canvas *c, const struct store_strip *strip, double x, double k)
{
    struct histogram h;
    const double foot = round((PAD - 2 + BARS) * k), w = BINS * BIN * k;
    count_values(strip, &h);
    draw_box(c, round(x), foot, round(w), 1, grey);
    if (h.finite) {
        draw_bars(c, strip, &h, x, foot, k);
        draw_text(c, &(struct words){.text = "log count", .x = x - 8 * k, .y = foot - BARS * k / 2,
                                     .font = {10 * k, false}, .side = AT_CENTER, .turn = -90, .color = grey});
    } else {
        draw_text(c, &(struct words){.text = "nothing to show", .x = x + w / 2, .y = foot - BARS * k / 2,
                                     .font = {font_text.size * k, false}, .side = AT_CENTER, .color = grey});
    }
    double y = foot + round(2 * k);
    if (!strip->true_color) {
        draw_map(c, x, y, k);
        y += round(MAP * k);
    }
    draw_numbers(c, strip, x, y + 11 * k, k);
}

static enum st draw_strip(struct canvas *c, const struct store_strip *strip, int w, double k)
{
    enum st s = ST_OK;
    const double x = w - (PAD + BINS * BIN) * k;
    int line = 0;
    TRY(canvas_begin(c, w, (int)ceil(STRIP_H * k)));
    for (int i = 0; i < STORE_STRIP_LINES; i++) {
        if (!strip->line[i])
            continue;
        const struct font font = {(i == 0 ? font_text.size : font_small.size + 1) * k, i == 0};
        draw_text(c, &(struct words){.text = strip->line[i], .x = PAD * k, .y = (PAD + 10 + LINE * line++) * k,
                                     .font = font, .most = x - (3 * PAD + 8) * k, .color = i == 0 ? ink : grey});
    }
    draw_values(c, strip, x, k);
out:
    return s;
}

static void put_color(const struct store_picture *to, size_t at, const uint8_t *from, int channels)
{
    for (int c = 0; c < 3; c++)
        to->pixels[3 * at + (size_t)c] = from[channels == 1 ? 0 : c];
}

/* The picture in the middle of its part, the strip below it. */
static void join(const struct store_picture *p, const struct store_picture *strip, const struct store_picture *out)
{
    const size_t w = (size_t)out->w, left = (w - (size_t)p->w) / 2, channels = (size_t)p->channels;
    for (size_t y = 0; y < (size_t)p->h; y++) {
        const uint8_t *from = p->pixels + y * (size_t)p->w * channels;
        for (size_t x = 0; x < w; x++) {
            bool beside = x < left || x >= left + (size_t)p->w;
            if (beside)
                put_color(out, y * w + x, gap_color, 3);
            else
                put_color(out, y * w + x, from + (x - left) * channels, p->channels);
        }
    }
    memcpy(out->pixels + (size_t)p->h * w * 3, strip->pixels, (size_t)strip->h * w * 3);
}

enum st store_strip_add(struct store_picture *p, const struct store_strip *strip)
{
    enum st s = ST_OK;
    struct canvas *c = NULL;
    struct store_picture below = {0}, whole = {0};
    const double k = fmin(GROW_MOST, fmax(1, (double)p->w / GROW_FROM));
    const int w = p->w > STORE_STRIP_W ? p->w : STORE_STRIP_W;
    TRY(canvas_open(&c));
    TRY(draw_strip(c, strip, w, k));
    TRY(canvas_end(c, &below));
    TRY(store_picture_new(w, p->h + below.h, 3, &whole));
    join(p, &below, &whole);
    store_picture_free(p);
    *p = whole;
out:
    store_picture_free(&below);
    canvas_free(c);
    return s;
}

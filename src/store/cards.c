/* Small pictures with captions, in a grid. */
#include "inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    SIDE = 112,        /* of a picture, about: enlarged up to it */
    SCALE_MAX = 8,
    CARD_W = 128,      /* at least, for the caption */
    WIDE = 1040,       /* of all, about */
    GAP = 14,
    CAPTION_GAP = 6, CAPTION_LINE = 18,
    MORE_H = 24,
};

struct chart {
    struct canvas *canvas;
    const struct store_card *card;
    int n, shown, columns, w, h;
    int scale, card_w, card_h;
    int lines; /* of captions */
};

static int lines_of(const char *caption)
{
    return !caption || !*caption ? 0 : strchr(caption, '\n') ? 2 : 1;
}

static enum st check_cards(const struct store_card *card, int n)
{
    const struct store_picture *first = card[0].picture;
    for (int i = 1; i < n; i++)
        if (card[i].picture->w != first->w || card[i].picture->h != first->h)
            return st_fail(ST_INTERNAL, "card %d is %d x %d pixels, the first %d x %d", i, card[i].picture->w,
                           card[i].picture->h, first->w, first->h);
    return ST_OK;
}

/* A grid about as wide as a page, whose last row is as full as can be; what is too much is left out at the end. */
static enum st lay_out(struct chart *c, const char *title)
{
    const struct store_picture *first = c->card[0].picture;
    const int longer = first->w > first->h ? first->w : first->h, room = STORE_SIDE_MAX - 2 * CHART_PAD;
    c->scale = longer >= SIDE ? 1 : SIDE / longer < SCALE_MAX ? SIDE / longer : SCALE_MAX;
    for (int i = 0; i < c->n; i++)
        c->lines = lines_of(c->card[i].caption) > c->lines ? lines_of(c->card[i].caption) : c->lines;
    c->card_w = first->w * c->scale + 2 > CARD_W ? first->w * c->scale + 2 : CARD_W;
    c->card_h = first->h * c->scale + 2 + (c->lines ? CAPTION_GAP + c->lines * CAPTION_LINE : 0);
    const int top = title ? CHART_TITLE : 0, rows_most = (room - top - MORE_H + GAP) / (c->card_h + GAP);
    if (c->card_w > room || rows_most < 1)
        return st_fail(ST_INPUT, "cannot draw cards of %d x %d pixels: too large for %d a side", first->w, first->h,
                       STORE_SIDE_MAX);
    int columns = (WIDE + GAP) / (c->card_w + GAP);
    columns = columns < 1 ? 1 : columns < c->n ? columns : c->n;
    int rows = c->n / columns + (c->n % columns != 0);
    if (rows > rows_most)
        rows = rows_most;
    else
        columns = c->n / rows + (c->n % rows != 0);
    c->columns = columns;
    c->shown = rows * columns < c->n ? rows * columns : c->n;
    c->w = columns * (c->card_w + GAP) - GAP + 2 * CHART_PAD;
    c->h = rows * (c->card_h + GAP) - GAP + 2 * CHART_PAD + top + (c->shown < c->n ? MORE_H : 0);
    const int wanted = (int)ceil(fmin(text_width(c->canvas, font_title, title), 640)) + 2 * CHART_PAD;
    c->w = c->w > wanted ? c->w : wanted;
    return ST_OK;
}

static void draw_caption(struct canvas *c, const char *caption, double x, double y, double most)
{
    char first[128];
    const char *second = strchr(caption, '\n');
    const size_t len = second ? (size_t)(second - caption) : strlen(caption);
    snprintf(first, sizeof first, "%.*s", (int)(len < sizeof first ? len : sizeof first), caption);
    draw_text(c, &(struct words){.text = first, .x = x, .y = y, .font = font_text, .side = AT_CENTER, .most = most});
    draw_text(c, &(struct words){.text = second ? second + 1 : NULL, .x = x, .y = y + CAPTION_LINE, .font = font_text,
                                 .side = AT_CENTER, .most = most, .color = grey});
}

static void draw_card(const struct chart *c, const struct store_card *card, int x, int y)
{
    const int w = card->picture->w * c->scale, h = card->picture->h * c->scale, left = x + (c->card_w - w) / 2;
    draw_picture(c->canvas, card->picture, left, y + 1, c->scale, c->scale);
    draw_frame(c->canvas, left - 1, y, w + 2, h + 2, faint);
    if (card->caption)
        draw_caption(c->canvas, card->caption, x + c->card_w / 2.0, y + h + 2 + CAPTION_GAP + CAPTION_LINE / 2.0,
                     c->card_w + GAP - 6);
}

enum st store_cards_draw(const char *title, const struct store_card *card, int n, struct store_picture *out)
{
    enum st s = ST_OK;
    struct chart c = {.card = card, .n = n};
    if (n < 1)
        return draw_nothing(title, out);
    TRY(check_cards(card, n));
    TRY(canvas_open(&c.canvas));
    TRY(lay_out(&c, title));
    TRY(canvas_begin(c.canvas, c.w, c.h));
    const int top = (int)draw_title(c.canvas, title, c.w);
    const int begin = (c.w - (c.columns * (c.card_w + GAP) - GAP)) / 2;
    for (int i = 0; i < c.shown; i++)
        draw_card(&c, &card[i], begin + i % c.columns * (c.card_w + GAP), top + i / c.columns * (c.card_h + GAP));
    if (c.shown < n) {
        char more[48];
        snprintf(more, sizeof more, "and %d more", n - c.shown);
        draw_text(c.canvas, &(struct words){.text = more, .x = c.w / 2.0, .y = c.h - CHART_PAD - 6.0,
                                            .font = font_text, .side = AT_CENTER, .color = grey});
    }
    TRY(canvas_end(c.canvas, out));
out:
    canvas_free(c.canvas);
    return s;
}

/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_STORE_INSIDE_H
#define CLUTCH_STORE_INSIDE_H

#include "store.h"

/* ---- chunks of PNG (png.c) --------------------------------------------------------------------------------------- */

enum {
    PNG_SIGN_BYTES = 8,
    PNG_CHUNK_BYTES = 12,                                     /* length, type and CRC around a chunk's data */
    PNG_HEAD_BYTES = PNG_SIGN_BYTES + PNG_CHUNK_BYTES + 13,   /* signature and IHDR: text may stand right behind them */
    PNG_SIDE_MAX = 16384,
};

uint32_t get_u32(const char *big_endian);
void put_u32(char *big_endian, uint32_t v);
/* A chunk whose data is `head` and, behind it, `data`: one of them may be NULL with a length of 0. */
void add_chunk(struct text *file, const char *type, const char *head, size_t head_len, const char *data, size_t len);
MUST_USE enum st add_notes(struct text *file, const struct store_note *notes, int n);
/* The picture as libpng writes it; caller frees with mem_free. */
MUST_USE enum st encode_png(const struct store_picture *p, char **bytes, size_t *len);

/* ---- colours (colors.c) ------------------------------------------------------------------------------------------ */

extern const uint8_t gap_color[3]; /* around tiles: dark grey */
extern const uint8_t bad_color[3]; /* NaN and infinity */

/* -1..1 to blue, white, red; what is outside is moved to the end. `at` is finite. */
void diverging_color(double at, uint8_t out[3]);
/* 0..1 to white ... dark blue; as above. */
void sequential_color(double at, uint8_t out[3]);
const uint8_t *palette_color(int i); /* any number */

/* Of charts. */
extern const uint8_t white[3], ink[3]; /* paper, text */
extern const uint8_t grey[3];          /* axes, and text that matters less */
extern const uint8_t faint[3];         /* grids */
bool is_dark(const uint8_t color[3]);  /* white text is easier to read on it than dark text */

/* ---- canvas (canvas.c): the only file that knows cairo ----------------------------------------------------------- */

/* Failures stick and are told by canvas_end. x goes right, y down, in pixels. */
struct canvas;

MUST_USE enum st canvas_open(struct canvas **out); /* good for measuring text */
MUST_USE enum st canvas_begin(struct canvas *c, int w, int h); /* ... and, from here on, for drawing; white */
MUST_USE enum st canvas_end(struct canvas *c, struct store_picture *out); /* RGB; caller frees it */
void canvas_free(struct canvas *c); /* accepts NULL */

struct font {
    double size;
    bool bold;
};
extern const struct font font_small, font_text, font_bold, font_title;

enum side { AT_LEFT, AT_CENTER, AT_RIGHT }; /* where x is in the text */

/* One line of text, cut with an ellipsis where it is wider than `most` (0: never). What is no UTF-8 becomes "?". */
struct words {
    const char *text; /* NULL: nothing is drawn */
    double x, y;      /* y: the middle of capitals */
    struct font font;
    enum side side;
    double most;
    double turn;          /* degrees, clockwise, around x, y */
    const uint8_t *color; /* NULL: ink */
};
double text_width(struct canvas *c, struct font font, const char *text); /* NULL: 0 */
/* Where this is the last: as wide as the widest of n, at most `most`. NULL elements count 0. */
double widest(struct canvas *c, struct font font, const char *const *text, int n, double most);
void draw_text(struct canvas *c, const struct words *words);

void draw_box(struct canvas *c, double x, double y, double w, double h, const uint8_t *color);
void draw_frame(struct canvas *c, double x, double y, double w, double h, const uint8_t *color); /* a pixel, inside */
void draw_dot(struct canvas *c, double x, double y, double radius, const uint8_t *color);
void path_start(struct canvas *c, double x, double y);
void path_to(struct canvas *c, double x, double y);
void path_draw(struct canvas *c, double width, bool dashed, const uint8_t *color); /* and forgets it */
/* Each pixel becomes a box of across x down; what lies outside of the canvas is left out. */
void draw_picture(struct canvas *c, const struct store_picture *p, int x, int y, int across, int down);

/* ---- axes and legends (axis.c) ----------------------------------------------------------------------------------- */

/* Ticks at multiples of 1, 2 or 5 times a power of ten. */
struct axis {
    double lo, hi;
    double step, first; /* ticks at (first + i) * step */
    int ticks;
};
enum { TICK_BYTES = 32 };

bool is_drawable(double v); /* finite, and small enough to be counted with */
/* Any lo and hi that are drawable: equal ones are parted. About `ticks` ticks: at most half as many more. */
void axis_set(struct axis *a, double lo, double hi, double ticks, bool whole);
double axis_place(const struct axis *a, double v); /* 0..1 from lo to hi */
double axis_tick(const struct axis *a, int i);
void axis_label(const struct axis *a, int i, char out[TICK_BYTES]);

struct key {
    const char *name;
    const uint8_t *color;
    bool line, dashed; /* else a box */
};
/* Draws a legend in rows, centred below x, y, and returns its height; `draw` false: only that. */
double legend(struct canvas *c, const struct key *key, int n, double x, double y, double w, bool draw);

/* Pixels around a chart, and what a title takes with the air below it. */
enum { CHART_PAD = 16, CHART_TITLE = 32, CHART_LINE = 20 };
/* The title, where there is one, over a chart of width w: returns where y goes on. */
double draw_title(struct canvas *c, const char *title, int w);
/* A picture that says that there is nothing to show. */
MUST_USE enum st draw_nothing(const char *title, struct store_picture *out);

#endif

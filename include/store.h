/*
 * store: what stays after a run: safetensors, run folders, PNG, pictures of weights, charts. Stands on base; knows
 * nothing of devices or nets.
 */
#ifndef CLUTCH_STORE_H
#define CLUTCH_STORE_H

#include "base.h"

/* ---- safetensors (https://huggingface.co/docs/safetensors) ------------------------------------------------------- */

/* F32 and I64 are what is written and looked into; the others are there for what files of other writers hold. */
enum store_type {
    STORE_F32, STORE_I64,
    STORE_F16, STORE_BF16, STORE_F64, /* come as F32 */
    STORE_BOOL, STORE_U8, STORE_I8, STORE_F8_E5M2, STORE_F8_E4M3, STORE_U16, STORE_I16, STORE_U32, STORE_I32, STORE_U64,
    STORE_C64,
};
enum { STORE_RANK_MAX = 8, STORE_NAME_MAX = 256 };

struct store_tensor {
    char name[STORE_NAME_MAX];
    enum store_type type;
    int rank;
    int64_t shape[STORE_RANK_MAX];
    const void *data; /* C order, little-endian; owned by the caller when writing, by the file when reading */
};

/* Writes all tensors in the order given, at once and by rename. `metadata` is NULL-terminated key, value, key, value...
 * or NULL. Same tensors, same bytes. */
MUST_USE enum st store_tensors_write(const char *path, const struct store_tensor *tensors, int n,
                                     const char *const *metadata);

struct store_file; /* a safetensors file in memory */

/* Reads and checks a whole file: header, types, shapes, offsets without holes or overlap, no duplicate names. F16 and
 * BF16 become F32 exactly, F64 is rounded to it and must fit. ST_INPUT names the file, the tensor and what is wrong.
 * Caller closes. */
MUST_USE enum st store_tensors_open(const char *path, struct store_file **out);
void store_tensors_close(struct store_file *file); /* accepts NULL */
int store_tensors_count(const struct store_file *file);
/* In the order of the data, one behind another: that of i = 0 is an array of all. */
const struct store_tensor *store_tensors_at(const struct store_file *file, int i);
/* The tensor of that name, type and shape; ST_INPUT says what the file has instead. */
MUST_USE enum st store_tensors_find(const struct store_file *file, const char *name, enum store_type type, int rank,
                                    const int64_t *shape, const struct store_tensor **out);
/* The tensor of that name, if there is one, is known, though nobody needs to find it. */
void store_tensors_know(const struct store_file *file, const char *name);
/* A note that names what was neither found nor known, if anything; `owner`: what has no place for it. */
void store_tensors_note_surplus(const struct store_file *file, const char *owner);

/* ---- PNG (libpng's simplified interface) ------------------------------------------------------------------------- */

struct store_picture {
    int w, h, channels; /* 1 grey or 3 RGB, 8 bits */
    uint8_t *pixels;    /* (h, w, channels) */
};

MUST_USE enum st store_picture_new(int w, int h, int channels, struct store_picture *out);
void store_picture_free(struct store_picture *p); /* frees the pixels */
/* Between pixels that lie together and planes of bytes, (C, H, W), as data has them. planes: (channels, h, w). */
void store_picture_planes(const struct store_picture *p, uint8_t *planes);
MUST_USE enum st store_picture_of_planes(const uint8_t *planes, int channels, int h, int w, struct store_picture *out);

struct store_note {
    const char *key, *value; /* a PNG text chunk: ASCII keyword of 1 to 79 characters, and UTF-8 text */
};

MUST_USE enum st store_png_write(const char *path, const struct store_picture *p, const struct store_note *notes,
                                 int n);
/* Any bit depth and colour type, converted to 8-bit grey (channels 1) or RGB (3) in sRGB; transparency is laid over
 * black. ST_INPUT for what is no PNG (it says what else it is), is empty, cut short, or has more than 16384 pixels a
 * side. */
MUST_USE enum st store_png_read(const char *path, int channels, struct store_picture *out);

/* Size of a PNG and whether it has colours (a palette counts as such), from its head alone. ST_INPUT as above. */
struct store_png_facts {
    int w, h;
    bool color;
};
MUST_USE enum st store_png_look(const char *path, struct store_png_facts *out);

/* Files that are no PNG by their names, counted by what these end in. */
struct store_others {
    size_t n;
    int kinds;
    struct store_other {
        char ending[8]; /* small letters; "" for none, or for what is no word */
        size_t n;
    } kind[12];         /* what has no place is in n alone */
};
/* Names of the PNGs in a folder, in the order of their bytes, without hidden files; the others are added up. None where
 * there is no such folder. Names live in the arena. */
MUST_USE enum st store_png_list(const char *folder, struct arena *arena, char ***names, size_t *n,
                                struct store_others *others);
/* "10 .jpg, 2 .txt", and behind it how pictures among them become PNGs. */
void store_others_show(const struct store_others *others, struct text *out);
/* Whether there are pictures among them. */
bool store_others_pictures(const struct store_others *others);

/* Pictures of one size, shown one after another for ever: APNG (PNG, third edition, W3C 2025: acTL, fcTL, fdAT).
 * Readers that do not know it show the last picture, which for that stands once more, unanimated, at the front. */
struct store_motion {
    const struct store_picture *frame;
    int n;                 /* frames: 1 or more */
    int frame_ms, last_ms; /* how long each but the last is shown, and the last; 1 to 65535 */
};
MUST_USE enum st store_apng_write(const char *path, const struct store_motion *motion, const struct store_note *notes,
                                  int n);

/* ---- pictures of weights ----------------------------------------------------------------------------------------- */

enum { STORE_SIDE_MAX = 4096 }; /* pixels of a picture's side, unless asked for more */

/* How a weight tensor is drawn: each of n blocks of values becomes a tile of tile_h x tile_w. What is 0 is the default.
 * */
struct store_tiles {
    const float *values; /* (n, channels, tile_h, tile_w) */
    int n, tile_h, tile_w;
    int channels;        /* 0 or 1: through the map; 3: red, green, blue, zero is mid-grey */
    int columns;         /* tiles a row, as of a kernel's inputs: more than fit are left out; 0: near-square */
    int gap;             /* pixels around tiles (2) */
    double range;        /* colours span -range..range; 0: measured */
    bool each;           /* measured for each tile by itself */
    int side_max;        /* pixels (STORE_SIDE_MAX), at most 16000: a strip may stand below them */
    int side_wanted;     /* tiles are enlarged while the longer side stays within so many pixels (1200) */
};

struct store_tiles_facts {
    double range;        /* as above; of `each`: the largest of all */
    double least, most;  /* of the finite values; 0 where there are none */
    double clipped;      /* share of finite values outside the range, 0..1 */
    int shown;           /* tiles drawn; fewer than n where the picture would exceed the largest side */
    int columns, rows;   /* of tiles */
    int scale;           /* pixels per value */
    int64_t bad;         /* values that are NaN or infinite: drawn in a colour of their own */
};

/* Grid of tiles, gaps in a colour outside the map, whole-pixel enlargement, diverging map (blue, white, red), range =
 * the 99.9 % quantile of |value|, which for fewer than 1000 values is the largest. No side exceeds side_max pixels; a
 * tile that would is cut at the right and at the bottom. Caller frees the picture. */
MUST_USE enum st store_tiles_draw(const struct store_tiles *tiles, struct store_picture *out,
                                  struct store_tiles_facts *facts);

/* Replaces a picture by one with a strip below it: lines of text (the first in bold), a histogram of the values (log
 * counts, bars in the colours of the map), and the scale of the map with its numbers. A picture narrower than the strip
 * is laid on the colour of gaps. */
enum { STORE_STRIP_LINES = 3, STORE_STRIP_W = 600, STORE_STRIP_H_MAX = 288 }; /* pixels: at least, and at most */
struct store_strip {
    const char *line[STORE_STRIP_LINES]; /* NULL: none; cut with an ellipsis where they do not fit */
    const float *values;
    size_t count;
    double range;
    bool true_color; /* no scale of the map */
};
MUST_USE enum st store_strip_add(struct store_picture *p, const struct store_strip *strip);

/* ---- charts (cairo) ---------------------------------------------------------------------------------------------- */

/* Colours that readers with any common colour blindness can tell apart: Okabe and Ito's (2008), by number, again from
 * the start behind the last. */
enum { STORE_COLORS = 8 };

/* Panels of lines side by side; values that are not finite leave a gap. */
struct store_line {
    const char *name;     /* of the legend; NULL: none */
    const double *x, *y;
    int n;
    int color;
    bool dashed;
};
struct store_panel {
    const char *title, *x_title, *y_title;
    const struct store_line *line;
    int n;
    bool from_zero;       /* the y axis begins at 0 */
    bool whole_x;         /* ticks of x at whole numbers only */
};
MUST_USE enum st store_panels_draw(const char *title, const struct store_panel *panel, int n, int columns,
                                   struct store_picture *out);

/* A time line: bars in rows, in milliseconds from 0. */
struct store_bar {
    int row, color;
    double start_ms, end_ms;
    const char *label; /* written into the bar where it fits; NULL: none */
};
struct store_lanes {
    const char *title;
    const char *const *row; /* (rows) names */
    int rows;
    const struct store_bar *bar;
    int n;
    double span_ms;
    const char *const *legend; /* (legend_n) what colour 0, 1, ... means */
    int legend_n;
};
/* Several under each other, with one scale of time for all, so that they can be compared. */
MUST_USE enum st store_lanes_draw(const struct store_lanes *lanes, int n, struct store_picture *out);

/* Matrices side by side, in columns: cells from white (least) to dark blue (most), with text in them where it is given.
 * */
struct store_matrix {
    const char *title, *row_title, *column_title; /* NULL: none */
    const double *values;                         /* (rows, columns); NaN is grey */
    int rows, columns;
    const char *const *row_name, *const *column_name; /* NULL: none; (groups) where `group` is given */
    const char *const *text;                          /* (rows, columns); NULL, or NULL elements: none */
    int group;                                        /* a line each so many rows and columns; 0: none */
    double least, most;
};
MUST_USE enum st store_matrices_draw(const char *title, const struct store_matrix *m, int n, int columns,
                                     struct store_picture *out);

/* Pictures of one size with a caption each (up to two lines, parted by \n), enlarged by whole pixels. */
struct store_card {
    const struct store_picture *picture;
    const char *caption;
};
MUST_USE enum st store_cards_draw(const char *title, const struct store_card *card, int n, struct store_picture *out);

/* ---- run folders ------------------------------------------------------------------------------------------------- */

struct store_run; /* a run folder being written */

/* Makes `path` a run folder with pictures/ in it. An existing one that is not empty is ST_INPUT unless `force` and it
 * holds a run: a regular file run.json, an object with the key "clutch". Of that go the files that a run writes, by the
 * list in run.c, and no others; run.json stays until it is replaced. A folder that cannot be made or written, or that
 * another process writes into, is ST_INPUT, and so is one where pictures or snapshots is a link. `path` NULL takes the
 * first free of runs/NAME-001, -002, ... and then only `name` counts.
 *
 * The folder is held (dir_hold in base.h) until it is freed: no other process writes into it, links in it are not
 * followed, and what killed runs left half-written is removed. */
MUST_USE enum st store_run_create(const char *path, const char *name, bool force, struct store_run **out);
/* Goes on writing to a run folder that is there; one that is not is made. Holds it likewise. */
MUST_USE enum st store_run_open(const char *path, struct store_run **out);
/* Refuses now, with the same words, what store_run_create would refuse later; writes and removes nothing. */
MUST_USE enum st store_run_check(const char *path, bool force);
const char *store_run_path(const struct store_run *run);
/* Removes the folders that store_run_create made, where nothing was written to them yet: for failures at the start.
 * Accepts NULL; store_run_free is still due. */
void store_run_abandon(struct store_run *run);
void store_run_free(struct store_run *run); /* accepts NULL; keeps the folder */

/* One JSON object, already written as text without newline, appended to metrics.jsonl, and on the disk behind this. */
MUST_USE enum st store_run_metrics(struct store_run *run, const char *json);
/* Cuts metrics.jsonl to its first `bytes` bytes; ST_INPUT where it has fewer. 0 and no file: fine. */
MUST_USE enum st store_run_metrics_keep(struct store_run *run, size_t bytes);
/* Path of a file in the folder ("model.safetensors", "pictures/0.weight.png"); `out` holds PATH_MAX bytes. */
MUST_USE enum st store_path(const char *folder, const char *file, char *out, size_t size);

#endif

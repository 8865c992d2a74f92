/*
 * store: what stays after a run: safetensors, run folders, PNG. Stands on base; knows nothing of devices or nets.
 */
#ifndef CLUTCH_STORE_H
#define CLUTCH_STORE_H

#include "base.h"

/* ---- safetensors (https://huggingface.co/docs/safetensors) ------------------------------------------------------- */

enum store_type { STORE_F32, STORE_I64 };
enum { STORE_RANK_MAX = 4, STORE_NAME_MAX = 64 };

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

/* Reads and checks a whole file: header, types, shapes, offsets without holes or overlap, no duplicate names. ST_INPUT
 * names the file, the tensor and what is wrong. Caller closes. */
MUST_USE enum st store_tensors_open(const char *path, struct store_file **out);
void store_tensors_close(struct store_file *file); /* accepts NULL */
int store_tensors_count(const struct store_file *file);
const struct store_tensor *store_tensors_at(const struct store_file *file, int i); /* in the order of the data */
/* The tensor of that name, type and shape; ST_INPUT says what the file has instead. */
MUST_USE enum st store_tensors_find(const struct store_file *file, const char *name, enum store_type type, int rank,
                                    const int64_t *shape, const struct store_tensor **out);

/* ---- PNG (libpng's simplified interface) ------------------------------------------------------------------------- */

struct store_picture {
    int w, h, channels; /* 1 grey or 3 RGB, 8 bits */
    uint8_t *pixels;    /* (h, w, channels) */
};

MUST_USE enum st store_picture_new(int w, int h, int channels, struct store_picture *out);
void store_picture_free(struct store_picture *p); /* frees the pixels */

struct store_note {
    const char *key, *value; /* a PNG text chunk: Latin-1 keyword of 1 to 79 characters, and text */
};

MUST_USE enum st store_png_write(const char *path, const struct store_picture *p, const struct store_note *notes,
                                 int n);
/* Any bit depth and colour type, converted to 8-bit grey (channels 1) or RGB (3) in sRGB; transparency is laid over
 * black. ST_INPUT for what is no PNG, is cut short, or is larger than 16384 pixels a side. */
MUST_USE enum st store_png_read(const char *path, int channels, struct store_picture *out);

/* ---- pictures of weights ----------------------------------------------------------------------------------------- */

/* How one weight tensor is drawn: each of the n rows of values becomes a tile of tile_h x tile_w. */
struct store_tiles {
    const float *values; /* (n, tile_h, tile_w) */
    int n, tile_h, tile_w;
};

struct store_tiles_facts {
    double range;      /* colours span -range..range, zero is neutral */
    double clipped;    /* share of finite values outside the range, 0..1 */
    int shown;         /* tiles drawn; fewer than n where the picture would exceed the largest side */
    int columns, rows; /* of tiles */
    int scale;         /* pixels per value */
    int64_t bad;       /* values that are NaN or infinite: drawn in a colour of their own */
};

/* Near-square grid of tiles, 2-pixel gaps in a colour outside the map, whole-pixel enlargement, diverging map (blue,
 * white, red), range = the 99.9 % quantile of |value|, which for fewer than 1000 values is the largest. No side exceeds
 * 4096 pixels; a tile over 4092 values a side is ST_INPUT. Caller frees the picture. */
MUST_USE enum st store_tiles_draw(const struct store_tiles *tiles, struct store_picture *out,
                                  struct store_tiles_facts *facts);

/* ---- run folders ------------------------------------------------------------------------------------------------- */

struct store_run; /* a run folder being written */

/* Makes `path` a run folder with pictures/ in it. An existing one that is not empty is ST_INPUT unless `force`, which
 * removes the files a run writes (metrics.jsonl, model.safetensors, checkpoint.safetensors, couplings.safetensors,
 * run.json, trace.json, the PNGs in pictures/) and no others. A folder that cannot be made or written is ST_INPUT.
 * `path` NULL takes the first free of runs/NAME-001, -002, ... and then only `name` counts. */
MUST_USE enum st store_run_create(const char *path, const char *name, bool force, struct store_run **out);
/* Goes on writing to a run folder that is there. */
MUST_USE enum st store_run_open(const char *path, struct store_run **out);
const char *store_run_path(const struct store_run *run);
/* Removes the folders that store_run_create made, where nothing was written to them yet: for failures at the start.
 * Accepts NULL; store_run_free is still due. */
void store_run_abandon(struct store_run *run);
void store_run_free(struct store_run *run); /* accepts NULL; keeps the folder */

/* One JSON object, already written as text without newline, appended to metrics.jsonl. */
MUST_USE enum st store_run_metrics(struct store_run *run, const char *json);
/* Path of a file in the folder ("model.safetensors", "pictures/0.weight.png"); `out` holds PATH_MAX bytes. */
MUST_USE enum st store_path(const char *folder, const char *file, char *out, size_t size);

#endif

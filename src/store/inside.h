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

#endif

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

#endif

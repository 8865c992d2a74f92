/* For tests of pictures: PNG files taken apart, and pixels of known colours looked for. */
#ifndef CLUTCH_TESTS_PICTURE_H
#define CLUTCH_TESTS_PICTURE_H

#include "support/check.h"

#include "store.h"

/* The same noise at each call; caller frees. */
struct store_picture check_noise(int w, int h, int channels);

/* All of one colour; of r alone where it is grey. Caller frees. */
struct store_picture check_plain(int w, int h, int channels, int r, int g, int b);

/* Text that is hard to draw: 0 is far too long, 1 is no UTF-8, others are odd in other ways. Static. */
const char *check_odd_name(int i);

/* A chunk of a PNG, whole and with the right CRC, else the test fails; *at moves on. */
struct check_chunk {
    char type[5];
    const char *data;
    size_t len;
};
struct check_chunk check_next_chunk(const char *bytes, size_t len, size_t *at);
uint32_t check_u32(const char *big_endian);

void check_pixel(const struct store_picture *p, int x, int y, int r, int g, int b);

/* Where pixels of a colour are: how many, and from where to where. */
struct check_spot {
    int count, left, top, right, bottom; /* right and bottom belong to it */
};
struct check_spot check_find(const struct store_picture *p, int r, int g, int b);
/* The same within a part of the picture: from x0, y0 up to but not x1, y1. */
struct check_spot check_find_in(const struct store_picture *p, int x0, int y0, int x1, int y1, int r, int g, int b);

/* The colours of charts. */
#define BLUE 0, 114, 178
#define VERMILLION 213, 94, 0
#define GREEN 0, 158, 115

#endif

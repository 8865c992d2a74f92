/* Pictures taken apart; see picture.h. */
#include "support/picture.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

struct store_picture check_noise(int w, int h, int channels)
{
    struct store_picture p;
    struct rng r;
    rng_init(&r, 1, 2);
    OK(store_picture_new(w, h, channels, &p));
    for (int i = 0; i < w * h * channels; i++)
        p.pixels[i] = (uint8_t)rng_below(&r, 256);
    return p;
}

struct store_picture check_plain(int w, int h, int channels, int r, int g, int b)
{
    struct store_picture p;
    const int color[3] = {r, g, b};
    OK(store_picture_new(w, h, channels, &p));
    for (int i = 0; i < w * h * channels; i++)
        p.pixels[i] = (uint8_t)color[i % channels];
    return p;
}

const char *check_odd_name(int i)
{
    enum { LONG = 5000 };
    static char name[LONG + 1];
    static const char *const odd[] = {"", "\xff\xfe broken", "\xe2\x82", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80",
                                      "line\nbreak\ttab\x01", "\xc3\xa4\xc3\xb6\xc3\xbc \xce\xb1\xce\xb2 \xe6\xbc\xa2",
                                      "\xf0\x9f\x98\x80 \xef\xbf\xbf \xc0\x80"};
    if (i > 0)
        return odd[(size_t)i % COUNT_OF(odd)];
    for (int j = 0; j + 3 <= LONG; j += 3)
        memcpy(name + j, j % 2 ? "\xe2\x82\xac" : "abW", 3);
    return name;
}

uint32_t check_u32(const char *big_endian)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 8 | (uint8_t)big_endian[i];
    return v;
}

struct check_chunk check_next_chunk(const char *bytes, size_t len, size_t *at)
{
    struct check_chunk c = {.data = bytes + *at + 8};
    assert_true(*at + 12 <= len);
    c.len = check_u32(bytes + *at);
    assert_true(c.len <= len - *at - 12);
    memcpy(c.type, bytes + *at + 4, 4);
    assert_true(check_u32(c.data + c.len) == crc32(0, (const Bytef *)c.data - 4, (uInt)c.len + 4));
    *at += 12 + c.len;
    return c;
}

void check_pixel(const struct store_picture *p, int x, int y, int r, int g, int b)
{
    assert_true(x >= 0 && x < p->w && y >= 0 && y < p->h);
    const uint8_t *c = p->pixels + 3 * (y * p->w + x);
    if (c[0] != r || c[1] != g || c[2] != b)
        fail_msg("pixel %d, %d is %d, %d, %d, wanted %d, %d, %d", x, y, c[0], c[1], c[2], r, g, b);
}

struct check_spot check_find_in(const struct store_picture *p, int x0, int y0, int x1, int y1, int r, int g, int b)
{
    struct check_spot s = {.left = INT_MAX, .top = INT_MAX, .right = -1, .bottom = -1};
    assert_int_equal(p->channels, 3);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            const uint8_t *c = p->pixels + 3 * (y * p->w + x);
            if (c[0] != r || c[1] != g || c[2] != b)
                continue;
            s.count++;
            s.left = x < s.left ? x : s.left;
            s.right = x > s.right ? x : s.right;
            s.top = y < s.top ? y : s.top;
            s.bottom = y;
        }
    return s;
}

struct check_spot check_find(const struct store_picture *p, int r, int g, int b)
{
    return check_find_in(p, 0, 0, p->w, p->h, r, g, b);
}

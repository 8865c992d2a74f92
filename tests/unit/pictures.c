/* store: PNG in and out, and pictures of weights. */
#include "support/check.h"

#include "store.h"

#include <limits.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- PNG --------------------------------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", check_folder(), name);
    return path;
}

static struct store_picture noise(int w, int h, int channels)
{
    struct store_picture p;
    struct rng r;
    rng_init(&r, 1, 2);
    OK(store_picture_new(w, h, channels, &p));
    for (int i = 0; i < w * h * channels; i++)
        p.pixels[i] = (uint8_t)rng_below(&r, 256);
    return p;
}

static void test_png_comes_back(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2) {
        struct store_picture p = noise(37, 300, channels), q;
        OK(store_png_write(path_of("p.png"), &p, NULL, 0));
        OK(store_png_read(path_of("p.png"), channels, &q));
        assert_int_equal(q.w, 37);
        assert_int_equal(q.h, 300);
        assert_int_equal(q.channels, channels);
        assert_memory_equal(p.pixels, q.pixels, (size_t)(37 * 300 * channels));
        store_picture_free(&p);
        store_picture_free(&q);
    }
}

static void test_png_grey_and_color(void **state)
{
    (void)state;
    struct store_picture grey, color, back;
    OK(store_picture_new(256, 1, 1, &grey));
    for (int i = 0; i < 256; i++)
        grey.pixels[i] = (uint8_t)i;
    OK(store_png_write(path_of("grey.png"), &grey, NULL, 0));
    OK(store_png_read(path_of("grey.png"), 3, &color));
    for (int i = 0; i < 256 * 3; i++)
        assert_int_equal(color.pixels[i], i / 3);
    OK(store_png_write(path_of("color.png"), &color, NULL, 0));
    OK(store_png_read(path_of("color.png"), 1, &back));
    for (int i = 0; i < 256; i++) /* libpng weighs the channels in linear light: one step of rounding there and back */
        assert_true(abs(back.pixels[i] - i) <= 1);
    store_picture_free(&grey);
    store_picture_free(&color);
    store_picture_free(&back);
}

static void test_png_holds_notes(void **state)
{
    (void)state;
    struct store_picture p = noise(5, 4, 3), q;
    const struct store_note notes[] = {{"Software", "clutch"}, {"range", "-0.5 to 0.5"}, {"empty", ""}};
    char *bytes, key[81];
    size_t len;
    OK(store_png_write(path_of("notes.png"), &p, notes, (int)COUNT_OF(notes)));
    OK(file_read(path_of("notes.png"), 1 << 20, &bytes, &len));
    size_t at = 8, n = 0;
    while (at < len) { /* every chunk whole, its CRC right, and the notes right behind the header */
        const unsigned char *c = (const unsigned char *)bytes + at;
        size_t size = (size_t)c[0] << 24 | (size_t)c[1] << 16 | (size_t)c[2] << 8 | c[3];
        assert_true(at + 12 + size <= len);
        const unsigned char *end = c + 8 + size;
        uLong crc = (uLong)end[0] << 24 | (uLong)end[1] << 16 | (uLong)end[2] << 8 | end[3];
        assert_true(crc == crc32(0, c + 4, (uInt)size + 4));
        if (memcmp(c + 4, "tEXt", 4) == 0) {
            size_t key_len = strlen(notes[n].key), value_len = strlen(notes[n].value);
            assert_int_equal(size, key_len + 1 + value_len);
            assert_memory_equal(c + 8, notes[n].key, key_len + 1);
            assert_memory_equal(c + 8 + key_len + 1, notes[n].value, value_len);
            n++;
        } else {
            assert_true(at == 8 || n == COUNT_OF(notes));
        }
        at += 12 + size;
    }
    assert_int_equal(n, COUNT_OF(notes));
    mem_free(bytes);
    OK(store_png_read(path_of("notes.png"), 3, &q));
    assert_memory_equal(p.pixels, q.pixels, 5 * 4 * 3);
    store_picture_free(&q);
    memset(key, 'k', 80);
    key[80] = '\0';
    FAILS(ST_INTERNAL, "key of 80", store_png_write(path_of("no.png"), &p, &(struct store_note){key, "x"}, 1));
    FAILS(ST_INTERNAL, "key of 0", store_png_write(path_of("no.png"), &p, &(struct store_note){"", "x"}, 1));
    assert_false(file_exists(path_of("no.png")));
    store_picture_free(&p);
}

static void add_chunk(struct text *file, const char *type, const void *data, size_t len)
{
    uLong crc = crc32(crc32(0, (const Bytef *)type, 4), data, (uInt)len);
    const char size[4] = {0, 0, (char)(len >> 8), (char)len};
    const char sum[4] = {(char)(crc >> 24), (char)(crc >> 16), (char)(crc >> 8), (char)crc};
    text_add_bytes(file, size, 4);
    text_add_bytes(file, type, 4);
    text_add_bytes(file, data, len);
    text_add_bytes(file, sum, 4);
}

/* A PNG of one row as other programs write it: no colour space named. */
static void write_row(int w, int depth, int color_type, const char *palette, const char *alpha, const char *row,
                      size_t row_bytes)
{
    struct text file = {0};
    const char head[13] = {0, 0, (char)(w >> 8), (char)w, 0, 0, 0, 1, (char)depth, (char)color_type, 0, 0, 0};
    char raw[64] = {0}, packed[128]; /* raw begins with the filter of the row: none */
    uLongf packed_len = sizeof packed;
    memcpy(raw + 1, row, row_bytes);
    assert_int_equal(compress((Bytef *)packed, &packed_len, (const Bytef *)raw, row_bytes + 1), Z_OK);
    text_add_bytes(&file, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(&file, "IHDR", head, sizeof head);
    if (palette)
        add_chunk(&file, "PLTE", palette, 6);
    if (alpha)
        add_chunk(&file, "tRNS", alpha, 2);
    add_chunk(&file, "IDAT", packed, packed_len);
    add_chunk(&file, "IEND", "", 0);
    OK(text_status(&file));
    OK(file_write(path_of("row.png"), file.s, file.len));
    text_free(&file);
}

static void check_row(int channels, const uint8_t *want, size_t n)
{
    struct store_picture p;
    OK(store_png_read(path_of("row.png"), channels, &p));
    assert_int_equal(p.h, 1);
    assert_int_equal((size_t)(p.w * p.channels), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p.pixels[i], want[i]);
    store_picture_free(&p);
}

static void test_png_of_every_kind(void **state)
{
    (void)state;
    write_row(8, 1, PNG_COLOR_TYPE_GRAY, NULL, NULL, "\xa5", 1);
    check_row(1, (const uint8_t[]){255, 0, 255, 0, 0, 255, 0, 255}, 8);
    write_row(3, 4, PNG_COLOR_TYPE_GRAY, NULL, NULL, "\x0f\x80", 2);
    check_row(1, (const uint8_t[]){0, 255, 0x88}, 3);
    /* 16 bits mean what 8 bits mean: 0x8080 is 128 of 255, not linear light */
    write_row(3, 16, PNG_COLOR_TYPE_GRAY, NULL, NULL, "\0\0\x80\x80\xff\xff", 6);
    check_row(1, (const uint8_t[]){0, 128, 255}, 3);
    write_row(1, 16, PNG_COLOR_TYPE_RGB, NULL, NULL, "\x10\x10\x80\x80\xf0\xf0", 6);
    check_row(3, (const uint8_t[]){16, 128, 240}, 3);
    write_row(3, 8, PNG_COLOR_TYPE_PALETTE, "\x0a\x14\x1e\xff\x80\x01", NULL, "\0\1\0", 3);
    check_row(3, (const uint8_t[]){10, 20, 30, 255, 128, 1, 10, 20, 30}, 9);
    write_row(2, 8, PNG_COLOR_TYPE_PALETTE, "\x0a\x14\x1e\xff\x80\x01", "\0\xff", "\0\1", 2);
    check_row(3, (const uint8_t[]){0, 0, 0, 255, 128, 1}, 6);
    write_row(2, 8, PNG_COLOR_TYPE_GRAY_ALPHA, NULL, NULL, "\xc8\xff\xc8\0", 4);
    check_row(1, (const uint8_t[]){200, 0}, 2);
    write_row(2, 8, PNG_COLOR_TYPE_RGB_ALPHA, NULL, NULL, "\x0a\x14\x1e\xff\x0a\x14\x1e\0", 8);
    check_row(3, (const uint8_t[]){10, 20, 30, 0, 0, 0}, 6);
}

static void test_png_refused(void **state)
{
    (void)state;
    struct store_picture p = noise(16, 16, 3), q = {0};
    char *bytes;
    size_t len;
    FAILS(ST_INPUT, "missing.png", store_png_read(path_of("missing.png"), 1, &q));
    OK(file_write(path_of("text.png"), "this is no picture at all", 25));
    FAILS(ST_INPUT, "text.png: ", store_png_read(path_of("text.png"), 1, &q));
    OK(file_write(path_of("empty.png"), "", 0));
    FAILS(ST_INPUT, "empty.png: ", store_png_read(path_of("empty.png"), 1, &q));
    OK(store_png_write(path_of("p.png"), &p, NULL, 0));
    OK(file_read(path_of("p.png"), 1 << 20, &bytes, &len));
    for (size_t i = 0; i < len - 12; i++) { /* what lacks the empty chunk at the end alone is whole */
        OK(file_write(path_of("cut.png"), bytes, i));
        FAILS(ST_INPUT, "cut.png: ", store_png_read(path_of("cut.png"), 3, &q));
    }
    bytes[len - 40] ^= 1;
    OK(file_write(path_of("bent.png"), bytes, len));
    FAILS(ST_INPUT, "bent.png: ", store_png_read(path_of("bent.png"), 3, &q));
    mem_free(bytes);
    write_row(16385, 1, PNG_COLOR_TYPE_GRAY, NULL, NULL, "\xa5", 1);
    FAILS(ST_INPUT, "16385 x 1 pixels, at most 16384 a side", store_png_read(path_of("row.png"), 1, &q));
    FAILS(ST_SYSTEM, "none/p.png", store_png_write(path_of("none/p.png"), &p, NULL, 0));
    FAILS(ST_INTERNAL, "2 channels", store_picture_new(1, 1, 2, &q));
    FAILS(ST_INTERNAL, "0 x 1 pixels", store_picture_new(0, 1, 1, &q));
    store_picture_free(&p);
}

/* ---- pictures of weights ----------------------------------------------------------------------------------------- */

static void check_pixel(const struct store_picture *p, int x, int y, int r, int g, int b)
{
    assert_true(x >= 0 && x < p->w && y >= 0 && y < p->h);
    const uint8_t *c = p->pixels + 3 * (y * p->w + x);
    if (c[0] != r || c[1] != g || c[2] != b)
        fail_msg("pixel %d, %d is %d, %d, %d, wanted %d, %d, %d", x, y, c[0], c[1], c[2], r, g, b);
}

static void test_tiles_colors_and_places(void **state)
{
    (void)state;
    static const float values[] = {
        -1, 0, 1, 0.1f, 0, -0.2f, /* tile 0: 2 x 3 values */
        0.2f, NAN, 0, INFINITY, 0, -1, /* tile 1 */
        0, 0, 0, 0, 0, 0.6f, /* tile 2 */
    };
    struct store_picture p;
    struct store_tiles_facts f;
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 3, .tile_h = 2, .tile_w = 3}, &p, &f));
    assert_true(f.range == 1 && f.clipped == 0);
    assert_int_equal(f.bad, 2);
    assert_int_equal(f.shown, 3);
    assert_int_equal(f.scale, 8);
    assert_int_equal(f.columns, 2);
    assert_int_equal(f.rows, 2);
    assert_int_equal(p.w, 2 + 24 + 2 + 24 + 2);
    assert_int_equal(p.h, 2 + 16 + 2 + 16 + 2);
    check_pixel(&p, 2, 2, 5, 48, 97); /* -1, in all corners of its square */
    check_pixel(&p, 9, 9, 5, 48, 97);
    check_pixel(&p, 10, 9, 247, 247, 247); /* 0 */
    check_pixel(&p, 18, 2, 103, 0, 31); /* 1 */
    check_pixel(&p, 25, 9, 103, 0, 31);
    check_pixel(&p, 2, 10, 250, 233, 223); /* 0.1: halfway to the next colour of the map */
    check_pixel(&p, 25, 17, 209, 229, 240); /* -0.2 */
    check_pixel(&p, 28, 2, 253, 219, 199); /* second tile: 0.2 */
    check_pixel(&p, 36, 2, 120, 230, 0); /* NaN */
    check_pixel(&p, 28, 10, 120, 230, 0); /* infinity */
    check_pixel(&p, 18, 35, 214, 96, 77); /* third tile, second row of tiles: 0.6 */
    check_pixel(&p, 0, 0, 64, 64, 64); /* border, gaps and the empty place */
    check_pixel(&p, 26, 9, 64, 64, 64);
    check_pixel(&p, 27, 9, 64, 64, 64);
    check_pixel(&p, 9, 18, 64, 64, 64);
    check_pixel(&p, 9, 19, 64, 64, 64);
    check_pixel(&p, 30, 25, 64, 64, 64);
    check_pixel(&p, p.w - 1, p.h - 1, 64, 64, 64);
    store_picture_free(&p);
}

/* Lightness L* of CIELAB, 0 to 100, from sRGB. */
static double lightness(const uint8_t *c)
{
    double y = 0;
    static const double weight[] = {0.2126, 0.7152, 0.0722};
    for (int i = 0; i < 3; i++) {
        double v = c[i] / 255.0;
        y += weight[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return y > 0.008856 ? 116 * cbrt(y) - 16 : 903.3 * y;
}

static void test_tiles_map_is_symmetric(void **state)
{
    (void)state;
    enum { N = 81, ZERO = N / 2 };
    float values[N];
    struct store_picture p;
    struct store_tiles_facts f;
    for (int i = 0; i < N; i++)
        values[i] = (float)(i - ZERO);
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 1, .tile_h = 1, .tile_w = N}, &p, &f));
    assert_true(f.range == ZERO);
    const uint8_t *zero = p.pixels + 3 * (2 * p.w + 2 + ZERO * f.scale);
    double before = lightness(zero);
    for (int i = 1; i <= ZERO; i++) {
        const uint8_t *negative = zero - 3 * i * f.scale, *positive = zero + 3 * i * f.scale;
        double l = lightness(negative);
        assert_true(l < before); /* the larger the weight, the darker */
        before = l;
        /* a step of ten is plain to the eye; the two arms of the published map differ by less than half of it */
        assert_true(fabs(l - lightness(positive)) < 5);
        assert_true(negative[2] > negative[0] && positive[0] > positive[2]); /* blue below, red above */
    }
    store_picture_free(&p);
}

static void test_tiles_clip_outliers(void **state)
{
    (void)state;
    enum { N = 4000 };
    float *values;
    struct store_picture p;
    struct store_tiles_facts f;
    OK(NEW(values, N));
    for (int i = 0; i < N; i++)
        values[i] = i % 2 ? 1.0f : -1.0f;
    values[7] = 100; /* 3999 finite values: the quantile leaves three out */
    values[8] = -50;
    values[9] = NAN;
    values[10] = 40;
    values[11] = -30;
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 10, .tile_h = 20, .tile_w = 20}, &p, &f));
    assert_true(f.range == 30);
    assert_true(fabs(f.clipped - 3.0 / 3999) < 1e-15);
    assert_int_equal(f.bad, 1);
    check_pixel(&p, 2 + 7 * f.scale, 2, 103, 0, 31); /* clipped to the ends of the map */
    check_pixel(&p, 2 + 8 * f.scale, 2, 5, 48, 97);
    store_picture_free(&p);
    memset(values, 0, N * sizeof *values);
    values[3] = 0.5f; /* below the quantile all is zero: the range is the largest, not zero */
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 10, .tile_h = 20, .tile_w = 20}, &p, &f));
    assert_true(f.range == 0.5 && f.clipped == 0);
    check_pixel(&p, 2 + 3 * f.scale, 2, 103, 0, 31);
    store_picture_free(&p);
    mem_free(values);
}

static void test_tiles_all_equal(void **state)
{
    (void)state;
    float values[4] = {0};
    struct store_picture p;
    struct store_tiles_facts f;
    const struct store_tiles tiles = {.values = values, .n = 1, .tile_h = 2, .tile_w = 2};
    OK(store_tiles_draw(&tiles, &p, &f));
    assert_true(f.range == 0 && f.clipped == 0 && f.bad == 0);
    assert_int_equal(p.w, 2 + 16 + 2);
    assert_int_equal(p.h, 2 + 16 + 2);
    check_pixel(&p, 2, 2, 247, 247, 247);
    check_pixel(&p, 17, 17, 247, 247, 247);
    store_picture_free(&p);
    for (int i = 0; i < 4; i++)
        values[i] = -3;
    OK(store_tiles_draw(&tiles, &p, &f));
    assert_true(f.range == 3 && f.clipped == 0);
    check_pixel(&p, 2, 2, 5, 48, 97);
    store_picture_free(&p);
    for (int i = 0; i < 4; i++)
        values[i] = NAN;
    OK(store_tiles_draw(&tiles, &p, &f));
    assert_true(f.range == 0 && f.clipped == 0 && f.bad == 4);
    check_pixel(&p, 2, 2, 120, 230, 0);
    store_picture_free(&p);
}

static void test_tiles_layout(void **state)
{
    (void)state;
    static const struct {
        int n, h, w, shown, columns, rows, scale;
    } row[] = {
        {256, 28, 28, 256, 16, 16, 2}, /* 16 * (2 * 28 + 2) + 2 = 930 pixels a side */
        {10, 28, 28, 10, 4, 3, 8},     /* 906 x 680, landscape */
        {12, 10, 40, 12, 2, 6, 8},     /* wide tiles: 646 x 494 */
        {12, 40, 10, 12, 6, 2, 8},     /* tall tiles: a seventh column would cost no height, but leave places empty */
        {1, 1200, 4, 1, 1, 1, 1},      /* 1204 pixels would be 2404 enlarged */
        {1, 598, 4, 1, 1, 1, 2},       /* 1200 pixels exactly */
        {1, 599, 4, 1, 1, 1, 1},
        {3, 1, 4092, 3, 1, 3, 1},
        {1364 * 1364 + 1, 1, 1, 1364 * 1364, 1364, 1364, 1}, /* one does not fit: 1364 * 3 + 2 = 4094 pixels a side */
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        struct store_picture p;
        struct store_tiles_facts f;
        float *values;
        OK(NEW(values, (size_t)row[i].n * (size_t)row[i].h * (size_t)row[i].w));
        OK(store_tiles_draw(
            &(struct store_tiles){.values = values, .n = row[i].n, .tile_h = row[i].h, .tile_w = row[i].w}, &p, &f));
        if (f.shown != row[i].shown || f.columns != row[i].columns || f.rows != row[i].rows || f.scale != row[i].scale)
            fail_msg("%d tiles of %d x %d: %d shown in %d x %d, scale %d", row[i].n, row[i].h, row[i].w, f.shown,
                     f.columns, f.rows, f.scale);
        assert_true(p.w <= 4096 && p.h <= 4096);
        assert_int_equal(p.w, f.columns * (row[i].w * f.scale + 2) + 2);
        assert_int_equal(p.h, f.rows * (row[i].h * f.scale + 2) + 2);
        store_picture_free(&p);
        mem_free(values);
    }
}

static void test_tiles_refused(void **state)
{
    (void)state;
    const float value = 0;
    struct store_picture p;
    struct store_tiles_facts f;
    struct store_tiles tiles = {.values = &value, .n = 1, .tile_h = 4093, .tile_w = 1};
    FAILS(ST_INPUT, "1 tiles of 4093 x 1 values: 1 to 4092 a side", store_tiles_draw(&tiles, &p, &f));
    tiles = (struct store_tiles){.values = &value, .n = 1, .tile_h = 1, .tile_w = 4093};
    FAILS(ST_INPUT, "1 x 4093", store_tiles_draw(&tiles, &p, &f));
    tiles = (struct store_tiles){.values = &value, .n = 0, .tile_h = 1, .tile_w = 1};
    FAILS(ST_INPUT, "0 tiles", store_tiles_draw(&tiles, &p, &f));
    tiles = (struct store_tiles){.values = &value, .n = 1, .tile_h = 0, .tile_w = 1};
    FAILS(ST_INPUT, "0 x 1", store_tiles_draw(&tiles, &p, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_comes_back),
        cmocka_unit_test(test_png_grey_and_color),
        cmocka_unit_test(test_png_holds_notes),
        cmocka_unit_test(test_png_of_every_kind),
        cmocka_unit_test(test_png_refused),
        cmocka_unit_test(test_tiles_colors_and_places),
        cmocka_unit_test(test_tiles_map_is_symmetric),
        cmocka_unit_test(test_tiles_clip_outliers),
        cmocka_unit_test(test_tiles_all_equal),
        cmocka_unit_test(test_tiles_layout),
        cmocka_unit_test(test_tiles_refused),
    };
    return cmocka_run_group_tests_name("pictures", tests, NULL, NULL);
}

/* store: PNG in and out. */
#include "support/picture.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void test_png_comes_back(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2) {
        struct store_picture p = check_noise(37, 300, channels), q;
        OK(store_png_write(in_folder("p.png"), &p, NULL, 0));
        OK(store_png_read(in_folder("p.png"), channels, &q));
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
    OK(store_png_write(in_folder("grey.png"), &grey, NULL, 0));
    OK(store_png_read(in_folder("grey.png"), 3, &color));
    for (int i = 0; i < 256 * 3; i++)
        assert_int_equal(color.pixels[i], i / 3);
    OK(store_png_write(in_folder("color.png"), &color, NULL, 0));
    OK(store_png_read(in_folder("color.png"), 1, &back));
    for (int i = 0; i < 256; i++) /* libpng weighs the channels in linear light: one step of rounding there and back */
        assert_true(abs(back.pixels[i] - i) <= 1);
    store_picture_free(&grey);
    store_picture_free(&color);
    store_picture_free(&back);
}

static void test_png_holds_notes(void **state)
{
    (void)state;
    struct store_picture p = check_noise(5, 4, 3), q;
    const struct store_note notes[] = {{"Software", "clutch"}, {"range", "-0.5 to 0.5"}, {"empty", ""}};
    char *bytes, key[81];
    size_t len;
    OK(store_png_write(in_folder("notes.png"), &p, notes, (int)COUNT_OF(notes)));
    OK(file_read(in_folder("notes.png"), 1 << 20, &bytes, &len));
    size_t at = 8, n = 0;
    while (at < len) { /* the notes right behind the header */
        struct check_chunk c = check_next_chunk(bytes, len, &at);
        if (strcmp(c.type, "tEXt") == 0) {
            size_t key_len = strlen(notes[n].key), value_len = strlen(notes[n].value);
            assert_int_equal(c.len, key_len + 1 + value_len);
            assert_memory_equal(c.data, notes[n].key, key_len + 1);
            assert_memory_equal(c.data + key_len + 1, notes[n].value, value_len);
            n++;
        } else {
            assert_true(strcmp(c.type, "IHDR") == 0 || n == COUNT_OF(notes));
        }
    }
    assert_int_equal(n, COUNT_OF(notes));
    mem_free(bytes);
    OK(store_png_read(in_folder("notes.png"), 3, &q));
    assert_memory_equal(p.pixels, q.pixels, 5 * 4 * 3);
    store_picture_free(&q);
    memset(key, 'k', 80);
    key[80] = '\0';
    FAILS(ST_INTERNAL, "key of 80", store_png_write(in_folder("no.png"), &p, &(struct store_note){key, "x"}, 1));
    FAILS(ST_INTERNAL, "key of 0", store_png_write(in_folder("no.png"), &p, &(struct store_note){"", "x"}, 1));
    assert_false(file_exists(in_folder("no.png")));
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
    OK(file_write(in_folder("row.png"), file.s, file.len));
    text_free(&file);
}

static void check_row(int channels, const uint8_t *want, size_t n)
{
    struct store_picture p;
    OK(store_png_read(in_folder("row.png"), channels, &p));
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
    struct store_picture p = check_noise(16, 16, 3), q = {0};
    char *bytes;
    size_t len;
    FAILS(ST_INPUT, "missing.png", store_png_read(in_folder("missing.png"), 1, &q));
    OK(file_write(in_folder("text.png"), "this is no picture at all", 25));
    FAILS(ST_INPUT, "text.png: ", store_png_read(in_folder("text.png"), 1, &q));
    OK(file_write(in_folder("empty.png"), "", 0));
    FAILS(ST_INPUT, "empty.png: ", store_png_read(in_folder("empty.png"), 1, &q));
    OK(store_png_write(in_folder("p.png"), &p, NULL, 0));
    OK(file_read(in_folder("p.png"), 1 << 20, &bytes, &len));
    for (size_t i = 0; i < len - 12; i++) { /* what lacks the empty chunk at the end alone is whole */
        OK(file_write(in_folder("cut.png"), bytes, i));
        FAILS(ST_INPUT, "cut.png: ", store_png_read(in_folder("cut.png"), 3, &q));
    }
    bytes[len - 40] ^= 1;
    OK(file_write(in_folder("bent.png"), bytes, len));
    FAILS(ST_INPUT, "bent.png: ", store_png_read(in_folder("bent.png"), 3, &q));
    mem_free(bytes);
    write_row(16385, 1, PNG_COLOR_TYPE_GRAY, NULL, NULL, "\xa5", 1);
    FAILS(ST_INPUT, "16385 x 1 pixels, at most 16384 a side", store_png_read(in_folder("row.png"), 1, &q));
    FAILS(ST_SYSTEM, "none/p.png", store_png_write(in_folder("none/p.png"), &p, NULL, 0));
    FAILS(ST_INTERNAL, "2 channels", store_picture_new(1, 1, 2, &q));
    FAILS(ST_INTERNAL, "0 x 1 pixels", store_picture_new(0, 1, 1, &q));
    store_picture_free(&p);
}

static void check_look(int w, int h, bool color)
{
    struct store_png_facts f = {0};
    OK(store_png_look(in_folder("row.png"), &f));
    assert_int_equal(f.w, w);
    assert_int_equal(f.h, h);
    assert_int_equal(f.color, color);
}

static void test_png_looked_at(void **state)
{
    (void)state;
    struct store_picture p = check_noise(300, 20, 3);
    struct store_png_facts f = {.w = -1};
    char *bytes;
    size_t len;
    write_row(8, 1, PNG_COLOR_TYPE_GRAY, NULL, NULL, "\xa5", 1);
    check_look(8, 1, false);
    write_row(3, 8, PNG_COLOR_TYPE_PALETTE, "\x0a\x14\x1e\xff\x80\x01", NULL, "\0\1\0", 3);
    check_look(3, 1, true);
    write_row(2, 8, PNG_COLOR_TYPE_GRAY_ALPHA, NULL, NULL, "\xc8\xff\xc8\0", 4);
    check_look(2, 1, false);
    write_row(2, 8, PNG_COLOR_TYPE_RGB_ALPHA, NULL, NULL, "\x0a\x14\x1e\xff\x0a\x14\x1e\0", 8);
    check_look(2, 1, true);
    OK(store_png_write(in_folder("row.png"), &p, NULL, 0));
    check_look(300, 20, true);
    OK(file_read(in_folder("row.png"), 1 << 20, &bytes, &len));
    for (size_t i = 0; i < 33; i++) {
        OK(file_write(in_folder("cut.png"), bytes, i));
        FAILS(ST_INPUT, "cut.png: ", store_png_look(in_folder("cut.png"), &f));
        bytes[i] ^= 4;
        OK(file_write(in_folder("bent.png"), bytes, len));
        FAILS(ST_INPUT, "bent.png: ", store_png_look(in_folder("bent.png"), &f));
        bytes[i] ^= 4;
    }
    OK(file_write(in_folder("row.png"), bytes, 33)); /* the head alone is enough */
    check_look(300, 20, true);
    mem_free(bytes);
    write_row(16385, 1, PNG_COLOR_TYPE_GRAY, NULL, NULL, "\xa5", 1);
    FAILS(ST_INPUT, "16385 x 1 pixels, at most 16384 a side", store_png_look(in_folder("row.png"), &f));
    write_row(0, 1, PNG_COLOR_TYPE_GRAY, NULL, NULL, "\xa5", 1);
    FAILS(ST_INPUT, "row.png", store_png_look(in_folder("row.png"), &f));
    FAILS(ST_INPUT, "missing.png", store_png_look(in_folder("missing.png"), &f));
    FAILS(ST_INPUT, "cannot", store_png_look(check_folder(), &f));
    assert_int_equal(f.w, -1);
    store_picture_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_comes_back),
        cmocka_unit_test(test_png_grey_and_color),
        cmocka_unit_test(test_png_holds_notes),
        cmocka_unit_test(test_png_of_every_kind),
        cmocka_unit_test(test_png_refused),
        cmocka_unit_test(test_png_looked_at),
    };
    return cmocka_run_group_tests_name("pictures", tests, NULL, NULL);
}

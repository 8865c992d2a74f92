/* store: moving pictures, taken apart chunk by chunk and put together again for libpng to read. */
#include "support/picture.h"

#include <string.h>
#include <zlib.h>

enum { FRAMES = 5, W = 70, H = 60 }; /* of noise: more than one IDAT chunk a frame */

static void make_frames(struct store_picture *frame, int channels)
{
    for (int i = 0; i < FRAMES; i++) {
        frame[i] = check_noise(W, H, channels);
        for (int j = 0; j < 5 * (i + 1); j++)
            frame[i].pixels[j] = (uint8_t)(i + 1);
    }
}

static void free_frames(struct store_picture *frame)
{
    for (int i = 0; i < FRAMES; i++)
        store_picture_free(&frame[i]);
}

static void add_chunk(struct text *file, const char *type, const char *data, size_t len)
{
    const uLong crc = crc32(crc32(0, (const Bytef *)type, 4), (const Bytef *)data, (uInt)len);
    const uint32_t number[] = {(uint32_t)len, (uint32_t)crc};
    char bytes[2][4];
    for (int i = 0; i < 8; i++)
        bytes[i / 4][i % 4] = (char)(number[i / 4] >> (24 - 8 * (i % 4)));
    text_add_bytes(file, bytes[0], 4);
    text_add_bytes(file, type, 4);
    text_add_bytes(file, data, len);
    text_add_bytes(file, bytes[1], 4);
}

/* What a file holds: its frames, each as a PNG of its own. */
struct film {
    struct text frame[FRAMES + 1];
    int ms[FRAMES + 1];
    int n, order; /* order: of the last chunk, as in `rank` */
    uint32_t sequence;
    bool ended;
};

/* Chunks come in this order; those of one rank may mix. */
static int rank(const char *type)
{
    static const char *const order[] = {"IHDR", "tEXt", "acTL", "", "IDAT", "fcTL", "IEND"};
    for (int i = 0; i < (int)COUNT_OF(order); i++)
        if (strcmp(order[i], strcmp(type, "fdAT") == 0 ? "fcTL" : type) == 0)
            return i;
    return 3; /* colour space */
}

static void take_control(struct film *f, const struct check_chunk *c)
{
    assert_int_equal(c->len, 26);
    assert_int_equal(check_u32(c->data), f->sequence++);
    assert_int_equal(check_u32(c->data + 4), W);
    assert_int_equal(check_u32(c->data + 8), H);
    assert_int_equal(check_u32(c->data + 12), 0);
    assert_int_equal(check_u32(c->data + 16), 0);
    const uint32_t delay = check_u32(c->data + 20);
    assert_int_equal(delay & 0xffff, 1000);
    assert_int_equal(c->data[24], 0);
    assert_int_equal(c->data[25], 0);
    assert_true(f->n < FRAMES);
    f->ms[f->n++] = (int)(delay >> 16);
}

static void take_apart(const char *path, int frames, int color_type, struct film *f)
{
    char *bytes, head[13];
    size_t len, at = 8, before;
    OK(file_read(path, 1 << 24, &bytes, &len));
    while (at < len) {
        before = at;
        struct check_chunk c = check_next_chunk(bytes, len, &at);
        assert_true(rank(c.type) >= f->order);
        f->order = rank(c.type);
        if (strcmp(c.type, "IHDR") == 0) {
            assert_int_equal(c.len, sizeof head);
            memcpy(head, c.data, sizeof head);
            assert_int_equal(head[9], color_type);
        } else if (strcmp(c.type, "acTL") == 0) {
            assert_int_equal(c.len, 8);
            assert_int_equal(check_u32(c.data), frames);
            assert_int_equal(check_u32(c.data + 4), 0); /* for ever */
        } else if (strcmp(c.type, "fcTL") == 0) {
            take_control(f, &c);
            text_add_bytes(&f->frame[f->n], bytes, 8);
            add_chunk(&f->frame[f->n], "IHDR", head, sizeof head);
        } else if (strcmp(c.type, "fdAT") == 0) {
            assert_int_equal(check_u32(c.data), f->sequence++);
            add_chunk(&f->frame[f->n], "IDAT", c.data + 4, c.len - 4);
        } else if (strcmp(c.type, "IEND") == 0) {
            f->ended = at == len;
        }
        assert_true(at > before);
    }
    assert_true(f->ended);
    assert_int_equal(f->n, frames);
    mem_free(bytes);
}

static void check_film(int channels, int n)
{
    struct store_picture frame[FRAMES], q;
    const struct store_note notes[] = {{"Software", "clutch"}, {"layer", "0.weight"}};
    struct film f = {0};
    make_frames(frame, channels);
    struct store_motion m = {.frame = frame, .n = n, .frame_ms = 120, .last_ms = 2500};
    OK(store_apng_write(in_folder("film.png"), &m, notes, COUNT_OF(notes)));
    take_apart(in_folder("film.png"), n, channels == 1 ? 0 : 2, &f);
    for (int i = 1; i <= n; i++) {
        assert_int_equal(f.ms[i - 1], i == n ? 2500 : 120);
        add_chunk(&f.frame[i], "IEND", "", 0);
        OK(text_status(&f.frame[i]));
        OK(file_write(in_folder("frame.png"), f.frame[i].s, f.frame[i].len));
        OK(store_png_read(in_folder("frame.png"), channels, &q));
        assert_int_equal(q.w, W);
        assert_int_equal(q.h, H);
        assert_memory_equal(q.pixels, frame[i - 1].pixels, (size_t)(W * H * channels));
        store_picture_free(&q);
        text_free(&f.frame[i]);
    }
    /* who knows no APNG sees the last */
    OK(store_png_read(in_folder("film.png"), channels, &q));
    assert_memory_equal(q.pixels, frame[n - 1].pixels, (size_t)(W * H * channels));
    store_picture_free(&q);
    free_frames(frame);
}

static void test_apng_frames(void **state)
{
    (void)state;
    check_film(3, FRAMES);
    check_film(1, FRAMES);
    check_film(3, 1);
}

static void test_apng_holds_notes(void **state)
{
    (void)state;
    struct store_picture p = check_noise(4, 4, 3);
    const struct store_motion m = {.frame = &p, .n = 1, .frame_ms = 1, .last_ms = 65535};
    const struct store_note note_of = {"range", "0.5"}, wrong = {"", "x"};
    char *bytes;
    size_t len, at = 8;
    OK(store_apng_write(in_folder("notes.png"), &m, &note_of, 1));
    OK(file_read(in_folder("notes.png"), 1 << 20, &bytes, &len));
    struct check_chunk c = check_next_chunk(bytes, len, &at);
    assert_string_equal(c.type, "IHDR");
    c = check_next_chunk(bytes, len, &at);
    assert_string_equal(c.type, "tEXt");
    assert_int_equal(c.len, 9);
    assert_memory_equal(c.data, "range\0000.5", 9);
    mem_free(bytes);
    FAILS(ST_INTERNAL, "no.png: text chunk", store_apng_write(in_folder("no.png"), &m, &wrong, 1));
    assert_false(file_exists(in_folder("no.png")));
    store_picture_free(&p);
}

static void test_apng_refused(void **state)
{
    (void)state;
    struct store_picture two[2] = {check_noise(4, 4, 3), check_noise(4, 5, 3)};
    struct store_motion m = {.frame = two, .n = 2, .frame_ms = 100, .last_ms = 100};
    const char *path = in_folder("no.png");
    FAILS(ST_INTERNAL, "frame 1 is 4 x 5 x 3, the first 4 x 4 x 3", store_apng_write(path, &m, NULL, 0));
    store_picture_free(&two[1]);
    two[1] = check_noise(4, 4, 1);
    FAILS(ST_INTERNAL, "frame 1 is 4 x 4 x 1", store_apng_write(path, &m, NULL, 0));
    m.n = 0;
    FAILS(ST_INTERNAL, "0 frames", store_apng_write(path, &m, NULL, 0));
    m.n = 1;
    m.frame_ms = 0;
    FAILS(ST_INTERNAL, "0 ms", store_apng_write(path, &m, NULL, 0));
    m.frame_ms = 1;
    m.last_ms = 65536;
    FAILS(ST_INTERNAL, "65536 ms", store_apng_write(path, &m, NULL, 0));
    assert_false(file_exists(path));
    m.last_ms = 1;
    FAILS(ST_SYSTEM, "none/p.png", store_apng_write(in_folder("none/p.png"), &m, NULL, 0));
    store_picture_free(&two[0]);
    store_picture_free(&two[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apng_frames),
        cmocka_unit_test(test_apng_holds_notes),
        cmocka_unit_test(test_apng_refused),
    };
    return cmocka_run_group_tests_name("pictures_apng", tests, NULL, NULL);
}

/* store: the strip below a picture of weights: colours where they belong, odd values, sizes. */
#include "support/picture.h"

#include <math.h>

#define UNUSUAL 250, 10, 200

static void test_strip_below(void **state)
{
    (void)state;
    static const float values[] = {-1, -1, -1, 0, 0.001f, 0.5f, 1, 1, 1};
    const struct store_strip strip = {.line = {"0.weight", NULL, "epoch 3"}, .values = values,
                                      .count = COUNT_OF(values), .range = 1};
    for (int channels = 1; channels <= 3; channels += 2) {
        struct store_picture p = check_plain(40, 30, channels, 251, channels == 1 ? 0 : 10, 200);
        const int r = 251, g = channels == 1 ? 251 : 10, b = channels == 1 ? 251 : 200;
        OK(store_strip_add(&p, &strip));
        assert_int_equal(p.channels, 3);
        assert_true(p.w > 400 && p.w < 800 && p.h > 80 && p.h < 200);
        const struct check_spot old = check_find_in(&p, 0, 0, p.w, 30, r, g, b);
        assert_int_equal(old.count, 40 * 30);
        assert_int_equal(old.right - old.left + 1, 40);
        assert_int_equal(old.left, (p.w - 40) / 2);
        assert_int_equal(check_find_in(&p, 0, 0, p.w, 30, 64, 64, 64).count, (p.w - 40) * 30);
        const struct check_spot low = check_find_in(&p, 0, 30, p.w, p.h, 5, 48, 97);
        const struct check_spot high = check_find_in(&p, 0, 30, p.w, p.h, 103, 0, 31);
        assert_true(low.count > 0 && high.count > 0 && low.right < high.left);
        assert_true(check_find_in(&p, 0, 30, p.w / 2, p.h, 48, 48, 48).count > 50); /* text */
        store_picture_free(&p);
    }
}

/* Counts of 1 and 3 of 3: heights log 2 and log 4 of the whole. */
static void test_strip_histogram(void **state)
{
    (void)state;
    static const float values[] = {-0.5f, 0.5f, 0.5f, 0.5f, NAN, INFINITY, -5, -1e30f, -3};
    struct store_strip strip = {.values = values, .count = COUNT_OF(values), .range = 1};
    struct store_picture p = check_plain(40, 30, 3, UNUSUAL);
    OK(store_strip_add(&p, &strip));
    /* the middles of bins 15 and 45 of 61 */
    const struct check_spot low = check_find_in(&p, 0, 30, p.w, p.h - 38, 110, 174, 210);
    const struct check_spot high = check_find_in(&p, 0, 30, p.w, p.h - 38, 230, 133, 106);
    assert_true(low.count > 0 && high.count > 0 && low.right < high.left);
    assert_int_equal(low.bottom, high.bottom);
    assert_int_equal(high.bottom - high.top + 2, 48); /* the outline lies on top */
    assert_int_equal(low.bottom - low.top + 2, 24);
    /* what lies outside stands at the end: three again */
    const struct check_spot end = check_find_in(&p, 0, 30, p.w, p.h - 38, 7, 52, 103);
    assert_int_equal(end.bottom - end.top + 2, 48);
    assert_true(end.right < low.left);
    store_picture_free(&p);
}

static void test_strip_true_color(void **state)
{
    (void)state;
    static const float values[] = {-1, 1};
    const struct store_strip strip = {.values = values, .count = 2, .range = 1, .true_color = true};
    struct store_picture p = check_plain(700, 30, 3, UNUSUAL);
    OK(store_strip_add(&p, &strip));
    assert_int_equal(p.w, 700);
    assert_int_equal(check_find(&p, 5, 48, 97).count, 0);
    assert_int_equal(check_find(&p, 103, 0, 31).count, 0);
    assert_true(check_find(&p, 153, 153, 153).count > 100); /* bars */
    store_picture_free(&p);
}

static void test_strip_odd(void **state)
{
    (void)state;
    static const float nan[] = {NAN, INFINITY}, zero[] = {0, 0}, three[] = {3, 3};
    struct store_strip strip = {.line = {check_odd_name(0), check_odd_name(1), ""}, .values = nan, .count = 2};
    struct store_picture p = check_plain(1, 1, 3, UNUSUAL);
    OK(store_strip_add(&p, &strip));
    assert_true(check_find(&p, 48, 48, 48).count > 50);
    store_picture_free(&p);
    strip.count = 0;
    p = check_plain(4096, 10, 3, UNUSUAL);
    OK(store_strip_add(&p, &strip)); /* larger letters below a large picture */
    assert_true(p.h > 250 && p.h < 400);
    const struct check_spot blue = check_find(&p, 5, 48, 97), red = check_find(&p, 103, 0, 31);
    assert_int_equal(red.right - blue.left + 1, 3 * 61 * 4 - 2); /* the scale spans the histogram, but for its frame */
    store_picture_free(&p);
    strip = (struct store_strip){.values = zero, .count = 2};
    p = check_plain(600, 1, 3, UNUSUAL);
    OK(store_strip_add(&p, &strip));
    const struct check_spot bar = check_find_in(&p, p.w - 256, 1, p.w, p.h - 40, 247, 247, 247);
    assert_true(bar.count > 100 && bar.right - bar.left < 4);
    store_picture_free(&p);
    static const double ranges[] = {0, -1, NAN, 1e-300, 1e300};
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        strip = (struct store_strip){.values = three, .count = 2, .range = ranges[i]};
        p = check_plain(16000, 1, 1, 0, 0, 0);
        OK(store_strip_add(&p, &strip));
        store_picture_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strip_below),
        cmocka_unit_test(test_strip_histogram),
        cmocka_unit_test(test_strip_true_color),
        cmocka_unit_test(test_strip_odd),
    };
    return cmocka_run_group_tests_name("pictures_strip", tests, NULL, NULL);
}

/* store: pictures of weights. */
#include "support/picture.h"

#include <math.h>
#include <string.h>

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

static void test_tiles_with_columns(void **state)
{
    (void)state;
    static const struct {
        int n, h, w, columns, gap, side_max, shown, facts_columns, rows, scale;
    } row[] = {
        {6, 3, 3, 3, 0, 0, 6, 3, 2, 8},
        {7, 3, 3, 3, 1, 0, 7, 3, 3, 8}, /* the last row is not full */
        {2, 3, 3, 5, 0, 0, 2, 2, 1, 8}, /* nor is the only one */
        {262144, 3, 3, 512, 1, 0, 262144, 512, 512, 1},
        {60, 10, 10, 10, 2, 62, 25, 5, 5, 1}, /* five tiles of 12 pixels and a gap are 62 */
        {57, 10, 10, 10, 2, 200, 57, 10, 6, 1},
        {57, 10, 10, 10, 2, 62, 25, 5, 5, 1},
        {53, 10, 10, 10, 2, 100, 43, 8, 6, 1}, /* of the last row, three */
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        struct store_picture p;
        struct store_tiles_facts f;
        float *values;
        OK(NEW(values, (size_t)row[i].n * (size_t)row[i].h * (size_t)row[i].w));
        OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = row[i].n, .tile_h = row[i].h,
                                                  .tile_w = row[i].w, .columns = row[i].columns, .gap = row[i].gap,
                                                  .side_max = row[i].side_max}, &p, &f));
        const int gap = row[i].gap ? row[i].gap : 2;
        if (f.shown != row[i].shown || f.columns != row[i].facts_columns || f.rows != row[i].rows ||
            f.scale != row[i].scale)
            fail_msg("case %zu: %d shown in %d x %d, scale %d", i, f.shown, f.columns, f.rows, f.scale);
        assert_int_equal(p.w, f.columns * (row[i].w * f.scale + gap) + gap);
        assert_int_equal(p.h, f.rows * (row[i].h * f.scale + gap) + gap);
        store_picture_free(&p);
        mem_free(values);
    }
}

static void test_tiles_stand_in_their_column(void **state)
{
    (void)state;
    enum { N = 20, COLUMNS = 5 };
    float values[N] = {0};
    struct store_picture p;
    struct store_tiles_facts f;
    values[7] = 1; /* row 1, column 2 */
    values[18] = -1; /* row 3, column 3: beyond the side */
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = N, .tile_h = 1, .tile_w = 1, .columns = COLUMNS,
                                              .gap = 3, .side_max = 15}, &p, &f));
    assert_int_equal(p.w, 3 + 3 * 4);
    assert_int_equal(p.h, 3 + 3 * 4);
    assert_int_equal(f.shown, 9);
    check_pixel(&p, 3 + 2 * 4, 3 + 4, 103, 0, 31);
    assert_int_equal(check_find(&p, 103, 0, 31).count, 1);
    assert_int_equal(check_find(&p, 247, 247, 247).count, 8);
    assert_int_equal(check_find(&p, 64, 64, 64).count, 15 * 15 - 9);
    assert_true(f.least == -1 && f.most == 1); /* of all, shown or not */
    store_picture_free(&p);
}

static void test_tiles_each_by_itself(void **state)
{
    (void)state;
    static const float values[] = {0.01f, -0.01f, 0, 100, -100, 50, 0, 0, 0, NAN, 0.5f, INFINITY};
    struct store_picture p;
    struct store_tiles_facts f;
    struct store_tiles tiles = {.values = values, .n = 4, .tile_h = 1, .tile_w = 3, .columns = 1, .each = true};
    OK(store_tiles_draw(&tiles, &p, &f));
    assert_true(f.range == 100 && f.clipped == 0 && f.bad == 2 && f.scale == 8);
    assert_true(f.least == -100 && f.most == 100);
    check_pixel(&p, 2, 2, 103, 0, 31); /* 0.01 is the most of its tile */
    check_pixel(&p, 2 + 8, 2, 5, 48, 97);
    check_pixel(&p, 2, 12, 103, 0, 31);
    check_pixel(&p, 2 + 8, 12, 5, 48, 97);
    check_pixel(&p, 2 + 16, 12, 229, 131, 104); /* 50 of 100 */
    check_pixel(&p, 2, 22, 247, 247, 247); /* all zero */
    check_pixel(&p, 2, 32, 120, 230, 0);
    check_pixel(&p, 2 + 8, 32, 103, 0, 31);
    check_pixel(&p, 2 + 16, 32, 120, 230, 0);
    store_picture_free(&p);
    tiles.each = false;
    OK(store_tiles_draw(&tiles, &p, &f));
    check_pixel(&p, 2, 2, 247, 247, 247); /* nearly zero among all */
    store_picture_free(&p);
}

static void test_tiles_range_given(void **state)
{
    (void)state;
    static const float values[] = {1, -1, 0.5f, -4, NAN, 0};
    struct store_picture p;
    struct store_tiles_facts f;
    struct store_tiles tiles = {.values = values, .n = 1, .tile_h = 1, .tile_w = 6, .range = 1};
    for (int each = 0; each < 2; each++) {
        tiles.each = each;
        OK(store_tiles_draw(&tiles, &p, &f));
        assert_true(f.range == 1 && f.least == -4 && f.most == 1);
        assert_true(fabs(f.clipped - 0.2) < 1e-15);
        check_pixel(&p, 2, 2, 103, 0, 31);
        check_pixel(&p, 2 + 8, 2, 5, 48, 97);
        check_pixel(&p, 2 + 24, 2, 5, 48, 97);
        check_pixel(&p, 2 + 32, 2, 120, 230, 0);
        check_pixel(&p, 2 + 40, 2, 247, 247, 247);
        store_picture_free(&p);
    }
    tiles.range = 10; /* wider than the values */
    OK(store_tiles_draw(&tiles, &p, &f));
    assert_true(f.range == 10 && f.clipped == 0);
    check_pixel(&p, 2, 2, 250, 233, 223);
    store_picture_free(&p);
}

static void test_tiles_true_color(void **state)
{
    (void)state;
    static const float values[] = {
        1, 0, -1, NAN, /* red of the first tile: 1 x 4 values */
        -1, 0, -1, 1,  /* green */
        0.5f, 0, -1, 1, /* blue */
        0, 0, 0, 0,    0, 0, 0, 0,    -0.5f, 2, -INFINITY, 0, /* second tile */
    };
    struct store_picture p;
    struct store_tiles_facts f;
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 2, .channels = 3, .tile_h = 1, .tile_w = 4,
                                              .range = 1, .columns = 1}, &p, &f));
    assert_int_equal(f.bad, 2);
    assert_int_equal(p.w, 2 + 32 + 2);
    assert_int_equal(p.h, 2 + 8 + 2 + 8 + 2);
    check_pixel(&p, 2, 2, 255, 0, 191);
    check_pixel(&p, 10, 2, 128, 128, 128);
    check_pixel(&p, 18, 2, 0, 0, 0);
    check_pixel(&p, 26, 2, 120, 230, 0);
    check_pixel(&p, 2, 12, 128, 128, 64);
    check_pixel(&p, 17, 19, 128, 128, 255); /* clipped */
    check_pixel(&p, 18, 12, 120, 230, 0);
    check_pixel(&p, 26, 12, 128, 128, 128);
    check_pixel(&p, 0, 0, 64, 64, 64);
    store_picture_free(&p);
    const float zero[12] = {0};
    OK(store_tiles_draw(&(struct store_tiles){.values = zero, .n = 1, .channels = 3, .tile_h = 2, .tile_w = 2}, &p,
                        &f));
    assert_true(f.range == 0);
    assert_int_equal(check_find(&p, 128, 128, 128).count, 16 * 16);
    store_picture_free(&p);
}

/* The quantile is exact: as from a sorted list, whatever the values. */
static void test_tiles_quantile(void **state)
{
    (void)state;
    enum { N = 5000 };
    float *values;
    struct rng r;
    struct store_picture p;
    struct store_tiles_facts f;
    rng_init(&r, 5, 0);
    OK(NEW(values, N));
    for (int scale = -44; scale <= 38; scale += 2) { /* denormal numbers too */
        for (int i = 0; i < N; i++)
            values[i] = (float)(rng_normal(&r) * pow(10, scale - 1));
        OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 1, .tile_h = 50, .tile_w = 100}, &p, &f));
        int larger = 0, equal = 0;
        for (int i = 0; i < N; i++) {
            larger += fabs((double)values[i]) > f.range;
            equal += fabs((double)values[i]) == f.range;
        }
        assert_true(equal > 0 && larger <= N / 1000 && larger + equal > N / 1000);
        assert_true(fabs(f.clipped - (double)larger / N) < 1e-15);
        store_picture_free(&p);
    }
    mem_free(values);
}

static void test_tiles_are_cut(void **state)
{
    (void)state;
    float *values;
    struct store_picture p;
    struct store_tiles_facts f;
    OK(NEW(values, 3 * 5000));
    values[4091] = 1; /* the last that is seen */
    values[4092] = -2;
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 3, .tile_h = 1, .tile_w = 5000}, &p, &f));
    assert_int_equal(p.w, 4096);
    assert_int_equal(p.h, 2 + 3 * 3);
    assert_int_equal(f.shown, 3);
    assert_true(f.range == 2); /* of all values, seen or not */
    check_pixel(&p, 2 + 4091, 2, 214 + (244 - 214) / 2, 96 + (165 - 96 + 1) / 2, 77 + (130 - 77 + 1) / 2);
    check_pixel(&p, 4094, 2, 64, 64, 64);
    store_picture_free(&p);
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 3, .tile_h = 5000, .tile_w = 1}, &p, &f));
    assert_int_equal(p.h, 4096);
    assert_int_equal(p.w, 2 + 3 * 3);
    store_picture_free(&p);
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 1, .tile_h = 100, .tile_w = 150, .side_max = 54},
                        &p, &f));
    assert_int_equal(p.w, 54);
    assert_int_equal(p.h, 54);
    check_pixel(&p, 2 + 41, 2 + 27, 229, 131, 104); /* 27 * 150 + 41 is 4091 */
    check_pixel(&p, 2 + 42, 2 + 27, 5, 48, 97);
    store_picture_free(&p);
    OK(store_tiles_draw(&(struct store_tiles){.values = values, .n = 1, .tile_h = 1, .tile_w = 15000,
                                              .side_max = 16000}, &p, &f));
    assert_int_equal(p.w, 15004);
    store_picture_free(&p);
    mem_free(values);
}

static void test_tiles_refused(void **state)
{
    (void)state;
    const float value = 0;
    struct store_picture p;
    struct store_tiles_facts f;
    const struct store_tiles one = {.values = &value, .n = 1, .tile_h = 1, .tile_w = 1};
    struct store_tiles tiles = one;
    tiles.n = 0;
    FAILS(ST_INPUT, "0 tiles of 1 x 1 values", store_tiles_draw(&tiles, &p, &f));
    tiles = one;
    tiles.tile_h = 0;
    FAILS(ST_INPUT, "0 x 1", store_tiles_draw(&tiles, &p, &f));
    tiles = one;
    tiles.tile_w = -1;
    FAILS(ST_INPUT, "1 x -1", store_tiles_draw(&tiles, &p, &f));
    tiles = one;
    tiles.channels = 2;
    FAILS(ST_INTERNAL, "2 channels", store_tiles_draw(&tiles, &p, &f));
    tiles = one;
    tiles.side_max = 16001;
    FAILS(ST_INPUT, "in 16001 a side", store_tiles_draw(&tiles, &p, &f));
    tiles.side_max = 4; /* gaps leave nothing */
    FAILS(ST_INPUT, "gaps of 2 pixels in 4 a side", store_tiles_draw(&tiles, &p, &f));
    tiles = one;
    tiles.gap = -1;
    FAILS(ST_INPUT, "gaps of -1", store_tiles_draw(&tiles, &p, &f));
    tiles = one;
    tiles.columns = -1;
    FAILS(ST_INPUT, "-1 columns", store_tiles_draw(&tiles, &p, &f));
    static const double wrong[] = {-1, NAN, INFINITY};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        tiles = one;
        tiles.range = wrong[i];
        FAILS(ST_INPUT, "in the range ", store_tiles_draw(&tiles, &p, &f));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles_colors_and_places),
        cmocka_unit_test(test_tiles_map_is_symmetric),
        cmocka_unit_test(test_tiles_clip_outliers),
        cmocka_unit_test(test_tiles_all_equal),
        cmocka_unit_test(test_tiles_layout),
        cmocka_unit_test(test_tiles_with_columns),
        cmocka_unit_test(test_tiles_stand_in_their_column),
        cmocka_unit_test(test_tiles_each_by_itself),
        cmocka_unit_test(test_tiles_range_given),
        cmocka_unit_test(test_tiles_true_color),
        cmocka_unit_test(test_tiles_quantile),
        cmocka_unit_test(test_tiles_are_cut),
        cmocka_unit_test(test_tiles_refused),
    };
    return cmocka_run_group_tests_name("pictures_tiles", tests, NULL, NULL);
}

/* store: time lines: bars where they belong, odd values, sizes. */
#include "support/picture.h"

#include <math.h>

static const char *const rows[] = {"module 0", "module 1"}, *const legend[] = {"forward", "backward", "waits"};

static void test_lanes_bars_where_they_belong(void **state)
{
    (void)state;
    static const struct store_bar bar[] = {{.row = 0, .color = 0, .start_ms = 0, .end_ms = 50},
                                           {.row = 0, .color = 0, .start_ms = 50, .end_ms = 75},
                                           {.row = 1, .color = 1, .start_ms = 25, .end_ms = 100}};
    const struct store_lanes lanes = {.title = "Steps", .row = rows, .rows = 2, .bar = bar, .n = 3, .span_ms = 100};
    struct store_picture p;
    OK(store_lanes_draw(&lanes, 1, &p));
    const struct check_spot blue = check_find(&p, BLUE), red = check_find(&p, VERMILLION);
    assert_true(red.top > blue.bottom);
    assert_int_equal(red.bottom - red.top, blue.bottom - blue.top);
    const double ms = (red.right + 2 - blue.left) / 100.0; /* pixels; the bar ends one early */
    assert_true(ms > 8);
    assert_true(fabs(red.left - blue.left - 25 * ms) < 1.5);
    assert_true(fabs(blue.right - blue.left - 75 * ms) < 2.5);
    /* two bars of one colour can be told apart */
    int free_columns = 0;
    for (int x = blue.left; x <= blue.right; x++)
        free_columns += check_find_in(&p, x, blue.top, x + 1, blue.bottom + 1, BLUE).count == 0;
    assert_int_equal(free_columns, 1);
    assert_int_equal(blue.count, (blue.right - blue.left) * (blue.bottom - blue.top + 1));
    store_picture_free(&p);
}

static void test_lanes_on_one_scale(void **state)
{
    (void)state;
    static const struct store_bar bar[] = {{.row = 0, .color = 0, .start_ms = 10, .end_ms = 40},
                                           {.row = 0, .color = 1, .start_ms = 10, .end_ms = 40}};
    const struct store_lanes lanes[] = {
        {.title = "exact", .row = rows, .rows = 1, .bar = &bar[0], .n = 1, .span_ms = 200, .legend = legend,
         .legend_n = 1},
        {.title = "csg", .row = rows, .rows = 2, .bar = &bar[1], .n = 1, .span_ms = 50, .legend = legend,
         .legend_n = 1}};
    struct store_picture p, q;
    OK(store_lanes_draw(lanes, 2, &p));
    const struct check_spot red = check_find(&p, VERMILLION);
    const struct check_spot blue = check_find_in(&p, 0, 0, p.w, red.top, BLUE);
    assert_int_equal(blue.left, red.left);
    assert_int_equal(blue.right, red.right);
    assert_true(red.top > blue.bottom);
    assert_true(red.right - red.left > p.w / 10 && red.right - red.left < p.w / 5); /* 30 of 200 ms */
    assert_true(check_find_in(&p, 0, red.bottom + 1, p.w, p.h, BLUE).count > 100); /* the legend, once */
    OK(store_lanes_draw(lanes, 1, &q));
    assert_true(q.h < p.h && q.w == p.w);
    store_picture_free(&p);
    store_picture_free(&q);
}

static void test_lanes_labels_where_they_fit(void **state)
{
    (void)state;
    struct store_bar bar = {.row = 0, .color = 0, .start_ms = 0, .end_ms = 50, .label = "step 12"};
    const struct store_lanes lanes = {.row = rows, .rows = 1, .bar = &bar, .n = 1, .span_ms = 100};
    struct store_picture p;
    OK(store_lanes_draw(&lanes, 1, &p));
    struct check_spot blue = check_find(&p, BLUE);
    assert_true(check_find_in(&p, blue.left, blue.top, blue.right, blue.bottom, 255, 255, 255).count > 5);
    store_picture_free(&p);
    bar.end_ms = 2;
    OK(store_lanes_draw(&lanes, 1, &p));
    blue = check_find(&p, BLUE);
    assert_true(blue.count > 0);
    assert_int_equal(blue.count, (blue.right - blue.left + 1) * (blue.bottom - blue.top + 1)); /* nothing in it */
    store_picture_free(&p);
}

static void test_lanes_odd(void **state)
{
    (void)state;
    static const struct store_bar bar[] = {
        {.row = 0, .start_ms = NAN, .end_ms = 5}, {.row = 0, .start_ms = 5, .end_ms = NAN},
        {.row = 1, .start_ms = 8, .end_ms = 2},   {.row = 1, .start_ms = 3, .end_ms = 3},
        {.row = 0, .start_ms = -20, .end_ms = 4, .color = 1}, {.row = 1, .start_ms = 6, .end_ms = 1e300, .color = 1},
        {.row = 1, .start_ms = 6, .end_ms = 1e9, .color = 2, .label = "\xff"}};
    struct store_lanes lanes = {.title = check_odd_name(0), .row = rows, .rows = 2, .bar = bar, .n = COUNT_OF(bar),
                                .span_ms = 10, .legend = legend, .legend_n = 0};
    struct store_picture p;
    OK(store_lanes_draw(&lanes, 1, &p));
    assert_int_equal(check_find(&p, BLUE).count, 0);
    assert_true(check_find(&p, VERMILLION).count > 100 && check_find(&p, GREEN).count > 100);
    store_picture_free(&p);
    static const double spans[] = {0, -1, NAN, INFINITY, 1e-300, 1e190};
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        lanes.span_ms = spans[i];
        OK(store_lanes_draw(&lanes, 1, &p));
        store_picture_free(&p);
    }
    lanes.n = 0;
    lanes.span_ms = 0;
    OK(store_lanes_draw(&lanes, 1, &p));
    assert_true(check_find(&p, 120, 120, 120).count > 20);
    store_picture_free(&p);
    lanes.rows = 0;
    lanes.row = NULL;
    OK(store_lanes_draw(&lanes, 1, &p));
    store_picture_free(&p);
    OK(store_lanes_draw(NULL, 0, &p));
    assert_true(check_find(&p, 120, 120, 120).count > 20);
    store_picture_free(&p);
    lanes.n = 1;
    FAILS(ST_INTERNAL, "bar 0 of time line 0 is in row 0 of 0", store_lanes_draw(&lanes, 1, &p));
}

static void test_lanes_many(void **state)
{
    (void)state;
    enum { N = 20000, ROWS = 10000 };
    struct store_bar *bar;
    const char **name;
    struct store_picture p;
    OK(NEW(bar, N));
    OK(NEW(name, ROWS));
    for (int i = 0; i < N; i++)
        bar[i] = (struct store_bar){.row = i % ROWS, .color = i, .start_ms = i, .end_ms = i + 1, .label = "x"};
    for (int i = 0; i < ROWS; i++)
        name[i] = check_odd_name(i);
    struct store_lanes lanes = {.row = name, .rows = ROWS, .bar = bar, .n = N, .span_ms = N};
    OK(store_lanes_draw(&lanes, 1, &p));
    assert_true(p.w <= STORE_SIDE_MAX && p.h <= STORE_SIDE_MAX);
    store_picture_free(&p);
    for (int i = 0; i < N; i++)
        bar[i].row %= 3;
    lanes.rows = 3;
    OK(store_lanes_draw(&lanes, 1, &p));
    assert_true(p.h < 300);
    store_picture_free(&p);
    mem_free(name);
    mem_free(bar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes_bars_where_they_belong),
        cmocka_unit_test(test_lanes_on_one_scale),
        cmocka_unit_test(test_lanes_labels_where_they_fit),
        cmocka_unit_test(test_lanes_odd),
        cmocka_unit_test(test_lanes_many),
    };
    return cmocka_run_group_tests_name("pictures_lanes", tests, NULL, NULL);
}

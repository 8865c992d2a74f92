/* store: charts of lines: colours where they belong, odd values, sizes. */
#include "support/picture.h"

#include <math.h>
#include <stdlib.h>

static struct store_picture draw_lines(const struct store_line *line, int n, bool from_zero)
{
    struct store_picture p;
    const struct store_panel panel = {.line = line, .n = n, .from_zero = from_zero};
    OK(store_panels_draw(NULL, &panel, 1, 1, &p));
    assert_int_equal(p.channels, 3);
    return p;
}

static void test_panel_line_rises(void **state)
{
    (void)state;
    static const double x[] = {0, 10}, y[] = {0, 100};
    struct store_picture p = draw_lines(&(struct store_line){.x = x, .y = y, .n = 2, .color = 0}, 1, false);
    const struct check_spot all = check_find(&p, BLUE);
    assert_true(all.count > 300);
    assert_true(all.right - all.left > p.w * 3 / 4 && all.bottom - all.top > p.h * 3 / 5);
    const struct check_spot left = check_find_in(&p, all.left, 0, all.left + 20, p.h, BLUE);
    const struct check_spot right = check_find_in(&p, all.right - 20, 0, all.right + 1, p.h, BLUE);
    assert_true(left.top > right.bottom + p.h / 2);
    check_pixel(&p, 0, 0, 255, 255, 255);
    check_pixel(&p, p.w - 1, p.h - 1, 255, 255, 255);
    store_picture_free(&p);
}

static void test_panel_gap_at_nan(void **state)
{
    (void)state;
    enum { N = 100 };
    double x[N], y[N];
    for (int bad = 0; bad < 3; bad++) {
        for (int i = 0; i < N; i++) {
            x[i] = i;
            y[i] = i < 40 || i >= 60 ? 5 : bad == 0 ? NAN : bad == 1 ? INFINITY : -1e300;
        }
        struct store_picture p = draw_lines(&(struct store_line){.x = x, .y = y, .n = N, .color = 1}, 1, false);
        const struct check_spot all = check_find(&p, VERMILLION);
        const double per = (all.right - all.left) / (N - 1.0);
        const struct check_spot left = check_find_in(&p, 0, 0, all.left + (int)(50 * per), p.h, VERMILLION);
        const struct check_spot right = check_find_in(&p, all.left + (int)(50 * per), 0, p.w, p.h, VERMILLION);
        assert_true(abs(left.right - all.left - (int)(39 * per)) <= 4);
        assert_true(abs(right.left - all.left - (int)(60 * per)) <= 4);
        assert_true(all.bottom - all.top < 4); /* equal values: a level line */
        store_picture_free(&p);
    }
}

static void test_panel_from_zero(void **state)
{
    (void)state;
    static const double x[] = {1, 2, 3}, y[] = {5, 5, 5.1}, below[] = {-5, -4, -3}, zero[3] = {0};
    struct store_line line = {.x = x, .y = y, .n = 3, .color = 2};
    struct store_picture p = draw_lines(&line, 1, true);
    assert_true(check_find(&p, GREEN).bottom < p.h / 4);
    store_picture_free(&p);
    p = draw_lines(&line, 1, false);
    assert_true(check_find(&p, GREEN).bottom > p.h * 3 / 4);
    store_picture_free(&p);
    line.y = below;
    p = draw_lines(&line, 1, true);
    assert_true(check_find(&p, GREEN).bottom > p.h * 3 / 4 && check_find(&p, GREEN).top > p.h / 3);
    store_picture_free(&p);
    line.y = zero;
    p = draw_lines(&line, 1, true);
    assert_true(check_find(&p, GREEN).top > p.h * 3 / 4);
    store_picture_free(&p);
}

static void test_panel_of_one_point(void **state)
{
    (void)state;
    static const double x[] = {3}, y[] = {7};
    struct store_picture p = draw_lines(&(struct store_line){.x = x, .y = y, .n = 1}, 1, false);
    const struct check_spot dot = check_find(&p, BLUE);
    assert_true(dot.count >= 12 && dot.right - dot.left < 8 && dot.bottom - dot.top < 8);
    assert_true(dot.left > p.w / 3 && dot.right < p.w * 2 / 3);
    store_picture_free(&p);
    double many[200]; /* none of which can be joined to another */
    for (int i = 0; i < 200; i++)
        many[i] = i % 2 ? i : (double)NAN;
    p = draw_lines(&(struct store_line){.x = many, .y = many, .n = 200}, 1, false);
    assert_true(check_find(&p, BLUE).count > 100 * 10);
    store_picture_free(&p);
}

static void test_panel_legend_is_outside(void **state)
{
    (void)state;
    static const double x[] = {0, 1}, y[] = {0, 1};
    struct store_line line = {.x = x, .y = y, .n = 2};
    struct store_picture p = draw_lines(&line, 1, false);
    const struct check_spot bare = check_find(&p, BLUE);
    line.name = "csg";
    struct store_picture q = draw_lines(&line, 1, false);
    const struct check_spot named = check_find(&q, BLUE);
    assert_true(q.h > p.h && q.w == p.w);
    assert_true(named.bottom > p.h - 16); /* in the part that was added */
    assert_int_equal(check_find_in(&q, 0, 0, q.w, p.h - 16, BLUE).count, bare.count);
    store_picture_free(&p);
    store_picture_free(&q);
}

static void test_panels_share_a_legend(void **state)
{
    (void)state;
    static const double x[] = {0, 1}, y[] = {0, 1};
    struct store_line line[2] = {{"exact", x, y, 2, 0, false}, {"exact", x, y, 2, 0, false}};
    const struct store_panel panel[2] = {{.title = "Loss", .line = &line[0], .n = 1},
                                         {.title = "Accuracy", .line = &line[1], .n = 1}};
    struct store_picture p;
    OK(store_panels_draw("Two", panel, 2, 2, &p));
    const struct check_spot left = check_find_in(&p, 0, 0, p.w / 2, p.h - 50, BLUE);
    const struct check_spot right = check_find_in(&p, p.w / 2, 0, p.w, p.h - 50, BLUE);
    assert_true(left.count > 100 && right.count > 100);
    assert_int_equal(left.top, right.top);
    assert_int_equal(left.bottom, right.bottom);
    const int together = check_find_in(&p, 0, p.h - 50, p.w, p.h, BLUE).count;
    store_picture_free(&p);
    line[1].name = "something else"; /* of the same look: each panel explains its own */
    OK(store_panels_draw("Two", panel, 2, 2, &p));
    assert_int_equal(check_find_in(&p, 0, p.h - 50, p.w / 2, p.h, BLUE).count, together);
    assert_int_equal(check_find_in(&p, p.w / 2, p.h - 50, p.w, p.h, BLUE).count, together);
    store_picture_free(&p);
    OK(store_panels_draw("Two", panel, 2, 1, &p)); /* under each other */
    assert_true(p.h > p.w);
    store_picture_free(&p);
}

static void test_panel_dashes(void **state)
{
    (void)state;
    static const double x[] = {0, 1}, y[] = {1, 1};
    struct store_line line = {.x = x, .y = y, .n = 2};
    struct store_picture p = draw_lines(&line, 1, false);
    const int whole = check_find(&p, BLUE).count;
    store_picture_free(&p);
    line.dashed = true;
    p = draw_lines(&line, 1, false);
    const int dashed = check_find(&p, BLUE).count;
    assert_true(dashed > whole / 3 && dashed < whole * 4 / 5);
    store_picture_free(&p);
}

/* Nothing of this may crash, hang, or be missing from the picture. */
static void test_panel_odd_values(void **state)
{
    (void)state;
    static const double values[][2] = {
        {1, 1 + 1e-15}, {0, 5e-324}, {-1e199, 1e199}, {1e15, 1e15 + 1}, {-1e-5, 1e-5}, {1e-7, 3e-7}, {123456, 7890123},
        {0.999, 1.001}, {-3, -3}, {1e17, 1e17}, {NAN, 1}, {2, -INFINITY}, {0, 1e-199}, {1e13, 3e13}};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        for (size_t j = 0; j < COUNT_OF(values); j++)
            for (int flags = 0; flags < 4; flags++) {
                const struct store_line line = {.x = values[j], .y = values[i], .n = 2};
                const struct store_panel panel = {.line = &line, .n = 1, .from_zero = flags & 1, .whole_x = flags & 2};
                struct store_picture p;
                OK(store_panels_draw(NULL, &panel, 1, 1, &p));
                bool any = false;
                for (int k = 0; k < 2; k++)
                    any |= isfinite(values[i][k]) && isfinite(values[j][k]);
                assert_int_equal(check_find(&p, BLUE).count > 0, any);
                store_picture_free(&p);
            }
}

static void test_panel_nothing_to_show(void **state)
{
    (void)state;
    static const double nan[] = {NAN, NAN}, x[] = {0, 1};
    struct store_picture empty, p;
    OK(store_panels_draw("Nothing", NULL, 0, 3, &empty));
    assert_true(check_find(&empty, 120, 120, 120).count > 20);
    store_picture_free(&empty);
    empty = draw_lines(NULL, 0, true);
    assert_true(check_find_in(&empty, 60, 20, empty.w - 60, empty.h - 60, 120, 120, 120).count > 20);
    const struct store_line lines[] = {
        {.x = x, .y = nan, .n = 2}, {.x = x, .y = x, .n = 0}, {.x = nan, .y = x, .n = 2}};
    p = draw_lines(lines, 3, true);
    assert_int_equal(p.w, empty.w);
    assert_int_equal(p.h, empty.h);
    assert_memory_equal(p.pixels, empty.pixels, (size_t)(p.w * p.h * 3));
    store_picture_free(&p);
    store_picture_free(&empty);
}

static void test_panel_odd_names(void **state)
{
    (void)state;
    enum { N = 40 };
    static const double x[] = {0, 1};
    struct store_line line[N];
    for (int i = 0; i < N; i++)
        line[i] = (struct store_line){.name = check_odd_name(i), .x = x, .y = x, .n = 2, .color = i - 5};
    for (int i = 0; i < 8; i++) {
        const char *name = check_odd_name(i);
        const struct store_panel panel = {.title = name, .x_title = name, .y_title = name, .line = line, .n = N};
        struct store_picture p;
        OK(store_panels_draw(name, &panel, 1, 1, &p));
        assert_true(p.w < 800 && p.h < 800);
        for (int y = 0; y < p.h; y++) { /* the margins stay free */
            check_pixel(&p, 0, y, 255, 255, 255);
            check_pixel(&p, p.w - 1, y, 255, 255, 255);
        }
        store_picture_free(&p);
    }
}

static void test_panels_many(void **state)
{
    (void)state;
    enum { N = 64 };
    static const double x[] = {0, 1};
    const struct store_line line = {.name = "a", .x = x, .y = x, .n = 2};
    struct store_panel panel[N];
    struct store_picture p, q;
    for (int i = 0; i < N; i++)
        panel[i] = (struct store_panel){.title = "t", .x_title = "x", .y_title = "y", .line = &line, .n = 1};
    OK(store_panels_draw("Many", panel, N, 8, &p));
    assert_true(p.w <= STORE_SIDE_MAX && p.h <= STORE_SIDE_MAX);
    OK(store_panels_draw("Many", panel, N, 8, &q));
    assert_memory_equal(p.pixels, q.pixels, (size_t)(p.w * p.h * 3)); /* the same every time */
    store_picture_free(&p);
    store_picture_free(&q);
    OK(store_panels_draw("Many", panel, 16, 16, &p));
    assert_true(p.w <= STORE_SIDE_MAX && p.w > STORE_SIDE_MAX - 100);
    store_picture_free(&p);
    FAILS(ST_INPUT, "64 panels in 64 columns", store_panels_draw("Many", panel, N, 64, &p));
    FAILS(ST_INPUT, "64 panels in 1 columns", store_panels_draw("Many", panel, N, 1, &p));
}

/* Charts may be drawn by several threads at once. */
struct draft {
    struct store_picture last;
    bool failed;
};

static void draw_often(void *user)
{
    static const double x[] = {0, 1, 2}, y[] = {3, 1, 2};
    const struct store_line line = {.name = "a line", .x = x, .y = y, .n = 3};
    const struct store_panel panel = {.title = "Panel", .x_title = "x", .y_title = "y", .line = &line, .n = 1};
    struct draft *d = user;
    for (int i = 0; i < 20 && !d->failed; i++) {
        store_picture_free(&d->last);
        d->failed = store_panels_draw("Threads", &panel, 1, 1, &d->last) != ST_OK;
    }
}

static void test_panels_by_threads(void **state)
{
    (void)state;
    enum { N = 4 };
    struct draft draft[N] = {0};
    struct thread *thread[N];
    for (int i = 0; i < N; i++)
        OK(thread_start(draw_often, &draft[i], &thread[i]));
    for (int i = 0; i < N; i++)
        thread_join(thread[i]);
    for (int i = 0; i < N; i++) {
        assert_false(draft[i].failed);
        assert_int_equal(draft[i].last.w, draft[0].last.w);
        assert_memory_equal(draft[i].last.pixels, draft[0].last.pixels,
                            (size_t)(draft[0].last.w * draft[0].last.h * 3));
    }
    for (int i = 0; i < N; i++)
        store_picture_free(&draft[i].last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_panel_line_rises),
        cmocka_unit_test(test_panel_gap_at_nan),
        cmocka_unit_test(test_panel_from_zero),
        cmocka_unit_test(test_panel_of_one_point),
        cmocka_unit_test(test_panel_legend_is_outside),
        cmocka_unit_test(test_panels_share_a_legend),
        cmocka_unit_test(test_panel_dashes),
        cmocka_unit_test(test_panel_odd_values),
        cmocka_unit_test(test_panel_nothing_to_show),
        cmocka_unit_test(test_panel_odd_names),
        cmocka_unit_test(test_panels_many),
        cmocka_unit_test(test_panels_by_threads),
    };
    return cmocka_run_group_tests_name("pictures_panels", tests, NULL, NULL);
}

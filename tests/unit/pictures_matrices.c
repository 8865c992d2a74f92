/* store: matrices: colours where they belong, text and names, odd values, sizes. */
#include "support/picture.h"

#include <math.h>

#define DARKEST 8, 48, 107
#define NO_VALUE 190, 190, 190

static void test_matrix_cells(void **state)
{
    (void)state;
    static const double values[] = {0, 1, NAN, 0.5, 0, 2}; /* 2 is more than the most */
    const struct store_matrix m = {.title = "Cells", .values = values, .rows = 2, .columns = 3, .most = 1};
    struct store_picture p;
    OK(store_matrices_draw("Title", &m, 1, 1, &p));
    const struct check_spot none = check_find(&p, NO_VALUE), half = check_find(&p, 107, 174, 214);
    const int cell = none.right - none.left + 2; /* a line of the grid is the left end of cells but the first */
    assert_int_equal(cell, 40);
    assert_int_equal(none.bottom - none.top + 1, cell);
    const struct check_spot most = check_find_in(&p, none.left - cell, none.top, none.left, none.bottom, DARKEST);
    assert_int_equal(most.right - most.left + 2, cell);
    assert_int_equal(most.right + 2, none.left);
    assert_true(half.top > none.bottom && half.right < most.left);
    const struct check_spot beyond = check_find_in(&p, none.left, none.bottom + 1, none.right, p.h, DARKEST);
    assert_int_equal(beyond.bottom - beyond.top + 2, cell);
    check_pixel(&p, half.left + 5, none.top + 5, 255, 255, 255); /* the least */
    check_pixel(&p, most.left + 5, half.top + 5, 255, 255, 255);
    /* the scale at the right: darkest at the top */
    const struct check_spot scale = check_find_in(&p, none.right + 5, 0, p.w, p.h, 107, 174, 214);
    assert_true(scale.right == -1 || scale.left > none.right);
    store_picture_free(&p);
}

static void test_matrix_text_can_be_read(void **state)
{
    (void)state;
    static const double values[] = {1000, 0, 0, 1000};
    static const char *const text[] = {"1000", "12", NULL, "1000"}, *const names[] = {"shirt", "coat"};
    const struct store_matrix m = {.row_title = "true", .column_title = "predicted", .values = values, .rows = 2,
                                   .columns = 2, .row_name = names, .column_name = names, .text = text, .most = 1000};
    struct store_picture p;
    OK(store_matrices_draw(NULL, &m, 1, 1, &p));
    const struct check_spot dark = check_find(&p, DARKEST);
    const int w = (dark.right - dark.left + 1) / 2, h = (dark.bottom - dark.top + 1) / 2;
    assert_true(w >= 34 && h >= 34);
    assert_true(check_find_in(&p, dark.left, dark.top, dark.left + w - 1, dark.top + h - 1, 255, 255, 255).count > 3);
    assert_int_equal(check_find_in(&p, dark.left, dark.top, dark.left + w - 1, dark.top + h - 1, 48, 48, 48).count, 0);
    assert_true(check_find_in(&p, dark.left + w, dark.top, dark.right, dark.top + h - 1, 48, 48, 48).count > 5);
    assert_int_equal(
        check_find_in(&p, dark.left, dark.top + h + 1, dark.left + w - 1, dark.bottom, 48, 48, 48).count, 0);
    store_picture_free(&p);
}

static void test_matrix_text_widens_cells(void **state)
{
    (void)state;
    static const double values[] = {1, 0, 0, 0};
    static const char *const text[] = {"", "12345678", NULL, ""};
    const struct store_matrix m = {.values = values, .rows = 2, .columns = 2, .text = text, .most = 1};
    struct store_picture p;
    OK(store_matrices_draw(NULL, &m, 1, 1, &p));
    const struct check_spot dark = check_find(&p, DARKEST);
    const int w = dark.right - dark.left + 1, h = dark.bottom - dark.top + 1;
    assert_true(w > 60 && h == 40);
    assert_int_equal(dark.count, w * h);
    check_pixel(&p, dark.left + 3, dark.bottom + 5, 255, 255, 255);
    store_picture_free(&p);
}

static void test_matrix_in_groups(void **state)
{
    (void)state;
    enum { N = 200, GROUPS = 10 };
    static const char *const names[GROUPS] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                              "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};
    double *values;
    OK(NEW(values, N * N));
    for (int i = 0; i < N * N; i++)
        values[i] = i / N / 20 == i % N / 20; /* blocks along the diagonal */
    values[N - 1] = NAN; /* the upper right corner */
    struct store_matrix m = {.title = "layer 1", .values = values, .rows = N, .columns = N, .row_name = names,
                             .column_name = names, .group = 20, .most = 1};
    const struct store_matrix two[] = {m, m};
    struct store_picture p;
    OK(store_matrices_draw("Dissimilarity", two, 2, 2, &p));
    const struct check_spot first = check_find_in(&p, 0, 0, p.w / 2, p.h, DARKEST);
    const struct check_spot second = check_find_in(&p, p.w / 2, 0, p.w, p.h, DARKEST);
    assert_int_equal(first.top, second.top);
    const int x = first.left, y = first.top;
    for (int i = 0; i < 2; i++) { /* whole pixels: two a cell */
        const int end = (i ? second.left : x) + 2 * N;
        assert_int_equal(check_find_in(&p, end - 40, y, end, y + 40, NO_VALUE).count, 4);
        check_pixel(&p, end - 1, y, NO_VALUE);
    }
    for (int g = 0; g < GROUPS; g++) {
        const int at = g * 40;
        assert_int_equal(check_find_in(&p, x + at + 1, y + at + 1, x + at + 40, y + at + 40, DARKEST).count, 39 * 39);
        if (g > 0)
            check_pixel(&p, x + at, y + 3, 120, 120, 120); /* the line between groups */
    }
    check_pixel(&p, x + 45, y + 3, 255, 255, 255);
    store_picture_free(&p);
    mem_free(values);
}

static void test_matrix_all_equal(void **state)
{
    (void)state;
    static const double values[] = {3, 3, 3, 3}, nan[] = {NAN, NAN, INFINITY, -INFINITY};
    struct store_matrix m = {.values = values, .rows = 2, .columns = 2, .least = 3, .most = 3};
    struct store_picture p;
    OK(store_matrices_draw(NULL, &m, 1, 1, &p));
    assert_true(check_find(&p, DARKEST).count < 200); /* of the scale alone */
    store_picture_free(&p);
    m.least = m.most = 0;
    OK(store_matrices_draw(NULL, &m, 1, 1, &p));
    assert_true(check_find(&p, DARKEST).count > 4 * 38 * 38);
    store_picture_free(&p);
    m.values = nan;
    m.most = NAN;
    OK(store_matrices_draw(NULL, &m, 1, 1, &p));
    assert_true(check_find(&p, NO_VALUE).count > 2 * 38 * 38);
    store_picture_free(&p);
}

static void test_matrix_odd(void **state)
{
    (void)state;
    static const double value = 1;
    const char *const name[] = {check_odd_name(0)}, *const odd[] = {check_odd_name(1)};
    const struct store_matrix m[3] = {
        {.title = name[0], .row_title = name[0], .column_title = name[0], .values = &value, .rows = 1, .columns = 1,
         .row_name = name, .column_name = name, .most = 1, .text = name, .group = 5},
        {.title = odd[0], .values = &value, .rows = 1, .columns = 1, .row_name = odd, .column_name = odd, .most = 1},
        {.title = "none"}};
    struct store_picture p;
    OK(store_matrices_draw(name[0], m, 3, 2, &p));
    assert_true(p.w < 1600 && p.h < 1000);
    for (int y = 0; y < p.h; y++) {
        check_pixel(&p, 0, y, 255, 255, 255);
        check_pixel(&p, p.w - 1, y, 255, 255, 255);
    }
    store_picture_free(&p);
    OK(store_matrices_draw("Nothing", NULL, 0, 0, &p));
    assert_true(check_find(&p, 120, 120, 120).count > 20);
    store_picture_free(&p);
    OK(store_matrices_draw(NULL, &m[2], 1, 1, &p));
    assert_true(check_find(&p, 120, 120, 120).count > 20);
    store_picture_free(&p);
}

static void test_matrix_large(void **state)
{
    (void)state;
    enum { N = 3000 };
    double *values;
    struct store_picture p;
    OK(NEW(values, N * N));
    values[N * N - 1] = 1;
    struct store_matrix m = {.values = values, .rows = N, .columns = N, .most = 1};
    OK(store_matrices_draw("Large", &m, 1, 1, &p));
    assert_true(p.w <= STORE_SIDE_MAX && p.h <= STORE_SIDE_MAX);
    const struct check_spot last = check_find_in(&p, 0, p.h / 2, p.w, p.h, DARKEST); /* the scale has its above */
    assert_int_equal(last.count, 1);
    store_picture_free(&p);
    const struct store_matrix two[] = {m, m};
    FAILS(ST_INPUT, "2 matrices in 2 columns", store_matrices_draw("Large", two, 2, 2, &p));
    m.rows = 1000000;
    FAILS(ST_INPUT, "1 matrices", store_matrices_draw("Large", &m, 1, 1, &p));
    mem_free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix_cells),
        cmocka_unit_test(test_matrix_text_can_be_read),
        cmocka_unit_test(test_matrix_text_widens_cells),
        cmocka_unit_test(test_matrix_in_groups),
        cmocka_unit_test(test_matrix_all_equal),
        cmocka_unit_test(test_matrix_odd),
        cmocka_unit_test(test_matrix_large),
    };
    return cmocka_run_group_tests_name("pictures_matrices", tests, NULL, NULL);
}

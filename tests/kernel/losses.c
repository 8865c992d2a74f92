/* Squared distances, to targets and to labels, and the similarity that couples modules, against their twins. */
#include "support/check.h"
#include "support/device.h"

#include "ref/ref.h"

#include <math.h>
#include <string.h>

/* ---- squared distance -------------------------------------------------------------------------------------------- */

static void check_squared_loss(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    struct pair y = pair_random(rows, cols, -2, 2), target = pair_random(rows, cols, -2, 2), place = pair_copy(y);
    struct pair delta = pair_new(rows, cols), per_row = pair_new(1, rows), again = pair_new(1, rows);
    ref_squared_loss(rows, cols, y.ref, target.ref, delta.ref, per_row.ref);
    OK(mx_squared_loss(device_mx(), y.t, target.t, delta.t, per_row.t));
    /* a difference rounds once, its square twice that and once, a sum of positive numbers once a number */
    pair_close("delta of a distance", delta, 0, ROUND);
    pair_close("distance", per_row, 0, (cols + 3) * ROUND);
    place.ref = delta.ref;
    again.ref = per_row.ref;
    OK(mx_squared_loss(device_mx(), place.t, target.t, place.t, again.t));
    pair_close("delta of a distance in y", place, 0, ROUND);
    pair_close("distance again", again, 0, (cols + 3) * ROUND);
    device_done();
}

static void test_squared_loss(void **state)
{
    (void)state;
    device_shapes(check_squared_loss, device_act(MX_IDENTITY));
}

static void test_squared_loss_of_nan(void **state)
{
    (void)state;
    enum { ROWS = 5, COLS = 18, WHERE = 2 * COLS + 17 };
    double *values = host_random(ROWS * COLS, -1, 1);
    struct pair fine = pair_of(ROWS, COLS, values), delta = pair_new(ROWS, COLS), per_row = pair_new(1, ROWS);
    values[WHERE] = NAN;
    struct pair broken = pair_of(ROWS, COLS, values);
    for (int swapped = 0; swapped < 2; swapped++) {
        OK(mx_squared_loss(device_mx(), (swapped ? fine : broken).t, (swapped ? broken : fine).t, delta.t, per_row.t));
        const float *gradient = pair_values(delta), *loss = pair_values(per_row);
        for (int i = 0; i < ROWS * COLS; i++)
            assert_int_equal(isnan(gradient[i]) != 0, i == WHERE);
        for (int r = 0; r < ROWS; r++)
            assert_int_equal(isnan(loss[r]) != 0, r == WHERE / COLS);
    }
    device_done();
}

static struct ocl_buf *random_labels(int rows, int classes, uint32_t **label)
{
    *label = (uint32_t *)(void *)host_doubles((size_t)rows);
    for (int r = 0; r < rows; r++)
        (*label)[r] = rng_below(host_rng(), (uint32_t)classes);
    return device_bytes(*label, (size_t)rows * sizeof **label);
}

static void check_label_distance(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    uint32_t *label;
    struct ocl_buf *labels = random_labels(rows, cols, &label);
    struct pair z = pair_random(rows, cols, -2, 2), delta = pair_new(rows, cols), per_row = pair_new(2, rows);
    ref_label_distance(rows, cols, z.ref, label, delta.ref, per_row.ref, per_row.ref + rows);
    OK(mx_label_distance(device_mx(), z.t, labels, delta.t, per_row.t));
    pair_close("delta of a distance to the label", delta, 0, ROUND);
    pair_close("distance to the label, and correct", per_row, 0, (cols + 3) * ROUND); /* as above; halving is exact */
    device_done();
}

static void test_label_distance(void **state)
{
    (void)state;
    device_shapes(check_label_distance, device_act(MX_IDENTITY));
}

static void test_label_distance_by_hand(void **state)
{
    (void)state;
    static const double z[] = {-0.25, 1.5, 0.5, /* equal ones: */ 2, 3, 3, 3, 1, 3};
    static const double delta[] = {-0.25, 0.5, 0.5, 2, 3, 2, 2, 1, 3}, per_row[] = {0.28125, 8.5, 7, 1, 0, 1};
    static const uint32_t label[] = {1, 2, 0};
    struct pair at = pair_of(3, 3, z), d = pair_new(3, 3), rows = pair_new(2, 3);
    memcpy(d.ref, delta, sizeof delta);
    memcpy(rows.ref, per_row, sizeof per_row);
    OK(mx_label_distance(device_mx(), at.t, device_bytes(label, sizeof label), d.t, rows.t));
    pair_close("delta of a distance to the label", d, 0, 0);
    pair_close("distance to the label, and correct", rows, 0, 0);
    device_done();
}

static void test_label_distance_of_nan(void **state)
{
    (void)state;
    enum { ROWS = 5, COLS = 18, WHERE = 2 * COLS + 17 };
    uint32_t *label;
    struct ocl_buf *labels = random_labels(ROWS, COLS, &label);
    double *values = host_random(ROWS * COLS, -1, 1);
    values[WHERE] = NAN;
    struct pair z = pair_of(ROWS, COLS, values), delta = pair_new(ROWS, COLS), per_row = pair_new(2, ROWS);
    OK(mx_label_distance(device_mx(), z.t, labels, delta.t, per_row.t));
    const float *gradient = pair_values(delta), *loss = pair_values(per_row);
    for (int i = 0; i < ROWS * COLS; i++)
        assert_int_equal(isnan(gradient[i]) != 0, i == WHERE);
    for (int r = 0; r < ROWS; r++)
        assert_int_equal(isnan(loss[r]) != 0, r == WHERE / COLS);
    device_done();
}

/* ---- similarity -------------------------------------------------------------------------------------------------- */

/* One call, and what it is to give. */
struct similarity {
    int rows, cols, classes;
    uint32_t *label;
    struct ocl_buf *labels;
    struct pair v, normed, error, rnorm, delta, per_row;
    struct mx_similarity work;
};

/* Scratch for `most` rows. */
static struct similarity new_similarity(struct mx *m, struct pair v, int classes, const uint32_t *label, int most)
{
    int rows = v.t.rows, cols = v.t.cols;
    size_t floats, some = (size_t)rows;
    struct similarity k = {.rows = rows, .cols = cols, .classes = classes, .v = v, .normed = pair_new(rows, cols),
                           .error = pair_new(rows, rows), .rnorm = pair_new(1, rows), .delta = pair_new(rows, cols),
                           .per_row = pair_new(1, rows)};
    k.work = (struct mx_similarity){.normed = k.normed.t, .error = k.error.t, .rnorm = k.rnorm.t};
    k.label = (uint32_t *)(void *)host_doubles(some);
    for (int r = 0; r < rows; r++)
        k.label[r] = label ? label[r] : rng_below(host_rng(), (uint32_t)classes);
    k.labels = device_bytes(k.label, some * sizeof *k.label);
    OK(mx_similarity_scratch(m, most, cols, &floats));
    device_scratch(m, floats);
    return k;
}

/* The values of a pair on the device become its twin's, so that the step behind it starts from the same floats. */
static void take_values(struct pair p)
{
    const float *got = pair_values(p);
    for (int i = 0; i < p.t.rows * p.t.cols; i++)
        p.ref[i] = got[i];
}

/*
 * N from V. Both the difference from the first value and that from the mean are R at most, the row's range, and round
 * once; the mean of them errs by cols + 2 roundings of R. The norm is R / sqrt(2) at least: where it is exact, N errs
 * by (cols + 5) sqrt(2). The mean's error moves the norm by its square alone (it lies at a right angle), the rounding
 * of differences by 2 sqrt(2 cols) at most, the sum of squares by cols / 2, root and division by 11. |N| <= 1.
 */
static void check_rows(const struct similarity *k)
{
    double norm_error = 2 * sqrt(2.0 * k->cols) + k->cols / 2.0 + 12;
    ref_similarity_rows(k->rows, k->cols, k->v.ref, k->normed.ref, k->rnorm.ref);
    pair_close("1 / norm", k->rnorm, 0, norm_error * ROUND);
    pair_close("N", k->normed, ((k->cols + 5) * sqrt(2) + norm_error) * ROUND, 0);
    take_values(k->rnorm);
    take_values(k->normed);
}

/* E from N: a sum of cols products (Higham, section 3.1), of which sum |n_i n_j| is 1 at most, and T and the
 * difference, 2 at most, round once each. The sum of squares is one of positive numbers. */
static void check_error(const struct similarity *k)
{
    ref_gemm(false, true, k->rows, k->rows, k->cols, 1, k->normed.ref, k->normed.ref, 0, k->error.ref);
    ref_similarity_error(k->rows, k->classes, k->label, k->error.ref, k->per_row.ref);
    pair_close("E", k->error, (k->cols + 4 + 3) * ROUND, 0);
    take_values(k->error);
    for (int r = 0; r < k->rows; r++) {
        const double *e = k->error.ref + r * k->rows;
        k->per_row.ref[r] = 0;
        for (int c = 0; c < k->rows; c++)
            k->per_row.ref[r] += e[c] * e[c] / k->rows;
    }
    pair_close("loss of similarity", k->per_row, 0, (k->rows + 6) * ROUND);
}

/* delta from N, E and 1 / norm: the product errs by (rows + 4) roundings of 4 / rows sum |e| |n|; n . dn by what that
 * does to it and a rounding a product; the mean likewise; then four steps round what they make. */
static void check_delta(const struct similarity *k, struct pair delta)
{
    int rows = k->rows, cols = k->cols;
    size_t n = (size_t)rows * (size_t)cols;
    double *dn = host_doubles(n), *size = host_doubles(n);
    ref_gemm(false, false, rows, cols, rows, 4.0 / rows, pair_sizes(k->error), pair_sizes(k->normed), 0, size);
    ref_gemm(false, false, rows, cols, rows, 4.0 / rows, k->error.ref, k->normed.ref, 0, dn);
    memcpy(delta.ref, dn, n * sizeof *dn);
    ref_similarity_delta(rows, cols, k->normed.ref, k->rnorm.ref, delta.ref);
    for (int r = 0; r < rows; r++) {
        const double *own = k->normed.ref + r * cols, *row = dn + r * cols;
        double *e = size + r * cols, along = 0, along_error = 0, sizes = 0, errors = 0, sizes_n = 0;
        for (int c = 0; c < cols; c++) {
            e[c] *= (rows + 4) * ROUND;
            along += own[c] * row[c];
            along_error += fabs(own[c]) * (e[c] + (cols + 2) * ROUND * fabs(row[c]));
            sizes += fabs(row[c]) / cols;
            sizes_n += fabs(own[c]) / cols;
            errors += e[c] / cols;
        }
        double mean_error = errors + along_error * sizes_n + (cols + 5) * ROUND * (sizes + fabs(along) * sizes_n);
        for (int c = 0; c < cols; c++)
            e[c] = k->rnorm.ref[r] * (e[c] + along_error * fabs(own[c]) + mean_error +
                                      5 * ROUND * (fabs(row[c]) + fabs(along * own[c]) + sizes + sizes_n));
    }
    pair_within("delta of similarity", delta, size, 1);
}

static void check_similarity_of(struct mx *m, int rows, int cols, int classes, int most)
{
    struct similarity k = new_similarity(m, pair_random(rows, cols, -1, 2), classes, NULL, most);
    struct pair place = pair_copy(k.v);
    OK(mx_similarity_loss(m, k.labels, classes, k.v.t, &k.work, k.delta.t, k.per_row.t));
    check_rows(&k);
    check_error(&k);
    check_delta(&k, k.delta);
    OK(mx_similarity_loss(m, k.labels, classes, place.t, &k.work, place.t, k.per_row.t));
    check_delta(&k, place);
    device_done();
}

static void check_similarity(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    check_similarity_of(device_mx(), rows > 300 ? 300 : rows, cols, 2 + (rows + cols) % 9, rows); /* E is a square */
}

static void test_similarity(void **state)
{
    (void)state;
    device_shapes(check_similarity, device_act(MX_IDENTITY));
}

static void test_similarity_by_every_provider(void **state)
{
    (void)state;
    for (int i = 0; mx_gemm_provider(i); i++) {
        struct mx *m = device_provider(mx_gemm_provider(i));
        if (!m)
            continue;
        for (int rows = 1; rows <= (device_small() ? 20 : 64); rows += 9) /* the last batch may have fewer rows */
            check_similarity_of(m, rows, 40, 10, 64);
        if (!device_small())
            check_similarity_of(m, 24, 2000, 10, 24); /* a product needs more scratch than the other */
        mx_close(m);
    }
}

/* First of all, before another test makes the kernels of its products. */
static void test_similarity_is_prepared_whole(void **state)
{
    (void)state;
    struct mx *m = NULL;
    OK(mx_open(device_queue(), "tile", &m));
    if (mx_prepare(m, MX_SIMILARITY, MX_IDENTITY) == ST_OK) { /* else a device without vectors */
        struct similarity k = new_similarity(m, pair_random(3, 5, -1, 1), 2, NULL, 3);
        struct ocl_counts before = ocl_counts();
        OK(mx_similarity_loss(m, k.labels, 2, k.v.t, &k.work, k.delta.t, k.per_row.t));
        struct ocl_counts after = ocl_counts();
        assert_int_equal(after.kernels, before.kernels);
        assert_int_equal(after.programs, before.programs);
    }
    device_done();
    mx_close(m);
}

/* Values of a reference in another language, to six places: N and E round far below them. */
static void test_similarity_by_hand(void **state)
{
    (void)state;
    static const double v[] = {1, 2, 3, 1, 0, -1, 2, 4, 7}, far = -1.0 / 9;
    static const double s[3][3] = {{1, -1, 0.993399}, {-1, 1, -0.993399}, {0.993399, -0.993399, 1}};
    static const uint32_t label[] = {0, 1, 0};
    struct similarity k = new_similarity(device_mx(), pair_of(3, 3, v), 10, label, 3);
    double twin = 0, loss = 0;
    ref_similarity_loss(3, 3, 10, label, k.v.ref, k.normed.ref, k.error.ref, k.rnorm.ref, k.delta.ref, k.per_row.ref);
    OK(mx_similarity_loss(device_mx(), k.labels, 10, k.v.t, &k.work, k.delta.t, k.per_row.t));
    const float *error = pair_values(k.error), *per_row = pair_values(k.per_row);
    for (int i = 0; i < 9; i++) {
        double want = s[i / 3][i % 3] - (label[i / 3] == label[i % 3] ? 1 : far);
        assert_true(fabs(k.error.ref[i] - want) <= 1e-6);
        assert_true(fabs((double)error[i] - want) <= 2e-6);
    }
    for (int r = 0; r < 3; r++) {
        twin += k.per_row.ref[r] / 3;
        loss += (double)per_row[r] / 3;
    }
    assert_true(fabs(twin - 0.348578) <= 1e-6);
    assert_true(fabs(loss - 0.348578) <= 2e-6);
    device_done();
}

/* A row of equal values, of which a mean would round, gives zeros; far from zero, rows keep their direction. */
static void test_similarity_of_equal_values_and_far_from_zero(void **state)
{
    (void)state;
    enum { ROWS = 6, COLS = 37, EQUAL = 2 };
    double *values = host_random(ROWS * COLS, 9999, 10001);
    for (int c = 0; c < COLS; c++)
        values[EQUAL * COLS + c] = 0.1;
    struct similarity k = new_similarity(device_mx(), pair_of(ROWS, COLS, values), 3, NULL, ROWS);
    OK(mx_similarity_loss(device_mx(), k.labels, 3, k.v.t, &k.work, k.delta.t, k.per_row.t));
    check_rows(&k);
    check_error(&k);
    check_delta(&k, k.delta);
    const float *normed = pair_values(k.normed), *delta = pair_values(k.delta);
    for (int c = 0; c < COLS; c++)
        assert_true(normed[EQUAL * COLS + c] == 0 && delta[EQUAL * COLS + c] == 0);
    device_done();
}

/* Every row's loss is one of similarities with all others. */
static void test_similarity_of_nan(void **state)
{
    (void)state;
    enum { ROWS = 18, COLS = 18, WHERE = 2 };
    double *values = host_random(ROWS * COLS, -1, 1);
    values[WHERE * COLS + 17] = NAN;
    struct similarity k = new_similarity(device_mx(), pair_of(ROWS, COLS, values), 3, NULL, ROWS);
    OK(mx_similarity_loss(device_mx(), k.labels, 3, k.v.t, &k.work, k.delta.t, k.per_row.t));
    const float *error = pair_values(k.error), *loss = pair_values(k.per_row), *delta = pair_values(k.delta);
    for (int i = 0; i < ROWS * ROWS; i++)
        assert_int_equal(isnan(error[i]) != 0, i / ROWS == WHERE || i % ROWS == WHERE);
    for (int r = 0; r < ROWS; r++)
        assert_true(isnan(loss[r]));
    for (int i = 0; i < ROWS * COLS; i++)
        assert_true(isnan(delta[i]));
    device_done();
}

/* Rounding takes S beyond 1 now and then; E is cut there. */
static void test_similarity_is_cut(void **state)
{
    (void)state;
    enum { ROWS = 128, COLS = 10 };
    struct similarity k = new_similarity(device_mx(), pair_random(ROWS, COLS, -1, 1), 2, NULL, ROWS);
    OK(mx_similarity_loss(device_mx(), k.labels, 2, k.v.t, &k.work, k.delta.t, k.per_row.t));
    const float *error = pair_values(k.error);
    for (int r = 0; r < ROWS; r++)
        assert_true(error[r * ROWS + r] <= 0);
    FAILS(ST_INTERNAL, "a similarity of 1 classes",
          mx_similarity_loss(device_mx(), k.labels, 1, k.v.t, &k.work, k.delta.t, k.per_row.t));
    device_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_similarity_is_prepared_whole),
        DEVICE_TEST(test_squared_loss),
        DEVICE_TEST(test_squared_loss_of_nan),
        DEVICE_TEST(test_label_distance),
        DEVICE_TEST(test_label_distance_by_hand),
        DEVICE_TEST(test_label_distance_of_nan),
        DEVICE_TEST(test_similarity),
        DEVICE_TEST(test_similarity_by_every_provider),
        DEVICE_TEST(test_similarity_by_hand),
        DEVICE_TEST(test_similarity_of_equal_values_and_far_from_zero),
        DEVICE_TEST(test_similarity_of_nan),
        DEVICE_TEST(test_similarity_is_cut),
    };
    return cmocka_run_group_tests_name("losses", tests, device_open, device_close);
}

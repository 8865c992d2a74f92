/* Sums over rows and columns, batch norm and softmax against their twins. */
#include "support/check.h"
#include "support/device.h"

#include "ref/ref.h"

#include <math.h>

/* ---- sums -------------------------------------------------------------------------------------------------------- */

static void check_sums(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    static const double factor[][2] = {{1, 0}, {0.5, 1}, {-1, 0.25}};
    struct pair x = pair_random(rows, cols, -1, 1), by_row = pair_new(1, rows);
    double *magnitude = pair_sizes(x), *size;
    device_scratch(device_mx(), mx_columns_scratch(rows, cols));
    for (size_t i = 0; i < COUNT_OF(factor); i++) {
        double alpha = factor[i][0], beta = factor[i][1];
        struct pair out = beta == 0 ? pair_new(1, cols) : pair_random(1, cols, -1, 1);
        /* a sum of n numbers in any order: n - 1 roundings of at most sum |x|; factors and the last addition 3 more */
        size = pair_sizes(out);
        ref_column_sum(rows, cols, fabs(alpha), magnitude, beta, size);
        ref_column_sum(rows, cols, alpha, x.ref, beta, out.ref);
        OK(mx_column_sum(device_mx(), (float)alpha, x.t, (float)beta, out.t));
        pair_within("column sum", out, size, (rows + 2) * ROUND);
    }
    size = host_doubles((size_t)rows);
    ref_row_sum(rows, cols, magnitude, size);
    ref_row_sum(rows, cols, x.ref, by_row.ref);
    OK(mx_row_sum(device_mx(), x.t, by_row.t));
    pair_within("row sum", by_row, size, cols * ROUND);
    device_done();
}

static void test_sums(void **state)
{
    (void)state;
    device_shapes(check_sums, device_act(MX_IDENTITY));
}

/* ---- batch norm -------------------------------------------------------------------------------------------------- */

struct norm {
    struct mx_batchnorm bn;
    struct ref_batchnorm ref;
    struct pair running_mean, running_var, saved;
};

static struct norm random_norm(int rows, int cols, struct mx_activation phi)
{
    struct pair gamma = pair_random(1, cols, -1.5, 1.5), beta = pair_random(1, cols, -1, 1);
    struct norm n = {.running_mean = pair_random(1, cols, -1, 1), .running_var = pair_random(1, cols, 0.5, 2),
                     .saved = pair_new(2, cols)};
    n.bn = (struct mx_batchnorm){.gamma = gamma.t, .beta = beta.t, .running_mean = n.running_mean.t,
                                 .running_var = n.running_var.t, .saved = n.saved.t, .eps = 1e-5f, .momentum = 0.1f,
                                 .phi = phi};
    n.ref = (struct ref_batchnorm){.rows = rows, .cols = cols, .gamma = gamma.ref, .beta = beta.ref,
                                   .running_mean = n.running_mean.ref, .running_var = n.running_var.ref,
                                   .mean = n.saved.ref, .rstd = n.saved.ref + cols, .eps = n.bn.eps,
                                   .momentum = n.bn.momentum, .phi = phi};
    device_scratch(device_mx(), mx_columns_scratch(rows, cols));
    return n;
}

/* Errors that a batch's moments may have in column c. The mean is a sum of `rows` numbers up to most |x|, in any order.
 * An error e of the means that deviations are taken from gives the variance one of e^2 + 2 e sigma at most (Cauchy and
 * Schwarz; e^2 alone where there is one mean). A variance from sums of squares would be wrong by most^2 ROUND instead:
 * 6 at x = 1e4. */
struct moment_error {
    double mean, var, rstd; /* rstd: relative */
};

static struct moment_error moment_error(const struct ref_batchnorm *n, const double *x, bool training, int c)
{
    double most = 0, var = 1 / (n->rstd[c] * n->rstd[c]) - n->eps;
    for (int r = 0; r < n->rows; r++)
        most = fmax(most, fabs(x[r * n->cols + c]));
    struct moment_error e = {0};
    if (training) {
        e.mean = (n->rows + 3) * ROUND * most;
        e.var = (n->rows + 8) * ROUND * var + e.mean * (e.mean + 2 * sqrt(var));
    }
    e.rstd = e.var / (2 * (var + n->eps)) + 12 * ROUND; /* square root 3 units, division 2.5 */
    return e;
}

static void check_norm_forward(struct norm *n, bool training, double middle, double spread)
{
    int rows = n->ref.rows, cols = n->ref.cols;
    size_t some = (size_t)cols;
    struct pair x = pair_random(rows, cols, middle - spread, middle + spread), y = pair_new(rows, cols);
    double *y_error = host_doubles((size_t)rows * some), *saved_error = host_doubles(2 * some);
    double *mean_error = host_doubles(some), *var_error = host_doubles(some), m = n->ref.momentum;
    ref_batchnorm_forward(&n->ref, training, x.ref, y.ref);
    OK(mx_batchnorm_forward(device_mx(), &n->bn, training, x.t, y.t));
    for (int c = 0; c < cols; c++) {
        struct moment_error e = moment_error(&n->ref, x.ref, training, c);
        double mean = n->ref.mean[c], rstd = n->ref.rstd[c], gamma = n->ref.gamma[c], beta = n->ref.beta[c];
        saved_error[c] = e.mean + ROUND * fabs(mean);
        saved_error[cols + c] = e.rstd * rstd;
        /* old + momentum * (new - old): a rounding each */
        double old = training ? 2 : 0, unbiased = training ? rows / (rows - 1.0) : 0;
        mean_error[c] = training ? m * e.mean + 4 * ROUND * (old + fabs(mean)) : 0;
        var_error[c] = training ? m * e.var * unbiased + 4 * ROUND * (old + unbiased / (rstd * rstd)) : 0;
        for (int r = 0; r < rows; r++) {
            int i = r * cols + c;
            double z = gamma * (x.ref[i] - mean) * rstd;
            y_error[i] = fabs(gamma) * rstd * e.mean + fabs(z) * (e.rstd + 4 * ROUND) + ROUND * fabs(z + beta) +
                         ACT_ERROR * fabs(y.ref[i]);
        }
    }
    pair_within("batch norm, saved", n->saved, saved_error, 1);
    pair_within("batch norm, running mean", n->running_mean, mean_error, 1);
    pair_within("batch norm, running variance", n->running_var, var_error, 1);
    pair_within("batch norm", y, y_error, 1);
}

static void check_norm_training(int rows, int cols, struct mx_activation phi)
{
    if (rows < 2) /* one row has no variance */
        return;
    struct norm n = random_norm(rows, cols, phi);
    check_norm_forward(&n, true, 0.25, 2);
    device_done();
}

static void check_norm_far_from_zero(int rows, int cols, struct mx_activation phi)
{
    if (rows < 2)
        return;
    struct norm n = random_norm(rows, cols, phi);
    check_norm_forward(&n, true, 1e4, 1);
    device_done();
}

static void check_norm_evaluation(int rows, int cols, struct mx_activation phi)
{
    struct norm n = random_norm(rows, cols, phi);
    check_norm_forward(&n, false, 0, 2);
    device_done();
}

static void check_norm_backward(int rows, int cols, struct mx_activation phi, bool training)
{
    struct norm n = random_norm(rows, cols, phi);
    struct pair x = pair_random(rows, cols, -1.75, 2.25), dy = pair_random(rows, cols, -2, 2), z = pair_new(rows, cols);
    struct pair dgamma = pair_new(1, cols), dbeta = pair_new(1, cols), dx = pair_new(rows, cols), place = pair_copy(dy);
    ref_batchnorm_forward(&n.ref, training, x.ref, z.ref);
    /* both sides get the same floats for what the forward pass left behind */
    struct pair y = pair_copy(z), saved = pair_copy(n.saved);
    n.bn.saved = saved.t;
    n.ref.mean = saved.ref;
    n.ref.rstd = saved.ref + cols;
    ref_batchnorm_backward(&n.ref, training, x.ref, y.ref, dy.ref, dgamma.ref, dbeta.ref, dx.ref);
    OK(mx_batchnorm_backward(device_mx(), &n.bn, training, x.t, y.t, dy.t, dgamma.t, dbeta.t, dx.t));
    /* |dz| <= 2 with 4 roundings of size 2, mean |dz xhat| <= 2 since the mean of xhat^2 is 1 at most (with running
     * moments |xhat| is below 3.25 / sqrt 0.5 < 5): the two means err by (rows + 10) * 2 roundings, and dx by gamma
     * rstd times those of dz, the one mean, and xhat times the other. */
    double error = (rows + 10) * 2 * ROUND, *size = host_doubles((size_t)rows * (size_t)cols);
    for (int i = 0; i < rows * cols; i++) {
        int c = i % cols;
        size[i] = fabs(n.ref.gamma[c]) * n.ref.rstd[c] * (1 + fabs(x.ref[i] - n.ref.mean[c]) * n.ref.rstd[c]);
    }
    pair_close("batch norm, dgamma", dgamma, training ? error : 5 * error, 0);
    pair_close("batch norm, dbeta", dbeta, error, 0);
    pair_within("batch norm, dx", dx, size, 2 * error);
    place.ref = dx.ref;
    OK(mx_batchnorm_backward(device_mx(), &n.bn, training, x.t, y.t, place.t, dgamma.t, dbeta.t, place.t));
    pair_within("batch norm, dx in dy", place, size, 2 * error);
    device_done();
}

static void check_norm_backward_training(int rows, int cols, struct mx_activation phi)
{
    if (rows > 1)
        check_norm_backward(rows, cols, phi, true);
}

static void check_norm_backward_evaluation(int rows, int cols, struct mx_activation phi)
{
    check_norm_backward(rows, cols, phi, false);
}

static void test_batchnorm_training(void **state)
{
    (void)state;
    device_shapes_acts(check_norm_training);
}

static void test_batchnorm_far_from_zero(void **state)
{
    (void)state;
    device_shapes(check_norm_far_from_zero, device_act(MX_IDENTITY));
}

static void test_batchnorm_evaluation(void **state)
{
    (void)state;
    device_shapes_acts(check_norm_evaluation);
}

static void test_batchnorm_backward(void **state)
{
    (void)state;
    device_shapes_acts(check_norm_backward_training);
    device_shapes_acts(check_norm_backward_evaluation);
}

/* NaN fills its column and no other. */
static void test_batchnorm_nan_fills_its_column(void **state)
{
    (void)state;
    enum { ROWS = 33, COLS = 18, WHERE = 17 };
    double *values = host_random(ROWS * COLS, -1, 1);
    values[5 * COLS + WHERE] = NAN;
    struct norm n = random_norm(ROWS, COLS, device_act(MX_RELU));
    struct pair x = pair_of(ROWS, COLS, values), y = pair_new(ROWS, COLS);
    OK(mx_batchnorm_forward(device_mx(), &n.bn, true, x.t, y.t));
    const float *got = pair_values(y);
    for (int i = 0; i < ROWS * COLS; i++)
        assert_int_equal(isnan(got[i]) != 0, i % COLS == WHERE);
    device_done();
}

/* In evaluation a sample has nothing to do with the others. */
static void test_batchnorm_backward_of_nan_stays_in_its_row(void **state)
{
    (void)state;
    enum { ROWS = 33, COLS = 18, WHERE = 5 };
    double *values = host_random(ROWS * COLS, -1, 1);
    values[WHERE * COLS + 17] = NAN;
    struct norm n = random_norm(ROWS, COLS, device_act(MX_IDENTITY));
    struct pair x = pair_random(ROWS, COLS, -1, 1), y = pair_new(ROWS, COLS), dy = pair_of(ROWS, COLS, values);
    struct pair dgamma = pair_new(1, COLS), dbeta = pair_new(1, COLS), dx = pair_new(ROWS, COLS);
    OK(mx_batchnorm_forward(device_mx(), &n.bn, false, x.t, y.t));
    OK(mx_batchnorm_backward(device_mx(), &n.bn, false, x.t, y.t, dy.t, dgamma.t, dbeta.t, dx.t));
    const float *got = pair_values(dx);
    for (int i = 0; i < ROWS * COLS; i++)
        assert_int_equal(isnan(got[i]) != 0, isnan(values[i]) != 0);
    device_done();
}

/* ---- softmax ----------------------------------------------------------------------------------------------------- */

/* Logits lie within `spread` on both sides of `middle`. */
static void check_softmax_of(int rows, int cols, double middle, double spread)
{
    struct pair z = pair_random(rows, cols, middle - spread, middle + spread);
    struct pair p = pair_new(rows, cols), delta = pair_new(rows, cols), per_row = pair_new(2, rows);
    uint32_t *label = (uint32_t *)(void *)host_doubles((size_t)rows);
    for (int r = 0; r < rows; r++)
        label[r] = rng_below(host_rng(), (uint32_t)cols);
    struct ocl_buf *labels = device_bytes(label, (size_t)rows * sizeof *label);
    ref_softmax(rows, cols, z.ref, p.ref);
    ref_softmax_loss(rows, cols, z.ref, label, delta.ref, per_row.ref, per_row.ref + rows);
    OK(mx_softmax(device_mx(), z.t, p.t));
    OK(mx_softmax_loss(device_mx(), z.t, labels, delta.t, per_row.t));
    /* z - max rounds relative to 2 * spread at most, which is what exp errs by, with its own 3 units; so does the sum,
     * which adds up to `cols` roundings, and the division 2.5 units */
    double exponential = (2 * spread + 6) * ROUND, sum = exponential + cols * ROUND;
    double p_error = exponential + sum + 5 * ROUND;
    pair_close("softmax", p, 0x1p-126, p_error);
    pair_close("delta", delta, p_error + ROUND, 0); /* p <= 1 */
    /* the logarithm errs by what its argument does and by 3 units, of 8 at most; then two additions of such size */
    double *size = host_doubles(2 * (size_t)rows); /* 0 for `correct` */
    for (int r = 0; r < rows; r++)
        size[r] = sum + (6 * 8 + 2 * (8 + 2 * spread)) * ROUND;
    pair_within("loss and correct", per_row, size, 1);
    device_done();
}

static void check_softmax(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    check_softmax_of(rows, cols, 0, 8);
    check_softmax_of(rows, cols, -1e4, 1); /* exp of any of them alone is 0, of the negative infinite */
    check_softmax_of(rows, cols, 1e4, 1);
}

static void test_softmax(void **state)
{
    (void)state;
    device_shapes(check_softmax, device_act(MX_IDENTITY));
    check_softmax(3, device_small() ? 100 : 1000, device_act(MX_IDENTITY));
}

/* <p, dp> is a sum of cols products, of which sum |p dp| is 1 at most where |dp| is; the difference rounds once, of 2
 * at most, and so does the product. */
static void check_softmax_backward(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    struct pair p = pair_random(rows, cols, -2, 2), dp = pair_random(rows, cols, -1, 1), dz = pair_new(rows, cols);
    ref_softmax(rows, cols, p.ref, p.ref);
    p = pair_of(rows, cols, p.ref);
    struct pair place = pair_copy(dp);
    ref_softmax_backward(rows, cols, p.ref, dp.ref, dz.ref);
    OK(mx_softmax_backward(device_mx(), p.t, dp.t, dz.t));
    double *size = host_doubles((size_t)rows * (size_t)cols);
    for (int i = 0; i < rows * cols; i++)
        size[i] = (cols + 8) * ROUND * p.ref[i];
    pair_within("softmax back", dz, size, 1);
    place.ref = dz.ref;
    OK(mx_softmax_backward(device_mx(), p.t, place.t, place.t));
    pair_within("softmax back in place", place, size, 1);
    device_done();
}

static void test_softmax_backward(void **state)
{
    (void)state;
    device_shapes(check_softmax_backward, device_act(MX_IDENTITY));
}

static void test_first_of_equal_logits_counts(void **state)
{
    (void)state;
    static const double logits[] = {1, 2, 2, 0, 2, 2, 1, 0, 0, 0, 0, 0};
    static const uint32_t label[] = {1, 1, 0};
    struct pair z = pair_of(3, 4, logits), delta = pair_new(3, 4), per_row = pair_new(2, 3);
    OK(mx_softmax_loss(device_mx(), z.t, device_bytes(label, sizeof label), delta.t, per_row.t));
    const float *correct = pair_values(per_row) + 3;
    assert_true(correct[0] == 1 && correct[1] == 0 && correct[2] == 1);
    device_done();
}

/* Two equal logits wherever they are, in one vector or in two. */
static void test_first_of_equal_logits_in_long_rows(void **state)
{
    (void)state;
    enum { COLS = 37, ROWS = COLS * (COLS - 1) / 2 };
    double *logits = host_random((size_t)ROWS * COLS, -1, 1);
    static uint32_t label[ROWS];
    for (int first = 0, r = 0; first < COLS; first++)
        for (int second = first + 1; second < COLS; second++, r++) {
            logits[r * COLS + first] = logits[r * COLS + second] = 2;
            label[r] = (uint32_t)(r % 2 ? second : first);
        }
    struct pair z = pair_of(ROWS, COLS, logits), delta = pair_new(ROWS, COLS), per_row = pair_new(2, ROWS);
    OK(mx_softmax_loss(device_mx(), z.t, device_bytes(label, sizeof label), delta.t, per_row.t));
    const float *correct = pair_values(per_row) + ROWS;
    for (int r = 0; r < ROWS; r++)
        assert_true(correct[r] == (r % 2 ? 0 : 1));
    device_done();
}

static void test_softmax_of_nan_is_nan_in_its_row(void **state)
{
    (void)state;
    enum { ROWS = 5, COLS = 18, WHERE = 2 };
    static const int column[] = {0, 1, COLS - 1};
    static const uint32_t label[ROWS] = {0, 1, 2, 3, 4};
    for (size_t k = 0; k < COUNT_OF(column); k++) {
        double *values = host_random(ROWS * COLS, -1, 1);
        values[WHERE * COLS + column[k]] = NAN;
        struct pair z = pair_of(ROWS, COLS, values), p = pair_new(ROWS, COLS), delta = pair_new(ROWS, COLS);
        struct pair per_row = pair_new(2, ROWS);
        OK(mx_softmax(device_mx(), z.t, p.t));
        OK(mx_softmax_loss(device_mx(), z.t, device_bytes(label, sizeof label), delta.t, per_row.t));
        const float *prob = pair_values(p), *gradient = pair_values(delta), *loss = pair_values(per_row);
        for (int r = 0; r < ROWS; r++)
            assert_int_equal(isnan(loss[r]) != 0, r == WHERE);
        for (int i = 0; i < ROWS * COLS; i++) {
            assert_int_equal(isnan(prob[i]) != 0, i / COLS == WHERE);
            assert_int_equal(isnan(gradient[i]) != 0, i / COLS == WHERE);
        }
        device_done();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_sums),
        DEVICE_TEST(test_batchnorm_training),
        DEVICE_TEST(test_batchnorm_far_from_zero),
        DEVICE_TEST(test_batchnorm_evaluation),
        DEVICE_TEST(test_batchnorm_backward),
        DEVICE_TEST(test_batchnorm_nan_fills_its_column),
        DEVICE_TEST(test_batchnorm_backward_of_nan_stays_in_its_row),
        DEVICE_TEST(test_softmax),
        DEVICE_TEST(test_softmax_backward),
        DEVICE_TEST(test_first_of_equal_logits_counts),
        DEVICE_TEST(test_first_of_equal_logits_in_long_rows),
        DEVICE_TEST(test_softmax_of_nan_is_nan_in_its_row),
    };
    return cmocka_run_group_tests_name("reductions", tests, device_open, device_close);
}

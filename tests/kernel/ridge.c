/* Ridge regression against its twin, and the twin against the equations it solves. */
#include "support/check.h"
#include "support/device.h"

#include "ref/ref.h"

#include <math.h>
#include <string.h>

enum { OUTPUTS_MAX = 70 };

/* Moments of `samples` random inputs, the last one always 1, and of targets that are a linear map of them and noise. */
struct problem {
    int D, n, scaled;
    struct pair moments, work, w;
    double *ridge;
    struct mx_ridge call;
};

static struct problem new_problem(struct mx *m, int D, int n, int scaled, int samples)
{
    struct problem p = {.D = D, .n = n, .scaled = scaled};
    size_t floats, size = (size_t)(D + n) * (size_t)D;
    double *row = host_random((size_t)(samples * (D + n)), -1, 1), *values = host_doubles(size), mean = 0;
    for (int b = 0; b < samples; b++) {
        double *x = row + b * (D + n);
        x[D - 1] = 1;
        for (int k = 0; k < n; k++)
            x[D + k] += x[k % D] - 2 * x[D - 1];
        for (int r = 0; r < D + n; r++)
            for (int c = 0; c < D; c++)
                values[r * D + c] += x[r] * x[c] / samples;
    }
    p.moments = pair_of(D + n, D, values);
    p.w = pair_new(n, D);
    OK(mx_ridge_scratch(m, D, n, &floats));
    device_scratch(m, floats);
    p.work = pair_new(1, (int)mx_ridge_work(D, n));
    p.call = (struct mx_ridge){.moments = p.moments.t, .work = p.work.t, .scaled = scaled, .ridge = 0.3f,
                               .least = 0.01f};
    p.ridge = host_doubles((size_t)D);
    for (int i = 0; i < scaled; i++)
        mean += p.moments.ref[i * D + i] / scaled;
    for (int i = 0; i < D; i++)
        p.ridge[i] = i < scaled ? p.call.ridge * mean : (double)p.call.least;
    return p;
}

/* The largest element, of which errors are a share: an element that happens to be small is not more exact. */
static double largest(const double *v, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(v[i]));
    return most;
}

/*
 * Gauss-Jordan elimination without pivoting of a positive definite matrix errs by about D roundings times its condition
 * (Higham, Accuracy and Stability of Numerical Algorithms, section 14.4), which is at most the sum of all eigenvalues,
 * D times the mean square, over the least, the ridge: D (1 + 0.3) / 0.3 of the scaled inputs alone. Roundings add up as
 * a random walk does; the bound is the square root of D in place of D, which was seen to leave a factor of ten.
 */
static void check_problem(struct mx *m, int D, int n, int scaled, int samples)
{
    struct problem p = new_problem(m, D, n, scaled, samples);
    ref_ridge(D, n, p.moments.ref, p.moments.ref + D * D, p.ridge, p.w.ref);
    OK(mx_ridge_solve(m, &p.call, p.w.t));
    double condition = D * 1.3 / fmin(0.3 * 0.33, p.ridge[D - 1]);
    pair_close("ridge regression", p.w, sqrt(D) * condition * ROUND * largest(p.w.ref, (size_t)n * (size_t)D), 0);
    pair_close("moments", p.moments, 0, 0);
    device_done();
}

static void test_sizes_around_blocks(void **state)
{
    (void)state;
    static const int inputs[] = {1, 2, 15, 16, 17, 63, 64, 65, 100, 128, 129, 200};
    static const int outputs[] = {1, 2, 17, OUTPUTS_MAX};
    for (size_t i = 0; i < COUNT_OF(inputs) - (device_small() ? 4 : 0); i++)
        for (size_t k = 0; k < COUNT_OF(outputs); k++)
            if (!device_small() || k < 3)
                check_problem(device_mx(), inputs[i], outputs[k], inputs[i] > 1 ? inputs[i] - 1 : 1, 2 * inputs[i] + 3);
}

/* Fewer samples than inputs: S alone has no inverse. */
static void test_few_samples(void **state)
{
    (void)state;
    check_problem(device_mx(), device_small() ? 20 : 150, 9, 12, 5);
}

static void test_every_provider(void **state)
{
    (void)state;
    for (int i = 0; mx_gemm_provider(i); i++) {
        struct mx *m = device_provider(mx_gemm_provider(i));
        if (!m)
            continue;
        OK(mx_prepare(m, MX_RIDGE, MX_IDENTITY));
        OK(mx_prepare(m, MX_BLEND, MX_IDENTITY));
        check_problem(m, device_small() ? 70 : 138, 33, 60, 300);
        mx_close(m);
    }
}

/* (S + diag(ridge)) w = c by hand: s = [[2, 1], [1, 1]], ridge 0.5 * 2 = 1 and 1 */
static void test_by_hand(void **state)
{
    (void)state;
    static const double moments[] = {2, 1, 1, 1, 5, 1, 0, 5}, want[] = {1.8, -0.4, -1, 3};
    size_t floats;
    struct pair in = pair_of(4, 2, moments), w = pair_new(2, 2), work = pair_new(1, (int)mx_ridge_work(2, 2));
    double twin[4];
    OK(mx_ridge_scratch(device_mx(), 2, 2, &floats));
    device_scratch(device_mx(), floats);
    memcpy(w.ref, want, sizeof want);
    OK(mx_ridge_solve(device_mx(),
                      &(struct mx_ridge){.moments = in.t, .work = work.t, .scaled = 1, .ridge = 0.5f, .least = 1},
                      w.t));
    pair_close("by hand", w, 4 * ROUND * 3, 0);
    ref_ridge(2, 2, moments, moments + 4, (const double[]){1, 1}, twin);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(twin[i] - want[i]) < 1e-12);
    device_done();
}

static void test_what_is_not_finite_is_seen(void **state)
{
    (void)state;
    struct problem p = new_problem(device_mx(), 70, 3, 60, 200);
    double *values = host_doubles(73 * 70);
    memcpy(values, p.moments.ref, 73 * 70 * sizeof *values);
    values[71 * 70 + 5] = NAN; /* one target */
    p.call.moments = pair_of(73, 70, values).t;
    OK(mx_ridge_solve(device_mx(), &p.call, p.w.t));
    const float *w = pair_values(p.w);
    for (int i = 0; i < 3 * 70; i++)
        assert_int_equal(isnan(w[i]) != 0, i / 70 == 1);
    device_done();
}

/* Inputs that are all zero, as those of units that died, get nothing, whatever their ridge is. */
static void test_inputs_of_zero(void **state)
{
    (void)state;
    enum { D = 70, N = 3, DEAD = 60 };
    struct problem p = new_problem(device_mx(), D, N, DEAD, 200);
    double *values = host_doubles((D + N) * D);
    for (int i = 0; i < (D + N) * D; i++)
        values[i] = i % D < DEAD || i / D < DEAD ? 0 : p.moments.ref[i];
    p.call.moments = pair_of(D + N, D, values).t;
    for (int i = 0; i < DEAD; i++)
        p.ridge[i] = 1;
    ref_ridge(D, N, values, values + D * D, p.ridge, p.w.ref);
    OK(mx_ridge_solve(device_mx(), &p.call, p.w.t));
    pair_close("with inputs of zero", p.w, 1e-4 * largest(p.w.ref, N * D), 0);
    device_done();
}

static void test_refused(void **state)
{
    (void)state;
    struct problem p = new_problem(device_mx(), 5, 3, 4, 20);
    struct mx_tensor narrow = p.w.t;
    narrow.cols = 4;
    FAILS(ST_INTERNAL, "ridge regression of (8, 5) moments into (3, 4)",
          mx_ridge_solve(device_mx(), &p.call, narrow));
    p.call.scaled = 0;
    FAILS(ST_INTERNAL, "ridge regression of (8, 5) moments into (3, 5)",
          mx_ridge_solve(device_mx(), &p.call, p.w.t));
    device_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_by_hand),
        DEVICE_TEST(test_sizes_around_blocks),
        DEVICE_TEST(test_few_samples),
        DEVICE_TEST(test_every_provider),
        DEVICE_TEST(test_what_is_not_finite_is_seen),
        DEVICE_TEST(test_inputs_of_zero),
        DEVICE_TEST(test_refused),
    };
    return cmocka_run_group_tests_name("ridge", tests, device_open, device_close);
}

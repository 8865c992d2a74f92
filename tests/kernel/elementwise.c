/* Activations, bias, blends, labels behind rows, dropout, optimiser steps and gathering against their twins. */
#include "support/check.h"
#include "support/device.h"

#include "ref/ref.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* Results may be flushed to zero below the smallest normal float. */
#define TINY 0x1p-126

/* Random in (-4, 4), but for some corners: where tanh and sigmoid are flat, and where the ReLUs bend. */
static struct pair corners(int rows, int cols)
{
    static const double corner[] = {100, -100, 0};
    size_t n = (size_t)rows * (size_t)cols;
    double *values = host_random(n, -4, 4);
    for (size_t i = 0; i < n && i < COUNT_OF(corner); i++)
        values[n - 1 - i] = corner[i];
    return pair_of(rows, cols, values);
}

/* ---- activations ------------------------------------------------------------------------------------------------- */

static void check_act(int rows, int cols, struct mx_activation phi)
{
    struct pair x = corners(rows, cols), y = pair_new(rows, cols), place = pair_copy(x);
    ref_act(phi, (size_t)rows * (size_t)cols, x.ref, y.ref);
    OK(mx_act(device_mx(), phi, x.t, y.t));
    pair_close("act", y, TINY, ACT_ERROR);
    place.ref = y.ref;
    OK(mx_act(device_mx(), phi, place.t, place.t));
    pair_close("act in place", place, TINY, ACT_ERROR);
    device_done();
}

/* dx = dy phi'(.) from y: of 1 - y^2 and y (1 - y) each step rounds something of size 1 at most. With |dy| <= 2 and
 * three steps: */
#define SLOPE_ERROR (8 * ROUND)

static void check_act_backward(int rows, int cols, struct mx_activation phi)
{
    struct pair x = corners(rows, cols), dy = pair_random(rows, cols, -2, 2), dx = pair_new(rows, cols);
    size_t n = (size_t)rows * (size_t)cols;
    ref_act(phi, n, x.ref, x.ref);
    struct pair y = pair_copy(x), in_y = pair_copy(x), in_dy = pair_copy(dy);
    ref_act_backward(phi, n, y.ref, dy.ref, dx.ref);
    OK(mx_act_backward(device_mx(), phi, y.t, dy.t, dx.t));
    pair_close("act backward", dx, SLOPE_ERROR, 0);
    in_y.ref = in_dy.ref = dx.ref;
    OK(mx_act_backward(device_mx(), phi, y.t, in_dy.t, in_dy.t));
    pair_close("act backward in dy", in_dy, SLOPE_ERROR, 0);
    OK(mx_act_backward(device_mx(), phi, in_y.t, dy.t, in_y.t));
    pair_close("act backward in y", in_y, SLOPE_ERROR, 0);
    device_done();
}

static void check_bias_act(int rows, int cols, struct mx_activation phi)
{
    struct pair x = corners(rows, cols), bias = pair_random(1, cols, -1, 1), y = pair_new(rows, cols);
    struct pair place = pair_copy(x);
    /* x + bias is up to 5 (but where phi is flat or exact) and rounds once; no slope is above 1 */
    double absolute = 5 * ROUND;
    ref_bias_act(phi, rows, cols, x.ref, bias.ref, y.ref);
    OK(mx_bias_act(device_mx(), phi, x.t, bias.t, y.t));
    pair_close("bias act", y, absolute, ACT_ERROR);
    place.ref = y.ref;
    OK(mx_bias_act(device_mx(), phi, place.t, bias.t, place.t));
    pair_close("bias act in place", place, absolute, ACT_ERROR);
    device_done();
}

static void test_act(void **state)
{
    (void)state;
    device_shapes_acts(check_act);
}

static void test_act_backward(void **state)
{
    (void)state;
    device_shapes_acts(check_act_backward);
}

static void test_bias_act(void **state)
{
    (void)state;
    device_shapes_acts(check_bias_act);
}

static void nan_only_at(const char *what, struct mx_activation phi, struct pair p, int i)
{
    const float *got = pair_values(p);
    for (int k = 0; k < p.t.rows * p.t.cols; k++)
        if (!isnan(got[k]) != (k != i))
            fail_msg("%s of activation %d with NaN at %d gives %g at %d", what, (int)phi.kind, i, (double)got[k], k);
}

static void test_nan_stays_nan(void **state)
{
    (void)state;
    enum { N = 65 };
    static const int where[] = {0, 1, 15, 16, 63, 64}; /* inside vectors, at their ends, in the tail */
    for (int a = 0; a < MX_ACTS; a++)
        for (size_t w = 0; w < COUNT_OF(where); w++) {
            struct mx_activation phi = device_act(a);
            double *values = host_random(N, 0.25, 0.75); /* where every slope is above 0 */
            struct pair fine = pair_of(1, N, values), out = pair_new(1, N);
            values[where[w]] = NAN;
            struct pair broken = pair_of(1, N, values);
            OK(mx_act(device_mx(), phi, broken.t, out.t));
            nan_only_at("act", phi, out, where[w]);
            OK(mx_act_backward(device_mx(), phi, fine.t, broken.t, out.t));
            nan_only_at("act backward", phi, out, where[w]);
            OK(mx_bias_act(device_mx(), phi, broken.t, fine.t, out.t));
            nan_only_at("bias act of x", phi, out, where[w]);
            OK(mx_bias_act(device_mx(), phi, fine.t, broken.t, out.t));
            nan_only_at("bias act of bias", phi, out, where[w]);
            OK(mx_blend(device_mx(), 0, broken.t, 0, out.t));
            nan_only_at("blend of x", phi, out, where[w]);
            OK(mx_blend(device_mx(), 1, fine.t, 1, broken.t));
            nan_only_at("blend of y", phi, broken, where[w]);
            device_done();
        }
}

/* ---- blends and labels ------------------------------------------------------------------------------------------- */

static void check_blend(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    static const double factor[][2] = {{1, 0}, {-0.5, 0}, {1, 1}, {0.75, -0.25}, {0, 0.5}};
    size_t n = (size_t)rows * (size_t)cols;
    struct pair x = pair_random(rows, cols, -2, 2);
    for (size_t i = 0; i < COUNT_OF(factor); i++) {
        double a = factor[i][0], b = factor[i][1];
        struct pair y = b == 0 ? pair_new(rows, cols) : pair_random(rows, cols, -2, 2), place = pair_copy(x);
        ref_blend(n, a, x.ref, b, y.ref);
        OK(mx_blend(device_mx(), (float)a, x.t, (float)b, y.t));
        /* two products and a sum, none above 4 */
        pair_close("blend", y, b == 0 ? 0 : 3 * 4 * ROUND, ROUND);
        ref_blend(n, a, x.ref, b, place.ref);
        OK(mx_blend(device_mx(), (float)a, place.t, (float)b, place.t));
        pair_close("blend in place", place, b == 0 ? 0 : 3 * 4 * ROUND, ROUND);
    }
    device_done();
}

static void test_blend(void **state)
{
    (void)state;
    device_shapes(check_blend, device_act(MX_IDENTITY));
}

static void check_divide(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    static const double by[] = {3, -0.5, 1e-30, 0};
    size_t n = (size_t)rows * (size_t)cols;
    struct pair x = pair_random(rows, cols, -2, 2);
    for (size_t i = 0; i < COUNT_OF(by); i++) {
        float narrow = (float)by[i];
        double wide = narrow;
        struct pair d = pair_of(1, 1, &wide), y = pair_new(rows, cols), place = pair_copy(x);
        ref_divide(n, x.ref, narrow, y.ref);
        OK(mx_divide(device_mx(), x.t, d.t, y.t));
        pair_close("quotient", y, 0, 5 * ROUND); /* OpenCL C lets a division err by 2.5 units */
        place.ref = y.ref;
        OK(mx_divide(device_mx(), place.t, d.t, place.t));
        pair_close("quotient in place", place, 0, 5 * ROUND);
    }
    device_done();
}

static void test_divide(void **state)
{
    (void)state;
    device_shapes(check_divide, device_act(MX_IDENTITY));
}

static void check_label_rows(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    static const struct {
        int more, classes;
        bool labelled;
    } cases[] = {{0, 0, false}, {0, 1, true}, {0, 1, false}, {0, 2, true}, {0, 10, true},
                 {0, 37, true}, {3, 10, true}, {17, 0, false}, {10, 1, false}};
    struct pair x = pair_random(rows, cols, -2, 2);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int k = cases[i].more, n = cases[i].classes;
        struct pair more = pair_random(rows, k ? k : 1, -2, 2);
        uint32_t *label = (uint32_t *)(void *)host_doubles((size_t)rows);
        for (int r = 0; r < rows; r++)
            label[r] = n ? rng_below(host_rng(), (uint32_t)n) : 0;
        struct ocl_buf *labels = cases[i].labelled ? device_bytes(label, (size_t)rows * sizeof *label) : NULL;
        struct pair out = pair_new(rows, cols + k + n);
        ref_label_rows(rows, cols, k, n, x.ref, more.ref, cases[i].labelled ? label : NULL, out.ref);
        OK(mx_label_rows(device_mx(), x.t, k ? more.t : (struct mx_tensor){0}, labels, n, out.t));
        pair_close("label rows", out, 0, 0);
        if (cases[i].labelled) { /* labels alone */
            struct mx_tensor none = x.t;
            none.cols = 0;
            out = pair_new(rows, n);
            ref_label_rows(rows, 0, 0, n, NULL, NULL, label, out.ref);
            OK(mx_label_rows(device_mx(), none, none, labels, n, out.t));
            pair_close("label rows of nothing else", out, 0, 0);
        }
    }
    device_done();
}

static void test_label_rows(void **state)
{
    (void)state;
    device_shapes(check_label_rows, device_act(MX_IDENTITY));
}

/* ---- dropout ----------------------------------------------------------------------------------------------------- */

static void check_dropout(int rows, int cols, struct mx_activation unused)
{
    (void)unused;
    static const float share[] = {0, 0.1f, 0.5f, 0.9f};
    size_t n = (size_t)rows * (size_t)cols;
    for (size_t i = 0; i < COUNT_OF(share); i++) {
        struct mx_dropout d = {.p = share[i], .key = {rng_u32(host_rng()), rng_u32(host_rng())}, .step = (uint32_t)i,
                               .layer = 3};
        struct pair x = pair_random(rows, cols, 0.5, 2), y = pair_new(rows, cols), place = pair_copy(x);
        ref_dropout(&d, n, x.ref, y.ref);
        OK(mx_dropout(device_mx(), &d, x.t, y.t));
        /* relative alone: a zero that should be none, or none that should be zero, fails. 1/(1-p) and a product round;
         * at p = 0 nothing does */
        double relative = d.p > 0 ? 3 * ROUND : 0;
        pair_close("dropout", y, 0, relative);
        place.ref = y.ref;
        OK(mx_dropout(device_mx(), &d, place.t, place.t));
        pair_close("dropout in place", place, 0, relative);
    }
    device_done();
}

static void test_dropout(void **state)
{
    (void)state;
    device_shapes(check_dropout, device_act(MX_IDENTITY));
}

static struct pair ones(int n)
{
    return pair_random(1, n, 1, 1);
}

static void test_dropout_backward_has_the_same_mask(void **state)
{
    (void)state;
    enum { N = 65 };
    struct mx_dropout d = {.p = 0.5f, .key = {7, 8}, .step = 9, .layer = 1};
    struct pair one = ones(N), mask = pair_new(1, N), dy = pair_random(1, N, -1, 1), dx = pair_new(1, N);
    OK(mx_dropout(device_mx(), &d, one.t, mask.t));
    OK(mx_dropout(device_mx(), &d, dy.t, dx.t));
    const float *kept = pair_values(mask);
    for (int i = 0; i < N; i++)
        dx.ref[i] = (double)kept[i] * dy.ref[i]; /* 0 or 2: exact */
    pair_close("dropout backward", dx, 0, 0);
    device_done();
}

static void test_dropout_share_and_streams(void **state)
{
    (void)state;
    const int n = device_small() ? 4096 : 1000000;
    const double p = 0.25;
    static const struct mx_dropout d[] = {
        {.p = 0.25f, .key = {1, 2}, .step = 3, .layer = 4}, {.p = 0.25f, .key = {0, 2}, .step = 3, .layer = 4},
        {.p = 0.25f, .key = {1, 0}, .step = 3, .layer = 4}, {.p = 0.25f, .key = {1, 2}, .step = 4, .layer = 4},
        {.p = 0.25f, .key = {1, 2}, .step = 3, .layer = 5},
    };
    struct pair one = ones(n), out = pair_new(1, n);
    const float *first = NULL;
    ref_dropout(&d[0], (size_t)n, one.ref, out.ref);
    OK(mx_dropout(device_mx(), &d[0], one.t, out.t));
    pair_close("dropout of many", out, 0, 3 * ROUND); /* enough to see a slightly wrong threshold */
    for (size_t k = 0; k < COUNT_OF(d); k++) {
        OK(mx_dropout(device_mx(), &d[k], one.t, out.t));
        const float *y = pair_values(out);
        int kept = 0, differ = 0;
        for (int i = 0; i < n; i++) {
            kept += y[i] > 0;
            differ += first && (y[i] > 0) != (first[i] > 0);
        }
        /* five standard errors of a binomial share: once in two million runs by chance, and the seed is fixed */
        assert_true(fabs((double)kept / n - (1 - p)) <= 5 * sqrt(p * (1 - p) / n));
        /* masks that know nothing of each other differ in 2 p (1 - p) of the places */
        if (first)
            assert_true(fabs((double)differ / n - 2 * p * (1 - p)) <= 5 * sqrt(2 * p * (1 - p) / n));
        else
            first = y;
    }
    device_done();
}

/* ---- optimisers -------------------------------------------------------------------------------------------------- */

enum { STEPS = 5 };

static void check_sgd(int n, const struct mx_sgd *o)
{
    struct pair w = pair_random(1, n, -2, 2), v = pair_of(1, n, host_doubles((size_t)n));
    for (int t = 0; t < STEPS; t++) {
        struct pair g = pair_random(1, n, -1, 1);
        ref_sgd(o, (size_t)n, w.ref, g.ref, v.ref);
        /* without momentum there may be no v at all */
        OK(mx_sgd(device_mx(), o, w.t, g.t, o->momentum > 0 ? v.t : (struct mx_tensor){0}));
    }
    /* |v| stays below STEPS (1 + 2 decay) < 8; each step rounds it, and what goes into w with it, a few times. w itself
     * stays below 4 and rounds once a step */
    pair_close("sgd v", v, STEPS * 4 * 8 * ROUND, 0);
    pair_close("sgd w", w, STEPS * (4 + o->lr * STEPS * 6 * 8) * ROUND, 0);
    device_done();
}

static void check_adam(int n, struct mx_adam o)
{
    struct pair w = pair_random(1, n, -2, 2), v = pair_of(1, n, host_doubles((size_t)n)), s = pair_copy(v);
    for (int t = 0; t < STEPS; t++, o.t++) {
        struct pair g = pair_random(1, n, -1, 1);
        ref_adam(&o, (size_t)n, w.ref, g.ref, v.ref, s.ref);
        OK(mx_adam(device_mx(), &o, w.t, g.t, v.t, s.t));
    }
    /* v moves by (1 - beta1) < 0.25 of a slope below 1.5 and stays below it: two roundings of the move, one of the sum;
     * s only adds up squares, at four roundings a step */
    pair_close("adam v", v, STEPS * (2 * 0.25 + 1) * 1.5 * ROUND, 0);
    pair_close("adam s", s, TINY, STEPS * 4 * ROUND);
    /* A step is lr * ratio, |ratio| <= sqrt(STEPS) where t counts from 1 (Cauchy and Schwarz). v rounds relative to the
     * largest slope of that element so far, which is at most sqrt(STEPS) times sqrt(s): 4 STEPS sqrt(STEPS) roundings,
     * square root, division and the rest 20 more. From a late t on with fresh moments the ratio is (1 - beta1) /
     * sqrt(1 - beta2) times that, below 4. */
    double ratio = 4 * (4 * STEPS * sqrt(STEPS) + 20 * sqrt(STEPS));
    pair_close("adam w", w, STEPS * (3 + o.lr * ratio) * ROUND, 0);
    device_done();
}

static void test_optimizers(void **state)
{
    (void)state;
    static const int all[] = {1, 2, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000}, few[] = {1, 3, 4, 18};
    static const struct mx_sgd sgd[] = {
        {.lr = 0.1f},
        {.lr = 0.1f, .decay = 0.1f},
        {.lr = 0.1f, .momentum = 0.9f},
        {.lr = 0.1f, .momentum = 0.9f, .decay = 0.1f, .nesterov = true},
    };
    static const struct mx_adam adam[] = {
        {.lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .t = 1},
        {.lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 0.1f, .decay = 0.1f, .t = 1},
        {.lr = 0.1f, .beta1 = 0.8f, .beta2 = 0.99f, .eps = 1e-3f, .decay = 0.1f, .decoupled = true, .t = 1},
        {.lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .t = 100000},
    };
    const int *sizes = device_small() ? few : all;
    size_t n = device_small() ? COUNT_OF(few) : COUNT_OF(all);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < COUNT_OF(sgd); k++)
            check_sgd(sizes[i], &sgd[k]);
        for (size_t k = 0; k < COUNT_OF(adam); k++)
            check_adam(sizes[i], adam[k]);
    }
}

/* Without a gradient moments go to zero, and do not stay at a number so small that a step's share is rounded away. */
static void test_moments_end_at_zero(void **state)
{
    (void)state;
    enum { LONG = 1000, WHOLE = 19 };
    const struct mx_sgd sgd = {.lr = 0.1f, .momentum = 0.9f};
    struct mx_adam adam = {.lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.8f, .eps = 1e-8f};
    double *start = host_doubles(WHOLE), *tiny = host_doubles(WHOLE), *zero = host_doubles(WHOLE);
    for (int i = 0; i < WHOLE; i++) {
        start[i] = i % 2 ? 1e-3 * i : -1e-3 * i;
        tiny[i] = i % 2 ? 8 * FLT_MIN : -8 * FLT_MIN;
    }
    start[3] = (double)NAN; /* which has to be seen, however long it takes */
    struct pair g = pair_of(1, WHOLE, zero), w = pair_copy(g), a = pair_of(1, WHOLE, start), b = pair_copy(a);
    struct pair s = pair_of(1, WHOLE, zero), small = pair_of(1, WHOLE, tiny);
    OK(mx_sgd(device_mx(), &sgd, w.t, g.t, small.t));
    const float *still = pair_values(small);
    for (int i = 0; i < WHOLE; i++)
        assert_true(fabs((double)still[i]) > FLT_MIN); /* a normal number stays one */
    for (int t = 0; t < LONG; t++) {
        adam.t++;
        OK(mx_sgd(device_mx(), &sgd, w.t, g.t, a.t));
        OK(mx_adam(device_mx(), &adam, w.t, g.t, b.t, s.t));
    }
    const float *first = pair_values(a), *other = pair_values(b), *second = pair_values(s);
    for (int i = 0; i < WHOLE; i++)
        if (i == 3)
            assert_true(isnan(first[i]) && isnan(other[i]) && isnan(second[i])); /* s by way of w */
        else
            assert_true(first[i] == 0 && other[i] == 0 && second[i] == 0);
    struct pair slope = pair_of(1, WHOLE, tiny), fresh = pair_of(1, WHOLE, zero); /* the slope squared is too small */
    OK(mx_adam(device_mx(), &adam, pair_of(1, WHOLE, zero).t, slope.t, g.t, fresh.t));
    second = pair_values(fresh);
    for (int i = 0; i < WHOLE; i++)
        assert_true(second[i] == 0);
    device_done();
}

/* ---- gather ------------------------------------------------------------------------------------------------------ */

enum { SAMPLES = 70 };

static void check_gather(int rows, int channels, int hw, uint32_t first, bool with_order)
{
    static uint8_t pixels[SAMPLES * 3 * 784], labels[SAMPLES];
    static uint32_t order[SAMPLES], label[SAMPLES], got[SAMPLES];
    size_t n = (size_t)channels * (size_t)hw, bytes = SAMPLES * n;
    for (size_t i = 0; i < bytes; i++)
        pixels[i] = (uint8_t)rng_u32(host_rng());
    for (uint32_t i = 0; i < SAMPLES; i++) {
        labels[i] = (uint8_t)rng_below(host_rng(), 256);
        order[i] = i;
    }
    rng_shuffle(host_rng(), order, SAMPLES);
    double *values = host_random(2 * (size_t)channels, 0.5 / 255, 4.0 / 255); /* scale, then shift */
    float scale[6];
    for (int i = 0; i < 2 * channels; i++) {
        scale[i] = (float)values[i];
        values[i] = scale[i];
    }
    struct mx_gather g = {.pixels = device_bytes(pixels, bytes), .labels = device_bytes(labels, SAMPLES),
                          .order = with_order ? device_bytes(order, (first + (size_t)rows) * sizeof *order) : NULL,
                          .scale = device_bytes(scale, 2 * (size_t)channels * sizeof *scale), .first = first,
                          .channels = channels, .hw = hw};
    struct pair x = pair_new(rows, (int)n);
    struct ocl_buf *out = device_bytes(NULL, (size_t)rows * sizeof *got);
    ref_gather(rows, channels, hw, first, pixels, labels, with_order ? order : NULL, values, x.ref, label);
    OK(mx_gather(device_mx(), &g, x.t, out));
    pair_close("gather", x, 0, 2 * ROUND); /* a product and a sum of positive numbers */
    device_read(out, (size_t)rows * sizeof *got, got);
    assert_memory_equal(got, label, (size_t)rows * sizeof *got);
    device_done();
}

/* Memory behind them would be read, or written. */
static void test_gather_refuses_small_buffers(void **state)
{
    (void)state;
    static const size_t bytes[] = {4, 8, 12, 16};
    struct ocl_buf *buf[COUNT_OF(bytes)];
    for (size_t i = 0; i < COUNT_OF(bytes); i++) /* without the guards that others have */
        OK(ocl_buf_create(ocl_queue_device(device_queue()), bytes[i], &buf[i]));
    struct mx_gather g = {.pixels = buf[3], .labels = buf[3], .scale = buf[2], .channels = 2, .hw = 1};
    struct pair x = pair_new(2, 2);
    FAILS(ST_INTERNAL, "gathering 2 rows of 2 channels: 12 bytes of scales, 8 of labels",
          mx_gather(device_mx(), &g, x.t, buf[1]));
    g.scale = buf[3];
    FAILS(ST_INTERNAL, "gathering 2 rows of 2 channels: 16 bytes of scales, 4 of labels",
          mx_gather(device_mx(), &g, x.t, buf[0]));
    for (size_t i = 0; i < COUNT_OF(bytes); i++)
        ocl_buf_free(buf[i]);
    device_done();
}

static void test_gather(void **state)
{
    (void)state;
    static const int pictures[] = {1, 15, 16, 17, 5 * 5, 48, 7 * 9, 28 * 28}, counts[] = {1, 5, 33};
    for (size_t p = 0; p < COUNT_OF(pictures) - device_small(); p++)
        for (size_t c = 0; c < COUNT_OF(counts) - device_small(); c++)
            for (int channels = 1; channels <= 3; channels += 2)
                for (uint32_t first = 0; first < 8; first += 7)
                    for (int with_order = 0; with_order < 2; with_order++)
                        check_gather(counts[c], channels, pictures[p], first, with_order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_act),
        DEVICE_TEST(test_act_backward),
        DEVICE_TEST(test_bias_act),
        DEVICE_TEST(test_nan_stays_nan),
        DEVICE_TEST(test_blend),
        DEVICE_TEST(test_divide),
        DEVICE_TEST(test_label_rows),
        DEVICE_TEST(test_dropout),
        DEVICE_TEST(test_dropout_backward_has_the_same_mask),
        DEVICE_TEST(test_dropout_share_and_streams),
        DEVICE_TEST(test_optimizers),
        DEVICE_TEST(test_moments_end_at_zero),
        DEVICE_TEST(test_gather),
        DEVICE_TEST(test_gather_refuses_small_buffers),
    };
    return cmocka_run_group_tests_name("elementwise", tests, device_open, device_close);
}

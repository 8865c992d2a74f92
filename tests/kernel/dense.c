/* A dense layer's three products with what they compute besides, by every provider, against the twins. */
#include "support/check.h"
#include "support/device.h"

#include "ref/ref.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct size {
    int B, in, out;
};

/* Scratch for `most` rows, until device_done. */
static void give_scratch(struct mx *m, struct size s, int most)
{
    size_t floats;
    OK(mx_dense_scratch(m, most, s.in, s.out, &floats));
    device_scratch(m, floats);
}

/* |error| of a sum of n products in any order: n 2^-24 sum |a| |b|, and a little for alpha and the bias (Higham,
 * Accuracy and Stability of Numerical Algorithms, section 3.1); no activation's slope is above 1. */
static double product_error(int n)
{
    return (n + 4) * ROUND;
}

static void check_forward(struct mx *m, struct size s, struct mx_activation phi, int most)
{
    give_scratch(m, s, most);
    struct pair x = pair_random(s.B, s.in, -1, 1), w = pair_random(s.out, s.in, -1, 1);
    struct pair bias = pair_random(1, s.out, -1, 1), y = pair_new(s.B, s.out);
    size_t n = (size_t)s.B * (size_t)s.out;
    double *size = host_doubles(n), *z = host_doubles(n);
    ref_gemm(false, true, s.B, s.out, s.in, 1, pair_sizes(x), pair_sizes(w), 0, size);
    ref_gemm(false, true, s.B, s.out, s.in, 1, x.ref, w.ref, 0, z);
    ref_bias_act(phi, s.B, s.out, z, bias.ref, y.ref);
    for (size_t i = 0; i < n; i++) /* 1: the bias and tanh's own error, 5 units of at most 1 */
        size[i] = size[i] * product_error(s.in) + 12 * ROUND * (1 + fabs(y.ref[i]));
    OK(mx_dense_forward(m, phi, x.t, w.t, bias.t, y.t));
    pair_within("forward", y, size, 1);
    device_done();
}

static void check_params(struct mx *m, struct size s, int most)
{
    give_scratch(m, s, most);
    struct pair da = pair_random(s.B, s.out, -1, 1), x = pair_random(s.B, s.in, -1, 1);
    struct pair dw = pair_new(s.out, s.in), dbias = pair_new(1, s.out);
    double *size = host_doubles((size_t)s.out * (size_t)s.in), *sums = host_doubles((size_t)s.out);
    ref_gemm(true, false, s.out, s.in, s.B, 1.0 / s.B, pair_sizes(da), pair_sizes(x), 0, size);
    ref_gemm(true, false, s.out, s.in, s.B, 1.0 / s.B, da.ref, x.ref, 0, dw.ref);
    ref_column_sum(s.B, s.out, 1.0 / s.B, pair_sizes(da), 0, sums);
    ref_column_sum(s.B, s.out, 1.0 / s.B, da.ref, 0, dbias.ref);
    OK(mx_dense_backward_params(m, da.t, x.t, dw.t, dbias.t));
    pair_within("weights", dw, size, product_error(s.B));
    pair_within("bias", dbias, sums, product_error(s.B));
    device_done();
}

static void check_input(struct mx *m, struct size s, struct mx_activation phi, int most)
{
    give_scratch(m, s, most);
    struct pair da = pair_random(s.B, s.out, -1, 1), w = pair_random(s.out, s.in, -1, 1);
    struct pair x = pair_random(s.B, s.in, -1, 1), dx = pair_new(s.B, s.in);
    size_t n = (size_t)s.B * (size_t)s.in;
    double *size = host_doubles(n), *product = host_doubles(n);
    ref_gemm(false, false, s.B, s.in, s.out, 1, pair_sizes(da), pair_sizes(w), 0, size);
    ref_gemm(false, false, s.B, s.in, s.out, 1, da.ref, w.ref, 0, product);
    ref_act_backward(phi, n, x.ref, product, dx.ref);
    OK(mx_dense_backward_input(m, phi, da.t, w.t, x.t, dx.t));
    pair_within("input", dx, size, product_error(s.out) + 4 * ROUND);
    device_done();
}

static void check_size(struct mx *m, struct size s)
{
    for (int a = 0; a < MX_ACTS; a++) {
        struct mx_activation phi = device_act(a);
        check_forward(m, s, phi, s.B);
        check_input(m, s, phi, s.B);
    }
    check_params(m, s, s.B);
}

/* Around the edges of tiles and panels, with one block of work and many, one depth and several. */
static void test_sizes(void **state)
{
    static const struct size all[] = {{1, 1, 1}, {2, 5, 3}, {31, 33, 10}, {12, 32, 12}, {13, 31, 17}, {33, 100, 65},
                                      {128, 130, 70}, {7, 1000, 40}, {1000, 7, 33}, {20, 40, 900}, {128, 784, 256},
                                      {40, 33, 512}};
    struct mx *m = *state;
    if (!m)
        skip();
    for (size_t i = 0; i < (device_small() ? 4 : COUNT_OF(all)); i++)
        check_size(m, all[i]);
}

static void test_random_sizes(void **state)
{
    struct mx *m = *state;
    if (!m)
        skip();
    int n = device_small() ? 3 : strcmp(mx_gemm_name(m), "clblast") == 0 ? 4 : 60;
    for (int i = 0; i < n; i++)
        check_size(m, (struct size){1 + (int)rng_below(host_rng(), 70), 1 + (int)rng_below(host_rng(), 70),
                                    1 + (int)rng_below(host_rng(), 70)});
}

static void test_scratch_is_enough_for_fewer_rows(void **state)
{
    struct mx *m = *state;
    if (!m)
        skip();
    for (int rows = 1; rows <= 64; rows += 9) {
        struct size s = {rows, 40, 50};
        check_forward(m, s, device_act(0), 64);
        check_params(m, s, 64);
        check_input(m, s, device_act(1), 64);
    }
    if (!device_small()) { /* where a whole batch is dealt in fewer pieces than a part of it */
        check_forward(m, (struct size){400, 784, 256}, device_act(0), 600);
        check_params(m, (struct size){400, 784, 256}, 600);
        check_input(m, (struct size){400, 784, 256}, device_act(1), 600);
    }
}

static int open_provider(void **state)
{
    *state = device_provider(*state);
    return 0;
}

static int close_provider(void **state)
{
    device_drop(NULL);
    mx_close(*state);
    return 0;
}

int main(void)
{
    enum { PROVIDERS_MAX = 8, EACH = 3 };
    static char title[PROVIDERS_MAX * EACH][80];
    static const struct CMUnitTest each[EACH] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_random_sizes),
        cmocka_unit_test(test_scratch_is_enough_for_fewer_rows),
    };
    struct CMUnitTest tests[PROVIDERS_MAX * EACH] = {0}; /* cmocka passes over empty ones */
    for (int p = 0, n = 0; p < PROVIDERS_MAX && mx_gemm_provider(p); p++)
        for (int i = 0; i < EACH; i++, n++) {
            union {
                const char *name;
                void *state;
            } provider = {mx_gemm_provider(p)};
            snprintf(title[n], sizeof title[n], "%s of %s", each[i].name, provider.name);
            tests[n] = (struct CMUnitTest){title[n], each[i].test_func, open_provider, close_provider, provider.state};
        }
    return cmocka_run_group_tests_name("dense", tests, device_open, device_close);
}

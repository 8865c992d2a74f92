/* Products of every provider against the twin: sizes, transposes, factors, leading dimensions, offsets. */
#include "support/check.h"
#include "support/device.h"

#include "ref/ref.h"

#include <clblast_c.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    int M, N, K;
};

/* What the tests below run with. */
struct variant {
    const char *provider;
    bool copies; /* force_copies() */
};

/* ---- providers --------------------------------------------------------------------------------------------------- */

/* CLBlast takes large products through padded copies of its operands, from a size on that only GPUs reach in good time.
 * Makes it do so for all sizes, from here to the program's end. */
static void force_copies(void)
{
    cl_device_id id;
    void *queue;
    assert_int_equal(ocl_queue_native(device_queue(), &queue), ST_OK);
    assert_int_equal(clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof id, &id, NULL), CL_SUCCESS);
    assert_int_equal(CLBlastOverrideParameters(id, "GemmRoutine", CLBlastPrecisionSingle, 1,
                                               (const char *[]){"XGEMM_MIN_INDIRECT_SIZE"}, (size_t[]){1}),
                     CLBlastSuccess);
}

/* *state: a variant, then its mx or NULL. */
static int open_variant(void **state)
{
    const struct variant *v = *state;
    *state = device_provider(v->provider);
    if (*state && v->copies)
        force_copies();
    return 0;
}

static int close_variant(void **state)
{
    device_drop(NULL);
    mx_close(*state);
    return 0;
}

/* ---- one product ------------------------------------------------------------------------------------------------- */

static void check_product(struct mx *m, bool trans_a, bool trans_b, struct pair a, struct pair b, double alpha,
                          double beta, int pad)
{
    int M = trans_a ? a.t.cols : a.t.rows, K = trans_a ? a.t.rows : a.t.cols, N = trans_b ? b.t.rows : b.t.cols;
    size_t n = (size_t)M * (size_t)N;
    struct pair c = pair_of_ld(M, N, N + pad, beta == 0 ? NULL : host_random(n, -1, 1));
    /* Whatever the order of the sum: |error| <= (K + 3) 2^-24 (|alpha| sum |a| |b| + |beta c|), each product, addition
     * and factor rounding once (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). */
    double *size = beta == 0 ? host_doubles(n) : pair_sizes(c);
    ref_gemm(trans_a, trans_b, M, N, K, fabs(alpha), pair_sizes(a), pair_sizes(b), fabs(beta), size);
    ref_gemm(trans_a, trans_b, M, N, K, alpha, a.ref, b.ref, beta, c.ref);
    static bool chained; /* every other one, for which the product may be dealt out in another way */
    chained = !chained;
    if (chained)
        ocl_chain_begin(device_queue());
    enum st s = mx_gemm(m, trans_a, trans_b, (float)alpha, a.t, b.t, (float)beta, c.t);
    OK(chained ? ocl_chain_end(device_queue(), s) : s);
    char what[128];
    snprintf(what, sizeof what, "%s %c%c M %d N %d K %d alpha %g beta %g pad %d", mx_gemm_name(m), trans_a ? 'T' : 'N',
             trans_b ? 'T' : 'N', M, N, K, alpha, beta, pad);
    pair_within(what, c, size, (K + 3) * 0x1p-24);
}

/* One form and shape with n pairs of factors. */
static void check_shape(struct mx *m, int form, struct shape s, const double (*factor)[2], size_t n, int pad)
{
    bool trans_a = form & 1, trans_b = form & 2;
    int a_rows = trans_a ? s.K : s.M, a_cols = trans_a ? s.M : s.K;
    int b_rows = trans_b ? s.N : s.K, b_cols = trans_b ? s.K : s.N;
    size_t scratch;
    OK(mx_gemm_scratch(m, trans_a, trans_b, s.M, s.N, s.K, &scratch));
    device_scratch(m, scratch);
    struct pair a = pair_of_ld(a_rows, a_cols, a_cols + pad, host_random((size_t)a_rows * (size_t)a_cols, -1, 1));
    struct pair b = pair_of_ld(b_rows, b_cols, b_cols + 2 * pad, host_random((size_t)b_rows * (size_t)b_cols, -1, 1));
    for (size_t i = 0; i < n; i++)
        check_product(m, trans_a, trans_b, a, b, factor[i][0], factor[i][1], 3 * pad);
    device_done();
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void test_awkward_sizes(void **state)
{
    static const int all[] = {1, 2, 5, 31, 33, 64, 65, 0}, few[] = {1, 2, 5, 18, 0};
    static const double factor[][2] = {{1, 0}, {1, 0.5}, {1, 1}, {-0.5, 0}, {-0.5, 0.5}, {-0.5, 1}};
    const int *sizes = device_small() ? few : all;
    struct mx *m = *state;
    if (!m)
        skip();
    /* a library is called with one pair of factors a shape, for the time it takes */
    bool library = strcmp(mx_gemm_name(m), "clblast") == 0;
    size_t turn = 0;
    for (int form = 0; form < 4; form++)
        for (const int *M = sizes; *M; M++)
            for (const int *N = sizes; *N; N++)
                for (const int *K = sizes; *K; K++, turn++) {
                    const double(*first)[2] = library ? &factor[turn % COUNT_OF(factor)] : factor;
                    int pad = turn / COUNT_OF(factor) % 2; /* in half of them rows lie apart */
                    check_shape(m, form, (struct shape){*M, *N, *K}, first, library ? 1 : COUNT_OF(factor), pad);
                }
}

/* The shapes of the default net; a round one, where a library may take its fast path; one deeper and one wider than any
 * block; rows 2 KiB apart, and more of them than a block has tiles. */
static void test_real_sizes(void **state)
{
    static const struct shape real[] = {{250, 256, 784}, {250, 10, 256}, {128, 128, 128}, {33, 65, 1030},
                                        {13, 4500, 400}, {512, 37, 512}};
    static const struct shape deep = {5, 18, 1030};
    static const double factor[][2] = {{1, 0}, {-0.5, 0.5}};
    const struct shape *shape = device_small() ? &deep : real;
    size_t n = device_small() ? 1 : COUNT_OF(real);
    struct mx *m = *state;
    if (!m)
        skip();
    for (int form = 0; form < 4; form++)
        for (size_t i = 0; i < n; i++)
            for (int pad = 0; pad < 2; pad++)
                check_shape(m, form, shape[i], factor + pad, 1, pad);
}

/* Sizes, forms, factors and the room between rows from a fixed seed; each provider gets its own. */
static void test_random_products(void **state)
{
    struct mx *m = *state;
    if (!m)
        skip();
    /* a library for the time it takes: its kernels are not ours to prove */
    int n = device_small() ? 20 : strcmp(mx_gemm_name(m), "clblast") == 0 ? 60 : 3000;
    for (int i = 0; i < n; i++) {
        uint32_t most = i % 8 ? 40 : 130;
        struct shape s = {1 + (int)rng_below(host_rng(), most), 1 + (int)rng_below(host_rng(), most),
                          1 + (int)rng_below(host_rng(), most)};
        /* eighths, which a float holds */
        const double factor[1][2] = {{(int)rng_below(host_rng(), 17) / 8.0 - 1,
                                      i % 3 ? (int)rng_below(host_rng(), 17) / 8.0 - 1 : 0}};
        check_shape(m, (int)rng_below(host_rng(), 4), s, factor, 1, (int)rng_below(host_rng(), 6));
    }
}

static void test_wrong_shapes_and_names(void **state)
{
    struct mx *m = *state;
    if (!m)
        skip();
    struct pair a = pair_random(2, 3, -1, 1), b = pair_random(3, 4, -1, 1), c = pair_new(2, 4);
    FAILS(ST_INTERNAL, "product of shapes (2, 3)^T", mx_gemm(m, true, false, 1, a.t, b.t, 0, c.t));
    FAILS(ST_INTERNAL, "(3, 4)^T", mx_gemm(m, false, true, 1, a.t, b.t, 0, c.t));
    FAILS(ST_INTERNAL, "into (3, 4)", mx_gemm(m, false, false, 1, a.t, b.t, 0, b.t));
    struct mx *none = NULL;
    FAILS(ST_INPUT, "unknown GEMM provider 'fast'", mx_open(device_queue(), "fast", &none));
    device_done();
}

int main(void)
{
    enum { VARIANTS_MAX = 8 };
    static struct variant variant[VARIANTS_MAX];
    static char title[VARIANTS_MAX][4][80];
    static const struct CMUnitTest each[] = {
        cmocka_unit_test(test_awkward_sizes),
        cmocka_unit_test(test_real_sizes),
        cmocka_unit_test(test_random_products),
        cmocka_unit_test(test_wrong_shapes_and_names),
    };
    struct CMUnitTest tests[VARIANTS_MAX * COUNT_OF(each)] = {0}; /* cmocka passes over empty ones */
    size_t variants = 0, n = 0;
    setenv("CLUTCH_CHAIN", "on", 1);
    for (int p = 0; p < VARIANTS_MAX - 1 && mx_gemm_provider(p); p++)
        variant[variants++].provider = mx_gemm_provider(p);
    variant[variants++] = (struct variant){.provider = "clblast", .copies = true}; /* last, for it cannot be undone */
    for (size_t v = 0; v < variants; v++)
        for (size_t i = 0; i < COUNT_OF(each); i++, n++) {
            snprintf(title[v][i], sizeof title[v][i], "%s of %s%s", each[i].name, variant[v].provider,
                     variant[v].copies ? " with copies" : "");
            tests[n] = (struct CMUnitTest){title[v][i], each[i].test_func, open_variant, close_variant, &variant[v]};
        }
    return cmocka_run_group_tests_name("gemm", tests, device_open, device_close);
}

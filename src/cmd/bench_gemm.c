/* clutch bench gemm: products by every provider, right first, then timed. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct product {
    int M, N, K;
    bool trans_a, trans_b;
    struct mx_tensor a, b, c;
};

static enum st run_product(struct mx *mx, void *user)
{
    const struct product *p = user;
    return mx_gemm(mx, p->trans_a, p->trans_b, 1, p->a, p->b, 0, p->c);
}

enum { SECTION = 16 }; /* products that are enqueued as a step enqueues its kernels: in chains, on CPUs */

static enum st run_section(struct mx *mx, void *user)
{
    enum st s = ST_OK;
    ocl_chain_begin(mx_queue(mx));
    for (int i = 0; s == ST_OK && i < SECTION; i++)
        s = run_product(mx, user);
    return ocl_chain_end(mx_queue(mx), s);
}

static const char *form_name(const struct product *p)
{
    return p->trans_a ? (p->trans_b ? "TT" : "TN") : p->trans_b ? "NT" : "NN";
}

/* Largest difference from the plain kernels' result, relative to K: each product of two values below 1 adds a rounding.
 * */
static enum st compare(struct mx *mx, struct product *p, struct mx_tensor plain, double *difference)
{
    enum st s = ST_OK;
    size_t n = (size_t)p->M * (size_t)p->N;
    float *both = NULL;
    TRY(NEW(both, 2 * n));
    TRY(ocl_read(mx_queue(mx), p->c.buf, p->c.off * sizeof *both, n * sizeof *both, both));
    TRY(ocl_read(mx_queue(mx), plain.buf, plain.off * sizeof *both, n * sizeof *both, both + n));
    *difference = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)both[i] - (double)both[n + i]) / p->K;
        if (!(d <= *difference)) /* NaN stays */
            *difference = d;
    }
out:
    mem_free(both);
    return s;
}

static enum st print_product(const struct bench *b, const struct product *p, const char *provider,
                             const struct measured *t, double peak)
{
    double flops = 2.0 * p->M * p->N * p->K;
    if (b->json)
        return bench_row(b, json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:f, s:f}", "bench", "gemm", "provider",
                                      provider, "form", form_name(p), "M", p->M, "N", p->N, "K", p->K, "gflops_best",
                                      flops / t->best * 1e-9, "gflops_median", flops / t->median * 1e-9, "peak_gflops",
                                      peak * 1e-9));
    char shape[48];
    snprintf(shape, sizeof shape, "%dx%dx%d", p->M, p->N, p->K);
    output("%-16s %-3s %-13s %9.1f %9.1f %10.1f %6.0f %%\n", shape, form_name(p), provider, flops / t->best * 1e-9,
           flops / t->median * 1e-9, t->best * 1e6, 100 * flops / t->best / peak);
    return ST_OK;
}

/* Where products go in chains: another row. */
static enum st bench_chain(const struct bench *b, struct mx *mx, struct product *p, const char *provider, double peak)
{
    enum st s = ST_OK;
    struct measured t;
    char name[MX_TEXT_MAX + 16];
    uint64_t before = ocl_counts().launches;
    ocl_chain_at_once(mx_queue(mx));
    TRY(run_section(mx, p));
    TRY(ocl_flush(mx_queue(mx)));
    if (ocl_counts().launches - before != 1)
        return ST_OK;
    TRY(measure(mx, run_section, p, 9, 0.01, &t));
    t.best /= SECTION;
    t.median /= SECTION;
    snprintf(name, sizeof name, "%s, chained", provider);
    TRY(print_product(b, p, name, &t, peak));
out:
    return s;
}

/* One shape and form with one provider: right first, then timed. */
static enum st bench_provider(const struct bench *b, struct product *p, struct mx_tensor plain, const char *provider,
                              double peak)
{
    enum st s = ST_OK;
    struct mx *mx = NULL;
    struct ocl_buf *scratch = NULL;
    struct measured t;
    size_t floats;
    double difference;
    TRY(mx_open(mx_queue(b->mx), provider, &mx));
    if (mx_prepare(mx, MX_GEMM, MX_IDENTITY) != ST_OK) { /* not every provider is for every device */
        note("%s", st_message());
        goto out;
    }
    TRY(mx_gemm_scratch(mx, p->trans_a, p->trans_b, p->M, p->N, p->K, &floats));
    TRY(ocl_buf_create(b->device, floats * sizeof(float), &scratch));
    mx_give_scratch(mx, scratch);
    TRY(run_product(mx, p));
    TRY(compare(mx, p, plain, &difference));
    if (!(difference <= 0x1p-23))
        TRY(st_fail(ST_DEVICE, "provider %s is wrong at %dx%dx%d %s on %s: %g a product of two values", provider, p->M,
                    p->N, p->K, form_name(p), ocl_device_label(b->device), difference));
    TRY(measure(mx, run_product, p, 9, 0.01, &t));
    TRY(print_product(b, p, provider, &t, peak));
    TRY(bench_chain(b, mx, p, provider, peak));
out:
    (void)!ocl_wait(mx_queue(b->mx));
    mx_close(mx);
    ocl_buf_free(scratch);
    return s;
}

static enum st fill_random(struct bench *b, struct ocl_buf *buf, size_t n)
{
    enum st s = ST_OK;
    float *values = NULL;
    struct rng r;
    rng_init(&r, 1, 0);
    TRY(NEW(values, n));
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(2 * rng_unit(&r) - 1);
    TRY(ocl_write(mx_queue(b->mx), buf, 0, n * sizeof *values, values));
    TRY(ocl_wait(mx_queue(b->mx)));
out:
    mem_free(values);
    return s;
}

/* All forms of one shape with all providers. */
static enum st bench_shape(struct bench *b, int M, int N, int K, double peak)
{
    enum st s = ST_OK;
    struct ocl_buf *in = NULL, *out_buf = NULL;
    size_t a = (size_t)M * (size_t)K, bb = (size_t)K * (size_t)N, c = (size_t)M * (size_t)N;
    TRY(ocl_buf_create(b->device, (a + bb) * sizeof(float), &in));
    TRY(ocl_buf_create(b->device, 2 * c * sizeof(float), &out_buf));
    TRY(fill_random(b, in, a + bb));
    for (int form = 0; form < 3; form++) {
        struct product p = {.M = M, .N = N, .K = K, .trans_a = form == 2, .trans_b = form == 1};
        p.a = mx_view(in, 0, p.trans_a ? K : M, p.trans_a ? M : K);
        p.b = mx_view(in, a, p.trans_b ? N : K, p.trans_b ? K : N);
        p.c = mx_view(out_buf, c, M, N);
        struct mx_tensor plain = p.c;
        TRY(run_product(b->mx, &p)); /* b->mx has the plain kernels */
        p.c = mx_view(out_buf, 0, M, N);
        for (int i = 0; !b->provider && mx_gemm_provider(i); i++)
            TRY(bench_provider(b, &p, plain, mx_gemm_provider(i), peak));
        if (b->provider)
            TRY(bench_provider(b, &p, plain, b->provider, peak));
    }
out:
    (void)!ocl_wait(mx_queue(b->mx));
    ocl_buf_free(in);
    ocl_buf_free(out_buf);
    return s;
}

static enum st parse_shape(const char *word, int shape[3])
{
    char part[3][12] = {{0}};
    int n = 0;
    size_t len = 0;
    for (; *word && n < 3; word++) {
        if (*word == 'x' && n < 2) {
            n++;
            len = 0;
        } else if (len + 1 < sizeof part[0]) {
            part[n][len++] = *word;
        }
    }
    for (int i = 0; i < 3; i++) {
        int64_t v = 0;
        if (!parse_i64(part[i], &v) || v < 1 || v > 16384)
            return st_fail(ST_INPUT, "--shape must be MxNxK, each from 1 to 16384, such as 256x1024x1024");
        shape[i] = (int)v;
    }
    return ST_OK;
}

enum st bench_gemm(struct bench *b)
{
    /* what steps of the nets in assets/nets are made of, squares, awkward sizes, and small ones */
    static const int list[][3] = {{250, 256, 784},  {256, 256, 256},    {256, 1024, 1024}, {1024, 1024, 1024},
                                  {2048, 2048, 2048}, {509, 251, 1021}, {127, 1009, 333},  {128, 10, 256},
                                  {1, 1024, 1024},  {31, 33, 65}};
    enum st s = ST_OK;
    struct peaks peak;
    int shape[3];
    if (b->shape)
        TRY(parse_shape(b->shape, shape));
    TRY(measure_peaks(b->mx, &peak));
    if (!b->json)
        output("peak %.1f GFLOP/s\n%-16s %-3s %-13s %9s %9s %10s %8s\n", peak.flops * 1e-9, "MxNxK", "", "provider",
               "GFLOP/s", "median", "us", "of peak");
    if (b->shape)
        return bench_shape(b, shape[0], shape[1], shape[2], peak.flops);
    for (size_t i = 0; i < COUNT_OF(list); i++)
        TRY(bench_shape(b, list[i][0], list[i][1], list[i][2], peak.flops));
    if (!b->json)
        output("of peak: of the GFLOP/s above, which are measured too: a few percent over 100 are noise\n");
out:
    return s;
}

/* Candidates for products, and measuring one: right first, then timed. */
#include "tuning.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLE_FLOATS = 65521, SAMPLES = 64, WINDOWS = 5, WINDOWS_QUICK = 3, FMA_LOOPS = 20000, FMA_CALLS = 8 };

/* Candidates of a provider beside its default; a library's are slow to compile, on CPUs slower than it is worth. */
enum { DRAWN = 24, DRAWN_LIBRARY = 40, DRAWN_LIBRARY_CPU = 8, DRAWS_MAX = 200000 };

/* ---- what is measured -------------------------------------------------------------------------------------------- */

enum st mx_tuning_add_products(struct mx_tuning *t)
{
    /* from thin to large: evaluation of one sample, small nets, the last layer, common layers, large ones */
    static const int shape[][3] = {{1, 1024, 1024}, {32, 256, 256},    {128, 10, 256},    {128, 256, 784},
                                   {256, 256, 256}, {256, 1024, 1024}, {1024, 1024, 1024}};
    enum st s = ST_OK;
    for (size_t i = 0; i < COUNT_OF(shape); i++)
        for (int form = 0; form < 3; form++)
            TRY(mx_tuning_add_product(t, (struct mx_product){form == 2, form == 1, shape[i][0], shape[i][1],
                                                             shape[i][2]}));
out:
    return s;
}

static void default_params(const struct gemm_provider *g, int *param)
{
    for (int i = 0; i < gemm_param_count(g); i++)
        param[i] = g->params[i].value[0];
}

static bool refused(const struct mx_tuning *t, const struct gemm_provider *g, const int *param)
{
    return g->refuse && g->refuse(&t->facts, param);
}

/* Its default, the sets known to be good, and then random ones from its grid, the same ones every time. */
static enum st add_provider(struct mx_tuning *t, const struct gemm_provider *g)
{
    int param[GEMM_PARAMS_MAX] = {0}, n = gemm_param_count(g), before = t->candidate_count;
    int drawn = !g->set ? DRAWN : t->facts.kind == OCL_CPU ? DRAWN_LIBRARY_CPU : DRAWN_LIBRARY;
    struct rng r;
    default_params(g, param);
    if (tuning_candidate(t, g, param) < 0)
        return st_fail(ST_INTERNAL, "more than %d candidates", CANDIDATES_MAX);
    if (t->quick || n == 0)
        return ST_OK;
    rng_init(&r, 1, 0);
    for (int i = 0; i < g->known_count + DRAWS_MAX && t->candidate_count - before <= drawn; i++) {
        for (int k = 0; k < n; k++)
            param[k] = i < g->known_count ? g->known[i][k]
                                          : g->params[k].value[rng_below(&r, (uint32_t)g->params[k].count)];
        if (!refused(t, g, param) && tuning_candidate(t, g, param) < 0)
            break;
    }
    return ST_OK;
}

/* A quick tune keeps to what is known to work on the kind of device. */
static bool suits(const struct mx_tuning *t, const struct gemm_provider *g)
{
    bool cpu = t->facts.kind == OCL_CPU;
    if (g == &gemm_tile && mx_vector_width(&t->facts) == 1)
        return false;
    return !t->quick || g == &gemm_plain || g == (cpu ? &gemm_tile : &gemm_clblast);
}

enum st mx_tuning_add_candidates(struct mx_tuning *t, const char *provider)
{
    enum st s = ST_OK;
    const struct gemm_provider *first = gemm_default(&t->facts);
    int param[GEMM_PARAMS_MAX] = {0};
    if (provider && !gemm_find(provider))
        TRY(gemm_unknown(provider, strlen(provider)));
    default_params(first, param);
    (void)tuning_candidate(t, first, param);
    if (!provider || gemm_find(provider) == first)
        TRY(add_provider(t, first));
    for (int i = 0; mx_gemm_provider(i); i++) {
        const struct gemm_provider *g = gemm_find(mx_gemm_provider(i));
        if (g != first && (provider ? g == gemm_find(provider) : suits(t, g)))
            TRY(add_provider(t, g));
    }
    t->own_count = t->candidate_count;
out:
    return s;
}

/* ---- one candidate ----------------------------------------------------------------------------------------------- */

struct bench {
    const struct mx_tuning *t;
    struct mx *m;
    struct ocl_queue *queue;
    struct ocl_buf *in, *out, *scratch; /* A and B; C */
    float *host, *result;               /* SAMPLE_FLOATS random values, over and over in `in` and `out`; C */
    size_t in_floats, out_floats, scratch_floats;
    double best_flops;                  /* FLOP/s so far: what others take is guessed from it */
};

static struct gemm_call call_of(const struct bench *b, const struct mx_product *p)
{
    struct gemm_call g = {.trans_a = p->trans_a, .trans_b = p->trans_b, .M = p->M, .N = p->N, .K = p->K};
    g.a = mx_view(b->in, 0, p->trans_a ? p->K : p->M, p->trans_a ? p->M : p->K);
    g.b = mx_view(b->in, mx_size(g.a), p->trans_b ? p->N : p->K, p->trans_b ? p->K : p->N);
    g.c = mx_view(b->out, 0, p->M, p->N);
    return g;
}

static enum st multiply(const struct bench *b, const struct mx_product *p, float alpha, float beta)
{
    struct gemm_call g = call_of(b, p);
    return mx_gemm(b->m, p->trans_a, p->trans_b, alpha, g.a, g.b, beta, g.c);
}

static size_t in_floats(const struct mx_product *p)
{
    return ((size_t)p->M + (size_t)p->N) * (size_t)p->K;
}

static size_t out_floats(const struct mx_product *p)
{
    return (size_t)p->M * (size_t)p->N;
}

/* Products that take more than a quarter of the device are passed over. */
static bool too_large(const struct bench *b, const struct mx_product *p)
{
    size_t bytes = sizeof(float) * (in_floats(p) + out_floats(p));
    return !ocl_fits(&b->t->facts, 4 * bytes, bytes);
}

static enum st fill(struct bench *b, struct ocl_buf *buf, size_t floats)
{
    enum st s = ST_OK;
    for (size_t at = 0; at < floats; at += SAMPLE_FLOATS) {
        size_t n = floats - at < SAMPLE_FLOATS ? floats - at : SAMPLE_FLOATS;
        TRY(ocl_write(b->queue, buf, at * sizeof(float), n * sizeof(float), b->host));
    }
    TRY(ocl_wait(b->queue));
out:
    return s;
}

static double in_at(const struct bench *b, size_t i)
{
    return (double)b->host[i % SAMPLE_FLOATS];
}

/* Element (i, j) against its sum in double precision. Whatever the order of the sum: |error| <= (K + 3) 2^-24 (|alpha|
 * sum |a| |b| + |beta c|) (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). */
static bool element_right(const struct bench *b, const struct mx_product *p, double alpha, double beta, size_t i,
                          size_t j)
{
    size_t M = (size_t)p->M, N = (size_t)p->N, K = (size_t)p->K;
    double before = in_at(b, i * N + j), sum = beta * before, size = fabs(sum);
    for (size_t k = 0; k < K; k++) {
        double a = in_at(b, p->trans_a ? k * M + i : i * K + k);
        double v = alpha * a * in_at(b, M * K + (p->trans_b ? j * K + k : k * N + j));
        sum += v;
        size += fabs(v);
    }
    return fabs((double)b->result[i * N + j] - sum) <= ((double)K + 3) * 0x1p-24 * size;
}

/* All elements of a small product, a sample and the corners of a large one. */
static enum st verify(struct bench *b, const struct mx_product *p, bool *right)
{
    enum st s = ST_OK;
    struct rng r;
    size_t n = out_floats(p), N = (size_t)p->N;
    bool all = n <= 4096;
    *right = true;
    rng_init(&r, 2, 0);
    TRY(fill(b, b->out, n));
    TRY(multiply(b, p, 0.75f, 0.5f));
    TRY(ocl_read(b->queue, b->out, 0, n * sizeof(float), b->result));
    for (size_t k = 0; k < (all ? n : SAMPLES) && *right; k++) {
        size_t at = all ? k : k == 0 ? 0 : k == 1 ? n - 1 : rng_below(&r, (uint32_t)n);
        *right = element_right(b, p, 0.75, 0.5, at / N, at % N);
    }
out:
    return s;
}

static enum st time_calls(struct bench *b, const struct mx_product *p, int calls, double *seconds)
{
    enum st s = ST_OK;
    uint64_t start = clock_ns();
    for (int i = 0; i < calls; i++)
        TRY(multiply(b, p, 1, 0));
    TRY(ocl_wait(b->queue));
    *seconds = (double)(clock_ns() - start) * 1e-9;
out:
    return s;
}

/* The best of several windows in which calls are enqueued back to back. */
static enum st time_product(struct bench *b, const struct mx_product *p, double *seconds)
{
    enum st s = ST_OK;
    double window = b->t->quick ? 0.008 : 0.02;
    TRY(time_calls(b, p, 1, seconds));
    int calls = *seconds > 0 && window / *seconds < 10000 ? (int)(window / *seconds) + 1 : 10000;
    for (int i = 0; i < (b->t->quick ? WINDOWS_QUICK : WINDOWS); i++) {
        double mine;
        TRY(time_calls(b, p, calls, &mine));
        *seconds = fmin(*seconds, mine / calls);
    }
out:
    return s;
}

/* GFLOP/s of one product; 0 where it would take too long, -1 where the result is wrong. */
static enum st bench_product(struct bench *b, const struct mx_product *p, double *gflops)
{
    enum st s = ST_OK;
    double flops = 2.0 * p->M * p->N * p->K, seconds, most = b->t->quick ? 0.1 : 0.5;
    bool right;
    *gflops = 0;
    if (too_large(b, p) || (b->best_flops > 0 && flops / b->best_flops > most))
        return ST_OK;
    TRY(verify(b, p, &right));
    *gflops = -1;
    if (!right)
        return ST_OK;
    TRY(time_product(b, p, &seconds));
    *gflops = flops / seconds * 1e-9;
    b->best_flops = fmax(b->best_flops, flops / seconds);
out:
    return s;
}

static struct mx_product awkward(int form)
{
    return (struct mx_product){form & 1, form >> 1, 37, 53, 61};
}

static enum st make_room(struct bench *b, struct mx_product p)
{
    size_t scratch = 0;
    if (too_large(b, &p))
        return ST_OK;
    b->in_floats = in_floats(&p) > b->in_floats ? in_floats(&p) : b->in_floats;
    b->out_floats = out_floats(&p) > b->out_floats ? out_floats(&p) : b->out_floats;
    enum st s = mx_gemm_scratch(b->m, p.trans_a, p.trans_b, p.M, p.N, p.K, &scratch);
    b->scratch_floats = scratch > b->scratch_floats ? scratch : b->scratch_floats;
    return s;
}

static enum st open_buffers(struct bench *b)
{
    enum st s = ST_OK;
    struct rng r;
    struct ocl_device *d = ocl_queue_device(b->queue);
    for (int form = 0; form < 4; form++)
        TRY(make_room(b, awkward(form)));
    for (int p = 0; p < b->t->product_count; p++)
        TRY(make_room(b, b->t->product[p]));
    TRY(NEW(b->host, SAMPLE_FLOATS));
    TRY(NEW(b->result, b->out_floats));
    rng_init(&r, 1, 0);
    for (int i = 0; i < SAMPLE_FLOATS; i++)
        b->host[i] = (float)(2 * rng_unit(&r) - 1);
    TRY(ocl_buf_create(d, b->in_floats * sizeof(float), &b->in));
    TRY(ocl_buf_create(d, b->out_floats * sizeof(float), &b->out));
    TRY(ocl_buf_create(d, b->scratch_floats * sizeof(float), &b->scratch));
    mx_give_scratch(b->m, b->scratch);
    TRY(fill(b, b->in, b->in_floats));
out:
    return s;
}

static void close_bench(struct bench *b)
{
    (void)!ocl_wait(b->queue);
    mx_close(b->m);
    ocl_buf_free(b->in);
    ocl_buf_free(b->out);
    ocl_buf_free(b->scratch);
    mem_free(b->host);
    mem_free(b->result);
}

/* Small awkward products in all forms, which no other measured product may stand for. */
static enum st verify_awkward(struct bench *b, bool *right)
{
    enum st s = ST_OK;
    *right = true;
    for (int form = 0; form < 4 && *right; form++) {
        struct mx_product p = awkward(form);
        TRY(verify(b, &p, right));
    }
out:
    return s;
}

static enum st open_candidate(struct bench *b, const struct candidate *c)
{
    enum st s = ST_OK;
    TRY(mx_open(b->queue, c->provider->name, &b->m));
    b->m->how_count = 0;
    b->m->gemm_name[0] = '\0';
    TRY(gemm_use(b->m, c->provider, c->param));
    TRY(mx_prepare(b->m, MX_GEMM, MX_IDENTITY));
    TRY(open_buffers(b));
out:
    return s;
}

/* ST_DEVICE with the reason where a result is wrong. */
static enum st bench_all(struct bench *b, struct mx_tuning *t, int c, uint64_t deadline_ns,
                         void (*told)(void *user, int product, double gflops), void *user)
{
    enum st s = ST_OK;
    bool right;
    TRY(open_candidate(b, &t->candidate[c]));
    TRY(verify_awkward(b, &right));
    if (!right)
        TRY(st_fail(ST_DEVICE, "wrong results at 37x53x61"));
    for (int p = 0; p < t->product_count && clock_ns() < deadline_ns; p++) {
        const struct mx_product *q = &t->product[p];
        double gflops;
        if (!isnan(t->candidate[c].gflops[p]))
            continue;
        TRY(bench_product(b, q, &gflops));
        if (gflops < 0)
            TRY(st_fail(ST_DEVICE, "wrong results at %dx%dx%d %s", q->M, q->N, q->K, mx_form_name(q)));
        mx_tuning_record(t, c, p, gflops);
        if (told)
            told(user, p, gflops);
    }
out:
    return s;
}

enum st mx_tuning_measure(struct mx_tuning *t, int c, struct ocl_queue *q, uint64_t deadline_ns,
                          void (*told)(void *user, int product, double gflops), void *user)
{
    struct bench b = {.t = t, .queue = q};
    enum st s = bench_all(&b, t, c, deadline_ns, told, user);
    if (s == ST_DEVICE || s == ST_INPUT) {
        mx_tuning_refuse(t, c, st_message());
        s = ST_OK;
    }
    close_bench(&b);
    return s;
}

/* ---- the device -------------------------------------------------------------------------------------------------- */

enum st mx_tuning_measure_peak(struct mx_tuning *t, struct ocl_queue *q)
{
    enum st s = ST_OK;
    struct mx *m = NULL;
    struct ocl_buf *buf = NULL;
    const struct ocl_facts *f = &t->facts;
    int n = (int)(f->compute_units * (f->kind == OCL_CPU ? 4 : 2048));
    double best = 0;
    TRY(mx_open(q, "plain", &m));
    TRY(ocl_buf_create(ocl_queue_device(q), (size_t)n * sizeof(float), &buf));
    for (int window = 0; window <= 2 * WINDOWS; window++) { /* the first compiles */
        struct mx_tensor sums = mx_view(buf, 0, 1, n);
        uint64_t start = clock_ns();
        for (int i = 0; i < FMA_CALLS; i++)
            TRY(mx_fma_chains(m, FMA_LOOPS, 0.5f, 0.25f, sums));
        TRY(ocl_wait(q));
        double seconds = (double)(clock_ns() - start) * 1e-9;
        if (window && seconds > 0)
            best = fmax(best, FMA_CALLS * mx_fma_flops(m, FMA_LOOPS, sums) / seconds * 1e-9);
    }
    t->peak = best;
out:
    (void)!ocl_wait(q);
    ocl_buf_free(buf);
    mx_close(m);
    return s;
}

enum st mx_tuning_run_quick(struct mx_tuning *t, struct ocl_queue *q, double seconds)
{
    enum st s = ST_OK;
    uint64_t start = clock_ns();
    TRY(mx_tuning_add_products(t));
    TRY(mx_tuning_add_candidates(t, NULL));
    TRY(mx_tuning_measure_peak(t, q));
    for (int c = 0; c < t->own_count; c++) /* kernels that are not in the cache yet take longer than all else here */
        TRY(mx_tuning_measure(t, c, q, 0, NULL, NULL));
    start = clock_ns();
    for (int c = 0; c < t->own_count; c++) {
        double share = seconds * (c + 1) / t->own_count;
        TRY(mx_tuning_measure(t, c, q, start + (uint64_t)(share * 1e9), NULL, NULL));
    }
    mx_tuning_choose(t);
out:
    return s;
}

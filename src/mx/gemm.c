/* The table of GEMM providers, and the call that checks shapes and passes on. */
#include "inside.h"

#include <string.h>

static const struct gemm_provider *const providers[] = {&gemm_plain, &gemm_clblast, &gemm_tile};

const char *mx_gemm_provider(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(providers) ? providers[i]->name : NULL;
}

const char *mx_gemm_name(const struct mx *m)
{
    return m->how[0].provider->name;
}

static void use(struct mx *m, const struct gemm_provider *provider)
{
    struct gemm_how *how = &m->how[m->how_count++];
    *how = (struct gemm_how){.provider = provider};
    for (int i = 0; provider->params && provider->params[i].name; i++)
        how->param[i] = provider->params[i].value[0];
}

enum st mx_choose_gemm(struct mx *m, const char *provider)
{
    if (!provider) {
        bool cpu = ocl_device_facts(ocl_queue_device(m->queue))->kind == OCL_CPU;
        use(m, !cpu ? &gemm_clblast : m->vec > 1 ? &gemm_tile : &gemm_plain);
        return ST_OK;
    }
    for (size_t i = 0; i < COUNT_OF(providers); i++)
        if (strcmp(providers[i]->name, provider) == 0) {
            use(m, providers[i]);
            return ST_OK;
        }
    return st_fail(ST_INPUT, "unknown GEMM provider '%s': plain, clblast and tile are known", provider);
}

enum st mx_gemm_prepare(struct mx *m)
{
    enum st s = ST_OK;
    for (int i = 0; i < m->how_count; i++)
        if (m->how[i].provider->prepare)
            TRY(m->how[i].provider->prepare(m, &m->how[i]));
out:
    return s;
}

/* What a product is computed with. */
static struct gemm_how *how_of(struct mx *m, const struct gemm_call *g)
{
    (void)g;
    return &m->how[0];
}

enum st mx_gemm_scratch(struct mx *m, bool trans_a, bool trans_b, int M, int N, int K, size_t *floats)
{
    *floats = 0;
    struct gemm_call g = {.trans_a = trans_a, .trans_b = trans_b, .M = M, .N = N, .K = K};
    g.a.ld = trans_a ? M : K;
    g.b.ld = trans_b ? K : N;
    g.c.ld = N;
    struct gemm_how *how = how_of(m, &g);
    return how->provider->scratch ? how->provider->scratch(m, how, &g, floats) : ST_OK;
}

enum st mx_gemm(struct mx *m, bool trans_a, bool trans_b, float alpha, struct mx_tensor a, struct mx_tensor b,
                float beta, struct mx_tensor c)
{
    struct gemm_call g = {.trans_a = trans_a, .trans_b = trans_b, .M = c.rows, .N = c.cols,
                          .K = trans_a ? a.rows : a.cols, .alpha = alpha, .beta = beta, .a = a, .b = b, .c = c};
    if ((trans_a ? a.cols : a.rows) != g.M || (trans_b ? b.cols : b.rows) != g.K || (trans_b ? b.rows : b.cols) != g.N)
        return st_fail(ST_INTERNAL, "product of shapes (%d, %d)%s and (%d, %d)%s into (%d, %d)", a.rows, a.cols,
                       trans_a ? "^T" : "", b.rows, b.cols, trans_b ? "^T" : "", c.rows, c.cols);
    ocl_trace_work(m->queue, 2.0 * g.M * g.N * g.K,
                   4.0 * ((double)mx_size(a) + (double)mx_size(b) + (double)mx_size(c)));
    struct gemm_how *how = how_of(m, &g);
    return how->provider->run(m, how, &g);
}

/* GEMM provider `plain`: cl/gemm.cl, right on every device. */
#include "inside.h"

static enum st prepare(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    (void)how;
    (void)g;
    enum st s = ST_OK;
    struct ocl_kernel *k;
    TRY(mx_kernel(m, K_GEMM_ROWS, MX_IDENTITY, &k));
    TRY(mx_kernel(m, K_GEMM_DOTS, MX_IDENTITY, &k));
    TRY(mx_kernel(m, K_GEMM_EACH, MX_IDENTITY, &k));
out:
    return s;
}

static size_t tiles(int n, int tile)
{
    return (size_t)((n + tile - 1) / tile);
}

static enum st run(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    (void)how;
    struct ocl_kernel *k;
    bool rows = !g->trans_b, dots = g->trans_b && !g->trans_a;
    enum kernel which = rows ? K_GEMM_ROWS : dots ? K_GEMM_DOTS : K_GEMM_EACH;
    enum st s = mx_kernel(m, which, MX_IDENTITY, &k);
    if (s != ST_OK)
        return s;
    /* on a CPU a work-item is a whole tile and a group of one keeps its sums in registers */
    bool cpu = ocl_device_facts(ocl_queue_device(m->queue))->kind == OCL_CPU;
    size_t group[2] = {cpu ? 1 : 8, cpu ? 1 : 8};
    if (rows) {
        size_t items[2] = {tiles(g->N, m->vec), tiles(g->M, m->gemm_rows)};
        return ocl_run(k, items, group,
                       OCL_ARGS(ocl_u((size_t)g->M), ocl_u((size_t)g->N), ocl_u((size_t)g->K), ocl_f(g->alpha),
                                MX_ARG(g->a), ocl_u(g->trans_a ? 1 : (size_t)g->a.ld),
                                ocl_u(g->trans_a ? (size_t)g->a.ld : 1), MX_ARG(g->b), ocl_u((size_t)g->b.ld),
                                ocl_f(g->beta), MX_ARG(g->c), ocl_u((size_t)g->c.ld)));
    }
    int tile = dots ? m->gemm_cols : 1;
    size_t items[2] = {tiles(g->N, tile), tiles(g->M, tile)};
    return ocl_run(k, items, group,
                   OCL_ARGS(ocl_u((size_t)g->M), ocl_u((size_t)g->N), ocl_u((size_t)g->K), ocl_f(g->alpha),
                            MX_ARG(g->a), ocl_u((size_t)g->a.ld), MX_ARG(g->b), ocl_u((size_t)g->b.ld),
                            ocl_f(g->beta), MX_ARG(g->c), ocl_u((size_t)g->c.ld)));
}

const struct gemm_provider gemm_plain = {.name = "plain", .prepare = prepare, .scratch = NULL, .run = run};

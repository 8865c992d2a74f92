/* GEMM provider `plain`: cl/gemm.cl, right on every device. */
#include "inside.h"

#include <stdio.h>

enum { ROWS, COLS, GROUP };            /* parameters; 0: by device */
enum { KERNEL_ROWS, KERNEL_DOTS, KERNEL_EACH };

static const struct gemm_param params[] = {
    {"rows", 5, {0, 2, 4, 8, 16}}, {"cols", 4, {0, 1, 2, 4}}, {"group", 5, {0, 1, 4, 8, 16}}, {0}};

/* Enough independent sums to hide the latency of a multiply-add, few enough to stay in registers. */
static int rows_of(const struct mx *m, const struct gemm_how *how)
{
    return how->param[ROWS] ? how->param[ROWS] : m->vec >= 8 ? 8 : 4;
}

static int cols_of(const struct mx *m, const struct gemm_how *how)
{
    return how->param[COLS] ? how->param[COLS] : m->vec >= 8 ? 4 : 2;
}

/* On a CPU a work-item is a whole tile and a group of one keeps its sums in registers. */
static size_t group_of(const struct mx *m, const struct gemm_how *how)
{
    bool cpu = mx_on_cpu(m);
    return how->param[GROUP] ? (size_t)how->param[GROUP] : cpu ? 1 : 8;
}

static enum st get_kernel(struct mx *m, struct gemm_how *how, int which, struct ocl_kernel **out)
{
    static const char *const name[] = {"gemm_rows", "gemm_dots", "gemm_each"};
    char options[128];
    enum st s = ST_OK;
    if (!how->kernel[which]) {
        snprintf(options, sizeof options, "-DVEC=%d -DROWS=%d -DCOLS=%d", m->vec, rows_of(m, how), cols_of(m, how));
        s = ocl_kernel_get(m->queue, "gemm", name[which], options, &how->kernel[which]);
        if (s == ST_OK)
            ocl_kernel_chains(how->kernel[which]);
    }
    *out = how->kernel[which];
    return s;
}

static enum st prepare(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    (void)g;
    enum st s = ST_OK;
    struct ocl_kernel *unused;
    for (int which = KERNEL_ROWS; which <= KERNEL_EACH; which++)
        TRY(get_kernel(m, how, which, &unused));
out:
    return s;
}

static size_t tiles(int n, int tile)
{
    return (size_t)((n + tile - 1) / tile);
}

static enum st run(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    struct ocl_kernel *k;
    bool rows = !g->trans_b, dots = g->trans_b && !g->trans_a;
    enum st s = get_kernel(m, how, rows ? KERNEL_ROWS : dots ? KERNEL_DOTS : KERNEL_EACH, &k);
    if (s != ST_OK)
        return s;
    size_t group[2] = {group_of(m, how), group_of(m, how)};
    if (rows) {
        size_t items[2] = {tiles(g->N, m->vec), tiles(g->M, rows_of(m, how))};
        return ocl_run(k, items, group,
                       OCL_ARGS(ocl_u((size_t)g->M), ocl_u((size_t)g->N), ocl_u((size_t)g->K), ocl_f(g->alpha),
                                MX_ARG(g->a), ocl_u(g->trans_a ? 1 : (size_t)g->a.ld),
                                ocl_u(g->trans_a ? (size_t)g->a.ld : 1), MX_ARG(g->b), ocl_u((size_t)g->b.ld),
                                ocl_f(g->beta), MX_ARG(g->c), ocl_u((size_t)g->c.ld)));
    }
    int tile = dots ? cols_of(m, how) : 1;
    size_t items[2] = {tiles(g->N, tile), tiles(g->M, tile)};
    return ocl_run(k, items, group,
                   OCL_ARGS(ocl_u((size_t)g->M), ocl_u((size_t)g->N), ocl_u((size_t)g->K), ocl_f(g->alpha),
                            MX_ARG(g->a), ocl_u((size_t)g->a.ld), MX_ARG(g->b), ocl_u((size_t)g->b.ld),
                            ocl_f(g->beta), MX_ARG(g->c), ocl_u((size_t)g->c.ld)));
}

const struct gemm_provider gemm_plain = {.name = "plain", .params = params, .prepare = prepare, .run = run};

/* GEMM provider `tile`: register tiles over packed panels, for CPU devices: cl/tile.cl. */
#include "inside.h"

#include <math.h>
#include <stdio.h>

enum { KC, PANELS, ITEMS };
static const struct gemm_param params[] = {
    [KC] = {"kc", 4, {400, 192, 272, 528}}, /* depth of a panel */
    [PANELS] = {"panels", 3, {16, 4, 8}},   /* of B that a work-item keeps */
    [ITEMS] = {"items", 4, {4, 1, 2, 8}},   /* work-items a compute unit */
    {NULL, 0, {0}},
};

/* Rows of a register tile: as many sums as the registers of a CPU with vectors of that width hold beside two of B. */
static int tile_rows(const struct mx *m)
{
    return m->vec == 16 ? 12 : 6; /* 32 registers with AVX-512, 16 with AVX and SSE; NEON has 32 */
}

static int tile_cols(const struct mx *m)
{
    return 2 * m->vec;
}

static size_t item_floats(const struct mx *m, const struct gemm_how *how) /* ITEM_FLOATS of cl/tile.cl */
{
    int kc = how->param[KC];
    return (size_t)kc * (size_t)(tile_cols(m) * how->param[PANELS]) + (size_t)(tile_rows(m) * (kc + 16));
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Rows a multiple of 2 KiB apart fall on the same few cache lines: of A a tile runs along twelve of them at once, of a
 * transposed A down hundreds, panel after panel. */
static bool copies_a(const struct gemm_call *g)
{
    return g->a.ld % 512 == 0;
}

static int units_of(const struct mx *m)
{
    return (int)ocl_device_facts(ocl_queue_device(m->queue))->compute_units;
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

static double flops_of(const struct gemm_call *g)
{
    return 2.0 * g->M * g->N * g->K;
}

static bool is_large(const struct gemm_call *g)
{
    return flops_of(g) > 2e8;
}

/* How C is dealt to work-items: m x n blocks. By columns first, since a work-item packs what it needs of B itself. */
struct dealing {
    int m, n;
};

/* A second thread starts some ten microseconds late, so what takes not much longer is one work-item, and the rest is
 * dealt in more pieces than there are threads, so that the first ones take more of them. */
static struct dealing deal_alone(const struct mx *m, const struct gemm_how *how, const struct gemm_call *g, int tiles,
                                 int panels)
{
    double floats = (double)g->K * g->N + (double)g->M * g->K;
    int most = flops_of(g) < 1e6 && floats < 1e5 ? 1 : how->param[ITEMS] * units_of(m);
    if (is_large(g))
        most = (most + 1) / 2; /* the more B a work-item has, the longer it uses a copied tile of A */
    int each = copies_a(g) ? 3 : 1; /* panels that a copied tile should serve at least */
    int n = most;
    while (n > 1 && n * each > panels) /* by halves: the pieces stay equal, and even in number */
        n /= 2;
    return (struct dealing){smaller(ceil_div(tiles, 4), most / n), n};
}

static int chained_most(const struct mx *m, const struct gemm_how *how)
{
    return how->param[ITEMS] * units_of(m) * 3 / 2;
}

/* In a chain all threads are there from the start. Dealt out evenly, the pieces shall end soonest, and one piece more
 * for what comes between; a panel that is packed costs about one tile more. */
static struct dealing deal_in_chain(const struct mx *m, const struct gemm_how *how, const struct gemm_call *g,
                                    int tiles, int panels)
{
    int units = units_of(m), each = copies_a(g) ? 3 : 1;
    int most = smaller(chained_most(m, how), 1 + (int)(flops_of(g) / 1e5)); /* a piece takes a microsecond at least */
    struct dealing best = {1, 1};
    double least = HUGE_VAL;
    for (int items = 1; items <= ceil_div(tiles, 4) && items <= most; items *= 2)
        for (int n = 1; n * each <= panels && items * n <= most; n++) {
            double turns = ceil_div(items * n, units) + 1;
            double cost = turns * ceil_div(panels, n) * (ceil_div(tiles, items) + 1);
            if (cost < 0.99 * least) {
                least = cost;
                best = (struct dealing){items, n};
            }
        }
    return best;
}

static struct dealing deal(const struct mx *m, const struct gemm_how *how, const struct gemm_call *g)
{
    int panels = ceil_div(g->N, tile_cols(m)), tiles = ceil_div(g->M, tile_rows(m));
    return ocl_chain_open(m->queue) && !is_large(g) ? deal_in_chain(m, how, g, tiles, panels)
                                                    : deal_alone(m, how, g, tiles, panels);
}

static enum st get_kernel(struct mx *m, struct gemm_how *how, const struct gemm_call *g, struct ocl_kernel **out)
{
    int act = g->epilogue == GEMM_BIAS_ACT || g->epilogue == GEMM_ACT_BACKWARD ? (int)g->phi.kind : 0;
    struct ocl_kernel **k = &how->kernel[((int)g->epilogue * MX_ACTS + act) * 4 + 2 * g->trans_a + g->trans_b];
    /* A tile without vectors gains nothing, and its work-items turn so many loops that Mesa's llvmpipe, which has none,
     * quietly ends them: it stops a work-item after 65535 turns in all. */
    if (m->vec == 1)
        return st_fail(ST_DEVICE, "products by tile need vectors, which device %s does not have: plain is for it",
                       ocl_device_label(ocl_queue_device(m->queue)));
    if (!*k) {
        char options[160];
        snprintf(options, sizeof options,
                 "-DVEC=%d -DROWS=%d -DKC=%d -DPANELS=%d -DTRANS_A=%d -DTRANS_B=%d -DEPILOGUE=%d -DACT=%d", m->vec,
                 tile_rows(m), how->param[KC], how->param[PANELS], g->trans_a, g->trans_b, (int)g->epilogue, act);
        enum st s = ocl_kernel_get(m->queue, "tile", "gemm_tile", options, k);
        if (s != ST_OK)
            return s;
        ocl_kernel_chains(*k);
    }
    *out = *k;
    return ST_OK;
}

static enum st prepare(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    struct ocl_kernel *unused;
    return get_kernel(m, how, g, &unused);
}

static enum st scratch(struct mx *m, const struct gemm_how *how, const struct gemm_call *g, size_t *floats)
{
    /* not what deal() says: a product with fewer rows may be dealt in more pieces */
    size_t most = (size_t)chained_most(m, how), panels = (size_t)ceil_div(g->N, tile_cols(m));
    size_t pieces = panels * (size_t)ceil_div(ceil_div(g->M, tile_rows(m)), 4);
    *floats = (pieces < most ? pieces : most) * item_floats(m, how);
    return ST_OK;
}

struct product { /* of cl/tile.cl */
    uint32_t M, N, K, items_m, items_n, copy_a, ao, lda, bo, ldb, co, ldc, eo, lde;
    float alpha, beta, slope;
};

static enum st run(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    struct ocl_kernel *k;
    enum st s = get_kernel(m, how, g, &k);
    if (s != ST_OK)
        return s;
    struct dealing items = deal(m, how, g);
    const struct product p = {(uint32_t)g->M, (uint32_t)g->N, (uint32_t)g->K, (uint32_t)items.m, (uint32_t)items.n,
                              copies_a(g), (uint32_t)g->a.off, (uint32_t)g->a.ld, (uint32_t)g->b.off,
                              (uint32_t)g->b.ld, (uint32_t)g->c.off, (uint32_t)g->c.ld, (uint32_t)g->extra.off,
                              (uint32_t)g->extra.ld, g->alpha, g->beta, g->phi.slope};
    return ocl_run(k, (size_t[2]){(size_t)(items.m * items.n), 1}, (size_t[2]){1, 1},
                   OCL_ARGS(ocl_s(&p, sizeof p), ocl_b(g->a.buf), ocl_b(g->b.buf), ocl_b(g->c.buf), ocl_b(m->scratch),
                            ocl_b(g->extra.buf)));
}

const struct gemm_provider gemm_tile = {.name = "tile", .epilogues = true, .params = params, .prepare = prepare,
                                        .scratch = scratch, .run = run};

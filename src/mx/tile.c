/* GEMM provider `tile`: register tiles over packed panels, for CPU devices: cl/tile.cl. */
#include "inside.h"

#include <stdio.h>

enum { KC = 512, PANELS = 4, A_PAD = 16, ITEMS_A_UNIT = 2 };

/* Rows of a register tile: as many sums as the registers of a CPU with vectors of that width hold beside two of B. */
static int tile_rows(const struct mx *m)
{
    return m->vec == 16 ? 12 : 6; /* 32 registers with AVX-512, 16 with AVX and SSE; NEON has 32 */
}

static int tile_cols(const struct mx *m)
{
    return 2 * m->vec;
}

static size_t item_floats(const struct mx *m)
{
    return (size_t)KC * (size_t)(tile_cols(m) * PANELS + A_PAD);
}

/* More work-items than cores, so that one core's bad luck does not hold up all; few enough for their panels to stay
 * cached. */
static int items_most(const struct mx *m)
{
    return ITEMS_A_UNIT * (int)ocl_device_facts(ocl_queue_device(m->queue))->compute_units;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* How C is dealt to work-items: by columns first, since a work-item packs what it needs of B itself. */
static void deal(const struct mx *m, const struct gemm_call *g, int *items_m, int *items_n)
{
    int panels = (g->N + tile_cols(m) - 1) / tile_cols(m), tiles = (g->M + tile_rows(m) - 1) / tile_rows(m);
    *items_n = smaller(panels, items_most(m));
    *items_m = smaller(tiles, items_most(m) / *items_n);
}

static enum st get_kernel(struct mx *m, struct gemm_how *how, bool trans_a, bool trans_b, struct ocl_kernel **out)
{
    struct ocl_kernel **k = &how->kernel[2 * trans_a + trans_b];
    char options[128];
    /* A tile without vectors gains nothing, and its work-items turn so many loops that Mesa's llvmpipe, which has none,
     * quietly ends them: it stops a work-item after 65535 turns in all. */
    if (m->vec == 1)
        return st_fail(ST_DEVICE, "products by tile need vectors, which device %s does not have: plain is for it",
                       ocl_device_label(ocl_queue_device(m->queue)));
    if (!*k) {
        snprintf(options, sizeof options, "-DVEC=%d -DROWS=%d -DKC=%d -DPANELS=%d -DTRANS_A=%d -DTRANS_B=%d", m->vec,
                 tile_rows(m), KC, PANELS, trans_a, trans_b);
        enum st s = ocl_kernel_get(m->queue, "tile", "gemm_tile", options, k);
        if (s != ST_OK)
            return s;
    }
    *out = *k;
    return ST_OK;
}

static enum st prepare(struct mx *m, struct gemm_how *how)
{
    enum st s = ST_OK;
    struct ocl_kernel *unused;
    for (int form = 0; form < 4; form++)
        TRY(get_kernel(m, how, form & 1, form >> 1, &unused));
out:
    return s;
}

static enum st scratch(struct mx *m, const struct gemm_how *how, const struct gemm_call *g, size_t *floats)
{
    (void)how;
    int items_m, items_n;
    deal(m, g, &items_m, &items_n);
    *floats = (size_t)items_m * (size_t)items_n * item_floats(m);
    return ST_OK;
}

static enum st run(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    struct ocl_kernel *k;
    int items_m, items_n;
    enum st s = get_kernel(m, how, g->trans_a, g->trans_b, &k);
    if (s != ST_OK)
        return s;
    deal(m, g, &items_m, &items_n);
    return ocl_run(k, (size_t[2]){(size_t)(items_m * items_n), 1}, (size_t[2]){1, 1},
                   OCL_ARGS(ocl_u((size_t)g->M), ocl_u((size_t)g->N), ocl_u((size_t)g->K), ocl_u((size_t)items_m),
                            ocl_u((size_t)items_n), ocl_f(g->alpha), MX_ARG(g->a), ocl_u((size_t)g->a.ld), MX_ARG(g->b),
                            ocl_u((size_t)g->b.ld), ocl_f(g->beta), MX_ARG(g->c), ocl_u((size_t)g->c.ld),
                            ocl_b(m->scratch)));
}

const struct gemm_provider gemm_tile = {.name = "tile", .prepare = prepare, .scratch = scratch, .run = run};

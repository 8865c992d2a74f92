/* Batches from the bytes of a data set. */
#include "inside.h"

/* Strips of a channel that a work-item of a CPU takes: enough to be worth its start, few enough to share large pictures
 * among cores. */
enum { CPU_STRIPS = 64 };

enum st mx_gather(struct mx *m, const struct mx_gather *g, struct mx_tensor x, struct ocl_buf *out_labels)
{
    struct ocl_kernel *k;
    size_t scales = 2 * (size_t)g->channels * sizeof(float);
    if (ocl_buf_bytes(g->scale) < scales || ocl_buf_bytes(out_labels) < (size_t)x.rows * sizeof(uint32_t))
        return st_fail(ST_INTERNAL, "gathering %d rows of %d channels: %zu bytes of scales, %zu of labels", x.rows,
                       g->channels, ocl_buf_bytes(g->scale), ocl_buf_bytes(out_labels));
    enum st s = mx_kernel(m, K_GATHER, MX_IDENTITY, &k);
    if (s != ST_OK)
        return s;
    bool cpu = mx_on_cpu(m);
    size_t at_once = (size_t)m->vec * (cpu ? CPU_STRIPS : 1), lanes = ((size_t)g->hw + at_once - 1) / at_once;
    size_t items[2] = {lanes, (size_t)x.rows * (size_t)g->channels};
    ocl_trace_work(m->queue, 0, 5.0 * (double)mx_size(x)); /* a byte in, a float out */
    return ocl_run(k, items, (size_t[2]){cpu ? 1 : m->group, 1},
                   OCL_ARGS(ocl_u((size_t)x.rows), ocl_u((size_t)g->channels), ocl_u((size_t)g->hw), ocl_u(lanes),
                            ocl_u(g->first), ocl_b(g->pixels), ocl_b(g->labels), ocl_b(g->order), ocl_b(g->scale),
                            MX_ARG(x), ocl_b(out_labels)));
}

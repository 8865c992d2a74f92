/* Batches from the bytes of a data set. */
#include "inside.h"

enum { STRIP = 16 }; /* as in cl/gather.cl */

enum st mx_gather(struct mx *m, const struct mx_gather *g, struct mx_tensor x, struct ocl_buf *out_labels)
{
    struct ocl_kernel *k;
    enum st s = mx_kernel(m, K_GATHER, MX_IDENTITY, &k);
    if (s != ST_OK)
        return s;
    size_t items[2] = {((size_t)x.cols + STRIP - 1) / STRIP, (size_t)x.rows};
    ocl_trace_work(m->queue, 0, 5.0 * (double)mx_size(x)); /* a byte in, a float out */
    return ocl_run(k, items, (size_t[2]){m->group, 1},
                   OCL_ARGS(ocl_u((size_t)x.rows), ocl_u((size_t)g->channels), ocl_u((size_t)g->hw), ocl_u(g->first),
                            ocl_b(g->pixels), ocl_b(g->labels), ocl_b(g->order), ocl_b(g->scale), MX_ARG(x),
                            ocl_b(out_labels)));
}

/* Inverted dropout with counter-based random numbers: no mask is stored. */
#include "inside.h"

enum st mx_dropout(struct mx *m, const struct mx_dropout *d, struct mx_tensor x, struct mx_tensor y)
{
    struct ocl_kernel *k;
    enum st s = mx_kernel(m, K_DROPOUT, MX_IDENTITY, &k);
    if (s != ST_OK)
        return s;
    double p = d->p;
    size_t n = mx_size(x), items[2] = {(n + 3) / 4, 1}; /* a Philox block gives four numbers */
    mx_moves(m, 2 * n);
    return ocl_run(k, items, (size_t[2]){m->group, 1},
                   OCL_ARGS(ocl_u(n), ocl_u(d->key[0]), ocl_u(d->key[1]), ocl_u(d->step), ocl_u(d->layer),
                            ocl_u((size_t)(p * 4294967296.0)), ocl_f(1.0 / (1.0 - p)), MX_ARG(x), MX_ARG(y)));
}

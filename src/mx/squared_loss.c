/* Squared distance to a target: a work-item a row. */
#include "inside.h"

enum st mx_squared_loss(struct mx *m, struct mx_tensor y, struct mx_tensor target, struct mx_tensor delta,
                        struct mx_tensor per_row)
{
    mx_moves(m, 3 * mx_size(y));
    return mx_run_rows(m, K_SQUARED_LOSS, (size_t)y.rows,
                       OCL_ARGS(ocl_u((size_t)y.rows), ocl_u((size_t)y.cols), MX_ARG(y), MX_ARG(target), MX_ARG(delta),
                                MX_ARG(per_row)));
}

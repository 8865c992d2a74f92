/* Softmax, its backward pass, and softmax with cross-entropy: a work-item a row. */
#include "inside.h"

enum st mx_softmax_loss(struct mx *m, struct mx_tensor z, struct ocl_buf *labels, struct mx_tensor delta,
                        struct mx_tensor per_row)
{
    mx_moves(m, 2 * mx_size(z));
    return mx_run_rows(m, K_SOFTMAX_LOSS, (size_t)z.rows,
                       OCL_ARGS(ocl_u((size_t)z.rows), ocl_u((size_t)z.cols), MX_ARG(z), ocl_b(labels), MX_ARG(delta),
                                MX_ARG(per_row)));
}

enum st mx_softmax(struct mx *m, struct mx_tensor z, struct mx_tensor p)
{
    mx_moves(m, 2 * mx_size(z));
    return mx_run_rows(m, K_SOFTMAX, (size_t)z.rows,
                       OCL_ARGS(ocl_u((size_t)z.rows), ocl_u((size_t)z.cols), MX_ARG(z), MX_ARG(p)));
}

enum st mx_softmax_backward(struct mx *m, struct mx_tensor p, struct mx_tensor dp, struct mx_tensor dz)
{
    mx_moves(m, 3 * mx_size(p));
    return mx_run_rows(m, K_SOFTMAX_BACKWARD, (size_t)p.rows,
                       OCL_ARGS(ocl_u((size_t)p.rows), ocl_u((size_t)p.cols), MX_ARG(p), MX_ARG(dp), MX_ARG(dz)));
}

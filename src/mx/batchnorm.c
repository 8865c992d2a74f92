/* Batch norm, forward and backward, in as few passes as its sums allow: cl/batchnorm.cl. */
#include "inside.h"

#define SIZES(x) ocl_u((size_t)(x).rows), ocl_u((size_t)(x).cols), ocl_u(chunks)

static enum st batch_moments(struct mx *m, const struct mx_batchnorm *bn, struct mx_tensor x)
{
    size_t chunks = (size_t)mx_chunks(x.rows);
    mx_moves(m, mx_size(x));
    enum st s = mx_run(m, K_BN_MOMENTS_PARTIAL, bn->phi.kind, (size_t)x.cols, chunks,
                       OCL_ARGS(SIZES(x), MX_ARG(x), ocl_b(m->scratch)));
    if (s != ST_OK)
        return s;
    return mx_run(m, K_BN_MOMENTS_FINISH, bn->phi.kind, (size_t)x.cols, 1,
                  OCL_ARGS(SIZES(x), ocl_b(m->scratch), ocl_f(bn->eps), ocl_f(bn->momentum), MX_ARG(bn->saved),
                           MX_ARG(bn->running_mean), MX_ARG(bn->running_var)));
}

static enum st running_moments(struct mx *m, const struct mx_batchnorm *bn, struct mx_tensor x)
{
    return mx_run(m, K_BN_RUNNING, bn->phi.kind, (size_t)x.cols, 1,
                  OCL_ARGS(ocl_u((size_t)x.cols), ocl_f(bn->eps), MX_ARG(bn->saved), MX_ARG(bn->running_mean),
                           MX_ARG(bn->running_var)));
}

enum st mx_batchnorm_forward(struct mx *m, const struct mx_batchnorm *bn, bool training, struct mx_tensor x,
                             struct mx_tensor y)
{
    size_t chunks = (size_t)mx_chunks(x.rows);
    enum st s = training ? batch_moments(m, bn, x) : running_moments(m, bn, x);
    if (s != ST_OK)
        return s;
    mx_moves(m, 2 * mx_size(x));
    return mx_run(m, K_BN_APPLY, bn->phi.kind, (size_t)x.cols, chunks,
                  OCL_ARGS(SIZES(x), MX_ARG(x), MX_ARG(bn->saved), MX_ARG(bn->gamma), MX_ARG(bn->beta), MX_ARG(y),
                           ocl_f(bn->phi.slope)));
}

enum st mx_batchnorm_backward(struct mx *m, const struct mx_batchnorm *bn, struct mx_tensor x, struct mx_tensor y,
                              struct mx_tensor dy, struct mx_tensor dgamma, struct mx_tensor dbeta, struct mx_tensor dx)
{
    size_t chunks = (size_t)mx_chunks(x.rows), cols = (size_t)x.cols;
    enum st s = ST_OK;
    mx_moves(m, 3 * mx_size(x));
    TRY(mx_run(m, K_BN_BACKWARD_PARTIAL, bn->phi.kind, cols, chunks,
               OCL_ARGS(SIZES(x), MX_ARG(x), MX_ARG(y), MX_ARG(dy), MX_ARG(bn->saved), ocl_b(m->scratch),
                        ocl_f(bn->phi.slope))));
    TRY(mx_run(m, K_BN_BACKWARD_FINISH, bn->phi.kind, cols, 1,
               OCL_ARGS(SIZES(x), ocl_b(m->scratch), MX_ARG(dgamma), MX_ARG(dbeta))));
    mx_moves(m, 4 * mx_size(x));
    TRY(mx_run(m, K_BN_BACKWARD, bn->phi.kind, cols, chunks,
               OCL_ARGS(SIZES(x), MX_ARG(x), MX_ARG(y), MX_ARG(dy), MX_ARG(bn->saved), MX_ARG(bn->gamma),
                        MX_ARG(dgamma), MX_ARG(dbeta), MX_ARG(dx), ocl_f(bn->phi.slope))));
out:
    return s;
}

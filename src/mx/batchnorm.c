/* Batch norm, forward and backward, in as few passes as its sums allow: cl/batchnorm.cl. */
#include "inside.h"

/* Every work-item joins the sums of all chunks: few of them keep that small beside its own rows, which may yet be so
 * many that some devices stop a loop over them. */
enum { CPU_CHUNKS = 4, CHUNKS = 16, CHUNK_ROWS_MAX = 1024 };

static size_t norm_chunks(const struct mx *m, struct mx_tensor x)
{
    bool cpu = mx_on_cpu(m);
    int chunks = mx_chunks(x.rows), most = cpu ? CPU_CHUNKS : CHUNKS, long_ones = x.rows / CHUNK_ROWS_MAX;
    if (most < long_ones)
        most = long_ones;
    return (size_t)(chunks < most ? chunks : most);
}

#define SIZES(x) ocl_u((size_t)(x).rows), ocl_u((size_t)(x).cols), ocl_u(chunks)
#define RUNNING(bn) MX_ARG((bn)->saved), MX_ARG((bn)->running_mean), MX_ARG((bn)->running_var)
#define OUT(bn, y) MX_ARG((bn)->gamma), MX_ARG((bn)->beta), MX_ARG(y), ocl_f((bn)->phi.slope)

static enum st forward_batch(struct mx *m, const struct mx_batchnorm *bn, struct mx_tensor x, struct mx_tensor y)
{
    size_t chunks = norm_chunks(m, x), cols = (size_t)x.cols;
    mx_moves(m, mx_size(x));
    enum st s = mx_run(m, K_BN_MOMENTS, bn->phi.kind, cols, chunks,
                       OCL_ARGS(SIZES(x), MX_ARG(x), ocl_b(m->scratch)));
    if (s != ST_OK)
        return s;
    mx_moves(m, 2 * mx_size(x));
    return mx_run(m, K_BN_BATCH, bn->phi.kind, cols, chunks,
                  OCL_ARGS(SIZES(x), MX_ARG(x), ocl_b(m->scratch), ocl_f(bn->eps), ocl_f(bn->momentum), RUNNING(bn),
                           OUT(bn, y)));
}

enum st mx_batchnorm_forward(struct mx *m, const struct mx_batchnorm *bn, bool training, struct mx_tensor x,
                             struct mx_tensor y)
{
    size_t chunks = norm_chunks(m, x);
    if (training)
        return forward_batch(m, bn, x, y);
    mx_moves(m, 2 * mx_size(x));
    return mx_run(m, K_BN_RUNNING, bn->phi.kind, (size_t)x.cols, chunks,
                  OCL_ARGS(SIZES(x), MX_ARG(x), ocl_f(bn->eps), RUNNING(bn), OUT(bn, y)));
}

enum st mx_batchnorm_backward(struct mx *m, const struct mx_batchnorm *bn, bool training, struct mx_tensor x,
                              struct mx_tensor y, struct mx_tensor dy, struct mx_tensor dgamma,
                              struct mx_tensor dbeta, struct mx_tensor dx)
{
    size_t chunks = norm_chunks(m, x), cols = (size_t)x.cols;
    mx_moves(m, 3 * mx_size(x));
    enum st s = mx_run(m, K_BN_BACKWARD_PARTIAL, bn->phi.kind, cols, chunks,
                       OCL_ARGS(SIZES(x), MX_ARG(x), MX_ARG(y), MX_ARG(dy), MX_ARG(bn->saved), ocl_b(m->scratch),
                                ocl_f(bn->phi.slope)));
    if (s != ST_OK)
        return s;
    mx_moves(m, 4 * mx_size(x));
    return mx_run(m, K_BN_BACKWARD, bn->phi.kind, cols, chunks,
                  OCL_ARGS(SIZES(x), ocl_u(training), MX_ARG(x), MX_ARG(y), MX_ARG(dy), MX_ARG(bn->saved),
                           ocl_b(m->scratch), MX_ARG(bn->gamma), MX_ARG(dgamma), MX_ARG(dbeta), MX_ARG(dx),
                           ocl_f(bn->phi.slope)));
}

/* The similarity loss of predsim: two products, and between them kernels with a work-item a row. */
#include "inside.h"

enum st mx_similarity_scratch(struct mx *m, int B, int n, size_t *floats)
{
    enum st s = ST_OK;
    size_t similarity, gradient;
    TRY(mx_gemm_scratch(m, false, true, B, B, n, &similarity));
    TRY(mx_gemm_scratch(m, false, false, B, n, B, &gradient));
    *floats = similarity > gradient ? similarity : gradient;
out:
    return s;
}

enum st mx_similarity_loss(struct mx *m, struct ocl_buf *labels, int classes, struct mx_tensor v,
                           const struct mx_similarity *work, struct mx_tensor delta, struct mx_tensor per_row)
{
    enum st s = ST_OK;
    struct mx_tensor n = work->normed, e = work->error;
    size_t rows = (size_t)v.rows, cols = (size_t)v.cols;
    if (classes < 2)
        return st_fail(ST_INTERNAL, "a similarity of %d classes", classes);
    mx_moves(m, 4 * mx_size(v));
    TRY(mx_run_rows(m, K_SIMILARITY_ROWS, rows,
                    OCL_ARGS(ocl_u(rows), ocl_u(cols), MX_ARG(v), MX_ARG(n), MX_ARG(work->rnorm))));
    TRY(mx_gemm(m, false, true, 1, n, n, 0, e));
    mx_moves(m, 2 * mx_size(e));
    TRY(mx_run_rows(m, K_SIMILARITY_ERROR, rows,
                    OCL_ARGS(ocl_u(rows), ocl_f(-1.0 / (classes - 1)), ocl_b(labels), MX_ARG(e), MX_ARG(per_row))));
    TRY(mx_gemm(m, false, false, 4.0f / (float)v.rows, e, n, 0, delta));
    mx_moves(m, 5 * mx_size(v));
    TRY(mx_run_rows(m, K_SIMILARITY_DELTA, rows,
                    OCL_ARGS(ocl_u(rows), ocl_u(cols), MX_ARG(n), MX_ARG(work->rnorm), MX_ARG(delta))));
out:
    return s;
}

/* Rows with more, and with their label, behind them. */
#include "inside.h"

enum st mx_label_rows(struct mx *m, struct mx_tensor x, struct mx_tensor more, struct ocl_buf *labels, int classes,
                      struct mx_tensor out)
{
    if (!more.buf) { /* a kernel's argument must be some buffer */
        more = x;
        more.cols = 0;
    }
    size_t cols = (size_t)x.cols + (size_t)more.cols + (size_t)classes;
    mx_moves(m, mx_size(x) + mx_size(more) + (size_t)x.rows * cols);
    return mx_run(m, K_LABEL_ROWS, MX_IDENTITY, cols, (size_t)x.rows,
                  OCL_ARGS(ocl_u((size_t)x.rows), ocl_u((size_t)x.cols), ocl_u((size_t)more.cols),
                           ocl_u((size_t)classes), ocl_u(labels ? 1 : 0), MX_ARG(x), MX_ARG(more), ocl_b(labels),
                           MX_ARG(out)));
}

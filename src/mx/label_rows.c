/* Rows with their label behind them. */
#include "inside.h"

enum st mx_label_rows(struct mx *m, struct mx_tensor x, struct ocl_buf *labels, int classes, struct mx_tensor out)
{
    size_t cols = (size_t)x.cols + (size_t)classes;
    mx_moves(m, mx_size(x) + (size_t)x.rows * cols);
    return mx_run(m, K_LABEL_ROWS, MX_IDENTITY, cols, (size_t)x.rows,
                  OCL_ARGS(ocl_u((size_t)x.rows), ocl_u((size_t)x.cols), ocl_u((size_t)classes), MX_ARG(x),
                           ocl_b(labels), MX_ARG(out)));
}

/* Squared distance to the label's one-hot: a work-item a row. */
#include "inside.h"

enum st mx_label_distance(struct mx *m, struct mx_tensor z, struct ocl_buf *labels, struct mx_tensor delta,
                          struct mx_tensor per_row)
{
    mx_moves(m, 2 * mx_size(z));
    return mx_run_rows(m, K_LABEL_DISTANCE, (size_t)z.rows,
                       OCL_ARGS(ocl_u((size_t)z.rows), ocl_u((size_t)z.cols), MX_ARG(z), ocl_b(labels), MX_ARG(delta),
                                MX_ARG(per_row)));
}

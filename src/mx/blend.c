/* Sums of two tensors with factors, and one divided by a number of the device. */
#include "inside.h"

enum st mx_blend(struct mx *m, float a, struct mx_tensor x, float b, struct mx_tensor y)
{
    mx_moves(m, (b != 0 ? 3 : 2) * mx_size(x));
    return mx_run(m, K_BLEND, MX_IDENTITY, mx_size(x), 1,
                  OCL_ARGS(ocl_u(mx_size(x)), ocl_f(a), MX_ARG(x), ocl_f(b), MX_ARG(y)));
}

enum st mx_divide(struct mx *m, struct mx_tensor x, struct mx_tensor by, struct mx_tensor y)
{
    mx_moves(m, 2 * mx_size(x));
    return mx_run(m, K_DIVIDE, MX_IDENTITY, mx_size(x), 1,
                  OCL_ARGS(ocl_u(mx_size(x)), MX_ARG(x), MX_ARG(by), MX_ARG(y)));
}

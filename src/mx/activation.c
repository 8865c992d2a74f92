/* Activations on their own, and with a bias in front of them. */
#include "inside.h"

enum st mx_act(struct mx *m, struct mx_activation phi, struct mx_tensor x, struct mx_tensor y)
{
    mx_moves(m, 2 * mx_size(x));
    return mx_run(m, K_ACT_FORWARD, phi.kind, mx_size(x), 1,
                  OCL_ARGS(ocl_u(mx_size(x)), MX_ARG(x), MX_ARG(y), ocl_f(phi.slope)));
}

enum st mx_act_backward(struct mx *m, struct mx_activation phi, struct mx_tensor y, struct mx_tensor dy,
                        struct mx_tensor dx)
{
    mx_moves(m, 3 * mx_size(y));
    return mx_run(m, K_ACT_BACKWARD, phi.kind, mx_size(y), 1,
                  OCL_ARGS(ocl_u(mx_size(y)), MX_ARG(y), MX_ARG(dy), MX_ARG(dx), ocl_f(phi.slope)));
}

enum st mx_bias_act(struct mx *m, struct mx_activation phi, struct mx_tensor x, struct mx_tensor bias,
                    struct mx_tensor y)
{
    mx_moves(m, 2 * mx_size(x) + mx_size(bias));
    return mx_run(m, K_BIAS_ACT, phi.kind, (size_t)x.cols, (size_t)x.rows,
                  OCL_ARGS(ocl_u((size_t)x.rows), ocl_u((size_t)x.cols), MX_ARG(x), MX_ARG(bias), MX_ARG(y),
                           ocl_f(phi.slope)));
}

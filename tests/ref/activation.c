/* Twins of the activations. */
#include "ref.h"

#include <math.h>

double ref_phi(struct mx_activation phi, double x)
{
    switch (phi.kind) {
    case MX_RELU:
        return x < 0 ? 0 : x;
    case MX_LEAKY_RELU:
        return x < 0 ? phi.slope * x : x;
    case MX_TANH:
        return tanh(x);
    case MX_SIGMOID:
        return 1 / (1 + exp(-x));
    case MX_IDENTITY:
    case MX_ACTS:
        break;
    }
    return x;
}

double ref_phi_slope(struct mx_activation phi, double y)
{
    switch (phi.kind) {
    case MX_RELU:
        return y <= 0 ? 0 : 1;
    case MX_LEAKY_RELU:
        return y <= 0 ? phi.slope : 1;
    case MX_TANH:
        return 1 - y * y;
    case MX_SIGMOID:
        return y * (1 - y);
    case MX_IDENTITY:
    case MX_ACTS:
        break;
    }
    return 1;
}

void ref_act(struct mx_activation phi, size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = ref_phi(phi, x[i]);
}

void ref_act_backward(struct mx_activation phi, size_t n, const double *y, const double *dy, double *dx)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * ref_phi_slope(phi, y[i]);
}

/* Twins of bias and activation in one. */
#include "ref.h"

void ref_bias_act(struct mx_activation phi, int rows, int cols, const double *x, const double *bias, double *y)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            y[r * cols + c] = ref_phi(phi, x[r * cols + c] + bias[c]);
}

void ref_bias_act_backward(struct mx_activation phi, int rows, int cols, const double *y, const double *dy, double *dx,
                           double *dbias)
{
    ref_act_backward(phi, (size_t)rows * (size_t)cols, y, dy, dx);
    ref_column_sum(rows, cols, 1.0 / rows, dx, 0, dbias);
}

/* Twin of bias and activation in one. */
#include "ref.h"

void ref_bias_act(struct mx_activation phi, int rows, int cols, const double *x, const double *bias, double *y)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            y[r * cols + c] = ref_phi(phi, x[r * cols + c] + bias[c]);
}

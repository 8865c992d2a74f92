/* Twins of the sum of two tensors with factors, and of a division by one number. */
#include "ref.h"

void ref_blend(size_t n, double a, const double *x, double b, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a * x[i] + (b == 0 ? 0 : b * y[i]);
}

void ref_divide(size_t n, const double *x, double by, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = by == 0 ? 0 : x[i] / by;
}

/* Twins of the sums over rows and columns. */
#include "ref.h"

void ref_column_sum(int rows, int cols, double alpha, const double *x, double beta, double *out)
{
    for (int c = 0; c < cols; c++) {
        double sum = 0;
        for (int r = 0; r < rows; r++)
            sum += x[r * cols + c];
        out[c] = alpha * sum + (beta == 0 ? 0 : beta * out[c]);
    }
}

void ref_row_sum(int rows, int cols, const double *x, double *out)
{
    for (int r = 0; r < rows; r++) {
        out[r] = 0;
        for (int c = 0; c < cols; c++)
            out[r] += x[r * cols + c];
    }
}

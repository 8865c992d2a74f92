/* Twin of the squared distance to a target. */
#include "ref.h"

void ref_squared_loss(int rows, int cols, const double *y, const double *target, double *delta, double *per_row)
{
    for (int r = 0; r < rows; r++) {
        per_row[r] = 0;
        for (int i = r * cols; i < (r + 1) * cols; i++) {
            double d = y[i] - target[i];
            per_row[r] += d * d;
            delta[i] = 2 * d;
        }
    }
}

/* Twins of softmax, of its backward pass, and of cross-entropy behind it. */
#include "ref.h"

#include <math.h>

static int first_largest(int cols, const double *z)
{
    int best = 0;
    for (int c = 1; c < cols; c++)
        if (z[c] > z[best])
            best = c;
    return best;
}

void ref_softmax(int rows, int cols, const double *z, double *p)
{
    for (int r = 0; r < rows; r++, z += cols, p += cols) {
        double most = z[first_largest(cols, z)], sum = 0;
        for (int c = 0; c < cols; c++)
            sum += exp(z[c] - most);
        for (int c = 0; c < cols; c++)
            p[c] = exp(z[c] - most) / sum;
    }
}

void ref_softmax_loss(int rows, int cols, const double *z, const uint32_t *label, double *delta, double *loss,
                      double *correct)
{
    ref_softmax(rows, cols, z, delta);
    for (int r = 0; r < rows; r++) {
        int best = first_largest(cols, z + r * cols);
        double sum = 0;
        for (int c = 0; c < cols; c++)
            sum += exp(z[r * cols + c] - z[r * cols + best]);
        loss[r] = log(sum) + z[r * cols + best] - z[r * cols + (int)label[r]];
        correct[r] = best == (int)label[r];
        delta[r * cols + (int)label[r]] -= 1;
    }
}

/* The Jacobian of a row, dp_i / dz_j = p_i (i == j) - p_i p_j, written out. */
void ref_softmax_backward(int rows, int cols, const double *p, const double *dp, double *dz)
{
    for (int r = 0; r < rows; r++, p += cols, dp += cols, dz += cols)
        for (int j = 0; j < cols; j++) {
            dz[j] = 0;
            for (int i = 0; i < cols; i++)
                dz[j] += dp[i] * ((i == j ? p[i] : 0) - p[i] * p[j]);
        }
}

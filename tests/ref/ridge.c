/* Twin of ridge regression: Cholesky's factorisation and two triangular solves a row. */
#include "ref.h"

#include <math.h>
#include <stdlib.h>

/* l (D, D): the lower triangle of L L^T = s + diag(ridge) */
static void factor(int D, const double *s, const double *ridge, double *l)
{
    for (int i = 0; i < D; i++)
        for (int j = 0; j <= i; j++) {
            double sum = s[i * D + j] + (i == j ? ridge[i] : 0);
            for (int k = 0; k < j; k++)
                sum -= l[i * D + k] * l[j * D + k];
            l[i * D + j] = i == j ? sqrt(sum) : sum / l[j * D + j];
        }
}

void ref_ridge(int D, int n, const double *s, const double *c, const double *ridge, double *w)
{
    double *l = calloc((size_t)D * (size_t)D, sizeof *l);
    if (!l)
        abort();
    factor(D, s, ridge, l);
    for (int r = 0; r < n; r++, c += D, w += D) {
        for (int i = 0; i < D; i++) {
            w[i] = c[i];
            for (int k = 0; k < i; k++)
                w[i] -= l[i * D + k] * w[k];
            w[i] /= l[i * D + i];
        }
        for (int i = D - 1; i >= 0; i--) {
            for (int k = i + 1; k < D; k++)
                w[i] -= l[k * D + i] * w[k];
            w[i] /= l[i * D + i];
        }
    }
    free(l);
}

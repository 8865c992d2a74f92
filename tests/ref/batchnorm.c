/* Twins of batch norm: Ioffe and Szegedy, arXiv 1502.03167, algorithm 1 and the gradients of section 3. */
#include "ref.h"

#include <math.h>

static void batch_moments(const struct ref_batchnorm *bn, const double *x, int c)
{
    double mean = 0, var = 0, m = bn->momentum;
    for (int r = 0; r < bn->rows; r++)
        mean += x[r * bn->cols + c] / bn->rows;
    for (int r = 0; r < bn->rows; r++)
        var += (x[r * bn->cols + c] - mean) * (x[r * bn->cols + c] - mean) / bn->rows;
    bn->mean[c] = mean;
    bn->rstd[c] = 1 / sqrt(var + bn->eps);
    bn->running_mean[c] = (1 - m) * bn->running_mean[c] + m * mean;
    bn->running_var[c] = (1 - m) * bn->running_var[c] + m * var * bn->rows / (bn->rows - 1);
}

void ref_batchnorm_forward(const struct ref_batchnorm *bn, bool training, const double *x, double *y)
{
    for (int c = 0; c < bn->cols; c++) {
        if (training) {
            batch_moments(bn, x, c);
        } else {
            bn->mean[c] = bn->running_mean[c];
            bn->rstd[c] = 1 / sqrt(bn->running_var[c] + bn->eps);
        }
        for (int r = 0; r < bn->rows; r++) {
            double xhat = (x[r * bn->cols + c] - bn->mean[c]) * bn->rstd[c];
            y[r * bn->cols + c] = ref_phi(bn->phi, bn->gamma[c] * xhat + bn->beta[c]);
        }
    }
}

/* With z = gamma xhat + beta, xhat = (x - mean) rstd, and g = dy phi' gamma, the gradient at xhat:
 *   dvar = sum g (x - mean) * -rstd^3 / 2,  dmean = -rstd sum g,  dx = g rstd + dvar 2 (x - mean) / B + dmean / B
 * (the term of dmean through the variance is zero). In evaluation mean and variance do not depend on x. */
void ref_batchnorm_backward(const struct ref_batchnorm *bn, bool training, const double *x, const double *y,
                            const double *dy, double *dgamma, double *dbeta, double *dx)
{
    int B = bn->rows;
    for (int c = 0; c < bn->cols; c++) {
        double mean = bn->mean[c], rstd = bn->rstd[c], dvar = 0, dmean = 0;
        dgamma[c] = dbeta[c] = 0;
        for (int r = 0; r < B; r++) {
            int i = r * bn->cols + c;
            double dz = dy[i] * ref_phi_slope(bn->phi, y[i]);
            dbeta[c] += dz / B;
            dgamma[c] += dz * (x[i] - mean) * rstd / B;
            dvar += dz * bn->gamma[c] * (x[i] - mean) * -0.5 * pow(rstd, 3);
            dmean += dz * bn->gamma[c] * -rstd;
        }
        if (!training)
            dvar = dmean = 0;
        for (int r = 0; r < B; r++) {
            int i = r * bn->cols + c;
            double dz = dy[i] * ref_phi_slope(bn->phi, y[i]);
            dx[i] = dz * bn->gamma[c] * rstd + dvar * 2 * (x[i] - mean) / B + dmean / B;
        }
    }
}

/* Twins of the similarity loss: its steps, and all of it. */
#include "ref.h"

#include <math.h>

static double mean(int n, const double *x)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return sum / n;
}

static double dot(int n, const double *x, const double *y)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

void ref_similarity_rows(int rows, int cols, const double *v, double *normed, double *rnorm)
{
    for (int r = 0; r < rows; r++, v += cols, normed += cols) {
        double middle = mean(cols, v), norm;
        for (int c = 0; c < cols; c++)
            normed[c] = v[c] - middle;
        norm = sqrt(dot(cols, normed, normed));
        rnorm[r] = norm == 0 ? 0 : 1 / (norm + 1e-8);
        for (int c = 0; c < cols; c++)
            normed[c] *= rnorm[r];
    }
}

void ref_similarity_error(int rows, int classes, const uint32_t *label, double *error, double *per_row)
{
    for (int r = 0; r < rows; r++, error += rows) {
        for (int c = 0; c < rows; c++) {
            double s = error[c] > 1 ? 1 : error[c] < -1 ? -1 : error[c];
            error[c] = s - (label[c] == label[r] ? 1 : -1.0 / (classes - 1));
        }
        per_row[r] = dot(rows, error, error) / rows;
    }
}

void ref_similarity_delta(int rows, int cols, const double *normed, const double *rnorm, double *delta)
{
    for (int r = 0; r < rows; r++, normed += cols, delta += cols) {
        double along = dot(cols, normed, delta), middle;
        for (int c = 0; c < cols; c++)
            delta[c] = (delta[c] - along * normed[c]) * rnorm[r];
        middle = mean(cols, delta);
        for (int c = 0; c < cols; c++)
            delta[c] -= middle;
    }
}

void ref_similarity_loss(int rows, int cols, int classes, const uint32_t *label, const double *v, double *normed,
                         double *error, double *rnorm, double *delta, double *per_row)
{
    ref_similarity_rows(rows, cols, v, normed, rnorm);
    ref_gemm(false, true, rows, rows, cols, 1, normed, normed, 0, error);
    ref_similarity_error(rows, classes, label, error, per_row);
    ref_gemm(false, false, rows, cols, rows, 4.0 / rows, error, normed, 0, delta);
    ref_similarity_delta(rows, cols, normed, rnorm, delta);
}

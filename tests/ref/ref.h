/*
 * The boring twins: what every kernel computes, in double precision and plain loops, written from the formulas.
 * Matrices are dense and row-major. Options come in the structs of mx.h, so that both sides see the same floats.
 */
#ifndef CLUTCH_TESTS_REF_H
#define CLUTCH_TESTS_REF_H

#include "mx.h"

/* phi(x), and phi'(x) from y = phi(x) */
double ref_phi(struct mx_activation phi, double x);
double ref_phi_slope(struct mx_activation phi, double y);

/* C (M, N) = alpha op(A) op(B) + beta C; with beta 0, C is not read. */
void ref_gemm(bool trans_a, bool trans_b, int M, int N, int K, double alpha, const double *a, const double *b,
              double beta, double *c);

/* y = phi(x); dx = dy phi'(x) from y. n elements. */
void ref_act(struct mx_activation phi, size_t n, const double *x, double *y);
void ref_act_backward(struct mx_activation phi, size_t n, const double *y, const double *dy, double *dx);

/* y = phi(x + bias) */
void ref_bias_act(struct mx_activation phi, int rows, int cols, const double *x, const double *bias, double *y);

/* y = a x + b y, with b 0 not reading y; n elements. */
void ref_blend(size_t n, double a, const double *x, double b, double *y);
/* y = x / by, zeros with by 0 */
void ref_divide(size_t n, const double *x, double by, double *y);

/* out (rows, n + k + classes) = [x (rows, n) | more (rows, k) | onehot(label)]; all labels are 0 where there are none
 */
void ref_label_rows(int rows, int n, int k, int classes, const double *x, const double *more, const uint32_t *label,
                    double *out);

/* w (n, D) = c (n, D) (s (D, D) + diag(ridge (D)))^-1, by Cholesky's method. */
void ref_ridge(int D, int n, const double *s, const double *c, const double *ridge, double *w);

/* out (cols) = alpha * sum over rows + beta out, with beta 0 not reading out; out (rows) = sum over columns. */
void ref_column_sum(int rows, int cols, double alpha, const double *x, double beta, double *out);
void ref_row_sum(int rows, int cols, const double *x, double *out);

/* Batch norm over rows, then phi. All arrays hold cols values, x y dy dx rows * cols. */
struct ref_batchnorm {
    int rows, cols;
    const double *gamma, *beta;
    double *running_mean, *running_var;
    double *mean, *rstd; /* written by forward, read by backward */
    double eps, momentum;
    struct mx_activation phi;
};
void ref_batchnorm_forward(const struct ref_batchnorm *bn, bool training, const double *x, double *y);
void ref_batchnorm_backward(const struct ref_batchnorm *bn, bool training, const double *x, const double *y,
                            const double *dy, double *dgamma, double *dbeta, double *dx);

/* p = softmax of each row; delta = p - onehot(label), loss = -log p[label], correct = 1 where the first largest is the
 * label */
void ref_softmax(int rows, int cols, const double *z, double *p);
void ref_softmax_loss(int rows, int cols, const double *z, const uint32_t *label, double *delta, double *loss,
                      double *correct);
/* dz of sum over all p dp, p = softmax(z) */
void ref_softmax_backward(int rows, int cols, const double *p, const double *dp, double *dz);

/* delta = z - onehot(label), loss = |delta|^2 / 2, correct as above */
void ref_label_distance(int rows, int cols, const double *z, const uint32_t *label, double *delta, double *loss,
                        double *correct);

/* per_row = sum over columns of (y - target)^2, delta = 2 (y - target) */
void ref_squared_loss(int rows, int cols, const double *y, const double *target, double *delta, double *per_row);

/* The similarity loss of mx_similarity_loss() in its steps: normed and rnorm from v; error and per_row from S, which
 * error holds before; delta from dL/dnormed, which it holds before. Then all of it. */
void ref_similarity_rows(int rows, int cols, const double *v, double *normed, double *rnorm);
void ref_similarity_error(int rows, int classes, const uint32_t *label, double *error, double *per_row);
void ref_similarity_delta(int rows, int cols, const double *normed, const double *rnorm, double *delta);
void ref_similarity_loss(int rows, int cols, int classes, const uint32_t *label, const double *v, double *normed,
                         double *error, double *rnorm, double *delta, double *per_row);

void ref_dropout(const struct mx_dropout *d, size_t n, const double *x, double *y);

/* One step; v (and s) are the state. */
void ref_sgd(const struct mx_sgd *o, size_t n, double *w, const double *g, double *v);
void ref_adam(const struct mx_adam *o, size_t n, double *w, const double *g, double *v, double *s);

/* x (rows, channels * hw) and label (rows) from the samples order[first + r], or first + r where order is NULL. */
void ref_gather(int rows, int channels, int hw, size_t first, const uint8_t *pixels, const uint8_t *labels,
                const uint32_t *order, const double *scale, double *x, uint32_t *label);

/* out[i] = sum over 12 chains c of `width` equal values x = x b + a, `loops` turns from x = a + c */
void ref_fma_chains(size_t n, int width, uint32_t loops, double a, double b, double *out);

/* y[i] = sqrt(x[j]^2 + a) / 2 + (i mod 8) / 8, j = (i stride + 1) mod n */
void ref_chain_check(size_t n, uint32_t stride, double a, const double *x, double *y);

#endif

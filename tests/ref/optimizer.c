/* Twins of the optimiser steps, after PyTorch's documentation of SGD, Adam and AdamW. */
#include "ref.h"

#include <math.h>

void ref_sgd(const struct mx_sgd *o, size_t n, double *w, const double *g, double *v)
{
    for (size_t i = 0; i < n; i++) {
        double slope = g[i] + o->decay * w[i];
        if (o->momentum != 0) {
            v[i] = o->momentum * v[i] + slope;
            slope = o->nesterov ? slope + o->momentum * v[i] : v[i];
        }
        w[i] -= o->lr * slope;
    }
}

void ref_adam(const struct mx_adam *o, size_t n, double *w, const double *g, double *v, double *s)
{
    double b1 = o->beta1, b2 = o->beta2;
    for (size_t i = 0; i < n; i++) {
        double slope = g[i] + (o->decoupled ? 0 : o->decay * w[i]);
        if (o->decoupled)
            w[i] -= (double)o->lr * o->decay * w[i];
        v[i] = b1 * v[i] + (1 - b1) * slope;
        s[i] = b2 * s[i] + (1 - b2) * slope * slope;
        double v_hat = v[i] / (1 - pow(b1, o->t)), s_hat = s[i] / (1 - pow(b2, o->t));
        w[i] -= o->lr * v_hat / (sqrt(s_hat) + o->eps);
    }
}

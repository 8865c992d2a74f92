/* Optimiser steps: one pass over all parameters of a module. */
#include "inside.h"

#include <math.h>

enum st mx_sgd(struct mx *m, const struct mx_sgd *o, struct mx_tensor w, struct mx_tensor g, struct mx_tensor v)
{
    mx_moves(m, (o->momentum != 0 ? 5 : 3) * mx_size(w));
    return mx_run(m, K_SGD, MX_IDENTITY, mx_size(w), 1,
                  OCL_ARGS(ocl_u(mx_size(w)), ocl_f(o->lr), ocl_f(o->momentum), ocl_f(o->decay), ocl_u(o->nesterov),
                           MX_ARG(w), MX_ARG(g), MX_ARG(v)));
}

enum st mx_adam(struct mx *m, const struct mx_adam *o, struct mx_tensor w, struct mx_tensor g, struct mx_tensor v,
                struct mx_tensor s)
{
    double step = o->lr / (1.0 - pow(o->beta1, o->t)), root = 1.0 / sqrt(1.0 - pow(o->beta2, o->t));
    double shrink = o->decoupled ? 1.0 - (double)o->lr * o->decay : 1.0;
    mx_moves(m, 7 * mx_size(w));
    return mx_run(m, K_ADAM, MX_IDENTITY, mx_size(w), 1,
                  OCL_ARGS(ocl_u(mx_size(w)), ocl_f(step), ocl_f(root), ocl_f(o->beta1), ocl_f(o->beta2), ocl_f(o->eps),
                           ocl_f(o->decoupled ? 0.0 : (double)o->decay), ocl_f(shrink), MX_ARG(w), MX_ARG(g), MX_ARG(v),
                           MX_ARG(s)));
}

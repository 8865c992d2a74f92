/* relu, leakyrelu, tanh, sigmoid: y = phi(x). Behind a layer that computes them in its own pass, these are never run.
 * */
#include "kinds.h"

static enum st shape(struct nn_layer *l)
{
    l->out = l->in;
    return ST_OK;
}

static enum st forward(const struct nn_layer *l, struct nn_place *p)
{
    return mx_act(p->mx, (struct mx_activation){l->kind->act, (float)l->option[0]}, p->x, p->y);
}

static enum st backward(const struct nn_layer *l, struct nn_place *p)
{
    return mx_act_backward(p->mx, (struct mx_activation){l->kind->act, (float)l->option[0]}, p->y, p->dy, p->dy);
}

#define ACTIVATION .ops = {MX_ACTIVATION}, .in_place = true, .shape = shape, .forward = forward, .backward = backward

const struct nn_kind nn_relu = {.name = "relu", .help = "max(x, 0)", .act = MX_RELU, ACTIVATION};
const struct nn_kind nn_tanh = {.name = "tanh", .help = "hyperbolic tangent", .act = MX_TANH, ACTIVATION};
const struct nn_kind nn_sigmoid = {.name = "sigmoid", .help = "1 / (1 + exp(-x))", .act = MX_SIGMOID, ACTIVATION};
const struct nn_kind nn_leakyrelu = {
    .name = "leakyrelu",
    .help = "x above zero, slope * x below",
    .options = {{.key = "slope", .help = "below zero", .least = 1e-6, .most = 1, .otherwise = 0.01}},
    .act = MX_LEAKY_RELU,
    ACTIVATION,
};

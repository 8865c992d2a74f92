/*
 * dense: y = phi(x W^T + b), x (B, in), W (out, in) as PyTorch stores it, b (out). A picture is taken as a vector.
 * Backward: da = dy * phi'(.) unless the layer above gave da, db = mean da, dW = 1/B da^T x, dx = da W, or for a layer
 * below that takes its da, that.
 */
#include "kinds.h"

#include <math.h>

enum { UNITS };
enum { WEIGHT, BIAS };

static enum st shape(struct nn_layer *l)
{
    int in = nn_size(l->in), out = (int)l->option[UNITS];
    double bound = 1.0 / sqrt(in); /* what PyTorch's kaiming_uniform(a = sqrt 5) comes to, for weight and bias */
    l->out = (struct nn_shape){out, 1, 1};
    l->param_count = 2;
    l->param[WEIGHT] = (struct nn_param){.name = "weight", .rank = 2, .shape = {out, in}, .init = NN_UNIFORM,
                                         .bound = bound};
    l->param[BIAS] = (struct nn_param){.name = "bias", .rank = 1, .shape = {out}, .init = NN_UNIFORM, .bound = bound};
    l->macs = (uint64_t)in * (uint64_t)out;
    return ST_OK;
}

static enum st scratch(const struct nn_layer *l, struct mx *mx, int batch, size_t *floats)
{
    return mx_dense_scratch(mx, batch, nn_size(l->in), nn_size(l->out), floats);
}

static struct mx_tensor weight_matrix(const struct nn_layer *l, struct mx_tensor flat)
{
    return mx_view(flat.buf, flat.off, nn_size(l->out), nn_size(l->in));
}

static enum st forward(const struct nn_layer *l, struct nn_place *p)
{
    return mx_dense_forward(p->mx, l->phi, p->x, weight_matrix(l, p->param[WEIGHT]), p->param[BIAS], p->y);
}

static enum st backward(const struct nn_layer *l, struct nn_place *p)
{
    enum st s = ST_OK;
    if (l->phi.kind != MX_IDENTITY && !l->given_da)
        TRY(mx_act_backward(p->mx, l->phi, p->y, p->dy, p->dy));
    TRY(mx_dense_backward_params(p->mx, p->dy, p->x, weight_matrix(l, p->grad[WEIGHT]), p->grad[BIAS]));
    if (p->dx.buf)
        TRY(mx_dense_backward_input(p->mx, l->below, p->dy, weight_matrix(l, p->param[WEIGHT]), p->x, p->dx));
out:
    return s;
}

const struct nn_kind nn_dense = {
    .name = "dense",
    .help = "fully connected: x W^T + b",
    .options = {{.key = "units", .help = "outputs", .least = 1, .most = 1 << 20, .otherwise = NAN, .whole = true}},
    .ops = {MX_DENSE},
    .fuses_act = true,
    .trades_da = true,
    .shape = shape,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};

/*
 * dense: y = phi(x W^T + b), x (B, in), W (out, in) as PyTorch stores it, b (out) or none. A picture is taken as a
 * vector.
 * Backward: da = dy * phi'(.) unless the layer above gave da, db = mean da, dW = 1/B da^T x, dx = da W, or for a layer
 * below that takes its da, that.
 */
#include "kinds.h"

#include <math.h>

enum { UNITS, HAS_BIAS, FROM_ZERO };
enum { WEIGHT, BIAS };

static bool has_bias(const struct nn_layer *l)
{
    return l->option[HAS_BIAS] != 0;
}

static enum st shape(struct nn_layer *l)
{
    int in = nn_size(l->in), out = (int)l->option[UNITS];
    double bound = 1.0 / sqrt(in); /* what PyTorch's kaiming_uniform(a = sqrt 5) comes to, for weight and bias */
    l->out = (struct nn_shape){out, 1, 1};
    enum nn_init init = NN_UNIFORM;
    if (l->option[FROM_ZERO] != 0) {
        init = NN_ZERO;
        bound = 0;
    }
    l->param_count = 1 + has_bias(l);
    l->param[WEIGHT] = (struct nn_param){.name = "weight", .rank = 2, .shape = {out, in}, .init = init, .bound = bound};
    if (has_bias(l))
        l->param[BIAS] = (struct nn_param){.name = "bias", .rank = 1, .shape = {out}, .init = init, .bound = bound};
    else
        l->ops[1] = MX_GEMM; /* behind MX_DENSE, of which the layer above may want a product */
    l->macs = (uint64_t)in * (uint64_t)out;
    return ST_OK;
}

static enum st scratch(const struct nn_layer *l, struct mx *mx, int batch, size_t *floats)
{
    /* the largest of all its products and sums, with a bias or without */
    return mx_dense_scratch(mx, batch, nn_size(l->in), nn_size(l->out), floats);
}

static struct mx_tensor weight_matrix(const struct nn_layer *l, struct mx_tensor flat)
{
    return mx_view(flat.buf, flat.off, nn_size(l->out), nn_size(l->in));
}

static enum st forward(const struct nn_layer *l, struct nn_place *p)
{
    struct mx_tensor w = weight_matrix(l, p->param[WEIGHT]);
    if (has_bias(l))
        return mx_dense_forward(p->mx, l->phi, p->x, w, p->param[BIAS], p->y);
    enum st s = mx_gemm(p->mx, false, true, 1, p->x, w, 0, p->y);
    return s != ST_OK || l->phi.kind == MX_IDENTITY ? s : mx_act(p->mx, l->phi, p->y, p->y);
}

static enum st backward_params(const struct nn_layer *l, struct nn_place *p)
{
    struct mx_tensor dw = weight_matrix(l, p->grad[WEIGHT]);
    if (has_bias(l))
        return mx_dense_backward_params(p->mx, p->dy, p->x, dw, p->grad[BIAS]);
    return mx_gemm(p->mx, true, false, 1.0f / (float)p->dy.rows, p->dy, p->x, 0, dw);
}

static enum st backward(const struct nn_layer *l, struct nn_place *p)
{
    enum st s = ST_OK;
    if (l->phi.kind != MX_IDENTITY && !l->given_da)
        TRY(mx_act_backward(p->mx, l->phi, p->y, p->dy, p->dy));
    TRY(backward_params(l, p));
    if (p->dx.buf)
        TRY(mx_dense_backward_input(p->mx, l->below, p->dy, weight_matrix(l, p->param[WEIGHT]), p->x, p->dx));
out:
    return s;
}

const struct nn_kind nn_dense = {
    .name = "dense",
    .help = "fully connected: x W^T + b",
    .options = {{.key = "units", .help = "outputs", .least = 1, .most = 1 << 20, .otherwise = NAN, .whole = true},
                {.key = "bias", .help = "0: none", .least = 0, .most = 1, .otherwise = 1, .whole = true},
                {.key = "zero", .help = "1: starts at zero", .least = 0, .most = 1, .otherwise = 0, .whole = true}},
    .ops = {MX_DENSE},
    .fuses_act = true,
    .trades_da = true,
    .shape = shape,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};

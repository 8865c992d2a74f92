/*
 * dense: y = phi(x W^T + b), x (B, in), W (out, in) as PyTorch stores it, b (out). A picture is taken as a vector.
 * Backward: da = dy * phi'(.), db = mean da, dW = 1/B da^T x, dx = da W.
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
    int in = nn_size(l->in), out = nn_size(l->out);
    size_t forward, weight, input, sums = mx_columns_scratch(batch, out);
    enum st s = ST_OK;
    TRY(mx_gemm_scratch(mx, false, true, batch, out, in, &forward));
    TRY(mx_gemm_scratch(mx, true, false, out, in, batch, &weight));
    TRY(mx_gemm_scratch(mx, false, false, batch, in, out, &input));
    *floats = sums;
    *floats = forward > *floats ? forward : *floats;
    *floats = weight > *floats ? weight : *floats;
    *floats = input > *floats ? input : *floats;
out:
    return s;
}

static struct mx_tensor weight_matrix(const struct nn_layer *l, struct mx_tensor flat)
{
    return mx_view(flat.buf, flat.off, nn_size(l->out), nn_size(l->in));
}

static enum st forward(const struct nn_layer *l, struct nn_place *p)
{
    enum st s = mx_gemm(p->mx, false, true, 1, p->x, weight_matrix(l, p->param[WEIGHT]), 0, p->y);
    return s != ST_OK ? s : mx_bias_act(p->mx, l->phi, p->y, p->param[BIAS], p->y);
}

static enum st backward(const struct nn_layer *l, struct nn_place *p)
{
    float mean = 1.0f / (float)p->pass->rows;
    enum st s = ST_OK;
    if (l->phi.kind == MX_IDENTITY)
        TRY(mx_column_sum(p->mx, mean, p->dy, 0, p->grad[BIAS]));
    else
        TRY(mx_bias_act_backward(p->mx, l->phi, p->y, p->dy, p->dy, p->grad[BIAS]));
    TRY(mx_gemm(p->mx, true, false, mean, p->dy, p->x, 0, weight_matrix(l, p->grad[WEIGHT])));
    if (p->dx.buf)
        TRY(mx_gemm(p->mx, false, false, 1, p->dy, weight_matrix(l, p->param[WEIGHT]), 0, p->dx));
out:
    return s;
}

const struct nn_kind nn_dense = {
    .name = "dense",
    .help = "fully connected: x W^T + b",
    .options = {{.key = "units", .help = "outputs", .least = 1, .most = 1 << 20, .otherwise = NAN, .whole = true}},
    .ops = {MX_GEMM, MX_BIAS, MX_COLUMNS},
    .fuses_act = true,
    .shape = shape,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};

/*
 * batchnorm: y = phi(gamma (x - mean) / sqrt(var + eps) + beta) over the batch, each feature on its own; running
 * moments in evaluation (Ioffe and Szegedy, arXiv 1502.03167). Names and defaults are those of PyTorch's BatchNorm1d.
 */
#include "kinds.h"

#include <math.h>

enum { EPS, MOMENTUM };
enum { GAMMA, BETA };
enum { MEAN, VAR };

static enum st shape(struct nn_layer *l)
{
    int n = nn_size(l->in);
    if (l->in.h != 1 || l->in.w != 1)
        return st_fail(ST_INPUT, "batchnorm takes a vector, not a picture of %dx%dx%d: put a dense layer before it",
                       l->in.c, l->in.h, l->in.w);
    l->out = l->in;
    l->param_count = 2;
    l->param[GAMMA] = (struct nn_param){.name = "weight", .rank = 1, .shape = {n}, .init = NN_ONE};
    l->param[BETA] = (struct nn_param){.name = "bias", .rank = 1, .shape = {n}, .init = NN_ZERO};
    l->state_count = 2;
    l->state[MEAN] = (struct nn_param){.name = "running_mean", .rank = 1, .shape = {n}, .init = NN_ZERO};
    l->state[VAR] = (struct nn_param){.name = "running_var", .rank = 1, .shape = {n}, .init = NN_ONE};
    l->saved = 2 * (size_t)n;
    return ST_OK;
}

static enum st scratch(const struct nn_layer *l, struct mx *mx, int batch, size_t *floats)
{
    (void)mx;
    *floats = mx_columns_scratch(batch, nn_size(l->in));
    return ST_OK;
}

static struct mx_batchnorm describe(const struct nn_layer *l, const struct nn_place *p)
{
    return (struct mx_batchnorm){.gamma = p->param[GAMMA], .beta = p->param[BETA], .running_mean = p->state[MEAN],
                                 .running_var = p->state[VAR], .saved = p->saved, .eps = (float)l->option[EPS],
                                 .momentum = p->pass->keep_state ? 0 : (float)l->option[MOMENTUM],
                                 .phi = l->phi};
}

static enum st forward(const struct nn_layer *l, struct nn_place *p)
{
    struct mx_batchnorm bn = describe(l, p);
    return mx_batchnorm_forward(p->mx, &bn, p->pass->training, p->x, p->y);
}

static enum st backward(const struct nn_layer *l, struct nn_place *p)
{
    struct mx_batchnorm bn = describe(l, p);
    return mx_batchnorm_backward(p->mx, &bn, p->pass->training, p->x, p->y, p->dy, p->grad[GAMMA], p->grad[BETA],
                                 p->dy);
}

const struct nn_kind nn_batchnorm = {
    .name = "batchnorm",
    .help = "batch normalisation with scale and shift",
    .options = {{.key = "eps", .help = "added to the variance", .least = 1e-12, .most = 1, .otherwise = 1e-5},
                {.key = "momentum", .help = "share of the batch in the running moments", .least = 0, .most = 1,
                 .otherwise = 0.1}},
    .ops = {MX_BATCHNORM},
    .fuses_act = true,
    .in_place = true,
    .counts_batches = true,
    .batch_min = 2,
    .shape = shape,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};

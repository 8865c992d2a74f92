/*
 * dropout: in training each element is set to zero with probability p, the others divided by 1 - p (Srivastava et al.,
 * JMLR 2014); nothing in evaluation. The random numbers depend on seed, step, layer and element alone, and on
 * the micro-batch: those of a step have zeros of their own.
 */
#include "kinds.h"

#include <math.h>

static enum st shape(struct nn_layer *l)
{
    l->out = l->in;
    return ST_OK;
}

static struct mx_dropout describe(const struct nn_layer *l, const struct nn_place *p)
{
    return (struct mx_dropout){.p = p->pass->training ? (float)l->option[0] : 0.0f,
                               .key = {(uint32_t)p->pass->seed, (uint32_t)(p->pass->seed >> 32)},
                               .step = p->pass->step,
                               .layer = p->pass->micro << 16 | (uint32_t)l->index};
}

static enum st forward(const struct nn_layer *l, struct nn_place *p)
{
    struct mx_dropout d = describe(l, p);
    return mx_dropout(p->mx, &d, p->x, p->y);
}

static enum st backward(const struct nn_layer *l, struct nn_place *p)
{
    struct mx_dropout d = describe(l, p);
    return mx_dropout(p->mx, &d, p->dy, p->dy);
}

const struct nn_kind nn_dropout = {
    .name = "dropout",
    .help = "random zeros while training",
    .options = {{.key = "p", .help = "share set to zero", .least = 0, .most = 0.99, .otherwise = NAN}},
    .ops = {MX_DROPOUT},
    .in_place = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};

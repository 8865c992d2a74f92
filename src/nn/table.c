/* The tables of layer kinds and of losses: a new one is a file and a row here. */
#include "kinds.h"

static const struct nn_kind *const kinds[] = {
    &nn_dense, &nn_batchnorm, &nn_relu, &nn_leakyrelu, &nn_tanh, &nn_sigmoid, &nn_dropout,
};

static const struct nn_loss *const losses[] = {&nn_softmax, &nn_squared};

const struct nn_kind *nn_kind_at(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(kinds) ? kinds[i] : NULL;
}

const struct nn_loss *nn_loss_at(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(losses) ? losses[i] : NULL;
}

/* The layer kinds and the losses, each defined in its own file; nobody outside this floor includes it. */
#ifndef CLUTCH_NN_KINDS_H
#define CLUTCH_NN_KINDS_H

#include "nn.h"

extern const struct nn_kind nn_dense, nn_batchnorm, nn_relu, nn_leakyrelu, nn_tanh, nn_sigmoid, nn_dropout;

extern const struct nn_loss nn_softmax, nn_squared;

#endif

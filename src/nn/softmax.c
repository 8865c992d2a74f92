/* softmax: cross-entropy of the outputs' softmax, -log p[label]. */
#include "kinds.h"

#include <math.h>

static enum st probabilities(struct mx *mx, struct mx_tensor z)
{
    return mx_softmax(mx, z, z);
}

/* All classes equally probable. */
static double guess(int classes)
{
    return log(classes);
}

const struct nn_loss nn_softmax = {
    .name = "softmax",
    .help = "softmax with cross-entropy",
    .op = MX_SOFTMAX,
    .measure = mx_softmax_loss,
    .probabilities = probabilities,
    .guess = guess,
};

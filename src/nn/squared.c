/* squared: half the squared distance of the outputs to the label's one-hot, |z - onehot|^2 / 2. */
#include "kinds.h"

/* The mean of the one-hots, 1 / classes everywhere. */
static double guess(int classes)
{
    return (1 - 1.0 / classes) / 2;
}

const struct nn_loss nn_squared = {
    .name = "squared",
    .help = "half the squared distance to 1 for the class and 0 for the others",
    .op = MX_LABEL_DISTANCE,
    .measure = mx_label_distance,
    .guess = guess,
};

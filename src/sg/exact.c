/*
 * exact: the true gradient. The module waits for it, as in back-propagation; with micro-batches it works on the next
 * ones of the same step meanwhile (GPipe, Huang et al., arXiv 1811.06965): the gradients of all are summed before the
 * update, batch norm sees one micro-batch at a time.
 */
#include "inside.h"

const struct sg_kind sg_exact = {
    .name = "exact",
    .help = "the true gradient: the module waits for it; micro=M: as a pipeline of M micro-batches",
    .options = {{.key = "micro", .help = "micro-batches of a step", .least = 1, .most = 64, .otherwise = 1,
                 .whole = true}},
    .waits = true,
    .targets = true,
};

/* none: no gradient. The module keeps its starting values: the control, which every way of training must beat. */
#include "inside.h"

const struct sg_kind sg_none = {
    .name = "none",
    .help = "no gradient: the modules below stay as they start (the control)",
    .frozen = true,
};

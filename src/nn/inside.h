/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_NN_INSIDE_H
#define CLUTCH_NN_INSIDE_H

#include "nn.h"

/* A net without layers, with one open part; to be freed on failure too, where *out is set. */
MUST_USE enum st new_net(const char *text, const char *origin, struct nn_net **out);
/* Gives each tensor its place in the buffers of a module. */
void place_tensors(struct nn_net *net);
/* The characters that end a line of this net. */
const char *line_ends(const char *text);

#endif

/* Two files of tensors, compared. */
#ifndef CLUTCH_TESTS_TENSORS_H
#define CLUTCH_TESTS_TENSORS_H

#include <stdbool.h>

/* All tensors of two files are the same, but for those that tell how long a run took. */
bool same_tensors(const char *a, const char *b);

#endif

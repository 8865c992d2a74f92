/* Private to data: where pictures can come from. Each fills c, h, w, classes, train and test of an empty set, and the
 * class names where the data has them. */
#ifndef CLUTCH_DATA_FORMATS_H
#define CLUTCH_DATA_FORMATS_H

#include "data.h"

/* What a folder may hold, a row each in the table of set.c. `found` false: nothing of that kind is there, and the set
 * is as it was. The four IDX files count as found where one of them is there; folders of PNGs, where one PNG is. */
MUST_USE enum st data_read_idx(const char *folder, struct data_set *set, bool *found);
MUST_USE enum st data_read_png(const char *folder, struct data_set *set, bool *found);

/* Digits drawn from the seed. */
MUST_USE enum st data_draw_digits(uint64_t seed, struct data_set *set);

/* High halves of this floor's random streams (their names in ASCII), so that no two uses of a seed share numbers. */
#define DATA_STREAM_DIGITS (UINT64_C(0x64676974) << 32) /* low half: sample */
#define DATA_STREAM_HOLD (UINT64_C(0x686f6c64) << 32)
#define DATA_STREAM_ORDER (UINT64_C(0x6f726472) << 32) /* low half: epoch */

#endif

/* Private to data: where pictures can come from. Each fills c, h, w, classes, train and test of an empty set, and the
 * class names where the data has them. */
#ifndef CLUTCH_DATA_FORMATS_H
#define CLUTCH_DATA_FORMATS_H

#include "data.h"

/* What a folder may hold, a row each in the table of set.c. `found` false: nothing of that kind is there, and the set
 * is as it was. The four IDX files count as found where one of them is there; folders of PNGs, where one PNG is. */
MUST_USE enum st data_read_idx(const char *folder, struct data_set *set, bool *found);
MUST_USE enum st data_read_png(const char *folder, struct data_set *set, bool *found);

/* The files of a folder's IDX set; `found` where one of the four is there. A path is "" where that one is not. ST_INPUT
 * where there are several sets. */
enum { DATA_IDX_TRAIN_IMAGES, DATA_IDX_TRAIN_LABELS, DATA_IDX_TEST_IMAGES, DATA_IDX_TEST_LABELS, DATA_IDX_FILES };
enum { DATA_PATH_MAX = 4096 };
struct data_idx_paths {
    char path[DATA_IDX_FILES][DATA_PATH_MAX];
    bool emnist; /* called as EMNIST's files are */
};
MUST_USE enum st data_find_idx(const char *folder, struct data_idx_paths *out, bool *found);

/* Names of the folders in a folder, in the order of their bytes, but for those that systems leave behind (__MACOSX,
 * lost+found, ...), whose names are added to `junk`, each once; it may be NULL. */
enum { DATA_JUNK_MAX = 8 };
struct data_junk {
    const char *name[DATA_JUNK_MAX];
    int n;
};
MUST_USE enum st data_folders(const char *folder, struct arena *arena, struct data_junk *junk, char ***names,
                              size_t *n);

/* Whether two names look alike: they differ in nothing but capitals and accents, which some disks write otherwise. */
bool data_alike(const char *a, const char *b);
/* Where data may lie where a folder has none of its own: in its only folder, else in the only one with IDX files. */
MUST_USE enum st data_deeper(const char *folder, char out[DATA_PATH_MAX], bool *found);

/* Digits drawn from the seed. */
MUST_USE enum st data_draw_digits(uint64_t seed, struct data_set *set);

/* High halves of this floor's random streams (their names in ASCII), so that no two uses of a seed share numbers. */
#define DATA_STREAM_DIGITS (UINT64_C(0x64676974) << 32) /* low half: sample */
#define DATA_STREAM_HOLD (UINT64_C(0x686f6c64) << 32)
#define DATA_STREAM_ORDER (UINT64_C(0x6f726472) << 32) /* low half: epoch */

#endif

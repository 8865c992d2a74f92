/*
 * data: labelled pictures in host memory, as bytes, from IDX files, from folders of PNGs, or drawn from a seed. Stands
 * on store, for PNG, and base.
 */
#ifndef CLUTCH_DATA_H
#define CLUTCH_DATA_H

#include "base.h"

/* One split: n pictures of C x H x W bytes (planes of rows), one label each. */
struct data_split {
    uint32_t n;
    uint8_t *pixels; /* (n, C, H, W) */
    uint8_t *labels; /* (n), each below `classes` */
};

enum { DATA_CLASSES_MAX = 256, DATA_NAME_MAX = 32, DATA_CLASS_NAME_MAX = 64 };

struct data_set {
    char name[DATA_NAME_MAX];  /* "fashion-mnist", "mnist", "digits", or the folder's last part */
    char *path;                /* where it was found; NULL where it was drawn */
    int c, h, w, classes;
    /* Names of class folders, known names, else the numbers. Beyond `classes` numbers too; "output N" beside folders,
     * which may be called by numbers themselves. */
    char class_name[DATA_CLASSES_MAX][DATA_CLASS_NAME_MAX];
    struct data_split train, validation, test; /* validation is empty unless data_hold_out() filled it */
};

/*
 * What --data may say: a known set by name (looked for where the user and Debian put it), `digits`, or a folder. A
 * known name wins over a folder of that name; ./NAME means the folder. `seed` matters to drawn sets only. ST_INPUT
 * names the file and what is wrong with it, or the places searched. Caller frees with data_free.
 *
 * A folder holds the four IDX files, plain or gzip, under any of the names in the wild ("train-images-idx3-ubyte",
 * "train-images.idx3-ubyte", "emnist-letters-test-images-idx3-ubyte", each also with ".gz", or in a folder of the
 * file's own name); else PNGs, as one of
 *
 *   train/CLASS/x.png and test/CLASS/x.png   or training/ and testing/; val/, valid/ or validation/ stand in for test/
 *                                            where there is none, and are not read where there is one; in capitals too
 *   CLASS/x.png, or train/CLASS/x.png alone  every sixth picture of each class, by name, is for testing
 *
 * A class's pictures may lie in its only folder, CLASS/images/x.png; and all of it, or the IDX files, deeper, as in
 * MNIST/raw: in the only folder of a folder, else in the only one with IDX files.
 *
 * Notes say where testing is not on a folder meant for it, what was passed over (files of classes that are no PNG, what
 * systems leave behind, as __MACOSX and lost+found), and where no sample has label 0. Classes, 2 to DATA_CLASSES_MAX,
 * are the folders in the order of the bytes of their names, or of the numbers where all are numbers. Hidden files are
 * passed over, links followed. All pictures have one size. They are grey unless one has colours: then all are RGB.
 * Those of a split lie so that each first part has about as much of each class as the whole.
 */
const char *data_known_name(size_t i); /* the names of sets, NULL behind the last */
MUST_USE enum st data_open(const char *word, uint64_t seed, struct data_set **out);
void data_free(struct data_set *set); /* accepts NULL */

/* Keeps the first `limit` training samples (0: all), then moves `validation` of them, chosen from the seed, out of the
 * training split; both keep their order. At most once a set. ST_INPUT where fewer are there than asked, or none would
 * be left to train on. */
MUST_USE enum st data_hold_out(struct data_set *set, uint32_t limit, uint32_t validation, uint64_t seed);

/* Mean and standard deviation of each channel over the training split, pixels scaled to 0..1. A constant channel gives
 * deviation 1. mean, deviation: (C) */
void data_moments(const struct data_set *set, double *mean, double *deviation);

/* Tells data apart without reading all of it: a hash of all labels of the training split, and of pixels here and
 * there. */
uint64_t data_fingerprint(const struct data_set *set);

/* The order of one epoch: a permutation of 0..n-1 that depends on seed and epoch alone. order: (n) */
void data_order(uint64_t seed, uint32_t epoch, uint32_t n, uint32_t *order);

#endif

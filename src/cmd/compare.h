/* clutch compare: what its files share. */
#ifndef CLUTCH_CMD_COMPARE_H
#define CLUTCH_CMD_COMPARE_H

#include "inside.h"

enum { COMPARE_ROWS_MAX = 16, COMPARE_SEEDS_MAX = 16, COMPARE_EPOCHS_MAX = 1000 };

/* One module in one epoch. */
struct compare_part {
    struct train_module_epoch did;
    struct train_alignment cut; /* of the gradient at the cut above it, as the epoch left it; of the last module none */
};

/* One way to train, over all seeds. */
struct compare_row {
    char name[128];     /* "exact, one device", "csg hidden=1" */
    const char *words;  /* the coupling; NULL: the whole net on one device */
    int seeds, epochs;
    /* (seeds, epochs) */
    double *seconds;    /* of training, since the start */
    double *accuracy, *loss; /* on the test set */
    double *train_loss;
    double steps_per_second[COMPARE_SEEDS_MAX]; /* the median epoch's */
    int modules;               /* 0 until it runs */
    struct compare_part *part; /* (seeds, epochs, modules) */
};

struct compare {
    const char *net_word, *data, *devices, *couplings, *seeds_word, *optimizer, *schedule;
    struct cuts_wish cuts;
    int64_t queue, epochs, batch, limit, validation;
    const char *cut_option; /* that was given, and has an effect at cuts alone; NULL: none */
    double target; /* accuracy to reach; 0: half a point below what exact ends with */
    bool json, no_tune, fresh;
    struct train_options options;
    int64_t seed[COMPARE_SEEDS_MAX];
    int seeds;
    struct nn_net *net, *joined; /* with cuts, and without */
    struct data_set *set;
    struct train_scaling scaling;
    struct modules where;
    struct devices_hold whole;   /* the device that all others are parts of, where they are */
    const struct plan_device *single; /* the device that is best for the whole net */
    double bound;                /* 0: not known */
    struct compare_row row[COMPARE_ROWS_MAX];
    int rows;
};

static inline const struct compare_part *compare_part(const struct compare_row *r, int seed, int epoch, int module)
{
    return &r->part[((size_t)seed * (size_t)r->epochs + (size_t)epoch) * (size_t)r->modules + (size_t)module];
}

/* The table, or JSON. */
MUST_USE enum st compare_show(const struct compare *c);
MUST_USE enum st compare_head(const struct compare *c);
/* While it runs, a line a seed. */
void compare_progress(const struct compare *c, const struct compare_row *r, int seed);

#endif

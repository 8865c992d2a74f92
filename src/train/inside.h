/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_TRAIN_INSIDE_H
#define CLUTCH_TRAIN_INSIDE_H

#include "train.h"

/* Steps between two waits for the device: losses gather there, and so many streamed batches may be under way. */
enum { WINDOW = 100 };

struct nn_update train_update(const struct train_options *o, double rate, uint64_t t);

/* ---- feeds: one split of a data set, on the device or sent to it in batches -------------------------------------- */

struct feed {
    struct mx *mx;
    const struct data_split *split;
    int channels, hw, batch;
    bool streams;
    struct ocl_buf *pixels, *labels; /* bytes: the whole split; while streaming, one batch */
    struct ocl_buf *order;           /* uint32 (n): only a shuffled feed that does not stream */
    uint32_t *host_order;            /* (n): only a shuffled feed */
    uint8_t *stage;                  /* streaming: WINDOW batches of pixels, then their labels */
    int slot;                        /* next batch of the stage */
};

/* Device bytes of a feed. */
uint64_t feed_bytes(const struct data_split *split, int size, int batch, bool shuffled, bool streams);
MUST_USE enum st feed_open(struct mx *mx, const struct data_split *split, int channels, int hw, int batch,
                           bool shuffled, bool streams, struct feed *out);
void feed_close(struct feed *f); /* the queue was waited for; accepts one of zeros */
/* A new order. Nothing that reads the old one may be under way. */
MUST_USE enum st feed_shuffle(struct feed *f, uint64_t seed, uint32_t epoch);
/* Enqueues samples first..first+rows of the order into x and labels. While streaming, the caller waits for the queue at
 * least once in WINDOW calls. */
MUST_USE enum st feed_batch(struct feed *f, uint32_t first, int rows, const struct ocl_buf *scale, struct mx_tensor x,
                            struct ocl_buf *labels);

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

struct team; /* team.h */

/* In modules, `team` has all that belongs to a device, and device to x, feed and meter are not used. */
struct train {
    struct team *team;                     /* NULL: one module, trained by the loop */
    struct ocl_device *device;
    struct ocl_queue *queue;
    struct mx *mx;
    struct nn_module *module;
    const struct nn_net *net;
    const struct train_options *options;   /* NULL: evaluation only */
    const struct nn_optimizer *optimizer;    /* NULL likewise */
    const struct data_set *set;            /* NULL: prediction only */
    int batch;
    struct ocl_buf *x, *labels, *per_row;  /* a batch (B, in), its labels (B), loss and hit of each row (2, B) */
    struct ocl_buf *meter_buf;             /* (WINDOW, 2) */
    struct ocl_buf *scale;                 /* (2, C) */
    struct feed feed[3];                   /* by enum train_split */
    uint64_t step, steps_per_epoch;
    int epoch;                             /* done */
    uint64_t step_in_epoch;
    int ordered;                           /* epoch (from 1) whose order of samples the feed has; 0: none */
    struct train_result sum;               /* of the epoch so far: sums, added step by step in their order */
    uint64_t ns_before;                    /* time of training in the epochs before */
    uint64_t epoch_ns, watched_ns;         /* of this epoch; of that, since the checkpoint it was loaded from */
    uint64_t watched_steps;                /* steps in that time */
    int pending;                           /* batches whose results are in the meter, unread */
    uint64_t traced, traced_ns;            /* timed steps of watched_ns, and their time on the device */
    struct ocl_launch *listen;             /* (OCL_TRACE_MAX): somebody else traces, launches go here; NULL: nobody */
    int listened;                          /* launches of the last trace; -1: the device did not tell */
    uint64_t collected_ns;                 /* clock when the last wait for results ended */
    float meter[2 * WINDOW];               /* host copy: loss sum and correct count of each batch */
};

const struct data_split *split_of(const struct data_set *set, int split);
/* Samples that some layer of a net needs to train on. */
int batch_min_of(const struct nn_net *net);
/* Steps of an epoch: the last batch may be smaller, but not too small to train on. */
MUST_USE enum st count_steps(struct train *t, int batch_min);
uint64_t largest_buffer(const struct nn_memory *m);
/* Device bytes of the feeds that a train has; *largest: of one. */
uint64_t pictures_bytes(const struct train *t, bool streams, uint64_t *largest);
/* (2, C) on the device: what pixels are multiplied by, and what is added. */
MUST_USE enum st write_scale(struct ocl_queue *q, const struct train_scaling *scaling, struct ocl_buf *scale);
/* ST_NUMERIC with advice where a sum of losses is not finite any more by that step. */
MUST_USE enum st train_check_finite(const struct train *t, double loss, uint64_t step);
/* The same of the losses of the first `steps` steps of the epoch under way, and where they are absurd. */
MUST_USE enum st train_check_losses(const struct train *t, double loss, uint64_t steps);

/* Evaluation only, yet with what a backward pass needs. Net and device are borrowed. Caller closes. */
MUST_USE enum st train_open_gradients(struct ocl_device *device, const struct nn_net *net,
                                      const struct train_scaling *scaling, int batch, struct train **out);
/* As train_load(), of a file that need not be of these layers alone unless it is of `all` of its net. */
MUST_USE enum st train_load_layers(struct train *t, const char *path, bool all);
/* Outputs (n, classes) for the n pictures of a split, through phi; as train_predict() where that is NULL. WAITS. */
MUST_USE enum st train_outputs(struct train *t, const struct data_split *pictures, const struct mx_activation *phi,
                               float *out);

/* What the epoch came to so far, from the sums over its samples. */
void train_fill_epoch(const struct train *t, struct train_epoch *out);
/* A clock that stands while kernels are compiled. */
struct train_clock {
    uint64_t ns, compiling_ns;
};
struct train_clock train_clock_start(void);
uint64_t train_clock_between(struct train_clock since, struct train_clock now); /* nanoseconds */
/* The time between the two goes to the epoch, and `since` becomes `now`. */
void train_clock_take(struct train *t, struct train_clock *since, struct train_clock now);
/* The next epoch's sums and order of samples, where it has not begun. */
MUST_USE enum st train_begin_epoch(struct train *t);
/* Behind a step or several: an epoch that is over counts. */
void train_end_steps(struct train *t);

/* ---- looking inside ---------------------------------------------------------------------------------------------- */

struct train_view {
    struct nn_net *net;       /* the layers, without the activation that they may end in */
    struct mx_activation top; /* that one, or identity */
    struct train *train;      /* of `net`, opened for gradients */
    struct train_scaling scaling;
};

#endif

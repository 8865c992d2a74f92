/*
 * train: the loop that trains a net on one device, evaluation, prediction, checkpoints. One thread; the reference that
 * every other way of training must equal. Stands on nn, data and store.
 */
#ifndef CLUTCH_TRAIN_H
#define CLUTCH_TRAIN_H

#include "data.h"
#include "nn.h"

/* ---- what to do -------------------------------------------------------------------------------------------------- */

struct train_options {
    int epochs, batch;
    char optimizer[NN_WORD_MAX];     /* a name of train_optimizer_name() */
    char schedule[NN_WORD_MAX];      /* a name of train_schedule_name() */
    double lr, momentum, weight_decay;
    bool nesterov;
    double warmup;                   /* epochs over which the rate rises from 0 to lr */
    uint64_t seed;
    bool stream;                     /* keep pictures in host memory even where they fit the device */
};

/* adam, lr 1e-3, cosine, batch 128, 10 epochs, seed 1 */
struct train_options train_defaults(void);
const char *train_optimizer_name(int i); /* NULL behind the last */
const char *train_schedule_name(int i);
/* ST_INPUT names the option, its value and what is allowed. */
MUST_USE enum st train_check_options(const struct train_options *o);
/* The rate of step `step` (from 0) of `steps`, as the schedule and warm-up have it. */
double train_rate(const struct train_options *o, uint64_t step, uint64_t steps, uint64_t steps_per_epoch);

/* How pixels become inputs: x = (pixel / 255 - mean) / deviation, per channel. */
enum { TRAIN_CHANNELS_MAX = 16 };
struct train_scaling {
    int channels; /* of the pictures, which a net may take as one vector */
    double mean[TRAIN_CHANNELS_MAX], deviation[TRAIN_CHANNELS_MAX];
};

/* ---- a net on a device ------------------------------------------------------------------------------------------- */

struct train; /* a net with its memory on one device; used by one thread */

/* Memory of everything on the device, in bytes. */
struct train_memory {
    struct nn_memory net;
    uint64_t batch, pictures; /* a gathered batch with its losses; the data set, or its share while streaming */
    uint64_t total, available;
    bool streams;             /* pictures stay in host memory and are sent as they are needed */
};

/* Plans, refuses what does not fit (ST_INPUT with the figures), and makes all buffers and kernels. With `set`, its
 * splits are what train_epoch and train_evaluate use, and shapes and classes must fit the net (ST_INPUT); with
 * `options`, it can be trained. Net, options, set and device are borrowed. `memory` is filled as soon as it is known,
 * also on refusal; may be NULL. Caller closes. */
MUST_USE enum st train_open(struct ocl_device *device, const struct nn_net *net, const struct train_options *options,
                            const struct data_set *set, const struct train_scaling *scaling, int batch,
                            struct train_memory *memory, struct train **out);
void train_close(struct train *t); /* accepts NULL */
struct nn_module *train_module(struct train *t);
struct mx *train_mx(struct train *t);

MUST_USE enum st train_init(struct train *t); /* weights and data order from the seed; epoch 0 */

struct train_result {
    double loss, accuracy; /* mean over samples; accuracy 0..1 */
    uint64_t samples;
};

struct train_epoch {
    int epoch;          /* from 1 */
    uint64_t step;      /* since the start of training */
    double seconds;     /* of training, evaluation not counted */
    double rate;        /* learning rate of the last step */
    double busy;        /* share of wall time the device computed, from one timed step in a hundred; NAN: not known */
    struct train_result train;
};

/* Called about every hundred steps with what is done of this epoch: steps, of how many, and the results so far. */
struct train_watch {
    void (*progress)(void *user, const struct train_epoch *sofar, uint64_t done, uint64_t of);
    void *user;
};

/* One epoch over the training split. The device is waited for at most once in 100 steps. A loss that is not finite is
 * ST_NUMERIC with advice. `watch` may be NULL. */
MUST_USE enum st train_epoch_run(struct train *t, const struct train_watch *watch, struct train_epoch *out);
/* `n` steps on, within or across epochs; losses (n) of each step's batch. For tests and benchmarks. WAITS at the end.
 * */
MUST_USE enum st train_steps(struct train *t, int n, double *losses);

/*
 * Where a step's time goes. Steps are traced as training runs them, many in a row with one wait behind them, as far as
 * OCL_TRACE_MAX launches and an epoch reach; the best of several such windows is what counts. Figures are per step, and
 * the times of the kernels, between_ns and outside_ns add up to traced_ns. Launches that a library makes within one
 * call and does not tell of are in between_ns.
 */
enum { TRAIN_KERNELS_MAX = 64 };
struct train_kernel {
    const char *name; /* lives as long as the train */
    double launches, ns, flops, bytes;
};
struct train_profile {
    double wall_ns;    /* best of five windows of 100 steps as training runs them: one step traced */
    double median_ns;  /* their median */
    double traced_ns;  /* wall time of the best traced window */
    double between_ns; /* of that: on the device, from one launch's end to the start of the next */
    double outside_ns; /* of that: before the first launch starts and after the last one ended */
    int steps;         /* of a traced window */
    int kernel_count;  /* in the order of first launch */
    struct train_kernel kernel[TRAIN_KERNELS_MAX];
};
/* Trains on while measuring. ST_DEVICE where the device does not tell times. WAITS. */
MUST_USE enum st train_profile_run(struct train *t, int windows, struct train_profile *out);
int train_epochs_done(const struct train *t);
uint64_t train_steps_done(const struct train *t);

enum train_split { TRAIN_TRAINING, TRAIN_VALIDATION, TRAIN_TEST };
MUST_USE enum st train_evaluate(struct train *t, enum train_split split, struct train_result *out);
/* Probabilities (n, classes) for the n pictures of a split, whose labels are not looked at. WAITS. */
MUST_USE enum st train_predict(struct train *t, const struct data_split *pictures, float *probabilities);

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* model.safetensors: parameters and state under PyTorch's names and shapes. */
MUST_USE enum st train_save(struct train *t, const char *path);
MUST_USE enum st train_load(struct train *t, const char *path);
/* All that is needed to go on to the bit: parameters, state, optimiser slots, epoch and step. Between epochs only. */
MUST_USE enum st train_save_checkpoint(struct train *t, const char *path);
MUST_USE enum st train_load_checkpoint(struct train *t, const char *path);

#endif

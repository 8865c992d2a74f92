/*
 * train: the loop that trains a net on one device, in one thread: the reference that every other way of training must
 * equal; modules that train on devices of their own, a thread each; evaluation, prediction, checkpoints. Stands on sg,
 * plan, data and store.
 */
#ifndef CLUTCH_TRAIN_H
#define CLUTCH_TRAIN_H

#include "data.h"
#include "plan.h"
#include "sg.h"
#include "store.h"

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
/* False where `option` ("momentum") is of other optimisers, and has no effect with this one. */
bool train_heeds(const struct train_options *o, const char *option);
/* All that is in force but the seed, in one line: the optimiser with its own, rate, schedule, batch, epochs. */
void train_options_show(const struct train_options *o, struct text *out);
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

/* ---- where to train ---------------------------------------------------------------------------------------------- */

/* A module for each section of the net, in its order. */
struct train_placement {
    const struct plan_device *device; /* borrowed */
    int device_count;
    int on[PLAN_MODULES_MAX];         /* device of each module */
    struct sg_spec coupling[PLAN_MODULES_MAX]; /* at the cut above each module but the last */
    bool lockstep; /* every target is waited for within its step: slower, and the same bits each time */
    int queue;     /* messages a mailbox holds */
};
enum { TRAIN_QUEUE = 4, TRAIN_QUEUE_MAX = 1024 };

/* Couplings as the net's cuts name them; where a cut names none, or `words` is not NULL, those. ST_INPUT names the line
 * of the cut. */
MUST_USE enum st train_couplings(const struct nn_net *net, const char *words, struct sg_spec out[PLAN_MODULES_MAX]);

/* ---- a net on its devices ---------------------------------------------------------------------------------------- */

struct train; /* a net with its memory on one device, or in modules on several; used by one thread */

/* Memory of everything on the device, in bytes; in modules: of all, on all devices. */
struct train_memory {
    struct nn_memory net;
    uint64_t couplings;       /* synthetic gradient modules and the like, with what they keep */
    uint64_t batch, pictures; /* a gathered batch with its losses; the data set, or its share while streaming */
    uint64_t total, available;
    bool streams;             /* pictures stay in host memory and are sent as they are needed */
};

/* ST_INPUT where the pictures or classes of a set do not fit the net; train_open() asks too. */
MUST_USE enum st train_check_set(const struct nn_net *net, const struct data_set *set);
/* Plans, refuses what does not fit (ST_INPUT with the figures), and makes all buffers and kernels. With `set`, its
 * splits are what train_epoch and train_evaluate use, and shapes and classes must fit the net (ST_INPUT); with
 * `options`, it can be trained. Net, options, set and device are borrowed. `memory` is filled as soon as it is known,
 * also on refusal; may be NULL. Caller closes. */
MUST_USE enum st train_open(struct ocl_device *device, const struct nn_net *net, const struct train_options *options,
                            const struct data_set *set, const struct train_scaling *scaling, int batch,
                            struct train_memory *memory, struct train **out);
/* The same in modules, for training; none of the arguments may be NULL but `memory`. The placement is copied, its
 * devices are borrowed. */
MUST_USE enum st train_open_modules(const struct train_placement *placement, const struct nn_net *net,
                                    const struct train_options *options, const struct data_set *set,
                                    const struct train_scaling *scaling, struct train_memory *memory,
                                    struct train **out);
void train_close(struct train *t); /* accepts NULL */

/* What a module is; 0 is the lowest. A net on one device is one module. */
struct train_module {
    const char *device; /* its label */
    int first, count;   /* layers */
    struct nn_module *module;
    const struct mx *mx;
    struct sg_coupling *coupling; /* at the cut above it; NULL: none, or one without nets */
    const struct sg_spec *spec;   /* NULL: the last module */
    bool emulated;
};
int train_module_count(const struct train *t);
struct train_module train_module_at(struct train *t, int k);
/* One tensor of the net, as nn_tensor_at(net, tensor) names it. WAITS. */
MUST_USE enum st train_read(struct train *t, int tensor, enum nn_part part, int slot, float *out);
MUST_USE enum st train_write(struct train *t, int tensor, enum nn_part part, int slot, const float *in);

MUST_USE enum st train_init(struct train *t); /* weights and data order from the seed; epoch 0 */
/* Steps go in chains from the next one on where the device has them, not only behind the first 100 (ocl_chain_at_once):
 * to have them compiled before something is timed. */
void train_chain_at_once(struct train *t);

struct train_result {
    double loss, accuracy; /* mean over samples; accuracy 0..1 */
    uint64_t samples;
};

struct train_epoch {
    int epoch;          /* from 1 */
    bool whole;         /* false: a pause ended the call within the epoch, of which this is the part so far */
    uint64_t step;      /* since the start of training */
    double seconds;     /* of training; evaluation, compiling and whatever stands between two calls not counted. With
                           emulated devices all times are those of the emulation */
    double rate;        /* learning rate of the last step */
    struct train_result train;
    int modules;
    struct train_module_epoch {
        double busy;        /* share of time that the device computed for it, from timed steps; NAN: not known */
        double stale_steps; /* mean of how many steps late targets came; 0 where none come */
        uint64_t stale_most;
        uint64_t updates, targets; /* of the module; targets learned from */
        /* shares of time that its thread waited: for the module below, for the one above to take what it has,
         * for the gradient it needs */
        double wait_input, wait_space, wait_gradient;
    } module[PLAN_MODULES_MAX];
};

struct train_watch {
    /* Called about every hundred steps with what is done of this epoch: steps, of how many, and the results so far. */
    void (*progress)(void *user, const struct train_epoch *sofar, uint64_t done, uint64_t of);
    /* Asked before each step with its number since the start of training, from 0: true lets the call end behind this
     * step. From another thread where there are modules. NULL: never. */
    bool (*pause)(void *user, uint64_t step);
    void *user;
};

/* One epoch over the training split, or what is left of it: after a pause, and after a checkpoint from within an epoch,
 * the next call goes on there, to the bits of an epoch without them (in modules: where they run in lockstep). The
 * device is waited for at most once in 100 steps. A loss that is not finite, or absurd (the epoch's mean above
 * TRAIN_ABSURD times that of a net that only guesses, after 50 steps or a whole epoch), is ST_NUMERIC with
 * advice. `watch` may be NULL. */
enum { TRAIN_ABSURD = 100 };
MUST_USE enum st train_epoch_run(struct train *t, const struct train_watch *watch, struct train_epoch *out);
/* `n` steps on, within or across epochs; losses (n) of each step's batch. For tests and benchmarks. WAITS at the end.
 * */
MUST_USE enum st train_steps(struct train *t, int n, double *losses);

/*
 * Where a step's time goes. Steps are traced, launched kernel by kernel, many in a row with one wait behind them, as
 * far as OCL_TRACE_MAX launches and an epoch reach; the best of several such windows is what counts. Figures are per
 * step, and the times of the kernels, between_ns and outside_ns add up to traced_ns. Launches that a library makes
 * within one call and does not tell of are in between_ns.
 */
enum { TRAIN_KERNELS_MAX = 64 };
struct train_kernel {
    const char *name; /* lives as long as the train */
    double launches, ns, flops, bytes;
};
struct train_profile {
    double wall_ns;    /* best of five windows of 100 steps as training runs them, in chains where there are such */
    double median_ns;  /* their median */
    double launches;   /* a step, in those */
    double traced_ns;  /* wall time of the best traced window, in which each kernel is launched alone */
    double between_ns; /* of that: on the device, from one launch's end to the start of the next */
    double outside_ns; /* of that: before the first launch starts and after the last one ended */
    int steps;         /* of a traced window */
    int kernel_count;  /* in the order of first launch */
    struct train_kernel kernel[TRAIN_KERNELS_MAX];
};
/* Trains on while measuring. ST_DEVICE where the device does not tell times. WAITS. */
MUST_USE enum st train_profile_run(struct train *t, int windows, struct train_profile *out);
/* How good the gradients at the cuts are: on one batch that was just trained on, each coupling's delta against the true
 * one, back-propagated through all modules as they are now; over all elements of the batch. */
struct train_alignment {
    double cosine;     /* NAN where one of the two is zero */
    double norm_ratio; /* |coupling's| / |true|; NAN where the true one is zero */
};
/* One for each cut; cuts whose coupling is exact give 1 and 1, frozen ones NAN. Between epochs. WAITS. */
MUST_USE enum st train_probe(struct train *t, struct train_alignment out[PLAN_MODULES_MAX]);

/* What devices and threads did in some steps of an epoch, on the clock of clock_ns(). */
struct train_span {
    const char *name; /* a kernel, a piece of work on an emulated device, or what a thread waited for */
    int module;
    bool waiting;     /* of the module's thread, else of its device */
    uint64_t step, start_ns, end_ns;
};
/* The spans recorded so far, module by module and in the order of their starts; *n of them, valid until the next call.
 * Those of kernels are on the device's clock as far as it can be compared; all of a window have its first step. */
MUST_USE enum st train_spans(struct train *t, const struct train_span **spans, int *n);

int train_epochs_done(const struct train *t); /* whole ones */
uint64_t train_steps_done(const struct train *t);
uint64_t train_steps_per_epoch(const struct train *t);
double train_seconds(const struct train *t); /* of training since its start, counted as in struct train_epoch */

enum train_split { TRAIN_TRAINING, TRAIN_VALIDATION, TRAIN_TEST };
MUST_USE enum st train_evaluate(struct train *t, enum train_split split, struct train_result *out);
/* Probabilities (n, classes) for the n pictures of a split, whose labels are not looked at; the net's outputs where its
 * loss makes no probabilities of them. WAITS. */
MUST_USE enum st train_predict(struct train *t, const struct data_split *pictures, float *out);

/* ---- looking inside a trained net -------------------------------------------------------------------------------- */

/* The first `layers` layers of a net, with the weights of a model.safetensors, for evaluation: what they make of
 * pictures, and which pictures excite them. A cut must be allowed behind them (nn_net_may_cut, or all layers). */
struct train_view;
MUST_USE enum st train_view_open(struct ocl_device *device, const struct nn_net *net, int layers, const char *model,
                                 const struct train_scaling *scaling, int batch, struct train_view **out);
void train_view_close(struct train_view *v); /* accepts NULL */
int train_view_size(const struct train_view *v); /* values of an output */
/* Outputs (n, size) of the n pictures of a split, whose labels are not looked at. WAITS. */
MUST_USE enum st train_view_outputs(struct train_view *v, const struct data_split *pictures, float *out);

/*
 * Inputs that excite units most, by gradient ascent from the mean of the data through the net's own kernels (Erhan et
 * al., "Visualizing higher-layer features of a deep network", 2009); between steps the picture is blurred a little and
 * pulled to the mean, which keeps it smooth enough to be seen (Yosinski et al., arXiv 1506.06579), and its gradient is
 * that of the picture in several places at once. Where the layers end in an activation, what rises is its input.
 */
struct train_excite {
    int steps;
    double rate;  /* length of a step, in units of the whole picture's deviation */
    double blur;  /* standard deviation of the Gaussian blur, in pixels; it falls to a quarter over the steps */
    double decay; /* share of the difference to the mean that is taken away in each step */
    int jitter;   /* pixels that a picture's places lie off at most, each way: (2 jitter + 1)^2 passes a step */
};
struct train_excite train_excite_defaults(void);
/* unit: (n), each below train_view_size(). pixels: (n, C, H, W) in 0..1; before, after: (n) outputs of the units at the
 * start and at the end; equal where nothing was found that excites a unit. The same arguments give the same bits on one
 * device. WAITS. */
MUST_USE enum st train_view_excite(struct train_view *v, const struct train_excite *how, const int *unit, int n, int h,
                                   int w, float *pixels, float *before, float *after);

/* Representation dissimilarity matrix (Kriegeskorte et al. 2008): 1 - Pearson's correlation between the rows of
 * (n, size); NAN where a row is constant. out: (n, n), symmetric, its diagonal 0. */
void train_dissimilarity(const float *rows, int n, int size, double *out);

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* model.safetensors: parameters and state under PyTorch's names and shapes. `metadata`: what else its header shall say,
 * as store_tensors_write() takes it. */
MUST_USE enum st train_save(struct train *t, const char *path, const char *const *metadata);
/* couplings.safetensors: those of the couplings' own nets, as cutK.netI.NAME; *none where there are no such. */
MUST_USE enum st train_save_couplings(struct train *t, const char *path, bool *none);
/* Tensors in the file that are none of the net's are named in a note. */
MUST_USE enum st train_load(struct train *t, const char *path);
/* Copies of all weight matrices (parameters of two dimensions or more), under the names and in the order of train_save,
 * behind them those of train_save_couplings. WAITS. Caller frees. */
struct train_matrices {
    struct arena arena;
    struct store_tensor *tensor; /* in the arena, as are their values */
    int n, own;                  /* all, and the first of them that are the net's */
};
MUST_USE enum st train_matrices_read(struct train *t, struct train_matrices *out);
uint64_t train_matrices_bytes(const struct train *t); /* of their values */
void train_matrices_free(struct train_matrices *m);   /* accepts one of zeros */
/* All that is needed to go on to the bit: parameters, state, optimiser slots, couplings, steps, and what the epoch
 * under way came to so far. Between two calls of train_epoch_run(). */
MUST_USE enum st train_save_checkpoint(struct train *t, const char *path);
/* ST_INPUT where it is damaged, or of another run. */
MUST_USE enum st train_load_checkpoint(struct train *t, const char *path);
/* How far the run of a checkpoint is, without a device: whole epochs, and steps. */
MUST_USE enum st train_checkpoint_look(const char *path, int64_t *epoch, int64_t *step);
/* Writes the model, or the couplings, of a checkpoint to `path`, as train_save() and train_save_couplings() would have,
 * where the file there is not already that; *written: it was not. */
MUST_USE enum st train_checkpoint_extract(const char *checkpoint, bool couplings, const char *path,
                                          const char *const *metadata, bool *written);

#endif

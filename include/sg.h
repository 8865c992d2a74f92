/*
 * sg: couplings, which give a module its gradient at the cut above it, and mailboxes, through which modules on
 * different devices exchange activations and gradients. Stands on nn.
 *
 * A module hands its output h (B, n) up. What comes back is `delta`, the gradient of each sample's own loss at h
 * (without the factor 1/B). Where a coupling guesses it, no module waits for the ones above (Jaderberg et al.,
 * "Decoupled Neural Interfaces using Synthetic Gradients", arXiv 1608.05343).
 */
#ifndef CLUTCH_SG_H
#define CLUTCH_SG_H

#include "nn.h"

/* ---- kinds of coupling: one file and one row in the table of src/sg/table.c each --------------------------------- */

enum { SG_OPTIONS_MAX = 8, SG_NETS_MAX = 2 };

/* A coupling as it was asked for at one cut. */
struct sg_spec {
    const struct sg_kind *kind;
    double option[SG_OPTIONS_MAX]; /* in the order of kind->options */
};

const struct sg_kind *sg_kind_at(int i); /* NULL behind the last */
const char *sg_kind_name(const struct sg_kind *kind);
const char *sg_kind_solver(const struct sg_kind *kind); /* which of the kinds of that name; NULL: there is one */
const char *sg_kind_help(const struct sg_kind *kind);

/* `words` as in "csg hidden=1": a kind and its options; "" is the default, csg. ST_INPUT names the word and what is
 * known; the caller adds where it stands. */
MUST_USE enum st sg_spec_parse(const char *words, struct sg_spec *out);
/* The same in words again, options that are not the default named. Writes at most `size` bytes, returns `out`. */
const char *sg_spec_show(const struct sg_spec *spec, char *out, size_t size);

/* Locked: the module waits, within a step, for the gradient from above. */
bool sg_waits(const struct sg_spec *spec);
/* The module above sends its gradient at its input down: because this one waits for it, or learns from it. */
bool sg_wants_targets(const struct sg_spec *spec);
/* The module is not trained at all. */
bool sg_frozen(const struct sg_spec *spec);
/* It has something to open: exact and none do not. */
bool sg_net_wanted(const struct sg_spec *spec);
/* Samples that its nets need to train on. */
int sg_batch_min(const struct sg_spec *spec);
/* Samples that a step's batch is cut into (exact as a pipeline, GPipe, arXiv 1811.06965); 1 for all others. */
int sg_micro_batches(const struct sg_spec *spec);
/* Probability with which a step updates the module. */
double sg_update_probability(const struct sg_spec *spec);
/* Multiply-accumulates of one sample that the coupling costs the module below the cut, in a training step of `batch`
 * samples; n: size of h. */
uint64_t sg_macs(const struct sg_spec *spec, int n, int classes, int batch);

/* ---- a coupling on the lower module's device --------------------------------------------------------------------- */

struct sg_coupling; /* used by one thread */

/* Learning of the coupling's own parameters, always by Adam. */
struct sg_learning {
    double share;  /* of the coupling's own rate that the schedule leaves, 0..1 */
    uint64_t step; /* from 0 */
};

/* Bytes on the device. `ring`: steps whose targets may be under way at once, 1 or more. */
MUST_USE enum st sg_memory_plan(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring,
                                uint64_t *bytes);
/* Buffers and kernels made, parameters undefined until sg_init or nn_module_write. Caller closes before the queue. */
MUST_USE enum st sg_open(const struct sg_spec *spec, struct ocl_queue *q, int n, int classes, int batch, int ring,
                         struct sg_coupling **out);
void sg_close(struct sg_coupling *c); /* accepts NULL */
/* Starting values, the same wherever the seed and the cut are: a synthetic gradient module answers zero. WAITS. */
MUST_USE enum st sg_init(struct sg_coupling *c, uint64_t seed, int cut);

/* delta (B, n) from h (B, n) and labels (uint32, B). A coupling that learns from targets keeps what sg_learn() of this
 * step will need; a local one learns at once. delta.buf NULL: nothing but that is wanted, the module is not updated in
 * this step. Not for exact and none. */
MUST_USE enum st sg_gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h,
                             struct ocl_buf *labels, struct mx_tensor delta);
/* The true gradient of the oldest step kept has come: `target` (B, n), from which to learn. No rows: there is none of
 * this step. */
MUST_USE enum st sg_learn(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor target);
/* delta = lambda target + (1 - lambda) delta: a coupling that both waits and guesses, BP(lambda). */
MUST_USE enum st sg_mix(struct sg_coupling *c, struct mx_tensor target, struct mx_tensor delta);
/* What sg_gradient() would give with the parameters as they are; learns nothing and keeps nothing. */
MUST_USE enum st sg_guess(struct sg_coupling *c, struct mx_tensor h, struct ocl_buf *labels, struct mx_tensor delta);
int sg_kept(const struct sg_coupling *c); /* steps whose target is to come */

/* The coupling's nets, for saving and drawing; none: exact and none. */
int sg_net_count(const struct sg_coupling *c);
struct nn_module *sg_module(struct sg_coupling *c, int i);
const struct nn_net *sg_net(const struct sg_coupling *c, int i);
int sg_net_slots(const struct sg_coupling *c, int i); /* copies of net i's parameters that its optimiser keeps, or 0 */
/* What it keeps from step to step beside its nets, (rows, cols), for saving. 0 rows: nothing. Both WAIT. */
void sg_state_shape(const struct sg_coupling *c, int *rows, int *cols);
MUST_USE enum st sg_state_read(struct sg_coupling *c, float *out);
MUST_USE enum st sg_state_write(struct sg_coupling *c, const float *in);
uint64_t sg_updates(const struct sg_coupling *c); /* that its nets have had; a checkpoint keeps them */
void sg_set_updates(struct sg_coupling *c, uint64_t n);

/* ---- mailboxes: bounded, first in first out, one thread sends and one takes -------------------------------------- */

struct sg_message {
    uint64_t step;
    int rows;         /* 0: there is nothing of this step, and the receiver need not wait for it */
    float *data;      /* (rows, n) */
    uint32_t *labels; /* (rows); NULL in a mailbox without */
    uint64_t ready_ns; /* when it is there: later than it was sent where an emulated link takes time; or free again */
};

struct sg_link {
    double latency_ns, bytes_per_ns; /* bandwidth 0: no limit */
};

struct sg_mailbox_counts {
    uint64_t sent, taken;
    int most; /* messages that were in it at once */
};

struct sg_mailbox;

/* `capacity` messages of at most `rows` rows of n floats, in memory pinned for the sender's queue. Caller closes before
 * the queue. */
MUST_USE enum st sg_mailbox_open(struct ocl_queue *sender, int capacity, int rows, int n, bool labels,
                                 struct sg_link link, struct sg_mailbox **out);
void sg_mailbox_close(struct sg_mailbox *m); /* accepts NULL */
/* Before its first use: the threads at its ends go by the clocks of these emulated devices, of one emulator. */
void sg_mailbox_emulate(struct sg_mailbox *m, struct ocl_emulated *from, struct ocl_emulated *to);

/* The sender: the next free message, to be filled and then sent, in order; *out is NULL where all are in use and `wait`
 * is false. With `wait` it blocks until one is free. ST_STOPPED once the mailbox was stopped. */
MUST_USE enum st sg_mailbox_claim(struct sg_mailbox *m, bool wait, struct sg_message **out);
void sg_mailbox_send(struct sg_mailbox *m, struct sg_message *message);
/* The receiver: the oldest message sent, which stays its own until it is released, in order. As claim. A message whose
 * ready_ns is to come counts as there only with `wait`, and is returned at that time. */
MUST_USE enum st sg_mailbox_take(struct sg_mailbox *m, bool wait, struct sg_message **out);
void sg_mailbox_release(struct sg_mailbox *m, struct sg_message *message);
/* From any thread: all calls that block, now or later, return ST_STOPPED. */
void sg_mailbox_stop(struct sg_mailbox *m);
struct sg_mailbox_counts sg_mailbox_counts(struct sg_mailbox *m);

#endif

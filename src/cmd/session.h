/* A training run as the files of `clutch train` share it; nobody else includes this. */
#ifndef CLUTCH_CMD_SESSION_H
#define CLUTCH_CMD_SESSION_H

#include "pictures.h"
#include "progress.h"

#include <limits.h>

/* Everything a run holds, opened in this order and closed in the other. */
struct session {
    struct run_facts facts;
    struct run_facts repeated; /* of the run that this one repeats; else zeros */
    struct nn_net *net;
    struct store_run *run;
    const char *folder;
    struct data_set *set;
    struct modules modules;
    struct train *train;
    struct drawer *drawer; /* NULL: nothing is drawn */
    struct progress progress;
    bool json;             /* metrics alone are printed */
    struct train_alignment alignment[PLAN_MODULES_MAX]; /* of the last epoch, at the cut above each module */

    uint64_t save_at_ns;   /* when the next checkpoint within an epoch is due; UINT64_MAX: never */
    int changes_made;      /* of the repeated run's, which are made at their steps again */
    int restores;          /* from divergence, in this process */
    int done;              /* epochs of a run that was found finished */
    int best_epoch;        /* whose weights model-best.safetensors has; 0: none */
    uint64_t best_step;
    double best_accuracy;  /* of the held-out split then: validation where there is one, else test */
    char data_path[PATH_MAX]; /* what facts.data_path points to, unless it was read */
};

struct wishes {
    const char *net, *data, *devices, *couple, *out, *resume, *repeat;
    bool json, force, no_tune, lockstep, fresh;
    struct cuts_wish cuts;
    int64_t queue, epochs, batch, seed, limit, validation, draw_every, patience, keep;
    double checkpoint_minutes;
    const char *optimizer, *schedule, *on_divergence;
    const char *cut_option; /* that was given, and has an effect at cuts alone; NULL: none */
    struct train_options options;
    struct {
        bool epochs, lr, patience, keep, checkpoint, divergence; /* what --resume may change was asked for */
    } given;
};

/* The command line, checked; *help: it was asked for, and was printed. */
MUST_USE enum st wishes_read(int argc, char **argv, struct wishes *w, bool *help);
/* What is printed before a run starts: net, data, devices, memory, and all settings in force. */
MUST_USE enum st head_print(const struct session *c, const struct train_memory *m);

/* ---- opening: train_open.c --------------------------------------------------------------------------------------- */

MUST_USE enum st session_start(struct session *c, const struct wishes *w);
/* *finished: there is nothing left to train, which was told; devices were not opened. */
MUST_USE enum st session_resume(struct session *c, const struct wishes *w, bool *finished);
MUST_USE enum st session_repeat(struct session *c, const struct wishes *w);
/* The net on its devices anew, with the weights of the last checkpoint. */
MUST_USE enum st session_reopen(struct session *c);
void session_close(struct session *c);

/* ---- keeping: train_keep.c --------------------------------------------------------------------------------------- */

bool session_finished(const struct session *c);
bool session_ends_after(const struct session *c, int64_t epochs); /* whether it is finished when so many are done */
/* All files of the run, as training is now. Where an epoch has just ended, `metrics` is its line, and `accuracy` that
 * of the held-out split; else NULL. */
MUST_USE enum st session_save(struct session *c, const char *metrics, double accuracy);
/* Takes a run up from its checkpoint: weights, where the net is open; which epoch is the best so far; and the other
 * files are brought to where the checkpoint is. Where it is damaged, one that was kept before is taken. */
MUST_USE enum st session_load(struct session *c);
/* Without a device: whole epochs and steps that are done by the checkpoint. Changes no file. */
MUST_USE enum st session_look(struct session *c, int64_t *epoch, int64_t *step);
void session_set_next_save(struct session *c); /* of a checkpoint within an epoch: from now on */
/* After ST_NUMERIC: back to the last checkpoint, and on from there with half the rate. */
MUST_USE enum st session_restore(struct session *c);

#endif

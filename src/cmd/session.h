/* A training run as the files of `clutch train` share it; nobody else includes this. */
#ifndef CLUTCH_CMD_SESSION_H
#define CLUTCH_CMD_SESSION_H

#include "pictures.h"

/* Everything a run holds, opened in this order and closed in the other. */
struct session {
    struct run_facts facts;
    struct nn_net *net;
    struct data_set *set;
    struct modules modules;
    struct train *train;
    struct store_run *run;
    struct drawer *drawer; /* NULL: nothing is drawn */
    const char *folder;
    double seconds; /* of training, since the start of the run */
    struct train_alignment alignment[PLAN_MODULES_MAX]; /* of the last epoch, at the cut above each module */
};

struct wishes {
    const char *net, *data, *devices, *couple, *out, *resume;
    bool json, force, no_tune, lockstep, fresh;
    struct cuts_wish cuts;
    int64_t queue, epochs, batch, seed, limit, validation, draw_every;
    const char *optimizer, *schedule;
    const char *cut_option; /* that was given, and has an effect at cuts alone; NULL: none */
    struct train_options options;
};

/* The command line, checked; *help: it was asked for, and was printed. */
MUST_USE enum st wishes_read(int argc, char **argv, struct wishes *w, bool *help);
/* What is printed before a run starts: net, data, devices, memory, and all settings in force. */
MUST_USE enum st head_print(const struct session *c, const struct train_memory *m);

#endif

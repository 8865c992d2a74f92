/* Progress of a training run on stdout. */
#ifndef CLUTCH_CMD_PROGRESS_H
#define CLUTCH_CMD_PROGRESS_H

#include "train.h"

struct progress {
    int epochs, first; /* in all, and done before this start */
    bool json;
    uint64_t start_ns;
};

void progress_open(struct progress *p, int epochs, int done, bool json);
void progress_head(const struct progress *p, bool validation, int modules);
void progress_step(void *user, const struct train_epoch *e, uint64_t done, uint64_t of); /* for struct train_watch */
void progress_epoch(const struct progress *p, const struct train_epoch *e, const struct train_result *held);
/* Below it, where there are several modules: a line each. */
void progress_modules(const struct train_epoch *e, const struct train_alignment *cut);

#endif

/* Measuring for clutch bench: a run of launches is repeated until it lasts, several times over. */
#ifndef CLUTCH_CMD_MEASURE_H
#define CLUTCH_CMD_MEASURE_H

#include "mx.h"

/* Seconds of one call, best and median of the repetitions. */
struct measured {
    double best, median;
};

/* Times `enqueue`, which enqueues the same work at every call. Each repetition enqueues as many calls as fill `seconds`
 * (one at least) and waits once. The first call is not timed. */
MUST_USE enum st measure(struct mx *mx, enum st (*enqueue)(struct mx *mx, void *user), void *user, int repetitions,
                         double seconds, struct measured *out);

/* A launch that does next to nothing: many in a row, and each waited for. */
MUST_USE enum st measure_launch(struct mx *mx, struct measured *in_a_row, struct measured *waited);

/* FLOP/s and bytes/s (read and written) that the device reaches at best. */
struct peaks {
    struct measured fma, copy; /* seconds of one call */
    double flops, bytes;
};
MUST_USE enum st measure_peaks(struct mx *mx, struct peaks *out);

#endif

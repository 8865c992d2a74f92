/*
 * Couplings on the test's device, batches for them, and what their nets compute in double precision.
 */
#ifndef CLUTCH_TESTS_COUPLINGS_H
#define CLUTCH_TESTS_COUPLINGS_H

#include "device.h"

#include "sg.h"

enum { COUPLING_TENSORS_MAX = 32 };

/* Teardown of a test with couplings: closes them, then device_drop. */
int couplings_drop(void **state);
#define COUPLING_TEST(f) cmocka_unit_test_teardown(f, couplings_drop)
/* Ends a case: closes all couplings, then device_done. */
void couplings_done(void);

/* With the starting values of seed 1 and cut 0. Closed by couplings_done. */
struct sg_coupling *coupling_open(const char *words, int n, int classes, int batch, int ring);
/* All parameters of its nets random: those that start at zero would hide what is behind them. */
void coupling_scatter(struct sg_coupling *c, double most);

/* One tensor of net i; host memory until couplings_done. */
float *coupling_tensor(struct sg_coupling *c, int i, int tensor, enum nn_part part, int slot);
/* What it keeps beside its nets, (*rows, *cols); host memory until couplings_done. */
float *coupling_state(struct sg_coupling *c, int *rows, int *cols);
/* Parameters and Adam's moments of all nets agree to the bit, what is kept beside them, and the updates; with `state`
 * running moments too. */
bool coupling_same(struct sg_coupling *a, struct sg_coupling *b, bool state);

/* ---- batches ----------------------------------------------------------------------------------------------------- */

/* Room for `rows` samples, which batch_fill() writes over and over. */
struct batch {
    int rows, n, classes;
    struct mx_tensor h, target, delta; /* (rows, n), rows as last filled */
    struct ocl_buf *labels;
    double *x, *t;   /* the host's h and target */
    uint32_t *label;
};
struct batch batch_new(int rows, int n, int classes);
/* Random h, labels and target for `rows` samples; delta is NaN. */
void batch_fill(struct batch *b, int rows);
/* What the host has of them, to the device. */
void batch_send(struct batch *b);
/* The device's h, labels and target are still what was sent. */
void batch_unchanged(const struct batch *b);
float *batch_delta(const struct batch *b); /* the device's delta */

/* ---- the twin of a net ------------------------------------------------------------------------------------------- */

/* All tensors of net i as doubles, in the order of nn_tensor_at(). */
struct twin {
    const struct nn_net *net;
    double *tensor[COUPLING_TENSORS_MAX];
};
struct twin twin_of(struct sg_coupling *c, int i);
/* y (rows, outputs) of a training pass. */
double *twin_forward(const struct twin *t, int rows, const double *x);

#endif

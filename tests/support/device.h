/*
 * What tests on a device share: one device, queue and mx for the whole program, and pairs of a tensor on the device and
 * its twin on the host, with guards around the device's part.
 *
 * CLUTCH_TEST_DEVICE picks the device (the grammar of ocl.h; default: the best one). CLUTCH_TEST_SMALL=1 is for
 * simulators that check each access themselves and are slow: small sizes, and no guard behind the data, where they
 * would not see a step too far.
 */
#ifndef CLUTCH_TESTS_DEVICE_H
#define CLUTCH_TESTS_DEVICE_H

#include "mx.h"

/* Group setup and group teardown. */
int device_open(void **state);
int device_close(void **state);
/* Teardown of a test, so that what a failed one leaves behind does not fail the next. */
int device_drop(void **state);
#define DEVICE_TEST(f) cmocka_unit_test_teardown(f, device_drop)

struct mx *device_mx(void); /* for all but products */
struct ocl_queue *device_queue(void);
bool device_small(void);
/* An mx of its own with this provider of products, prepared; NULL, with the reason printed, where it cannot be tested.
 * */
struct mx *device_provider(const char *name);

/* Ends a case: fails where anything around a pair or buffer was written to; frees them all and what host memory is
 * below. */
void device_done(void);

/* ---- host memory until device_done ------------------------------------------------------------------------------ */

double *host_doubles(size_t n); /* zeros */
double *host_random(size_t n, double low, double high);
struct rng *host_rng(void); /* the same numbers in every run */

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

/* `t` lies at an odd offset; the twin's values are dense, whatever t.ld is. */
struct pair {
    struct mx_tensor t;
    double *ref;
};

/* Both sides hold `values` rounded to float; NaN everywhere where `values` is NULL. ld >= cols */
struct pair pair_of_ld(int rows, int cols, int ld, const double *values);
struct pair pair_of(int rows, int cols, const double *values);
struct pair pair_new(int rows, int cols); /* NaN */
struct pair pair_random(int rows, int cols, double low, double high);
/* Another pair with the twin's values of `p`. */
struct pair pair_copy(struct pair p);
/* The device's values, dense, as host memory until device_done. */
float *pair_values(struct pair p);

double *pair_sizes(struct pair p); /* |twin| of each element, for pair_within */

/* |device - twin| <= absolute + relative |twin| */
void pair_close(const char *what, struct pair p, double absolute, double relative);
/* |device - twin| <= factor * size[i] for each element */
void pair_within(const char *what, struct pair p, const double *size, double factor);

/* ---- buffers that are no tensors --------------------------------------------------------------------------------- */

/* `data` NULL leaves the guard's pattern in it. */
struct ocl_buf *device_bytes(const void *data, size_t bytes);
void device_read(struct ocl_buf *buf, size_t bytes, void *out);
/* Gives `m` so many floats of scratch, NaN, and not one more. */
void device_scratch(struct mx *m, size_t floats);

/* ---- sizes and activations --------------------------------------------------------------------------------------- */

/* Calls `check` with rows and columns around the widths that kernels work in, every pair, and with many rows. */
void device_shapes(void (*check)(int rows, int cols, struct mx_activation phi), struct mx_activation phi);
/* The same with every activation in turn. */
void device_shapes_acts(void (*check)(int rows, int cols, struct mx_activation phi));

/* What one rounding to float costs, relative: half a unit in the last place of 1. OpenCL C 1.2, table 7.4, allows
 * functions so many units in the last place: 2.5 division, 3 exp, log and sqrt, 5 tanh. One unit is up to two ROUND. */
#define ROUND 0x1p-24

/* Relative error of an activation: tanh 5 units; sigmoid: exp 3, one addition, division 2.5. */
#define ACT_ERROR (12 * ROUND)

/* Every activation in turn, with a slope for the leaky one; i from 0 to MX_ACTS - 1. */
struct mx_activation device_act(int i);

#endif

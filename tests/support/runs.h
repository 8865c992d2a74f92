/* What tests of training share: nets on the test's device with views of the digits, closed behind each test. */
#ifndef CLUTCH_TESTS_RUNS_H
#define CLUTCH_TESTS_RUNS_H

#include "train.h"

#define PLAIN "input 1x28x28; dense 16; relu; dense 10; loss softmax"
#define NORM "input 1x28x28; dense 16; batchnorm; relu; dense 10; loss softmax"
#define ALL_KINDS "input 1x28x28; dense 16; batchnorm; relu; dropout 0.3; dense 12; tanh; dense 10; loss softmax"

struct run {
    struct nn_net *net;
    struct data_set set;
    struct train_scaling scaling;
    struct train_options options;
    struct train *train;
};

/* Group setup and teardown: the device, and the digits, which are drawn once. */
int runs_setup(void **state);
int runs_teardown(void **state);
/* Teardown of a test; may be called within one. */
int runs_drop(void **state);
#define RUNS_TEST(f) cmocka_unit_test_teardown(f, runs_drop)

/* A run not opened yet: batches of 32 of the first n digits, 500 to test, 4 epochs. */
struct run *run_plan(const char *net, uint32_t n);
MUST_USE enum st run_open(struct run *r);
struct train *run_start(struct run *r); /* opened, with weights */
struct train *run_new(const char *net, uint32_t n);
struct train_epoch run_epochs(struct train *t, int n); /* the last one's results */

/* Parameters, state, optimiser slots, epoch and step agree to the bit. */
bool same_bits(struct train *a, struct train *b);

/* ---- in modules -------------------------------------------------------------------------------------------------- */

/* The test's device, and behind it its two halves; where it cannot be split, these are that device again. Good until
 * the group's teardown. */
enum { PLACE_WHOLE, PLACE_HALF, PLACE_OTHER_HALF, PLACES };
const struct plan_device *places(void);
/* All modules on the test's device, with the couplings of the net. */
struct train_placement team_placement(const struct run *r, int queue, bool lockstep);
/* Opened and with weights. */
struct train *team_start(struct run *r, const struct train_placement *p);
struct run *team_new(const char *net, uint32_t n, int queue, bool lockstep);

/* Everything that training changes in the net itself: parameters, state, slots; with `couplings`, the nets of those
 * too. A test's memory: good until runs_drop. */
struct numbers {
    float *at;
    size_t n;
};
struct numbers numbers_of(struct run *r, bool couplings);
bool same_numbers(struct numbers a, struct numbers b);
/* The parameters of module k, or of net i of the coupling above it. */
struct numbers params_of_module(struct run *r, int k);
struct numbers params_of_coupling(struct run *r, int k, int i);

#endif

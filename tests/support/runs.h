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
/* Path of a file in the program's folder; good until the next call. */
const char *in_folder(const char *file);

#endif

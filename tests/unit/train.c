/* The loop on a device: what it learns, what it repeats to the bit, how it takes batches, and what a step may not do.
 * */
#include "support/check.h"
#include "support/device.h"

#include "support/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- learning ---------------------------------------------------------------------------------------------------- */

static void test_learns_digits(void **state)
{
    (void)state;
    struct train *t = run_new(ALL_KINDS, 2000);
    struct train_result before, after;
    double last = INFINITY;
    OK(train_evaluate(t, TRAIN_TEST, &before));
    for (int epoch = 1; epoch <= 4; epoch++) {
        struct train_epoch e = run_epochs(t, 1);
        assert_int_equal(e.epoch, epoch);
        assert_int_equal(e.step, epoch * 63); /* 2000 in batches of 32 */
        assert_int_equal(e.train.samples, 2000);
        assert_true(e.train.loss < last);
        assert_true(e.seconds > 0);
        assert_true(isnan(e.module[0].busy) || (e.module[0].busy > 0 && e.module[0].busy <= 1));
        last = e.train.loss;
    }
    assert_int_equal(train_epochs_done(t), 4);
    assert_int_equal(train_steps_done(t), 4 * 63);
    OK(train_evaluate(t, TRAIN_TEST, &after));
    assert_int_equal(after.samples, 500);
    assert_true(before.accuracy < 0.3); /* ten classes: chance is 0.1 */
    assert_true(after.accuracy > 0.6);
    assert_true(after.loss < before.loss);
    FAILS(ST_INPUT, "nothing to evaluate", train_evaluate(t, TRAIN_VALIDATION, &after));
}

/* ---- the same bits ----------------------------------------------------------------------------------------------- */

static void test_seed_decides_all(void **state)
{
    (void)state;
    struct train *first = run_new(ALL_KINDS, 200), *again = run_new(ALL_KINDS, 200);
    struct run *other = run_plan(ALL_KINDS, 200);
    other->options.seed = 2;
    run_start(other);
    assert_true(same_bits(first, again));
    assert_false(same_bits(first, other->train));
    run_epochs(first, 2);
    run_epochs(again, 2);
    run_epochs(other->train, 2);
    assert_true(same_bits(first, again));
    assert_false(same_bits(first, other->train));
    OK(train_init(first)); /* starts anew: slots of the optimiser too */
    run_epochs(first, 2);
    assert_true(same_bits(first, again));
}

static void test_order_differs_between_epochs_and_seeds(void **state)
{
    (void)state;
    /* a rate that changes next to nothing leaves the order of the batches as what makes their losses differ */
    double loss[3][4];
    for (int i = 0; i < 2; i++) {
        struct run *r = run_plan(PLAIN, 128);
        r->options.lr = 1e-12;
        run_start(r);
        r->options.seed += (uint64_t)i; /* after the weights are drawn: of the order alone */
        OK(train_steps(r->train, 4, loss[i]));
        OK(train_steps(r->train, 4, loss[2]));
    }
    assert_true(fabs(loss[0][0] - loss[1][0]) > 1e-4);
    assert_true(fabs(loss[1][0] - loss[2][0]) > 1e-4);
}

/* Before the first epoch the training split is in its own order: all of it, each sample once. */
static void test_evaluates_what_it_has_not_trained_on(void **state)
{
    (void)state;
    struct train_result before, same;
    struct run *r = run_plan(PLAIN, 300);
    r->set.test = r->set.train;
    OK(train_evaluate(run_start(r), TRAIN_TRAINING, &before));
    OK(train_evaluate(r->train, TRAIN_TEST, &same));
    assert_true(before.loss == same.loss && before.accuracy == same.accuracy);
}

static void test_streamed_equals_resident(void **state)
{
    (void)state;
    /* 808 samples in batches of 4 are more batches than may be under way at once */
    struct train_result resident, streamed;
    struct run *r[2];
    for (int i = 0; i < 2; i++) {
        r[i] = run_plan(ALL_KINDS, 810);
        r[i]->options.batch = 4;
        r[i]->options.stream = i;
        run_epochs(run_start(r[i]), 2);
    }
    assert_true(same_bits(r[0]->train, r[1]->train));
    OK(train_evaluate(r[0]->train, TRAIN_TEST, &resident));
    OK(train_evaluate(r[1]->train, TRAIN_TEST, &streamed));
    assert_true(resident.loss == streamed.loss && resident.accuracy == streamed.accuracy);
}

/* Two epochs, launched one by one and in chains. */
static void check_chained(const char *net, const char *optimizer)
{
    struct run *r[2];
    for (int i = 0; i < 2; i++) {
        setenv("CLUTCH_CHAIN", i ? "on" : "off", 1);
        r[i] = run_plan(net, 810); /* the last batch is smaller */
        snprintf(r[i]->options.optimizer, sizeof r[i]->options.optimizer, "%s", optimizer);
        run_epochs(run_start(r[i]), 2);
    }
    unsetenv("CLUTCH_CHAIN");
    assert_true(same_bits(r[0]->train, r[1]->train));
    runs_drop(NULL);
}

static void test_chained_equals_one_by_one(void **state)
{
    (void)state;
    check_chained(ALL_KINDS, "adam");
    check_chained("input 1x28x28; dense 100; leakyrelu; dense 65; sigmoid; dense 10; loss softmax", "sgd");
}

static void test_steps_equal_epochs(void **state)
{
    (void)state;
    struct train *epochs = run_new(ALL_KINDS, 100), *steps = run_new(ALL_KINDS, 100);
    double losses[8], sum = 0;
    struct train_epoch e = run_epochs(epochs, 1);
    OK(train_steps(steps, 3, losses));
    assert_int_equal(train_epochs_done(steps), 0);
    OK(train_steps(steps, 1, losses + 3));
    assert_int_equal(train_epochs_done(steps), 1);
    assert_true(same_bits(epochs, steps));
    for (int i = 0; i < 4; i++)
        sum += losses[i] * (i < 3 ? 32 : 4);
    assert_true(fabs(sum / 100 - e.train.loss) <= 1e-12 * e.train.loss); /* the same sums of floats, in doubles */
    run_epochs(epochs, 2);
    OK(train_steps(steps, 8, losses));
    assert_true(same_bits(epochs, steps));
    run_epochs(steps, 1);
    OK(train_steps(epochs, 4, losses));
    assert_int_equal(train_epochs_done(epochs), 4);
    assert_true(same_bits(epochs, steps));
}

/* ---- batches that do not come out even --------------------------------------------------------------------------- */

static void test_last_batch_is_smaller(void **state)
{
    (void)state;
    static const struct {
        const char *net;
        uint32_t n, steps, samples;
    } row[] = {
        {PLAIN, 96, 3, 96},
        {PLAIN, 97, 4, 97},
        {PLAIN, 20, 1, 20},
        {NORM, 98, 4, 98},
        {NORM, 97, 3, 96}, /* one sample has no variance: left out */
        {NORM, 33, 1, 32},
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        struct train_epoch e = run_epochs(run_new(row[i].net, row[i].n), 1);
        assert_int_equal(e.step, row[i].steps);
        assert_int_equal(e.train.samples, row[i].samples);
        assert_true(e.train.loss > 0 && e.train.loss < 10);
        assert_true(e.train.accuracy >= 0 && e.train.accuracy <= 1);
        runs_drop(state);
    }
}

static void test_batch_larger_than_the_set(void **state)
{
    (void)state;
    struct run *exact = run_plan(ALL_KINDS, 20);
    exact->options.batch = 20;
    struct train *larger = run_new(ALL_KINDS, 20);
    struct train_epoch a = run_epochs(run_start(exact), 3), b = run_epochs(larger, 3);
    assert_true(a.train.loss == b.train.loss);
    assert_true(same_bits(exact->train, larger));
}

static void test_too_few_samples(void **state)
{
    (void)state;
    FAILS(ST_INPUT, "digits: 1 training samples are too few for this net: 2 at least", run_open(run_plan(NORM, 1)));
    struct run *r = run_plan(NORM, 100);
    r->options.batch = 1;
    FAILS(ST_INPUT, "net:3: batchnorm cannot train on batches of 1: 2 samples at least", run_open(r));
}

static void count_progress(void *user, const struct train_epoch *sofar, uint64_t done, uint64_t of)
{
    static const uint64_t want[] = {100, 200, 202};
    int *calls = user;
    assert_true(*calls < 3);
    assert_int_equal(done, want[*calls]);
    assert_int_equal(of, 202);
    assert_int_equal(sofar->epoch, 1);
    assert_int_equal(sofar->train.samples, 4 * done);
    assert_true(sofar->train.loss > 0 && sofar->train.loss < 10);
    ++*calls;
}

static void test_progress_is_told(void **state)
{
    (void)state;
    int calls = 0;
    struct train_epoch e;
    struct run *r = run_plan(PLAIN, 808);
    r->options.batch = 4;
    OK(train_epoch_run(run_start(r), &(struct train_watch){.progress = count_progress, .user = &calls}, &e));
    assert_int_equal(calls, 3);
    assert_true(e.rate == train_rate(&r->options, 201, 4 * 202, 202));
}

/* ---- what a step may not do -------------------------------------------------------------------------------------- */

/*
 * Launches of a step of assets/nets/mlp.net, from the code of the layers:
 *    1  gather
 *    5  five dense forward: a product with the bias in it
 *    8  four batchnorm forward (with relu): moments of chunks, apply
 *    2  softmax with loss, sum of losses
 *    9  five dense backward: product for weights and bias, and but for the first one for the input
 *    8  four batchnorm backward (with relu): sums of chunks, gradient
 *    1  optimiser
 * What the products do besides takes plain kernels and CLBlast launches of their own: 5 for the biases, 10 for their
 * sums; and CLBlast enqueues its 14 products itself.
 */
enum { LAUNCHES = 34, PRODUCTS = 14, BESIDES = 15, STEPS = 200 };

/* `chained`: behind the first 100 steps, which are not. */
static void check_counts(bool stream, bool chained)
{
    struct run *r = run_plan("assets/nets/mlp.net", 808);
    double losses[STEPS];
    int epochs = chained ? 3 : 1; /* until chains are as long as they get */
    r->options.batch = 4;
    r->options.stream = stream;
    struct train *t = run_start(r);
    if (!chained)
        setenv("CLUTCH_CHAIN", "off", 1);
    run_epochs(t, epochs);
    OK(train_steps(t, 1, losses));
    struct ocl_counts before = ocl_counts();
    uint64_t memory = mem_count();
    OK(train_steps(t, STEPS, losses));
    struct ocl_counts after = ocl_counts();
    unsetenv("CLUTCH_CHAIN");
    assert_int_equal(train_epochs_done(t), epochs); /* within one epoch */
    assert_int_equal(mem_count() - memory, 0);
    assert_int_equal(after.buffers - before.buffers, 0);
    assert_int_equal(after.programs - before.programs, 0);
    assert_int_equal(after.kernels - before.kernels, 0);
    assert_int_equal(after.writes - before.writes, stream ? 2 * STEPS : 0); /* pixels and labels */
    assert_in_range(after.waits - before.waits, 1, 2);
    const char *provider = mx_gemm_name(train_module_at(t, 0).mx);
    int launches = LAUNCHES + (strcmp(provider, "tile") ? BESIDES : 0) - (strcmp(provider, "clblast") ? 0 : PRODUCTS);
    if (!chained)
        assert_int_equal(after.launches - before.launches, STEPS * launches);
    else /* a launch is one step at least, and some where the device has its cores to itself */
        assert_in_range(after.launches - before.launches, 1, STEPS);
}

static void test_steps_only_enqueue(void **state)
{
    (void)state;
    check_counts(false, false);
}

static void test_streamed_steps_only_enqueue(void **state)
{
    (void)state;
    check_counts(true, false);
}

static void test_chained_steps_only_enqueue(void **state)
{
    (void)state;
    if (!ocl_has_chains(ocl_queue_device(device_queue())))
        skip();
    check_counts(false, true);
    runs_drop(NULL);
    check_counts(true, true);
}

/* Several steps are traced in a row; their parts add up to their time, and no launch is lost or counted twice. */
static void test_profile_accounts_for_a_step(void **state)
{
    (void)state;
    struct run *r = run_plan("assets/nets/mlp.net", 104);
    r->options.batch = 8; /* epochs of 13 steps, so that windows have to be kept within them */
    struct train *t = run_start(r);
    struct train_profile p;
    double launches = 0, ns = 0;
    enum st s = train_profile_run(t, 3, &p);
    if (s == ST_DEVICE)
        skip(); /* the device does not tell */
    OK(s);
    for (int i = 0; i < p.kernel_count; i++) {
        launches += p.kernel[i].launches;
        ns += p.kernel[i].ns;
    }
    assert_int_equal(p.steps, 13);
    assert_true(fabs(launches - LAUNCHES) <= 1e-9 * LAUNCHES);
    assert_true(ns > 0 && p.between_ns >= 0 && p.wall_ns > 0 && p.wall_ns <= p.median_ns);
    assert_true(fabs(ns + p.between_ns + p.outside_ns - p.traced_ns) <= 1e-9 * p.traced_ns);
    double losses[2];
    OK(train_steps(t, 2, losses)); /* and training goes on */
    assert_true(losses[1] > 0 && losses[1] < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_learns_digits),
        RUNS_TEST(test_seed_decides_all),
        RUNS_TEST(test_order_differs_between_epochs_and_seeds),
        RUNS_TEST(test_evaluates_what_it_has_not_trained_on),
        RUNS_TEST(test_streamed_equals_resident),
        RUNS_TEST(test_chained_equals_one_by_one),
        RUNS_TEST(test_steps_equal_epochs),
        RUNS_TEST(test_last_batch_is_smaller),
        RUNS_TEST(test_batch_larger_than_the_set),
        RUNS_TEST(test_too_few_samples),
        RUNS_TEST(test_progress_is_told),
        RUNS_TEST(test_steps_only_enqueue),
        RUNS_TEST(test_streamed_steps_only_enqueue),
        RUNS_TEST(test_chained_steps_only_enqueue),
        RUNS_TEST(test_profile_accounts_for_a_step),
    };
    return cmocka_run_group_tests_name("train", tests, runs_setup, runs_teardown);
}

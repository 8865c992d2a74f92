/* Pauses within an epoch: where they come, and that a run with them, and one that a checkpoint of a pause begins anew,
 * end with the bits of one without. */
#include "support/check.h"
#include "support/device.h"
#include "support/runs.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 110, STEPS = 4, EPOCHS = 3 }; /* batches of 32, the fourth is smaller */

struct pauses {
    uint64_t at, asked; /* pause behind this step; questions so far */
};

static bool pause_at(void *user, uint64_t step)
{
    struct pauses *p = user;
    p->asked++;
    return step == p->at;
}

/* A net with its cuts. */
static const struct {
    const char *name, *net;
    int modules;
} kinds[] = {
    {"one module", ALL_KINDS, 1},
    {"csg by Adam",
     "input 1x28x28; dense 16; batchnorm; relu; cut csg solver=adam; dense 12; tanh; dropout 0.2; dense 10; "
     "loss softmax",
     2},
    {"sg, csg by Adam",
     "input 1x28x28; dense 16; relu; cut sg solver=adam; dense 12; tanh; cut csg solver=adam p=0.5; dense 10; "
     "loss softmax", 3},
    {"csg, sg by least squares",
     "input 1x28x28; dense 16; relu; cut csg solver=ls error=1; dense 12; tanh; cut sg solver=ls p=0.5 "
     "every=3; dense 10; loss softmax", 3},
    {"local", "input 1x28x28; dense 16; relu; cut local; dense 10; loss softmax", 2},
    {"predsim", "input 1x28x28; dense 16; relu; cut predsim; dense 10; loss softmax", 2},
    {"vir, classmean",
     "input 1x28x28; dense 16; relu; cut vir; dense 12; tanh; cut classmean p=0.5; dense 10; loss softmax", 3},
    {"fixed, vir frozen=1",
     "input 1x28x28; dense 16; relu; cut fixed; dense 12; tanh; cut vir frozen=1; dense 10; loss softmax", 3},
    {"exact", "input 1x28x28; dense 16; relu; cut exact; dense 10; loss softmax", 2},
    {"exact micro=2", "input 1x28x28; dense 16; relu; cut exact micro=2; dense 10; loss softmax", 2},
};

static struct run *open_kind(size_t i)
{
    if (kinds[i].modules > 1)
        return team_new(kinds[i].net, SAMPLES, 2, true);
    struct run *r = run_plan(kinds[i].net, SAMPLES);
    run_start(r);
    return r;
}

static void same_epoch(const struct train_epoch *got, const struct train_epoch *want)
{
    assert_int_equal(got->epoch, want->epoch);
    assert_int_equal(got->step, want->step);
    assert_true(got->train.loss == want->train.loss && got->train.accuracy == want->train.accuracy);
    assert_true(got->rate == want->rate);
    for (int k = 0; k < want->modules; k++) {
        assert_int_equal(got->module[k].updates, want->module[k].updates);
        assert_int_equal(got->module[k].targets, want->module[k].targets);
        assert_true(got->module[k].stale_steps == want->module[k].stale_steps);
    }
}

/* One epoch, whatever pauses are in it; *parts: calls that it took. */
static struct train_epoch whole_epoch(struct train *t, const struct train_watch *watch, int *parts)
{
    struct train_epoch e;
    *parts = 0;
    do {
        OK(train_epoch_run(t, watch, &e));
        ++*parts;
    } while (!e.whole);
    return e;
}

/* Paused behind each step in turn, and there gone on with, in the same process and in one that loads a checkpoint. */
static void check_kind(size_t i)
{
    struct train_epoch want[EPOCHS];
    struct run *undisturbed = open_kind(i);
    for (int e = 0; e < EPOCHS; e++)
        OK(train_epoch_run(undisturbed->train, NULL, &want[e]));
    assert_true(want[0].whole);
    for (uint64_t at = STEPS; at < 2 * STEPS; at++) {
        struct pauses pauses = {.at = at};
        struct train_watch watch = {.pause = pause_at, .user = &pauses};
        struct run *paused = open_kind(i), *loaded = open_kind(i);
        struct train_epoch e;
        int parts;
        OK(train_epoch_run(paused->train, &watch, &e));
        same_epoch(&e, &want[0]);
        OK(train_epoch_run(paused->train, &watch, &e));
        assert_int_equal(e.step, at + 1);
        assert_int_equal(e.whole, at + 1 == 2 * STEPS);
        assert_int_equal(train_epochs_done(paused->train), e.whole ? 2 : 1);
        double seconds = train_seconds(paused->train);
        OK(train_save_checkpoint(paused->train, in_folder("paused")));
        OK(train_load_checkpoint(loaded->train, in_folder("paused")));
        assert_true(fabs(train_seconds(loaded->train) - seconds) < 1e-6);
        for (int epoch = e.whole ? 2 : 1; epoch < EPOCHS; epoch++) {
            e = whole_epoch(paused->train, &watch, &parts);
            same_epoch(&e, &want[epoch]);
            e = whole_epoch(loaded->train, NULL, &parts);
            same_epoch(&e, &want[epoch]);
        }
        assert_int_equal(pauses.asked, EPOCHS * STEPS);
        assert_true(train_seconds(paused->train) > seconds && train_seconds(loaded->train) > seconds);
        assert_true(same_bits(undisturbed->train, paused->train));
        assert_true(same_bits(undisturbed->train, loaded->train));
    }
}

static void test_pauses_change_no_bit(void **state)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        print_message("# %s\n", kinds[i].name);
        check_kind(i);
        runs_drop(state);
    }
}

/* Paused behind each single step. */
static bool always(void *user, uint64_t step)
{
    (void)step;
    ++*(int *)user;
    return true;
}

static void test_a_pause_behind_each_step(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct run *undisturbed = open_kind(i), *paused = open_kind(i);
        int parts, asked = 0;
        struct train_watch watch = {.pause = always, .user = &asked};
        for (int e = 0; e < EPOCHS; e++) {
            whole_epoch(paused->train, &watch, &parts);
            assert_int_equal(parts, STEPS);
        }
        run_epochs(undisturbed->train, EPOCHS);
        assert_int_equal(asked, EPOCHS * STEPS);
        assert_true(same_bits(undisturbed->train, paused->train));
        runs_drop(state);
    }
}

/* Modules that run freely end together, too: all messages taken, all steps counted. */
static void test_free_modules_pause(void **state)
{
    (void)state;
    struct run *r = team_new(kinds[2].net, SAMPLES, 4, false);
    int parts, asked = 0;
    struct train_watch watch = {.pause = always, .user = &asked};
    for (int e = 0; e < EPOCHS; e++) {
        struct train_epoch one = whole_epoch(r->train, &watch, &parts);
        assert_int_equal(parts, STEPS);
        assert_int_equal(one.train.samples, SAMPLES);
        assert_int_equal(one.module[2].updates, STEPS);
        assert_true(one.train.loss < 3);
    }
    assert_int_equal(train_epochs_done(r->train), EPOCHS);
}

static void test_absurd_losses_end_the_epoch(void **state)
{
    (void)state;
    struct train_epoch e;
    for (int modules = 1; modules <= 2; modules++) {
        struct run *r = run_plan(modules == 1 ? PLAIN : kinds[5].net, SAMPLES);
        strcpy(r->options.optimizer, "sgd");
        r->options.momentum = 0;
        r->options.lr = 60; /* far too large, yet the losses stay finite for a while */
        struct train_placement p = team_placement(r, 2, true);
        struct train *t = modules == 1 ? run_start(r) : team_start(r, &p);
        FAILS(ST_NUMERIC, "more than 100 times that of a net that only guesses (2.30): take a smaller --lr than 60",
              train_epoch_run(t, NULL, &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_pauses_change_no_bit),
        RUNS_TEST(test_a_pause_behind_each_step),
        RUNS_TEST(test_free_modules_pause),
        RUNS_TEST(test_absurd_losses_end_the_epoch),
    };
    return cmocka_run_group_tests(tests, runs_setup, runs_teardown);
}

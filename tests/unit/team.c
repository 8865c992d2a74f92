/* Modules on devices of their own, a thread each, against the loop that trains the whole net in one thread. */
#include "support/check.h"
#include "support/device.h"
#include "support/runs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEEP                                                                      \
    "input 1x28x28; dense 24; batchnorm; relu; %s dense 20; tanh; dropout 0.2; %s " \
    "dense 16; relu; dense 10; loss softmax"

/* The same net with what stands between its sections. */
static const char *deep(const char *first, const char *second)
{
    static char text[2][512];
    static int turn;
    turn = !turn;
    snprintf(text[turn], sizeof text[turn], DEEP, first, second);
    return text[turn];
}

static struct plan_device here; /* the test's device */

/* A run in modules, all on the test's device, opened and with weights. */
static struct run *team_new(const char *net, uint32_t n, int queue, bool lockstep)
{
    struct run *r = run_plan(net, n);
    here = (struct plan_device){.device = ocl_queue_device(device_queue())};
    snprintf(here.label, sizeof here.label, "here");
    struct train_placement p = {.device = &here, .device_count = 1, .lockstep = lockstep, .queue = queue};
    OK(train_couplings(r->net, NULL, p.coupling));
    OK(train_open_modules(&p, r->net, &r->options, &r->set, &r->scaling, NULL, &r->train));
    OK(train_init(r->train));
    return r;
}

static void test_exact_equals_the_loop_to_the_bit(void **state)
{
    (void)state;
    const char *const nets[] = {deep("cut exact;", ""), deep("cut exact;", "cut exact;")};
    for (size_t i = 0; i < COUNT_OF(nets); i++)
        for (int queue = 1; queue <= 4; queue += 3) {
            struct train *loop = run_new(deep("", ""), 330); /* the last batch is smaller */
            struct train *team = team_new(nets[i], 330, queue, false)->train;
            struct train_epoch a = run_epochs(loop, 2), b = run_epochs(team, 2);
            assert_true(a.train.loss == b.train.loss && a.train.accuracy == b.train.accuracy);
            assert_true(same_bits(loop, team));
            struct train_result x, y;
            OK(train_evaluate(loop, TRAIN_TEST, &x));
            OK(train_evaluate(team, TRAIN_TEST, &y));
            assert_true(x.loss == y.loss && x.accuracy == y.accuracy && x.samples == y.samples);
            runs_drop(NULL);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_exact_equals_the_loop_to_the_bit),
    };
    return cmocka_run_group_tests_name("team", tests, runs_setup, runs_teardown);
}

/* Learning-rate schedules against rates computed by hand, and what the options of a run may be. */
#include "train.h"

#include "support/check.h"

#include <math.h>
#include <string.h>

/* Rates of steps 0.. of `all`, `each` an epoch, at --lr 2. */
static void check_rates(const char *schedule, double warmup, uint64_t all, uint64_t each, const double *want, int n)
{
    struct train_options o = train_defaults();
    o.lr = 2;
    o.warmup = warmup;
    strcpy(o.schedule, schedule);
    for (int i = 0; i < n; i++) {
        double got = train_rate(&o, (uint64_t)i, all, each);
        if (!(fabs(got - want[i]) <= 1e-12)) /* a few roundings of doubles near 1 */
            fail_msg("%s, warm-up %g: step %d has rate %.15g, wanted %.15g", schedule, warmup, i, got, want[i]);
    }
}

static void test_schedules(void **state)
{
    (void)state;
    /* 1 + cos(pi i / 8): the end, rate 0, is that of the step behind the last */
    const double a = 0.92387953251128676, b = 0.70710678118654752, c = 0.38268343236508977;
    check_rates("cosine", 0, 8, 4, (const double[]){2, 1 + a, 1 + b, 1 + c, 1, 1 - c, 1 - b, 1 - a, 0}, 9);
    check_rates("step", 0, 8, 4, (const double[]){2, 2, 2, 2, .2, .2, .02, .02}, 8);
    check_rates("step", 0, 6, 3, (const double[]){2, 2, 2, .2, .2, .02}, 6); /* 3/4 of 6 lies within a step */
    check_rates("none", 0, 3, 3, (const double[]){2, 2, 2}, 3);
    check_rates("cosine", 0, 1, 1, (const double[]){2}, 1);
}

static void test_warmup(void **state)
{
    (void)state;
    /* one epoch of four steps: fifths, and the schedule starts behind it over the other four steps */
    check_rates("none", 1, 8, 4, (const double[]){.4, .8, 1.2, 1.6, 2, 2, 2, 2}, 8);
    check_rates("step", 1, 8, 4, (const double[]){.4, .8, 1.2, 1.6, 2, 2, .2, .02}, 8);
    check_rates("cosine", 1, 8, 4, (const double[]){.4, .8, 1.2, 1.6, 2, 1 + 0.70710678118654752, 1}, 7);
    /* half an epoch of five steps, 2.5: three steps rise, the fourth is half a step into the schedule of 7.5 */
    check_rates("cosine", .5, 10, 5, (const double[]){2. / 3, 4. / 3, 2, 1 + 0.97814760073380564}, 4);
    /* less than one step: nothing to rise over */
    check_rates("none", .1, 10, 5, (const double[]){2, 2}, 2);
    /* all of the run */
    check_rates("cosine", 2, 4, 2, (const double[]){.4, .8, 1.2, 1.6, 2}, 5);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const optimizers[] = {"adam", "adamw", "sgd"}, *const schedules[] = {"cosine", "step", "none"};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(train_optimizer_name(i), optimizers[i]);
        assert_string_equal(train_schedule_name(i), schedules[i]);
    }
    assert_null(train_optimizer_name(3));
    assert_null(train_schedule_name(3));
    assert_null(train_optimizer_name(-1));
    assert_null(train_schedule_name(-1));
}

static void test_what_options_may_be(void **state)
{
    (void)state;
    struct train_options o = train_defaults();
    OK(train_check_options(&o));
#define ROW(change, words)                                \
    do {                                                  \
        o = train_defaults();                             \
        change;                                           \
        FAILS(ST_INPUT, words, train_check_options(&o));  \
    } while (0)
    ROW(strcpy(o.optimizer, "lion"), "unknown --optimizer 'lion'; known: adam, adamw, sgd");
    ROW(strcpy(o.schedule, ""), "unknown --schedule ''; known: cosine, step, none");
    ROW(o.epochs = 0, "--epochs is 0, must be from 1 to 100000");
    ROW(o.epochs = -1, "--epochs is -1, must be from 1");
    ROW(o.epochs = 100001, "--epochs is 100001, must be from 1 to 100000");
    ROW(o.batch = 0, "--batch is 0, must be from 1 to 65536");
    ROW(o.batch = 65537, "--batch is 65537, must be from 1 to 65536");
    ROW(o.lr = 0, "--lr is 0, must be from 1e-12 to 1000");
    ROW(o.lr = 1001, "--lr is 1001, must be");
    ROW(o.lr = NAN, "--lr is nan, must be");
    ROW(o.momentum = 1, "--momentum is 1, must be from 0 to 0.9999");
    ROW(o.momentum = -.1, "--momentum is -0.1, must be");
    ROW(o.weight_decay = -1, "--weight-decay is -1, must be from 0 to 1");
    ROW(o.weight_decay = 1.5, "--weight-decay is 1.5, must be from 0 to 1");
    ROW(o.warmup = 10.5, "--warmup is 10.5, must be from 0 to 10");
    ROW(o.warmup = -1, "--warmup is -1, must be from 0 to 10");
    ROW((o.nesterov = true, o.momentum = 0), "--nesterov needs a --momentum above 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_warmup),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_options_may_be),
    };
    return cmocka_run_group_tests_name("train options", tests, NULL, NULL);
}

/* Modules on devices of their own, a thread each, against the loop that trains the whole net in one thread, and against
 * themselves. */
#include "support/check.h"
#include "support/device.h"
#include "support/runs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEEP \
    "input 1x28x28; dense 24; batchnorm; relu; %s dense 20; tanh; dropout 0.2; %s dense 16; relu; dense 10; " \
    "loss softmax"
#define BARE "input 1x28x28; dense 24; relu; %s dense 20; tanh; %s dense 16; relu; dense 10; loss softmax"

/* A net with what stands between its sections. */
static const char *net_with(const char *format, const char *first, const char *second)
{
    static char text[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(text[turn], sizeof text[turn], format, first, second);
    return text[turn];
}

static const char *deep(const char *first, const char *second)
{
    return net_with(DEEP, first, second);
}

/* ---- exact ------------------------------------------------------------------------------------------------------- */

/* Seventy of the test pictures; a view, so nothing to free. */
static void add_validation(struct run *r)
{
    r->set.validation = r->set.test;
    r->set.validation.n = 70;
}

static void check_same_evaluation(struct train *a, struct train *b)
{
    static const enum train_split split[] = {TRAIN_TRAINING, TRAIN_VALIDATION, TRAIN_TEST};
    for (size_t i = 0; i < COUNT_OF(split); i++) {
        struct train_result x, y;
        OK(train_evaluate(a, split[i], &x));
        OK(train_evaluate(b, split[i], &y));
        assert_true(x.loss == y.loss && x.accuracy == y.accuracy && x.samples == y.samples);
    }
}

static void check_same_run(struct run *loop, struct run *team)
{
    for (int epoch = 0; epoch < 2; epoch++) {
        struct train_epoch a = run_epochs(loop->train, 1), b = run_epochs(team->train, 1);
        assert_true(a.train.loss == b.train.loss && a.train.accuracy == b.train.accuracy);
        assert_true(a.train.samples == b.train.samples && a.step == b.step && a.rate == b.rate && a.epoch == b.epoch);
        for (int k = 0; k < b.modules; k++)
            assert_int_equal(b.module[k].updates, a.module[0].updates);
        assert_true(same_numbers(numbers_of(loop, false), numbers_of(team, false)));
        check_same_evaluation(loop->train, team->train);
    }
    assert_true(same_bits(loop->train, team->train));
}

static void test_exact_equals_the_loop_to_the_bit(void **state)
{
    static const struct {
        const char *first, *second, *optimizer;
        uint32_t n;
        int batch, queue;
        bool stream;
    } row[] = {
        {"cut exact;", "", "adam", 330, 32, 1, false}, /* the last batch is smaller */
        {"cut exact;", "cut exact;", "adam", 330, 32, 4, false},
        {"cut exact;", "cut exact;", "sgd", 330, 32, 1, false},
        {"cut exact;", "cut exact;", "adamw", 97, 32, 2, false}, /* a last batch of one is left out */
        {"cut exact;", "cut exact;", "adam", 20, 32, 4, false},  /* fewer than a batch */
        {"cut exact;", "cut exact;", "adam", 810, 4, 4, true},   /* more batches than may be under way at once */
        {"", "cut exact;", "sgd", 256, 128, 4, true},
        {"cut exact; dropout 0.1; cut exact;", "", "adam", 200, 32, 3, false}, /* a module without parameters */
        {"", "", "adam", 200, 32, 4, false},                                   /* a module of everything */
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        const char *cut = strstr(row[i].first, "dropout") ? "dropout 0.1;" : "";
        struct run *r[] = {run_plan(deep(cut, ""), row[i].n), run_plan(deep(row[i].first, row[i].second), row[i].n)};
        for (int k = 0; k < 2; k++) {
            snprintf(r[k]->options.optimizer, sizeof r[k]->options.optimizer, "%s", row[i].optimizer);
            r[k]->options.batch = row[i].batch;
            r[k]->options.stream = row[i].stream;
            add_validation(r[k]);
        }
        run_start(r[0]);
        struct train_placement p = team_placement(r[1], row[i].queue, i % 2);
        team_start(r[1], &p);
        check_same_run(r[0], r[1]);
        runs_drop(state);
    }
}

/* Against the loop on one of the halves: how a device sums may depend on what it is. */
static void test_exact_over_halves_equals_the_loop_on_one(void **state)
{
    (void)state;
    struct run *loop = run_plan(deep("", ""), 330), *team = run_plan(deep("cut exact;", "cut exact;"), 330);
    add_validation(loop);
    add_validation(team);
    OK(train_open(places()[PLACE_HALF].device, loop->net, &loop->options, &loop->set, &loop->scaling, 32, NULL,
                  &loop->train));
    OK(train_init(loop->train));
    struct train_placement p = team_placement(team, 2, false);
    p.on[0] = p.on[2] = PLACE_HALF;
    p.on[1] = PLACE_OTHER_HALF;
    team_start(team, &p);
    check_same_run(loop, team);
}

static void test_steps_equal_epochs(void **state)
{
    (void)state;
    struct run *loop = run_plan(deep("", ""), 300), *team = team_new(deep("cut exact;", "cut exact;"), 300, 2, false);
    double a[13], b[13];
    run_start(loop);
    for (int done = 0, some = 1; done < 25; done += some, some = some % 4 + 1) { /* 10 are an epoch: over its end too */
        OK(train_steps(loop->train, some, a));
        OK(train_steps(team->train, some, b));
        assert_memory_equal(a, b, (size_t)some * sizeof *a);
    }
    assert_int_equal(train_steps_done(team->train), train_steps_done(loop->train));
    assert_int_equal(train_epochs_done(team->train), 2);
    assert_true(same_numbers(numbers_of(loop, false), numbers_of(team, false)));
    OK(train_init(team->train)); /* starts anew: slots and update counts too */
    OK(train_init(loop->train));
    run_epochs(loop->train, 1);
    OK(train_steps(team->train, 10, b));
    assert_true(same_bits(loop->train, team->train));
}

/* ---- an oracle, and what lies between it and a guess ------------------------------------------------------------- */

static void test_an_oracle_equals_exact(void **state)
{
    static const char *const oracle[][2] = {{"cut csg lambda=1;", "cut csg solver=adam lambda=1 hidden=1;"},
                                            {"cut sg lambda=1;", "cut csg solver=adam lambda=1 width=7 hidden=2;"},
                                            {"cut exact;", "cut sg lambda=1;"}};
    for (size_t i = 0; i < COUNT_OF(oracle); i++) {
        struct run *exact = team_new(deep("cut exact;", "cut exact;"), 330, 2, false);
        struct run *r = team_new(deep(oracle[i][0], oracle[i][1]), 330, 2, i % 2);
        run_epochs(exact->train, 2);
        struct train_epoch e = run_epochs(r->train, 2);
        assert_true(same_numbers(numbers_of(exact, false), numbers_of(r, false)));
        assert_int_equal(e.module[0].targets, i < 2 ? 11 : 0); /* its nets learn all the same */
        assert_int_equal(e.module[1].targets, 11);
        assert_int_equal(e.module[2].targets, 0);
        runs_drop(state);
    }
}

static double distance(struct numbers a, struct numbers b)
{
    double sum = 0;
    assert_true(a.n == b.n);
    for (size_t i = 0; i < a.n; i++)
        sum += ((double)a.at[i] - b.at[i]) * ((double)a.at[i] - b.at[i]);
    return sqrt(sum);
}

/* Half a guess: locked, so the same bits each time, and neither the one nor the other. */
static void test_a_mixture_lies_between(void **state)
{
    (void)state;
    static const char *const lambda[] = {"cut csg lambda=1;", "cut csg lambda=0.5;", "cut csg lambda=0.5;"};
    struct run *r[3], *dni = team_new(deep("cut csg;", "cut csg;"), 330, 3, true);
    run_epochs(dni->train, 1);
    for (int i = 0; i < 3; i++) {
        r[i] = team_new(deep(lambda[i], lambda[i]), 330, 3, false);
        struct train_epoch e = run_epochs(r[i]->train, 1);
        assert_true(isfinite(e.train.loss));
        assert_int_equal(e.module[0].updates, 11);
        assert_true(e.module[0].stale_most == 0);
    }
    assert_true(same_numbers(numbers_of(r[1], true), numbers_of(r[2], true)));
    assert_true(distance(params_of_module(r[1], 0), params_of_module(r[0], 0)) > 0);
    assert_true(distance(params_of_module(r[1], 0), params_of_module(dni, 0)) > 0);
}

/* ---- the same bits ----------------------------------------------------------------------------------------------- */

static void test_the_same_bits_twice(void **state)
{
    static const struct {
        const char *first, *second;
        bool lockstep;
    } row[] = {
        {"cut csg;", "cut csg;", true},
        {"cut sg solver=adam hidden=1;", "cut sg solver=adam hidden=2 width=9;", true},
        {"cut csg p=0.5;", "cut csg solver=adam p=0.5 hidden=1;", true},
        {"cut csg;", "cut local p=0.5;", true},
        {"cut local;", "cut local hidden=1;", false},
        {"cut predsim;", "cut predsim beta=0.5;", false},
        {"cut none;", "cut none;", false},
        {"cut vir;", "cut classmean;", true},
        {"cut fixed;", "cut vir frozen=1;", false},
        {"cut local;", "cut exact;", false},
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        struct run *r[2];
        struct train_epoch e[2];
        for (int k = 0; k < 2; k++) {
            r[k] = run_plan(deep(row[i].first, row[i].second), 330);
            struct train_placement p = team_placement(r[k], 1 + 3 * k, row[i].lockstep); /* whatever the queue is */
            team_start(r[k], &p);
            e[k] = run_epochs(r[k]->train, 2);
        }
        assert_true(e[0].train.loss == e[1].train.loss && isfinite(e[0].train.loss));
        if (!same_numbers(numbers_of(r[0], true), numbers_of(r[1], true)))
            fail_msg("%s %s: not the same bits twice", row[i].first, row[i].second);
        runs_drop(state);
    }
}

/* Nor does it matter what is evaluated between the epochs: no target is owed for that. */
static void test_evaluation_leaves_no_trace(void **state)
{
    for (int lockstep = 0; lockstep < 2; lockstep++) {
        struct run *r[2];
        for (int k = 0; k < 2; k++) {
            struct train_result result;
            r[k] = team_new(deep("cut csg solver=adam hidden=1;", "cut sg;"), 330, 2, lockstep);
            for (int epoch = 0; epoch < 3; epoch++) {
                struct train_epoch e = run_epochs(r[k]->train, 1);
                assert_int_equal(e.module[0].targets, 11);
                for (int i = 0; k == 1 && i < 2; i++)
                    OK(train_evaluate(r[k]->train, TRAIN_TEST, &result));
            }
        }
        if (lockstep)
            assert_true(same_numbers(numbers_of(r[0], true), numbers_of(r[1], true)));
        runs_drop(state);
    }
}

/* ---- micro-batches ----------------------------------------------------------------------------------------------- */

/*
 * Sums over a batch are added up in another order: some 2^-24 of each gradient, 22 steps of at most 0.05 of it, and
 * what earlier differences make of later gradients. Seen are 1e-7 in parameters below 0.5 and 1e-7 of the loss.
 */
enum { PIPELINE_STEPS = 22 };
#define PIPELINE_CLOSE 3e-6

static void check_pipeline(const char *first, const char *second, uint32_t n, int batch)
{
    struct run *r[] = {run_plan(net_with(BARE, "", ""), n), run_plan(net_with(BARE, first, second), n)};
    double loss[2][PIPELINE_STEPS];
    for (int i = 0; i < 2; i++) {
        snprintf(r[i]->options.optimizer, sizeof r[i]->options.optimizer, "sgd");
        r[i]->options.lr = 0.05;
        r[i]->options.batch = batch;
    }
    run_start(r[0]);
    struct train_placement p = team_placement(r[1], 1, false);
    p.on[1] = PLACE_HALF;
    team_start(r[1], &p);
    for (int i = 0; i < 2; i++)
        OK(train_steps(r[i]->train, PIPELINE_STEPS, loss[i]));
    for (int i = 0; i < PIPELINE_STEPS; i++)
        assert_true(fabs(loss[0][i] - loss[1][i]) <= PIPELINE_CLOSE * loss[0][i]);
    struct numbers a = numbers_of(r[0], false), b = numbers_of(r[1], false);
    assert_true(a.n == b.n);
    for (size_t i = 0; i < a.n; i++)
        if (!(fabs((double)a.at[i] - b.at[i]) <= PIPELINE_CLOSE))
            fail_msg("number %zu is %.9g, the loop's is %.9g", i, (double)b.at[i], (double)a.at[i]);
    struct train_result x, y;
    OK(train_evaluate(r[0]->train, TRAIN_TEST, &x));
    OK(train_evaluate(r[1]->train, TRAIN_TEST, &y));
    assert_true(fabs(x.loss - y.loss) <= PIPELINE_CLOSE * x.loss && x.samples == y.samples);
    runs_drop(NULL);
}

static void test_a_pipeline_agrees_with_the_loop(void **state)
{
    (void)state;
    check_pipeline("cut exact micro=4;", "", 320, 32);
    check_pipeline("cut exact micro=4;", "cut exact micro=4;", 320, 32);
    check_pipeline("cut exact micro=4;", "cut exact micro=4;", 330, 32); /* the last batch has 10 samples, */
    check_pipeline("cut exact micro=4;", "cut exact micro=4;", 321, 32); /* or one, which is not cut */
    check_pipeline("cut exact micro=3;", "cut exact micro=3;", 10, 32);  /* fewer than a batch */
    check_pipeline("cut exact micro=64;", "cut exact micro=64;", 200, 64);
}

static enum st open_with(struct run *r, int queue)
{
    struct train_placement p = team_placement(r, queue, false);
    return train_open_modules(&p, r->net, &r->options, &r->set, &r->scaling, NULL, &r->train);
}

/* Nothing reads the pictures before training does, so there need not be as many as are told of. */
static void test_pictures_larger_than_a_buffer_are_streamed(void **state)
{
    (void)state;
    const struct ocl_facts *f = ocl_device_facts(ocl_queue_device(device_queue()));
    uint64_t n = f->buffer_bytes_max / (28 * 28) + 1;
    struct run *r = run_plan(deep("cut csg;", ""), 100);
    struct train_placement p = team_placement(r, 2, false);
    struct train_memory memory;
    OK(train_open_modules(&p, r->net, &r->options, &r->set, &r->scaling, &memory, &r->train));
    assert_false(memory.streams);
    runs_drop(NULL);
    if (n * 28 * 28 > f->memory_bytes / 10 * 8 || n > UINT32_MAX)
        skip(); /* a buffer may hold most of the device */
    r = run_plan(deep("cut csg;", ""), 100);
    r->set.train.n = (uint32_t)n;
    OK(train_open_modules(&p, r->net, &r->options, &r->set, &r->scaling, &memory, &r->train));
    assert_true(memory.streams);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    FAILS(ST_INPUT, "net:7: a pipeline of 4 micro-batches meets one of 2: all cuts must be alike",
          open_with(run_plan(net_with(BARE, "cut exact micro=2;", "cut exact micro=4;"), 100), 2));
    FAILS(ST_INPUT, "a pipeline of 1 micro-batches meets one of 2",
          open_with(run_plan(net_with(BARE, "cut exact micro=2;", "cut csg;"), 100), 2));
    FAILS(ST_INPUT, "micro=33 is too much for a batch of 32: 1 sample a micro-batch at least",
          open_with(run_plan(net_with(BARE, "cut exact micro=33;", ""), 100), 2));
    FAILS(ST_INPUT, "micro=16 is too much for a batch of 32: 3 samples a micro-batch at least",
          open_with(run_plan(deep("cut exact micro=16;", ""), 100), 2)); /* of batchnorm, which may get one more */
    FAILS(ST_INPUT, "--queue is 0, must be from 1 to 1024", open_with(run_plan(deep("cut;", ""), 100), 0));
    FAILS(ST_INPUT, "--queue is 1025", open_with(run_plan(deep("cut;", ""), 100), 1025));
    struct run *r = run_plan(deep("cut csg;", "cut exact p=1;"), 100);
    FAILS(ST_INPUT, "net:9: exact: unknown option 'p'", train_couplings(r->net, NULL, (struct sg_spec[64]){{0}}));
}

/* One coupling a cut, and none behind the last module: in a net without cuts words are nobody's. */
static void test_couplings_are_of_cuts(void **state)
{
    (void)state;
    struct sg_spec spec[PLAN_MODULES_MAX] = {{0}};
    struct run *r = run_plan(deep("cut csg;", ""), 100);
    OK(train_couplings(r->net, NULL, spec));
    assert_non_null(spec[0].kind);
    assert_null(spec[1].kind);
    runs_drop(NULL);
    spec[0].kind = NULL;
    r = run_plan(deep("", ""), 100);
    OK(train_couplings(r->net, "nonsense", spec));
    assert_null(spec[0].kind);
}

/* Batch norm sees one micro-batch at a time, so only that it trains. */
static void test_a_pipeline_with_batch_norm(void **state)
{
    (void)state;
    struct run *r = team_new(deep("cut exact micro=4;", "cut exact micro=4;"), 331, 4, false);
    double first = run_epochs(r->train, 1).train.loss;
    assert_true(run_epochs(r->train, 2).train.loss < first);
}

/* ---- steps that are left out ------------------------------------------------------------------------------------- */

/* Steps of `steps` that update module k, drawn from seed, module and step alone. */
static uint64_t updates_due(uint64_t seed, int k, double p, uint64_t first, uint64_t steps)
{
    uint64_t n = 0;
    for (uint64_t step = first; step < first + steps; step++) {
        struct rng r;
        rng_init(&r, seed, ((uint64_t)(k + 1) << 48) + step);
        n += rng_unit(&r) < p;
    }
    return n;
}

static void test_skipped_steps(void **state)
{
    static const struct {
        const char *first, *second;
        double p[2];
    } row[] = {
        {"cut csg p=0.3;", "cut csg p=0.6;", {0.3, 0.6}},
        {"cut csg;", "cut csg p=0.5;", {1, 0.5}},
        {"cut csg p=0;", "cut sg p=0;", {0, 0}},
        {"cut local p=0.5;", "cut predsim p=0.25;", {0.5, 0.25}},
        {"cut exact;", "cut csg p=0.4;", {1, 0.4}},
        {"cut csg lambda=0.5;", "cut csg p=0.4;", {1, 0.4}},
        {"cut exact;", "cut none;", {1, 1}},
        {"cut csg;", "cut none;", {1, 1}},
    };
    enum { STEPS = 60 };
    for (size_t i = 0; i < 2 * COUNT_OF(row); i++) {
        const double *p = row[i / 2].p;
        struct run *r = run_plan(deep(row[i / 2].first, row[i / 2].second), 4 * STEPS);
        struct train_placement where = team_placement(r, 1 + (int)(i % 3), i % 2);
        r->options.batch = 4;
        r->options.seed = 5 + i;
        team_start(r, &where);
        const struct sg_spec *spec = where.coupling;
        for (uint64_t first = 0; first < 2 * STEPS; first += STEPS) {
            struct numbers before = params_of_module(r, 0);
            struct train_epoch e = run_epochs(r->train, 1);
            uint64_t second = sg_frozen(&spec[1]) ? 0 : updates_due(r->options.seed, 1, p[1], first, STEPS);
            uint64_t lowest = sg_waits(&spec[0]) ? second : updates_due(r->options.seed, 0, p[0], first, STEPS);
            assert_int_equal(e.module[2].updates, STEPS);
            assert_int_equal(e.module[1].updates, second);
            assert_int_equal(e.module[0].updates, lowest);
            /* learned from: what the module above sent down when it was updated itself */
            bool learns[] = {sg_wants_targets(&spec[0]) && sg_net_wanted(&spec[0]), sg_wants_targets(&spec[1])};
            assert_int_equal(e.module[0].targets, learns[0] ? second : 0);
            assert_int_equal(e.module[1].targets, learns[1] ? STEPS : 0);
            if (lowest == 0)
                assert_true(same_numbers(before, params_of_module(r, 0)));
        }
        runs_drop(state);
    }
}

/* ---- what a step may not do -------------------------------------------------------------------------------------- */

struct made {
    uint64_t memory, buffers, programs, kernels;
};

/* What is made in the second epoch of `n` samples in batches of four. */
static struct made made_in_epoch(const char *net, uint32_t n)
{
    struct run *r = run_plan(net, n);
    struct train_placement p = team_placement(r, 3, false);
    r->options.batch = 4;
    team_start(r, &p);
    run_epochs(r->train, 1);
    struct ocl_counts before = ocl_counts();
    uint64_t memory = mem_count();
    run_epochs(r->train, 1);
    struct ocl_counts after = ocl_counts();
    runs_drop(NULL);
    return (struct made){mem_count() - memory, after.buffers - before.buffers, after.programs - before.programs,
                         after.kernels - before.kernels};
}

static void test_steps_make_nothing(void **state)
{
    (void)state;
    const char *const net[] = {deep("cut csg solver=adam hidden=1;", "cut sg;"), deep("cut local;", "cut predsim;"),
                               deep("cut exact;", "cut csg lambda=0.5 p=0.5;"), deep("cut none;", "cut csg p=0.5;"),
                               deep("cut vir;", "cut classmean;"), deep("cut fixed;", "cut vir frozen=1 p=0.5;")};
    for (size_t i = 0; i < COUNT_OF(net); i++) {
        struct made few = made_in_epoch(net[i], 4 * 30), many = made_in_epoch(net[i], 4 * 150);
        assert_int_equal(many.memory, few.memory);
        assert_int_equal(many.buffers, 0);
        assert_int_equal(many.programs, 0);
        assert_int_equal(many.kernels, 0);
    }
}

/* Chains that two steps compile are all that more steps need: so compare has them before it looks at the clock. */
static void test_two_steps_compile_all_chains(void **state)
{
    (void)state;
    const char *const net[] = {deep("", ""), deep("cut exact;", "cut csg lambda=0.5;"), deep("cut csg;", "cut sg;"),
                               deep("cut local;", "cut predsim;"), deep("cut vir;", "cut classmean;"),
                               deep("cut fixed;", "cut vir frozen=1;")};
    enum { STEPS = 150 };
    double losses[STEPS];
    if (!ocl_has_chains(ocl_queue_device(device_queue())))
        skip();
    for (size_t i = 0; i < COUNT_OF(net); i++) {
        struct run *r = run_plan(net[i], 810);
        struct train_placement p = team_placement(r, 3, false);
        r->options.batch = 4;
        struct train *t = i ? team_start(r, &p) : run_start(r);
        uint64_t none = ocl_counts().programs;
        train_chain_at_once(t);
        OK(train_steps(t, 2, losses));
        uint64_t two = ocl_counts().programs;
        OK(train_steps(t, STEPS, losses));
        assert_true(two > none);
        assert_int_equal(ocl_counts().programs, two);
        runs_drop(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_exact_equals_the_loop_to_the_bit),
        RUNS_TEST(test_exact_over_halves_equals_the_loop_on_one),
        RUNS_TEST(test_steps_equal_epochs),
        RUNS_TEST(test_an_oracle_equals_exact),
        RUNS_TEST(test_a_mixture_lies_between),
        RUNS_TEST(test_the_same_bits_twice),
        RUNS_TEST(test_evaluation_leaves_no_trace),
        RUNS_TEST(test_a_pipeline_agrees_with_the_loop),
        RUNS_TEST(test_pictures_larger_than_a_buffer_are_streamed),
        RUNS_TEST(test_what_is_refused),
        RUNS_TEST(test_couplings_are_of_cuts),
        RUNS_TEST(test_a_pipeline_with_batch_norm),
        RUNS_TEST(test_skipped_steps),
        RUNS_TEST(test_steps_make_nothing),
        RUNS_TEST(test_two_steps_compile_all_chains),
    };
    return cmocka_run_group_tests_name("team", tests, runs_setup, runs_teardown);
}

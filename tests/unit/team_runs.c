/* Runs in modules as they come: random nets, couplings, places and queues, and what such runs tell of themselves. */
#include "support/check.h"
#include "support/device.h"
#include "support/runs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEEP \
    "input 1x28x28; dense 24; batchnorm; relu; %s; dense 20; tanh; dropout 0.2; %s; dense 16; relu; dense 10; " \
    "loss softmax"

/* ---- places: the real ones, and emulated ones behind them -------------------------------------------------------- */

enum { EMULATED = 3, ALL_PLACES = PLACES + EMULATED };

static struct plan_device place[ALL_PLACES];

/* `slowness` of one, and the links between all of them. */
static void emulate(int i, double slowness, double latency_ns, double bytes_per_ns)
{
    struct plan_device *p = &place[PLACES + i];
    *p = (struct plan_device){.device = places()[PLACE_WHOLE].device,
                              .emulation = {.slowness = slowness, .latency_ns = latency_ns,
                                            .bytes_per_ns = bytes_per_ns, .number = i}};
    snprintf(p->label, sizeof p->label, "virtual#%d (%gx)", i, slowness);
}

static struct train_placement placement_of(const struct run *r, int queue, bool lockstep)
{
    struct train_placement p = team_placement(r, queue, lockstep);
    memcpy(place, places(), PLACES * sizeof *place);
    p.device = place;
    p.device_count = ALL_PLACES;
    return p;
}

/* ---- what is due ------------------------------------------------------------------------------------------------- */

struct due {
    uint64_t updates[PLAN_MODULES_MAX], targets[PLAN_MODULES_MAX];
};

/* Of steps [first, first + steps): who is updated depends on seed, module and step alone, and on whether the one above
 * sends the gradient that it waits for. */
static struct due due_in(const struct train_placement *p, int n, uint64_t seed, uint64_t first, uint64_t steps)
{
    struct due due = {0};
    for (uint64_t step = first; step < first + steps; step++) {
        bool above = true;
        due.updates[n - 1]++;
        for (int k = n - 2; k >= 0; k--) {
            const struct sg_spec *spec = &p->coupling[k];
            struct rng r;
            rng_init(&r, seed, ((uint64_t)(k + 1) << 48) + step);
            bool drawn = sg_update_probability(spec) >= 1 || rng_unit(&r) < sg_update_probability(spec);
            due.targets[k] += above && sg_net_wanted(spec) && sg_wants_targets(spec);
            above = drawn && !sg_frozen(spec) && (!sg_waits(spec) || above);
            due.updates[k] += above;
        }
    }
    return due;
}

static bool share(double v)
{
    return v >= 0 && v <= 1;
}

/* What an epoch tells of its modules. */
static void check_epoch(const struct train_epoch *e, const struct train_placement *p, const struct due *due)
{
    assert_true(isfinite(e->train.loss) && e->train.loss > 0 && share(e->train.accuracy));
    for (int k = 0; k < e->modules; k++) {
        const struct train_module_epoch *m = &e->module[k];
        assert_int_equal(m->updates, due->updates[k]);
        assert_int_equal(m->targets, due->targets[k]);
        assert_true(m->stale_steps >= 0 && m->stale_steps <= (double)m->stale_most);
        if (p->lockstep || due->targets[k] == 0)
            assert_int_equal(m->stale_most, 0);
        assert_true(m->stale_most <= (uint64_t)p->queue + 8); /* those in the queue, and those being worked on */
        assert_true(share(m->wait_input) && share(m->wait_space) && share(m->wait_gradient));
        assert_true(share(m->wait_input + m->wait_space + m->wait_gradient));
        bool emulated = place[p->on[k]].emulation.slowness > 0;
        assert_true((m->busy > 0 && m->busy <= 1) || (isnan(m->busy) && !emulated));
    }
    assert_true(e->module[0].wait_input == 0 && e->module[e->modules - 1].wait_space == 0);
}

/* Sorted within each module, in order of modules, within the run's time. A real device's clock is only about ours, an
 * emulation's begins at 0. */
static void check_spans(struct run *r, const struct train_placement *p, uint64_t start, uint64_t end)
{
    const uint64_t slack = 1000000000;
    const struct train_span *span;
    int n, work[PLAN_MODULES_MAX] = {0};
    bool emulated = false;
    for (int k = 0; k < train_module_count(r->train); k++)
        emulated = emulated || place[p->on[k]].emulation.slowness > 0;
    OK(train_spans(r->train, &span, &n));
    for (int i = 0; i < n; i++) {
        assert_in_range(span[i].module, i ? span[i - 1].module : 0, train_module_count(r->train) - 1);
        uint64_t about = span[i].waiting ? 0 : slack;
        if (!emulated)
            assert_true(span[i].start_ns + about >= start && span[i].end_ns <= end + about);
        assert_true(span[i].start_ns <= span[i].end_ns);
        if (i && span[i].module == span[i - 1].module)
            assert_true(span[i].start_ns >= span[i - 1].start_ns);
        assert_true(strncmp(span[i].name, "wait for", 8) == 0 ? span[i].waiting : !span[i].waiting);
        assert_true(span[i].step < train_steps_done(r->train));
        work[span[i].module] += !span[i].waiting;
    }
    for (int k = 0; k < train_module_count(r->train); k++)
        if (train_module_at(r->train, k).emulated)
            assert_true(emulated && work[k] > 0);
}

/* ---- random runs ------------------------------------------------------------------------------------------------- */

enum { RUNS = 100, CUTS_MAX = 4 };

static const char *pick(struct rng *r, const char *const *words, size_t n)
{
    return words[rng_below(r, (uint32_t)n)];
}

/* One of a hundred: the net, and all else that is drawn. */
struct drawn {
    struct text net;
    int modules, batch, queue, on[CUTS_MAX + 1];
    uint32_t n;
    bool lockstep, stream;
};

static void draw_net(struct rng *r, struct drawn *d)
{
    static const char *const body[] = {"dense 16; relu", "dense 5; tanh", "dense 16; batchnorm; relu", "dropout 0.1",
                                       "dense 5; batchnorm", "dense 16; relu; dense 5; sigmoid"};
    static const char *const cut[] = {"", "csg solver=adam hidden=1", "csg solver=adam p=0.5", "sg solver=adam",
                                      "sg solver=adam p=0.7 width=5", "csg solver=ls",
                                      "csg solver=ls error=1 p=0.5 every=3",
                                      "sg solver=ls lambda=0.5", "local",
                                      "local hidden=1 p=0.5", "predsim", "vir", "vir frozen=1 p=0.5", "classmean p=0.7",
                                      "fixed", "exact", "exact", "csg lambda=0.5",
                                      "sg lambda=1", "csg lambda=0.2 p=0.5", "none"};
    static const char *const pipeline[] = {"exact micro=2", "exact micro=4"};
    const char *all = rng_below(r, 8) == 0 ? pick(r, pipeline, COUNT_OF(pipeline)) : NULL;
    text_add(&d->net, "input 1x28x28; ");
    for (int k = 0; k < d->modules; k++) {
        text_add(&d->net, "%s; ", pick(r, body, COUNT_OF(body)));
        if (k + 1 < d->modules)
            text_add(&d->net, "cut %s; ", all ? all : pick(r, cut, COUNT_OF(cut)));
    }
    text_add(&d->net, "dense 10; loss softmax");
    OK(text_status(&d->net));
}

static void draw(int i, struct drawn *d)
{
    static const double bandwidth[] = {0, 0.01, 1};
    static const int batch[] = {16, 32};
    struct rng r;
    rng_init(&r, 2024, (uint64_t)i);
    *d = (struct drawn){.modules = 2 + (int)rng_below(&r, CUTS_MAX), .queue = 1 + (int)rng_below(&r, 5),
                        .batch = batch[rng_below(&r, 2)], .lockstep = rng_below(&r, 3) == 0,
                        .stream = rng_below(&r, 4) == 0};
    d->n = rng_below(&r, 4) == 0 ? 2 + rng_below(&r, 14) : 2 + rng_below(&r, 300);
    draw_net(&r, d);
    bool slow_links = rng_below(&r, 2);
    double latency = slow_links ? 1000 * (double)rng_below(&r, 301) : 0;
    double bytes = slow_links ? bandwidth[rng_below(&r, 3)] : 0;
    for (int k = 0; k < EMULATED; k++)
        emulate(k, 1 + 3 * rng_unit(&r), latency, bytes);
    for (int k = 0; k < d->modules; k++)
        d->on[k] = (int)rng_below(&r, ALL_PLACES);
}

static void show(int i, const struct drawn *d)
{
    print_error("run %d: %s\n  %u samples in batches of %d, queue %d%s%s, on", i, d->net.s, d->n, d->batch, d->queue,
                d->lockstep ? ", lockstep" : "", d->stream ? ", streaming" : "");
    for (int k = 0; k < d->modules; k++)
        print_error(" %s,", place[d->on[k]].label);
    print_error(" links of %g ns, %g bytes/ns\n", place[PLACES].emulation.latency_ns,
                place[PLACES].emulation.bytes_per_ns);
}

static int running = -1; /* for a failed test to tell of */
static struct drawn under_way;

static void run_drawn(const struct drawn *d)
{
    struct run *r = run_plan(d->net.s, d->n);
    struct train_placement p = placement_of(r, d->queue, d->lockstep);
    struct train_result result;
    double loss[2];
    memcpy(p.on, d->on, sizeof d->on);
    r->options.batch = d->batch;
    r->options.stream = d->stream;
    r->set.test.n = 70;
    team_start(r, &p);
    assert_int_equal(train_module_count(r->train), d->modules);
    uint64_t start = clock_ns();
    for (int epoch = 0; epoch < 2; epoch++) {
        uint64_t first = train_steps_done(r->train);
        struct train_epoch e = run_epochs(r->train, 1);
        struct due due = due_in(&p, d->modules, r->options.seed, first, e.step - first);
        assert_int_equal(e.modules, d->modules);
        check_epoch(&e, &p, &due);
        OK(train_evaluate(r->train, epoch ? TRAIN_TRAINING : TRAIN_TEST, &result));
        assert_int_equal(result.samples, epoch ? d->n : 70);
        assert_true(isfinite(result.loss) && result.loss > 0 && share(result.accuracy));
    }
    check_spans(r, &p, start, clock_ns());
    OK(train_steps(r->train, 2, loss));
    assert_true(isfinite(loss[0]) && isfinite(loss[1]));
}

static void test_a_hundred_random_runs(void **state)
{
    (void)state;
    for (running = 0; running < RUNS; running++) {
        draw(running, &under_way);
        run_drawn(&under_way);
        text_free(&under_way.net);
        under_way.net = (struct text){0};
        runs_drop(NULL);
    }
    running = -1;
}

static int drop_and_tell(void **state)
{
    if (running >= 0)
        show(running, &under_way);
    return runs_drop(state);
}

/* ---- far away ---------------------------------------------------------------------------------------------------- */

/* Links on which more messages are under way than the queue holds: what a coupling keeps is bounded all the same. */
static void test_links_longer_than_the_queue(void **state)
{
    (void)state;
    for (int queue = 1; queue <= 33; queue += 16) {
        struct run *r = run_plan("input 1x28x28; dense 5; relu; cut csg; dense 10; loss softmax", 2 * 150);
        struct train_placement p = placement_of(r, queue, false);
        r->options.batch = 2;
        for (int i = 0; i < 2; i++) {
            emulate(i, 1, queue == 1 ? 5e4 : 2e7, 0);
            p.on[i] = PLACES + i;
        }
        team_start(r, &p);
        struct train_epoch e = run_epochs(r->train, 1);
        struct due due = due_in(&p, 2, r->options.seed, 0, 150);
        check_epoch(&e, &p, &due);
        assert_true(e.module[0].stale_most > 0);
        runs_drop(NULL);
    }
}

/* ---- a loss that is no number ------------------------------------------------------------------------------------ */

static void test_a_loss_that_is_not_finite(void **state)
{
    (void)state;
    for (int emulated = 0; emulated < 2; emulated++) {
        struct train_epoch e;
        struct run *r = run_plan("input 1x28x28; dense 24; relu; cut exact; dense 20; relu; cut csg lambda=1; "
                                 "dense 10; loss softmax", 2000);
        struct train_placement p = placement_of(r, 4, false);
        for (int i = 0; emulated && i < EMULATED; i++) {
            emulate(i, 1, 0, 0);
            p.on[i] = PLACES + i;
        }
        snprintf(r->options.optimizer, sizeof r->options.optimizer, "sgd");
        r->options.lr = 1e3;
        team_start(r, &p);
        enum st s = train_epoch_run(r->train, NULL, &e);
        FAILS(ST_NUMERIC, "module 2 on ", s);
        FAILS(ST_NUMERIC, ": the loss is not finite any more by step ", s);
        FAILS(ST_NUMERIC, "take a smaller --lr than 1000, or a --warmup", s);
        FAILS(ST_NUMERIC, place[p.on[2]].label, s);
        runs_drop(NULL);
    }
}

/* ---- the watch --------------------------------------------------------------------------------------------------- */

struct looks {
    uint64_t done;
    bool odd; /* a test must not fail within a look: threads are under way */
};

static void look(void *user, const struct train_epoch *sofar, uint64_t done, uint64_t of)
{
    struct looks *l = user;
    bool right = done >= l->done && of == 450 && (done == of || (done < of && done % 100 == 0)) &&
                 sofar->train.samples == 4 * done && isfinite(sofar->train.loss) && share(sofar->train.accuracy);
    l->odd = l->odd || !right;
    l->done = done;
}

static void test_a_run_can_be_watched(void **state)
{
    (void)state;
    char net[256];
    struct looks looks = {0};
    struct train_epoch e;
    snprintf(net, sizeof net, DEEP, "cut csg", "cut exact");
    struct run *r = run_plan(net, 4 * 450);
    struct train_placement p = placement_of(r, 4, false);
    emulate(0, 3, 0, 0); /* slow enough for more than one look */
    p.on[1] = PLACES;
    r->options.batch = 4;
    team_start(r, &p);
    OK(train_epoch_run(r->train, &(struct train_watch){.progress = look, .user = &looks}, &e));
    assert_false(looks.odd);
    assert_int_equal(e.train.samples, 4 * 450);
}

/* ---- probes ------------------------------------------------------------------------------------------------------ */

static void test_probes_tell_how_good_gradients_are(void **state)
{
    (void)state;
    char net[256];
    struct train_alignment a[PLAN_MODULES_MAX];
    snprintf(net, sizeof net, DEEP, "cut csg", "cut csg solver=adam hidden=1");
    struct run *r = run_plan(net, 2000);
    struct train_placement p = placement_of(r, 2, true);
    p.on[1] = PLACE_HALF;
    team_start(r, &p);
    OK(train_probe(r->train, a)); /* they start by answering zero */
    assert_true(isnan(a[0].cosine) && a[0].norm_ratio == 0 && isnan(a[1].cosine) && a[1].norm_ratio == 0);
    run_epochs(r->train, 4);
    OK(train_probe(r->train, a));
    /* what is learned on digits in four epochs; the upper one learns from the truth */
    assert_true(a[0].cosine > 0.1 && a[1].cosine > 0.4 && a[0].cosine <= 1 && a[1].cosine <= 1);
    assert_true(a[0].norm_ratio > 0.05 && a[0].norm_ratio < 20 && a[1].norm_ratio > 0.05 && a[1].norm_ratio < 20);
    runs_drop(state);

    snprintf(net, sizeof net, DEEP, "cut exact", "cut none");
    r = team_new(net, 20, 2, false); /* fewer than a batch */
    run_epochs(r->train, 1);
    OK(train_probe(r->train, a));
    assert_true(a[0].cosine == 1 && a[0].norm_ratio == 1 && isnan(a[1].cosine) && isnan(a[1].norm_ratio));
}

static void test_probes_change_nothing(void **state)
{
    static const char *const cut[][2] = {{"cut csg solver=adam hidden=1", "cut csg"},
                                         {"cut local hidden=1", "cut predsim"},
                                         {"cut sg lambda=0.5", "cut exact"},
                                         {"cut vir", "cut classmean"},
                                         {"cut fixed", "cut vir frozen=1"}};
    for (size_t i = 0; i < COUNT_OF(cut); i++) {
        struct run *r[2];
        for (int k = 0; k < 2; k++) {
            char net[256];
            struct train_alignment a[PLAN_MODULES_MAX];
            snprintf(net, sizeof net, DEEP, cut[i][0], cut[i][1]);
            r[k] = run_plan(net, 330);
            struct train_placement p = placement_of(r[k], 2, true);
            r[k]->options.stream = i == 0;
            team_start(r[k], &p);
            for (int epoch = 0; epoch < 3; epoch++) {
                run_epochs(r[k]->train, 1);
                struct numbers before = numbers_of(r[k], true);
                double seconds = train_seconds(r[k]->train);
                for (int j = 0; k == 1 && j < 1 + epoch; j++)
                    OK(train_probe(r[k]->train, a));
                assert_true(same_numbers(before, numbers_of(r[k], true)));
                assert_true(train_seconds(r[k]->train) == seconds);
            }
        }
        assert_true(same_numbers(numbers_of(r[0], true), numbers_of(r[1], true)));
        runs_drop(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_hundred_random_runs, drop_and_tell),
        RUNS_TEST(test_links_longer_than_the_queue),
        RUNS_TEST(test_a_loss_that_is_not_finite),
        RUNS_TEST(test_a_run_can_be_watched),
        RUNS_TEST(test_probes_tell_how_good_gradients_are),
        RUNS_TEST(test_probes_change_nothing),
    };
    return cmocka_run_group_tests_name("runs in modules", tests, runs_setup, runs_teardown);
}

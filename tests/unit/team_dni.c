/*
 * Synthetic gradients in lockstep against a twin in double precision (Jaderberg et al., arXiv 1608.05343): each module
 * is updated by what its coupling says, the target of a coupling is what the module above sends down before its own
 * update, of the same batch. And where gradients must not go.
 */
#include "ref/ref.h"
#include "support/check.h"
#include "support/device.h"
#include "support/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8, SAMPLES = 48, STEPS = 6, CLASSES = 10, PIXELS = 784 };

/* ---- the twin ---------------------------------------------------------------------------------------------------- */

/* A dense layer with its activation, as PyTorch has it: weights (out, in). */
struct dense {
    int in, out;
    struct mx_activation phi;
    double *w, *b, *gw, *gb, *x, *y, *dx, *state[4]; /* state: two of the weights, two of the bias */
};

/* Three modules: two layers, one, one; a coupling, which is one layer, at each cut. */
enum { LAYERS = 4, CUTS = 2 };
static const int module_of[LAYERS] = {0, 0, 1, 2}, size[LAYERS + 1] = {PIXELS, 9, 8, 7, CLASSES};

struct twin {
    struct dense layer[LAYERS], coupling[CUTS];
    double lambda[CUTS], *delta[CUTS + 1];
    bool labels[CUTS], adam;
};

static struct dense dense_new(int in, int out, enum mx_act act)
{
    size_t n = (size_t)in * (size_t)out;
    struct dense d = {.in = in, .out = out, .phi = {.kind = act}};
    d.w = host_doubles(n);
    d.gw = host_doubles(n);
    d.b = host_doubles((size_t)out);
    d.gb = host_doubles((size_t)out);
    d.x = host_doubles((size_t)BATCH * (size_t)in);
    d.dx = host_doubles((size_t)BATCH * (size_t)in);
    d.y = host_doubles((size_t)BATCH * (size_t)out);
    for (int i = 0; i < 4; i++)
        d.state[i] = host_doubles(i < 2 ? n : (size_t)out);
    return d;
}

static void forward(struct dense *d)
{
    double sum[BATCH * 32];
    ref_gemm(false, true, BATCH, d->out, d->in, 1, d->x, d->w, 0, sum);
    ref_bias_act(d->phi, BATCH, d->out, sum, d->b, d->y);
}

static void backward(struct dense *d, const double *dy)
{
    double da[BATCH * 32];
    ref_act_backward(d->phi, (size_t)BATCH * (size_t)d->out, d->y, dy, da);
    ref_gemm(true, false, d->out, d->in, BATCH, 1.0 / BATCH, da, d->x, 0, d->gw);
    ref_column_sum(BATCH, d->out, 1.0 / BATCH, da, 0, d->gb);
    ref_gemm(false, false, BATCH, d->in, d->out, 1, da, d->w, 0, d->dx);
}

static void update(struct dense *d, bool adam, double rate, int t)
{
    size_t n = (size_t)d->in * (size_t)d->out;
    struct mx_adam a = {.lr = (float)rate, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .t = (uint32_t)t};
    struct mx_sgd s = {.lr = (float)rate, .momentum = 0.9f};
    if (adam) {
        ref_adam(&a, n, d->w, d->gw, d->state[0], d->state[1]);
        ref_adam(&a, (size_t)d->out, d->b, d->gb, d->state[2], d->state[3]);
    } else {
        ref_sgd(&s, n, d->w, d->gw, d->state[0]);
        ref_sgd(&s, (size_t)d->out, d->b, d->gb, d->state[2]);
    }
}

static size_t cells(int layer)
{
    return (size_t)BATCH * (size_t)size[layer];
}

/* A step on a batch, in the order of the equations: all answers first, then gradients from the top, then updates. */
static void twin_step(struct twin *t, const double *x, const uint32_t *label, double rate, double share, int step)
{
    static const int top[CUTS] = {1, 2}; /* the layer below each cut */
    double loss[BATCH], hit[BATCH], *target[CUTS];
    memcpy(t->layer[0].x, x, cells(0) * sizeof *x);
    for (int i = 0; i < LAYERS; i++) {
        forward(&t->layer[i]);
        if (i + 1 < LAYERS)
            memcpy(t->layer[i + 1].x, t->layer[i].y, cells(i + 1) * sizeof *x);
    }
    for (int k = 0; k < CUTS; k++) {
        ref_label_rows(BATCH, size[top[k] + 1], 0, t->labels[k] ? CLASSES : 0, t->layer[top[k]].y, NULL, label,
                       t->coupling[k].x);
        forward(&t->coupling[k]);
    }
    ref_softmax_loss(BATCH, CLASSES, t->layer[LAYERS - 1].y, label, t->delta[CUTS], loss, hit);
    for (int i = LAYERS - 1; i >= 0; i--) {
        int k = module_of[i];
        bool at_top = i == LAYERS - 1 || module_of[i + 1] != k;
        if (at_top && k < CUTS) {
            target[k] = t->layer[i + 1].dx;
            for (size_t j = 0; j < cells(i + 1); j++)
                t->delta[k][j] = t->lambda[k] * target[k][j] + (1 - t->lambda[k]) * t->coupling[k].y[j];
        }
        backward(&t->layer[i], at_top ? t->delta[k] : t->layer[i + 1].dx);
    }
    for (int i = 0; i < LAYERS; i++)
        update(&t->layer[i], t->adam, rate, step + 1);
    for (int k = 0; k < CUTS; k++) {
        double delta[BATCH * 32], per_row[BATCH];
        ref_squared_loss(BATCH, size[top[k] + 1], t->coupling[k].y, target[k], delta, per_row);
        backward(&t->coupling[k], delta);
        update(&t->coupling[k], true, 1e-3 * share, step + 1);
    }
}

/* ---- the two side by side ---------------------------------------------------------------------------------------- */

static void twin_open(struct twin *t, struct run *r, const char *const kind[CUTS])
{
    static const enum mx_act act[LAYERS] = {MX_RELU, MX_RELU, MX_TANH, MX_IDENTITY};
    for (int i = 0; i < LAYERS; i++) {
        struct dense *d = &t->layer[i];
        *d = dense_new(size[i], size[i + 1], act[i]);
        for (int part = 0; part < 2; part++) {
            size_t n = part ? (size_t)d->out : (size_t)d->in * (size_t)d->out;
            float *from = (float *)(void *)host_doubles(n);
            OK(train_read(r->train, 2 * i + part, NN_PARAM, 0, from));
            for (size_t j = 0; j < n; j++)
                (part ? d->b : d->w)[j] = from[j];
        }
    }
    for (int k = 0; k < CUTS; k++) {
        int n = size[2 + k];
        t->labels[k] = strncmp(kind[k], "csg", 3) == 0;
        t->coupling[k] = dense_new(n + (t->labels[k] ? CLASSES : 0), n, MX_IDENTITY);
        t->delta[k] = host_doubles((size_t)BATCH * (size_t)n);
        const char *lambda = strstr(kind[k], "lambda=");
        t->lambda[k] = lambda ? strtod(lambda + 7, NULL) : 0;
    }
    t->delta[CUTS] = host_doubles(BATCH * CLASSES);
}

static void close_to(const char *what, const float *got, const double *want, size_t n)
{
    /* Products of single precision are some 1e-7 of their size off; the optimiser's steps scale that to its rate, and
     * six of them add up. Seen is 2e-6 in numbers of 0.01 to 1. */
    check_close(what, got, want, n, 2e-5, 0);
}

static void compare(const struct twin *t, struct run *r)
{
    char what[64];
    for (int i = 0; i < LAYERS; i++)
        for (int part = 0; part < 2; part++) {
            const struct dense *d = &t->layer[i];
            size_t n = part ? (size_t)d->out : (size_t)d->in * (size_t)d->out;
            float *got = (float *)(void *)host_doubles(n);
            OK(train_read(r->train, 2 * i + part, NN_PARAM, 0, got));
            snprintf(what, sizeof what, "layer %d, %s", i, part ? "bias" : "weight");
            close_to(what, got, part ? d->b : d->w, n);
        }
    for (int k = 0; k < CUTS; k++)
        for (int part = 0; part < 2; part++) {
            const struct dense *d = &t->coupling[k];
            size_t n = part ? (size_t)d->out : (size_t)d->in * (size_t)d->out;
            float *got = (float *)(void *)host_doubles(n);
            OK(nn_module_read(sg_module(train_module_at(r->train, k).coupling, 0), part, NN_PARAM, 0, got));
            snprintf(what, sizeof what, "coupling %d, %s", k, part ? "bias" : "weight");
            close_to(what, got, part ? d->b : d->w, n);
        }
}

/* Step by step, or all at once, where lockstep has to keep the steps apart. */
static void check_against_twin(const char *first, const char *second, const char *optimizer, double lr, bool at_once)
{
    struct twin t = {.adam = strcmp(optimizer, "adam") == 0};
    char net[256];
    uint32_t order[SAMPLES], label[BATCH];
    double x[BATCH * PIXELS], loss[STEPS];
    snprintf(net, sizeof net, "input 1x28x28; dense 9; relu; dense 8; relu; cut %s; dense 7; tanh; cut %s; dense 10; "
             "loss softmax", first, second);
    struct run *r = run_plan(net, SAMPLES);
    struct train_placement p = team_placement(r, 2, true);
    snprintf(r->options.optimizer, sizeof r->options.optimizer, "%s", optimizer);
    r->options.lr = lr;
    r->options.batch = BATCH;
    p.on[1] = PLACE_HALF;
    team_start(r, &p);
    twin_open(&t, r, (const char *const[]){first, second});
    data_order(r->options.seed, 0, SAMPLES, order);
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < BATCH * PIXELS; i++) {
            uint32_t at = order[step * BATCH + i / PIXELS];
            double pixel = r->set.train.pixels[at * PIXELS + (uint32_t)(i % PIXELS)];
            x[i] = (pixel / 255 - r->scaling.mean[0]) / r->scaling.deviation[0];
            label[i / PIXELS] = r->set.train.labels[at];
        }
        double rate = train_rate(&r->options, (uint64_t)step, 4 * STEPS, STEPS);
        twin_step(&t, x, label, rate, rate / lr, step);
        if (!at_once)
            OK(train_steps(r->train, 1, loss));
        else if (step == STEPS - 1)
            OK(train_steps(r->train, STEPS, loss));
        if (!at_once || step == STEPS - 1)
            compare(&t, r);
    }
    runs_drop(NULL);
}

static void test_lockstep_against_a_twin(void **state)
{
    (void)state;
    for (int at_once = 0; at_once < 2; at_once++) {
        check_against_twin("csg solver=adam", "csg solver=adam", "adam", 1e-3, at_once);
        check_against_twin("csg solver=adam", "csg solver=adam", "sgd", 0.05, at_once);
        check_against_twin("sg solver=adam hidden=0", "csg solver=adam", "sgd", 0.05, at_once);
        check_against_twin("csg solver=adam", "sg solver=adam hidden=0", "adam", 1e-2, at_once);
        check_against_twin("csg solver=adam lambda=0.25", "csg solver=adam lambda=0.75", "sgd", 0.05, at_once);
        check_against_twin("csg solver=adam", "csg solver=adam lambda=0.5", "sgd", 0.05, at_once);
    }
}

/* ---- a start from zero ------------------------------------------------------------------------------------------- */

/* As same_numbers(), but zeros may have signs: what is solved for can come out as minus zero. */
static bool same_values(struct numbers a, struct numbers b)
{
    bool same = a.n == b.n;
    for (size_t i = 0; same && i < a.n; i++)
        same = a.at[i] == b.at[i];
    return same;
}

/* After k updates only the top k modules, and the topmost k couplings, have moved. */
static void test_gradients_come_down_one_cut_a_step(void **state)
{
    (void)state;
    struct run *r = team_new("input 1x28x28; dense 8; relu; cut csg; dense 8; relu; cut sg solver=adam hidden=0; "
                             "dense 8; tanh; cut csg solver=adam; dense 10; loss softmax", 256, 1, true);
    struct numbers module[4], coupling[3];
    double loss;
    for (int k = 0; k < 4; k++)
        module[k] = params_of_module(r, k);
    for (int k = 0; k < 3; k++)
        coupling[k] = params_of_coupling(r, k, 0);
    for (int step = 1; step <= 4; step++) {
        OK(train_steps(r->train, 1, &loss));
        for (int k = 0; k < 4; k++)
            assert_true(same_numbers(module[k], params_of_module(r, k)) == (k < 4 - step));
        for (int k = 0; k < 3; k++)
            assert_true(same_values(coupling[k], params_of_coupling(r, k, 0)) == (k < 3 - step));
    }
}

/* ---- where gradients must not go --------------------------------------------------------------------------------- */

/* Other numbers for tensor `i` of a module, the same each time. */
static void disturb(struct nn_module *m, const struct nn_net *net, int i, float by)
{
    size_t n = nn_tensor_at(net, i).param->count;
    struct rng r;
    float *values = (float *)(void *)host_doubles(n);
    rng_init(&r, 77, (uint64_t)i);
    for (size_t k = 0; k < n; k++)
        values[k] = by * (float)rng_normal(&r);
    OK(nn_module_write(m, i, NN_PARAM, 0, values));
}

/* A run of `steps` from a coupling that answers, and that learns at this rate. */
static struct run *run_from_answers(const char *lr, int steps)
{
    char net[256];
    double loss[8];
    snprintf(net, sizeof net, "input 1x28x28; dense 12; relu; cut csg solver=adam lr=%s; dense 10; loss softmax", lr);
    struct run *r = team_new(net, 256, 1, true);
    struct sg_coupling *c = train_module_at(r->train, 0).coupling;
    disturb(sg_module(c, 0), sg_net(c, 0), 0, 0.1f);
    OK(train_steps(r->train, steps, loss));
    return r;
}

/* Its rate decides what it becomes, not what it said; so the module is moved by it from the second step on. */
static void test_a_coupling_learns_beside_the_module(void **state)
{
    for (int steps = 1; steps <= 2; steps++) {
        struct run *slow = run_from_answers("1e-3", steps), *fast = run_from_answers("0.5", steps);
        assert_true(same_numbers(params_of_module(slow, 0), params_of_module(fast, 0)) == (steps == 1));
        assert_true(steps == 2 || same_numbers(params_of_module(slow, 1), params_of_module(fast, 1)));
        assert_false(same_numbers(params_of_coupling(slow, 0, 0), params_of_coupling(fast, 0, 0)));
        runs_drop(state);
    }
}

static void test_local_gradients_stay_local(void **state)
{
    static const char *const local[] = {"local", "local hidden=1", "predsim"};
    for (size_t i = 0; i < COUNT_OF(local); i++) {
        struct run *r[3];
        for (int k = 0; k < 3; k++) { /* the first twice: what is above the module, then its own classifier */
            char net[256];
            double loss[5];
            snprintf(net, sizeof net, "input 1x28x28; dense 12; relu; cut %s%s; dense 11; relu; cut %s; dense 10; "
                     "loss softmax", local[i], k == 2 ? " lr=0.5" : "", local[i]);
            r[k] = team_new(net, 256, 1, true);
            struct train_module above = train_module_at(r[k]->train, 1);
            struct sg_coupling *c = above.coupling;
            if (k == 1) {
                float values[12 * 11] = {0};
                for (int j = 0; j < 12 * 11; j++)
                    values[j] = 0.3f * (float)(j % 7 - 3);
                OK(train_write(r[k]->train, 2, NN_PARAM, 0, values));
                disturb(sg_module(c, 0), sg_net(c, 0), 0, 1);
            }
            OK(train_steps(r[k]->train, 5, loss));
        }
        assert_true(same_numbers(params_of_module(r[0], 0), params_of_module(r[1], 0)));
        assert_true(same_numbers(params_of_coupling(r[0], 0, 0), params_of_coupling(r[1], 0, 0)));
        assert_false(same_numbers(params_of_module(r[0], 1), params_of_module(r[1], 1)));
        assert_false(same_numbers(params_of_module(r[0], 0), params_of_module(r[2], 0)));
        runs_drop(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_lockstep_against_a_twin),
        RUNS_TEST(test_gradients_come_down_one_cut_a_step),
        RUNS_TEST(test_a_coupling_learns_beside_the_module),
        RUNS_TEST(test_local_gradients_stay_local),
    };
    return cmocka_run_group_tests_name("synthetic gradients in modules", tests, runs_setup, runs_teardown);
}

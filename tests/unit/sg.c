/* Synthetic gradients (sg, csg) on a device: vectors worked out by hand, late targets against a twin in double
 * precision, and what guesses, starting values and blends must keep to. */
#include "support/check.h"
#include "support/couplings.h"

#include "ref/ref.h"

#include <math.h>
#include <string.h>

static const struct sg_learning first = {.share = 1};

/* W2 of the vectors below, (2, 3): the linear layer above the cut. */
static const double above[2][3] = {{1, -1, 0.5}, {-0.5, 2, 0.25}};

static double squared_distance(const float *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

static void all_zero(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_true(values[i] == 0);
}

/* ---- one step by hand -------------------------------------------------------------------------------------------- */

/* h, the label and delta of each row are the same: means over the batch are what one row gives. Figures are worked out
 * to six decimals, which they are compared to. */
static void check_one_step(int rows)
{
    static const double h[] = {0.35, 0.7, 0.5}, delta[] = {0.262629, -0.525259, 0.043772};
    static const double a_row[] = {0.018384, 0.036768, 0.026263}, b[] = {0.052526, -0.105052, 0.008754};
    struct sg_coupling *c = coupling_open("csg solver=adam", 3, 2, 2, 1);
    struct batch x = batch_new(2, 3, 2);
    float w[15], bias[3];
    x.rows = rows;
    for (int r = 0; r < rows; r++) {
        memcpy(x.x + 3 * r, h, sizeof h);
        memcpy(x.t + 3 * r, delta, sizeof delta);
        x.label[r] = 1;
    }
    batch_send(&x);
    OK(sg_gradient(c, &first, x.h, x.labels, x.delta));
    all_zero(batch_delta(&x), (size_t)rows * 3);
    assert_true(fabs(squared_distance(batch_delta(&x), delta, 3) - 0.346787) <= 1e-6);
    OK(sg_learn(c, &first, x.target));
    /* the step of plain gradient descent at rate 0.1 that the figures are of, from the gradients that Adam was given */
    const float *dw = coupling_tensor(c, 0, 0, NN_GRAD, 0), *dbias = coupling_tensor(c, 0, 1, NN_GRAD, 0);
    for (int i = 0; i < 15; i++)
        w[i] = -0.1f * dw[i];
    for (int i = 0; i < 3; i++)
        bias[i] = -0.1f * dbias[i];
    check_close("row 1 of A", w, a_row, 3, 1e-6, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(w[5 * i + 3] == 0);
        check_close("column 2 of B", &w[5 * i + 4], &b[i], 1, 1e-6, 0);
    }
    check_close("c", bias, b, 3, 1e-6, 0);
    OK(nn_module_write(sg_module(c, 0), 0, NN_PARAM, 0, w));
    OK(nn_module_write(sg_module(c, 0), 1, NN_PARAM, 0, bias));
    OK(sg_guess(c, x.h, x.labels, x.delta));
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 3; i++) {
            double want = 0.5725 * delta[i];
            check_close("next guess", batch_delta(&x) + 3 * r + i, &want, 1, 1e-6, 0);
        }
    assert_true(fabs(squared_distance(batch_delta(&x), delta, 3) - 0.063377) <= 1e-6);
    couplings_done();
}

static void test_one_step_by_hand(void **state)
{
    (void)state;
    check_one_step(1);
    check_one_step(2);
}

/* ---- a linear layer above that does not learn -------------------------------------------------------------------- */

/* Targets W^T W h - W^T y, the gradient of |W h - y|^2 / 2, with as many labels of one class as of the other. */
static void fill_frozen(struct batch *b, int rows)
{
    batch_fill(b, rows);
    for (int r = 0; r < rows; r++) {
        double e[2] = {0};
        b->label[r] = (uint32_t)r % 2;
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < 3; i++)
                e[k] += above[k][i] * b->x[3 * r + i];
            e[k] -= b->label[r] == (uint32_t)k;
        }
        for (int i = 0; i < 3; i++)
            b->t[3 * r + i] = above[0][i] * e[0] + above[1][i] * e[1];
    }
    batch_send(b);
}

/* Mean loss of a batch's guesses. */
static double frozen_loss(struct sg_coupling *c, struct batch *b)
{
    fill_frozen(b, b->rows);
    OK(sg_guess(c, b->h, b->labels, b->delta));
    return squared_distance(batch_delta(b), b->t, (size_t)b->rows * 3) / b->rows;
}

static struct sg_coupling *train_frozen(const char *words, struct batch *b)
{
    enum { STEPS = 600 };
    struct sg_coupling *c = coupling_open(words, 3, 2, b->rows, 1);
    for (int i = 0; i < STEPS; i++) {
        /* Adam's steps do not shrink by themselves */
        struct sg_learning l = {.share = i < STEPS / 2 ? 1 : pow(1e-5, (2.0 * i - STEPS) / STEPS), .step = (uint64_t)i};
        fill_frozen(b, b->rows);
        OK(sg_gradient(c, &l, b->h, b->labels, b->delta));
        OK(sg_learn(c, &l, b->target));
    }
    return c;
}

static void test_linear_csg_learns_the_exact_gradient(void **state)
{
    (void)state;
    struct batch b = batch_new(device_small() ? 8 : 64, 3, 2);
    struct sg_coupling *c = train_frozen("csg solver=adam lr=0.1", &b);
    b.rows = device_small() ? 8 : 64;
    /* the guesses are sums of five numbers up to 5 in float, so exact ones err by 2e-6 each, and by 1e-11 squared */
    double loss = frozen_loss(c, &b);
    if (!(loss <= 1e-10))
        fail_msg("loss of a gradient that can be exact: %g", loss);
    const float *w = coupling_tensor(c, 0, 0, NN_PARAM, 0), *bias = coupling_tensor(c, 0, 1, NN_PARAM, 0);
    static const double a[3][3] = {{1.25, -2, 0.375}, {-2, 5, 0}, {0.375, 0, 0.3125}};
    for (int i = 0; i < 3; i++) {
        check_close("A", w + 5 * i, a[i], 3, 2e-5, 0);
        for (int k = 0; k < 2; k++) {
            /* one of the columns is always on: B and c are known up to what moves from one to the other */
            float sum = w[5 * i + 3 + k] + bias[i];
            double want = -above[k][i];
            check_close("B + c", &sum, &want, 1, 2e-5, 0);
        }
    }
    couplings_done();
}

/* Without the label the best that can be said is W^T W h - W^T E[y]. With both labels as frequent, y - E[y] is half
 * the difference of the rows of W away from it in every sample: 11.3125 / 4. */
static void test_linear_sg_stalls_at_the_variance(void **state)
{
    (void)state;
    struct batch b = batch_new(device_small() ? 8 : 64, 3, 2);
    struct sg_coupling *c = train_frozen("sg solver=adam hidden=0 lr=0.1", &b);
    double loss = 0;
    for (int i = 0; i < 10; i++)
        loss += frozen_loss(c, &b) / 10;
    /* what chance leaves: h and the label are independent only in the mean over many batches */
    if (!(fabs(loss - 11.3125 / 4) <= 0.05 * 11.3125 / 4))
        fail_msg("loss of a gradient without the label: %g, the variance is %g", loss, 11.3125 / 4);
    couplings_done();
}

/* ---- zero start -------------------------------------------------------------------------------------------------- */

enum { CUTS = 3, ROWS = 4, WIDTH = 5 };

static bool answers_zero(struct sg_coupling *c, struct batch *b)
{
    OK(sg_guess(c, b->h, b->labels, b->delta));
    for (int i = 0; i < b->rows * b->n; i++)
        if (batch_delta(b)[i] != 0)
            return false;
    return true;
}

/* A chain of couplings with linear layers between them: what the one above guessed comes down. Only the top one hears
 * the truth, so that after k steps the top k alone can know anything. */
static void check_zero_start(const char *words)
{
    struct sg_coupling *c[CUTS];
    struct batch b[CUTS];
    const double *w[CUTS];
    for (int i = 0; i < CUTS; i++) {
        c[i] = coupling_open(words, WIDTH, 3, ROWS, 1);
        b[i] = batch_new(ROWS, WIDTH, 3);
        w[i] = host_random(WIDTH * WIDTH, -1, 1);
    }
    for (int step = 0; step <= CUTS; step++) {
        for (int i = 0; i < CUTS; i++) {
            batch_fill(&b[i], ROWS);
            OK(sg_gradient(c[i], &first, b[i].h, b[i].labels, b[i].delta));
        }
        for (int i = 0; i < CUTS; i++) {
            const float *guess = i + 1 < CUTS ? batch_delta(&b[i + 1]) : NULL;
            double *wide = host_doubles(ROWS * WIDTH);
            for (int k = 0; guess && k < ROWS * WIDTH; k++)
                wide[k] = guess[k];
            if (guess)
                ref_gemm(false, false, ROWS, WIDTH, WIDTH, 1, wide, w[i], 0, b[i].t);
            const float *old = batch_delta(&b[i]);
            for (int k = 0; k < ROWS * WIDTH; k++)
                assert_true((old[k] != 0) == (i + step >= CUTS));
        }
        for (int i = 0; i < CUTS; i++) {
            batch_send(&b[i]);
            OK(sg_learn(c[i], &first, b[i].target));
            assert_int_equal(answers_zero(c[i], &b[i]), i + step + 1 < CUTS);
        }
    }
    couplings_done();
}

static void test_knowledge_moves_down_a_cut_a_step(void **state)
{
    (void)state;
    check_zero_start("csg solver=adam");
    check_zero_start("sg solver=adam hidden=0");
    check_zero_start("csg solver=adam hidden=1");
    check_zero_start("csg solver=ls error=0 every=1");
    check_zero_start("csg error=1 every=1");
    check_zero_start("sg solver=ls every=1");
}

/* ---- starting values --------------------------------------------------------------------------------------------- */

static void check_start(const char *words, bool zero, bool random)
{
    struct sg_coupling *a = coupling_open(words, 6, 3, 4, 2), *b = coupling_open(words, 6, 3, 4, 2);
    struct batch x = batch_new(4, 6, 3);
    assert_true(coupling_same(a, b, true));
    OK(sg_init(a, 1, 2));
    assert_int_equal(coupling_same(a, b, true), !random);
    batch_fill(&x, 4);
    assert_int_equal(answers_zero(a, &x), zero);
    OK(sg_init(b, 2, 2));
    assert_int_equal(coupling_same(a, b, true), !random);
    OK(sg_init(b, 1, 2));
    assert_true(coupling_same(a, b, true));
    /* again after a few steps, with a target under way: nothing is left of them */
    for (int i = 0; i < 3; i++) {
        OK(sg_gradient(a, &first, x.h, x.labels, x.delta));
        if (i < 2)
            OK(sg_learn(a, &first, x.target));
    }
    assert_false(coupling_same(a, b, true));
    OK(sg_init(a, 1, 2));
    assert_true(coupling_same(a, b, true));
    assert_int_equal(sg_kept(a), 0);
    assert_int_equal(sg_updates(a), 0);
    couplings_done();
}

static void test_starting_values(void **state)
{
    (void)state;
    check_start("csg solver=adam", true, false);
    check_start("sg solver=adam hidden=0", true, false);
    check_start("csg solver=adam hidden=1", true, true);
    check_start("csg solver=ls error=0", true, false);
    check_start("csg error=1", true, false);
    check_start("sg solver=ls", true, false);
    check_start("sg solver=adam hidden=4 width=3", true, true);
    check_start("local", false, true);
    check_start("local hidden=1", false, true);
    check_start("predsim", false, true);
    check_start("vir", false, true);
    check_start("classmean", true, false);
    check_start("predsim beta=0", true, true); /* its classifier starts at zero, its map does not count */
}

/* ---- late targets ------------------------------------------------------------------------------------------------ */

enum { RING = 3, STEPS = 40, N = 3, CLASSES = 2, IN = N + CLASSES, FLAT = N * IN + N };

/* A linear csg and its Adam in double precision, and the steps that wait: what the coupling must come to. */
struct linear {
    double p[FLAT], v[FLAT], s[FLAT]; /* weight (N, IN), then bias */
    double x[RING][ROWS * N];
    uint32_t label[RING][ROWS];
    int rows[RING], kept, learned;
    uint32_t updates;
};

static void linear_guess(const struct linear *l, int rows, const double *x, const uint32_t *label, double *in,
                         double *y)
{
    ref_label_rows(rows, N, 0, CLASSES, x, NULL, label, in);
    ref_gemm(false, true, rows, N, IN, 1, in, l->p, 0, y);
    for (int i = 0; i < rows * N; i++)
        y[i] += l->p[N * IN + i % N];
}

static void linear_learn(struct linear *l, const double *target, double lr)
{
    int at = l->learned++ % RING, rows = l->rows[at];
    double in[ROWS * IN], y[ROWS * N], delta[ROWS * N], per_row[ROWS], g[FLAT] = {0};
    if (!target)
        return;
    linear_guess(l, rows, l->x[at], l->label[at], in, y);
    ref_squared_loss(rows, N, y, target, delta, per_row);
    ref_gemm(true, false, N, IN, rows, 1.0 / rows, delta, in, 0, g);
    for (int i = 0; i < rows * N; i++)
        g[N * IN + i % N] += delta[i] / rows;
    struct mx_adam adam = {.lr = (float)lr, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .t = ++l->updates};
    ref_adam(&adam, FLAT, l->p, g, l->v, l->s);
}

/* Both to eight parts in a million of what a step of Adam moves a parameter by, for every step so far: the gradients
 * are sums of at most ROWS * IN numbers in float, and Adam divides them by their own size. */
static void same_as_linear(struct sg_coupling *c, const struct linear *l, double lr)
{
    double tolerance = 8e-6 * lr * (l->updates + 1) + 0x1p-22;
    check_close("weight", coupling_tensor(c, 0, 0, NN_PARAM, 0), l->p, N * IN, tolerance, 0);
    check_close("bias", coupling_tensor(c, 0, 1, NN_PARAM, 0), l->p + N * IN, N, tolerance, 0);
    assert_int_equal(sg_updates(c), l->updates);
    assert_int_equal(sg_kept(c), l->kept - l->learned);
}

static void late_gradient(struct sg_coupling *c, struct linear *l, struct batch *b)
{
    double in[ROWS * IN], y[ROWS * N];
    int at = l->kept++ % RING;
    bool wanted = rng_below(host_rng(), 4) > 0;
    batch_fill(b, 1 + (int)rng_below(host_rng(), ROWS));
    memcpy(l->x[at], b->x, sizeof l->x[at]);
    memcpy(l->label[at], b->label, sizeof l->label[at]);
    l->rows[at] = b->rows;
    OK(sg_gradient(c, &first, b->h, b->labels, wanted ? b->delta : (struct mx_tensor){0}));
    batch_unchanged(b);
    if (!wanted)
        return;
    linear_guess(l, b->rows, b->x, b->label, in, y);
    check_close("guess", batch_delta(b), y, (size_t)(b->rows * N), 1e-5, 0);
}

static void test_late_targets_belong_to_their_step(void **state)
{
    (void)state;
    static const double lr = 0.02;
    struct sg_coupling *c = coupling_open("csg solver=adam lr=0.04", N, CLASSES, ROWS, RING);
    struct batch b = batch_new(ROWS, N, CLASSES), other = batch_new(ROWS, N, CLASSES);
    struct linear l = {0};
    struct sg_learning half = {.share = 0.5};
    int skipped = 0, full = 0;
    for (int i = 0; i < STEPS; i++) {
        if (rng_below(host_rng(), 3) == 0) { /* guesses in between are nobody's step */
            batch_fill(&other, ROWS);
            OK(sg_guess(c, other.h, other.labels, other.delta));
        }
        if (l.kept == l.learned || (l.kept - l.learned < RING && rng_below(host_rng(), 2))) {
            late_gradient(c, &l, &b);
            same_as_linear(c, &l, lr); /* a guess teaches nothing */
            full += l.kept - l.learned == RING;
            continue;
        }
        batch_fill(&b, l.rows[l.learned % RING]);
        bool skip = rng_below(host_rng(), 4) == 0;
        skipped += skip;
        OK(sg_learn(c, &half, skip ? (struct mx_tensor){0} : b.target));
        batch_unchanged(&b);
        linear_learn(&l, skip ? NULL : b.t, lr);
        same_as_linear(c, &l, lr);
    }
    assert_true(skipped > 0 && full > 0 && l.updates > 5); /* the numbers drawn saw it all */
    couplings_done();
}

static void test_a_ring_that_is_full_or_empty(void **state)
{
    (void)state;
    struct sg_coupling *c = coupling_open("csg error=0", N, CLASSES, ROWS, RING);
    struct sg_coupling *d = coupling_open("csg error=0", N, CLASSES, ROWS, RING);
    struct batch b = batch_new(ROWS, N, CLASSES);
    batch_fill(&b, 3);
    FAILS(ST_INTERNAL, "a target for no step", sg_learn(c, &first, b.target));
    for (int i = 0; i < RING; i++) {
        OK(sg_gradient(c, &first, b.h, b.labels, b.delta));
        assert_int_equal(sg_kept(c), i + 1);
    }
    FAILS(ST_INTERNAL, "more than 3 steps wait for their target", sg_gradient(c, &first, b.h, b.labels, b.delta));
    FAILS(ST_INTERNAL, "more than 3 steps wait for their target",
          sg_gradient(c, &first, b.h, b.labels, (struct mx_tensor){0}));
    OK(sg_guess(c, b.h, b.labels, b.delta));
    assert_int_equal(sg_kept(c), RING);
    b.target.rows = 2;
    FAILS(ST_INTERNAL, "a target of 2 rows for a step of 3", sg_learn(c, &first, b.target));
    assert_true(coupling_same(c, d, true));
    couplings_done();
}

/* ---- the same to the bit ----------------------------------------------------------------------------------------- */

/* `late` learns two steps behind; `prompt` goes through a step at the time when its target comes. */
static void check_late_and_prompt(const char *words)
{
    enum { LATE = 2, COUNT = 7 };
    struct sg_coupling *late = coupling_open(words, 7, 3, ROWS, LATE + 1);
    struct sg_coupling *prompt = coupling_open(words, 7, 3, ROWS, 1);
    struct batch b[COUNT];
    for (int i = 0; i < COUNT + LATE; i++) {
        struct sg_learning l = {.share = 1, .step = (uint64_t)i};
        if (i < COUNT) {
            b[i] = batch_new(ROWS, 7, 3);
            batch_fill(&b[i], i == COUNT - 1 ? 3 : ROWS);
            OK(sg_gradient(late, &l, b[i].h, b[i].labels, b[i].delta));
        }
        if (i >= LATE) {
            struct batch *old = &b[i - LATE];
            OK(sg_learn(late, &l, old->target));
            OK(sg_gradient(prompt, &l, old->h, old->labels, old->delta));
            OK(sg_learn(prompt, &l, old->target));
            assert_true(coupling_same(late, prompt, false)); /* running moments are of the guesses */
        }
    }
    couplings_done();
}

/* After a guess for another batch the activations are computed anew. */
static void check_fresh_and_computed_anew(const char *words)
{
    struct sg_coupling *fresh = coupling_open(words, 7, 3, ROWS, 1), *anew = coupling_open(words, 7, 3, ROWS, 1);
    struct batch b = batch_new(ROWS, 7, 3), other = batch_new(ROWS, 7, 3);
    batch_fill(&other, ROWS);
    for (int i = 0; i < 4; i++) {
        batch_fill(&b, i == 3 ? 2 : ROWS);
        OK(sg_gradient(fresh, &first, b.h, b.labels, b.delta));
        OK(sg_learn(fresh, &first, b.target));
        OK(sg_gradient(anew, &first, b.h, b.labels, b.delta));
        OK(sg_guess(anew, other.h, other.labels, other.delta));
        OK(sg_learn(anew, &first, b.target));
        assert_true(coupling_same(fresh, anew, true));
    }
    couplings_done();
}

static void test_late_targets_give_the_same_bits(void **state)
{
    (void)state;
    static const char *const words[] = {"csg solver=adam", "csg solver=adam hidden=1", "sg solver=adam",
                                        "sg solver=adam hidden=2 width=9 lr=0.1", "csg solver=ls error=0",
                                        "sg solver=ls every=2 forget=0.9", "vir lr=0.1", "classmean"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        check_late_and_prompt(words[i]);
        check_fresh_and_computed_anew(words[i]);
    }
}

/* ---- blends ------------------------------------------------------------------------------------------------------ */

static void test_mix(void **state)
{
    (void)state;
    struct batch b = batch_new(ROWS, N, CLASSES);
    double *guess = host_doubles(ROWS * N), *want = host_doubles(ROWS * N);
    batch_fill(&b, ROWS);
    struct sg_coupling *c = coupling_open("csg lambda=0.25", N, CLASSES, ROWS, 1);
    coupling_scatter(c, 1);
    OK(sg_gradient(c, &first, b.h, b.labels, b.delta));
    for (int i = 0; i < ROWS * N; i++) {
        guess[i] = batch_delta(&b)[i];
        want[i] = 0.25 * b.t[i] + 0.75 * guess[i];
    }
    OK(sg_mix(c, b.target, b.delta));
    check_close("a quarter", batch_delta(&b), want, ROWS * N, 2 * ROUND, 2 * ROUND); /* the factors are exact */
    c = coupling_open("sg lambda=1", N, CLASSES, ROWS, 1);
    batch_send(&b); /* delta is NaN again */
    OK(sg_mix(c, b.target, b.delta));
    for (int i = 0; i < ROWS * N; i++)
        assert_true(batch_delta(&b)[i] == (float)b.t[i]);
    couplings_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUPLING_TEST(test_one_step_by_hand),
        COUPLING_TEST(test_linear_csg_learns_the_exact_gradient),
        COUPLING_TEST(test_linear_sg_stalls_at_the_variance),
        COUPLING_TEST(test_knowledge_moves_down_a_cut_a_step),
        COUPLING_TEST(test_starting_values),
        COUPLING_TEST(test_late_targets_belong_to_their_step),
        COUPLING_TEST(test_a_ring_that_is_full_or_empty),
        COUPLING_TEST(test_late_targets_give_the_same_bits),
        COUPLING_TEST(test_mix),
    };
    return cmocka_run_group_tests_name("sg", tests, device_open, device_close);
}

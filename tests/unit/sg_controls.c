/* Couplings that are there to compare with (fixed, classmean, vir): what they guess against formulas in double
 * precision, how they learn by hand and by differences, and what they must not do. */
#include "support/check.h"
#include "support/couplings.h"

#include "ref/ref.h"

#include <math.h>
#include <string.h>

static const struct sg_learning first = {.share = 1};

enum { N = 6, CLASSES = 3, ROWS = 5 };

static float *guess_of(struct sg_coupling *c, struct batch *b)
{
    batch_send(b); /* delta is NaN again */
    OK(sg_guess(c, b->h, b->labels, b->delta));
    return batch_delta(b);
}

/* ---- fixed ------------------------------------------------------------------------------------------------------- */

static void fixed_guess(struct sg_coupling *c, double scale, const struct batch *b, double *out)
{
    int n = b->n;
    const float *of_h = coupling_tensor(c, 0, 0, NN_PARAM, 0), *of_label = coupling_tensor(c, 1, 0, NN_PARAM, 0);
    for (int r = 0; r < b->rows; r++)
        for (int i = 0; i < n; i++) {
            double sum = of_label[i * b->classes + (int)b->label[r]] * sqrt(b->classes / (2.0 * n));
            for (int k = 0; k < n; k++)
                sum += of_h[i * n + k] * b->x[r * n + k] / sqrt(2.0 * n);
            out[r * n + i] = scale * sum;
        }
}

static void test_fixed_is_what_it_starts_as(void **state)
{
    (void)state;
    double want[ROWS * N];
    struct sg_coupling *c = coupling_open("fixed", N, CLASSES, ROWS, 1);
    struct sg_coupling *again = coupling_open("fixed", N, CLASSES, ROWS, 1);
    struct sg_coupling *larger = coupling_open("fixed scale=2", N, CLASSES, ROWS, 1);
    struct batch b = batch_new(ROWS, N, CLASSES);
    for (int step = 0; step < 3; step++) {
        batch_fill(&b, step == 2 ? 2 : ROWS);
        OK(sg_gradient(c, &first, b.h, b.labels, b.delta));
        fixed_guess(c, 1, &b, want);
        check_close("fixed", batch_delta(&b), want, (size_t)(b.rows * N), 1e-6, 1e-6);
        OK(sg_learn(c, &first, b.target));
        assert_int_equal(sg_kept(c), 0);
        assert_true(coupling_same(c, again, true));
        guess_of(larger, &b);
        fixed_guess(c, 2, &b, want);
        check_close("twice as large", batch_delta(&b), want, (size_t)(b.rows * N), 1e-6, 1e-6);
    }
    OK(sg_init(again, 2, 0));
    assert_false(coupling_same(c, again, true));
    couplings_done();
}

static double mean_square(const float *values, int rows, int cols)
{
    double sum = 0;
    for (int i = 0; i < rows * cols; i++)
        sum += (double)values[i] * values[i] / rows;
    return sum;
}

/* |dhat|^2 is 1/3 for h of mean square 1, and the label's half of it stays where h is zero. */
static void test_fixed_hears_activation_and_label_alike(void **state)
{
    (void)state;
    enum { WIDE = 48, MANY = 64, LABELS = 10 };
    struct sg_coupling *c = coupling_open("fixed", WIDE, LABELS, MANY, 1);
    struct batch b = batch_new(MANY, WIDE, LABELS);
    batch_fill(&b, MANY);
    for (int i = 0; i < MANY * WIDE; i++)
        b.x[i] = (float)(sqrt(3) * b.x[i]);
    double both = mean_square(guess_of(c, &b), MANY, WIDE);
    memset(b.x, 0, sizeof *b.x * MANY * WIDE);
    double label = mean_square(guess_of(c, &b), MANY, WIDE);
    /* of some 2,000 and 500 random weights: five times what chance does */
    if (!(fabs(both - 1.0 / 3) < 0.06 && fabs(label - 1.0 / 6) < 0.04))
        fail_msg("|dhat|^2 is %g, of the label alone %g", both, label);
    couplings_done();
}

/* ---- classmean --------------------------------------------------------------------------------------------------- */

/* Each class's guess, whatever h is. */
static void check_means(struct sg_coupling *c, const double want[3][2])
{
    struct batch b = batch_new(3, 2, 3);
    for (int i = 0; i < 2; i++) {
        batch_fill(&b, 3);
        for (int r = 0; r < 3; r++)
            b.label[r] = (uint32_t)r;
        check_close("means", guess_of(c, &b), want[0], 6, 1e-6, 1e-5); /* and the ridge */
    }
}

static void learn_rows(struct sg_coupling *c, const uint32_t label[3], const double t[3][2])
{
    struct batch b = batch_new(3, 2, 3);
    batch_fill(&b, 3);
    memcpy(b.label, label, 3 * sizeof *label);
    memcpy(b.t, t, 6 * sizeof(double));
    batch_send(&b);
    OK(sg_gradient(c, &first, b.h, b.labels, b.delta));
    OK(sg_learn(c, &first, b.target));
}

/* With forget 1/2, what came a step ago counts half: the mean of class 0 is (10 + (1 + 3) / 2) / (1 + 2 / 2). */
static void test_class_means_by_hand(void **state)
{
    (void)state;
    static const double nothing[3][2] = {{0}}, once[3][2] = {{2, 3}, {0, 0}, {5, 6}},
                        twice[3][2] = {{6, 1.5}, {2, 3}, {5, 6}}, all[3][2] = {{14. / 3, 2}, {2, 3}, {5, 6}},
                        last[3][2] = {{10, 0}, {2, 3}, {0, 0}};
    static const struct {
        const char *words;
        const double (*want)[2];
    } cases[] = {{"classmean forget=0.5", twice}, {"classmean forget=1", all}, {"classmean forget=0", last}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sg_coupling *c = coupling_open(cases[i].words, 2, 3, 3, 1);
        check_means(c, nothing);
        learn_rows(c, (const uint32_t[]){0, 0, 2}, (const double[3][2]){{1, 2}, {3, 4}, {5, 6}});
        check_means(c, once);
        learn_rows(c, (const uint32_t[]){0, 1, 1}, (const double[3][2]){{10, 0}, {1, 1}, {3, 5}});
        check_means(c, cases[i].want);
        couplings_done();
    }
}

/* ---- vir --------------------------------------------------------------------------------------------------------- */

/* A^T (CLASSES, N) and b, the batch they are fitted to, and v. */
static struct {
    double w[CLASSES * N], bias[CLASSES], v;
    const struct batch *b;
} vir;

static void vir_take(struct sg_coupling *c, const struct batch *b)
{
    const float *w = coupling_tensor(c, 0, 0, NN_PARAM, 0), *bias = coupling_tensor(c, 0, 1, NN_PARAM, 0);
    for (int i = 0; i < CLASSES * N; i++)
        vir.w[i] = w[i];
    for (int k = 0; k < CLASSES; k++)
        vir.bias[k] = bias[k];
    vir.b = b;
}

static void vir_guess(double *out)
{
    double z[ROWS * CLASSES], e[ROWS * CLASSES], loss[ROWS], hit[ROWS];
    const struct batch *b = vir.b;
    ref_gemm(false, true, b->rows, CLASSES, N, 1, b->x, vir.w, 0, z);
    for (int i = 0; i < b->rows * CLASSES; i++)
        z[i] += vir.bias[i % CLASSES];
    ref_softmax_loss(b->rows, CLASSES, z, b->label, e, loss, hit);
    ref_gemm(false, false, b->rows, N, CLASSES, 1, e, vir.w, 0, out);
}

static double vir_loss(void)
{
    double guess[ROWS * N], sum = 0;
    vir_guess(guess);
    for (int i = 0; i < vir.b->rows * N; i++)
        sum += (guess[i] - vir.b->t[i]) * (guess[i] - vir.b->t[i]);
    return sum / vir.v / vir.b->rows;
}

/* The mean over targets so far of the variance that each has over its rows, summed over its values. */
static void vir_variance(int t)
{
    double weight = (1 - 0.95) / (1 - pow(0.95, t)), sum = 0;
    for (int i = 0; i < N; i++) {
        double mean = 0;
        for (int r = 0; r < vir.b->rows; r++)
            mean += vir.b->t[r * N + i] / vir.b->rows;
        for (int r = 0; r < vir.b->rows; r++)
            sum += (vir.b->t[r * N + i] - mean) * (vir.b->t[r * N + i] - mean) / (vir.b->rows - 1);
    }
    vir.v = (1 - weight) * vir.v + weight * sum;
}

/* The device's sums err by some 20 roundings of values that are a few times their result. */
static void check_differences(const char *what, const float *got, double *values, int n)
{
    static const double step = 1e-6;
    double scale = 0;
    for (int i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)got[i]));
    assert_true(scale > 0.01);
    for (int i = 0; i < n; i++) {
        double value = values[i];
        values[i] = value + step;
        double high = vir_loss();
        values[i] = value - step;
        double want = (high - vir_loss()) / (2 * step);
        values[i] = value;
        if (!(fabs(got[i] - want) <= 2e-5 * scale + 1e-6))
            fail_msg("%s, element %d: %.9g, by differences %.9g", what, i, (double)got[i], want);
    }
}

static void adam(double lr, int t, int n, const float *g, double *w, double *v, double *s)
{
    const struct mx_adam a = {.lr = (float)lr, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .t = (uint32_t)t};
    double wide[CLASSES * N];
    for (int i = 0; i < n; i++)
        wide[i] = g[i];
    ref_adam(&a, (size_t)n, w, wide, v, s);
}

/* Targets a step late: the gradient of |dhat - t|^2 / v by A, which stands in it twice, and by b; and Adam's step. */
static void test_vir_by_differences(void **state)
{
    (void)state;
    double guess[ROWS * N], moments[2][CLASSES * N] = {{0}}, of_bias[2][CLASSES] = {{0}};
    struct sg_coupling *c = coupling_open("vir lr=0.05", N, CLASSES, ROWS, 2);
    struct batch b[2] = {batch_new(ROWS, N, CLASSES), batch_new(ROWS, N, CLASSES)};
    coupling_scatter(c, 0.8);
    vir.v = 0;
    for (int step = 0; step < 5; step++) {
        struct batch *now = &b[step % 2], *old = &b[(step + 1) % 2];
        batch_fill(now, step == 3 ? 2 : ROWS);
        OK(sg_gradient(c, &first, now->h, now->labels, now->delta));
        batch_unchanged(now);
        vir_take(c, now);
        vir_guess(guess);
        check_close("vir", batch_delta(now), guess, (size_t)(now->rows * N), 2e-6, 2e-6);
        if (step == 0)
            continue;
        vir.b = old;
        vir_variance(step);
        OK(sg_learn(c, &first, old->target));
        batch_unchanged(old);
        const float *dw = coupling_tensor(c, 0, 0, NN_GRAD, 0), *db = coupling_tensor(c, 0, 1, NN_GRAD, 0);
        check_differences("dA", dw, vir.w, CLASSES * N);
        check_differences("db", db, vir.bias, CLASSES);
        adam(0.05, step, CLASSES * N, dw, vir.w, moments[0], moments[1]);
        adam(0.05, step, CLASSES, db, vir.bias, of_bias[0], of_bias[1]);
        check_close("A", coupling_tensor(c, 0, 0, NN_PARAM, 0), vir.w, CLASSES * N, 2e-6, 0);
        check_close("b", coupling_tensor(c, 0, 1, NN_PARAM, 0), vir.bias, CLASSES, 2e-6, 0);
    }
    assert_int_equal(sg_updates(c), 4);
    couplings_done();
}

/* Where the truth has this form it is found: a classifier's gradient, through weights that are not its own. */
static void test_vir_finds_a_classifier_above(void **state)
{
    (void)state;
    enum { STEPS = 400 };
    struct sg_coupling *c = coupling_open("vir lr=0.05", N, CLASSES, ROWS, 1);
    struct batch b = batch_new(ROWS, N, CLASSES);
    double w[CLASSES * N], bias[CLASSES], sizes = 0, off = 0;
    memcpy(w, host_random(CLASSES * N, -1, 1), sizeof w);
    memcpy(bias, host_random(CLASSES, -1, 1), sizeof bias);
    for (int i = 0; i < STEPS + 20; i++) {
        struct sg_learning l = {.share = pow(1e-3, (double)i / STEPS), .step = (uint64_t)i};
        batch_fill(&b, ROWS);
        memcpy(vir.w, w, sizeof w);
        memcpy(vir.bias, bias, sizeof bias);
        vir.b = &b;
        vir_guess(b.t);
        batch_send(&b);
        OK(sg_gradient(c, &l, b.h, b.labels, b.delta));
        for (int k = 0; i >= STEPS && k < ROWS * N; k++) {
            sizes += b.t[k] * b.t[k];
            off += (batch_delta(&b)[k] - b.t[k]) * (batch_delta(&b)[k] - b.t[k]);
        }
        OK(sg_learn(c, &l, b.target));
    }
    if (!(off < 1e-3 * sizes))
        fail_msg("a gradient that can be exact is off by %g of its square", off / sizes);
    couplings_done();
}

static void test_vir_learns_nothing_from_no_variance(void **state)
{
    (void)state;
    struct sg_coupling *c = coupling_open("vir", N, CLASSES, ROWS, 1);
    struct batch b = batch_new(ROWS, N, CLASSES);
    vir_take(c, &b);
    for (int i = 0; i < 2; i++) {
        batch_fill(&b, ROWS);
        memset(b.t, 0, sizeof *b.t * ROWS * N);
        batch_send(&b);
        OK(sg_gradient(c, &first, b.h, b.labels, b.delta));
        OK(sg_learn(c, &first, b.target));
        check_close("A", coupling_tensor(c, 0, 0, NN_PARAM, 0), vir.w, CLASSES * N, 0, 0);
    }
    couplings_done();
}

static void test_a_frozen_vir_stays(void **state)
{
    (void)state;
    double guess[ROWS * N];
    struct sg_coupling *c = coupling_open("vir frozen=1", N, CLASSES, ROWS, 1);
    struct sg_coupling *again = coupling_open("vir frozen=1", N, CLASSES, ROWS, 1);
    struct batch b = batch_new(ROWS, N, CLASSES);
    for (int step = 0; step < 3; step++) {
        batch_fill(&b, ROWS);
        OK(sg_gradient(c, &first, b.h, b.labels, b.delta));
        vir_take(c, &b);
        vir_guess(guess);
        check_close("frozen", batch_delta(&b), guess, ROWS * N, 2e-6, 2e-6);
        OK(sg_learn(c, &first, b.target));
        assert_int_equal(sg_kept(c), 0);
        assert_true(coupling_same(c, again, true));
    }
    /* and it starts as the one that learns does */
    struct sg_coupling *learns = coupling_open("vir", N, CLASSES, ROWS, 1);
    check_close("A", coupling_tensor(learns, 0, 0, NN_PARAM, 0), vir.w, CLASSES * N, 0, 0);
    couplings_done();
}

static void test_a_batch_too_small_for_a_variance(void **state)
{
    (void)state;
    struct sg_spec spec;
    struct sg_coupling *c = NULL;
    OK(sg_spec_parse("vir", &spec));
    assert_int_equal(sg_batch_min(&spec), 2);
    FAILS(ST_INPUT, "vir learns from batches of 2 samples at least, here of 1",
          sg_open(&spec, device_queue(), N, CLASSES, 1, 1, &c));
    assert_null(c);
    OK(sg_spec_parse("vir frozen=1", &spec));
    assert_int_equal(sg_batch_min(&spec), 1);
}

/* ---- saving ------------------------------------------------------------------------------------------------------ */

/* Another coupling with all that a checkpoint keeps of one goes on with the same bits. */
static void check_saved(const char *words)
{
    struct sg_coupling *c = coupling_open(words, N, CLASSES, ROWS, 1);
    struct sg_coupling *again = coupling_open(words, N, CLASSES, ROWS, 1);
    struct batch b = batch_new(ROWS, N, CLASSES);
    for (int step = 0; step < 8; step++) {
        int rows, cols;
        if (step == 4) {
            OK(sg_state_write(again, coupling_state(c, &rows, &cols)));
            assert_true(rows > 0 && cols > 0);
            sg_set_updates(again, sg_updates(c));
            for (int k = 0; k < nn_tensor_count(sg_net(c, 0)); k++) {
                OK(nn_module_write(sg_module(again, 0), k, NN_PARAM, 0, coupling_tensor(c, 0, k, NN_PARAM, 0)));
                for (int slot = 0; slot < sg_net_slots(c, 0); slot++)
                    OK(nn_module_write(sg_module(again, 0), k, NN_SLOT, slot, coupling_tensor(c, 0, k, NN_SLOT, slot)));
            }
        }
        batch_fill(&b, ROWS);
        for (int i = 0; i < (step < 4 ? 1 : 2); i++) {
            OK(sg_gradient(i ? again : c, &first, b.h, b.labels, b.delta));
            OK(sg_learn(i ? again : c, &first, b.target));
        }
        assert_int_equal(coupling_same(c, again, true), step >= 4);
    }
    couplings_done();
}

static void test_what_is_saved_is_all(void **state)
{
    (void)state;
    check_saved("classmean");
    check_saved("vir");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUPLING_TEST(test_fixed_is_what_it_starts_as),
        COUPLING_TEST(test_fixed_hears_activation_and_label_alike),
        COUPLING_TEST(test_class_means_by_hand),
        COUPLING_TEST(test_vir_by_differences),
        COUPLING_TEST(test_vir_finds_a_classifier_above),
        COUPLING_TEST(test_vir_learns_nothing_from_no_variance),
        COUPLING_TEST(test_a_frozen_vir_stays),
        COUPLING_TEST(test_a_batch_too_small_for_a_variance),
        COUPLING_TEST(test_what_is_saved_is_all),
    };
    return cmocka_run_group_tests_name("sg controls", tests, device_open, device_close);
}

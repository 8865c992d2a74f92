/* Synthetic gradients by least squares: a step by hand, gradients that can be exact, late targets against a twin in
 * double precision, what must not leak, and saving. */
#include "support/check.h"
#include "support/couplings.h"

#include "ref/ref.h"

#include <math.h>
#include <string.h>

static const struct sg_learning first = {.share = 1};

static double squared_distance(const float *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

/* ---- one step by hand -------------------------------------------------------------------------------------------- */

/*
 * h = (1, 2), label 1 of 2, delta = (5, -10), ridge 1: x = (1, 2, 0, 1) and S = x^T x, whose mean square of h is
 * 2.5. Of (S + diag(2.5, 2.5, e, e)) w = x delta the solution is w = delta diag(1/2.5, 1/2.5, 1/e, 1/e) x / (1 + q),
 * with q = 5 / 2.5 + 1 / e = 2 + 1 / e (Sherman and Morrison): with e next to nothing the label alone takes all of it.
 */
static void test_one_step_by_hand(void **state)
{
    (void)state;
    static const double h[] = {1, 2}, delta[] = {5, -10}, e = 1e-6;
    struct sg_coupling *c = coupling_open("csg solver=ls error=0 ridge=1", 2, 2, 1, 1);
    struct batch b = batch_new(1, 2, 2);
    memcpy(b.x, h, sizeof h);
    memcpy(b.t, delta, sizeof delta);
    b.label[0] = 1;
    batch_send(&b);
    OK(sg_gradient(c, &first, b.h, b.labels, b.delta));
    assert_true(batch_delta(&b)[0] == 0 && batch_delta(&b)[1] == 0);
    OK(sg_learn(c, &first, b.target));
    double q = 2 + 1 / e, want[2][4];
    for (int i = 0; i < 2; i++) {
        want[i][0] = delta[i] * 0.4 * h[0] / (1 + q);
        want[i][1] = delta[i] * 0.4 * h[1] / (1 + q);
        want[i][2] = 0;
        want[i][3] = delta[i] / e / (1 + q);
    }
    check_close("W", coupling_tensor(c, 0, 0, NN_PARAM, 0), want[0], 8, 1e-5, 1e-5);
    couplings_done();
}

/* ---- gradients that can be exact --------------------------------------------------------------------------------- */

/* Targets W^T W h - W^T y, the gradient of |W h - y|^2 / 2 of a linear layer above that does not learn. */
enum { TOP = 3 };
static void frozen_targets(struct batch *b, const double *w)
{
    for (int r = 0; r < b->rows; r++) {
        double e[TOP];
        b->label[r] = (uint32_t)r % TOP;
        for (int k = 0; k < TOP; k++) {
            e[k] = b->label[r] == (uint32_t)k ? -1 : 0;
            for (int i = 0; i < b->n; i++)
                e[k] += w[k * b->n + i] * b->x[r * b->n + i];
        }
        for (int i = 0; i < b->n; i++) {
            b->t[r * b->n + i] = 0;
            for (int k = 0; k < TOP; k++)
                b->t[r * b->n + i] += w[k * b->n + i] * e[k];
        }
    }
    batch_send(b);
}

/* As many samples as there are inputs determine a linear map. Each of the first n has an h of its own that stands out:
 * the moments of h drawn at random alone would have a condition that float cannot hold to 1e-4. */
static void check_exact(int n)
{
    const double *w = host_random((size_t)(TOP * n), -1, 1);
    struct sg_coupling *c = coupling_open("csg solver=ls error=0 ridge=1e-6 forget=1", n, TOP, n + TOP, 1);
    struct batch b = batch_new(n + TOP, n, TOP);
    batch_fill(&b, n + TOP);
    for (int i = 0; i < (n + TOP) * n; i++)
        b.x[i] = 0.1 * b.x[i] + (i % (n + 1) == 0 && i < n * n ? 3 : 0);
    frozen_targets(&b, w);
    OK(sg_gradient(c, &first, b.h, b.labels, b.delta));
    OK(sg_learn(c, &first, b.target));
    batch_fill(&b, n + TOP); /* others */
    frozen_targets(&b, w);
    OK(sg_guess(c, b.h, b.labels, b.delta));
    double size = 0, off = squared_distance(batch_delta(&b), b.t, (size_t)(b.rows * n));
    for (int i = 0; i < b.rows * n; i++)
        size += b.t[i] * b.t[i];
    if (!(sqrt(off / size) <= 1e-4))
        fail_msg("%d inputs: a gradient that can be exact is off by %g of its size", n, sqrt(off / size));
    couplings_done();
}

static void test_linear_layers_are_learned_at_once(void **state)
{
    (void)state;
    check_exact(3);
    check_exact(device_small() ? 5 : 40);
    check_exact(device_small() ? 7 : 100);
}

/* ---- what must not leak ------------------------------------------------------------------------------------------ */

/* Other labels for the same h: sg, which does not see them, must say the same, and learn the same. */
static void test_sg_knows_no_label(void **state)
{
    (void)state;
    struct sg_coupling *a = coupling_open("sg solver=ls", 5, 3, 8, 1), *b = coupling_open("sg solver=ls", 5, 3, 8, 1);
    struct batch x = batch_new(8, 5, 3);
    for (int step = 0; step < 3; step++) {
        float *first_guess = (float *)host_doubles(20);
        batch_fill(&x, 8);
        OK(sg_gradient(a, &first, x.h, x.labels, x.delta));
        memcpy(first_guess, batch_delta(&x), 40 * sizeof *first_guess);
        OK(sg_learn(a, &first, x.target));
        for (int r = 0; r < 8; r++)
            x.label[r] = (x.label[r] + 1) % 3;
        batch_send(&x);
        OK(sg_gradient(b, &first, x.h, x.labels, x.delta));
        assert_memory_equal(first_guess, batch_delta(&x), 40 * sizeof *first_guess);
        OK(sg_learn(b, &first, x.target));
        assert_true(coupling_same(a, b, true));
    }
    couplings_done();
}

/* The classifier of error=1 is an input and no gradient: as long as no target came the guess is zero, however much the
 * classifier has learned; and targets of zero keep it so. */
static void test_the_classifier_does_not_reach_the_module(void **state)
{
    (void)state;
    enum { RING = 3 };
    struct sg_coupling *c = coupling_open("csg solver=ls error=1 lr=0.1", 5, 3, 8, RING);
    struct batch x = batch_new(8, 5, 3);
    for (int step = 0; step < 6; step++) {
        batch_fill(&x, 8);
        memset(x.t, 0, sizeof *x.t * 8 * 5);
        batch_send(&x);
        OK(sg_gradient(c, &first, x.h, x.labels, x.delta));
        for (int i = 0; i < 8 * 5; i++)
            assert_true(batch_delta(&x)[i] == 0);
        if (step >= RING - 1)
            OK(sg_learn(c, &first, x.target));
    }
    const float *head = coupling_tensor(c, 1, 0, NN_PARAM, 0);
    double moved = 0;
    for (int i = 0; i < 15; i++)
        moved += fabs(head[i]);
    assert_true(moved > 0);
    couplings_done();
}

/* ---- late targets against a twin --------------------------------------------------------------------------------- */

enum { LATE = 2, EAGER = 32, ROWS = 6, N = 4, CLASSES = 3 };

/* Moments and their solution in double precision, of inputs [h, error, onehot(y)] or [h, 1]. */
struct twin_ls {
    bool label, error;
    double forget, ridge;
    int every, updates, D;
    double s[32 * 32], c[N * 32], w[N * 32], count;
};

static void twin_inputs(const struct twin_ls *t, struct sg_coupling *c, const struct batch *b, double *x)
{
    double error[ROWS * CLASSES], loss[ROWS], hit[ROWS], z[ROWS * CLASSES];
    if (t->error) { /* of the classifier as it is */
        const float *w = coupling_tensor(c, 1, 0, NN_PARAM, 0), *bias = coupling_tensor(c, 1, 1, NN_PARAM, 0);
        for (int r = 0; r < b->rows; r++)
            for (int k = 0; k < CLASSES; k++) {
                z[r * CLASSES + k] = bias[k];
                for (int i = 0; i < N; i++)
                    z[r * CLASSES + k] += w[k * N + i] * b->x[r * N + i];
            }
        ref_softmax_loss(b->rows, CLASSES, z, b->label, error, loss, hit);
    }
    ref_label_rows(b->rows, N, t->error ? CLASSES : 0, t->label ? CLASSES : 1, b->x, error,
                   t->label ? b->label : NULL, x);
}

static void twin_learn(struct twin_ls *t, int rows, const double *x, const double *target)
{
    double ridge[32], mean = 0, s[32 * 32], c[N * 32];
    int D = t->D, scaled = N + (t->error ? CLASSES : 0);
    t->count = t->forget * t->count + 1;
    ref_gemm(true, false, D, D, rows, 1.0 / rows, x, x, t->forget, t->s);
    ref_gemm(true, false, N, D, rows, 1.0 / rows, target, x, t->forget, t->c);
    if (++t->updates > EAGER && t->updates % t->every != 0)
        return;
    for (int i = 0; i < D * D; i++)
        s[i] = t->s[i] / t->count;
    for (int i = 0; i < N * D; i++)
        c[i] = t->c[i] / t->count;
    for (int i = 0; i < scaled; i++)
        mean += s[i * D + i] / scaled;
    for (int i = 0; i < D; i++)
        ridge[i] = i < scaled ? t->ridge * mean : 1e-6;
    ref_ridge(D, N, s, c, ridge, t->w);
}

static void check_twin(const char *words, struct twin_ls *t, int steps)
{
    enum { KEPT = LATE + 1 };
    struct sg_coupling *c = coupling_open(words, N, CLASSES, ROWS, KEPT);
    struct batch b[KEPT];
    double x[KEPT][ROWS * 32], guess[ROWS * N];
    t->D = N + (t->error ? CLASSES : 0) + (t->label ? CLASSES : 1);
    for (int i = 0; i < KEPT; i++)
        b[i] = batch_new(ROWS, N, CLASSES);
    for (int i = 0; i < steps; i++) {
        struct batch *now = &b[i % KEPT], *old = &b[(i + 1) % KEPT];
        batch_fill(now, i % 5 == 4 ? 2 : ROWS);
        twin_inputs(t, c, now, x[i % KEPT]);
        OK(sg_gradient(c, &first, now->h, now->labels, now->delta));
        batch_unchanged(now);
        ref_gemm(false, true, now->rows, N, t->D, 1, x[i % KEPT], t->w, 0, guess);
        /* the label's ridge of 1e-6 lets single precision err by 1e-3 of it where labels tell what a one does, too */
        check_close("guess", batch_delta(now), guess, (size_t)(now->rows * N), 2e-3, 2e-3);
        if (i >= LATE && i % 6 == 5) {
            OK(sg_learn(c, &first, (struct mx_tensor){0})); /* none came of that step */
        } else if (i >= LATE) {
            OK(sg_learn(c, &first, old->target));
            twin_learn(t, old->rows, x[(i + 1) % KEPT], old->t);
        }
    }
    assert_int_equal(sg_updates(c), t->updates);
    couplings_done();
}

static void test_late_targets_against_a_twin(void **state)
{
    (void)state;
    check_twin("csg solver=ls error=1 ridge=0.3 forget=0.9 every=1 lr=0.1",
               &(struct twin_ls){.label = true, .error = true, .forget = 0.9, .ridge = 0.3, .every = 1}, 14);
    check_twin("csg solver=ls error=0 ridge=1 forget=0.5 every=3",
               &(struct twin_ls){.label = true, .forget = 0.5, .ridge = 1, .every = 3}, 3 * EAGER / 2);
    check_twin("sg solver=ls forget=1 ridge=0.1 every=2",
               &(struct twin_ls){.forget = 1, .ridge = 0.1, .every = 2}, 14);
}

/* ---- saving ------------------------------------------------------------------------------------------------------ */

/* Another coupling with all that a checkpoint keeps of one goes on with the same bits. */
static void test_what_is_saved_is_all(void **state)
{
    (void)state;
    enum { WIDTH = 7 };
    struct sg_coupling *c = coupling_open("csg solver=ls error=1 every=3", WIDTH, 3, ROWS, 1);
    struct sg_coupling *again = coupling_open("csg solver=ls error=1 every=3", WIDTH, 3, ROWS, 1);
    struct batch b = batch_new(ROWS, WIDTH, 3);
    for (int step = 0; step < EAGER + 10; step++) {
        if (step == EAGER + 5) {
            int rows, cols;
            OK(sg_state_write(again, coupling_state(c, &rows, &cols)));
            sg_set_updates(again, sg_updates(c));
            for (int i = 0; i < sg_net_count(c); i++)
                for (int k = 0; k < nn_tensor_count(sg_net(c, i)); k++) {
                    OK(nn_module_write(sg_module(again, i), k, NN_PARAM, 0, coupling_tensor(c, i, k, NN_PARAM, 0)));
                    for (int slot = 0; slot < sg_net_slots(c, i); slot++)
                        OK(nn_module_write(sg_module(again, i), k, NN_SLOT, slot,
                                           coupling_tensor(c, i, k, NN_SLOT, slot)));
                }
        }
        batch_fill(&b, ROWS);
        for (int i = 0; i < (step < EAGER + 5 ? 1 : 2); i++) {
            OK(sg_gradient(i ? again : c, &first, b.h, b.labels, b.delta));
            OK(sg_learn(i ? again : c, &first, b.target));
        }
        assert_int_equal(coupling_same(c, again, true), step >= EAGER + 5);
    }
    couplings_done();
}

static void test_too_wide(void **state)
{
    (void)state;
    struct sg_spec spec;
    uint64_t bytes;
    OK(sg_spec_parse("csg", &spec));
    OK(sg_memory_plan(&spec, device_mx(), 4076, 10, 4, 1, &bytes));
    FAILS(ST_INPUT, "csg takes up to 4076 values at a cut, here are 4077",
          sg_memory_plan(&spec, device_mx(), 4077, 10, 4, 1, &bytes));
    couplings_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUPLING_TEST(test_one_step_by_hand),
        COUPLING_TEST(test_linear_layers_are_learned_at_once),
        COUPLING_TEST(test_sg_knows_no_label),
        COUPLING_TEST(test_the_classifier_does_not_reach_the_module),
        COUPLING_TEST(test_late_targets_against_a_twin),
        COUPLING_TEST(test_what_is_saved_is_all),
        COUPLING_TEST(test_too_wide),
    };
    return cmocka_run_group_tests_name("sg by least squares", tests, device_open, device_close);
}

/* Couplings with classifiers of their own (local, predsim) against finite differences in double precision, and what all
 * kinds keep to: memory as planned, guesses that leave no trace, no allocation in a step. */
#include "support/check.h"
#include "support/couplings.h"

#include "ref/ref.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 6, CLASSES = 3, BATCH = 5, SLICE = 3 };

static const struct sg_learning first = {.share = 1};

/* Of every kind that guesses, shallow and deep. */
static const char *const guessing[] = {"csg solver=adam", "csg solver=adam hidden=1", "csg solver=ls error=1",
                                       "csg solver=ls error=0 every=1", "sg solver=adam",
                                       "sg solver=adam hidden=0 lambda=0.5", "sg solver=ls lambda=0.5", "local",
                                       "local hidden=1 width=7", "predsim", "predsim beta=0.5", "vir", "vir frozen=1",
                                       "classmean", "fixed"};

/* ---- losses in double precision ---------------------------------------------------------------------------------- */

/* Mean over the rows of -log softmax(z)[label]. */
static double cross_entropy(int rows, const double *z, const uint32_t *label)
{
    double loss = 0;
    for (int r = 0; r < rows; r++, z += CLASSES) {
        double sum = 0;
        for (int k = 0; k < CLASSES; k++)
            sum += exp(z[k]);
        loss += (log(sum) - z[label[r]]) / rows;
    }
    return loss;
}

/* Cosine of two rows less their means. */
static double cosine(int cols, const double *a, const double *b)
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < cols; i++) {
        ma += a[i] / cols;
        mb += b[i] / cols;
    }
    for (int i = 0; i < cols; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return ab / sqrt(aa * bb);
}

/* Mean over all pairs of rows of (S(v) - S(onehot(label)))^2. */
static double similarity(int rows, const double *v, const uint32_t *label)
{
    double y[BATCH][CLASSES] = {{0}}, loss = 0;
    for (int r = 0; r < rows; r++)
        y[r][label[r]] = 1;
    for (int a = 0; a < rows; a++)
        for (int b = 0; b < rows; b++) {
            double e = cosine(N, v + a * N, v + b * N) - cosine(CLASSES, y[a], y[b]);
            loss += e * e / (rows * rows);
        }
    return loss;
}

/* A coupling, its nets as twins, and a batch. */
static struct {
    struct sg_coupling *c;
    struct twin twin[SG_NETS_MAX];
    struct batch b;
    double beta; /* of predsim; below 0: a local one */
} at;

static double loss(void)
{
    double ce = cross_entropy(at.b.rows, twin_forward(&at.twin[0], at.b.rows, at.b.x), at.b.label);
    if (at.beta < 0)
        return ce;
    return (1 - at.beta) * ce +
           at.beta * similarity(at.b.rows, twin_forward(&at.twin[1], at.b.rows, at.b.x), at.b.label);
}

/* `got`: `factor` times the loss's gradient by `values`, by central differences. A step of 1e-6 leaves 1e-9 of error in
 * double precision. The device's sums in float err by some 20 roundings, of values that are up to 10 times their result
 * where batch norm or the similarity takes means off: 2e-5 of a tensor's largest gradient is allowed. */
static void check_gradient(const char *what, const float *got, double *values, size_t n, double factor)
{
    static const double h = 1e-6;
    double scale = 0;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)got[i]));
    for (size_t i = 0; i < n; i++) {
        double value = values[i];
        values[i] = value + h;
        double high = loss();
        values[i] = value - h;
        double want = factor * (high - loss()) / (2 * h);
        values[i] = value;
        if (!(fabs(got[i] - want) <= 2e-5 * scale + 1e-6))
            fail_msg("%s, element %zu: %.9g, by differences %.9g", what, i, (double)got[i], want);
    }
}

static void check_differences(const char *words, double beta, int rows)
{
    at.c = coupling_open(words, N, CLASSES, BATCH, 1);
    at.b = batch_new(BATCH, N, CLASSES);
    at.beta = beta;
    coupling_scatter(at.c, 0.8);
    assert_int_equal(sg_net_count(at.c), beta < 0 ? 1 : 2);
    for (int i = 0; i < sg_net_count(at.c); i++)
        at.twin[i] = twin_of(at.c, i); /* before they learn */
    batch_fill(&at.b, rows);
    OK(sg_gradient(at.c, &first, at.b.h, at.b.labels, at.b.delta));
    /* a sample's own gradient has no 1/B, those of parameters have */
    check_gradient(words, batch_delta(&at.b), at.b.x, (size_t)(rows * N), rows);
    for (int i = 0; i < sg_net_count(at.c); i++)
        for (int k = 0; k < nn_tensor_count(at.twin[i].net); k++) {
            struct nn_tensor t = nn_tensor_at(at.twin[i].net, k);
            char what[160];
            snprintf(what, sizeof what, "%s: %s of net %d", words, t.name, i);
            if (!t.is_state)
                check_gradient(what, coupling_tensor(at.c, i, k, NN_GRAD, 0), at.twin[i].tensor[k], t.param->count, 1);
        }
    couplings_done();
}

static void test_local_by_differences(void **state)
{
    (void)state;
    static const char *const words[] = {"local", "local hidden=1", "local hidden=2 width=9"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        check_differences(words[i], -1, BATCH);
        check_differences(words[i], -1, SLICE);
    }
}

static void test_predsim_by_differences(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        double beta;
    } cases[] = {{"predsim", 0.99}, {"predsim beta=0.5", 0.5}, {"predsim beta=0", 0}, {"predsim beta=1", 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_differences(cases[i].words, cases[i].beta, BATCH);
        check_differences(cases[i].words, cases[i].beta, SLICE);
    }
}

/* ---- learning ---------------------------------------------------------------------------------------------------- */

/* Adam in double precision from the gradients that the device found. */
struct tensor_twin {
    double *p, *v, *s;
};

static void check_adam_step(struct sg_coupling *c, struct tensor_twin *twin, double lr, uint32_t t)
{
    const struct mx_adam adam = {.lr = (float)lr, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .t = t};
    for (int i = 0; i < sg_net_count(c); i++)
        for (int k = 0; k < nn_tensor_count(sg_net(c, i)); k++, twin++) {
            struct nn_tensor tensor = nn_tensor_at(sg_net(c, i), k);
            size_t n = tensor.param->count;
            if (tensor.is_state)
                continue;
            double *g = host_doubles(n);
            for (size_t j = 0; j < n; j++)
                g[j] = coupling_tensor(c, i, k, NN_GRAD, 0)[j];
            ref_adam(&adam, n, twin->p, g, twin->v, twin->s);
            /* a handful of roundings of the step, and one of the parameter a step */
            check_close(tensor.name, coupling_tensor(c, i, k, NN_PARAM, 0), twin->p, n, 1e-5 * lr + 4 * ROUND, 0);
        }
}

/* Rate, share and count of updates reach each net; a step that does not update the module leaves all as it is. */
static void check_learning(const char *words, double lr)
{
    struct sg_coupling *c = coupling_open(words, N, CLASSES, BATCH, 1);
    struct batch b = batch_new(BATCH, N, CLASSES);
    struct tensor_twin twin[2 * COUPLING_TENSORS_MAX], *next = twin;
    static const struct sg_learning half = {.share = 0.5};
    coupling_scatter(c, 0.8);
    for (int i = 0; i < sg_net_count(c); i++)
        for (int k = 0; k < nn_tensor_count(sg_net(c, i)); k++, next++) {
            size_t n = nn_tensor_at(sg_net(c, i), k).param->count;
            *next = (struct tensor_twin){twin_of(c, i).tensor[k], host_doubles(n), host_doubles(n)};
        }
    for (uint32_t t = 1; t <= 4; t++) {
        if (t == 4)
            sg_set_updates(c, 9);
        batch_fill(&b, t == 3 ? SLICE : BATCH);
        OK(sg_gradient(c, t == 2 ? &half : &first, b.h, b.labels, b.delta));
        check_adam_step(c, twin, t == 2 ? lr / 2 : lr, t == 4 ? 10 : t);
        assert_int_equal(sg_updates(c), t == 4 ? 10 : t);
        OK(sg_gradient(c, &first, b.h, b.labels, (struct mx_tensor){0}));
        OK(sg_learn(c, &first, b.target)); /* means nothing to it */
        assert_int_equal(sg_kept(c), 0);
    }
    assert_int_equal(sg_updates(c), 10);
    couplings_done();
}

static void test_nets_learn_by_adam(void **state)
{
    (void)state;
    check_learning("local", 1e-3);
    check_learning("local hidden=1 lr=0.05 p=0.5", 0.05);
    check_learning("predsim lr=0.02", 0.02);
    check_learning("predsim beta=0.5", 1e-3);
}

/* ---- guesses ----------------------------------------------------------------------------------------------------- */

static void check_guess(const char *words)
{
    struct sg_coupling *a = coupling_open(words, N, CLASSES, BATCH, 3), *b = coupling_open(words, N, CLASSES, BATCH, 3);
    struct batch x = batch_new(BATCH, N, CLASSES), other = batch_new(BATCH, N, CLASSES);
    for (int i = 0; i < 6; i++) {
        batch_fill(&x, i == 4 ? SLICE : BATCH);
        batch_fill(&other, BATCH);
        OK(sg_guess(a, other.h, other.labels, other.delta));
        OK(sg_guess(a, x.h, x.labels, x.delta));
        batch_unchanged(&x);
        const float *guess = batch_delta(&x);
        int kept = sg_kept(a);
        assert_true(coupling_same(a, b, true)); /* b has made no guess */
        batch_send(&x);
        OK(sg_gradient(b, &first, x.h, x.labels, x.delta));
        assert_memory_equal(batch_delta(&x), guess, (size_t)(x.rows * N) * sizeof *guess);
        batch_send(&x);
        OK(sg_gradient(a, &first, x.h, x.labels, x.delta));
        assert_memory_equal(batch_delta(&x), guess, (size_t)(x.rows * N) * sizeof *guess);
        if (sg_kept(a) > kept) {
            OK(sg_guess(a, other.h, other.labels, other.delta));
            OK(sg_learn(a, &first, x.target));
            OK(sg_learn(b, &first, x.target));
        }
        batch_unchanged(&x);
        assert_true(coupling_same(a, b, true));
    }
    couplings_done();
}

static void test_a_guess_is_the_gradient_and_leaves_no_trace(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(guessing); i++)
        check_guess(guessing[i]);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* The most that one of some products needs: trans_a, trans_b, M, N, K. */
static size_t most_gemm(struct mx *mx, const int (*form)[5], int n)
{
    size_t most = 0, floats;
    for (int i = 0; i < n; i++) {
        OK(mx_gemm_scratch(mx, form[i][0], form[i][1], form[i][2], form[i][3], form[i][4], &floats));
        most = floats > most ? floats : most;
    }
    return most;
}

/* Floats of scratch that a coupling needs for its own products. */
static size_t own_scratch(const char *words, struct mx *mx, int n, int classes, int batch)
{
    size_t floats = 0, more;
    if (strncmp(words, "predsim", 7) == 0)
        OK(mx_similarity_scratch(mx, batch, n, &floats));
    if (strncmp(words, "fixed", 5) == 0)
        return most_gemm(mx, (const int[][5]){{0, 1, batch, n, n}, {0, 1, batch, n, classes}}, 2);
    if (strncmp(words, "vir", 3) == 0) {
        const int form[3][5] = {{0, 0, batch, n, classes}, {0, 1, batch, classes, n}, {1, 0, classes, n, batch}};
        bool stays = strstr(words, "frozen=1") != NULL;
        floats = most_gemm(mx, form, stays ? 1 : 3);
        more = stays ? 0 : mx_columns_scratch(batch, n);
        return more > floats ? more : floats;
    }
    if (strncmp(words, "classmean", 9) == 0) {
        const int form[3][5] = {{1, 0, classes, classes, batch}, {1, 0, n, classes, batch}, {0, 1, batch, n, classes}};
        OK(mx_ridge_scratch(mx, classes, n, &floats));
        more = most_gemm(mx, form, 3);
        return more > floats ? more : floats;
    }
    if (strstr(words, "solver=ls")) {
        int D = n + (strncmp(words, "sg", 2) == 0 ? 1 : classes) + (strstr(words, "error=1") ? classes : 0);
        const int form[3][3] = {{D, D, batch}, {n, D, batch}, {batch, n, D}};
        OK(mx_ridge_scratch(mx, D, n, &floats));
        for (int i = 0; i < 3; i++) {
            OK(mx_gemm_scratch(mx, i < 2, i == 2, form[i][0], form[i][1], form[i][2], &more));
            floats = more > floats ? more : floats;
        }
    }
    return floats;
}

/* Bytes of net i's memory, and how many of its buffers are empty. */
static uint64_t net_bytes(struct sg_coupling *c, int i, struct mx *mx, int batch, uint64_t *empty)
{
    struct nn_memory m;
    OK(nn_memory_plan(sg_net(c, i), mx, batch, sg_net_slots(c, i) ? sg_net_slots(c, i) : -1, 1, &m));
    *empty += (m.state == 0 ? 1u : 0u) + (m.scratch == 0 ? 1u : 0u);
    return nn_memory_total(&m);
}

/* What was planned is what is made; OpenCL knows no empty buffer, so that each empty one takes 4 bytes. */
static void check_memory(const char *words, int n, int classes, int batch, int ring)
{
    struct ocl_device *device = ocl_queue_device(device_queue());
    struct sg_coupling *c;
    struct sg_spec spec;
    struct mx *mx;
    uint64_t planned, before = ocl_device_bytes(device), empty = 0, nets = 0;
    OK(sg_spec_parse(words, &spec));
    OK(mx_open(device_queue(), NULL, &mx));
    OK(sg_memory_plan(&spec, mx, n, classes, batch, ring, &planned));
    assert_int_equal(ocl_device_bytes(device), before);
    OK(sg_open(&spec, device_queue(), n, classes, batch, ring, &c));
    for (int i = 0; i < sg_net_count(c); i++)
        nets += net_bytes(c, i, mx, batch, &empty);
    size_t scratch = own_scratch(words, mx, n, classes, batch);
    empty += (scratch == 0 ? 1u : 0u) + (planned == nets + 4 * scratch ? 1u : 0u); /* its own */
    assert_int_equal(ocl_device_bytes(device) - before, planned + 4 * empty);
    sg_close(c);
    assert_int_equal(ocl_device_bytes(device), before);
    mx_close(mx);
    device_done();
}

static void test_memory_as_planned(void **state)
{
    (void)state;
    static const char *const words[] = {"csg solver=adam", "csg solver=adam hidden=1", "csg solver=ls error=1",
                                        "csg solver=ls error=0", "sg solver=ls", "sg solver=adam",
                                        "sg solver=adam hidden=2 width=5", "local", "local hidden=1 width=40",
                                        "predsim", "vir", "vir frozen=1", "classmean", "fixed", "exact micro=4",
                                        "none"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        check_memory(words[i], N, CLASSES, BATCH, 1);
        check_memory(words[i], 40, 10, 33, 4);
    }
}

/* By hand, in floats: what a coupling needs beside its nets and the scratch of its own products. */
static void check_work(const char *words, int ring, uint64_t floats)
{
    struct sg_spec spec;
    uint64_t planned, nets = 0, empty = 0;
    size_t scratch = own_scratch(words, device_mx(), N, CLASSES, BATCH);
    struct sg_coupling *c = coupling_open(words, N, CLASSES, BATCH, ring);
    OK(sg_spec_parse(words, &spec));
    OK(sg_memory_plan(&spec, device_mx(), N, CLASSES, BATCH, ring, &planned));
    for (int i = 0; i < sg_net_count(c); i++)
        nets += net_bytes(c, i, device_mx(), BATCH, &empty);
    assert_int_equal(planned - nets, 4 * (floats + scratch));
    couplings_done();
}

static void test_memory_by_hand(void **state)
{
    (void)state;
    enum { ROW = N + CLASSES };
    /* h and label of a step and of a guess outside; losses */
    check_work("csg solver=adam", 1, 2 * BATCH * ROW + BATCH);
    check_work("csg solver=adam hidden=1", 4, 5 * BATCH * ROW + BATCH);
    check_work("sg solver=adam", 4, 5 * BATCH * N + BATCH);
    /* steps with their label, moments twice, a block of 64 columns and one of rows, its inverse, the ridge; losses */
    check_work("csg solver=ls error=0", 4,
               5 * BATCH * ROW + 2 * (ROW + N) * ROW + 64 * (ROW + N) + 64 * ROW + 64 * 64 + 1 + 2 * BATCH);
    check_work("local", 4, 2 * BATCH);                                 /* losses and hits */
    check_work("predsim", 4, BATCH * N + BATCH * BATCH + BATCH + 2 * BATCH); /* and what similarities work in */
    /* losses, p; where it learns h and labels, dhat, what batch norm saves and keeps of targets, their variance */
    check_work("vir", 4, 2 * BATCH + BATCH * CLASSES + 4 * BATCH * ROW + BATCH * N + 2 * N + 2 * N + 1);
    check_work("vir frozen=1", 4, 2 * BATCH + BATCH * CLASSES);
    check_work("classmean", 4, /* labels; the rest as above */
               5 * BATCH * CLASSES + 2 * ROW * CLASSES + 64 * ROW + 64 * CLASSES + 64 * 64 + 1);
    check_work("fixed", 4, BATCH * CLASSES); /* labels */
    check_work("exact", 4, 0);
    check_work("none", 4, 0);
}

static void test_a_batch_too_small_for_batch_norm(void **state)
{
    (void)state;
    struct sg_spec spec;
    struct sg_coupling *c = NULL;
    OK(sg_spec_parse("sg solver=adam", &spec));
    FAILS(ST_INPUT, "sg:3: batchnorm cannot train on batches of 1: 2 samples at least",
          sg_open(&spec, device_queue(), N, CLASSES, 1, 1, &c));
    assert_null(c);
}

static void step(struct sg_coupling *c, struct batch *b, int rows)
{
    b->h.rows = b->target.rows = b->delta.rows = rows;
    int before = sg_kept(c);
    OK(sg_gradient(c, &first, b->h, b->labels, b->delta));
    OK(sg_gradient(c, &first, b->h, b->labels, (struct mx_tensor){0}));
    OK(sg_guess(c, b->h, b->labels, b->delta));
    OK(sg_mix(c, b->target, b->delta));
    while (sg_kept(c) > before)
        OK(sg_learn(c, &first, b->target));
}

static void check_nothing_made(const char *words)
{
    device_close(NULL); /* programs and kernels that others made would hide what is made here */
    device_open(NULL);
    struct sg_coupling *c = coupling_open(words, N, CLASSES, BATCH, 2);
    struct batch b = batch_new(BATCH, N, CLASSES);
    batch_fill(&b, BATCH);
    for (int i = 0; i < 3; i++) {
        uint64_t allocated = mem_count();
        struct ocl_counts before = ocl_counts();
        step(c, &b, i == 2 ? SLICE : BATCH);
        struct ocl_counts after = ocl_counts();
        assert_int_equal(mem_count(), allocated);
        assert_int_equal(after.kernels, before.kernels);
        assert_int_equal(after.buffers, before.buffers);
        assert_int_equal(after.programs, before.programs);
        assert_int_equal(after.waits, before.waits);
        assert_int_equal(after.reads + after.writes, before.reads + before.writes);
        assert_true(after.launches > before.launches);
    }
    couplings_done();
}

static void test_a_step_makes_nothing_and_waits_for_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(guessing); i++)
        check_nothing_made(guessing[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUPLING_TEST(test_local_by_differences),
        COUPLING_TEST(test_predsim_by_differences),
        COUPLING_TEST(test_nets_learn_by_adam),
        COUPLING_TEST(test_a_guess_is_the_gradient_and_leaves_no_trace),
        COUPLING_TEST(test_memory_as_planned),
        COUPLING_TEST(test_memory_by_hand),
        COUPLING_TEST(test_a_batch_too_small_for_batch_norm),
        COUPLING_TEST(test_a_step_makes_nothing_and_waits_for_nothing),
    };
    return cmocka_run_group_tests_name("couplings", tests, device_open, device_close);
}

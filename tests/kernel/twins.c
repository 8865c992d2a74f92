/* The twins that are gradients, against differences of the twins that they are gradients of. No device. */
#include "support/check.h"

#include "ref/ref.h"

#include <math.h>
#include <stdio.h>

enum { ROWS = 5, COLS = 4, N = ROWS * COLS };

/* A central difference of step h is off by h^2 f''' / 6 and by 2^-53 f / h: both below 1e-9 here. */
#define STEP 1e-5
#define CLOSE 1e-7

static struct rng rng;

static void fill(double *p, int n, double low, double high)
{
    for (int i = 0; i < n; i++)
        p[i] = low + (high - low) * rng_unit(&rng);
}

static void close_to(const char *what, int i, double got, double want)
{
    if (!(fabs(got - want) <= CLOSE * (1 + fabs(want))))
        fail_msg("%s %d is %.12g, the difference says %.12g", what, i, got, want);
}

/* d loss(with) / d p[i] */
static double difference(double (*loss)(const void *with), const void *with, double *p, int i)
{
    double held = p[i];
    p[i] = held + STEP;
    double above = loss(with);
    p[i] = held - STEP;
    double below = loss(with);
    p[i] = held;
    return (above - below) / (2 * STEP);
}

static void test_activations(void **state)
{
    (void)state;
    for (int a = 0; a < MX_ACTS; a++)
        for (double x = -3.05; x < 3; x += 0.1) { /* never at the bend */
            struct mx_activation phi = {(enum mx_act)a, 0.1f};
            double want = (ref_phi(phi, x + STEP) - ref_phi(phi, x - STEP)) / (2 * STEP);
            close_to("slope of activation", a, ref_phi_slope(phi, ref_phi(phi, x)), want);
        }
}

/* A loss whose gradient at y is `weight`. */
struct norm_case {
    struct ref_batchnorm bn;
    bool training;
    double x[N], weight[N], gamma[COLS], beta[COLS], running_mean[COLS], running_var[COLS], mean[COLS], rstd[COLS];
};

static double norm_loss(const void *with)
{
    const struct norm_case *k = with;
    double y[N], sum = 0;
    ref_batchnorm_forward(&k->bn, k->training, k->x, y);
    for (int i = 0; i < N; i++)
        sum += k->weight[i] * y[i];
    return sum;
}

static void check_batchnorm(bool training)
{
    for (int a = 0; a < MX_ACTS; a++) {
        struct norm_case k = {.bn = {.rows = ROWS, .cols = COLS, .eps = 1e-5, .momentum = 0.1,
                                     .phi = {(enum mx_act)a, 0.1f}}, .training = training};
        k.bn.gamma = k.gamma;
        k.bn.beta = k.beta;
        k.bn.running_mean = k.running_mean;
        k.bn.running_var = k.running_var;
        k.bn.mean = k.mean;
        k.bn.rstd = k.rstd;
        fill(k.x, N, -2, 2);
        fill(k.weight, N, -1, 1);
        fill(k.gamma, COLS, 0.5, 1.5);
        fill(k.beta, COLS, -1, 1);
        fill(k.running_mean, COLS, -1, 1);
        fill(k.running_var, COLS, 0.5, 2);
        double y[N], dgamma[COLS], dbeta[COLS], dx[N];
        ref_batchnorm_forward(&k.bn, training, k.x, y);
        ref_batchnorm_backward(&k.bn, training, k.x, y, k.weight, dgamma, dbeta, dx);
        for (int i = 0; i < N; i++)
            close_to("batch norm, dx", i, dx[i], difference(norm_loss, &k, k.x, i));
        for (int c = 0; c < COLS; c++) {
            close_to("batch norm, dgamma", c, dgamma[c], difference(norm_loss, &k, k.gamma, c) / ROWS);
            close_to("batch norm, dbeta", c, dbeta[c], difference(norm_loss, &k, k.beta, c) / ROWS);
        }
    }
}

static void test_batchnorm(void **state)
{
    (void)state;
    check_batchnorm(true);
    check_batchnorm(false);
}

struct labelled_case {
    double z[N];
    uint32_t label[ROWS];
};

static double softmax_loss(const void *with)
{
    const struct labelled_case *k = with;
    double delta[N], loss[ROWS], correct[ROWS], sum = 0;
    ref_softmax_loss(ROWS, COLS, k->z, k->label, delta, loss, correct);
    for (int r = 0; r < ROWS; r++)
        sum += loss[r];
    return sum;
}

static void test_softmax(void **state)
{
    (void)state;
    struct labelled_case k = {.label = {0, 1, 2, 3, 0}};
    double delta[N], p[N], loss[ROWS], correct[ROWS];
    fill(k.z, N, -2, 2);
    ref_softmax(ROWS, COLS, k.z, p);
    ref_softmax_loss(ROWS, COLS, k.z, k.label, delta, loss, correct);
    for (int i = 0; i < N; i++)
        close_to("delta", i, delta[i], difference(softmax_loss, &k, k.z, i));
    for (int r = 0; r < ROWS; r++)
        close_to("loss", r, loss[r], -log(p[r * COLS + (int)k.label[r]]));
}

struct softmax_back_case {
    double z[N], dp[N];
};

static double softmax_dot(const void *with)
{
    const struct softmax_back_case *k = with;
    double p[N], sum = 0;
    ref_softmax(ROWS, COLS, k->z, p);
    for (int i = 0; i < N; i++)
        sum += p[i] * k->dp[i];
    return sum;
}

static void test_softmax_backward(void **state)
{
    (void)state;
    struct softmax_back_case k;
    double p[N], dz[N];
    fill(k.z, N, -2, 2);
    fill(k.dp, N, -1, 1);
    ref_softmax(ROWS, COLS, k.z, p);
    ref_softmax_backward(ROWS, COLS, p, k.dp, dz);
    for (int i = 0; i < N; i++)
        close_to("dz", i, dz[i], difference(softmax_dot, &k, k.z, i));
}

struct distance_case {
    double y[N], target[N];
};

static double distance(const void *with)
{
    const struct distance_case *k = with;
    double delta[N], loss[ROWS], sum = 0;
    ref_squared_loss(ROWS, COLS, k->y, k->target, delta, loss);
    for (int r = 0; r < ROWS; r++)
        sum += loss[r];
    return sum;
}

static void test_squared_loss(void **state)
{
    (void)state;
    struct distance_case k;
    double delta[N], loss[ROWS];
    fill(k.y, N, -2, 2);
    fill(k.target, N, -2, 2);
    ref_squared_loss(ROWS, COLS, k.y, k.target, delta, loss);
    for (int i = 0; i < N; i++)
        close_to("delta of a distance", i, delta[i], difference(distance, &k, k.y, i));
}

static double label_distance(const void *with)
{
    const struct labelled_case *k = with;
    double delta[N], loss[ROWS], correct[ROWS], sum = 0;
    ref_label_distance(ROWS, COLS, k->z, k->label, delta, loss, correct);
    for (int r = 0; r < ROWS; r++)
        sum += loss[r];
    return sum;
}

static void test_label_distance(void **state)
{
    (void)state;
    struct labelled_case k = {.label = {0, 1, 2, 3, 0}};
    double delta[N], loss[ROWS], correct[ROWS];
    fill(k.z, N, -2, 2);
    ref_label_distance(ROWS, COLS, k.z, k.label, delta, loss, correct);
    for (int i = 0; i < N; i++)
        close_to("delta of a distance to the label", i, delta[i], difference(label_distance, &k, k.z, i));
}

struct similarity_case {
    double v[N];
    uint32_t label[ROWS];
    double normed[N], error[ROWS * ROWS], rnorm[ROWS], delta[N], loss[ROWS];
};

static double similarity(const void *with)
{
    struct similarity_case k = *(const struct similarity_case *)with;
    double sum = 0;
    ref_similarity_loss(ROWS, COLS, 3, k.label, k.v, k.normed, k.error, k.rnorm, k.delta, k.loss);
    for (int r = 0; r < ROWS; r++)
        sum += k.loss[r];
    return sum; /* ROWS times the mean */
}

static void test_similarity_loss(void **state)
{
    (void)state;
    struct similarity_case k = {.label = {0, 1, 2, 1, 0}};
    fill(k.v, N, -2, 2);
    ref_similarity_loss(ROWS, COLS, 3, k.label, k.v, k.normed, k.error, k.rnorm, k.delta, k.loss);
    for (int i = 0; i < N; i++)
        close_to("delta of similarity", i, k.delta[i], difference(similarity, &k, k.v, i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_batchnorm),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_softmax_backward),
        cmocka_unit_test(test_squared_loss),
        cmocka_unit_test(test_label_distance),
        cmocka_unit_test(test_similarity_loss),
    };
    rng_init(&rng, 1, 0);
    return cmocka_run_group_tests_name("twins", tests, NULL, NULL);
}

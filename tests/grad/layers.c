/*
 * Gradients against finite differences, through a module on the device: every kind of layer alone, every kind that
 * fuses with every activation behind it, and a deep net. A new kind of layer needs a line in `lines`.
 *
 * The loss is L = sum r * y with fixed random r, which is written as the gradient at the top. It is each sample's own
 * gradient, so dx is that of L, and a parameter's gradient, a mean over the batch, that of L / rows. All of it in
 * training, and in evaluation too where pictures are made that excite units.
 */
#include "support/check.h"
#include "support/device.h"

#include "nn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 6, SLICE = 4 }; /* rows: a whole batch, and part of one */

/* How each kind is written in the nets below; a kind may have several lines. */
static const struct {
    const char *kind, *line;
} lines[] = {
    {"dense", "dense 4"},
    {"dense", "dense 4 bias=0"},
    {"dense", "dense 4 zero=1"},
    {"batchnorm", "batchnorm eps=0.01"},
    {"relu", "relu"},
    {"leakyrelu", "leakyrelu 0.2"},
    {"tanh", "tanh"},
    {"sigmoid", "sigmoid"},
    {"dropout", "dropout 0.3"},
};

/* The n-th line of a kind; NULL behind the last. */
static const char *line_of(const struct nn_kind *kind, int n)
{
    int found = 0;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (strcmp(lines[i].kind, kind->name) == 0 && found++ == n)
            return lines[i].line;
    if (!found)
        fail_msg("no case for layer %s: it needs a line in this file", kind->name);
    return NULL;
}

/* ---- a case ------------------------------------------------------------------------------------------------------ */

static struct {
    struct nn_net *net;
    struct nn_module *module;
    struct nn_pass pass;
    struct pair x;   /* (rows, input) */
    const double *r; /* (rows, classes) */
    float *y;        /* likewise, of the last forward pass */
    double size;     /* sum |r * y| */
    int checked, skipped;
} at;

static void close_case(void)
{
    nn_module_close(at.module);
    nn_net_free(at.net);
    memset(&at, 0, sizeof at);
}

static int drop(void **state)
{
    close_case();
    return device_drop(state);
}

/* A number of the net that L is differentiated by: element `i` of x, or of a parameter. */
struct knob {
    int tensor; /* -1: x */
    size_t i;
    float *values; /* of the whole parameter */
};

static void turn(const struct knob *k, float value)
{
    if (k->tensor < 0) {
        OK(ocl_write(device_queue(), at.x.t.buf, (at.x.t.off + k->i) * sizeof value, sizeof value, &value));
        OK(ocl_wait(device_queue()));
        return;
    }
    k->values[k->i] = value;
    OK(nn_module_write(at.module, k->tensor, NN_PARAM, 0, k->values));
}

static double loss(void)
{
    struct mx_tensor y;
    double sum = 0;
    OK(nn_module_forward(at.module, &at.pass, at.x.t, &y));
    size_t n = (size_t)y.rows * (size_t)y.cols;
    OK(ocl_read(device_queue(), y.buf, y.off * sizeof *at.y, n * sizeof *at.y, at.y));
    at.size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += at.r[i] * at.y[i];
        at.size += fabs(at.r[i] * at.y[i]);
    }
    return sum;
}

/* dL by central difference; the steps are those that float can make. */
static double difference(const struct knob *k, float value, float h)
{
    float above = value + h, below = value - h;
    turn(k, above);
    double high = loss();
    turn(k, below);
    double low = loss();
    turn(k, value);
    return (high - low) / ((double)above - (double)below);
}

/*
 * A step h leaves an error of h^2 / 6 times the third derivative, and the rounding of two losses by 2 h. At 2^-9 both
 * are small: the first below 1e-3 of a tensor's largest gradient, the second, with losses good to 2^-22, 2^-13 of
 * sum |r * y|. Measured are a third of these in the deep net and a tenth elsewhere. A step four times as long tells
 * where a kink lies near; that is skipped.
 */
static void check_one(const char *what, struct knob k, float value, double got, double factor, double scale)
{
    static const float h = 0x1p-9f;
    double want = factor * difference(&k, value, h), wide = factor * difference(&k, value, 4 * h);
    double tolerance = 1e-3 * scale + factor * at.size * 0x1p-13;
    at.checked++;
    if (fabs(wide - want) > tolerance)
        at.skipped++;
    else if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: %s, element %zu: gradient %.9g, by differences %.9g, in a tensor with up to %.3g", at.net->text,
                 what, k.i, got, want, scale);
}

/* values, got: (n); `factor`: of L. */
static void check_tensor(const char *what, int tensor, size_t n, float *values, const float *got, double factor)
{
    double scale = 0;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)got[i]));
    for (size_t i = 0; i < n; i++)
        check_one(what, (struct knob){.tensor = tensor, .i = i, .values = values}, values[i], got[i], factor, scale);
}

static void open_case(const char *words, int rows, bool training)
{
    OK(nn_net_parse(words, "case", &at.net));
    OK(nn_module_open(at.net, device_mx(), BATCH, 0, 1, &at.module));
    at.pass = (struct nn_pass){.rows = rows, .training = training, .seed = 0x0123456789abcdef, .step = 3};
    at.x = pair_random(rows, nn_size(at.net->input), -1, 1);
    at.r = host_random((size_t)(rows * at.net->classes), -1, 1);
    at.y = (float *)host_doubles((size_t)(rows * at.net->classes));
    OK(nn_module_init(at.module, 1));
    for (int i = 0; i < nn_tensor_count(at.net); i++) {
        struct nn_tensor t = nn_tensor_at(at.net, i);
        float *values = (float *)host_doubles(t.param->count);
        for (size_t k = 0; k < t.param->count; k++)
            values[k] = (float)((t.param->init == NN_ONE ? 1.5 : 0) + 2 * rng_unit(host_rng()) - 1);
        OK(nn_module_write(at.module, i, t.is_state ? NN_STATE : NN_PARAM, 0, values)); /* variances: 0.5 to 2.5 */
    }
}

static void backward(struct mx_tensor *dx)
{
    size_t n = (size_t)(at.pass.rows * at.net->classes);
    float *delta = (float *)host_doubles(n);
    for (size_t i = 0; i < n; i++)
        delta[i] = (float)at.r[i];
    (void)loss();
    struct mx_tensor top = nn_module_delta(at.module, at.pass.rows);
    OK(ocl_write(device_queue(), top.buf, top.off * sizeof *delta, n * sizeof *delta, delta));
    OK(nn_module_backward(at.module, &at.pass, at.x.t, dx));
    OK(ocl_wait(device_queue()));
}

static void check_gradients(void)
{
    struct mx_tensor dx;
    backward(&dx);
    assert_int_equal(dx.rows, at.pass.rows);
    assert_int_equal(dx.cols, nn_size(at.net->input));
    size_t n = (size_t)dx.rows * (size_t)dx.cols;
    float *got = (float *)host_doubles(n);
    OK(ocl_read(device_queue(), dx.buf, dx.off * sizeof *got, n * sizeof *got, got));
    check_tensor("dx", -1, n, pair_values(at.x), got, 1);
    for (int i = 0; i < nn_tensor_count(at.net); i++) {
        struct nn_tensor t = nn_tensor_at(at.net, i);
        if (t.is_state)
            continue;
        float *values = (float *)host_doubles(t.param->count);
        got = (float *)host_doubles(t.param->count);
        OK(nn_module_read(at.module, i, NN_PARAM, 0, values));
        OK(nn_module_read(at.module, i, NN_GRAD, 0, got)); /* forward passes leave it alone */
        check_tensor(t.name, i, t.param->count, values, got, 1.0 / at.pass.rows);
    }
}

static void check_net_in(const char *words, bool training)
{
    static const int rows[] = {BATCH, SLICE};
    int checked = 0, skipped = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        open_case(words, rows[i], training);
        check_gradients();
        checked += at.checked;
        skipped += at.skipped;
        close_case();
        device_done();
    }
    if (!(skipped * 5 < checked))
        fail_msg("%s: %d of %d gradients lie near a kink and were skipped", words, skipped, checked);
}

static void check_net(const char *words)
{
    check_net_in(words, true);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static void test_each_layer_alone(void **state)
{
    (void)state;
    const struct nn_kind *kind;
    const char *line;
    for (int i = 0; (kind = nn_kind_at(i)) != NULL; i++)
        for (int n = 0; (line = line_of(kind, n)) != NULL; n++) {
            char words[128];
            snprintf(words, sizeof words, "input 6; %s; loss softmax", line);
            check_net(words);
            check_net_in(words, false);
        }
}

static void check_each_activation_behind(const char *line)
{
    const struct nn_kind *act;
    for (int k = 0; (act = nn_kind_at(k)) != NULL; k++) {
        char words[128];
        if (act->act == MX_IDENTITY)
            continue;
        snprintf(words, sizeof words, "input 6; %s; %s; loss softmax", line, line_of(act, 0));
        check_net(words);
        check_net_in(words, false);
    }
}

static void test_each_activation_in_each_layer_that_fuses(void **state)
{
    (void)state;
    const struct nn_kind *kind;
    const char *line;
    for (int i = 0; (kind = nn_kind_at(i)) != NULL; i++)
        for (int n = 0; kind->fuses_act && (line = line_of(kind, n)) != NULL; n++)
            check_each_activation_behind(line);
}

/* A layer that computes an activation along, before each kind of layer: both must agree on who takes its slope. */
static void test_each_pair(void **state)
{
    (void)state;
    const struct nn_kind *kind, *next;
    for (int i = 0; (kind = nn_kind_at(i)) != NULL; i++)
        for (int k = 0; kind->fuses_act && (next = nn_kind_at(k)) != NULL; k++) {
            char words[128];
            snprintf(words, sizeof words, "input 5; %s; tanh; %s; loss softmax", line_of(kind, 0), line_of(next, 0));
            check_net(words);
            snprintf(words, sizeof words, "input 5; dense 4; sigmoid; %s; tanh; %s; dense 3; loss softmax",
                     line_of(kind, 0), line_of(next, 0));
            check_net(words);
        }
}

/* Who hands da to whom, and who computes which activation. */
static void test_dense_layers_with_and_without_bias(void **state)
{
    (void)state;
    check_net("input 3; dense 5 bias=0; tanh; dense 4; sigmoid; dense 6 bias=0; leakyrelu 0.2; dense 4 bias=0; tanh; "
              "dense 3; loss softmax");
}

/* What is alone, fused, and behind one another; a picture below. */
static void test_deep_net(void **state)
{
    (void)state;
    static const char words[] =
        "input 2x1x4; dense 7; batchnorm; leakyrelu 0.1; dropout 0.25; dense 6; tanh; tanh; batchnorm eps=0.01; "
        "sigmoid; sigmoid; dense 5; relu; dropout 0.2; batchnorm eps=0.1; dense 4; leakyrelu; relu; dense 3; "
        "loss softmax";
    check_net(words);
    check_net_in(words, false);
}

/* More columns than one work-item computes: what a product overwrites too early is seen. */
static void test_wide_net(void **state)
{
    (void)state;
    check_net("input 2; dense 70; dense 3; loss softmax");
}

/* The differences above do not see whether dropout drops anything, nor that the mask is the step's. */
static void test_dropout_drops_in_training_alone(void **state)
{
    (void)state;
    int zeros[3] = {0};
    open_case("input 6; dropout 0.3; loss softmax", BATCH, true);
    for (int i = 0; i < 3; i++) {
        at.pass.training = i < 2;
        at.pass.step = (uint32_t)i;
        (void)loss();
        for (size_t k = 0; k < 6 * BATCH; k++)
            zeros[i] += at.y[k] == 0 ? 1 + (int)k * 1000 : 0; /* how many, and which */
    }
    assert_in_range(zeros[0] % 1000, 1, 6 * BATCH - 1);
    assert_int_not_equal(zeros[0], zeros[1]);
    assert_int_equal(zeros[2], 0);
    close_case();
    device_done();
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_layer_alone),
        TEST(test_each_activation_in_each_layer_that_fuses),
        TEST(test_each_pair),
        TEST(test_dense_layers_with_and_without_bias),
        TEST(test_deep_net),
        TEST(test_wide_net),
        TEST(test_dropout_drops_in_training_alone),
    };
    return cmocka_run_group_tests_name("layers", tests, device_open, device_close);
}

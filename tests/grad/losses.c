/*
 * Every loss of the table through a module on the device: the gradients of its parameters against finite differences of
 * the mean loss that is told, and what the loss says of it.
 */
#include "support/check.h"
#include "support/device.h"

#include "nn.h"

#include <math.h>
#include <stdio.h>

enum { ROWS = 6, CLASSES = 5 };

static struct {
    struct nn_net *net;
    struct nn_module *module;
    struct ocl_buf *labels;
    struct pair x, per_row;
} at;

static const struct nn_pass pass = {.rows = ROWS, .training = true};

static void close_case(void)
{
    nn_module_close(at.module);
    nn_net_free(at.net);
    at.module = NULL;
    at.net = NULL;
}

static int drop(void **state)
{
    close_case();
    return device_drop(state);
}

static void open_case(const struct nn_loss *loss)
{
    static const uint32_t label[ROWS] = {3, 0, 4, 1, 2, 0};
    char words[80];
    snprintf(words, sizeof words, "input 4; dense 6; tanh; dense %d; loss %s", CLASSES, loss->name);
    OK(nn_net_parse(words, "case", &at.net));
    assert_ptr_equal(at.net->loss, loss);
    OK(mx_prepare(device_mx(), loss->op, MX_IDENTITY));
    OK(nn_module_open(at.net, device_mx(), ROWS, 0, 1, &at.module));
    OK(nn_module_init(at.module, 1));
    at.x = pair_random(ROWS, 4, -2, 2);
    at.per_row = pair_new(2, ROWS);
    at.labels = device_bytes(label, sizeof label);
}

/* The mean over the samples; the gradient at the module's top is there. */
static double mean_loss(void)
{
    struct mx_tensor z;
    double sum = 0;
    OK(nn_module_forward(at.module, &pass, at.x.t, &z));
    OK(at.net->loss->measure(device_mx(), z, at.labels, nn_module_delta(at.module, ROWS), at.per_row.t));
    const float *loss = pair_values(at.per_row);
    for (int r = 0; r < ROWS; r++)
        sum += (double)loss[r];
    return sum / ROWS;
}

/* Central differences of step 2^-7: h^2 / 6 of a third derivative of some units, and the rounding of losses of some
 * units by 2 h, are both below 1e-4. */
static void check_tensor(int tensor)
{
    static const float h = 0x1p-7f;
    struct nn_tensor t = nn_tensor_at(at.net, tensor);
    float *values = (float *)host_doubles(t.param->count), *got = (float *)host_doubles(t.param->count);
    OK(nn_module_read(at.module, tensor, NN_PARAM, 0, values));
    OK(nn_module_read(at.module, tensor, NN_GRAD, 0, got));
    for (size_t i = 0; i < t.param->count; i++) {
        float held = values[i], above = held + h, below = held - h;
        values[i] = above;
        OK(nn_module_write(at.module, tensor, NN_PARAM, 0, values));
        double high = mean_loss();
        values[i] = below;
        OK(nn_module_write(at.module, tensor, NN_PARAM, 0, values));
        double want = (high - mean_loss()) / ((double)above - (double)below);
        values[i] = held;
        OK(nn_module_write(at.module, tensor, NN_PARAM, 0, values));
        if (!(fabs((double)got[i] - want) <= 3e-4))
            fail_msg("loss %s, %s, element %zu: gradient %.9g, by differences %.9g", at.net->loss->name, t.name, i,
                     (double)got[i], want);
    }
}

static void test_gradients(void **state)
{
    (void)state;
    const struct nn_loss *loss;
    for (int k = 0; (loss = nn_loss_at(k)) != NULL; k++) {
        open_case(loss);
        struct ocl_counts before = ocl_counts();
        (void)mean_loss();
        assert_int_equal(ocl_counts().kernels, before.kernels); /* its group has them all */
        OK(nn_module_backward(at.module, &pass, at.x.t, NULL));
        for (int i = 0; i < nn_tensor_count(at.net); i++)
            check_tensor(i);
        close_case();
        device_done();
    }
}

/* Of the net that says `z` of each sample, as many of each class. */
static double constant_loss(const struct nn_loss *loss, const double *z)
{
    static uint32_t label[CLASSES];
    struct pair rows = pair_new(CLASSES, CLASSES), delta = pair_new(CLASSES, CLASSES), told = pair_new(2, CLASSES);
    double *all = host_doubles(CLASSES * CLASSES), sum = 0;
    for (int i = 0; i < CLASSES * CLASSES; i++)
        all[i] = z[i % CLASSES];
    for (uint32_t r = 0; r < CLASSES; r++)
        label[r] = r;
    rows = pair_of(CLASSES, CLASSES, all);
    OK(loss->measure(device_mx(), rows.t, device_bytes(label, sizeof label), delta.t, told.t));
    const float *per_row = pair_values(told);
    for (int r = 0; r < CLASSES; r++)
        sum += (double)per_row[r] / CLASSES;
    return sum;
}

/* No answer that is the same for all samples has a smaller loss than the guess; one of the equal answers has it. */
static void test_guess(void **state)
{
    (void)state;
    const struct nn_loss *loss;
    for (int k = 0; (loss = nn_loss_at(k)) != NULL; k++) {
        double guess = loss->guess(CLASSES), z[CLASSES], least = INFINITY;
        OK(mx_prepare(device_mx(), loss->op, MX_IDENTITY));
        for (int i = 0; i <= 20; i++) {
            for (int c = 0; c < CLASSES; c++)
                z[c] = i / 20.0;
            least = fmin(least, constant_loss(loss, z));
            for (int c = 0; c < CLASSES; c++)
                z[c] += 0.1 * rng_unit(host_rng());
            assert_true(constant_loss(loss, z) >= guess - 1e-6);
            device_done();
        }
        assert_true(fabs(least - guess) <= 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_gradients, drop),
        cmocka_unit_test_teardown(test_guess, drop),
    };
    return cmocka_run_group_tests_name("losses of nets", tests, device_open, device_close);
}

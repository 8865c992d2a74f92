/*
 * Ten steps of training by each optimiser against PyTorch: tests/golden/mlp.txt, by make.py, tells net and options.
 *
 * The file's numbers are PyTorch's in double precision. PyTorch's own run in single precision strays from them by up to
 * 3e-8 in gradients, 4e-7 in losses and parameters, 8e-7 in running moments and logits: tolerances are some ten times
 * that.
 */
#include "support/check.h"
#include "support/device.h"

#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 24, BATCH = 8, STEPS = 10, SIZE = 25, CLASSES = 5, ITEMS_MAX = 128 };

static const char words[] = "input 1x5x5; dense 16; batchnorm; relu; dense 12; leakyrelu slope=0.1; dense 11; tanh; "
                            "dense 9; sigmoid; dense 5; loss softmax";

/* ---- the file ---------------------------------------------------------------------------------------------------- */

struct item {
    const char *name;
    size_t n;
    double *values;
    bool used;
};

static struct {
    char *text; /* names point into it */
    struct arena arena;
    struct item item[ITEMS_MAX];
    int n;
} file;

/* NAME DIMENSIONS... : VALUES... */
static void read_item(char *line)
{
    struct item *item = &file.item[file.n++];
    char *at = line + strcspn(line, " ");
    *at++ = '\0';
    *item = (struct item){.name = line, .n = 1};
    while (*at != ':')
        item->n *= strtoul(at, &at, 10), at += strspn(at, " ");
    at++;
    item->values = arena_alloc(&file.arena, item->n, sizeof *item->values);
    assert_non_null(item->values);
    for (size_t i = 0; i < item->n; i++) {
        char *number = at;
        item->values[i] = strtod(number, &at);
        assert_true(at > number);
    }
    assert_int_equal(*at, '\0');
}

static int open_file(void **state)
{
    size_t len;
    OK(file_read("tests/golden/mlp.txt", 1 << 20, &file.text, &len));
    for (char *line = file.text, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        assert_true(file.n < ITEMS_MAX);
        if (*line != '#')
            read_item(line);
    }
    return device_open(state);
}

static int close_file(void **state)
{
    arena_free(&file.arena);
    mem_free(file.text);
    return device_close(state);
}

static const double *item(const char *prefix, const char *name, size_t n)
{
    char whole[128];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    for (int i = 0; i < file.n; i++)
        if (strcmp(file.item[i].name, whole) == 0) {
            assert_int_equal(file.item[i].n, n);
            file.item[i].used = true;
            return file.item[i].values;
        }
    fail_msg("tests/golden/mlp.txt has no %s", whole);
    return NULL;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static struct {
    struct nn_net *net;
    struct train_options options;
    struct train *t;
    struct data_set set;
    struct train_scaling scaling;
    uint8_t pixels[BATCH * SIZE], labels[BATCH];
    char prefix[16]; /* of the optimiser's items */
    bool adaptive;
} run;

static int drop(void **state)
{
    train_close(run.t);
    nn_net_free(run.net);
    memset(&run, 0, sizeof run);
    return device_drop(state);
}

static void check_tensor(int tensor, enum nn_part part, const char *prefix, double tolerance)
{
    struct nn_tensor t = nn_tensor_at(run.net, tensor);
    float *values = (float *)host_doubles(t.param->count);
    OK(train_read(run.t, tensor, part, 0, values));
    check_close(t.name, values, item(prefix, t.name, t.param->count), t.param->count, tolerance, 0);
}

static void write_start(void)
{
    for (int i = 0; i < nn_tensor_count(run.net); i++) {
        struct nn_tensor t = nn_tensor_at(run.net, i);
        float *values = (float *)host_doubles(t.param->count);
        if (t.is_state)
            continue; /* from train_init, as in PyTorch */
        const double *start = item("init.", t.name, t.param->count);
        for (size_t k = 0; k < t.param->count; k++)
            values[k] = (float)start[k];
        OK(train_write(run.t, i, NN_PARAM, 0, values));
    }
}

static void take_batch(int batch)
{
    const double *pixels = item("", "pixels", SAMPLES * SIZE) + batch * BATCH * SIZE;
    const double *labels = item("", "labels", SAMPLES) + batch * BATCH;
    for (int i = 0; i < BATCH * SIZE; i++)
        run.pixels[i] = (uint8_t)pixels[i];
    for (int i = 0; i < BATCH; i++)
        run.labels[i] = (uint8_t)labels[i];
}

/* The set is one batch, streamed: its bytes are read at each step, so that the steps may have different ones. */
static void open_run(const char *optimizer, double lr, double decay)
{
    snprintf(run.prefix, sizeof run.prefix, "%s.", optimizer);
    run.adaptive = strcmp(optimizer, "sgd") != 0;
    run.options = train_defaults();
    snprintf(run.options.optimizer, sizeof run.options.optimizer, "%s", optimizer);
    snprintf(run.options.schedule, sizeof run.options.schedule, "none");
    run.options.epochs = STEPS;
    run.options.batch = BATCH;
    run.options.lr = lr;
    run.options.weight_decay = decay;
    run.options.nesterov = !run.adaptive;
    run.options.stream = true;
    run.set = (struct data_set){.name = "golden", .c = 1, .h = 5, .w = 5, .classes = CLASSES,
                                .train = {BATCH, run.pixels, run.labels}};
    run.scaling.channels = 1;
    run.scaling.mean[0] = *item("", "mean", 1);
    run.scaling.deviation[0] = *item("", "deviation", 1);
    OK(nn_net_parse(words, "golden", &run.net));
    OK(train_open(ocl_queue_device(device_queue()), run.net, &run.options, &run.set, &run.scaling, BATCH, NULL,
                  &run.t));
    OK(train_init(run.t));
    write_start();
}

static void check_steps(void)
{
    const double *losses = item(run.prefix, "losses", STEPS);
    for (int i = 0; i < STEPS; i++) {
        double loss;
        take_batch(i % (SAMPLES / BATCH));
        OK(train_steps(run.t, 1, &loss));
        if (!(fabs(loss - losses[i]) <= 5e-6))
            fail_msg("%sloss of step %d is %.9g, wanted %.9g", run.prefix, i + 1, loss, losses[i]);
        for (int k = 0; i == 0 && k < nn_tensor_count(run.net); k++)
            if (!nn_tensor_at(run.net, k).is_state)
                check_tensor(k, NN_GRAD, "grad.", 3e-7);
    }
    assert_true((double)train_steps_done(run.t) == *item(run.prefix, "1.num_batches_tracked", 1));
}

/* 0.bias has no gradient but rounding, as batch norm follows. Adam divides that by little more than itself and walks
 * off, less than lr a step, and the running mean after it. */
static double looser(const char *name)
{
    bool walks = strcmp(name, "0.bias") == 0 || strcmp(name, "1.running_mean") == 0;
    return run.adaptive && walks ? STEPS * run.options.lr : 0;
}

static void check_end(void)
{
    for (int i = 0; i < nn_tensor_count(run.net); i++) {
        struct nn_tensor t = nn_tensor_at(run.net, i);
        double tolerance = fmax(t.is_state ? 1e-5 : 5e-6, looser(t.name));
        check_tensor(i, t.is_state ? NN_STATE : NN_PARAM, run.prefix, tolerance);
    }
}

static void check_probabilities(void)
{
    const double *logits = item(run.prefix, "logits", BATCH * CLASSES);
    double want[BATCH * CLASSES], tolerance = run.adaptive ? 0.02 : 5e-6; /* see looser() */
    float got[BATCH * CLASSES];
    for (int r = 0; r < BATCH; r++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++)
            sum += want[r * CLASSES + c] = exp(logits[r * CLASSES + c]);
        for (int c = 0; c < CLASSES; c++)
            want[r * CLASSES + c] /= sum;
    }
    take_batch(0);
    OK(train_predict(run.t, &run.set.train, got));
    check_close("probabilities", got, want, BATCH * CLASSES, tolerance, 0);
}

static void check_run(const char *optimizer, double lr, double decay)
{
    open_run(optimizer, lr, decay);
    check_steps();
    check_end();
    check_probabilities();
}

static void test_adam(void **state)
{
    (void)state;
    check_run("adam", 0.01, 0);
}

static void test_sgd_with_nesterov_and_decay(void **state)
{
    (void)state;
    check_run("sgd", 0.05, 1e-3);
}

static void test_adamw(void **state)
{
    (void)state;
    check_run("adamw", 0.01, 1e-2);
}

/* The last test: nothing in the file was passed over. */
static void test_the_whole_file_was_used(void **state)
{
    (void)state;
    for (int i = 0; i < file.n; i++)
        if (!file.item[i].used)
            fail_msg("nothing was compared with %s of tests/golden/mlp.txt", file.item[i].name);
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_adam),
        TEST(test_sgd_with_nesterov_and_decay),
        TEST(test_adamw),
        TEST(test_the_whole_file_was_used),
    };
    return cmocka_run_group_tests_name("mlp", tests, open_file, close_file);
}

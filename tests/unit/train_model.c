/* What training leaves: files that go on to the bit, predictions; and what does not fit together. */
#include "support/check.h"
#include "support/device.h"
#include "support/runs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void test_saved_model_evaluates_the_same(void **state)
{
    (void)state;
    struct run *r = run_plan(ALL_KINDS, 500);
    struct train *t = run_start(r), *other = run_new(ALL_KINDS, 500), *alone = NULL;
    struct train_result want, got;
    run_epochs(t, 2);
    OK(train_evaluate(t, TRAIN_TEST, &want));
    OK(train_save(t, in_folder("model"), NULL));
    OK(train_load(other, in_folder("model")));
    OK(train_evaluate(other, TRAIN_TEST, &got));
    assert_true(got.loss == want.loss && got.accuracy == want.accuracy);
    OK(train_open(ocl_queue_device(device_queue()), r->net, NULL, &r->set, &r->scaling, 32, NULL, &alone));
    OK(train_load(alone, in_folder("model")));
    OK(train_evaluate(alone, TRAIN_TEST, &got));
    assert_true(got.loss == want.loss && got.accuracy == want.accuracy);
    FAILS(ST_INPUT, "nothing to evaluate", train_evaluate(alone, TRAIN_TRAINING, &got));
    train_close(alone);
}

static void check_resumed(const char *optimizer, double decay, bool nesterov)
{
    struct run *r[2];
    for (int i = 0; i < 2; i++) {
        r[i] = run_plan(ALL_KINDS, 101); /* the fourth batch is smaller */
        strcpy(r[i]->options.optimizer, optimizer);
        r[i]->options.weight_decay = decay;
        r[i]->options.nesterov = nesterov;
        r[i]->options.warmup = 0.5;
        run_start(r[i]);
    }
    run_epochs(r[0]->train, 2);
    OK(train_save_checkpoint(r[0]->train, in_folder("checkpoint")));
    run_epochs(r[0]->train, 2);
    OK(train_load_checkpoint(r[1]->train, in_folder("checkpoint")));
    assert_int_equal(train_epochs_done(r[1]->train), 2);
    assert_int_equal(train_steps_done(r[1]->train), 8);
    struct train_epoch e = run_epochs(r[1]->train, 2);
    assert_int_equal(e.epoch, 4);
    assert_true(same_bits(r[0]->train, r[1]->train));
}

static void test_two_and_two_epochs_are_four(void **state)
{
    check_resumed("adam", 0, false);
    runs_drop(state);
    check_resumed("adamw", 0.1, false);
    runs_drop(state);
    check_resumed("sgd", 0.01, false);
    runs_drop(state);
    check_resumed("sgd", 0, true);
}

static void test_checkpoint_of_another_run(void **state)
{
    (void)state;
    struct train *t = run_new(PLAIN, 100), *other = run_new(PLAIN, 200), *twin = run_new(PLAIN, 200);
    run_epochs(t, 1);
    OK(train_save_checkpoint(t, in_folder("checkpoint")));
    FAILS(ST_INPUT, "checkpoint is of another run: it holds epoch 1 and step 4; this run has 4 epochs of 7 steps",
          train_load_checkpoint(other, in_folder("checkpoint")));
    OK(train_save(t, in_folder("model"), NULL));
    FAILS(ST_INPUT, "no tensor train.epoch in ", train_load_checkpoint(other, in_folder("model")));
    assert_true(same_bits(other, twin));
}

static void test_model_of_another_net(void **state)
{
    (void)state;
    static const struct {
        const char *net, *words;
    } row[] = {
        {"input 1x28x28; dense 17; batchnorm; relu; dense 10; loss softmax",
         "tensor 0.weight of %s is F32 [17, 784], needed is F32 [16, 784]"},
        /* what differs comes last: nothing before it may have been taken */
        {"input 1x28x28; dense 16; batchnorm; relu; dense 12; loss softmax",
         "tensor 3.weight of %s is F32 [12, 16], needed is F32 [10, 16]"},
        {PLAIN, "no tensor 1.weight in %s; it has 0.weight, 0.bias, 2.weight, 2.bias"},
    };
    char words[256];
    struct train *t = run_new(NORM, 100), *twin = run_new(NORM, 100);
    run_epochs(t, 1);
    run_epochs(twin, 1);
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        OK(train_save(run_new(row[i].net, 100), in_folder("model"), NULL));
        snprintf(words, sizeof words, row[i].words, in_folder("model"));
        FAILS(ST_INPUT, words, train_load(t, in_folder("model")));
        assert_true(same_bits(t, twin));
    }
    FAILS(ST_INPUT, "none", train_load(t, in_folder("none")));
}

static char noted[512];

static void keep_note(const char *line)
{
    snprintf(noted + strlen(noted), sizeof noted - strlen(noted), "%s\n", line);
}

static void test_a_model_with_more_than_the_net(void **state)
{
    (void)state;
    struct train *t = run_new(NORM, 100);
    struct run *deeper = run_plan("input 1x28x28; dense 16; batchnorm; relu; dense 10; batchnorm; loss softmax", 100);
    struct train_view *view;
    OK(train_save(run_start(deeper), in_folder("model"), NULL));
    note_to(keep_note);
    OK(train_load(deeper->train, in_folder("model")));
    assert_string_equal(noted, ""); /* nor are counts of batches anything new */
    OK(train_load(t, in_folder("model")));
    assert_non_null(strstr(noted, "model holds tensors that the net has no place for; they are not used: 4.weight, "
                                  "4.bias, 4.running_mean, 4.running_var, 4.num_batches_tracked\n"));
    noted[0] = '\0';
    OK(train_view_open(ocl_queue_device(device_queue()), deeper->net, 3, in_folder("model"), &deeper->scaling, 8,
                       &view));
    assert_string_equal(noted, ""); /* some layers are asked for */
    train_view_close(view);
    note_to(NULL);
}

/* ---- predictions and losses -------------------------------------------------------------------------------------- */

static void test_predictions_are_what_evaluation_counts(void **state)
{
    (void)state;
    static float p[500][10], alone[500][10];
    uint8_t wrong[500];
    struct run *r = run_plan(ALL_KINDS, 500);
    struct train *t = run_start(r), *other = NULL;
    struct data_split pictures = r->set.test;
    struct train_result result;
    double loss = 0;
    int right = 0;
    run_epochs(t, 4);
    OK(train_evaluate(t, TRAIN_TEST, &result));
    OK(train_predict(t, &pictures, p[0]));
    for (int i = 0; i < 500; i++) {
        double sum = 0;
        int best = 0;
        for (int k = 0; k < 10; k++) {
            sum += (double)p[i][k];
            best = p[i][k] > p[i][best] ? k : best;
        }
        assert_true(fabs(sum - 1) <= 10 * ROUND * 8); /* ten exponentials and divisions of a few units each */
        loss -= log((double)p[i][pictures.labels[i]]) / 500;
        right += best == pictures.labels[i];
    }
    assert_true(result.accuracy == right / 500.0);
    assert_true(fabs(loss - result.loss) <= 1e-5 * result.loss); /* float logarithms and sums of 32 rows */
    /* opened for prediction alone, other batches, labels that are none */
    memset(wrong, 255, sizeof wrong);
    pictures.labels = wrong;
    OK(train_save(t, in_folder("model"), NULL));
    OK(train_open(ocl_queue_device(device_queue()), r->net, NULL, NULL, &r->scaling, 7, NULL, &other));
    OK(train_load(other, in_folder("model")));
    OK(train_predict(other, &pictures, alone[0]));
    train_close(other);
    for (int i = 0; i < 500; i++)
        for (int k = 0; k < 10; k++)
            assert_true(fabsf(p[i][k] - alone[i][k]) <= 1e-5f); /* sums of products may go in another order */
}

/* Outputs, for there are no probabilities: half their squared distance to the one-hot is the loss. */
static void test_predictions_of_squared_loss_are_outputs(void **state)
{
    (void)state;
    static float z[500][10];
    struct run *r = run_plan("input 1x28x28; dense 16; relu; dense 10; loss squared", 500);
    struct train *t = run_start(r);
    struct train_result result;
    double loss = 0;
    int right = 0;
    run_epochs(t, 4);
    OK(train_evaluate(t, TRAIN_TEST, &result));
    OK(train_predict(t, &r->set.test, z[0]));
    for (int i = 0; i < 500; i++) {
        int best = 0, label = r->set.test.labels[i];
        for (int k = 0; k < 10; k++) {
            double d = (double)z[i][k] - (k == label);
            loss += d * d / 2 / 500;
            best = z[i][k] > z[i][best] ? k : best;
        }
        right += best == label;
    }
    assert_true(result.loss < 0.45); /* better than a net that says 0.1 of all classes */
    assert_true(fabs(loss - result.loss) <= 1e-5 * result.loss);
    assert_true(result.accuracy == right / 500.0);
}

static void test_a_loss_that_is_no_number(void **state)
{
    (void)state;
    struct run *r = run_plan("input 1x28x28; dense 16; dense 10; loss softmax", 320);
    struct train_epoch e;
    struct train_result result;
    strcpy(r->options.optimizer, "sgd");
    r->options.lr = 1000;
    FAILS(ST_NUMERIC, "take a smaller --lr than 1000, or a --warmup", train_epoch_run(run_start(r), NULL, &e));
    assert_int_equal(train_epochs_done(r->train), 0);
    FAILS(ST_NUMERIC, "the loss is not finite any more by step 10", train_evaluate(r->train, TRAIN_TEST, &result));
}

/* ---- what does not fit ------------------------------------------------------------------------------------------- */

static void test_net_and_data_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *net, *words;
    } row[] = {
        {"input 1x9x9; dense 10; loss softmax", "net: the input is 1x9x9, but the pictures of digits are 1x28x28"},
        {"input 1x14x56; dense 10; loss softmax", "net: the input is 1x14x56, but"},
        {"input 785; dense 10; loss softmax", "net: the input is 785x1x1, but"},
        {"input 1x28x28; dense 9; loss softmax", "net: the last layer has 9 outputs, but digits has 10 classes"},
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        FAILS(ST_INPUT, row[i].words, run_open(run_plan(row[i].net, 100)));
        runs_drop(state);
    }
    struct run *r = run_plan("input 17x1x1; dense 10; loss softmax", 100);
    r->set.c = 17;
    r->set.h = r->set.w = 1;
    FAILS(ST_INPUT, "digits: pictures of 17 channels, 16 at most", run_open(r));
    r = run_plan(PLAIN, 100);
    r->options.epochs = 0;
    FAILS(ST_INPUT, "--epochs is 0", run_open(r));
    /* a vector of as many values, and more outputs than classes, are fine */
    run_epochs(run_new("input 784; dense 12; loss softmax", 100), 1);
}

/* `net` with `units`, batches of 65536 and SGD is refused, before any buffer is made. */
static void check_refused(const char *net, uint64_t units, const char *words)
{
    char text[128];
    struct train_memory memory = {0};
    snprintf(text, sizeof text, net, (unsigned long long)units);
    struct run *r = run_plan(text, 100);
    strcpy(r->options.optimizer, "sgd");
    uint64_t buffers = ocl_counts().buffers;
    FAILS(ST_INPUT, words,
          train_open(ocl_queue_device(device_queue()), r->net, &r->options, &r->set, &r->scaling, 65536, &memory,
                     &r->train));
    assert_int_equal(ocl_counts().buffers, buffers);
    if (memory.total) /* what is larger than OpenCL's 32-bit sizes is not added up */
        assert_true(memory.total > memory.net.deltas && memory.net.deltas >= 2 * 65536 * 4 * units);
}

static void test_net_larger_than_the_device(void **state)
{
    (void)state;
    static const char net[] = "input 1x28x28; dense %llu; dense 10; loss softmax";
    const struct ocl_facts *f = ocl_device_facts(ocl_queue_device(device_queue()));
    check_refused(net, 40000, "bytes is needed, 16 GiB is the most: take a smaller batch");
    /* outputs take 4 bytes a sample and unit, gradients twice that: 12 * 65536 bytes a unit; a buffer has 32768 at most
     * */
    uint64_t all = f->memory_bytes / 12 / 65536, one = f->buffer_bytes_max / 8 / 65536 + 1;
    char usable[32], of[32], words[160];
    snprintf(words, sizeof words, ", where %s of %s may be used (a tenth stays free): take a smaller --batch or net",
             show_bytes(usable, sizeof usable, ocl_memory_usable(f)), show_bytes(of, sizeof of, f->memory_bytes));
    if (all < 32000) {
        check_refused(net, all + 1, words);
        check_refused(net, all - all / 20, words); /* there, but not free to use */
    }
    if (all >= 32000)
        print_message("the device is too large to be too small: %llu bytes\n", (unsigned long long)f->memory_bytes);
    if (one < all / 10 * 8 && one < 32000)
        check_refused(net, one, ", where one holds ");
    else
        print_message("a buffer may hold most of the device: %llu bytes\n", (unsigned long long)f->buffer_bytes_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_saved_model_evaluates_the_same),
        RUNS_TEST(test_two_and_two_epochs_are_four),
        RUNS_TEST(test_checkpoint_of_another_run),
        RUNS_TEST(test_model_of_another_net),
        RUNS_TEST(test_a_model_with_more_than_the_net),
        RUNS_TEST(test_predictions_are_what_evaluation_counts),
        RUNS_TEST(test_predictions_of_squared_loss_are_outputs),
        RUNS_TEST(test_a_loss_that_is_no_number),
        RUNS_TEST(test_net_and_data_do_not_fit),
        RUNS_TEST(test_net_larger_than_the_device),
    };
    return cmocka_run_group_tests_name("trained models", tests, runs_setup, runs_teardown);
}

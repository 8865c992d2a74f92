/* nn: the net language, its errors, and the layers and tensors of a net. */
#include "support/check.h"
#include "support/nets.h"
#include "support/device.h"

#include "nn.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a test holds, so that a failed one leaves nothing behind. */
static struct nn_net *net;
static struct text text;

static int drop(void **state)
{
    nn_net_free(net);
    net = NULL;
    text_free(&text);
    return device_drop(state);
}

static void open_net(const char *words)
{
    nn_net_free(net);
    net = NULL;
    OK(nn_net_parse(words, "t.net", &net));
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* The whole message. */
static void check_refused(const char *words, const char *message)
{
    if (nn_net_parse(words, "t.net", &net) != ST_INPUT)
        fail_msg("taken, or not the input's fault: %s", words);
    assert_null(net);
    assert_string_equal(st_message(), message);
}

struct wrong {
    const char *words, *message;
};

static void check_all_refused(const struct wrong *wrong, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_refused(wrong[i].words, wrong[i].message);
}

static void test_wrong_lines(void **state)
{
    (void)state;
    static const struct wrong wrong[] = {
        {"", "t.net:1: the net ends without a loss: its last line is 'loss' and one of softmax, squared"},
        {"input 8\ndense 2\n",
         "t.net:3: the net ends without a loss: its last line is 'loss' and one of softmax, squared"},
        {"dense 2", "t.net:1: 'dense' before the input: the first line is 'input CxHxW'"},
        {"input 8\n\ninput 8", "t.net:3: a second input"},
        {"input", "t.net:1: input takes one shape, such as 1x28x28"},
        {"input 8 8", "t.net:1: input takes one shape, such as 1x28x28"},
        {"loss softmax", "t.net:1: no layer before the loss"},
        {"input 8\nloss softmax", "t.net:2: no layer before the loss"},
        {"input 8\ndense 2\nloss", "t.net:3: loss takes one word of these: softmax, squared"},
        {"input 8\ndense 2\nloss hinge", "t.net:3: unknown loss 'hinge'; known: softmax, squared"},
        {"input 8\ndense 2\nloss softmax 2", "t.net:3: loss takes one word of these: softmax, squared"},
        {"input 8\ndense 2\nloss softmax\nrelu", "t.net:4: 'relu' behind the loss, which must be the last line"},
        {"input 8\ndense 2\nloss softmax\nloss softmax",
         "t.net:4: 'loss' behind the loss, which must be the last line"},
        {"input 8\ndense 1\nloss softmax",
         "t.net:3: loss softmax takes a vector of 2 or more classes, not 1x1x1: put a dense layer before it"},
        {"input 2x3x1\nrelu\nloss softmax",
         "t.net:3: loss softmax takes a vector of 2 or more classes, not 2x3x1: put a dense layer before it"},
        {"input 2x3x1\nrelu\nloss squared",
         "t.net:3: loss squared takes a vector of 2 or more classes, not 2x3x1: put a dense layer before it"},
        {"input 8\ndense 2\nloss sqared",
         "t.net:3: unknown loss 'sqared'; did you mean 'squared'? known: softmax, squared"},
        {"input 2x1x3\nbatchnorm",
         "t.net:2: batchnorm takes a vector, not a picture of 2x1x3: put a dense layer before it"},
        {"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "t.net:1: more than 16 words"},
        {"input 4096x4096\ndense 2", "t.net:1: input '4096x4096': a shape is CxHxW or N, each number 1 to 4096"},
        {"input 1x4096x4096\ndense 65",
         "t.net:2: dense: too large: 1090519040 multiply-accumulates a sample"},
    };
    check_all_refused(wrong, COUNT_OF(wrong));
}

static void test_wrong_shapes(void **state)
{
    (void)state;
    static const char *const wrong[] = {"0", "-1", "x", "8x", "x8", "1x2", "1x2x", "1xx3", "1x2x3x", "1x2x3x4", "1x2x0",
                                        "4097", "1x2x4097", "8.5", "1X2X3", "0x10", "1x2x3.", "99999999999999999999",
                                        "1x2x00000000000000000000003"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char words[128], message[256];
        snprintf(words, sizeof words, "input %s", wrong[i]);
        snprintf(message, sizeof message, "t.net:1: input '%s': a shape is CxHxW or N, each number 1 to 4096",
                 wrong[i]);
        check_refused(words, message);
    }
    check_refused("input 4096x4096x2", "t.net:1: input '4096x4096x2': 16777216 values at most");
    open_net("input 4096x4096x1\ndense 2\nloss softmax");
    open_net("input 4096\ndense 2\nloss softmax");
}

static void test_wrong_options(void **state)
{
    (void)state;
    static const struct wrong wrong[] = {
        {"input 8\ndense", "t.net:2: dense: units (outputs) is missing"},
        {"input 8\ndropout", "t.net:2: dropout: p (share set to zero) is missing"},
        {"input 8\ndense 5 6", "t.net:2: dense: unknown option '6'; known: units, bias, zero"},
        {"input 8\nrelu 5", "t.net:2: relu: unknown option '5'; known: none"},
        {"input 8\nrelu slope=5", "t.net:2: relu: unknown option 'slope'; known: none"},
        {"input 8\nbatchnorm eps=1e-3 gain=2", "t.net:2: batchnorm: unknown option 'gain'; known: eps, momentum"},
        {"input 8\ndense =5", "t.net:2: dense: unknown option ''; known: units, bias, zero"},
        {"input 8\ndense 5 units=5", "t.net:2: dense: units is given twice"},
        {"input 8\nbatchnorm momentum=0.1 eps=1e-5 momentum=0.1", "t.net:2: batchnorm: momentum is given twice"},
        {"input 8\ndense 0", "t.net:2: dense: units is '0', must be a whole number from 1 to 1048576"},
        {"input 8\ndense 1048577", "t.net:2: dense: units is '1048577', must be a whole number from 1 to 1048576"},
        {"input 8\ndense 2.5", "t.net:2: dense: units is '2.5', must be a whole number from 1 to 1048576"},
        {"input 8\ndense units=", "t.net:2: dense: units is '', must be a whole number from 1 to 1048576"},
        {"input 8\ndense units=5=5", "t.net:2: dense: units is '5=5', must be a whole number from 1 to 1048576"},
        {"input 8\ndense nan", "t.net:2: dense: units is 'nan', must be a whole number from 1 to 1048576"},
        {"input 8\ndense 4 bias=2", "t.net:2: dense: bias is '2', must be a whole number from 0 to 1"},
        {"input 8\ndense 4 zero=0.5", "t.net:2: dense: zero is '0.5', must be a whole number from 0 to 1"},
        {"input 8\ndropout 1", "t.net:2: dropout: p is '1', must be a number from 0 to 0.99"},
        {"input 8\ndropout -0.1", "t.net:2: dropout: p is '-0.1', must be a number from 0 to 0.99"},
        {"input 8\nleakyrelu 0", "t.net:2: leakyrelu: slope is '0', must be a number from 1e-06 to 1"},
        {"input 8\nbatchnorm eps=0", "t.net:2: batchnorm: eps is '0', must be a number from 1e-12 to 1"},
        {"input 8\nbatchnorm momentum=1.1", "t.net:2: batchnorm: momentum is '1.1', must be a number from 0 to 1"},
    };
    check_all_refused(wrong, COUNT_OF(wrong));
}

static void test_unknown_word_names_the_known(void **state)
{
    (void)state;
    const struct nn_kind *kind;
    text_add(&text, "t.net:2: unknown word 'Dense'; did you mean 'dense'? known: input, ");
    assert_true(!nn_kind_at(-1) && !nn_kind_at(INT_MAX) && !nn_optimizer_at(-1) && !nn_optimizer_at(INT_MAX));
    for (int i = 0; (kind = nn_kind_at(i)) != NULL; i++)
        text_add(&text, "%s, ", kind->name);
    text_add(&text, "cut, on, loss");
    OK(text_status(&text));
    check_refused("input 8\nDense 2\nloss softmax", text.s);
}

static void test_too_many_layers(void **state)
{
    (void)state;
    text_add(&text, "input 8\n");
    for (int i = 0; i < 1024; i++)
        text_add(&text, "relu\n");
    size_t fits = text.len;
    text_add(&text, "relu\nloss softmax");
    OK(text_status(&text));
    check_refused(text.s, "t.net:1026: more than 1024 layers");
    text.len = fits;
    text_add(&text, "loss softmax");
    open_net(text.s);
    assert_int_equal(net->layer_count, 1024);
}

/* In one line of text `;` ends a line, in a comment too; in a text of several lines it has no meaning. */
static void test_lines_and_comments(void **state)
{
    (void)state;
    static const struct wrong wrong[] = {
        {"input 8; dense 4 # hidden; relu; blah 1", "t.net:4: unknown word 'blah'"},
        {"input 8;;dense 4;blah 1\n", "t.net:4: unknown word 'blah'"},
        {"# a; b\n\ninput 8 # c; d\r\n\tdense\t4\r\nblah 1\n", "t.net:5: unknown word 'blah'"},
        {"input 8\ndense 4; relu\n", "t.net:2: dense: units is '4;'"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        FAILS(ST_INPUT, wrong[i].message, nn_net_parse(wrong[i].words, "t.net", &net));
        assert_ptr_equal(strstr(st_message(), wrong[i].message), st_message());
    }
    open_net("#input 9\n input 8#9\n  dense  units=4  # 5\n\n#\n dense 2\nloss softmax # the end\n\n# really\n");
    assert_int_equal(net->input.c, 8);
    assert_int_equal(net->layer_count, 2);
    assert_int_equal(net->layer[0].line, 3);
    assert_int_equal(net->layer[1].line, 6);
    assert_int_equal(net->layer[0].out.c, 4);
}

static void write_net(char *path, size_t size, const char *bytes, size_t len)
{
    snprintf(path, size, "%s/a.net", check_folder());
    OK(file_write(path, bytes, len));
}

static void test_open(void **state)
{
    (void)state;
    static const char good[] = "input 8\ndense 2\nloss softmax\n", inline_net[] = "input 8; dense 2; loss softmax";
    char path[256], words[300];
    write_net(path, sizeof path, good, strlen(good));
    OK(nn_net_open(path, &net));
    assert_string_equal(net->text, good);
    assert_string_equal(net->origin, path);
    nn_net_free(net);
    net = NULL;
    OK(nn_net_open(inline_net, &net));
    assert_string_equal(net->text, inline_net);
    assert_string_equal(net->origin, "net");
    assert_int_equal(net->layer[0].line, 2);
    nn_net_free(net);
    net = NULL;
    FAILS(ST_INPUT, "net:1: unknown word 'inputs'", nn_net_open("inputs 8", &net));
    write_net(path, sizeof path, "input 8\nblah\n", 13);
    snprintf(words, sizeof words, "%s:2: unknown word 'blah'", path);
    FAILS(ST_INPUT, words, nn_net_open(path, &net));
    write_net(path, sizeof path, good, sizeof good); /* with the NUL */
    snprintf(words, sizeof words, "%s is not text", path);
    FAILS(ST_INPUT, words, nn_net_open(path, &net));
    FAILS(ST_INPUT, "cannot open /nowhere/a.net", nn_net_open("/nowhere/a.net", &net));
    FAILS(ST_INPUT, "cannot read", nn_net_open(check_folder(), &net));
    assert_null(net);
    nn_net_free(NULL);
}

/* ---- good nets --------------------------------------------------------------------------------------------------- */

static void test_layers_of_a_net(void **state)
{
    (void)state;
    open_net(MIXED_NET);
    assert_int_equal(net->layer_count, 9);
    assert_int_equal(net->classes, 3);
    static const int out[] = {7, 7, 7, 7, 7, 33, 33, 33, 3};
    static const uint64_t macs[] = {210, 0, 0, 0, 0, 231, 0, 0, 99};
    static const enum mx_act fused_into[] = {[1] = MX_LEAKY_RELU, [5] = MX_SIGMOID, [8] = MX_IDENTITY};
    static const bool fused[9] = {[2] = true, [6] = true};
    for (int i = 0; i < 9; i++) {
        const struct nn_layer *l = &net->layer[i];
        assert_int_equal(l->index, i);
        assert_int_equal(l->line, i + 2);
        assert_int_equal(nn_size(l->in), i ? out[i - 1] : 30);
        assert_int_equal(l->out.c, out[i]);
        assert_int_equal(nn_size(l->out), out[i]);
        assert_int_equal(l->macs, macs[i]);
        assert_int_equal(l->phi.kind, fused_into[i]);
        assert_int_equal(l->fused, fused[i]);
        assert_int_equal(l->saved, i == 1 ? 14 : 0);
    }
    assert_true(net->layer[1].phi.slope == 0.01f);
    assert_true(net->layer[1].option[0] == 1e-5 && net->layer[1].option[1] == 0.1);
    assert_true(net->layer[3].option[0] == 0.25);
    assert_int_equal(nn_net_macs(net), 540);
    assert_int_equal(nn_net_params(net), 7 * 30 + 7 + 7 + 7 + 33 * 7 + 33 + 3 * 33 + 3);
}

/* An activation is fused only into a layer right before it that can. */
static void test_activations_that_are_not_fused(void **state)
{
    (void)state;
    open_net("input 4; relu; tanh; dropout 0.5; sigmoid; batchnorm; dropout 0.5; relu; loss softmax");
    for (int i = 0; i < net->layer_count; i++) {
        assert_false(net->layer[i].fused);
        assert_int_equal(net->layer[i].phi.kind, MX_IDENTITY);
    }
}

static void test_tensors_are_named_as_in_pytorch(void **state)
{
    (void)state;
    /* offsets: multiples of 32 floats, parameters and state each in a buffer of their own */
    static const struct {
        const char *name;
        int rank;
        int64_t rows, cols;
        size_t off;
        enum nn_init init;
        double bound;
    } want[] = {
        {"0.weight", 2, 7, 30, 0, NN_UNIFORM, 0.18257418583505536},
        {"0.bias", 1, 7, 1, 224, NN_UNIFORM, 0.18257418583505536},
        {"1.weight", 1, 7, 1, 256, NN_ONE, 0},
        {"1.bias", 1, 7, 1, 288, NN_ZERO, 0},
        {"1.running_mean", 1, 7, 1, 0, NN_ZERO, 0},
        {"1.running_var", 1, 7, 1, 32, NN_ONE, 0},
        {"5.weight", 2, 33, 7, 320, NN_UNIFORM, 0.37796447300922720},
        {"5.bias", 1, 33, 1, 576, NN_UNIFORM, 0.37796447300922720},
        {"8.weight", 2, 3, 33, 640, NN_UNIFORM, 0.17407765595569785},
        {"8.bias", 1, 3, 1, 768, NN_UNIFORM, 0.17407765595569785},
    };
    open_net(MIXED_NET);
    assert_int_equal(nn_tensor_count(net), COUNT_OF(want));
    for (int i = 0; i < (int)COUNT_OF(want); i++) {
        struct nn_tensor t = nn_tensor_at(net, i);
        assert_string_equal(t.name, want[i].name);
        assert_int_equal(t.is_state, strstr(want[i].name, "running") != NULL);
        assert_int_equal(t.param->rank, want[i].rank);
        assert_int_equal(t.param->shape[0], want[i].rows);
        assert_int_equal(t.param->count, want[i].rows * want[i].cols);
        if (want[i].rank == 2)
            assert_int_equal(t.param->shape[1], want[i].cols);
        assert_int_equal(t.param->off, want[i].off);
        assert_int_equal(t.param->init, want[i].init);
        assert_true(fabs(t.param->bound - want[i].bound) <= 1e-15);
    }
    assert_null(nn_tensor_at(net, (int)COUNT_OF(want)).param);
}

static void test_dense_without_bias_and_from_zero(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t count, off;
        enum nn_init init;
    } want[] = {
        {"0.weight", 8 * 5, 0, NN_UNIFORM}, {"1.weight", 5 * 4, 64, NN_ZERO}, {"1.bias", 4, 96, NN_ZERO},
        {"3.weight", 4 * 3, 128, NN_ZERO},
    };
    open_net("input 8; dense 5 bias=0; dense 4 zero=1; tanh; dense 3 zero=1 bias=0; loss softmax");
    assert_int_equal(nn_tensor_count(net), COUNT_OF(want));
    for (int i = 0; i < (int)COUNT_OF(want); i++) {
        struct nn_tensor t = nn_tensor_at(net, i);
        assert_string_equal(t.name, want[i].name);
        assert_int_equal(t.param->count, want[i].count);
        assert_int_equal(t.param->off, want[i].off);
        assert_int_equal(t.param->init, want[i].init);
        assert_true(t.param->bound == (want[i].init == NN_ZERO ? 0 : 1 / sqrt(8)));
    }
    assert_int_equal(net->layer[0].param_count, 1);
    assert_int_equal(nn_net_params(net), 40 + 20 + 4 + 12);
    assert_int_equal(nn_net_macs(net), 40 + 20 + 12);
}

static void test_show(void **state)
{
    (void)state;
    open_net("input 1x28x28\nrelu\ndense 256\nbatchnorm\nrelu\ndense 10\nloss softmax");
    nn_net_show(net, &text);
    OK(text_status(&text));
    assert_string_equal(text.s, "  #  layer        output      parameters   MACs/sample\n"
                                "     input        1x28x28   \n"
                                "  0  relu         1x28x28              0             0\n"
                                "  1  dense        256             200960        200704\n"
                                "  2  batchnorm    256                512             0\n"
                                "  3  relu         256                  0             0\n"
                                "  4  dense        10                2570          2560\n"
                                "     total                        204042        203264\n");
}

/* ---- mutations --------------------------------------------------------------------------------------------------- */

/* Deletes or doubles a few bytes, changes one, or puts a word of the language somewhere. */
static void mutate(struct rng *r, char *words)
{
    static const char *const bits[] = {"input ", "dense ", "units=", "bias=0 ", "zero=1 ", "loss softmax",
                                       "batchnorm ", "eps=", "relu", "#", ";", "\n", "=", "x", "-", "99999999",
                                       "1e300", "nan", "0.5", " ", "\r", "\xff", "%s%n"};
    size_t len = strlen(words), at = rng_below(r, (uint32_t)len + 1), n = rng_below(r, 12);
    if (n > len - at)
        n = len - at;
    switch (rng_below(r, 4)) {
    case 0:
        memmove(words + at, words + at + n, len - at - n + 1);
        break;
    case 1:
        memmove(words + at + n, words + at, len - at + 1);
        break;
    case 2:
        if (at < len)
            words[at] = (char)(1 + rng_below(r, 255));
        break;
    default: {
        const char *bit = bits[rng_below(r, COUNT_OF(bits))];
        memmove(words + at + strlen(bit), words + at, len - at + 1);
        memcpy(words + at, bit, strlen(bit));
    }
    }
}

/* Whatever the text, a net or a message; and what is taken can be shown and planned. */
static void check_any(const char *words, int *taken)
{
    enum st s = nn_net_parse(words, "t.net", &net);
    if (s == ST_OK) {
        struct nn_memory plan;
        (*taken)++;
        text_clear(&text);
        nn_net_show(net, &text);
        assert_true(text.len > 0);
        assert_true(net->classes >= 2);
        for (int i = 0; i < nn_tensor_count(net); i++)
            assert_true(nn_tensor_at(net, i).param->count > 0);
        s = nn_memory_plan(net, device_mx(), 128, 2, 1, &plan);
    } else {
        assert_null(net);
    }
    if (s != ST_OK && ((s != ST_INPUT && s != ST_MEMORY) || strncmp(st_message(), "t.net:", 6) != 0))
        fail_msg("status %d, message '%s' for: %s", (int)s, st_message(), words);
    nn_net_free(net);
    net = NULL;
}

static void test_mutated_nets(void **state)
{
    (void)state;
    static const char *const valid[] = {
        MIXED_NET,
        "input 8; dense 4; relu; loss softmax",
        "input 1x28x28 # picture\ndense units=256\nbatchnorm eps=1e-3 momentum=0.01\ndropout p=0.5\nloss softmax\n",
    };
    enum { NETS = 5000 };
    struct rng r;
    int taken = 0;
    rng_init(&r, 7, 0);
    for (int i = 0; i < NETS; i++) {
        char words[1000];
        snprintf(words, sizeof words, "%s", valid[i % (int)COUNT_OF(valid)]);
        for (uint32_t n = 1 + rng_below(&r, 4); n > 0; n--)
            mutate(&r, words);
        check_any(words, &taken);
    }
    /* both ways out are walked */
    assert_in_range(taken, NETS / 50, NETS / 2);
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wrong_lines),
        TEST(test_wrong_shapes),
        TEST(test_wrong_options),
        TEST(test_unknown_word_names_the_known),
        TEST(test_too_many_layers),
        TEST(test_lines_and_comments),
        TEST(test_open),
        TEST(test_layers_of_a_net),
        TEST(test_activations_that_are_not_fused),
        TEST(test_tensors_are_named_as_in_pytorch),
        TEST(test_dense_without_bias_and_from_zero),
        TEST(test_show),
        TEST(test_mutated_nets),
    };
    return cmocka_run_group_tests_name("nn", tests, device_open, device_close);
}

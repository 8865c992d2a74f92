/* nn: cuts and `on` in nets, sections as nets of their own, and cuts put into a net's text. */
#include "support/check.h"
#include "support/device.h"
#include "support/nets.h"

#include "nn.h"

#include <stdio.h>
#include <string.h>

static struct nn_net *net, *part, *split;

static int drop(void **state)
{
    nn_net_free(part);
    nn_net_free(split);
    nn_net_free(net);
    net = part = split = NULL;
    return device_drop(state);
}

static void open_net(const char *words)
{
    nn_net_free(part);
    nn_net_free(split);
    nn_net_free(net);
    net = part = split = NULL;
    OK(nn_net_parse(words, "t.net", &net));
}

static void open_section(int k)
{
    nn_net_free(part);
    part = NULL;
    OK(nn_net_section(net, k, &part));
}

#define CUT_NET \
    "input 2x3x5\n" \
    "on 0:0\n" \
    "dense 7\n"          /* 0 */ \
    "batchnorm\n"        /* 1 */ \
    "cut csg hidden=1   width=9 # wide\n" \
    "relu\n"             /* 2: alone */ \
    "dropout 0.25\n"     /* 3 */ \
    "dense 6\n"          /* 4 */ \
    "relu\n"             /* 5: fused into 4 */ \
    "cut\n" \
    "dense 5\n"          /* 6 */ \
    "on gpu\n" \
    "batchnorm\n"        /* 7 */ \
    "dense 3\n"          /* 8 */ \
    "loss softmax\n"

/* ---- the words --------------------------------------------------------------------------------------------------- */

static void check_section(int k, int first, int count, int line, const char *coupling, const char *on, int on_line)
{
    const struct nn_section *s = &net->section[k];
    assert_int_equal(s->first, first);
    assert_int_equal(s->count, count);
    assert_int_equal(s->line, line);
    assert_string_equal(s->coupling, coupling);
    assert_string_equal(s->on, on);
    assert_int_equal(s->on_line, on_line);
}

static void test_sections_of_a_net(void **state)
{
    (void)state;
    open_net(CUT_NET);
    assert_int_equal(net->section_count, 3);
    check_section(0, 0, 2, 5, "csg hidden=1 width=9", "0:0", 2);
    check_section(1, 2, 4, 10, "", "", 0);
    check_section(2, 6, 3, 15, "", "gpu", 12);
    assert_int_equal(net->layer_count, 9);
    for (int i = 0; i < 9; i++)
        assert_int_equal(net->layer[i].index, i);
    open_net("input 4; dense 4; cut; dense 3; loss softmax");
    assert_int_equal(net->section_count, 2);
    check_section(0, 0, 1, 3, "", "", 0);
    open_net("input 4; dense 3; loss softmax");
    assert_int_equal(net->section_count, 1);
    check_section(0, 0, 1, 3, "", "", 0);
}

static void test_wrong_lines(void **state)
{
    (void)state;
    static const struct {
        const char *words, *message;
    } wrong[] = {
        {"cut\ninput 4", "t.net:1: a cut before the first layer"},
        {"input 4\ncut\ndense 3", "t.net:2: a cut before the first layer"},
        {"input 4\ndense 3\ncut\ncut csg\ndense 3", "t.net:4: two cuts without a layer between them"},
        {"input 4\ndense 3\ncut\non gpu\ncut\ndense 3", "t.net:5: two cuts without a layer between them"},
        {"input 4\ndense 3\ncut\nloss softmax", "t.net:4: the cut of line 3 has no layer behind it"},
        {"input 4\ndense 3\ncut exact\n\non cpu\nloss softmax", "t.net:6: the cut of line 3 has no layer behind it"},
        {"input 4\ndense 3\nloss softmax\ncut", "t.net:4: 'cut' behind the loss, which must be the last line"},
        {"input 4\ndense 3\nloss softmax\non gpu", "t.net:4: 'on' behind the loss, which must be the last line"},
        {"input 4\non\ndense 3", "t.net:2: on takes one device, such as 0:0, gpu, cpu or a part of a name"},
        {"input 4\non 0:0 0:1\ndense 3", "t.net:2: on takes one device, such as 0:0, gpu, cpu or a part of a name"},
        {"input 4\non 0:0\ndense 3\non gpu", "t.net:4: a second device for one module: it is on '0:0'"},
        {"input 4\nknife\n", "t.net:2: unknown word 'knife'; known: input, dense, batchnorm, relu, leakyrelu, tanh, "
                             "sigmoid, dropout, cut, on, loss"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (nn_net_parse(wrong[i].words, "t.net", &net) != ST_INPUT)
            fail_msg("taken: %s", wrong[i].words);
        assert_null(net);
        assert_string_equal(st_message(), wrong[i].message);
    }
}

/* ---- across cuts ------------------------------------------------------------------------------------------------- */

/* A module neither computes the activation of the one above it, nor takes or gives the slope of one. */
static void test_nothing_is_fused_across_cuts(void **state)
{
    (void)state;
    open_net("input 4; dense 4; cut; relu; dense 4; tanh; cut; dense 4; sigmoid; dense 3; loss softmax");
    assert_false(net->layer[1].fused);
    assert_int_equal(net->layer[0].phi.kind, MX_IDENTITY);
    assert_true(net->layer[3].fused);
    assert_int_equal(net->layer[2].phi.kind, MX_TANH);
    assert_false(net->layer[2].given_da);
    assert_int_equal(net->layer[4].below.kind, MX_IDENTITY);
    assert_true(net->layer[4].given_da); /* within a module as ever */
    assert_int_equal(net->layer[6].below.kind, MX_SIGMOID);
    open_net("input 4; dense 4; relu; dense 4; tanh; dense 4; sigmoid; dense 3; loss softmax");
    assert_true(net->layer[1].fused && net->layer[2].given_da);
    assert_int_equal(net->layer[4].below.kind, MX_TANH);
}

static void test_where_cuts_may_stand(void **state)
{
    (void)state;
    open_net(MIXED_NET);
    static const bool may[] = {false, true, false, true, true, true, false, true, true, false};
    for (int i = 0; i < 10; i++)
        assert_int_equal(nn_net_may_cut(net, i), may[i]);
    assert_false(nn_net_may_cut(net, -1));
}

/* ---- sections as nets -------------------------------------------------------------------------------------------- */

static void test_a_section_is_a_net(void **state)
{
    (void)state;
    static const int first[] = {0, 2, 6, 9}, in[] = {30, 7, 6}, out[] = {7, 6, 3}, tensors[] = {6, 2, 8};
    int before = 0;
    open_net(CUT_NET);
    for (int k = 0; k < 3; k++) {
        open_section(k);
        assert_int_equal(part->layer_count, first[k + 1] - first[k]);
        assert_int_equal(nn_size(part->input), in[k]);
        assert_int_equal(part->classes, out[k]);
        assert_string_equal(part->origin, "t.net");
        assert_int_equal(part->section_count, 1);
        assert_int_equal(part->section[0].first, 0);
        assert_int_equal(part->section[0].count, part->layer_count);
        assert_string_equal(part->section[0].on, net->section[k].on);
        assert_int_equal(part->tensor_first, before);
        assert_int_equal(nn_tensor_count(part), tensors[k]);
        for (int i = 0; i < part->layer_count; i++) {
            assert_int_equal(part->layer[i].index, first[k] + i);
            assert_int_equal(part->layer[i].line, net->layer[first[k] + i].line);
        }
        for (int i = 0; i < tensors[k]; i++) {
            struct nn_tensor mine = nn_tensor_at(part, i), whole = nn_tensor_at(net, before + i);
            assert_string_equal(mine.name, whole.name);
            assert_int_equal(mine.param->count, whole.param->count);
        }
        assert_int_equal(nn_tensor_at(part, 0).param->off, 0); /* of its own module's buffer */
        before += tensors[k];
    }
    assert_int_equal(before, nn_tensor_count(net));
}

static void read_all(const struct nn_net *of, float *out, size_t *n)
{
    struct nn_module *m;
    *n = 0;
    OK(nn_module_open(of, device_mx(), 4, 0, 1, &m));
    OK(nn_module_init(m, 5));
    for (int i = 0; i < nn_tensor_count(of); i++) {
        struct nn_tensor t = nn_tensor_at(of, i);
        OK(nn_module_read(m, i, t.is_state ? NN_STATE : NN_PARAM, 0, out + *n));
        *n += t.param->count;
    }
    nn_module_close(m);
}

/* The parts of a net start with the values that they have in the whole. */
static void test_starting_values(void **state)
{
    (void)state;
    float whole[1000], mine[1000];
    size_t n, all, at = 0;
    open_net(CUT_NET);
    read_all(net, whole, &all);
    for (int k = 0; k < 3; k++) {
        open_section(k);
        read_all(part, mine, &n);
        assert_true(n > 0 && at + n <= all);
        assert_memory_equal(mine, whole + at, n * sizeof *mine);
        at += n;
    }
    assert_int_equal(at, all);
}

static void test_some_layers(void **state)
{
    (void)state;
    open_net(MIXED_NET);
    OK(nn_net_layers(net, 5, 2, &part));
    assert_int_equal(part->layer_count, 2);
    assert_int_equal(nn_size(part->input), 7);
    assert_int_equal(part->classes, 33);
    assert_int_equal(part->layer[0].phi.kind, MX_SIGMOID);
    assert_string_equal(nn_tensor_at(part, 0).name, "5.weight");
    assert_int_equal(part->tensor_first, 6);
}

/* ---- cuts put into a text ---------------------------------------------------------------------------------------- */

static void check_split(const char *words, const char *origin, const int *at, int n, const char *coupling,
                        const char *want)
{
    nn_net_free(split);
    nn_net_free(net);
    split = net = NULL;
    OK(nn_net_parse(words, origin, &net));
    OK(nn_net_split(net, at, n, coupling, &split));
    assert_string_equal(split->text, want);
    assert_string_equal(split->origin, origin);
    assert_int_equal(split->section_count, n + 1);
    assert_int_equal(split->layer_count, net->layer_count);
    for (int k = 0; k < n; k++) {
        assert_int_equal(split->section[k + 1].first, at[k]);
        assert_string_equal(split->section[k].coupling, coupling);
    }
    for (int i = 0; i < nn_tensor_count(net); i++)
        assert_string_equal(nn_tensor_at(split, i).name, nn_tensor_at(net, i).name);
}

static void test_split(void **state)
{
    (void)state;
    static const int one[] = {1}, two[] = {2, 3};
    check_split("input 4; dense 4; dense 3; loss softmax", "net", one, 1, "csg",
                "input 4; dense 4; cut csg; dense 3; loss softmax");
    check_split("input 4; dense 4; relu; dense 4; dense 3; loss softmax", "net", two, 2, "sg hidden=2",
                "input 4; dense 4; relu; cut sg hidden=2; dense 4; cut sg hidden=2; dense 3; loss softmax");
    check_split("# a file\ninput 4\n\ndense 4 # one\nrelu\n\n  dense 4\ndense 3\nloss softmax", "a.net", two, 2,
                "exact",
                "# a file\ninput 4\n\ndense 4 # one\nrelu\n\ncut exact\n  dense 4\ncut exact\ndense 3\nloss softmax");
    check_split("input 4; on gpu; dense 4; dense 3; loss softmax", "net", one, 1, "",
                "input 4; on gpu; dense 4; cut ; dense 3; loss softmax");
    assert_string_equal(split->section[0].on, "gpu");
}

static void check_not_split(const int *at, int n, const char *message)
{
    FAILS(ST_INPUT, message, nn_net_split(net, at, n, "csg", &split));
    assert_string_equal(st_message(), message);
    assert_null(split);
}

static void test_wrong_splits(void **state)
{
    (void)state;
    static const int fused[] = {1}, begin[] = {0}, end[] = {4}, twice[] = {2, 2}, falling[] = {3, 2}, good[] = {2};
    open_net("input 4\ndense 4\nrelu\ndense 4\ndense 3\nloss softmax\n");
    check_not_split(fused, 1, "t.net: no cut can stand before layer 1");
    check_not_split(begin, 1, "t.net: no cut can stand before layer 0");
    check_not_split(end, 1, "t.net: no cut can stand before layer 4");
    check_not_split(twice, 2, "t.net: no cut can stand before layer 2");
    check_not_split(falling, 2, "t.net: no cut can stand before layer 2");
    open_net("input 4\ndense 4\ncut\ndense 4\ndense 3\nloss softmax\n");
    check_not_split(good, 1, "t.net has cuts already");
}

/* ---- the net as text --------------------------------------------------------------------------------------------- */

static void check_written(const char *words, const char *want)
{
    struct text text = {0};
    open_net(words);
    nn_net_write(net, &text);
    OK(text_status(&text));
    assert_string_equal(text.s, want);
    text_clear(&text);
    open_net(want); /* it is a net, the same */
    nn_net_write(net, &text);
    assert_string_equal(text.s, want);
    text_free(&text);
}

static void test_written_plainly(void **state)
{
    (void)state;
    check_written(CUT_NET, "input 2x3x5\ndense units=7\nbatchnorm\nrelu\ndropout p=0.25\ndense units=6\nrelu\n"
                           "dense units=5\nbatchnorm\ndense units=3\nloss softmax\n");
    check_written("input 4; dense 3; loss  squared # half", "input 4\ndense units=3\nloss squared\n");
    check_written("input 4; # from a file\xE9; dense 1000003 bias=0; leakyrelu slope=0.01;leakyrelu 0.3333333333;"
                  "batchnorm momentum=0.3 eps=1e-5; dense units=2 zero=1;loss   softmax",
                  "input 4\ndense units=1000003 bias=0\nleakyrelu\nleakyrelu slope=0.3333333333\n"
                  "batchnorm momentum=0.3\ndense units=2 zero=1\nloss softmax\n");
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sections_of_a_net),
        TEST(test_wrong_lines),
        TEST(test_nothing_is_fused_across_cuts),
        TEST(test_where_cuts_may_stand),
        TEST(test_a_section_is_a_net),
        TEST(test_starting_values),
        TEST(test_some_layers),
        TEST(test_split),
        TEST(test_wrong_splits),
        TEST(test_written_plainly),
    };
    return cmocka_run_group_tests_name("nn_cuts", tests, device_open, device_close);
}

/* A module of nn: its memory as planned, starting values, and its tensors in and out. */
#include "support/check.h"
#include "support/nets.h"
#include "support/device.h"

#include "nn.h"
#include "ref/ref.h"

#include <math.h>
#include <string.h>

/* What a test holds, so that a failed one leaves nothing behind. */
static struct nn_net *net;
static struct nn_module *module;

static int drop(void **state)
{
    nn_module_close(module);
    module = NULL;
    nn_net_free(net);
    net = NULL;
    return device_drop(state);
}

static void open_net(const char *words)
{
    nn_net_free(net);
    net = NULL;
    OK(nn_net_parse(words, "t.net", &net));
}

static void open_sets(int batch, int slots, int sets)
{
    nn_module_close(module);
    module = NULL;
    OK(nn_module_open(net, device_mx(), batch, slots, sets, &module));
}

static void open_module(int batch, int slots)
{
    open_sets(batch, slots, 1);
}

static float *host_floats(size_t n)
{
    return (float *)host_doubles((n + 1) / 2);
}

static float *read_tensor(int tensor, enum nn_part part, int slot)
{
    float *values = host_floats(nn_tensor_at(net, tensor).param->count);
    OK(nn_module_read(module, tensor, part, slot, values));
    return values;
}

static float *read_flat(struct mx_tensor t)
{
    float *values = host_floats((size_t)t.cols);
    OK(ocl_read(device_queue(), t.buf, t.off * sizeof *values, (size_t)t.cols * sizeof *values, values));
    return values;
}

/* What was planned is what is created; an empty part still has a buffer of 4 bytes. */
static void check_plan(const char *words, int batch, int slots, int sets)
{
    struct ocl_device *device = ocl_queue_device(device_queue());
    struct nn_memory m;
    open_net(words);
    OK(nn_memory_plan(net, device_mx(), batch, slots, sets, &m));
    const uint64_t parts[] = {m.params, m.grads, m.slots, m.state, m.activations, m.deltas, m.scratch};
    uint64_t before = ocl_device_bytes(device), want = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        bool made = slots >= 0 || (i != 1 && i != 2);
        want += made && parts[i] == 0 ? 4 : parts[i];
        assert_true(made || parts[i] == 0);
    }
    open_sets(batch, slots, sets);
    assert_int_equal(ocl_device_bytes(device) - before, want);
    assert_true(want - nn_memory_total(&m) <= 4 * COUNT_OF(parts));
    nn_module_close(module);
    module = NULL;
    assert_int_equal(ocl_device_bytes(device), before);
}

static void test_plan_is_what_is_created(void **state)
{
    (void)state;
    static const int batches[] = {2, 9, 128}, slots[] = {-1, 0, 1, 2};
    for (size_t b = 0; b < COUNT_OF(batches); b++)
        for (size_t k = 0; k < COUNT_OF(slots); k++) {
            check_plan(MIXED_NET, batches[b], slots[k], 1 + (int)k % 3);
            check_plan("input 5; relu; loss softmax", batches[b], slots[k], 1);
        }
    /* by hand: floats in multiples of 32 a tensor; outputs of layers 0 1 3 4 5 7 8 and 14 saved; the widest is 33 */
    struct nn_memory m;
    open_net(MIXED_NET);
    OK(nn_memory_plan(net, device_mx(), 9, 2, 1, &m));
    assert_int_equal(m.params, 4 * 800);
    assert_int_equal(m.grads, 4 * 800);
    assert_int_equal(m.slots, 4 * 1600);
    assert_int_equal(m.state, 4 * 64);
    assert_int_equal(m.activations, 4 * (4 * 64 + 2 * 320 + 32 + 32));
    assert_int_equal(m.deltas, 4 * 2 * 320);
    OK(nn_memory_plan(net, device_mx(), 9, 2, 3, &m));
    assert_int_equal(m.activations, 3 * 4 * (4 * 64 + 2 * 320 + 32 + 32));
    assert_int_equal(m.deltas, 4 * 2 * 320);
    OK(nn_memory_plan(net, device_mx(), 9, -1, 1, &m));
    assert_int_equal(m.grads + m.slots, 0);
    assert_int_equal(m.deltas, 4 * 320);
    open_net("input 64; dense 2; loss softmax"); /* now the input is the widest */
    OK(nn_memory_plan(net, device_mx(), 9, 0, 1, &m));
    assert_int_equal(m.deltas, 4 * 2 * 9 * 64);
}

static void test_plan_refuses_too_much(void **state)
{
    (void)state;
    struct nn_memory m;
    open_net("input 1024x32x32; dense 1024; dense 1048576; dense 2; loss softmax");
    FAILS(ST_INPUT, "t.net: 2150630432 parameters, 2147483647 are the most",
          nn_memory_plan(net, device_mx(), 1, 1, 1, &m));
    open_net("input 1x4096x4096; relu; dense 2; loss softmax");
    FAILS(ST_INPUT, "t.net: a buffer of 17179871232 bytes is needed, 16 GiB is the most: take a smaller batch",
          nn_memory_plan(net, device_mx(), 256, 1, 1, &m));
    FAILS(ST_INPUT, "t.net: a buffer of 17448312960 bytes is needed, 16 GiB is the most",
          nn_memory_plan(net, device_mx(), 4, 1, 65, &m));
    FAILS(ST_INPUT, "16 GiB is the most", nn_memory_plan(net, device_mx(), 1 << 30, 1, INT32_MAX, &m));
    FAILS(ST_INTERNAL, "0 sets of activations", nn_memory_plan(net, device_mx(), 4, 1, 0, &m));
}

static void test_batch_too_small(void **state)
{
    (void)state;
    open_net("input 4\nbatchnorm\nloss softmax");
    FAILS(ST_INPUT, "t.net:2: batchnorm cannot train on batches of 1: 2 samples at least",
          nn_module_open(net, device_mx(), 1, 0, 1, &module));
    open_module(2, 0);
    open_module(1, -1); /* enough to evaluate */
}

/* All tensors, each of them behind the other. */
static float *init_values(int batch, uint64_t seed, size_t *n)
{
    open_module(batch, 0);
    OK(nn_module_init(module, seed));
    float *all = host_floats(2000);
    *n = 0;
    for (int i = 0; i < nn_tensor_count(net); i++) {
        struct nn_tensor t = nn_tensor_at(net, i);
        memcpy(all + *n, read_tensor(i, t.is_state ? NN_STATE : NN_PARAM, 0), t.param->count * sizeof *all);
        *n += t.param->count;
    }
    return all;
}

static void test_init_depends_on_the_seed_alone(void **state)
{
    (void)state;
    size_t n, same = 0;
    open_net(MIXED_NET);
    const float *first = init_values(16, 5, &n), *again = init_values(3, 5, &n), *other = init_values(16, 6, &n);
    assert_memory_equal(first, again, n * sizeof *first);
    for (size_t i = 0; i < n; i++)
        same += first[i] == other[i];
    assert_int_equal(same, 7 + 7 + 7 + 7); /* batch norm's ones and zeros */
}

static void test_init_values(void **state)
{
    (void)state;
    size_t n = 0, unused;
    open_net(MIXED_NET);
    const float *all = init_values(16, 5, &unused);
    for (int i = 0; i < nn_tensor_count(net); i++) {
        const struct nn_param *p = nn_tensor_at(net, i).param;
        float least = INFINITY, most = -INFINITY;
        for (size_t k = 0; k < p->count; k++, n++) {
            least = fminf(least, all[n]);
            most = fmaxf(most, all[n]);
        }
        double bound = p->bound, given = p->init == NN_ONE ? 1 : 0;
        assert_true(least >= given - bound && most <= given + bound);
        /* 99 numbers miss the outer tenth of either side with probability 2 * 0.95^99 = 0.01; the seed is fixed */
        if (p->count >= 99)
            assert_true(least < -0.9 * bound && most > 0.9 * bound);
    }
    const float *flat = read_flat(nn_module_params(module)); /* zeros between tensors */
    assert_true(flat[210] == 0 && flat[223] == 0 && flat[799] == 0 && flat[0] == all[0]);
}

static void test_dense_from_zero(void **state)
{
    (void)state;
    size_t unused;
    open_net("input 4; dense 3 zero=1; dense 3 bias=0; dense 2 bias=0 zero=1; loss softmax");
    const float *all = init_values(2, 5, &unused);
    for (int i = 0; i < 15 + 9 + 6; i++)
        assert_int_equal(all[i] == 0, i < 15 || i >= 24);
}

/* Fills the gradient at the top with numbers of its own for each `seed`; the gradients that come out. */
static const float *gradients_of(const struct nn_pass *pass, struct mx_tensor x, uint64_t seed)
{
    struct mx_tensor delta = nn_module_delta(module, pass->rows);
    size_t n = (size_t)delta.rows * (size_t)delta.cols;
    float *values = host_floats(n);
    struct rng r;
    rng_init(&r, seed, 0);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(2 * rng_unit(&r) - 1);
    OK(ocl_write(device_queue(), delta.buf, delta.off * sizeof *values, n * sizeof *values, values));
    OK(nn_module_backward(module, pass, x, NULL));
    return read_flat(nn_module_grads(module));
}

/* Outputs and gradients of training, and not a bit of the running moments. */
static void test_a_pass_may_keep_the_state(void **state)
{
    (void)state;
    enum { ROWS = 5 };
    struct nn_pass pass = {.rows = ROWS, .training = true};
    double *numbers = host_random(ROWS * 4, -1, 1);
    struct mx_tensor y, x = pair_of(ROWS, 4, numbers).t;
    open_net("input 4; batchnorm; dense 2; loss softmax"); /* tensors 2, 3: moments */
    open_module(ROWS, 0);
    OK(nn_module_init(module, 1));
    pass.keep_state = true;
    OK(nn_module_forward(module, &pass, x, &y));
    y = mx_view(y.buf, y.off, 1, ROWS * 2);
    const float *kept_y = read_flat(y), *kept = gradients_of(&pass, x, 1);
    for (int k = 0; k < 4; k++)
        assert_true(read_tensor(2, NN_STATE, 0)[k] == 0 && read_tensor(3, NN_STATE, 0)[k] == 1);
    numbers[0] = NAN;
    OK(nn_module_forward(module, &pass, pair_of(ROWS, 4, numbers).t, &y));
    for (int k = 0; k < 4; k++)
        assert_true(read_tensor(2, NN_STATE, 0)[k] == 0 && read_tensor(3, NN_STATE, 0)[k] == 1);
    pass.keep_state = false;
    OK(nn_module_forward(module, &pass, x, &y));
    y = mx_view(y.buf, y.off, 1, ROWS * 2);
    assert_memory_equal(read_flat(y), kept_y, ROWS * 2 * sizeof *kept_y);
    assert_memory_equal(gradients_of(&pass, x, 1), kept, (size_t)nn_module_grads(module).cols * sizeof *kept);
    for (int k = 0; k < 4; k++)
        assert_true(read_tensor(2, NN_STATE, 0)[k] != 0 && read_tensor(3, NN_STATE, 0)[k] != 1);
}

/* Two batches under way at once have the gradients that they have one behind the other, to the bit. */
static void test_sets_of_activations(void **state)
{
    (void)state;
    enum { ROWS = 5, SETS = 3 };
    struct nn_pass pass[SETS];
    struct mx_tensor x[SETS], y;
    const float *want[SETS];
    open_net(MIXED_NET);
    open_sets(ROWS, 0, SETS);
    OK(nn_module_init(module, 1));
    size_t n = (size_t)nn_module_grads(module).cols * sizeof(float);
    for (int i = 0; i < SETS; i++) {
        x[i] = pair_random(ROWS, 30, -1, 1).t;
        pass[i] = (struct nn_pass){.rows = ROWS, .training = true, .seed = 1, .step = (uint32_t)i};
        OK(nn_module_forward(module, &pass[i], x[i], &y));
        want[i] = gradients_of(&pass[i], x[i], (uint64_t)i);
        pass[i].set = i;
    }
    assert_memory_not_equal(want[0], want[1], n);
    for (int i = 0; i < SETS; i++)
        OK(nn_module_forward(module, &pass[i], x[i], &y));
    for (int i = 0; i < SETS; i++)
        assert_memory_equal(gradients_of(&pass[i], x[i], (uint64_t)i), want[i], n);
    pass[0].set = SETS;
    FAILS(ST_INTERNAL, "no set 3 of activations: there are 3", nn_module_forward(module, &pass[0], x[0], &y));
    FAILS(ST_INTERNAL, "no set 3 of activations", nn_module_backward(module, &pass[0], x[0], NULL));
    pass[0].set = -1;
    FAILS(ST_INTERNAL, "no set -1 of activations", nn_module_forward(module, &pass[0], x[0], &y));
    FAILS(ST_INTERNAL, "no set -1 of activations", nn_module_backward(module, &pass[0], x[0], NULL));
}

/* Which of 64 elements a dropout layer leaves, as bits. */
static uint64_t kept_by_dropout(uint32_t step, uint32_t micro)
{
    struct nn_pass pass = {.rows = 1, .training = true, .seed = 1, .step = step, .micro = micro};
    struct mx_tensor y, ones = pair_random(1, 64, 1, 2).t;
    uint64_t bits = 0;
    OK(nn_module_forward(module, &pass, ones, &y));
    const float *values = read_flat(y);
    for (int i = 0; i < 64; i++)
        bits |= (uint64_t)(values[i] != 0) << i;
    return bits;
}

static void test_micro_batches_drop_out_apart(void **state)
{
    (void)state;
    open_net("input 64; dropout 0.5; loss softmax");
    open_module(1, 0);
    uint64_t first = kept_by_dropout(3, 0);
    assert_true(first != 0 && first != UINT64_MAX);
    assert_true(kept_by_dropout(3, 1) != first && kept_by_dropout(3, 2) != kept_by_dropout(3, 1));
    assert_true(kept_by_dropout(4, 0) != first);
    assert_true(kept_by_dropout(3, 0) == first);
}

/* Any activation may lie between dense layers of either kind. By a provider that has kernels of its own for products
 * with a bias. */
static void test_passes_without_bias_only_enqueue(void **state)
{
    (void)state;
    struct mx *m = NULL;
    struct mx_tensor y, x = pair_random(5, 4, -1, 1).t;
    struct nn_pass pass = {.rows = 5, .training = true};
    OK(mx_open(device_queue(), "tile", &m));
    if (mx_prepare(m, MX_DENSE, MX_IDENTITY) != ST_OK) {
        mx_close(m);
        skip(); /* a device without vectors */
    }
    open_net("input 4; dense 7 bias=0; tanh; dense 6; sigmoid; dense 5 bias=0; relu; dense 3 bias=0; loss softmax");
    OK(nn_module_open(net, m, 5, 0, 1, &module));
    OK(nn_module_init(module, 1));
    struct ocl_counts before = ocl_counts();
    OK(nn_module_forward(module, &pass, x, &y));
    (void)gradients_of(&pass, x, 1);
    struct ocl_counts after = ocl_counts();
    assert_int_equal(after.programs, before.programs);
    assert_int_equal(after.kernels, before.kernels);
    assert_int_equal(after.buffers, before.buffers);
    nn_module_close(module);
    module = NULL;
    mx_close(m);
}

static void each_tensor(void (*visit)(int tensor, enum nn_part part, int slot))
{
    for (int i = 0; i < nn_tensor_count(net); i++) {
        if (nn_tensor_at(net, i).is_state) {
            visit(i, NN_STATE, 0);
            continue;
        }
        visit(i, NN_PARAM, 0);
        visit(i, NN_GRAD, 0);
        visit(i, NN_SLOT, 0);
        visit(i, NN_SLOT, 1);
    }
}

static float value_of(int tensor, enum nn_part part, int slot, size_t k)
{
    return (float)(tensor * 100000 + (int)part * 10000 + slot * 1000 + (int)k);
}

static void write_one(int tensor, enum nn_part part, int slot)
{
    size_t n = nn_tensor_at(net, tensor).param->count;
    float *values = host_floats(n);
    for (size_t k = 0; k < n; k++)
        values[k] = value_of(tensor, part, slot, k);
    OK(nn_module_write(module, tensor, part, slot, values));
}

static void check_one(int tensor, enum nn_part part, int slot)
{
    const float *values = read_tensor(tensor, part, slot);
    for (size_t k = 0; k < nn_tensor_at(net, tensor).param->count; k++)
        assert_true(values[k] == value_of(tensor, part, slot, k));
}

static void check_zero(struct mx_tensor t)
{
    const float *values = read_flat(t);
    assert_int_equal(t.cols, 800);
    for (int i = 0; i < t.cols; i++)
        assert_true(values[i] == 0);
}

static void test_read_and_write(void **state)
{
    (void)state;
    open_net(MIXED_NET);
    open_module(4, 2);
    check_zero(nn_module_grads(module));
    check_zero(nn_module_slot(module, 0));
    check_zero(nn_module_slot(module, 1));
    each_tensor(write_one);
    each_tensor(check_one);
    /* the flat views are the same memory */
    assert_true(read_flat(nn_module_params(module))[320] == value_of(6, NN_PARAM, 0, 0));
    assert_true(read_flat(nn_module_grads(module))[320] == value_of(6, NN_GRAD, 0, 0));
    assert_true(read_flat(nn_module_slot(module, 1))[320] == value_of(6, NN_SLOT, 1, 0));
}

static void put_flat(struct mx_tensor t, const double *values)
{
    float *put = host_floats((size_t)t.cols);
    for (int i = 0; i < t.cols; i++)
        put[i] = (float)values[i];
    OK(ocl_write(device_queue(), t.buf, t.off * sizeof *put, (size_t)t.cols * sizeof *put, put));
}

static void ref_step(const char *name, const struct nn_update *u, size_t n, double *w, const double *g, double *slot)
{
    const struct mx_sgd sgd = {.lr = (float)u->rate, .momentum = (float)u->momentum, .decay = (float)u->weight_decay,
                               .nesterov = u->nesterov};
    const struct mx_adam adam = {.lr = (float)u->rate, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,
                                 .decay = (float)u->weight_decay, .decoupled = strcmp(name, "adamw") == 0,
                                 .t = (uint32_t)u->t};
    if (strcmp(name, "sgd") == 0)
        ref_sgd(&sgd, n, w, g, slot);
    else
        ref_adam(&adam, n, w, g, slot, slot + n);
}

/* Each of the table is what its name says, and heeds every figure of an update: large ones, so that none is missed. */
static void test_optimizers(void **state)
{
    (void)state;
    const struct nn_update all[] = {{.rate = 0.1}, {.rate = 0.1, .weight_decay = 0.5},
                                    {.rate = 0.1, .weight_decay = 0.5, .momentum = 0.8},
                                    {.rate = 0.1, .weight_decay = 0.5, .momentum = 0.8, .nesterov = true}};
    const struct nn_optimizer *o;
    open_net("input 4; dense 3; loss softmax");
    for (int i = 0; (o = nn_optimizer_at(i)); i++) {
        assert_ptr_equal(nn_optimizer_find(o->name), o);
        for (size_t k = 0; k < COUNT_OF(all); k++) {
            struct nn_update u = all[k];
            open_module(2, o->slots);
            struct mx_tensor params = nn_module_params(module);
            size_t n = (size_t)params.cols;
            double *w = host_random(n, -2, 2), *slot = host_doubles(2 * n);
            put_flat(params, w);
            for (u.t = 1; u.t <= 3; u.t++) {
                double *g = host_random(n, -1, 1);
                put_flat(nn_module_grads(module), g);
                OK(o->step(device_mx(), module, &u));
                ref_step(o->name, &u, n, w, g, slot);
            }
            check_close(o->name, read_flat(params), w, n, 1e-5, 0);
        }
    }
    assert_null(nn_optimizer_find("lion"));
}

static void test_tensors_that_are_not_there(void **state)
{
    (void)state;
    float values[1];
    open_net("input 2; batchnorm; loss softmax"); /* 0.weight, 0.bias, 0.running_mean, 0.running_var */
    open_module(4, 1);
    FAILS(ST_INTERNAL, "no tensor 4 of part 0, slot 0", nn_module_read(module, 4, NN_PARAM, 0, values));
    FAILS(ST_INTERNAL, "no tensor 2", nn_module_read(module, 2, NN_PARAM, 0, values));
    FAILS(ST_INTERNAL, "no tensor 2", nn_module_write(module, 2, NN_GRAD, 0, values));
    FAILS(ST_INTERNAL, "no tensor 1", nn_module_write(module, 1, NN_STATE, 0, values));
    FAILS(ST_INTERNAL, "no tensor 0 of part 3, slot 1", nn_module_read(module, 0, NN_SLOT, 1, values));
    FAILS(ST_INTERNAL, "no tensor 0", nn_module_read(module, 0, NN_SLOT, -1, values));
    open_module(4, -1);
    FAILS(ST_INTERNAL, "no tensor 0 of part 1", nn_module_read(module, 0, NN_GRAD, 0, values));
    FAILS(ST_INTERNAL, "no tensor 0 of part 3", nn_module_read(module, 0, NN_SLOT, 0, values));
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plan_is_what_is_created),
        TEST(test_plan_refuses_too_much),
        TEST(test_batch_too_small),
        TEST(test_init_depends_on_the_seed_alone),
        TEST(test_init_values),
        TEST(test_dense_from_zero),
        TEST(test_a_pass_may_keep_the_state),
        TEST(test_sets_of_activations),
        TEST(test_micro_batches_drop_out_apart),
        TEST(test_passes_without_bias_only_enqueue),
        TEST(test_read_and_write),
        TEST(test_optimizers),
        TEST(test_tensors_that_are_not_there),
    };
    return cmocka_run_group_tests_name("module", tests, device_open, device_close);
}

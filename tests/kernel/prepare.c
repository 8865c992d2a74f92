/* What was prepared is complete: afterwards every function only enqueues. And all of it is used. And what
 * scratch a layer is told. */
#include "support/calls.h"
#include "support/check.h"
#include "support/device.h"

static void prepare_all(struct mx *m)
{
    for (int op = 0; op < MX_OPS; op++)
        for (int act = 0; act < MX_ACTS; act++)
            OK(mx_prepare(m, (enum mx_op)op, (enum mx_act)act));
}

static void check_only_enqueues(struct mx *m, struct calls *c)
{
    calls_reset(c);
    struct ocl_counts before = ocl_counts();
    uint64_t allocations = mem_count();
    calls_run(c, m);
    OK(ocl_wait(mx_queue(m)));
    struct ocl_counts once = ocl_counts();
    assert_int_equal(mem_count(), allocations);
    assert_int_equal(once.buffers, before.buffers);
    assert_int_equal(once.programs, before.programs);
    assert_int_equal(once.kernels, before.kernels);
    assert_int_equal(once.writes, before.writes);
    assert_int_equal(once.waits, before.waits + 1); /* our own */
    assert_true(once.launches > before.launches);
    calls_reset(c);
    uint64_t begin = ocl_counts().launches;
    calls_run(c, m);
    OK(ocl_wait(mx_queue(m)));
    assert_int_equal(ocl_counts().launches - begin, once.launches - before.launches);
}

static void test_prepared_functions_only_enqueue(void **state)
{
    (void)state;
    for (int i = 0; mx_gemm_provider(i); i++) {
        struct mx *m = device_provider(mx_gemm_provider(i));
        if (!m)
            continue;
        prepare_all(m);
        check_only_enqueues(m, calls_open(m));
        device_done();
        mx_close(m);
    }
}

/* Kernels that come to be on a new queue: by preparing all groups, or else by calling every function. */
static uint64_t kernels_made(const char *provider, bool prepared)
{
    struct ocl_queue *q;
    struct mx *m;
    OK(ocl_queue_open(ocl_queue_device(device_queue()), &q));
    OK(mx_open(q, provider, &m));
    struct calls *c = calls_open(m);
    calls_reset(c);
    uint64_t before = ocl_counts().kernels;
    if (prepared)
        prepare_all(m);
    else
        calls_run(c, m);
    OK(ocl_wait(q));
    uint64_t made = ocl_counts().kernels - before;
    device_done();
    mx_close(m);
    ocl_queue_close(q);
    return made;
}

/* A kernel that no call here needs is in no test that calls all, such as that of chains. */
static void test_calls_use_all_that_is_prepared(void **state)
{
    (void)state;
    for (int i = 0; mx_gemm_provider(i); i++) {
        struct mx *m = device_provider(mx_gemm_provider(i));
        if (!m)
            continue;
        mx_close(m);
        uint64_t prepared = kernels_made(mx_gemm_provider(i), true), used = kernels_made(mx_gemm_provider(i), false);
        if (used != prepared)
            fail_msg("%s: tests/support/calls.c uses %d of %d kernels that are prepared: it lacks calls for the others",
                     mx_gemm_provider(i), (int)used, (int)prepared);
    }
}

/* A dense layer's three products and its sums take turns with one piece of scratch. */
static void test_scratch_of_a_layer_is_the_most(void **state)
{
    (void)state;
    static const int size[][3] = {{4, 600, 5}, {4, 5, 600}, {600, 4, 5}, {1, 1, 1}}; /* B, in, out */
    struct mx *m = NULL;
    bool vectors = ocl_device_facts(ocl_queue_device(device_queue()))->vector_width > 1;
    OK(mx_open(device_queue(), vectors ? "tile" : "plain", &m));
    for (size_t i = 0; i < COUNT_OF(size); i++) {
        int B = size[i][0], in = size[i][1], out = size[i][2];
        size_t layer, n, most = mx_columns_scratch(B, out);
        const struct mx_product form[] = {{false, true, B, out, in}, {true, false, out, in, B},
                                          {false, false, B, in, out}};
        for (size_t k = 0; k < COUNT_OF(form); k++) {
            OK(mx_gemm_scratch(m, form[k].trans_a, form[k].trans_b, form[k].M, form[k].N, form[k].K, &n));
            most = n > most ? n : most;
        }
        OK(mx_dense_scratch(m, B, in, out, &layer));
        assert_int_equal(layer, most);
    }
    mx_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_prepared_functions_only_enqueue),
        DEVICE_TEST(test_calls_use_all_that_is_prepared),
        DEVICE_TEST(test_scratch_of_a_layer_is_the_most),
    };
    return cmocka_run_group_tests_name("prepare", tests, device_open, device_close);
}

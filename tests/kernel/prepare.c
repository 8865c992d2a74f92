/* What was prepared is complete: afterwards every function only enqueues. */
#include "support/check.h"
#include "support/device.h"

enum { ROWS = 33, COLS = 18 };

struct things {
    struct pair x, y, d, wide, square, weights, row, row2, column2, gamma, mean, var, saved;
    struct ocl_buf *bytes, *order, *scale, *labels;
};

static struct things make_things(void)
{
    static const uint8_t bytes[ROWS * COLS];
    static const uint32_t labels[ROWS];
    static const float scale[2] = {1, 0};
    struct things t = {
        .x = pair_random(ROWS, COLS, -1, 1), .y = pair_random(ROWS, COLS, -1, 1), .d = pair_random(ROWS, COLS, -1, 1),
        .wide = pair_new(ROWS, COLS + 2),
        .square = pair_random(ROWS, ROWS, -1, 1), .weights = pair_random(COLS, COLS, -1, 1),
        .row = pair_random(1, COLS, -1, 1), .row2 = pair_random(1, COLS, -1,
                                                                                                          1),
        .column2 = pair_random(2, ROWS, -1, 1), .gamma = pair_random(1, COLS, -1, 1), .mean = pair_random(1, COLS, -1,
                                                                                                          1),
        .var = pair_random(1, COLS, 1, 2), .saved = pair_random(2, COLS, -1, 1),
        .bytes = device_bytes(bytes, sizeof bytes), .order = device_bytes(labels, sizeof labels),
        .scale = device_bytes(scale, sizeof scale), .labels = device_bytes(labels, sizeof labels),
    };
    return t;
}

static void give_scratch(struct mx *m)
{
    size_t most = mx_columns_scratch(ROWS, COLS), floats;
    for (int form = 0; form < 4; form++) {
        OK(mx_gemm_scratch(m, form & 1, form & 2, ROWS, ROWS, COLS, &floats));
        most = floats > most ? floats : most;
    }
    OK(mx_dense_scratch(m, ROWS, COLS, COLS, &floats));
    most = floats > most ? floats : most;
    OK(mx_similarity_scratch(m, ROWS, COLS, &floats));
    device_scratch(m, floats > most ? floats : most);
}

static void call_with_act(struct mx *m, const struct things *t, struct mx_activation phi)
{
    struct mx_batchnorm bn = {.gamma = t->gamma.t, .beta = t->row.t, .running_mean = t->mean.t, .running_var = t->var.t,
                              .saved = t->saved.t, .eps = 1e-5f, .momentum = 0.1f, .phi = phi};
    OK(mx_act(m, phi, t->x.t, t->y.t));
    OK(mx_act_backward(m, phi, t->y.t, t->d.t, t->d.t));
    OK(mx_bias_act(m, phi, t->x.t, t->row.t, t->y.t));
    OK(mx_dense_forward(m, phi, t->x.t, t->weights.t, t->row2.t, t->y.t));
    OK(mx_dense_backward_input(m, phi, t->y.t, t->weights.t, t->x.t, t->d.t));
    OK(mx_batchnorm_forward(m, &bn, false, t->x.t, t->y.t));
    OK(mx_batchnorm_forward(m, &bn, true, t->x.t, t->y.t));
    OK(mx_batchnorm_backward(m, &bn, true, t->x.t, t->y.t, t->d.t, t->row2.t, t->mean.t, t->d.t));
}

static void call_losses(struct mx *m, const struct things *t)
{
    struct mx_tensor column = mx_view(t->column2.t.buf, t->column2.t.off, 1, ROWS);
    struct mx_similarity work = {.normed = t->y.t, .error = t->square.t, .rnorm = column};
    OK(mx_softmax(m, t->x.t, t->y.t));
    OK(mx_softmax_loss(m, t->x.t, t->labels, t->y.t, t->column2.t));
    OK(mx_squared_loss(m, t->x.t, t->y.t, t->d.t, column));
    OK(mx_similarity_loss(m, t->labels, 2, t->x.t, &work, t->d.t,
                          mx_view(column.buf, column.off + ROWS, 1, ROWS)));
}

static void call_all(struct mx *m, const struct things *t)
{
    struct mx_tensor flipped = mx_view(t->x.t.buf, t->x.t.off, COLS, ROWS);
    for (int i = 0; i < MX_ACTS; i++)
        call_with_act(m, t, device_act(i));
    OK(mx_gemm(m, false, false, 1, t->x.t, flipped, 0, t->square.t));
    OK(mx_gemm(m, false, true, 1, t->x.t, t->y.t, 0, t->square.t));
    OK(mx_gemm(m, true, false, 1, flipped, flipped, 0, t->square.t));
    OK(mx_gemm(m, true, true, 1, flipped, t->x.t, 0, t->square.t));
    OK(mx_dense_backward_params(m, t->y.t, t->x.t, t->weights.t, t->row2.t));
    OK(mx_column_sum(m, 1, t->x.t, 0, t->row2.t));
    OK(mx_row_sum(m, t->x.t, mx_view(t->column2.t.buf, t->column2.t.off, 1, ROWS)));
    OK(mx_blend(m, 1, t->x.t, 1, t->y.t));
    OK(mx_label_rows(m, t->x.t, t->labels, 2, t->wide.t));
    call_losses(m, t);
    OK(mx_dropout(m, &(struct mx_dropout){.p = 0.5f}, t->x.t, t->y.t));
    OK(mx_sgd(m, &(struct mx_sgd){.lr = 0.1f, .momentum = 0.9f}, t->x.t, t->y.t, t->d.t));
    OK(mx_adam(m, &(struct mx_adam){.lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.9f, .eps = 1, .t = 1}, t->x.t, t->y.t, t->d.t,
               t->d.t));
    struct mx_gather g = {.pixels = t->bytes, .labels = t->bytes, .order = t->order, .scale = t->scale, .channels = 1,
                          .hw = COLS};
    OK(mx_gather(m, &g, t->x.t, t->labels));
    OK(ocl_wait(mx_queue(m)));
}

static void check_only_enqueues(struct mx *m, const struct things *t)
{
    struct ocl_counts before = ocl_counts();
    uint64_t allocations = mem_count();
    call_all(m, t);
    struct ocl_counts once = ocl_counts();
    call_all(m, t);
    struct ocl_counts twice = ocl_counts();
    assert_int_equal(mem_count(), allocations);
    assert_int_equal(twice.buffers, before.buffers);
    assert_int_equal(twice.programs, before.programs);
    assert_int_equal(twice.kernels, before.kernels);
    assert_int_equal(twice.writes, before.writes);
    assert_int_equal(twice.waits, before.waits + 2); /* our own */
    assert_true(once.launches > before.launches);
    assert_int_equal(twice.launches - once.launches, once.launches - before.launches);
}

static void test_prepared_functions_only_enqueue(void **state)
{
    (void)state;
    for (int i = 0; mx_gemm_provider(i); i++) {
        struct mx *m = device_provider(mx_gemm_provider(i));
        if (!m)
            continue;
        for (int op = 0; op < MX_OPS; op++)
            for (int act = 0; act < MX_ACTS; act++)
                OK(mx_prepare(m, (enum mx_op)op, (enum mx_act)act));
        struct things t = make_things();
        give_scratch(m);
        check_only_enqueues(m, &t);
        device_done();
        mx_close(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_prepared_functions_only_enqueue),
    };
    return cmocka_run_group_tests_name("prepare", tests, device_open, device_close);
}

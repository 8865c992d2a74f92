#include "calls.h"

#include "check.h"
#include "device.h"

enum { ROWS = 33, COLS = 18, CLASSES = 2, FLOATS = 1 << 16, CALLS_MAX = 256 };

struct calls {
    struct ocl_buf *pool, *labels, *bytes, *order, *scale, *out_labels;
    float *start; /* (FLOATS): what is in the pool in the beginning */
    size_t at;    /* behind what was taken of it */
    struct mx_tensor x, y, d, flipped, weights;
    int calls;
    const char *name[CALLS_MAX];
    size_t from[CALLS_MAX]; /* of the pool; rising */
};

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
    most = floats > most ? floats : most;
    OK(mx_ridge_scratch(m, COLS, ROWS - COLS, &floats));
    device_scratch(m, floats > most ? floats : most);
}

/* A tensor of its own, at an odd place. */
static struct mx_tensor take(struct calls *c, int rows, int cols)
{
    size_t off = c->at | 1;
    c->at = off + (size_t)rows * (size_t)cols;
    assert_in_range(c->at, 1, FLOATS);
    return mx_view(c->pool, off, rows, cols);
}

struct calls *calls_open(struct mx *m)
{
    static struct calls c;
    static uint8_t bytes[ROWS * COLS];
    static uint32_t label[ROWS], order[ROWS];
    static const float scale[2] = {0.25f, -1};
    for (uint32_t i = 0; i < COUNT_OF(bytes); i++)
        bytes[i] = (uint8_t)(7 * i);
    for (uint32_t i = 0; i < ROWS; i++) {
        label[i] = i / 2 % CLASSES;
        order[i] = ROWS - 1 - i;
    }
    c = (struct calls){.labels = device_bytes(label, sizeof label), .bytes = device_bytes(bytes, sizeof bytes),
                       .order = device_bytes(order, sizeof order), .scale = device_bytes(scale, sizeof scale),
                       .out_labels = device_bytes(NULL, sizeof label)};
    c.start = (float *)(void *)host_doubles(FLOATS / 2);
    for (size_t i = 0; i < FLOATS; i++) /* good for variances too */
        c.start[i] = 0.25f + 0.5f * (float)rng_unit(host_rng());
    c.pool = device_bytes(c.start, FLOATS * sizeof *c.start);
    c.x = take(&c, ROWS, COLS);
    c.y = take(&c, ROWS, COLS);
    c.d = take(&c, ROWS, COLS);
    c.weights = take(&c, COLS, COLS);
    c.flipped = mx_view(c.pool, c.x.off, COLS, ROWS);
    c.name[0] = "none";
    c.calls = 1;
    give_scratch(m);
    return &c;
}

void calls_reset(struct calls *c)
{
    OK(ocl_write(device_queue(), c->pool, 0, FLOATS * sizeof *c->start, c->start));
    OK(ocl_wait(device_queue()));
    c->at = c->weights.off + COLS * COLS;
    c->calls = 1;
}

static void begin_call(struct calls *c, const char *name)
{
    assert_in_range(c->calls, 1, CALLS_MAX - 1);
    c->name[c->calls] = name;
    c->from[c->calls++] = c->at;
}

#define CALL(call)            \
    do {                      \
        begin_call(c, #call); \
        OK(call);             \
    } while (0)

static void call_batchnorm(struct calls *c, struct mx *m, struct mx_activation phi)
{
    struct mx_batchnorm bn = {.gamma = take(c, 1, COLS), .beta = take(c, 1, COLS), .running_mean = take(c, 1, COLS),
                              .running_var = take(c, 1, COLS), .saved = take(c, 2, COLS), .eps = 1e-5f,
                              .momentum = 0.1f, .phi = phi};
    struct mx_tensor y = take(c, ROWS, COLS);
    for (int training = 0; training < 2; training++) {
        CALL(mx_batchnorm_forward(m, &bn, training, c->x, y));
        CALL(mx_batchnorm_backward(m, &bn, training, c->x, y, c->d, take(c, 1, COLS), take(c, 1, COLS),
                                   take(c, ROWS, COLS)));
    }
}

static void call_with_act(struct calls *c, struct mx *m, struct mx_activation phi)
{
    struct mx_tensor y = take(c, ROWS, COLS);
    CALL(mx_act(m, phi, c->x, y));
    CALL(mx_act_backward(m, phi, y, c->d, take(c, ROWS, COLS)));
    CALL(mx_bias_act(m, phi, c->x, mx_view(y.buf, y.off, 1, COLS), take(c, ROWS, COLS)));
    CALL(mx_dense_forward(m, phi, c->x, c->weights, mx_view(y.buf, y.off, 1, COLS), take(c, ROWS, COLS)));
    CALL(mx_dense_backward_input(m, phi, y, c->weights, c->x, take(c, ROWS, COLS)));
    call_batchnorm(c, m, phi);
}

static void call_losses(struct calls *c, struct mx *m)
{
    struct mx_similarity work = {.normed = take(c, ROWS, COLS), .error = take(c, ROWS, ROWS),
                                 .rnorm = take(c, 1, ROWS)};
    CALL(mx_softmax(m, c->x, take(c, ROWS, COLS)));
    CALL(mx_softmax_backward(m, c->x, c->y, take(c, ROWS, COLS)));
    CALL(mx_softmax_loss(m, c->x, c->labels, take(c, ROWS, COLS), take(c, 2, ROWS)));
    CALL(mx_label_distance(m, c->x, c->labels, take(c, ROWS, COLS), take(c, 2, ROWS)));
    CALL(mx_squared_loss(m, c->x, c->y, take(c, ROWS, COLS), take(c, 1, ROWS)));
    CALL(mx_similarity_loss(m, c->labels, CLASSES, c->x, &work, take(c, ROWS, COLS), take(c, 1, ROWS)));
}

/* Of x as moments, with so much of a ridge that it does not matter that they are none. */
static void call_ridge(struct calls *c, struct mx *m)
{
    struct mx_ridge ridge = {.moments = c->x, .work = take(c, 1, (int)mx_ridge_work(COLS, ROWS - COLS)),
                             .scaled = COLS / 2, .ridge = 100, .least = 50};
    CALL(mx_ridge_solve(m, &ridge, take(c, ROWS - COLS, COLS)));
}

static void call_products(struct calls *c, struct mx *m)
{
    CALL(mx_gemm(m, false, false, 1, c->x, c->flipped, 0, take(c, ROWS, ROWS)));
    CALL(mx_gemm(m, false, true, 1, c->x, c->y, 0, take(c, ROWS, ROWS)));
    CALL(mx_gemm(m, true, false, 1, c->flipped, c->flipped, 0, take(c, ROWS, ROWS)));
    CALL(mx_gemm(m, true, true, 1, c->flipped, c->x, 0, take(c, ROWS, ROWS)));
    CALL(mx_dense_backward_params(m, c->y, c->x, take(c, COLS, COLS), take(c, 1, COLS)));
}

static void call_optimizers(struct calls *c, struct mx *m)
{
    const struct mx_sgd sgd = {.lr = 0.1f, .momentum = 0.9f, .decay = 0.01f, .nesterov = true};
    const struct mx_adam adam = {.lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-3f, .decay = 0.01f, .t = 3};
    CALL(mx_sgd(m, &sgd, take(c, ROWS, COLS), c->d, take(c, ROWS, COLS)));
    CALL(mx_adam(m, &adam, take(c, ROWS, COLS), c->d, take(c, ROWS, COLS), take(c, ROWS, COLS)));
}

void calls_run(struct calls *c, struct mx *m)
{
    const struct mx_gather gather = {.pixels = c->bytes, .labels = c->bytes, .order = c->order, .scale = c->scale,
                                     .channels = 1, .hw = COLS};
    const struct mx_dropout dropout = {.p = 0.5f, .key = {1, 2}, .step = 3, .layer = 4};
    for (int i = 0; i < MX_ACTS; i++)
        call_with_act(c, m, device_act(i));
    call_products(c, m);
    CALL(mx_column_sum(m, 0.5f, c->x, 1, take(c, 1, COLS)));
    CALL(mx_row_sum(m, c->x, take(c, 1, ROWS)));
    CALL(mx_blend(m, 1, c->x, 1, take(c, ROWS, COLS)));
    CALL(mx_divide(m, c->x, mx_view(c->pool, c->x.off, 1, 1), take(c, ROWS, COLS)));
    CALL(mx_label_rows(m, c->x, c->y, c->labels, CLASSES, take(c, ROWS, 2 * COLS + CLASSES)));
    CALL(mx_label_rows(m, c->x, (struct mx_tensor){0}, NULL, 1, take(c, ROWS, COLS + 1)));
    call_losses(c, m);
    call_ridge(c, m);
    CALL(mx_dropout(m, &dropout, c->x, take(c, ROWS, COLS)));
    call_optimizers(c, m);
    CALL(mx_gather(m, &gather, take(c, ROWS, COLS), c->out_labels));
    CALL(mx_fma_chains(m, 3, 0.5f, 0.25f, take(c, 1, COLS)));
}

const uint32_t *calls_results(struct calls *c, size_t *n)
{
    uint32_t *all = (uint32_t *)(void *)host_doubles((FLOATS + ROWS) / 2 + 1);
    device_read(c->pool, FLOATS * sizeof *all, all);
    device_read(c->out_labels, ROWS * sizeof *all, all + FLOATS);
    *n = FLOATS + ROWS;
    return all;
}

const char *calls_name(const struct calls *c, size_t at)
{
    int i = c->calls - 1;
    if (at >= FLOATS)
        return "mx_gather";
    while (i > 0 && c->from[i] > at)
        i--;
    return c->name[i];
}

/* Couplings, batches and twins in double precision. */
#include "couplings.h"

#include "check.h"
#include "ref/ref.h"

#include <math.h>
#include <string.h>

enum { OPEN_MAX = 16 };

static struct sg_coupling *opened[OPEN_MAX];
static int opened_n;

static void close_all(void)
{
    while (opened_n > 0)
        sg_close(opened[--opened_n]);
}

int couplings_drop(void **state)
{
    close_all();
    return device_drop(state);
}

void couplings_done(void)
{
    close_all();
    device_done();
}

struct sg_coupling *coupling_open(const char *words, int n, int classes, int batch, int ring)
{
    struct sg_spec spec;
    assert_true(opened_n < OPEN_MAX);
    OK(sg_spec_parse(words, &spec));
    OK(sg_open(&spec, device_queue(), n, classes, batch, ring, &opened[opened_n]));
    OK(sg_init(opened[opened_n], 1, 0));
    return opened[opened_n++];
}

static float *host_floats(size_t n)
{
    return (float *)host_doubles((n + 1) / 2);
}

void coupling_scatter(struct sg_coupling *c, double most)
{
    for (int i = 0; i < sg_net_count(c); i++)
        for (int k = 0; k < nn_tensor_count(sg_net(c, i)); k++) {
            struct nn_tensor t = nn_tensor_at(sg_net(c, i), k);
            float *values = host_floats(t.param->count);
            for (size_t j = 0; j < t.param->count; j++)
                values[j] = (float)(most * (2 * rng_unit(host_rng()) - 1));
            if (!t.is_state)
                OK(nn_module_write(sg_module(c, i), k, NN_PARAM, 0, values));
        }
}

float *coupling_tensor(struct sg_coupling *c, int i, int tensor, enum nn_part part, int slot)
{
    float *values = host_floats(nn_tensor_at(sg_net(c, i), tensor).param->count);
    OK(nn_module_read(sg_module(c, i), tensor, part, slot, values));
    return values;
}

static bool same_part(struct sg_coupling *a, struct sg_coupling *b, int i, int tensor, enum nn_part part, int slot)
{
    size_t n = nn_tensor_at(sg_net(a, i), tensor).param->count;
    return memcmp(coupling_tensor(a, i, tensor, part, slot), coupling_tensor(b, i, tensor, part, slot), 4 * n) == 0;
}

float *coupling_state(struct sg_coupling *c, int *rows, int *cols)
{
    sg_state_shape(c, rows, cols);
    float *values = host_floats((size_t)*rows * (size_t)*cols + 1);
    OK(sg_state_read(c, values));
    return values;
}

static bool same_state(struct sg_coupling *a, struct sg_coupling *b)
{
    int rows, cols, other_rows, other_cols;
    const float *own = coupling_state(a, &rows, &cols), *other = coupling_state(b, &other_rows, &other_cols);
    return rows == other_rows && cols == other_cols &&
           memcmp(own, other, sizeof *own * (size_t)rows * (size_t)cols) == 0;
}

bool coupling_same(struct sg_coupling *a, struct sg_coupling *b, bool state)
{
    bool same = sg_net_count(a) == sg_net_count(b) && sg_updates(a) == sg_updates(b);
    for (int i = 0; same && i < sg_net_count(a); i++)
        for (int k = 0; k < nn_tensor_count(sg_net(a, i)); k++)
            if (nn_tensor_at(sg_net(a, i), k).is_state)
                same = same && (!state || same_part(a, b, i, k, NN_STATE, 0));
            else {
                same = same && same_part(a, b, i, k, NN_PARAM, 0);
                for (int slot = 0; slot < sg_net_slots(a, i); slot++)
                    same = same && same_part(a, b, i, k, NN_SLOT, slot);
            }
    return same && same_state(a, b);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

struct batch batch_new(int rows, int n, int classes)
{
    size_t count = (size_t)rows * (size_t)n;
    return (struct batch){.rows = rows, .n = n, .classes = classes, .h = pair_new(rows, n).t,
                          .target = pair_new(rows, n).t, .delta = pair_new(rows, n).t,
                          .labels = device_bytes(NULL, (size_t)rows * sizeof(uint32_t)), .x = host_doubles(count),
                          .t = host_doubles(count), .label = (uint32_t *)(void *)host_doubles((size_t)rows)};
}

static void send(struct mx_tensor t, const double *values)
{
    size_t n = (size_t)t.rows * (size_t)t.cols;
    float *narrow = host_floats(n);
    for (size_t i = 0; i < n; i++)
        narrow[i] = values ? (float)values[i] : NAN;
    OK(ocl_write(device_queue(), t.buf, t.off * sizeof *narrow, n * sizeof *narrow, narrow));
    OK(ocl_wait(device_queue()));
}

void batch_send(struct batch *b)
{
    b->h.rows = b->target.rows = b->delta.rows = b->rows;
    send(b->h, b->x);
    send(b->target, b->t);
    send(b->delta, NULL);
    OK(ocl_write(device_queue(), b->labels, 0, (size_t)b->rows * sizeof *b->label, b->label));
    OK(ocl_wait(device_queue()));
}

void batch_fill(struct batch *b, int rows)
{
    b->rows = rows;
    for (int i = 0; i < rows * b->n; i++) {
        b->x[i] = (float)(2 * rng_unit(host_rng()) - 1); /* both sides get the same floats */
        b->t[i] = (float)(2 * rng_unit(host_rng()) - 1);
    }
    for (int r = 0; r < rows; r++)
        b->label[r] = rng_below(host_rng(), (uint32_t)b->classes);
    batch_send(b);
}

static float *receive(struct mx_tensor t, int rows)
{
    size_t n = (size_t)rows * (size_t)t.cols;
    float *values = host_floats(n);
    OK(ocl_read(device_queue(), t.buf, t.off * sizeof *values, n * sizeof *values, values));
    return values;
}

float *batch_delta(const struct batch *b)
{
    return receive(b->delta, b->rows);
}

void batch_unchanged(const struct batch *b)
{
    const float *h = receive(b->h, b->rows), *target = receive(b->target, b->rows);
    uint32_t *label = (uint32_t *)(void *)host_doubles((size_t)b->rows);
    for (int i = 0; i < b->rows * b->n; i++)
        assert_true(h[i] == (float)b->x[i] && target[i] == (float)b->t[i]);
    device_read(b->labels, (size_t)b->rows * sizeof *label, label);
    assert_memory_equal(label, b->label, (size_t)b->rows * sizeof *label);
}

/* ---- the twin of a net ------------------------------------------------------------------------------------------- */

struct twin twin_of(struct sg_coupling *c, int i)
{
    struct twin t = {.net = sg_net(c, i)};
    assert_true(nn_tensor_count(t.net) <= COUPLING_TENSORS_MAX);
    for (int k = 0; k < nn_tensor_count(t.net); k++) {
        struct nn_tensor tensor = nn_tensor_at(t.net, k);
        const float *values = coupling_tensor(c, i, k, tensor.is_state ? NN_STATE : NN_PARAM, 0);
        t.tensor[k] = host_doubles(tensor.param->count);
        for (size_t j = 0; j < tensor.param->count; j++)
            t.tensor[k][j] = values[j];
    }
    return t;
}

static void norm_forward(double *const *tensor, int rows, int cols, const double *x, double *y)
{
    struct ref_batchnorm bn = {.rows = rows, .cols = cols, .gamma = tensor[0], .beta = tensor[1], .eps = 1e-5};
    bn.running_mean = host_doubles((size_t)cols);
    bn.running_var = host_doubles((size_t)cols);
    bn.mean = host_doubles((size_t)cols);
    bn.rstd = host_doubles((size_t)cols);
    ref_batchnorm_forward(&bn, true, x, y);
}

double *twin_forward(const struct twin *t, int rows, const double *x)
{
    double *const *tensor = t->tensor, *y = NULL;
    for (int i = 0; i < t->net->layer_count; i++) {
        const struct nn_layer *l = &t->net->layer[i];
        int in = nn_size(l->in), out = nn_size(l->out);
        y = host_doubles((size_t)rows * (size_t)out);
        if (strcmp(l->kind->name, "dense") == 0) {
            ref_gemm(false, true, rows, out, in, 1, x, tensor[0], 0, y);
            for (int k = 0; l->param_count > 1 && k < rows * out; k++)
                y[k] += tensor[1][k % out];
        } else if (strcmp(l->kind->name, "batchnorm") == 0) {
            norm_forward(tensor, rows, out, x, y);
        } else if (strcmp(l->kind->name, "relu") == 0) {
            ref_act((struct mx_activation){.kind = MX_RELU}, (size_t)(rows * out), x, y);
        } else {
            fail_msg("the twin of a coupling's net knows no layer %s", l->kind->name);
        }
        tensor += l->param_count + l->state_count;
        x = y;
    }
    return y;
}

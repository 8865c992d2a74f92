/*
 * vir: a guess that has the form of a classifier's gradient, but is not trained to classify: its weights are fitted to
 * the gradients that come down alone.
 *
 *     dhat = e A^T,    e = p - onehot(y),    p = softmax(h A + b);    L = |dhat - t|^2 / v
 *
 * A and b start as a dense layer does and are fitted by Adam. v is the variance of the target, a running mean of the
 * sum of the variances of its values: L is the share of it that is not told. A stands in the guess twice, so that with
 * g = 2 (dhat - t) / v
 *
 *     dL/dA = g^T e + h^T dz,    dL/db = dz,    dz = p (de - <p, de>),    de = g A
 *
 * frozen=1: A and b stay as they start, and nothing comes down. That is the control without which this coupling tells
 * little: a random A already gives a gradient that parts the classes.
 *
 * Work memory: losses (2, B), p or e (B, classes); where it learns: ring slots of h (B, n), dhat (B, n), which becomes
 * g, ring slots of labels (B, classes), which become e, what batch norm saves of t (2, n), v. State: mean and variance
 * of each value of t, (2, n).
 */
#include "inside.h"

#include <math.h>

#define FORGET 0.95 /* share of the variance that a step leaves */

static void net(const struct sg_spec *spec, int i, int n, int classes, struct text *out)
{
    (void)spec;
    if (i == 0)
        text_add(out, "input %d\ndense %d\n", n, classes);
}

/* The guess; learning: the guess again, de, and the part of dA beside its net's own. */
static uint64_t macs(const struct sg_spec *spec, int n, int classes, int batch)
{
    (void)batch;
    return (stays(spec) ? 1 : 4) * (uint64_t)n * (uint64_t)classes;
}

static void state(const struct sg_spec *spec, int n, int classes, int *rows, int *cols)
{
    (void)classes;
    *rows = stays(spec) ? 0 : 2;
    *cols = stays(spec) ? 0 : n;
}

static enum st work(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch)
{
    enum st s = ST_OK;
    size_t each[4], B = (size_t)batch, sides = (size_t)n + (size_t)classes;
    if (batch < sg_batch_min(spec))
        return st_fail(ST_INPUT, "vir learns from batches of %d samples at least, here of %d", sg_batch_min(spec),
                       batch);
    *floats = 2 * B + B * (size_t)classes;
    if (!stays(spec))
        *floats += (size_t)ring * B * sides + B * (size_t)n + 2 * (size_t)n + 1;
    TRY(mx_gemm_scratch(mx, false, false, batch, n, classes, &each[0]));
    TRY(mx_gemm_scratch(mx, false, true, batch, classes, n, &each[1]));
    TRY(mx_gemm_scratch(mx, true, false, classes, n, batch, &each[2]));
    each[3] = mx_columns_scratch(batch, n);
    *scratch = 0;
    for (int i = 0; i < (stays(spec) ? 1 : 4); i++)
        *scratch = each[i] > *scratch ? each[i] : *scratch;
out:
    return s;
}

/* ---- where things lie -------------------------------------------------------------------------------------------- */

static struct mx_tensor probabilities(const struct sg_coupling *c, int rows)
{
    return work_view(c, 2 * (size_t)c->batch, rows, c->classes);
}

/* `ring` of h, and behind them dhat. */
static struct mx_tensor slot_h(const struct sg_coupling *c, int i, int rows)
{
    size_t first = (2 + (size_t)c->classes) * (size_t)c->batch;
    return work_view(c, first + (size_t)i * (size_t)c->batch * (size_t)c->n, rows, c->n);
}

static struct mx_tensor slot_label(const struct sg_coupling *c, int i, int rows)
{
    size_t first = slot_h(c, c->ring + 1, 0).off;
    return work_view(c, first + (size_t)i * (size_t)c->batch * (size_t)c->classes, rows, c->classes);
}

static struct mx_tensor saved(const struct sg_coupling *c)
{
    return work_view(c, slot_label(c, c->ring, 0).off, 2, c->n);
}

static struct mx_tensor variance(const struct sg_coupling *c)
{
    return work_view(c, saved(c).off + 2 * (size_t)c->n, 1, 1);
}

/* A^T, as a dense layer has it. */
static struct mx_tensor weights(const struct sg_coupling *c)
{
    return weight_of(c, 0, c->classes, c->n);
}

/* ---- guessing and learning --------------------------------------------------------------------------------------- */

static enum st keep(struct sg_coupling *c, struct mx_tensor h, struct ocl_buf *labels)
{
    enum st s = ST_OK;
    int at;
    struct mx_tensor none = h;
    none.cols = 0;
    TRY(ring_keep(c, h.rows, &at));
    TRY(mx_blend(c->mx, 1, h, 0, slot_h(c, at, h.rows)));
    TRY(mx_label_rows(c->mx, none, none, labels, c->classes, slot_label(c, at, h.rows)));
out:
    return s;
}

static enum st gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn)
{
    enum st s = ST_OK;
    struct nn_pass pass = net_pass(h.rows, l, learn);
    struct mx_tensor z, e = probabilities(c, h.rows);
    if (learn && !stays(&c->spec))
        TRY(keep(c, h, labels));
    if (!delta.buf)
        return ST_OK;
    TRY(nn_module_forward(c->module[0], &pass, h, &z));
    TRY(mx_softmax_loss(c->mx, z, labels, e, work_view(c, 0, 2, h.rows)));
    TRY(mx_gemm(c->mx, false, false, 1, e, weights(c), 0, delta));
out:
    return s;
}

/* v of all targets so far, this one included: batch norm knows how to find variances. What it normalises is not
 * wanted, and goes where dhat will be. */
static enum st note_variance(struct sg_coupling *c, struct mx_tensor target)
{
    enum st s = ST_OK;
    double weight = (1 - FORGET) / (1 - pow(FORGET, (double)c->updates));
    struct mx_tensor any = weight_of(c, 0, 1, c->n);
    const struct mx_batchnorm bn = {.gamma = any, .beta = any, .running_mean = mx_view(c->state.buf, 0, 1, c->n),
                                    .running_var = mx_view(c->state.buf, (size_t)c->n, 1, c->n), .saved = saved(c),
                                    .eps = 1, .momentum = (float)weight};
    TRY(mx_batchnorm_forward(c->mx, &bn, true, target, slot_h(c, c->ring, target.rows)));
    TRY(mx_row_sum(c->mx, bn.running_var, variance(c)));
out:
    return s;
}

static enum st learn(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor target)
{
    enum st s = ST_OK;
    int at, rows = target.rows;
    if (stays(&c->spec))
        return ST_OK;
    TRY(ring_take(c, target, &at));
    if (at < 0)
        return ST_OK;
    c->updates++;
    TRY(note_variance(c, target));
    struct nn_pass pass = net_pass(rows, l, true);
    struct mx_tensor z, h = slot_h(c, at, rows), e = slot_label(c, at, rows), p = probabilities(c, rows);
    struct mx_tensor g = slot_h(c, c->ring, rows), dz = nn_module_delta(c->module[0], rows);
    struct mx_tensor grads = nn_module_grads(c->module[0]), dA = mx_view(grads.buf, grads.off, c->classes, c->n);
    TRY(nn_module_forward(c->module[0], &pass, h, &z));
    TRY(mx_softmax(c->mx, z, p));
    TRY(mx_blend(c->mx, 1, p, -1, e));
    TRY(mx_gemm(c->mx, false, false, 1, e, weights(c), 0, g));
    TRY(mx_squared_loss(c->mx, g, target, g, work_view(c, 0, 1, rows)));
    TRY(mx_divide(c->mx, g, variance(c), g));
    TRY(mx_gemm(c->mx, false, true, 1, g, weights(c), 0, dz));
    TRY(mx_softmax_backward(c->mx, p, dz, dz));
    TRY(nn_module_backward(c->module[0], &pass, h, NULL));
    TRY(mx_gemm(c->mx, true, false, 1.0f / (float)rows, e, g, 1, dA));
    TRY(update_net(c, 0, c->updates, l));
out:
    return s;
}

const struct sg_kind sg_vir = {
    .name = "vir",
    .help = "a classifier's gradient, fitted to the true one alone; frozen=1: not at all, its control",
    .options = {{.key = "frozen", .help = "1: stays as it starts, and nothing comes down", .least = 0, .most = 1,
                 .whole = true},
                {.key = "lr", .help = "rate of the coupling's own map", .least = 1e-12, .most = 10, .otherwise = 1e-3,
                 .bars = "frozen"},
                OPTION_P},
    .targets = true,
    .batch_min = 2,
    .ops = {MX_LABEL_ROWS, MX_BLEND, MX_SOFTMAX, MX_SQUARED_LOSS, MX_BATCHNORM, MX_COLUMNS, MX_GEMM},
    .net = net,
    .macs = macs,
    .state = state,
    .work = work,
    .gradient = gradient,
    .learn = learn,
};

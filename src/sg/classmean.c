/*
 * classmean: the guess is the mean of the gradients that came down for samples of the same class; h is not looked at.
 * The control that tells how much of a gradient is known from the label alone.
 *
 * It is least squares on the label: with x = onehot(y), the mean of x^T x has the share of each class on its diagonal,
 * and the solution divides what each class's gradients sum up to by it. The ridge is a millionth of a share: it leaves
 * a class that was never seen at zero, and takes as much from the means. Means are of what was seen with forgetting,
 * as in least_squares.c; how quick that is hardly matters (docs/decoupled.md).
 *
 * Work memory: ring + 1 slots of (B, classes), the last one for guesses outside of training; what mx_ridge_solve()
 * works in. State: S and below it C, (classes + n, classes).
 */
#include "inside.h"

enum { FORGET };

static void net(const struct sg_spec *spec, int i, int n, int classes, struct text *out)
{
    (void)spec;
    if (i == 0)
        text_add(out, "input %d\ndense %d bias=0 zero=1\n", classes, n);
}

static void state(const struct sg_spec *spec, int n, int classes, int *rows, int *cols)
{
    (void)spec;
    *rows = classes + n;
    *cols = classes;
}

/* Means of a sample's own, and its share of a solution. */
static uint64_t macs(const struct sg_spec *spec, int n, int classes, int batch)
{
    uint64_t D = (uint64_t)classes, outputs = (uint64_t)n;
    (void)spec;
    return D * (D + outputs) + (D * D * outputs + D * D * D / 2) / (uint64_t)batch;
}

static enum st work(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch)
{
    enum st s = ST_OK;
    size_t each[4];
    (void)spec;
    *floats = ((size_t)ring + 1) * (size_t)batch * (size_t)classes + mx_ridge_work(classes, n);
    TRY(mx_ridge_scratch(mx, classes, n, &each[0]));
    TRY(mx_gemm_scratch(mx, true, false, classes, classes, batch, &each[1]));
    TRY(mx_gemm_scratch(mx, true, false, n, classes, batch, &each[2]));
    TRY(mx_gemm_scratch(mx, false, true, batch, n, classes, &each[3]));
    *scratch = 0;
    for (int i = 0; i < 4; i++)
        *scratch = each[i] > *scratch ? each[i] : *scratch;
out:
    return s;
}

static struct mx_tensor slot(const struct sg_coupling *c, int i, int rows)
{
    return work_view(c, (size_t)i * (size_t)c->batch * (size_t)c->classes, rows, c->classes);
}

static struct mx_tensor means(const struct sg_coupling *c)
{
    return weight_of(c, 0, c->n, c->classes);
}

static enum st gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn)
{
    enum st s = ST_OK;
    int at = c->ring;
    struct mx_tensor none = h;
    (void)l;
    if (learn)
        TRY(ring_keep(c, h.rows, &at));
    none.cols = 0;
    struct mx_tensor y = slot(c, at, h.rows);
    TRY(mx_label_rows(c->mx, none, none, labels, c->classes, y));
    if (delta.buf)
        TRY(mx_gemm(c->mx, false, true, 1, y, means(c), 0, delta));
out:
    return s;
}

static enum st learn(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor target)
{
    enum st s = ST_OK;
    int at;
    (void)l; /* there is no rate */
    TRY(ring_take(c, target, &at));
    if (at < 0)
        return ST_OK;
    TRY(moments_add(c, c->spec.option[FORGET], slot(c, at, target.rows), target));
    const struct mx_ridge r = {.moments = c->state,
                               .work = work_view(c, slot(c, c->ring + 1, 0).off, 1,
                                                 (int)mx_ridge_work(c->classes, c->n)),
                               .scaled = c->classes,
                               .ridge = 1e-6f};
    TRY(mx_ridge_solve(c->mx, &r, means(c)));
out:
    return s;
}

const struct sg_kind sg_classmean = {
    .name = "classmean",
    .help = "mean gradient of the sample's class so far, whatever the activation (a control)",
    .options = {[FORGET] = {.key = "forget", .help = "share that a step leaves of what was seen", .least = 0, .most = 1,
                            .otherwise = 0.9},
                OPTION_P},
    .targets = true,
    .solved = true,
    .ops = {MX_LABEL_ROWS, MX_BLEND, MX_RIDGE},
    .net = net,
    .macs = macs,
    .state = state,
    .work = work,
    .gradient = gradient,
    .learn = learn,
};

/*
 * sg and csg, solved by least squares: the same guess as in synthetic.c, a linear one, from the same h, label and late
 * target, but no gradient descent: what W (n, D) is best for the pairs seen so far has a closed form. Recursive least
 * squares with forgetting and a ridge:
 *
 *     x = [h, p - y (with error=1), onehot(y)], or without labels [h, 1];    dhat = x W^T
 *     S <- beta S + x^T x / B;    C <- beta C + t^T x / B;    c <- beta c + 1;    W = C/c (S/c + diag(ridge))^-1
 *
 * S and C are kept divided by c, so that they are means. The ridge is a share of the mean square of h, and as good as
 * nothing for the label. W is solved for anew with each of the first
 * targets, then with one in `every`.
 *
 * error=1: p is what a linear classifier on h says, trained by its cross-entropy. Nothing of that reaches the module:
 * the classifier's error is one more thing from which the gradient that comes down can be told, unlike in local.c,
 * where it makes the gradient.
 *
 * Work memory: ring + 1 slots of (B, D), the last one for guesses outside of training; what mx_ridge_solve() works in;
 * (2, B) losses and hits of the classifier. State: S and below it C, (D + n, D).
 */
#include "inside.h"

#include <math.h>

enum { MAP, HEAD };
enum { EAGER = 32 }; /* so many first targets are solved for each: they teach most, and far below the loss the
                        very first are zero */

static bool has_error(const struct sg_spec *spec)
{
    return option_of(spec, "error", 0) > 0;
}

/* Inputs that the ridge is a share of: h and the classifier's error. The rest of D is the label, or a one. */
static int scaled_cols(const struct sg_spec *spec, int n, int classes)
{
    return n + (has_error(spec) ? classes : 0);
}

static int input_cols(const struct sg_spec *spec, int n, int classes)
{
    return scaled_cols(spec, n, classes) + (spec->kind->label_input ? classes : 1);
}

static void net(const struct sg_spec *spec, int i, int n, int classes, struct text *out)
{
    if (i == MAP)
        text_add(out, "input %d\ndense %d bias=0 zero=1\n", input_cols(spec, n, classes), n);
    if (i == HEAD && has_error(spec))
        text_add(out, "input %d\ndense %d zero=1\n", n, classes);
}

static void state(const struct sg_spec *spec, int n, int classes, int *rows, int *cols)
{
    *cols = input_cols(spec, n, classes);
    *rows = *cols + n;
}

/* Multiply-accumulates of a step's moments, and of a solution. */
static double moments_macs(double D, double n, double batch)
{
    return D * (D + n) * batch;
}

static double solution_macs(double D, double n)
{
    return D * D * n + D * D * D / 2;
}

/* Targets from one solution to the next: as few as let solutions cost no more than half of what moments do. */
static uint64_t every(const struct sg_spec *spec, int n, int classes, int batch)
{
    double D = input_cols(spec, n, classes), given = option_of(spec, "every", 0);
    return (uint64_t)(given > 0 ? given : ceil(2 * solution_macs(D, n) / moments_macs(D, n, batch)));
}

/* What a step leaves of what was seen before: a half, or as much as makes the samples that count twice the inputs. The
 * map of these changes while the module learns, and is not known from less. */
static double forget(const struct sg_spec *spec, int n, int classes, int batch)
{
    double D = input_cols(spec, n, classes), given = option_of(spec, "forget", 0);
    return given > 0 ? given : fmax(0.5, 1 - batch / (2 * D));
}

static uint64_t macs(const struct sg_spec *spec, int n, int classes, int batch)
{
    double D = input_cols(spec, n, classes), solutions = 1 / (double)every(spec, n, classes, batch);
    return (uint64_t)((moments_macs(D, n, batch) + solutions * solution_macs(D, n)) / batch);
}

static enum st work(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch)
{
    enum st s = ST_OK;
    int D = input_cols(spec, n, classes);
    size_t each[4];
    if (D > NN_SIDE_MAX)
        return st_fail(ST_INPUT, "%s takes up to %d values at a cut, here are %d", spec->kind->name,
                       NN_SIDE_MAX - (D - n), n);
    *floats = ((size_t)ring + 1) * (size_t)batch * (size_t)D + mx_ridge_work(D, n) + 2 * (size_t)batch;
    TRY(mx_ridge_scratch(mx, D, n, &each[0]));
    TRY(mx_gemm_scratch(mx, true, false, D, D, batch, &each[1]));
    TRY(mx_gemm_scratch(mx, true, false, n, D, batch, &each[2]));
    TRY(mx_gemm_scratch(mx, false, true, batch, n, D, &each[3]));
    *scratch = 0;
    for (int i = 0; i < 4; i++)
        *scratch = each[i] > *scratch ? each[i] : *scratch;
out:
    return s;
}

/* ---- where things lie -------------------------------------------------------------------------------------------- */

static struct mx_tensor slot(const struct sg_coupling *c, int i, int rows)
{
    int D = c->state.cols;
    return work_view(c, (size_t)i * (size_t)c->batch * (size_t)D, rows, D);
}

static struct mx_tensor ridge_work(const struct sg_coupling *c)
{
    return work_view(c, slot(c, c->ring + 1, 0).off, 1, (int)mx_ridge_work(c->state.cols, c->n));
}

static struct mx_tensor head_losses(const struct sg_coupling *c, int rows)
{
    return work_view(c, ridge_work(c).off + (size_t)ridge_work(c).cols, 2, rows);
}

static struct mx_tensor map_of(const struct sg_coupling *c)
{
    return weight_of(c, MAP, c->n, c->state.cols);
}

/* ---- guessing and learning --------------------------------------------------------------------------------------- */

/* p - y (B, classes), of the classifier as it is; it learns from it afterwards. */
static enum st head_error(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h,
                          struct ocl_buf *labels, bool learn, struct mx_tensor *out)
{
    enum st s = ST_OK;
    struct mx_tensor z;
    struct nn_pass pass = net_pass(h.rows, l, learn);
    *out = nn_module_delta(c->module[HEAD], h.rows);
    TRY(nn_module_forward(c->module[HEAD], &pass, h, &z));
    TRY(mx_softmax_loss(c->mx, z, labels, *out, head_losses(c, h.rows)));
    if (learn) {
        TRY(nn_module_backward(c->module[HEAD], &pass, h, NULL));
        TRY(update_net(c, HEAD, c->updates + 1, l));
    }
out:
    return s;
}

static enum st gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn)
{
    enum st s = ST_OK;
    int at = c->ring;
    bool known = c->spec.kind->label_input;
    struct mx_tensor error = {0};
    if (learn)
        TRY(ring_keep(c, h.rows, &at));
    if (has_error(&c->spec))
        TRY(head_error(c, l, h, labels, learn, &error));
    struct mx_tensor x = slot(c, at, h.rows);
    TRY(mx_label_rows(c->mx, h, error, known ? labels : NULL, known ? c->classes : 1, x));
    if (delta.buf)
        TRY(mx_gemm(c->mx, false, true, 1, x, map_of(c), 0, delta));
out:
    return s;
}

static enum st solve(struct sg_coupling *c)
{
    const struct mx_ridge r = {.moments = c->state,
                               .work = ridge_work(c),
                               .scaled = scaled_cols(&c->spec, c->n, c->classes),
                               .ridge = (float)option_of(&c->spec, "ridge", 0),
                               .least = 1e-6f};
    return mx_ridge_solve(c->mx, &r, map_of(c));
}

static enum st learn(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor target)
{
    enum st s = ST_OK;
    (void)l; /* there is no rate */
    int at;
    TRY(ring_take(c, target, &at));
    if (at < 0)
        return ST_OK;
    TRY(moments_add(c, forget(&c->spec, c->n, c->classes, c->batch), slot(c, at, target.rows), target));
    uint64_t between = every(&c->spec, c->n, c->classes, c->batch);
    if (c->updates <= EAGER || c->updates % between == 0)
        TRY(solve(c));
out:
    return s;
}

/* The defaults were chosen on samples that were held out: docs/decoupled.md. */
#define RIDGE                                                                                                        \
    {.key = "ridge", .help = "ridge, in mean squares of h", .least = 1e-6, .most = 1e6, .otherwise = 0.01}
#define FORGET                                                                                                       \
    {.key = "forget", .help = "share that a step leaves of what was seen; 0: by batch and inputs", .least = 0,       \
     .most = 1}
#define EVERY                                                                                                        \
    {.key = "every", .help = "targets from one solution to the next; 0: as cost allows", .least = 0, .most = 1e6,    \
     .whole = true}

const struct sg_kind sg_csg_ls = {
    .name = "csg",
    .solver = "ls",
    .help = "synthetic gradient from the activation and the label (cDNI), by least squares",
    .options = {RIDGE,
                FORGET,
                EVERY,
                {.key = "error", .help = "1: sees the error of a classifier on h", .least = 0, .most = 1,
                 .otherwise = 1, .whole = true},
                {.key = "lr", .help = "rate of that classifier", .least = 1e-12, .most = 10, .otherwise = 1e-3,
                 .needs = "error"},
                OPTION_P,
                OPTION_LAMBDA},
    .targets = true,
    .label_input = true,
    .solved = true,
    .ops = {MX_LABEL_ROWS, MX_BLEND, MX_SOFTMAX, MX_RIDGE},
    .net = net,
    .macs = macs,
    .state = state,
    .work = work,
    .gradient = gradient,
    .learn = learn,
};

const struct sg_kind sg_sg_ls = {
    .name = "sg",
    .solver = "ls",
    .help = "synthetic gradient from the activation alone (DNI), by least squares",
    .options = {RIDGE, FORGET, EVERY, OPTION_P, OPTION_LAMBDA},
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

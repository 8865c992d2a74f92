/*
 * sg and csg: a synthetic gradient (Jaderberg et al., arXiv 1608.05343). A small net M guesses the gradient at the cut
 * from h (DNI), or from h and the label (cDNI): delta = M([h, onehot(y)]). It learns from what comes down, whenever
 * that is: L = |M([h, y]) - target|^2 per sample, at the h and y of that step, which lie in a ring until then. The
 * target is what leaves the bottom of the module above, driven by that one's own coupling (bootstrapped; the truth at
 * the top).
 *
 * Work memory: ring + 1 slots of (B, n + labels), the last one for guesses outside of training; then (1, B) losses.
 */
#include "inside.h"

static int input_cols(const struct sg_coupling *c)
{
    return c->n + (c->spec.kind->label_input ? c->classes : 0);
}

static struct mx_tensor slot(const struct sg_coupling *c, int i, int rows)
{
    return work_view(c, (size_t)i * (size_t)c->batch * (size_t)input_cols(c), rows, input_cols(c));
}

static void net(const struct sg_spec *spec, int i, int n, int classes, struct text *out)
{
    if (i > 0)
        return;
    text_add(out, "input %d\n", n + (spec->kind->label_input ? classes : 0));
    hidden_layers(spec, n, out);
    text_add(out, "dense %d zero=1\n", n); /* the first answers are zero: large random ones would destroy features */
}

static enum st work(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch)
{
    (void)mx;
    size_t cols = (size_t)n + (spec->kind->label_input ? (size_t)classes : 0);
    *floats = ((size_t)ring + 1) * (size_t)batch * cols + (size_t)batch;
    *scratch = 0;
    return ST_OK;
}

static enum st gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn)
{
    enum st s = ST_OK;
    int at = c->ring;
    struct nn_pass pass = net_pass(h.rows, l, learn);
    if (learn)
        TRY(ring_keep(c, h.rows, &at));
    struct mx_tensor y, x = slot(c, at, h.rows);
    TRY(mx_label_rows(c->mx, h, (struct mx_tensor){0}, labels, input_cols(c) - c->n, x));
    if (!delta.buf)
        return ST_OK;
    TRY(nn_module_forward(c->module[0], &pass, x, &y));
    c->fresh = learn ? c->kept : 0;
    TRY(mx_blend(c->mx, 1, y, 0, delta));
out:
    return s;
}

static enum st learn(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor target)
{
    enum st s = ST_OK;
    int at, rows = target.rows;
    TRY(ring_take(c, target, &at));
    if (at < 0)
        return ST_OK;
    struct mx_tensor y, x = slot(c, at, rows), delta = nn_module_delta(c->module[0], rows);
    struct mx_tensor per_row = work_view(c, ((size_t)c->ring + 1) * (size_t)c->batch * (size_t)input_cols(c), 1, rows);
    struct nn_pass pass = net_pass(rows, l, false); /* running moments moved when M guessed for this step */
    /* while M has done nothing else since, its activations of then will do */
    if (c->fresh != c->learned)
        TRY(nn_module_forward(c->module[0], &pass, x, &y));
    else
        y = nn_module_output(c->module[0], rows);
    TRY(mx_squared_loss(c->mx, y, target, delta, per_row));
    TRY(nn_module_backward(c->module[0], &pass, x, NULL));
    TRY(update_net(c, 0, ++c->updates, l));
    c->fresh = 0;
out:
    return s;
}

#define OPTIONS(depth)                                                                                               \
    {                                                                                                                \
        {.key = "hidden", .help = "hidden layers", .least = 0, .most = 4, .otherwise = (depth), .whole = true},      \
        OPTION_WIDTH, OPTION_LR("the SG module"), OPTION_P, OPTION_LAMBDA                                            \
    }

const struct sg_kind sg_csg_adam = {
    .name = "csg",
    .solver = "adam",
    .help = "synthetic gradient from the activation and the label (cDNI)",
    .options = OPTIONS(0),
    .targets = true,
    .label_input = true,
    .ops = {MX_LABEL_ROWS, MX_BLEND, MX_SQUARED_LOSS},
    .net = net,
    .work = work,
    .gradient = gradient,
    .learn = learn,
};

const struct sg_kind sg_sg_adam = {
    .name = "sg",
    .solver = "adam",
    .help = "synthetic gradient from the activation alone (DNI)",
    .options = OPTIONS(1),
    .targets = true,
    .ops = {MX_LABEL_ROWS, MX_BLEND, MX_SQUARED_LOSS},
    .net = net,
    .work = work,
    .gradient = gradient,
    .learn = learn,
};

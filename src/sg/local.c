/*
 * local: an auxiliary classifier at the cut, trained with the module below it; nothing comes down (decoupled greedy
 * learning, Belilovsky et al., arXiv 1901.08164). delta = d CE(head(h), y) / d h.
 *
 * Work memory: (2, B) losses and hits.
 */
#include "inside.h"

static void net(const struct sg_spec *spec, int i, int n, int classes, struct text *out)
{
    if (i > 0)
        return;
    text_add(out, "input %d\n", n);
    hidden_layers(spec, n, out);
    text_add(out, "dense %d\n", classes);
}

static enum st work(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch)
{
    (void)spec, (void)mx, (void)n, (void)classes, (void)ring;
    *floats = 2 * (size_t)batch;
    *scratch = 0;
    return ST_OK;
}

static enum st gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn)
{
    enum st s = ST_OK;
    struct mx_tensor z, dh;
    struct nn_pass pass = net_pass(h.rows, l, learn);
    if (!delta.buf)
        return ST_OK;
    TRY(nn_module_forward(c->module[0], &pass, h, &z));
    TRY(mx_softmax_loss(c->mx, z, labels, nn_module_delta(c->module[0], h.rows), work_view(c, 0, 2, h.rows)));
    TRY(nn_module_backward(c->module[0], &pass, h, &dh));
    TRY(mx_blend(c->mx, 1, dh, 0, delta));
    if (learn)
        TRY(update_net(c, 0, ++c->updates, l));
out:
    return s;
}

const struct sg_kind sg_local = {
    .name = "local",
    .help = "gradient of an auxiliary classifier at the cut (DGL)",
    .options = {{.key = "hidden", .help = "hidden layers of the classifier", .least = 0, .most = 4, .whole = true},
                OPTION_WIDTH, OPTION_LR("the classifier"), OPTION_P},
    .ops = {MX_SOFTMAX, MX_BLEND},
    .net = net,
    .work = work,
    .gradient = gradient,
};

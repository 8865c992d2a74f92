/*
 * predsim: local error signals (Nokland and Eidnes, ICML 2019, arXiv 1901.06656). L = (1 - beta) CE(D h, y) + beta
 * L_sim(g(h), y): a linear classifier D that starts at zero, and a linear map g without bias whose rows should be as
 * alike as their labels are. Both are trained with the module below; nothing comes down.
 *
 * Work memory: N (B, n), E (B, B), 1 / norm (B), losses (2, B).
 */
#include "inside.h"

enum { PRED, SIM };
enum { BETA };

static void net(const struct sg_spec *spec, int i, int n, int classes, struct text *out)
{
    (void)spec;
    if (i == PRED)
        text_add(out, "input %d\ndense %d zero=1\n", n, classes);
    if (i == SIM)
        text_add(out, "input %d\ndense %d bias=0\n", n, n);
}

/* N N^T, and E N. */
static uint64_t macs(const struct sg_spec *spec, int n, int classes, int batch)
{
    (void)spec, (void)classes;
    return 2 * (uint64_t)n * (uint64_t)batch;
}

static enum st work(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch)
{
    (void)spec, (void)classes, (void)ring;
    size_t B = (size_t)batch;
    *floats = B * (size_t)n + B * B + B + 2 * B;
    return mx_similarity_scratch(mx, batch, n, scratch);
}

static enum st predict_part(struct sg_coupling *c, const struct nn_pass *pass, struct mx_tensor h,
                            struct ocl_buf *labels, struct mx_tensor per_row, struct mx_tensor *dh)
{
    enum st s = ST_OK;
    struct mx_tensor z, delta = nn_module_delta(c->module[PRED], h.rows);
    TRY(nn_module_forward(c->module[PRED], pass, h, &z));
    TRY(mx_softmax_loss(c->mx, z, labels, delta, per_row));
    TRY(mx_blend(c->mx, (float)(1 - c->spec.option[BETA]), delta, 0, delta));
    TRY(nn_module_backward(c->module[PRED], pass, h, dh));
out:
    return s;
}

static enum st similarity_part(struct sg_coupling *c, const struct nn_pass *pass, struct mx_tensor h,
                               struct ocl_buf *labels, struct mx_tensor per_row, struct mx_tensor *dh)
{
    enum st s = ST_OK;
    size_t B = (size_t)c->batch, n = (size_t)c->n;
    struct mx_tensor v, delta = nn_module_delta(c->module[SIM], h.rows);
    const struct mx_similarity parts = {.normed = work_view(c, 0, h.rows, c->n),
                                        .error = work_view(c, B * n, h.rows, h.rows),
                                        .rnorm = work_view(c, B * n + B * B, 1, h.rows)};
    TRY(nn_module_forward(c->module[SIM], pass, h, &v));
    TRY(mx_similarity_loss(c->mx, labels, c->classes, v, &parts, delta, per_row));
    TRY(mx_blend(c->mx, (float)c->spec.option[BETA], delta, 0, delta));
    TRY(nn_module_backward(c->module[SIM], pass, h, dh));
out:
    return s;
}

static enum st gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn)
{
    enum st s = ST_OK;
    struct nn_pass pass = net_pass(h.rows, l, learn);
    size_t B = (size_t)c->batch, losses = B * (size_t)c->n + B * B + B;
    struct mx_tensor dh;
    if (!delta.buf)
        return ST_OK;
    TRY(predict_part(c, &pass, h, labels, work_view(c, losses, 2, h.rows), &dh));
    TRY(mx_blend(c->mx, 1, dh, 0, delta));
    TRY(similarity_part(c, &pass, h, labels, work_view(c, losses, 1, h.rows), &dh));
    TRY(mx_blend(c->mx, 1, dh, 1, delta));
    if (learn) {
        c->updates++;
        TRY(update_net(c, PRED, c->updates, l));
        TRY(update_net(c, SIM, c->updates, l));
    }
out:
    return s;
}

const struct sg_kind sg_predsim = {
    .name = "predsim",
    .help = "local error signals: a linear classifier and matched similarities",
    .options = {[BETA] = {.key = "beta", .help = "weight of the similarities", .least = 0, .most = 1,
                          .otherwise = 0.99},
                OPTION_LR("the coupling's own maps"), OPTION_P},
    .ops = {MX_SOFTMAX, MX_BLEND, MX_SIMILARITY},
    .net = net,
    .macs = macs,
    .work = work,
    .gradient = gradient,
};

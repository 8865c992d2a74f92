/* A coupling with its nets and memory on a device; what kinds do is in their own files. */
#include "inside.h"

#include <math.h>
#include <string.h>

/* Of Adam, which trains all nets that are trained: plain gradient descent does not converge for them. */
enum { SLOTS = 2 };

/* ---- what kinds share -------------------------------------------------------------------------------------------- */

void hidden_layers(const struct sg_spec *spec, int n, struct text *out)
{
    int width = (int)option_of(spec, "width", 0);
    for (int i = 0; i < (int)option_of(spec, "hidden", 0); i++)
        text_add(out, "dense %d\nbatchnorm\nrelu\n", width ? width : n);
}

enum st update_net(struct sg_coupling *c, int i, uint64_t t, const struct sg_learning *l)
{
    struct nn_update u = {.rate = option_of(&c->spec, "lr", 0) * l->share, .t = t};
    return nn_optimizer_find("adam")->step(c->net_mx[i], c->module[i], &u);
}

enum st ring_keep(struct sg_coupling *c, int rows, int *slot)
{
    if (c->kept - c->learned == (uint64_t)c->ring)
        return st_fail(ST_INTERNAL, "more than %d steps wait for their target", c->ring);
    *slot = (int)(c->kept++ % (uint64_t)c->ring);
    c->rows[*slot] = rows;
    return ST_OK;
}

enum st ring_take(struct sg_coupling *c, struct mx_tensor target, int *slot)
{
    if (c->learned == c->kept)
        return st_fail(ST_INTERNAL, "a target for no step");
    *slot = (int)(c->learned++ % (uint64_t)c->ring);
    if (target.rows == 0)
        *slot = -1;
    else if (target.rows != c->rows[*slot])
        return st_fail(ST_INTERNAL, "a target of %d rows for a step of %d", target.rows, c->rows[*slot]);
    return ST_OK;
}

struct mx_tensor weight_of(const struct sg_coupling *c, int i, int rows, int cols)
{
    struct mx_tensor w = nn_module_params(c->module[i]);
    return mx_view(w.buf, w.off, rows, cols);
}

enum st moments_add(struct sg_coupling *c, double forget, struct mx_tensor x, struct mx_tensor target)
{
    enum st s = ST_OK;
    double t = (double)++c->updates;
    double weight = forget < 1 ? (1 - forget) / (1 - pow(forget, t)) : 1 / t; /* this target's share among all */
    float own = (float)(weight / target.rows), past = c->updates == 1 ? 0.0f : (float)(1 - weight);
    struct mx_tensor S = c->state, C = c->state;
    S.rows = x.cols;
    C.rows = c->n;
    C.off += (size_t)x.cols * (size_t)x.cols;
    TRY(mx_gemm(c->mx, true, false, own, x, x, past, S));
    TRY(mx_gemm(c->mx, true, false, own, target, x, past, C));
out:
    return s;
}

struct mx_tensor work_view(const struct sg_coupling *c, size_t off, int rows, int cols)
{
    return mx_view(c->work, off, rows, cols);
}

struct nn_pass net_pass(int rows, const struct sg_learning *l, bool learn)
{
    return (struct nn_pass){.rows = rows, .training = true, .step = (uint32_t)l->step, .keep_state = !learn};
}

/* Copies of net i's parameters that its optimiser keeps; 0 where it has none. */
static int net_slots(const struct sg_spec *spec, int i)
{
    return stays(spec) || (i == 0 && spec->kind->solved) ? 0 : SLOTS;
}

/* ---- nets -------------------------------------------------------------------------------------------------------- */

static enum st make_net(const struct sg_spec *spec, int i, int n, int classes, struct nn_net **out)
{
    enum st s = ST_OK;
    struct text t = {0};
    *out = NULL;
    if (!spec->kind->net)
        return ST_OK;
    spec->kind->net(spec, i, n, classes, &t);
    TRY(text_status(&t));
    if (t.len > 0)
        TRY(nn_net_parse_layers(t.s, spec->kind->name, out));
out:
    text_free(&t);
    return s;
}

uint64_t sg_macs(const struct sg_spec *spec, int n, int classes, int batch)
{
    uint64_t macs = spec->kind->macs ? spec->kind->macs(spec, n, classes, batch) : 0;
    for (int i = 0; i < SG_NETS_MAX; i++) {
        struct nn_net *net;
        if (make_net(spec, i, n, classes, &net) != ST_OK || !net)
            break;
        /* an SG module runs forward and once more where its target is late, and has no gradient at its input to find;
         * a local one runs forward and back to h: three times forward either way */
        macs += (net_slots(spec, i) ? 3 : 1) * nn_net_macs(net);
        nn_net_free(net);
    }
    return macs;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* What nn_memory_plan() and nn_module_open() take for net i: one that is solved for has no gradients either. */
static int slots_wanted(const struct sg_spec *spec, int i)
{
    return net_slots(spec, i) ? SLOTS : -1;
}

/* Shape of what a coupling keeps beside its nets; no rows where it does not. */
static struct mx_tensor state_shape(const struct sg_spec *spec, int n, int classes)
{
    int rows = 0, cols = 0;
    if (spec->kind->state)
        spec->kind->state(spec, n, classes, &rows, &cols);
    return mx_view(NULL, 0, rows, cols);
}

static size_t state_floats(struct mx_tensor t)
{
    return (size_t)t.rows * (size_t)t.cols;
}

static enum st work_floats(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring,
                           size_t *floats, size_t *scratch)
{
    *floats = *scratch = 0;
    return spec->kind->work ? spec->kind->work(spec, mx, n, classes, batch, ring, floats, scratch) : ST_OK;
}

enum st sg_memory_plan(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring,
                       uint64_t *bytes)
{
    enum st s = ST_OK;
    size_t floats, scratch;
    struct nn_net *net = NULL;
    TRY(work_floats(spec, mx, n, classes, batch, ring, &floats, &scratch));
    *bytes = 4 * ((uint64_t)floats + scratch + state_floats(state_shape(spec, n, classes)));
    for (int i = 0; i < SG_NETS_MAX; i++) {
        struct nn_memory m;
        TRY(make_net(spec, i, n, classes, &net));
        if (!net)
            break;
        TRY(nn_memory_plan(net, mx, batch, slots_wanted(spec, i), 1, &m));
        *bytes += nn_memory_total(&m);
        nn_net_free(net);
        net = NULL;
    }
out:
    nn_net_free(net);
    return s;
}

static enum st open_net(struct sg_coupling *c, int i)
{
    enum st s = ST_OK;
    TRY(make_net(&c->spec, i, c->n, c->classes, &c->net[i]));
    if (!c->net[i])
        return ST_OK;
    c->net_count = i + 1;
    TRY(mx_open(c->queue, NULL, &c->net_mx[i]));
    TRY(nn_module_open(c->net[i], c->net_mx[i], c->batch, slots_wanted(&c->spec, i), 1, &c->module[i]));
    if (net_slots(&c->spec, i))
        TRY(mx_prepare(c->net_mx[i], MX_OPTIMIZER, MX_IDENTITY));
out:
    return s;
}

enum st sg_open(const struct sg_spec *spec, struct ocl_queue *q, int n, int classes, int batch, int ring,
                struct sg_coupling **out)
{
    enum st s = ST_OK;
    struct sg_coupling *c = NULL;
    size_t floats, scratch;
    struct ocl_device *d = ocl_queue_device(q);
    TRY(NEW(c, 1));
    *c = (struct sg_coupling){.spec = *spec, .queue = q, .n = n, .classes = classes, .batch = batch, .ring = ring};
    TRY(NEW(c->rows, (size_t)ring));
    TRY(mx_open(q, NULL, &c->mx));
    TRY(work_floats(spec, c->mx, n, classes, batch, ring, &floats, &scratch));
    TRY(ocl_buf_create(d, 4 * floats, &c->work));
    TRY(ocl_buf_create(d, 4 * scratch, &c->scratch));
    c->state = state_shape(spec, n, classes);
    if (c->state.rows)
        TRY(ocl_buf_create(d, 4 * state_floats(c->state), &c->state.buf));
    mx_give_scratch(c->mx, c->scratch);
    for (int i = 0; i < SG_OPS_MAX && spec->kind->ops[i] != MX_NO_OP; i++)
        TRY(mx_prepare(c->mx, spec->kind->ops[i], MX_IDENTITY));
    for (int i = 0; i < SG_NETS_MAX; i++)
        TRY(open_net(c, i));
    *out = c;
    c = NULL;
out:
    sg_close(c);
    return s;
}

void sg_close(struct sg_coupling *c)
{
    if (!c)
        return;
    (void)!ocl_wait(c->queue); /* where even waiting fails, nothing runs any more */
    for (int i = 0; i < SG_NETS_MAX; i++) {
        nn_module_close(c->module[i]);
        mx_close(c->net_mx[i]);
        nn_net_free(c->net[i]);
    }
    ocl_buf_free(c->work);
    ocl_buf_free(c->scratch);
    ocl_buf_free(c->state.buf);
    mx_close(c->mx);
    mem_free(c->rows);
    mem_free(c);
}

enum st sg_init(struct sg_coupling *c, uint64_t seed, int cut)
{
    enum st s = ST_OK;
    c->updates = c->kept = c->learned = c->fresh = 0;
    if (c->state.buf)
        TRY(ocl_zero(c->queue, c->state.buf, 0, 4 * state_floats(c->state)));
    for (int i = 0; i < c->net_count; i++) {
        /* far from the streams of the net's own tensors */
        c->net[i]->tensor_first = (1 << 24) + 64 * (SG_NETS_MAX * cut + i);
        for (int k = 0; k < net_slots(&c->spec, i); k++) {
            struct mx_tensor slot = nn_module_slot(c->module[i], k);
            TRY(ocl_zero(c->queue, slot.buf, 4 * slot.off, 4 * (size_t)slot.cols));
        }
        TRY(nn_module_init(c->module[i], seed));
    }
out:
    return s;
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

enum st sg_gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                    struct mx_tensor delta)
{
    return c->spec.kind->gradient(c, l, h, labels, delta, true);
}

enum st sg_guess(struct sg_coupling *c, struct mx_tensor h, struct ocl_buf *labels, struct mx_tensor delta)
{
    struct sg_learning none = {0};
    return c->spec.kind->gradient(c, &none, h, labels, delta, false);
}

enum st sg_learn(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor target)
{
    return c->spec.kind->learn ? c->spec.kind->learn(c, l, target) : ST_OK;
}

enum st sg_mix(struct sg_coupling *c, struct mx_tensor target, struct mx_tensor delta)
{
    float lambda = (float)option_of(&c->spec, "lambda", 1);
    return mx_blend(c->mx, lambda, target, 1 - lambda, delta);
}

int sg_kept(const struct sg_coupling *c)
{
    return (int)(c->kept - c->learned);
}

/* ---- nets for others --------------------------------------------------------------------------------------------- */

int sg_net_count(const struct sg_coupling *c)
{
    return c->net_count;
}

struct nn_module *sg_module(struct sg_coupling *c, int i)
{
    return c->module[i];
}

const struct nn_net *sg_net(const struct sg_coupling *c, int i)
{
    return c->net[i];
}

int sg_net_slots(const struct sg_coupling *c, int i)
{
    return net_slots(&c->spec, i);
}

void sg_state_shape(const struct sg_coupling *c, int *rows, int *cols)
{
    *rows = c->state.rows;
    *cols = c->state.cols;
}

enum st sg_state_read(struct sg_coupling *c, float *out)
{
    return c->state.buf ? ocl_read(c->queue, c->state.buf, 0, 4 * state_floats(c->state), out) : ST_OK;
}

enum st sg_state_write(struct sg_coupling *c, const float *in)
{
    enum st s = ST_OK;
    if (!c->state.buf)
        return ST_OK;
    TRY(ocl_write(c->queue, c->state.buf, 0, 4 * state_floats(c->state), in));
    TRY(ocl_wait(c->queue));
out:
    return s;
}

uint64_t sg_updates(const struct sg_coupling *c)
{
    return c->updates;
}

void sg_set_updates(struct sg_coupling *c, uint64_t n)
{
    c->updates = n;
}

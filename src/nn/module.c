/*
 * A module: all memory planned first (one buffer a kind, tensors are views), then forward and backward through its
 * layers.
 *
 * Buffers: params, grads, slots (optimiser), state, acts (each layer's output and what it saves, once a set), deltas
 * (two halves that backward uses in turn), scratch.
 */
#include "nn.h"

#include <string.h>

enum { ALIGN = 32 }; /* floats: every tensor starts at a multiple of 128 bytes */

struct nn_module {
    const struct nn_net *net;
    struct mx *mx;
    struct ocl_queue *queue;
    int batch, slots, sets;
    size_t params_n, set_n, half_n; /* floats of all parameters, of one set of `acts`, and of one half of `deltas` */
    struct ocl_buf *params, *grads, *moments, *state, *acts, *deltas, *scratch;
    size_t *y, *saved; /* (layer_count): offsets in a set of acts */
};

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static bool trains(int slots)
{
    return slots >= 0;
}

/* ---- planning ---------------------------------------------------------------------------------------------------- */

static size_t params_floats(const struct nn_net *net)
{
    size_t n = 0;
    for (int i = 0; i < net->layer_count; i++)
        for (int k = 0; k < net->layer[i].param_count; k++)
            n += aligned(net->layer[i].param[k].count);
    return n;
}

static size_t state_floats(const struct nn_net *net)
{
    size_t n = 0;
    for (int i = 0; i < net->layer_count; i++)
        for (int k = 0; k < net->layer[i].state_count; k++)
            n += aligned(net->layer[i].state[k].count);
    return n;
}

/* Lays out outputs and saved values; y and saved may be NULL. */
static size_t acts_floats(const struct nn_net *net, int batch, size_t *y, size_t *saved)
{
    size_t n = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct nn_layer *l = &net->layer[i];
        if (y)
            y[i] = l->fused ? y[i - 1] : n; /* a fused activation's output is the layer's before it */
        if (!l->fused)
            n += aligned((size_t)batch * (size_t)nn_size(l->out));
        if (saved)
            saved[i] = n;
        n += aligned(l->saved);
    }
    return n;
}

static size_t half_floats(const struct nn_net *net, int batch)
{
    size_t most = (size_t)nn_size(net->input);
    for (int i = 0; i < net->layer_count; i++) {
        size_t n = (size_t)nn_size(net->layer[i].out);
        most = n > most ? n : most;
    }
    return aligned(most * (size_t)batch);
}

static enum st scratch_floats(const struct nn_net *net, struct mx *mx, int batch, size_t *out)
{
    size_t most = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct nn_layer *l = &net->layer[i];
        size_t n = 0;
        enum st s = l->kind->scratch ? l->kind->scratch(l, mx, batch, &n) : ST_OK;
        if (s != ST_OK)
            return s;
        most = n > most ? n : most;
    }
    *out = most;
    return ST_OK;
}

enum st nn_memory_plan(const struct nn_net *net, struct mx *mx, int batch, int slots, int sets, struct nn_memory *out)
{
    size_t scratch;
    if (sets < 1)
        return st_fail(ST_INTERNAL, "%s: %d sets of activations", net->origin, sets);
    enum st s = scratch_floats(net, mx, batch, &scratch);
    if (s != ST_OK)
        return s;
    uint64_t params = params_floats(net);
    if (params > INT32_MAX) /* columns of the tensor that an optimiser's step is one pass over */
        return st_fail(ST_INPUT, "%s: %llu parameters, %ld are the most", net->origin, (unsigned long long)params,
                       (long)INT32_MAX);
    uint64_t acts = acts_floats(net, batch, NULL, NULL), acts_most = UINT64_MAX / 4 / (uint64_t)sets;
    *out = (struct nn_memory){
        .params = 4 * params,
        .grads = trains(slots) ? 4 * params : 0,
        .slots = trains(slots) ? 4 * params * (uint64_t)slots : 0,
        .state = 4 * (uint64_t)state_floats(net),
        .activations = 4 * (uint64_t)sets * (acts < acts_most ? acts : acts_most),
        .deltas = 4 * (trains(slots) ? 2u : 1u) * (uint64_t)half_floats(net, batch),
        .scratch = 4 * (uint64_t)scratch,
    };
    const uint64_t all[] = {out->params, out->slots, out->activations, out->deltas, out->scratch};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i] / 4 > UINT32_MAX) /* kernels count elements in 32 bits */
            return st_fail(ST_INPUT, "%s: a buffer of %llu bytes is needed, 16 GiB is the most: take a smaller batch",
                           net->origin, (unsigned long long)all[i]);
    return ST_OK;
}

uint64_t nn_memory_total(const struct nn_memory *m)
{
    return m->params + m->grads + m->slots + m->state + m->activations + m->deltas + m->scratch;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static enum st prepare_kernels(struct nn_module *m)
{
    enum st s = ST_OK;
    for (int i = 0; i < m->net->layer_count; i++) {
        const struct nn_layer *l = &m->net->layer[i];
        if (l->fused)
            continue;
        enum mx_act act = l->kind->act != MX_IDENTITY ? l->kind->act : l->phi.kind;
        for (int k = 0; k < NN_OPS_MAX && l->ops[k] != MX_NO_OP; k++)
            TRY(mx_prepare(m->mx, l->ops[k], act));
    }
out:
    return s;
}

static enum st make_buffer(struct nn_module *m, uint64_t bytes, struct ocl_buf **out)
{
    enum st s = ocl_buf_create(ocl_queue_device(m->queue), (size_t)bytes, out);
    return s != ST_OK ? s : ocl_zero(m->queue, *out, 0, ocl_buf_bytes(*out));
}

static enum st check_batch(const struct nn_net *net, int batch)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct nn_layer *l = &net->layer[i];
        if (batch < l->kind->batch_min)
            return st_fail(ST_INPUT, "%s:%d: %s cannot train on batches of %d: %d samples at least", net->origin,
                           l->line, l->kind->name, batch, l->kind->batch_min);
    }
    return ST_OK;
}

enum st nn_module_open(const struct nn_net *net, struct mx *mx, int batch, int slots, int sets, struct nn_module **out)
{
    enum st s = ST_OK;
    struct nn_module *m = NULL;
    struct nn_memory plan;
    if (trains(slots))
        TRY(check_batch(net, batch));
    TRY(nn_memory_plan(net, mx, batch, slots, sets, &plan));
    TRY(NEW(m, 1));
    m->net = net;
    m->mx = mx;
    m->queue = mx_queue(mx);
    m->batch = batch;
    m->slots = slots;
    m->sets = sets;
    m->params_n = (size_t)(plan.params / 4);
    m->half_n = half_floats(net, batch);
    TRY(NEW(m->y, (size_t)net->layer_count));
    TRY(NEW(m->saved, (size_t)net->layer_count));
    m->set_n = acts_floats(net, batch, m->y, m->saved);
    TRY(make_buffer(m, plan.params, &m->params));
    TRY(make_buffer(m, plan.state, &m->state));
    TRY(make_buffer(m, plan.activations, &m->acts));
    TRY(make_buffer(m, plan.deltas, &m->deltas));
    TRY(make_buffer(m, plan.scratch, &m->scratch));
    if (trains(slots)) {
        TRY(make_buffer(m, plan.grads, &m->grads));
        TRY(make_buffer(m, plan.slots, &m->moments));
    }
    mx_give_scratch(mx, m->scratch);
    TRY(prepare_kernels(m));
    TRY(ocl_wait(m->queue));
    *out = m;
    m = NULL;
out:
    nn_module_close(m);
    return s;
}

void nn_module_close(struct nn_module *m)
{
    if (!m)
        return;
    struct ocl_buf *const all[] = {m->params, m->grads, m->moments, m->state, m->acts, m->deltas, m->scratch};
    (void)!ocl_wait(m->queue); /* where even waiting fails, nothing runs any more */
    for (size_t i = 0; i < COUNT_OF(all); i++)
        ocl_buf_free(all[i]);
    mem_free(m->y);
    mem_free(m->saved);
    mem_free(m);
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static struct mx_tensor flat(struct ocl_buf *buf, const struct nn_param *p)
{
    return mx_view(buf, p->off, 1, (int)p->count);
}

/* Everything a layer is given but dy and dx. */
static void find_place(const struct nn_module *m, int i, const struct nn_pass *pass, struct mx_tensor input,
                       struct nn_place *p)
{
    const struct nn_layer *l = &m->net->layer[i];
    size_t set = (size_t)pass->set * m->set_n;
    *p = (struct nn_place){.mx = m->mx, .pass = pass, .x = input};
    if (i > 0)
        p->x = mx_view(m->acts, set + m->y[i - 1], pass->rows, nn_size(l->in));
    p->y = mx_view(m->acts, set + m->y[i], pass->rows, nn_size(l->out));
    p->saved = mx_view(m->acts, set + m->saved[i], 1, (int)l->saved);
    for (int k = 0; k < l->param_count; k++) {
        p->param[k] = flat(m->params, &l->param[k]);
        p->grad[k] = flat(m->grads, &l->param[k]);
    }
    for (int k = 0; k < l->state_count; k++)
        p->state[k] = flat(m->state, &l->state[k]);
}

static enum st check_set(const struct nn_module *m, const struct nn_pass *pass)
{
    if (pass->set < 0 || pass->set >= m->sets)
        return st_fail(ST_INTERNAL, "no set %d of activations: there are %d", pass->set, m->sets);
    return ST_OK;
}

enum st nn_module_forward(struct nn_module *m, const struct nn_pass *pass, struct mx_tensor x, struct mx_tensor *y)
{
    enum st s = ST_OK;
    struct nn_place p = {.y = x};
    TRY(check_set(m, pass));
    for (int i = 0; i < m->net->layer_count; i++) {
        if (m->net->layer[i].fused)
            continue;
        find_place(m, i, pass, x, &p);
        TRY(m->net->layer[i].kind->forward(&m->net->layer[i], &p));
    }
    *y = p.y;
out:
    return s;
}

struct mx_tensor nn_module_delta(const struct nn_module *m, int rows)
{
    return mx_view(m->deltas, 0, rows, m->net->classes);
}

enum st nn_module_backward(struct nn_module *m, const struct nn_pass *pass, struct mx_tensor x, struct mx_tensor *dx)
{
    enum st s = ST_OK;
    struct mx_tensor dy = nn_module_delta(m, pass->rows);
    TRY(check_set(m, pass));
    for (int i = m->net->layer_count - 1; i >= 0; i--) {
        const struct nn_layer *l = &m->net->layer[i];
        struct nn_place p;
        if (l->fused)
            continue;
        find_place(m, i, pass, x, &p);
        p.dy = dy;
        if (l->kind->in_place)
            p.dx = dy;
        else if (i > 0 || dx)
            p.dx = mx_view(m->deltas, dy.off ? 0 : m->half_n, pass->rows, nn_size(l->in));
        TRY(l->kind->backward(l, &p));
        dy = p.dx;
    }
    if (dx)
        *dx = dy;
out:
    return s;
}

struct mx_tensor nn_module_params(const struct nn_module *m)
{
    return mx_view(m->params, 0, 1, (int)m->params_n);
}

struct mx_tensor nn_module_grads(const struct nn_module *m)
{
    return mx_view(m->grads, 0, 1, (int)m->params_n);
}

struct mx_tensor nn_module_slot(const struct nn_module *m, int slot)
{
    return mx_view(m->moments, (size_t)slot * m->params_n, 1, (int)m->params_n);
}

/* ---- tensors by name --------------------------------------------------------------------------------------------- */

static enum st find_tensor(const struct nn_module *m, int tensor, enum nn_part part, int slot, struct mx_tensor *out)
{
    struct nn_tensor t = nn_tensor_at(m->net, tensor);
    if (!t.param || t.is_state != (part == NN_STATE) || slot < 0 || (part == NN_SLOT && slot >= m->slots) ||
        (part == NN_GRAD && !trains(m->slots)))
        return st_fail(ST_INTERNAL, "no tensor %d of part %d, slot %d", tensor, (int)part, slot);
    struct ocl_buf *const buf[] = {[NN_PARAM] = m->params, [NN_GRAD] = m->grads, [NN_STATE] = m->state,
                                   [NN_SLOT] = m->moments};
    *out = flat(buf[part], t.param);
    if (part == NN_SLOT)
        out->off += (size_t)slot * m->params_n;
    return ST_OK;
}

enum st nn_module_read(struct nn_module *m, int tensor, enum nn_part part, int slot, float *out)
{
    struct mx_tensor t;
    enum st s = find_tensor(m, tensor, part, slot, &t);
    return s != ST_OK ? s : ocl_read(m->queue, t.buf, 4 * t.off, 4 * (size_t)t.cols, out);
}

enum st nn_module_write(struct nn_module *m, int tensor, enum nn_part part, int slot, const float *in)
{
    struct mx_tensor t;
    enum st s = ST_OK;
    TRY(find_tensor(m, tensor, part, slot, &t));
    TRY(ocl_write(m->queue, t.buf, 4 * t.off, 4 * (size_t)t.cols, in));
    TRY(ocl_wait(m->queue)); /* `in` is the caller's again */
out:
    return s;
}

static enum st init_tensor(struct nn_module *m, int tensor, uint64_t seed)
{
    enum st s = ST_OK;
    struct nn_tensor t = nn_tensor_at(m->net, tensor);
    struct rng r;
    float *values = NULL;
    TRY(NEW(values, t.param->count));
    rng_init(&r, seed, (uint64_t)tensor);
    for (size_t i = 0; i < t.param->count; i++)
        switch (t.param->init) {
        case NN_ZERO:
            break;
        case NN_ONE:
            values[i] = 1;
            break;
        case NN_UNIFORM:
            values[i] = (float)(t.param->bound * (2 * rng_unit(&r) - 1));
            break;
        }
    TRY(nn_module_write(m, tensor, t.is_state ? NN_STATE : NN_PARAM, 0, values));
out:
    mem_free(values);
    return s;
}

enum st nn_module_init(struct nn_module *m, uint64_t seed)
{
    enum st s = ST_OK;
    for (int i = 0; i < nn_tensor_count(m->net); i++)
        TRY(init_tensor(m, i, seed));
out:
    return s;
}

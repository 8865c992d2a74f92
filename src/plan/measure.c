/*
 * What layers cost on devices: each is made a net of its own and timed, many calls in a row with one wait behind them,
 * the best of several such windows. Gradients that come from above are zeros, which stay zeros however often a call is
 * repeated; the rate is 0, so that weights stay as they were drawn.
 */
#include "inside.h"

#include <string.h>

enum { WINDOWS = 7, CALLS_MIN = 2, CALLS_MAX = 1000, MESSAGE_SMALL = 4096, MESSAGE_MOST = 1 << 24 };
static const double window_ns = 5e6;

/* Layers on a device, with what they are fed. */
struct probe {
    const struct nn_net *whole;
    const struct nn_optimizer *optimizer;
    struct ocl_device *device;
    struct ocl_queue *queue;
    struct mx *mx;
    int batch;
    bool first, last; /* gathers the batch; computes the loss */
    struct nn_net *net;
    struct nn_module *module;
    struct ocl_buf *x, *labels, *per_row, *pixels, *pixel_labels, *scale;
    struct ocl_pinned *host; /* of messages */
    struct ocl_buf *message;
    size_t message_bytes;
};

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static enum st fill_buffer(struct probe *p, const void *data, size_t bytes, struct ocl_buf **out)
{
    enum st s = ST_OK;
    TRY(ocl_buf_create(p->device, bytes, out));
    TRY(ocl_write(p->queue, *out, 0, bytes, data));
    TRY(ocl_wait(p->queue));
out:
    return s;
}

/* Random pictures with labels, and the x of layers that are not the first. */
static enum st open_inputs(struct probe *p)
{
    enum st s = ST_OK;
    size_t n = (size_t)p->batch, size = (size_t)nn_size(p->net->input), classes = (size_t)p->whole->classes;
    float *x = NULL, *scale = NULL;
    uint8_t *pixels = NULL;
    uint32_t *labels = NULL;
    struct rng r;
    rng_init(&r, 1, 0);
    TRY(NEW(x, n * size));
    TRY(NEW(pixels, n * size));
    TRY(NEW(labels, n));
    TRY(NEW(scale, 2 * (size_t)p->net->input.c));
    for (size_t i = 0; i < n * size; i++) {
        x[i] = (float)(2 * rng_unit(&r) - 1);
        pixels[i] = (uint8_t)rng_u32(&r);
    }
    for (size_t i = 0; i < n; i++)
        labels[i] = rng_below(&r, (uint32_t)classes);
    for (int c = 0; c < p->net->input.c; c++)
        scale[c] = 1.0f / 255;
    TRY(fill_buffer(p, x, n * size * sizeof *x, &p->x));
    TRY(fill_buffer(p, labels, n * sizeof *labels, &p->labels));
    TRY(fill_buffer(p, scale, 2 * (size_t)p->net->input.c * sizeof *scale, &p->scale));
    TRY(fill_buffer(p, pixels, n * size, &p->pixels));
    memset(pixels, 0, n * size);
    TRY(fill_buffer(p, pixels, n, &p->pixel_labels)); /* all of class 0 */
    TRY(ocl_buf_create(p->device, 2 * n * sizeof(float), &p->per_row));
out:
    mem_free(x);
    mem_free(pixels);
    mem_free(labels);
    mem_free(scale);
    return s;
}

static enum st open_layers(struct probe *p, int first, int count)
{
    enum st s = ST_OK;
    p->first = first == 0;
    p->last = first + count == p->whole->layer_count;
    TRY(nn_net_layers(p->whole, first, count, &p->net));
    TRY(nn_module_open(p->net, p->mx, p->batch, p->optimizer->slots, 1, &p->module));
    TRY(nn_module_init(p->module, 1));
    TRY(open_inputs(p));
    if (p->first)
        TRY(mx_prepare(p->mx, MX_GATHER, MX_IDENTITY));
    if (p->last)
        TRY(mx_prepare(p->mx, p->whole->loss->op, MX_IDENTITY));
    TRY(mx_prepare(p->mx, MX_OPTIMIZER, MX_IDENTITY));
out:
    return s;
}

static void close_layers(struct probe *p)
{
    struct ocl_buf **const all[] = {&p->x, &p->labels, &p->per_row, &p->pixels, &p->pixel_labels, &p->scale};
    (void)!ocl_wait(p->queue); /* where even waiting fails, nothing runs any more */
    nn_module_close(p->module);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        ocl_buf_free(*all[i]);
        *all[i] = NULL;
    }
    nn_net_free(p->net);
    p->module = NULL;
    p->net = NULL;
}

/* ---- what is timed ----------------------------------------------------------------------------------------------- */

static struct mx_tensor probe_x(const struct probe *p)
{
    return mx_view(p->x, 0, p->batch, nn_size(p->net->input));
}

static struct nn_pass probe_pass(const struct probe *p)
{
    return (struct nn_pass){.rows = p->batch, .training = true, .seed = 1};
}

static enum st run_forward(struct probe *p, struct mx_tensor *y)
{
    enum st s = ST_OK;
    struct nn_pass pass = probe_pass(p);
    struct mx_gather g = {.pixels = p->pixels, .labels = p->pixel_labels, .scale = p->scale,
                          .channels = p->net->input.c, .hw = p->net->input.h * p->net->input.w};
    if (p->first)
        TRY(mx_gather(p->mx, &g, probe_x(p), p->labels));
    TRY(nn_module_forward(p->module, &pass, probe_x(p), y));
out:
    return s;
}

static enum st enqueue_forward(struct probe *p)
{
    struct mx_tensor y;
    enum st s = run_forward(p, &y);
    return s != ST_OK ? s : ocl_flush(p->queue);
}

static enum st enqueue_step(struct probe *p)
{
    enum st s = ST_OK;
    struct nn_pass pass = probe_pass(p);
    struct mx_tensor y, dx, delta = nn_module_delta(p->module, p->batch);
    struct nn_update update = {.momentum = 0.9, .t = 1};
    TRY(run_forward(p, &y));
    if (p->last)
        TRY(p->whole->loss->measure(p->mx, y, p->labels, delta, mx_view(p->per_row, 0, 2, p->batch)));
    TRY(nn_module_backward(p->module, &pass, probe_x(p), p->first ? NULL : &dx));
    TRY(p->optimizer->step(p->mx, p->module, &update));
    TRY(ocl_flush(p->queue));
out:
    return s;
}

/* As training does it. */
static enum st enqueue_chained_step(struct probe *p)
{
    ocl_chain_begin(p->queue);
    return ocl_chain_end(p->queue, enqueue_step(p));
}

static enum st pass_message(struct probe *p)
{
    enum st s = ST_OK;
    TRY(ocl_read(p->queue, p->message, 0, p->message_bytes, ocl_pinned_data(p->host)));
    TRY(ocl_write(p->queue, p->message, 0, p->message_bytes, ocl_pinned_data(p->host)));
    TRY(ocl_wait(p->queue));
out:
    return s;
}

static enum st time_calls(struct probe *p, enum st (*enqueue)(struct probe *p), int calls, double *ns)
{
    enum st s = ST_OK;
    uint64_t start = clock_ns();
    for (int i = 0; i < calls; i++)
        TRY(enqueue(p));
    TRY(ocl_wait(p->queue));
    *ns = (double)(clock_ns() - start) / calls;
out:
    return s;
}

static enum st measure(struct probe *p, enum st (*enqueue)(struct probe *p), double *best_ns)
{
    enum st s = ST_OK;
    double ns, once;
    TRY(time_calls(p, enqueue, 1, &once)); /* touches what the first call does */
    TRY(time_calls(p, enqueue, 2, &once));
    double calls = once > 0 ? window_ns / once : CALLS_MAX;
    int n = calls < CALLS_MIN ? CALLS_MIN : calls > CALLS_MAX ? CALLS_MAX : (int)calls;
    for (int i = 0; i < WINDOWS; i++) {
        TRY(time_calls(p, enqueue, n, &ns));
        *best_ns = i == 0 || ns < *best_ns ? ns : *best_ns;
    }
out:
    return s;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* Layer i with the activation that it computes along. */
static int unit_layers(const struct nn_net *net, int i)
{
    return i + 1 < net->layer_count && net->layer[i + 1].fused ? 2 : 1;
}

static bool same_shape(struct nn_shape a, struct nn_shape b)
{
    return a.c == b.c && a.h == b.h && a.w == b.w;
}

static bool same_activation(struct mx_activation a, struct mx_activation b)
{
    return a.kind == b.kind && a.slope == b.slope;
}

static bool same_work(const struct nn_layer *a, const struct nn_layer *b)
{
    for (int i = 0; i < NN_OPTIONS_MAX && a->kind->options[i].key; i++)
        if (a->kind != b->kind || a->option[i] != b->option[i])
            return false;
    return a->kind == b->kind && same_shape(a->in, b->in) && same_shape(a->out, b->out) &&
           same_activation(a->phi, b->phi) && same_activation(a->below, b->below) && a->given_da == b->given_da;
}

/* An earlier layer that does the same work; the first and the last layer do something besides. -1: none. */
static int find_equal(const struct nn_net *net, int i)
{
    for (int k = 1; k < i && i + unit_layers(net, i) < net->layer_count; k++)
        if (!net->layer[k].fused && k > 0 && same_work(&net->layer[k], &net->layer[i]))
            return k;
    return -1;
}

static enum st measure_layer(struct probe *p, int i, struct plan_layer_cost *cost)
{
    enum st s = ST_OK;
    double step;
    TRY(open_layers(p, i, unit_layers(p->whole, i)));
    TRY(measure(p, enqueue_forward, &cost->forward_ns));
    TRY(measure(p, enqueue_step, &step));
    cost->backward_ns = step > cost->forward_ns ? step - cost->forward_ns : 0;
out:
    close_layers(p);
    return s;
}

static enum st measure_whole(struct probe *p, double *ns)
{
    enum st s = ST_OK;
    const struct ocl_facts *f = ocl_device_facts(p->device);
    struct nn_memory m;
    *ns = 0;
    TRY(nn_memory_plan(p->whole, p->mx, p->batch, p->optimizer->slots, 1, &m));
    const uint64_t buffers[] = {m.params, m.slots, m.activations, m.deltas, m.scratch};
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        if (!ocl_fits(f, nn_memory_total(&m), buffers[i]))
            return ST_OK;
    TRY(open_layers(p, 0, p->whole->layer_count));
    ocl_chain_at_once(p->queue);
    TRY(measure(p, enqueue_chained_step, ns));
out:
    close_layers(p);
    return s;
}

/* Single layers find their data in caches more often, and are launched more often, than within the whole. */
static void scale_to_whole(const struct plan_costs *c, int d)
{
    double sum = 0;
    struct plan_layer_cost *cost = c->cost + (size_t)d * (size_t)c->layers;
    for (int i = 0; i < c->layers; i++)
        sum += cost[i].forward_ns + cost[i].backward_ns;
    for (int i = 0; i < c->layers && sum > 0 && c->whole_ns[d] > 0; i++) {
        cost[i].forward_ns *= c->whole_ns[d] / sum;
        cost[i].backward_ns *= c->whole_ns[d] / sum;
    }
}

static double forward_ns_per_mac(const struct nn_net *net, const struct plan_costs *c, int d)
{
    double ns = 0, macs = 0;
    for (int i = 0; i < c->layers; i++)
        if (net->layer[i].macs > 0) {
            ns += c->cost[(size_t)d * (size_t)c->layers + (size_t)i].forward_ns;
            macs += (double)net->layer[i].macs * c->batch;
        }
    return macs > 0 ? ns / macs : 0;
}

/* ---- links ------------------------------------------------------------------------------------------------------- */

static enum st measure_link(struct probe *p, const struct plan_costs *c, int d)
{
    enum st s = ST_OK;
    double small = 0, large = 0, most = 0;
    for (int i = 1; i < c->layers; i++)
        most = c->message_bytes[i] > most ? c->message_bytes[i] : most;
    size_t bytes = most > MESSAGE_MOST ? MESSAGE_MOST : most > 4 * MESSAGE_SMALL ? (size_t)most : 4 * MESSAGE_SMALL;
    TRY(ocl_buf_create(p->device, bytes, &p->message));
    TRY(ocl_zero(p->queue, p->message, 0, bytes / 4 * 4));
    TRY(ocl_pinned_open(p->queue, bytes, &p->host));
    p->message_bytes = MESSAGE_SMALL;
    TRY(measure(p, pass_message, &small));
    p->message_bytes = bytes;
    TRY(measure(p, pass_message, &large));
    c->ns_per_byte[d] = large > small ? (large - small) / (double)(bytes - MESSAGE_SMALL) : 0;
    c->link_ns[d] = small > MESSAGE_SMALL * c->ns_per_byte[d] ? small - MESSAGE_SMALL * c->ns_per_byte[d] : 0;
out:
    (void)!ocl_wait(p->queue); /* nothing may use them any more */
    ocl_buf_free(p->message);
    ocl_pinned_free(p->host);
    p->message = NULL;
    p->host = NULL;
    return s;
}

/* ---- devices ----------------------------------------------------------------------------------------------------- */

static bool same_device(const struct ocl_device *a, const struct ocl_device *b)
{
    const struct ocl_facts *f = ocl_device_facts(a), *g = ocl_device_facts(b);
    return f->platform == g->platform && f->index == g->index && f->compute_units == g->compute_units;
}

/* All of the real device's own times. */
static enum st measure_device(struct probe *p, const struct plan_costs *c, int d)
{
    enum st s = ST_OK;
    struct plan_layer_cost *cost = c->cost + (size_t)d * (size_t)c->layers;
    for (int i = 0; i < c->layers; i++) {
        int equal = p->whole->layer[i].fused ? -1 : find_equal(p->whole, i);
        if (equal >= 0)
            cost[i] = cost[equal];
        else if (!p->whole->layer[i].fused)
            TRY(measure_layer(p, i, &cost[i]));
    }
    TRY(measure_whole(p, &c->whole_ns[d]));
    scale_to_whole(c, d);
    c->ns_per_mac[d] = forward_ns_per_mac(p->whole, c, d);
    TRY(measure_link(p, c, d));
out:
    return s;
}

/* The same, kept or measured. */
static enum st find_device(struct probe *p, const struct plan_costs *c, int d, struct plan_kept *kept)
{
    enum st s = ST_OK;
    struct kept_file *file = NULL;
    const struct device_costs own = {c->layers, c->cost + (size_t)d * (size_t)c->layers, &c->whole_ns[d],
                                     &c->ns_per_mac[d], &c->link_ns[d], &c->ns_per_byte[d]};
    TRY(ocl_queue_open(p->device, &p->queue));
    TRY(mx_open(p->queue, NULL, &p->mx));
    if (kept)
        TRY(kept_open(p->whole, p->mx, p->batch, p->optimizer->name, kept, &file));
    if (file && !kept->fresh && kept_read(file, kept, &own))
        goto out;
    TRY(measure_device(p, c, d));
    if (kept)
        TRY(kept_write(file, kept, &own));
out:
    kept_close(file);
    mx_close(p->mx);
    ocl_queue_close(p->queue);
    return s;
}

static void copy_device(const struct plan_costs *c, int from, int to)
{
    size_t n = (size_t)c->layers;
    memcpy(c->cost + (size_t)to * n, c->cost + (size_t)from * n, n * sizeof *c->cost);
    c->whole_ns[to] = c->whole_ns[from];
    c->ns_per_mac[to] = c->ns_per_mac[from];
    c->link_ns[to] = c->link_ns[from];
    c->ns_per_byte[to] = c->ns_per_byte[from];
}

static void emulate_device(const struct plan_costs *c, const struct ocl_emulation *e, int d)
{
    struct plan_layer_cost *cost = c->cost + (size_t)d * (size_t)c->layers;
    for (int i = 0; i < c->layers; i++) {
        cost[i].forward_ns *= e->slowness;
        cost[i].backward_ns *= e->slowness;
    }
    c->whole_ns[d] *= e->slowness;
    c->ns_per_mac[d] *= e->slowness;
    c->link_ns[d] *= e->slowness;
    c->ns_per_byte[d] *= e->slowness;
    c->emulated[d] = true;
    c->latency_ns[d] = e->latency_ns;
    c->flight_ns_per_byte[d] = e->bytes_per_ns > 0 ? 1 / e->bytes_per_ns : 0;
}

static enum st plan_memory(struct probe *p, const struct plan_costs *c)
{
    enum st s = ST_OK;
    struct nn_memory m;
    TRY(ocl_queue_open(p->device, &p->queue));
    TRY(mx_open(p->queue, NULL, &p->mx));
    for (int i = 0; i < c->layers; i++) {
        if (p->whole->layer[i].fused)
            continue;
        TRY(nn_net_layers(p->whole, i, unit_layers(p->whole, i), &p->net));
        TRY(nn_memory_plan(p->net, p->mx, p->batch, p->optimizer->slots, 1, &m));
        c->memory[i] = nn_memory_total(&m);
        nn_net_free(p->net);
        p->net = NULL;
    }
out:
    nn_net_free(p->net);
    mx_close(p->mx);
    ocl_queue_close(p->queue);
    return s;
}

enum st plan_measure(const struct nn_net *net, const struct plan_device *devices, int n, int batch,
                     const char *optimizer, struct plan_kept *kept, struct plan_costs *out)
{
    enum st s = ST_OK;
    struct plan_costs c = {0};
    struct probe p = {.whole = net, .batch = batch, .optimizer = nn_optimizer_find(optimizer)};
    if (!p.optimizer)
        TRY(st_fail(ST_INPUT, "optimizer '%s' is unknown", optimizer));
    TRY(plan_costs_new(net->layer_count, n, batch, &c));
    if (kept)
        *kept = (struct plan_kept){.fresh = kept->fresh, .version = kept->version, .kept = true};
    for (int i = 1; i < c.layers; i++)
        c.message_bytes[i] = 4.0 * batch * nn_size(net->layer[i].in);
    for (int d = 0; d < n; d++) {
        int same = 0;
        while (same < d && !same_device(devices[same].device, devices[d].device))
            same++;
        struct probe own = p;
        own.device = devices[d].device;
        if (d == 0) {
            struct probe memory = own;
            TRY(plan_memory(&memory, &c));
        }
        if (same < d)
            copy_device(&c, same, d);
        else
            TRY(find_device(&own, &c, d, kept));
    }
    for (int d = 0; d < n; d++) /* not before all that share a device have its own times */
        if (devices[d].emulation.slowness > 0)
            emulate_device(&c, &devices[d].emulation, d);
    *out = c;
    c = (struct plan_costs){0};
out:
    plan_costs_free(&c);
    return s;
}

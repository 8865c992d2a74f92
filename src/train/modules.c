/* Opening a net in modules: couplings, what each device has to hold, buffers, mailboxes. */
#include "team.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Messages that may be outside the mailbox up: being worked on, prepared, or to be sent back; and of those that came
 * back, how many more than the ring holds may still be on their way to the device. */
enum { SPARE = 6, BEHIND = 2 };

/* ---- couplings --------------------------------------------------------------------------------------------------- */

enum st train_couplings(const struct nn_net *net, const char *words, struct sg_spec out[PLAN_MODULES_MAX])
{
    enum st s = ST_OK;
    if (net->section_count > PLAN_MODULES_MAX)
        TRY(st_fail(ST_INPUT, "%s: %d modules, %d at most", net->origin, net->section_count, PLAN_MODULES_MAX));
    for (int k = 0; k + 1 < net->section_count; k++) {
        const struct nn_section *section = &net->section[k];
        bool own = section->coupling[0] && !words;
        s = sg_spec_parse(own ? section->coupling : words ? words : "", &out[k]);
        s = own ? st_context(s, "%s:%d", net->origin, section->line) : st_context(s, "--couple");
        TRY(s);
    }
out:
    return s;
}

/* A batch in micro-batches is for all modules or none. */
static enum st check_couplings(struct team *team, const struct nn_net *net, int batch)
{
    team->micro = 1;
    team->batch_min = batch_min_of(net);
    for (int k = 0; k + 1 < team->n; k++) {
        int micro = sg_micro_batches(&team->placement.coupling[k]);
        if (k > 0 && micro != team->micro)
            return st_fail(ST_INPUT, "%s:%d: a pipeline of %d micro-batches meets one of %d: all cuts must be alike",
                           net->origin, net->section[k].line, micro, team->micro);
        team->micro = micro;
        int least = sg_batch_min(&team->placement.coupling[k]);
        team->batch_min = least > team->batch_min ? least : team->batch_min;
    }
    int most = 2 * team->batch_min - 1; /* of a batch that is too small to be cut */
    team->rows_max = (batch + team->micro - 1) / team->micro;
    team->ring = team->placement.queue + team->micro + SPARE;
    if (team->micro > 1 && (team->rows_max < most || batch < team->micro))
        return st_fail(ST_INPUT, "micro=%d is too much for a batch of %d: %d sample%s a micro-batch at least",
                       team->micro, batch, most, plural((uint64_t)most));
    return ST_OK;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Adds what a module needs to *sum; *own: with pictures. */
static enum st plan_worker(const struct worker *w, bool streams, struct train_memory *sum, uint64_t *own)
{
    enum st s = ST_OK;
    const struct team *team = w->team;
    uint64_t rows = (uint64_t)team->rows_max, micro = (uint64_t)team->micro, coupling = 0;
    uint64_t in = (uint64_t)nn_size(w->net->input), out = (uint64_t)w->net->classes;
    struct nn_memory m;
    TRY(nn_memory_plan(w->net, w->mx, team->rows_max, team->train->optimizer->slots, team->micro, &m));
    if (w->spec && sg_net_wanted(w->spec))
        TRY(sg_memory_plan(w->spec, w->mx, w->net->classes, team->train->net->classes, team->rows_max, team->ring,
                           &coupling));
    uint64_t batch = micro * rows * 4 * (in + 1) + (w->spec ? rows * 4 * out : rows * 8);
    if (team->micro > 1)
        batch += m.params;
    uint64_t largest, pictures = w->index == 0 ? pictures_bytes(team->train, streams, &largest) : 0;
    char who[32];
    snprintf(who, sizeof who, "module %d", w->index);
    TRY(ocl_check_fits(w->place->device, 0, largest_buffer(&m), who,
                       "take a smaller --batch or net, or cut it elsewhere"));
    *own = nn_memory_total(&m) + coupling + batch + pictures;
    sum->net.params += m.params;
    sum->net.grads += m.grads;
    sum->net.slots += m.slots;
    sum->net.state += m.state;
    sum->net.activations += m.activations;
    sum->net.deltas += m.deltas;
    sum->net.scratch += m.scratch;
    sum->couplings += coupling;
    sum->batch += batch;
    sum->pictures += pictures;
    sum->total += *own;
out:
    return s;
}

/* Whether the pictures, which the lowest module has, go into buffers of its device. */
static bool pictures_fit(const struct team *team, bool streams)
{
    const struct ocl_facts *f = ocl_device_facts(team->worker[0].place->device);
    uint64_t largest;
    (void)pictures_bytes(team->train, streams, &largest);
    return ocl_fits(f, 0, largest);
}

/* What each real device has to hold, against what it has; *fits false where that is too much. */
static enum st plan_devices(struct team *team, bool streams, struct train_memory *m, bool *fits)
{
    enum st s = ST_OK;
    uint64_t own[PLAN_MODULES_MAX];
    *m = (struct train_memory){.streams = streams};
    *fits = pictures_fit(team, streams);
    for (int k = 0; k < team->n; k++)
        TRY(plan_worker(&team->worker[k], streams, m, &own[k]));
    for (int k = 0; k < team->n; k++) {
        struct ocl_device *d = team->worker[k].place->device;
        uint64_t here = 0;
        bool counted = false;
        for (int i = 0; i < team->n; i++) {
            here += team->worker[i].place->device == d ? own[i] : 0;
            counted = counted || (i < k && team->worker[i].place->device == d);
        }
        m->available += counted ? 0 : ocl_device_facts(d)->memory_bytes;
        *fits = *fits && ocl_fits(ocl_device_facts(d), here, 0);
        if (streams)
            TRY(ocl_check_fits(d, here, 0, "the part of the run", "take a smaller --batch or net, or more devices"));
    }
out:
    return s;
}

/* ---- workers ----------------------------------------------------------------------------------------------------- */

static enum st open_queue(struct team *team, int k)
{
    enum st s = ST_OK;
    struct worker *w = &team->worker[k];
    const struct train_placement *p = &team->placement;
    w->team = team;
    w->index = k;
    w->place = &team->place[p->on[k]];
    w->spec = k + 1 < team->n ? &p->coupling[k] : NULL;
    w->window_steps = 1;
    if (team->emulator) /* a real device among emulated ones is emulated too, as fast as it is */
        TRY(ocl_emulated_open(team->emulator, fmax(1, w->place->emulation.slowness), &w->emulated));
    TRY(nn_net_section(team->train->net, k, &w->net));
    TRY(ocl_queue_open(w->place->device, &w->queue));
    TRY(mx_open(w->queue, NULL, &w->mx));
out:
    return s;
}

static struct sg_link link_between(const struct worker *a, const struct worker *b)
{
    const struct ocl_emulation *e = &a->place->emulation, *f = &b->place->emulation;
    if (a->place == b->place)
        return (struct sg_link){0};
    const struct ocl_emulation *slow = e->slowness > 0 ? e : f;
    return (struct sg_link){.latency_ns = slow->latency_ns, .bytes_per_ns = slow->bytes_per_ns};
}

static enum st open_mailboxes(struct team *team, int k)
{
    enum st s = ST_OK;
    struct worker *below = &team->worker[k], *above = &team->worker[k + 1];
    int queue = team->placement.queue > team->micro ? team->placement.queue : team->micro;
    struct sg_link link = link_between(below, above);
    TRY(sg_mailbox_open(below->queue, queue, team->rows_max, below->net->classes, true, link, &below->to_above));
    above->from_below = below->to_above;
    if (team->emulator)
        sg_mailbox_emulate(below->to_above, &below->emulated, &above->emulated);
    if (sg_wants_targets(below->spec)) {
        TRY(sg_mailbox_open(above->queue, team->ring + BEHIND, team->rows_max, below->net->classes, false, link,
                            &above->to_below));
        below->from_above = above->to_below;
        if (team->emulator)
            sg_mailbox_emulate(above->to_below, &above->emulated, &below->emulated);
    }
out:
    return s;
}

static enum st open_buffers(struct worker *w)
{
    enum st s = ST_OK;
    const struct team *team = w->team;
    const struct train *t = team->train;
    struct ocl_device *d = w->place->device;
    size_t rows = (size_t)team->rows_max, micro = (size_t)team->micro;
    TRY(NEW(w->listen, OCL_TRACE_MAX));
    TRY(NEW(w->span, SPANS_MAX));
    TRY(NEW(w->host_labels, micro * rows));
    TRY(ocl_buf_create(d, 4 * micro * rows * (size_t)nn_size(w->net->input), &w->x));
    for (size_t i = 0; i < micro; i++)
        TRY(ocl_buf_create(d, 4 * rows, &w->labels[i]));
    TRY(nn_module_open(w->net, w->mx, team->rows_max, t->optimizer->slots, team->micro, &w->module));
    TRY(mx_prepare(w->mx, MX_OPTIMIZER, MX_IDENTITY));
    if (team->micro > 1) {
        TRY(mx_prepare(w->mx, MX_BLEND, MX_IDENTITY));
        TRY(ocl_buf_create(d, 4 * (size_t)nn_module_grads(w->module).cols, &w->sum_grads));
    }
    if (w->spec && sg_net_wanted(w->spec)) {
        TRY(sg_open(w->spec, w->queue, w->net->classes, t->net->classes, team->rows_max, team->ring, &w->coupling));
        TRY(ocl_buf_create(d, 4 * rows * (size_t)w->net->classes, &w->target));
    }
    if (!w->spec) {
        TRY(ocl_buf_create(d, 8 * rows, &w->per_row));
        TRY(ocl_buf_create(d, sizeof w->meter, &w->meter_buf));
        TRY(mx_prepare(w->mx, w->net->loss->op, MX_IDENTITY));
        TRY(mx_prepare(w->mx, MX_COLUMNS, MX_IDENTITY));
    }
out:
    return s;
}

static enum st open_feeds(struct worker *w, const struct train_scaling *scaling)
{
    enum st s = ST_OK;
    const struct train *t = w->team->train;
    int channels = scaling->channels, hw = nn_size(w->net->input) / channels;
    TRY(ocl_buf_create(w->place->device, 2 * (size_t)channels * sizeof(float), &w->scale));
    TRY(write_scale(w->queue, scaling, w->scale));
    TRY(mx_prepare(w->mx, MX_GATHER, MX_IDENTITY));
    for (int i = 0; i < 3; i++)
        if (split_of(t->set, i)->n > 0)
            TRY(feed_open(w->mx, split_of(t->set, i), channels, hw, t->batch, i == TRAIN_TRAINING, w->team->streams,
                          &w->feed[i]));
out:
    return s;
}

static void close_worker(struct worker *w)
{
    if (w->queue)
        (void)!ocl_wait(w->queue);
    sg_close(w->coupling);
    for (int i = 0; i < 3; i++)
        feed_close(&w->feed[i]);
    nn_module_close(w->module);
    struct ocl_buf *const all[] = {w->x, w->target, w->sum_grads, w->scale, w->per_row, w->meter_buf};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        ocl_buf_free(all[i]);
    for (int i = 0; i < SETS_MAX; i++)
        ocl_buf_free(w->labels[i]);
    sg_mailbox_close(w->to_above);
    sg_mailbox_close(w->to_below);
    ocl_emulated_close(&w->emulated);
    mx_close(w->mx);
    ocl_queue_close(w->queue);
    nn_net_free(w->net);
    mem_free(w->host_labels);
    mem_free(w->listen);
    mem_free(w->span);
}

/* ---- teams ------------------------------------------------------------------------------------------------------- */

static enum st open_team(struct team *team, const struct train_scaling *scaling, struct train_memory *memory)
{
    enum st s = ST_OK;
    const struct train *t = team->train;
    struct train_memory m = {0};
    bool fits = false;
    TRY(monitor_open(&team->changed));
    TRY(NEW(team->worker, (size_t)team->n));
    for (int k = 0; k < team->n && !team->emulator; k++)
        if (team->place[team->placement.on[k]].emulation.slowness > 0)
            TRY(ocl_emulator_open(&team->emulator));
    for (int k = 0; k < team->n; k++)
        TRY(open_queue(team, k));
    s = plan_devices(team, t->options->stream, &m, &fits);
    if (s == ST_OK && !fits)
        s = plan_devices(team, true, &m, &fits);
    if (memory)
        *memory = m;
    TRY(s);
    team->streams = m.streams;
    for (int k = 0; k < team->n; k++)
        TRY(open_buffers(&team->worker[k]));
    for (int k = 0; k + 1 < team->n; k++)
        TRY(open_mailboxes(team, k));
    TRY(open_feeds(&team->worker[0], scaling));
out:
    return s;
}

enum st train_open_modules(const struct train_placement *placement, const struct nn_net *net,
                           const struct train_options *options, const struct data_set *set,
                           const struct train_scaling *scaling, struct train_memory *memory, struct train **out)
{
    enum st s = ST_OK;
    struct train *t = NULL;
    TRY(train_check_options(options));
    TRY(train_check_set(net, set));
    if (placement->queue < 1 || placement->queue > TRAIN_QUEUE_MAX)
        TRY(st_fail(ST_INPUT, "--queue is %d, must be from 1 to %d", placement->queue, TRAIN_QUEUE_MAX));
    TRY(NEW(t, 1));
    t->net = net;
    t->options = options;
    t->optimizer = nn_optimizer_find(options->optimizer);
    t->set = set;
    t->batch = options->batch;
    TRY(NEW(t->team, 1));
    t->team->train = t;
    t->team->n = net->section_count;
    t->team->placement = *placement;
    memcpy(t->team->place, placement->device, (size_t)placement->device_count * sizeof *placement->device);
    TRY(check_couplings(t->team, net, t->batch));
    TRY(count_steps(t, t->team->batch_min));
    TRY(open_team(t->team, scaling, memory));
    *out = t;
    t = NULL;
out:
    train_close(t);
    return s;
}

void team_close(struct team *team)
{
    if (!team)
        return;
    /* a message is in memory that belongs to its sender's queue, and may be read by the receiver's */
    for (int k = 0; team->worker && k < team->n; k++)
        if (team->worker[k].queue)
            (void)!ocl_wait(team->worker[k].queue);
    for (int k = 0; team->worker && k < team->n; k++)
        close_worker(&team->worker[k]);
    ocl_emulator_close(team->emulator);
    monitor_close(team->changed);
    mem_free(team->worker);
    mem_free(team->all_spans);
    mem_free(team);
}

enum st team_init(struct team *team)
{
    enum st s = ST_OK;
    const struct train *t = team->train;
    for (int k = 0; k < team->n; k++) {
        struct worker *w = &team->worker[k];
        w->updates = 0;
        for (int i = 0; i < t->optimizer->slots; i++) {
            struct mx_tensor slot = nn_module_slot(w->module, i);
            TRY(ocl_zero(w->queue, slot.buf, 4 * slot.off, 4 * (size_t)slot.cols));
        }
        TRY(nn_module_init(w->module, t->options->seed));
        if (w->coupling)
            TRY(sg_init(w->coupling, t->options->seed, k));
    }
out:
    return s;
}

/* Where the modules of a net train: devices, cuts and couplings, from the net, the command line and measurements. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

enum st couplings_of(const struct nn_net *net, const char *words, struct sg_spec out[PLAN_MODULES_MAX])
{
    if (net->section_count > 1)
        return train_couplings(net, words, out);
    return st_context(sg_spec_parse(words ? words : "", &out[0]), "--couple");
}

uint64_t module_macs(const struct nn_net *net, const struct sg_spec *spec, int k, int batch)
{
    const struct nn_section *s = &net->section[k];
    const struct nn_layer *layer = &net->layer[s->first], *above = layer + s->count;
    bool top = k + 1 == net->section_count;
    uint64_t forward = 0;
    for (const struct nn_layer *l = layer; l < above; l++)
        forward += l->macs;
    /* weights' gradients, and inputs', of which the lowest is wanted only where someone below does */
    uint64_t backward = 2 * forward - (k > 0 && sg_wants_targets(&spec[k - 1]) ? 0 : layer->macs);
    if (top)
        return forward + backward;
    double updated = sg_frozen(&spec[k]) ? 0 : sg_update_probability(&spec[k]);
    /* a coupling works where it guesses; one that learns from targets, as often as the module above sends one */
    double works = updated;
    if (sg_wants_targets(&spec[k]))
        works = k + 2 == net->section_count ? 1 : sg_update_probability(&spec[k + 1]);
    uint64_t coupling = sg_macs(&spec[k], nn_size(above->in), net->classes, batch);
    return forward + (uint64_t)(updated * (double)backward + works * (double)coupling);
}

void couplings_cost(const struct nn_net *net, const struct sg_spec *spec, struct plan_costs *costs)
{
    for (int i = 1, k = 0; i < net->layer_count; i++) {
        while (k + 2 < net->section_count && net->section[k + 1].first < i)
            k++; /* the section that a cut here would be behind */
        costs->coupling_macs[i] = sg_macs(&spec[k], nn_size(net->layer[i].in), net->classes, costs->batch);
    }
}

/* The plan's choice becomes the placement; cuts that it chose go into the net's text. */
static enum st take_plan(struct modules *m, const struct nn_net *net, const char *couple)
{
    enum st s = ST_OK;
    int at[PLAN_MODULES_MAX];
    for (int k = 0; k < m->plan.modules; k++) {
        m->placement.on[k] = m->plan.module[k].device;
        if (k > 0)
            at[k - 1] = m->plan.module[k].first;
    }
    if (net->section_count == 1 && m->plan.modules > 1) {
        TRY(nn_net_split(net, at, m->plan.modules - 1, couple ? couple : "csg", &m->split));
        m->cut = true;
    }
out:
    return s;
}

/* Whether the net's cuts and words, or its being on the only device, leave nothing to choose; then that is taken. */
static bool take_pinned(struct modules *m, const struct nn_net *net, const struct cuts_demand *d)
{
    if (d->wish.modules > net->section_count)
        return false;
    for (int k = 0; k < net->section_count; k++) {
        m->placement.on[k] = m->hold.n == 1 ? 0 : d->pinned[k];
        if (m->placement.on[k] < 0)
            return false;
    }
    return true;
}

/* The places of an earlier run, where all of them are here. */
static bool take_places(struct modules *m, const struct nn_net *net, const int *on)
{
    for (int k = 0; k < net->section_count; k++)
        if (on[k] >= m->hold.n)
            return false;
    memcpy(m->placement.on, on, sizeof m->placement.on);
    return true;
}

static enum st plan_modules(struct modules *m, const struct nn_net *net, const struct cuts_demand *d,
                            const struct modules_wish *w)
{
    enum st s = ST_OK;
    struct plan_costs costs = {0};
    TRY(plan_measure(net, m->hold.device, m->hold.n, w->batch, w->optimizer, &m->kept, &costs));
    couplings_cost(net, m->placement.coupling, &costs);
    TRY(plan_choose(net, &costs, &d->wish, &m->plan));
    TRY(take_plan(m, net, w->couple));
out:
    plan_costs_free(&costs);
    return s;
}

/* All modules on their places; what is refused is refused before anything is measured. */
static enum st place_modules(struct modules *m, const struct nn_net *net, const struct cuts *cuts,
                             const struct modules_wish *w)
{
    enum st s = ST_OK;
    struct cuts_demand d = {.wish.micro_batches = sg_micro_batches(&m->placement.coupling[0])};
    bool again = w->on && take_places(m, net, w->on), told = false;
    if (!again) {
        TRY(cuts_demand(cuts, &m->hold, net, &d));
        m->measured = !take_pinned(m, net, &d);
        told = m->measured || (w->figures && (m->hold.n > 1 || net->section_count > 1));
    }
    if (w->fresh && !told)
        TRY(st_fail(ST_INPUT, "--fresh has nothing to measure: the net, its one device, or --cuts and --on leave "
                    "nothing to choose"));
    for (int i = 0; i < m->hold.n; i++)
        TRY(tune_at_first_use(m->hold.device[i].device, w->no_tune));
    if (told)
        TRY(plan_modules(m, net, &d, w));
out:
    return s;
}

/* Where no cut can be, nothing waits, sends or is coupled. */
static enum st check_effect(const struct modules *m, const struct nn_net *net, const struct modules_wish *w)
{
    bool alone = net->section_count == 1 && (m->hold.n == 1 || w->cuts.modules == 1);
    if (!alone || !w->cut_option)
        return ST_OK;
    return st_fail(ST_INPUT, "%s has no effect here: the net is one module on one device (a cut in it, or several "
                   "devices, make more)", w->cut_option);
}

enum st modules_open(const struct nn_net *whole, const struct modules_wish *w, struct modules *m)
{
    enum st s = ST_OK;
    struct cuts cuts;
    *m = (struct modules){.kept = {.fresh = w->fresh, .version = cmd_version()}};
    TRY(cuts_open(whole, &w->cuts, w->couple, &cuts));
    m->split = cuts.split;
    m->cut = cuts.split != NULL;
    const struct nn_net *net = m->split ? m->split : whole;
    TRY(args_check("--queue", w->queue, 1, TRAIN_QUEUE_MAX));
    TRY(couplings_of(net, w->couple, m->placement.coupling));
    TRY(devices_open(w->devices, &m->hold));
    TRY(check_effect(m, net, w));
    m->placement.device = m->hold.device;
    m->placement.device_count = m->hold.n;
    m->placement.lockstep = w->lockstep;
    m->placement.queue = (int)w->queue;
    TRY(place_modules(m, net, &cuts, w));
    if (m->split)
        TRY(couplings_of(m->split, w->couple, m->placement.coupling));
out:
    if (s != ST_OK)
        modules_close(m);
    return s;
}

void modules_show(const struct modules *m, const struct nn_net *net, struct text *out)
{
    struct text words = {0};
    int first[PLAN_MODULES_MAX];
    if (m->hold.n == 1 && net->section_count == 1)
        return;
    for (int k = 0; k < net->section_count; k++)
        first[k] = net->section[k].first;
    cuts_show(m->cut ? first : NULL, m->placement.on, net->section_count, &words);
    text_add(out, "%s %s", m->cut ? "cuts:  " : "places:", words.s ? words.s : "");
    if (m->measured) {
        text_add(out, " (");
        kept_show(&m->kept, out);
        text_add(out, ")");
    }
    text_add(out, "\n");
    out->failed = out->failed || words.failed;
    text_free(&words);
}

void modules_close(struct modules *m)
{
    nn_net_free(m->split);
    devices_close(&m->hold);
    *m = (struct modules){0};
}

enum st modules_train(const struct modules *m, const struct nn_net *net, const struct train_options *options,
                      const struct data_set *set, const struct train_scaling *scaling, struct train_memory *memory,
                      struct train **out)
{
    const struct plan_device *first = &m->hold.device[m->placement.on[0]];
    if (net->section_count == 1 && first->emulation.slowness == 0)
        return train_open(first->device, net, options, set, scaling, options->batch, memory, out);
    return train_open_modules(&m->placement, net, options, set, scaling, memory, out);
}

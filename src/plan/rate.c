/* How fast a placement is expected to be, in four ways of training it. */
#include "inside.h"

static const double rounding = 1e-9; /* sums in another order */

double layer_ns(const struct plan_costs *c, int device, int layer)
{
    const struct plan_layer_cost *cost = &c->cost[(size_t)device * (size_t)c->layers + (size_t)layer];
    return cost->forward_ns + cost->backward_ns;
}

double message_ns(const struct plan_costs *c, int device, int cut)
{
    return c->link_ns[device] + c->ns_per_byte[device] * c->message_bytes[cut];
}

static double flight_ns(const struct plan_costs *c, int device, int cut)
{
    return c->flight_ns_per_byte[device] * c->message_bytes[cut];
}

struct load load_of(const struct plan_costs *c, int device, const struct run *r)
{
    struct load l = {.compute_ns = r->compute_ns};
    if (r->last < c->layers)
        l.coupling_ns = (double)c->coupling_macs[r->last] * c->batch * c->ns_per_mac[device];
    if (r->sends_up) { /* activations */
        l.message_ns = message_ns(c, device, r->last);
        l.flight_ns = flight_ns(c, device, r->last);
    }
    if (r->sends_down) { /* gradients */
        l.message_ns += message_ns(c, device, r->first);
        l.flight_ns = flight_ns(c, device, r->first) > l.flight_ns ? flight_ns(c, device, r->first) : l.flight_ns;
    }
    return l;
}

double load_pace(const struct plan_costs *c, int device, const struct load *l)
{
    double pace = l->compute_ns + l->coupling_ns;
    if (c->emulated[device])
        pace += l->message_ns;
    else if (l->message_ns > pace)
        pace = l->message_ns;
    return l->flight_ns > pace ? l->flight_ns : pace;
}

static void fill_module(const struct nn_net *net, const struct plan_costs *c, int first, int last, int device,
                        struct plan_module *m)
{
    *m = (struct plan_module){.first = first, .count = last - first, .device = device, .heaviest = first};
    for (int i = first; i < last; i++) {
        double ns = layer_ns(c, device, i);
        m->compute_ns += ns;
        m->memory += c->memory[i];
        if (!net->layer[i].fused && ns > m->heaviest_ns) {
            m->heaviest = i;
            m->heaviest_ns = ns;
        }
    }
}

/* What modules on one device are to it together; between neighbours there nothing is sent. */
static struct load device_load(const struct plan_costs *c, struct plan *p, int device)
{
    struct load sum = {0};
    for (int k = 0; k < p->modules; k++) {
        struct plan_module *m = &p->module[k];
        if (m->device != device)
            continue;
        struct run run = {.first = m->first, .last = m->first + m->count, .compute_ns = m->compute_ns};
        run.sends_down = k > 0 && p->module[k - 1].device != device;
        run.sends_up = k + 1 < p->modules && p->module[k + 1].device != device;
        struct load l = load_of(c, device, &run);
        m->coupling_ns = l.coupling_ns;
        m->message_ns = l.message_ns;
        sum.compute_ns += l.compute_ns;
        sum.coupling_ns += l.coupling_ns;
        sum.message_ns += l.message_ns;
        sum.flight_ns = l.flight_ns > sum.flight_ns ? l.flight_ns : sum.flight_ns;
    }
    return sum;
}

/* Nanoseconds of all messages of a step, up and down, one behind the other. */
static double all_messages_ns(const struct plan_costs *c, const struct plan *p)
{
    double ns = 0;
    for (int k = 1; k < p->modules; k++) {
        int cut = p->module[k].first;
        const int ends[] = {p->module[k - 1].device, p->module[k].device};
        for (int i = 0; i < 2 && ends[0] != ends[1]; i++)
            ns += message_ns(c, ends[i], cut) + flight_ns(c, ends[i], cut) + c->latency_ns[ends[i]];
    }
    return ns;
}

static double rate(double ns)
{
    return ns > 0 ? 1e9 / ns : 0;
}

static void find_best_single(const struct plan_costs *c, struct plan *p)
{
    p->best_device = -1;
    for (int d = 0; d < c->devices; d++)
        if (rate(c->whole_ns[d]) > p->exact_single) {
            p->best_device = d;
            p->exact_single = rate(c->whole_ns[d]);
        }
}

/* Of the slowest module: `period` and `slowest`. */
static double find_pace(const struct plan_costs *c, struct plan *p)
{
    double period = 0;
    for (int k = 0; k < p->modules; k++) {
        struct load l = device_load(c, p, p->module[k].device);
        double pace = load_pace(c, p->module[k].device, &l);
        const struct plan_module *slowest = &p->module[p->slowest];
        bool heavier = p->module[k].device == slowest->device && p->module[k].compute_ns > slowest->compute_ns;
        if (pace > period || (pace == period && heavier))
            p->slowest = k;
        period = pace > period ? pace : period;
    }
    return period;
}

enum st plan_rate(const struct nn_net *net, const struct plan_costs *c, const int *first, const int *device,
                  int modules, int micro_batches, struct plan *p)
{
    double sum = 0, most = 0, own[PLAN_DEVICES_MAX] = {0};
    if (modules < 1 || modules > PLAN_MODULES_MAX || micro_batches < 1 || c->devices > PLAN_DEVICES_MAX ||
        c->layers != net->layer_count)
        return st_fail(ST_INTERNAL, "no placement: %d modules, %d micro-batches", modules, micro_batches);
    *p = (struct plan){.modules = modules, .batch = c->batch, .micro_batches = micro_batches};
    for (int k = 0; k < modules; k++) {
        int last = k + 1 < modules ? first[k + 1] : c->layers;
        if (first[k] >= last || device[k] < 0 || device[k] >= c->devices || (k == 0 && first[k] != 0))
            return st_fail(ST_INTERNAL, "no placement: module %d begins at layer %d on device %d", k, first[k],
                           device[k]);
        fill_module(net, c, first[k], last, device[k], &p->module[k]);
        sum += p->module[k].compute_ns;
        own[device[k]] += p->module[k].compute_ns;
        most = own[device[k]] > most ? own[device[k]] : most;
    }
    double period = find_pace(c, p), messages = all_messages_ns(c, p);
    for (int k = 0; k < modules && period > 0; k++) {
        struct plan_module *m = &p->module[k];
        m->busy = (m->compute_ns + m->coupling_ns + (c->emulated[m->device] ? m->message_ns : 0)) / period;
    }
    find_best_single(c, p);
    p->decoupled = rate(period);
    p->exact = rate(sum + messages);
    p->pipeline = rate(sum / micro_batches + (micro_batches - 1) * most / micro_batches + messages);
    p->bound = most > 0 ? sum / most : 1;
    p->single_is_best = p->exact_single >= (1 - rounding) * p->decoupled;
    return ST_OK;
}

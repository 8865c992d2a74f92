/* What a plan says to people: the placement, what to expect of it, and why. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

char *plan_layers_show(const struct nn_net *net, int first, int count, char *out, size_t size)
{
    enum { WHOLE_MOST = 6, ENDS = 3 }; /* words of a list that is told in whole; of the begin of another */
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < count && used < size; i++) {
        if (count > WHOLE_MOST && i == ENDS) {
            i = count - 1;
            int dots = snprintf(out + used, size - used, " ...");
            used += dots > 0 ? (size_t)dots : 0;
        }
        if (used < size) {
            int n = snprintf(out + used, size - used, "%s%s", i ? " " : "", net->layer[first + i].kind->name);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    return out;
}

char *plan_device_id(const struct plan_device *device, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(device->label, " "), device->label);
    return out;
}

/* Widths of the columns of words. */
struct widths {
    int id, kinds;
};

static struct widths find_widths(const struct nn_net *net, const struct plan_device *devices, const struct plan *p)
{
    struct widths w = {.id = (int)strlen("device"), .kinds = (int)strlen("kinds")};
    char words[96];
    for (int k = 0; k < p->modules; k++) {
        const struct plan_module *m = &p->module[k];
        int id = (int)strlen(plan_device_id(&devices[m->device], words, sizeof words));
        int kinds = (int)strlen(plan_layers_show(net, m->first, m->count, words, sizeof words));
        w.id = id > w.id ? id : w.id;
        w.kinds = kinds > w.kinds ? kinds : w.kinds;
    }
    return w;
}

static void show_module(const struct nn_net *net, const struct plan_device *devices, const struct plan *p, int k,
                        struct widths w, struct text *out)
{
    const struct plan_module *m = &p->module[k];
    char range[24], kinds[96], memory[32], id[96];
    snprintf(range, sizeof range, "%d..%d", m->first, m->first + m->count - 1);
    text_add(out, "%6d  %-*s  %-7s  %-*s  %9.3f  %8.3f  %8.3f  %9s  %3.0f %%\n", k, w.id,
             plan_device_id(&devices[m->device], id, sizeof id), range, w.kinds,
             plan_layers_show(net, m->first, m->count, kinds, sizeof kinds), m->compute_ns * 1e-6,
             m->coupling_ns * 1e-6, m->message_ns * 1e-6, show_bytes(memory, sizeof memory, m->memory),
             100 * m->busy);
}

static void show_modules(const struct nn_net *net, const struct plan_device *devices, const struct plan *p,
                         struct text *out)
{
    struct widths w = find_widths(net, devices, p);
    text_add(out, "module  %-*s  %-7s  %-*s  %9s  %8s  %8s  %9s   busy\n", w.id, "device", "layers", w.kinds, "kinds",
             "step ms", "coupling", "messages", "memory");
    for (int k = 0; k < p->modules; k++)
        show_module(net, devices, p, k, w, out);
}

/* Those that modules are on, each once, and the best single one. */
static void show_devices(const struct plan_device *devices, const struct plan *p, struct text *out)
{
    bool told[PLAN_DEVICES_MAX] = {false};
    for (int k = 0; k <= p->modules; k++) {
        int d = k < p->modules ? p->module[k].device : p->best_device;
        if (d < 0 || told[d])
            continue;
        text_add(out, "%s%s\n", told[p->module[0].device] ? "         " : "devices  ", devices[d].label);
        told[d] = true;
    }
}

static void show_rate(const struct plan *p, const char *name, double rate, const char *words, struct text *out)
{
    text_add(out, "  %-34s %9.1f steps/s %10.0f samples/s%s\n", name, rate, rate * p->batch, words);
}

static void show_rates(const struct plan_device *devices, const struct plan *p, struct text *out)
{
    char words[96], id[64];
    text_add(out, "expected\n");
    if (p->best_device >= 0) {
        snprintf(words, sizeof words, "exact, all on %s", plan_device_id(&devices[p->best_device], id, sizeof id));
        show_rate(p, words, p->exact_single, "", out);
    } else {
        text_add(out, "  no device has room for the whole net\n");
    }
    if (p->modules == 1)
        return;
    show_rate(p, "exact over the modules", p->exact, "", out);
    snprintf(words, sizeof words, "exact as a pipeline of %d", p->micro_batches);
    show_rate(p, words, p->pipeline, p->micro_batches > 1 ? "  (if small batches were as efficient)" : "", out);
    snprintf(words, sizeof words, "  (at most %.2f x exact: all work / heaviest module)", p->bound);
    show_rate(p, "decoupled", p->decoupled, words, out);
}

/* ---- causes ------------------------------------------------------------------------------------------------------ */

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static bool is_shared(const struct plan *p, int k)
{
    for (int i = 0; i < p->modules; i++)
        if (i != k && p->module[i].device == p->module[k].device)
            return true;
    return false;
}

static void show_slowest(const struct nn_net *net, const struct plan_device *devices, const struct plan *p,
                         struct text *out)
{
    const struct plan_module *m = &p->module[p->slowest];
    double period = 1e9 / p->decoupled, work = m->compute_ns + m->coupling_ns;
    double messages = devices[m->device].emulation.slowness > 0 ? m->message_ns : 0, heavy = m->heaviest_ns;
    char id[64];
    text_add(out, "Module %d on %s sets the pace with %.3f ms a step%s.\n", p->slowest,
             plan_device_id(&devices[m->device], id, sizeof id), period * 1e-6,
             is_shared(p, p->slowest) ? ", together with the other modules there" : "");
    if (is_shared(p, p->slowest))
        return;
    if (m->message_ns > work + messages)
        text_add(out, "  Its messages take longer than what it computes.\n");
    else if (period > 1.001 * (work + messages))
        text_add(out, "  Its link takes that long for a message.\n");
    else if (share(heavy, m->compute_ns) >= 70 && m->count > 1)
        text_add(out, "  %.0f %% of what it computes is layer %d (%s %d), and a layer is not parted.\n",
                 share(heavy, m->compute_ns), m->heaviest, net->layer[m->heaviest].kind->name,
                 nn_size(net->layer[m->heaviest].out));
    if (share(m->coupling_ns, period) >= 5)
        text_add(out, "  Its coupling takes %.0f %% of it.\n", share(m->coupling_ns, period));
    if (share(messages, period) >= 5)
        text_add(out, "  Its messages take %.0f %% of it.\n", share(messages, period));
}

static void show_verdict(const struct plan_device *devices, const struct plan *p, struct text *out)
{
    char id[64] = "";
    if (p->best_device < 0)
        return;
    plan_device_id(&devices[p->best_device], id, sizeof id);
    if (p->single_is_best)
        text_add(out, "One device alone is best: %s with %.1f steps/s. "
                 "Decoupled, the modules would reach %.2f x that.\n", id,
                 p->exact_single, p->decoupled / p->exact_single);
    else
        text_add(out, "Decoupled is %.2f x as fast as %s alone, and %.2f x exact over the same modules.\n",
                 p->decoupled / p->exact_single, id, p->decoupled / p->exact);
}

void plan_show(const struct nn_net *net, const struct plan_device *devices, const struct plan *p, struct text *out)
{
    show_modules(net, devices, p, out);
    show_devices(devices, p, out);
    text_add(out, "\n");
    show_rates(devices, p, out);
    text_add(out, "\n");
    if (p->modules > 1) {
        show_slowest(net, devices, p, out);
        show_verdict(devices, p, out);
    }
}

/* clutch plan: where the modules of a net would go, why, and what speed to expect. Trains nothing. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

/* A placement on the devices of one spec, with what it is made from. */
struct placement {
    struct devices_hold hold;
    struct plan_costs costs;
    struct cuts_demand demand;
    struct plan_kept kept;
    struct plan plan, more; /* more: with two modules, where one was chosen for more do not pay */
    bool has_more;
};

struct work {
    const char *devices, *couple;
    struct train_options options; /* batch and optimizer */
    struct cuts_wish wish;
    bool json, no_tune, fresh;
    struct nn_net *net;          /* with the cuts of --cuts */
    struct cuts cuts;
    bool cut;                    /* by --cuts */
    struct sg_spec spec[PLAN_MODULES_MAX]; /* of the cut behind each section; without cuts, the first is of all */
    struct placement here;       /* as --devices says */
    struct placement other;      /* of one CPU, the other way: in parts, or as one */
    enum { NO_OTHER, PARTS, AS_ONE } have_other;
    char other_spec[64];
};

static bool has_cuts(const struct work *w)
{
    return w->net->section_count > 1;
}

/* Whether a module waits for the one above it, so that nothing is decoupled there. */
static bool locked(const struct work *w)
{
    for (int k = 0; k < (has_cuts(w) ? w->net->section_count - 1 : 1); k++)
        if (sg_waits(&w->spec[k]))
            return true;
    return false;
}

static int micro_batches(const struct work *w)
{
    int n = sg_micro_batches(&w->spec[0]);
    return n > 1 ? n : 4;
}

/* ---- planning ---------------------------------------------------------------------------------------------------- */

/* `alone`: the whole net as one module there. */
static enum st open_placement(struct work *w, const char *devices, int modules, bool alone, struct placement *p)
{
    enum st s = ST_OK;
    struct cuts cuts = w->cuts;
    TRY(devices_open(devices, &p->hold));
    p->kept = (struct plan_kept){.fresh = w->fresh, .version = cmd_version()};
    p->demand.wish = (struct plan_wish){.modules = 1, .micro_batches = micro_batches(w)};
    if (alone)
        return ST_OK;
    cuts.modules = modules;
    TRY(cuts_demand(&cuts, &p->hold, w->net, &p->demand));
out:
    return s;
}

static enum st make_placement(struct work *w, struct placement *p)
{
    enum st s = ST_OK;
    const struct plan_device *d = p->hold.device;
    for (int i = 0; i < p->hold.n; i++)
        TRY(tune_at_first_use(d[i].device, w->no_tune));
    TRY(plan_measure(w->net, d, p->hold.n, w->options.batch, w->options.optimizer, &p->kept, &p->costs));
    couplings_cost(w->net, w->spec, &p->costs);
    TRY(plan_choose(w->net, &p->costs, &p->demand.wish, &p->plan));
    struct plan_wish two = p->demand.wish;
    two.modules = 2;
    p->has_more = p->demand.wish.modules == 0 && p->plan.modules == 1 && plan_check(w->net, p->hold.n, &two) == ST_OK;
    if (p->has_more)
        TRY(plan_choose(w->net, &p->costs, &two, &p->more));
out:
    return s;
}

static void close_placement(struct placement *p)
{
    plan_costs_free(&p->costs);
    devices_close(&p->hold);
}

static bool has_on(const struct work *w)
{
    if (w->cuts.on_count)
        return true;
    for (int k = 0; k < w->net->section_count; k++)
        if (w->net->section[k].on[0])
            return true;
    return false;
}

/* In how many parts a CPU, the only device of --devices, could serve; 0: there is no such device, or no sense in it. */
static int parts_to_try(const struct work *w)
{
    const struct devices_hold *hold = &w->here.hold;
    const struct ocl_facts *f = ocl_device_facts(hold->device[0].device);
    int parts = w->cuts.modules > 1 ? w->cuts.modules : 2, cut[PLAN_MODULES_MAX];
    struct plan_wish wish = {.modules = parts, .cuts = has_cuts(w) ? cut : NULL};
    for (int k = 1; k < w->net->section_count; k++)
        cut[k - 1] = w->net->section[k].first;
    bool one = hold->n == 1 && hold->pick[0].parts == 1 && hold->pick[0].emulation.slowness == 0;
    if (!one || f->kind != OCL_CPU || w->cuts.modules == 1 || (uint32_t)parts > f->parts_max || has_on(w))
        return 0;
    return plan_check(w->net, parts, &wish) == ST_OK ? parts : 0;
}

/* The other way to use one CPU, which is looked at besides. */
static enum st open_other(struct work *w)
{
    const struct devices_hold *hold = &w->here.hold;
    const struct ocl_facts *f = ocl_device_facts(hold->device[0].device);
    int parts = parts_to_try(w);
    w->have_other = parts > 0 ? PARTS : devices_are_parts(hold) ? AS_ONE : NO_OTHER;
    if (!w->have_other)
        return ST_OK;
    if (parts > 0)
        snprintf(w->other_spec, sizeof w->other_spec, "%d:%d/%d", f->platform, f->index, parts);
    else
        snprintf(w->other_spec, sizeof w->other_spec, "%d:%d", f->platform, f->index);
    return open_placement(w, w->other_spec, parts, parts == 0, &w->other);
}

static enum st make_plans(struct work *w)
{
    enum st s = ST_OK;
    TRY(cuts_open(w->net, &w->wish, w->couple, &w->cuts));
    if (w->cuts.split) {
        nn_net_free(w->net);
        w->net = w->cuts.split;
        w->cut = true;
    }
    TRY(couplings_of(w->net, w->couple, w->spec));
    s = open_placement(w, w->devices, w->cuts.modules, false, &w->here);
    if (s != ST_OK && w->here.hold.n == 1 && !has_cuts(w) && parts_to_try(w) > 0) {
        w->here.demand.wish.modules = 1; /* one device is too few for modules, but has parts */
        s = ST_OK;
    }
    TRY(s);
    TRY(open_other(w));
    TRY(make_placement(w, &w->here));
    if (w->have_other)
        TRY(make_placement(w, &w->other));
out:
    return s;
}

/* The placement to show: parts instead of the device, where they were asked for or are faster. */
static const struct placement *shown(const struct work *w)
{
    bool asked = !has_cuts(w) && w->cuts.modules > 1;
    return w->have_other == PARTS && (asked || w->other.plan.decoupled > w->here.plan.decoupled) ? &w->other : &w->here;
}

/* One CPU in parts and as one. */
static const struct placement *in_parts(const struct work *w)
{
    return w->have_other == PARTS ? &w->other : &w->here;
}

static const struct placement *as_one(const struct work *w)
{
    return w->have_other == PARTS ? &w->here : &w->other;
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

static void tell_alternatives(const struct work *w, const struct placement *p)
{
    const char *parts = w->have_other == PARTS ? w->other_spec : w->devices;
    char id[64];
    if (w->have_other)
        output("%s as one: %.1f steps/s; as %s, decoupled: %.1f steps/s (parts measured one at a time)\n",
               plan_device_id(&as_one(w)->hold.device[0], id, sizeof id), as_one(w)->plan.exact_single, parts,
               in_parts(w)->plan.decoupled);
    if (p->has_more)
        output("One module, for more do not pay: two, decoupled, would do %.1f steps/s.\n", p->more.decoupled);
    if (locked(w) && p->plan.modules > 1)
        output("A coupling that waits makes the module wait for the one above it: expect the rate of exact there.\n");
}

static const char *spec_of(const struct work *w, const struct placement *p)
{
    return p == &w->other ? w->other_spec : w->devices;
}

/* The placement as the options that repeat it, where there was more than one way. */
static enum st tell_options(const struct work *w, const struct placement *p)
{
    enum st s = ST_OK;
    struct text options = {0}, source = {0};
    bool own = has_cuts(w) && !w->cut;
    int cut[PLAN_MODULES_MAX], on[PLAN_MODULES_MAX];
    if (p->hold.n == 1 && p->plan.modules == 1)
        return ST_OK;
    for (int k = 0; k < p->plan.modules; k++) {
        on[k] = p->plan.module[k].device;
        cut[k] = p->plan.module[k].first;
    }
    cuts_show(own ? NULL : cut, on, p->plan.modules, &options);
    kept_show(&p->kept, &source);
    TRY(text_status(&options));
    TRY(text_status(&source));
    output("%s %s (%s)\n", own || p->plan.modules == 1 ? "places:" : "cuts:  ", options.s, source.s);
    if (p->plan.modules > 1 && (!p->plan.single_is_best || w->cut) && !own)
        output("To train so: clutch train %s --data DATA%s%s %s --batch %d --optimizer %s\n",
               strcmp(w->net->origin, "net") == 0 ? "NET" : w->net->origin, spec_of(w, p) ? " --devices " : "",
               spec_of(w, p) ? spec_of(w, p) : "", options.s, w->options.batch, w->options.optimizer);
out:
    text_free(&options);
    text_free(&source);
    return s;
}

static enum st tell(const struct work *w)
{
    enum st s = ST_OK;
    const struct placement *p = shown(w);
    struct text t = {0};
    char words[256];
    plan_show(w->net, p->hold.device, &p->plan, &t);
    TRY(text_status(&t));
    output("%s: %d layer%s, %zu parameter%s; batch %d, %s, coupling %s\n\n", w->net->origin, w->net->layer_count,
           plural((uint64_t)w->net->layer_count), nn_net_params(w->net), plural(nn_net_params(w->net)),
           w->options.batch, w->options.optimizer,
           has_cuts(w) && !w->cut && !w->couple ? "as the net says" : sg_spec_show(&w->spec[0], words, sizeof words));
    output_lines(t.s);
    tell_alternatives(w, p);
    TRY(tell_options(w, p));
out:
    text_free(&t);
    return s;
}

static json_t *modules_json(const struct placement *p)
{
    json_t *all = json_array();
    for (int k = 0; k < p->plan.modules; k++) {
        const struct plan_module *m = &p->plan.module[k];
        json_push(&all, json_pack("{s:i, s:i, s:o, s:i, s:f, s:f, s:f, s:I, s:f}", "first", m->first, "last",
                                  m->first + m->count - 1, "device", json_foreign(p->hold.device[m->device].label),
                                  "place", m->device, "compute_ms", m->compute_ns * 1e-6, "coupling_ms",
                                  m->coupling_ns * 1e-6, "message_ms", m->message_ns * 1e-6, "memory_bytes",
                                  (json_int_t)m->memory, "busy", m->busy));
    }
    return all;
}

static json_t *devices_json(const struct placement *p)
{
    json_t *all = json_array();
    for (int d = 0; d < p->hold.n; d++) {
        const struct plan_device *device = &p->hold.device[d];
        double whole = p->costs.whole_ns[d];
        json_push(&all, json_pack("{s:o, s:b, s:o, s:o}", "device", json_foreign(device->label), "emulated",
                                  device->emulation.slowness > 0, "slowness",
                                  device->emulation.slowness > 0 ? json_real(device->emulation.slowness) : json_null(),
                                  "whole_net_ms", whole > 0 ? json_real(whole * 1e-6) : json_null()));
    }
    return all;
}

static json_t *split_json(const struct work *w)
{
    if (!w->have_other)
        return json_null();
    return json_pack("{s:s, s:f, s:f}", "devices", w->have_other == PARTS ? w->other_spec : w->devices, "as_one",
                     as_one(w)->plan.exact_single, "decoupled", in_parts(w)->plan.decoupled);
}

static json_t *kept_json(const struct plan_kept *kept)
{
    return json_pack("{s:s, s:o}", "measured", kept->date, "folder",
                     kept->kept ? json_foreign(kept->folder) : json_null());
}

static enum st tell_json(const struct work *w)
{
    const struct placement *p = shown(w);
    const struct plan *plan = &p->plan;
    json_t *best = plan->best_device >= 0 ? json_foreign(p->hold.device[plan->best_device].label) : json_null();
    json_t *rates = json_pack("{s:f, s:f, s:f, s:f}", "exact_single", plan->exact_single, "exact", plan->exact,
                              "pipeline", plan->pipeline, "decoupled", plan->decoupled);
    return json_print(json_pack("{s:o, s:i, s:s, s:o, s:o, s:i, s:o, s:i, s:f, s:o, s:b, s:b, s:o, s:o}", "net",
                                json_foreign(w->net->origin), "batch", w->options.batch, "optimizer",
                                w->options.optimizer, "devices", devices_json(p), "modules", modules_json(p), "slowest",
                                plan->slowest, "steps_per_second", rates, "micro_batches", plan->micro_batches, "bound",
                                plan->bound, "best_device", best, "single_is_best", plan->single_is_best, "locked",
                                locked(w), "split", split_json(w), "kept", kept_json(&p->kept)));
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    const char *positional[2] = {0}, *optimizer = "adam";
    struct work w = {.options = train_defaults()};
    int64_t batch = w.options.batch;
    const struct arg args[] = {
        {"--devices", ARG_TEXT, &w.devices, "SPEC",
         "where modules may go: 0:0,1:0 or 0:0/2 or virtual:4@8 (the best one)"},
        {"--modules", ARG_WHOLE, &w.wish.modules, "N", "modules; 0: as many as pay (0, or what cuts make)"},
        {"--cuts", ARG_TEXT, &w.wish.cuts, "LIST", "cut before these layers, with commas (as pays)"},
        {"--on", ARG_TEXT, &w.wish.on, "LIST", "device of each module, 0 for the first of --devices (as pays)"},
        {"--couple", ARG_TEXT, &w.couple, "WORDS", "coupling at all cuts (as the net says, or csg)"},
        {"--batch", ARG_WHOLE, &batch, "B", "samples a step (128)"},
        {"--optimizer", ARG_TEXT, &optimizer, "adam|adamw|sgd", "how weights are updated (adam)"},
        {"--fresh", ARG_FLAG, &w.fresh, NULL, "measure anew what was kept; train and compare go by it from then on"},
        {"--no-tune", ARG_FLAG, &w.no_tune, NULL, "do not measure products on a device that is not tuned"},
        {"--json", ARG_FLAG, &w.json, NULL, "as JSON"},
    };
    struct arg_list list = {.usage = "plan NET [options]   (NET: a file, or the net as a string)", .args = args,
                            .n = COUNT_OF(args), .least = 1, .most = 1, .positional = positional};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    TRY(args_check("--batch", batch, 1, 65536));
    const struct arg_effect effects[] = {{"--couple", w.wish.modules == 1, "one module has nothing to be coupled to"}};
    TRY(args_check_effects(&list, effects, COUNT_OF(effects)));
    w.options.batch = (int)batch;
    if (snprintf(w.options.optimizer, NN_WORD_MAX, "%s", optimizer) >= NN_WORD_MAX)
        TRY(st_fail(ST_INPUT, "'%s' is too long a name", optimizer));
    TRY(train_check_options(&w.options));
    TRY(net_open(positional[0], &w.net));
    TRY(make_plans(&w));
    TRY(w.json ? tell_json(&w) : tell(&w));
out:
    close_placement(&w.other);
    close_placement(&w.here);
    nn_net_free(w.net);
    return s;
}

const struct command cmd_plan = {.name = "plan", .summary = "where modules would go, and how fast", .run = run};

/* What clutch compare tells. */
#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double at(const struct compare_row *r, const double *v, int seed, int epoch)
{
    return v[seed * r->epochs + epoch];
}

static double mean_final(const struct compare_row *r)
{
    double sum = 0;
    for (int k = 0; k < r->seeds; k++)
        sum += at(r, r->accuracy, k, r->epochs - 1);
    return sum / r->seeds;
}

/* Sample standard deviation; NAN of one seed. */
static double spread_final(const struct compare_row *r)
{
    double mean = mean_final(r), sum = 0;
    for (int k = 0; k < r->seeds; k++) {
        double d = at(r, r->accuracy, k, r->epochs - 1) - mean;
        sum += d * d;
    }
    return r->seeds > 1 ? sqrt(sum / (r->seeds - 1)) : NAN;
}

static double mean_rate(const struct compare_row *r)
{
    double sum = 0;
    for (int k = 0; k < r->seeds; k++)
        sum += r->steps_per_second[k];
    return sum / r->seeds;
}

/* Mean training seconds until the end of the first epoch that reaches the target; NAN where some seed never does. */
static double seconds_to(const struct compare_row *r, double target)
{
    double sum = 0;
    for (int k = 0; k < r->seeds; k++) {
        int i = 0;
        while (i < r->epochs && !(at(r, r->accuracy, k, i) >= target))
            i++;
        if (i == r->epochs)
            return NAN;
        sum += at(r, r->seconds, k, i);
    }
    return sum / r->seeds;
}

/* Of the gradient at cut k after the last epoch, over the seeds in which there is one; NAN: in none. */
static double mean_cosine(const struct compare_row *r, int k)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < r->seeds; i++) {
        double v = compare_part(r, i, r->epochs - 1, k)->cut.cosine;
        sum += isfinite(v) ? v : 0;
        n += isfinite(v);
    }
    return n ? sum / n : NAN;
}

static const struct compare_row *find_row(const struct compare *c, const char *words)
{
    for (int i = 0; i < c->rows; i++)
        if (words ? c->row[i].words && strcmp(c->row[i].words, words) == 0 : !c->row[i].words)
            return &c->row[i];
    return NULL;
}

/* What speed is held against: exact over the modules; without that row, one device. */
static const struct compare_row *locked_row(const struct compare *c)
{
    const struct compare_row *r = find_row(c, "exact");
    return r ? r : &c->row[0];
}

static double target_of(const struct compare *c)
{
    return c->target > 0 ? c->target : mean_final(locked_row(c)) - 0.005;
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

static bool any_emulated(const struct compare *c)
{
    for (int k = 0; k < c->net->section_count; k++)
        if (c->where.hold.device[c->where.placement.on[k]].emulation.slowness > 0)
            return true;
    return false;
}

enum st compare_head(const struct compare *c)
{
    struct text places = {0}, settings = {0};
    modules_show(&c->where, c->net, &places);
    train_options_show(&c->options, &settings);
    output("%s on %s: %s, seed%s %s; accuracy on the %s\n", c->net->origin, c->set->name,
           settings.failed ? "" : settings.s, plural((uint64_t)c->seeds), c->seeds_word,
           c->validation ? "validation split" : "test set");
    text_free(&settings);
    for (int k = 0; k < c->net->section_count; k++) {
        const struct nn_section *s = &c->net->section[k];
        output("module %d: layers %d to %d on %s\n", k, s->first, s->first + s->count - 1,
               c->where.hold.device[c->where.placement.on[k]].label);
    }
    output_lines(places.s ? places.s : "");
    output("one device: %s\n", c->single->label);
    if (c->net->section_count == 1)
        output("nothing to couple: the net has no cuts, and %s; --modules N cuts it (clutch plan tells what to expect)"
               "\n",
               c->where.hold.n > 1 ? "one device alone is as fast as several" : "there is one device");
    if (any_emulated(c))
        output("EMULATED devices share a real one: times are those of the emulation, not of hardware\n");
    output("\n");
    fflush(stdout);
    enum st s = text_status(&places);
    text_free(&places);
    return s;
}

void compare_progress(const struct compare *c, const struct compare_row *r, int seed)
{
    output("  %-22s seed %-3lld %8.1f steps/s   accuracy %.4f after %.1f s of training\n", r->name,
           (long long)c->seed[seed], r->steps_per_second[seed], at(r, r->accuracy, seed, r->epochs - 1),
           at(r, r->seconds, seed, r->epochs - 1));
    fflush(stdout);
}

static void show_seconds(double v, char *out, size_t size)
{
    if (isfinite(v))
        snprintf(out, size, v < 10 ? "%.2f s" : "%.1f s", v);
    else
        snprintf(out, size, "-");
}

/* "0.62 (0.41)": the mean over the cuts, and the least where there are several. */
static void show_cosines(const struct compare_row *r, char *out, size_t size)
{
    double sum = 0, least = INFINITY;
    int n = 0;
    for (int k = 0; k + 1 < r->modules; k++) {
        double v = mean_cosine(r, k);
        if (!isfinite(v))
            continue;
        sum += v;
        least = fmin(least, v);
        n++;
    }
    if (n > 1)
        snprintf(out, size, "%.2f (%.2f)", sum / n, least);
    else
        snprintf(out, size, n ? "%.2f" : "-", sum);
}

/* "97/1.0 99": of each module in the last seed's last epoch. */
static void show_busy(const struct compare_row *r, char *out, size_t size)
{
    size_t used = 0;
    *out = '\0';
    for (int k = 0; k < r->modules && used < size; k++) {
        const struct train_module_epoch *m = &compare_part(r, r->seeds - 1, r->epochs - 1, k)->did;
        int n = snprintf(out + used, size - used, isfinite(m->busy) ? "%s%.0f" : "%s-", k ? " " : "", 100 * m->busy);
        used += n > 0 ? (size_t)n : 0;
        if (m->targets && used < size) {
            n = snprintf(out + used, size - used, "/%.1f", m->stale_steps);
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

enum { SPREAD_COLS = 7 }; /* of "+-0.12", where there are seeds to spread */

static void print_row(const struct compare *c, const struct compare_row *r)
{
    char when[32], spread[32] = "", cosines[32], busy[512];
    show_seconds(seconds_to(r, target_of(c)), when, sizeof when);
    if (r->seeds > 1)
        snprintf(spread, sizeof spread, " +-%.2f", 100 * spread_final(r));
    show_cosines(r, cosines, sizeof cosines);
    show_busy(r, busy, sizeof busy);
    double rate = mean_rate(r);
    output("%-22s %8.1f %8.2f %8.2f %10s %7.2f%-*s  %-11s  %s\n", r->name, rate, rate / mean_rate(locked_row(c)),
           rate / mean_rate(&c->row[0]), when, 100 * mean_final(r), r->seeds > 1 ? SPREAD_COLS : 0, spread, cosines,
           busy);
}

static void print_table(const struct compare *c)
{
    const struct compare_row *locked = locked_row(c);
    char reach[32];
    snprintf(reach, sizeof reach, "to %.2f %%", 100 * target_of(c));
    output("\n%-22s %8s %8s %8s %10s %7s%-*s  %-11s  %s\n", "", "steps/s", "x locked", "x single", reach, "final %",
           c->seeds > 1 ? SPREAD_COLS : 0, "", "cosine", "busy % of modules/steps late");
    for (int i = 0; i < c->rows; i++)
        print_row(c, &c->row[i]);
    output("\nx locked: over %s", locked->name);
    if (c->bound > 0)
        output("; decoupling these modules can give %.2f at most (measured before: all work over the slowest module's)",
               c->bound);
    output(".\nTimes are of training alone. Accuracy: mean%s of what the last epoch leaves.\n",
           c->seeds > 1 ? " and standard deviation over seeds" : "");
    int cuts = c->net->section_count - 1;
    if (cuts > 0)
        output("Cosine: of the gradient at %s with the true one, after the last epoch%s%s.\n",
               cuts > 1 ? "a cut" : "the cut", cuts > 1 ? "; mean over the cuts (and the least)" : "",
               c->seeds > 1 ? "; mean over seeds" : "");
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *curve(const struct compare_row *r, const double *v)
{
    json_t *all = json_array();
    for (int k = 0; k < r->seeds; k++) {
        json_t *one = json_array();
        for (int i = 0; i < r->epochs; i++)
            json_push(&one, number(at(r, v, k, i)));
        json_push(&all, one);
    }
    return all;
}

/* What is told of each module in each epoch; cosine and norm_ratio: of each but the last. */
static json_t *cosine(const struct compare_part *p)
{
    return number(p->cut.cosine);
}

static json_t *norm_ratio(const struct compare_part *p)
{
    return number(p->cut.norm_ratio);
}

static json_t *busy(const struct compare_part *p)
{
    return number(p->did.busy);
}

static json_t *stale_steps(const struct compare_part *p)
{
    return json_real(p->did.stale_steps);
}

static json_t *updates(const struct compare_part *p)
{
    return json_integer((json_int_t)p->did.updates);
}

/* Of each seed, epoch, and of the first `modules` of that row's modules. */
static json_t *parts_json(const struct compare_row *r, int modules, json_t *(*what)(const struct compare_part *))
{
    json_t *all = json_array();
    for (int i = 0; i < r->seeds; i++) {
        json_t *seed = json_array();
        for (int e = 0; e < r->epochs; e++) {
            json_t *epoch = json_array();
            for (int k = 0; k < modules; k++)
                json_push(&epoch, what(compare_part(r, i, e, k)));
            json_push(&seed, epoch);
        }
        json_push(&all, seed);
    }
    return all;
}

/* Updates of module k over all epochs of the last seed. */
static uint64_t all_updates(const struct compare_row *r, int k)
{
    uint64_t n = 0;
    for (int e = 0; e < r->epochs; e++)
        n += compare_part(r, r->seeds - 1, e, k)->did.updates;
    return n;
}

static int trained_layers(const struct nn_net *net, int k)
{
    const struct nn_section *s = &net->section[k];
    int n = 0;
    for (int i = s->first; i < s->first + s->count; i++)
        n += net->layer[i].param_count > 0;
    return n;
}

static json_t *modules_json(const struct compare *c, const struct compare_row *r)
{
    json_t *all = json_array();
    struct sg_spec spec[PLAN_MODULES_MAX];
    const struct nn_net *net = r->words ? c->net : c->joined;
    if (r->words && train_couplings(net, r->words, spec) != ST_OK) /* it trained with them */
        return all;
    for (int k = 0; k < r->modules; k++) {
        const struct train_module_epoch *m = &compare_part(r, r->seeds - 1, r->epochs - 1, k)->did;
        json_push(&all, json_pack("{s:o, s:f, s:f, s:f, s:f, s:I, s:I, s:i}", "busy", number(m->busy),
                                  "stale_steps", m->stale_steps, "wait_input", m->wait_input, "wait_space",
                                  m->wait_space, "wait_gradient", m->wait_gradient, "updates",
                                  (json_int_t)all_updates(r, k), "macs",
                                  (json_int_t)module_macs(net, spec, k, c->options.batch), "trained_layers",
                                  trained_layers(net, k)));
    }
    return all;
}

static json_t *row_json(const struct compare *c, const struct compare_row *r)
{
    json_t *row = json_pack("{s:s, s:s?, s:f, s:f, s:f, s:o, s:f, s:o, s:o}", "name", r->name, "coupling", r->words,
                            "steps_per_second", mean_rate(r), "x_locked", mean_rate(r) / mean_rate(locked_row(c)),
                            "x_single", mean_rate(r) / mean_rate(&c->row[0]), "seconds_to_target",
                            number(seconds_to(r, target_of(c))), "accuracy", mean_final(r), "accuracy_spread",
                            number(spread_final(r)), "modules", modules_json(c, r));
    json_put(&row, "accuracy_by_seed", curve(r, r->accuracy));
    json_put(&row, "loss_by_seed", curve(r, r->loss));
    json_put(&row, "train_loss_by_seed", curve(r, r->train_loss));
    json_put(&row, "seconds_by_seed", curve(r, r->seconds));
    json_put(&row, "updates_by_seed", parts_json(r, r->modules, updates));
    json_put(&row, "busy_by_seed", parts_json(r, r->modules, busy));
    json_put(&row, "stale_steps_by_seed", parts_json(r, r->modules, stale_steps));
    json_put(&row, "cosine_by_seed", parts_json(r, r->modules - 1, cosine));
    json_put(&row, "norm_ratio_by_seed", parts_json(r, r->modules - 1, norm_ratio));
    return row;
}

static json_t *place_json(const struct compare *c, int k)
{
    const struct nn_section *s = &c->net->section[k];
    const struct plan_device *d = &c->where.hold.device[c->where.placement.on[k]];
    return json_pack("{s:i, s:i, s:o, s:i, s:b}", "first", s->first, "layers", s->count, "device",
                     json_foreign(d->label), "place", c->where.placement.on[k], "emulated", d->emulation.slowness > 0);
}

static json_t *seeds_json(const struct compare *c)
{
    json_t *all = json_array();
    for (int k = 0; k < c->seeds; k++)
        json_push(&all, json_integer((json_int_t)c->seed[k]));
    return all;
}

static enum st show_json(const struct compare *c)
{
    json_t *rows = json_array(), *places = json_array();
    for (int i = 0; i < c->rows; i++)
        json_push(&rows, row_json(c, &c->row[i]));
    for (int k = 0; k < c->net->section_count; k++)
        json_push(&places, place_json(c, k));
    return json_print(json_pack("{s:o, s:o, s:i, s:s, s:f, s:s, s:i, s:o, s:s, s:f, s:o, s:o, s:o, s:o, s:s}",
                                "net", json_foreign(c->net->origin), "data", json_foreign(c->set->name), "batch",
                                c->options.batch, "optimizer", c->options.optimizer, "lr", c->options.lr, "schedule",
                                c->options.schedule, "epochs", c->options.epochs, "seeds", seeds_json(c), "accuracy_of",
                                c->validation ? "validation" : "test", "target_accuracy", target_of(c), "bound",
                                number(c->bound > 0 ? c->bound : NAN), "single_device", json_foreign(c->single->label),
                                "modules", places, "rows", rows, "clutch", cmd_version()));
}

enum st compare_show(const struct compare *c)
{
    if (c->json)
        return show_json(c);
    print_table(c);
    return ST_OK;
}

/* clutch compare: couplings side by side, on the same modules, devices, samples and seeds. */
#include "compare.h"

#include <stdio.h>
#include <string.h>

/* ---- what to compare --------------------------------------------------------------------------------------------- */

static enum st add_row(struct compare *c, const char *name, const char *words)
{
    enum st s = ST_OK;
    struct compare_row *r = &c->row[c->rows];
    size_t n = (size_t)c->seeds * (size_t)c->options.epochs;
    if (c->rows == COMPARE_ROWS_MAX)
        return st_fail(ST_INPUT, "more than %d ways to compare", COMPARE_ROWS_MAX);
    *r = (struct compare_row){.words = words, .seeds = c->seeds, .epochs = c->options.epochs};
    snprintf(r->name, sizeof r->name, "%s", name);
    c->rows++;
    TRY(NEW(r->seconds, n));
    TRY(NEW(r->accuracy, n));
    TRY(NEW(r->loss, n));
    TRY(NEW(r->train_loss, n));
out:
    return s;
}

static void free_row(struct compare_row *r)
{
    mem_free(r->seconds);
    mem_free(r->accuracy);
    mem_free(r->loss);
    mem_free(r->train_loss);
    mem_free(r->part);
}

/* Couplings, separated by commas: a row each. */
static enum st add_rows(struct compare *c, char *list)
{
    enum st s = ST_OK;
    struct sg_spec spec;
    char name[64];
    TRY(add_row(c, "exact, one device", NULL));
    for (char *word = list, *next; word; word = next) {
        next = strchr(word, ',');
        if (next)
            *next++ = '\0';
        word += strspn(word, " ");
        if (!*word)
            TRY(st_fail(ST_INPUT, "--couplings is '%s': a coupling is missing; separate them with single commas",
                        c->couplings));
        TRY(st_context(sg_spec_parse(word, &spec), "--couplings"));
        snprintf(name, sizeof name, "exact, %d micro-batches", sg_micro_batches(&spec));
        TRY(add_row(c, sg_micro_batches(&spec) > 1 ? name : word, word));
    }
out:
    return s;
}

static enum st read_seeds(struct compare *c)
{
    char word[256], *at = word;
    if (snprintf(word, sizeof word, "%s", c->seeds_word) >= (int)sizeof word)
        return st_fail(ST_INPUT, "--seeds is too long");
    for (char *next; at; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        if (c->seeds == COMPARE_SEEDS_MAX || !parse_i64(at, &c->seed[c->seeds]) || c->seed[c->seeds] < 0)
            return st_fail(ST_INPUT, "--seeds is '%s', must be up to %d whole numbers of 0 or more, with commas",
                           c->seeds_word, COMPARE_SEEDS_MAX);
        c->seeds++;
    }
    return ST_OK;
}

static enum st check(struct compare *c)
{
    enum st s = ST_OK;
    struct train_options *o = &c->options;
    if (!c->data)
        TRY(st_fail(ST_INPUT, "--data is missing; usage: clutch compare NET --data DATA [options]"));
    TRY(args_check("--epochs", c->epochs, 1, COMPARE_EPOCHS_MAX));
    TRY(args_check("--batch", c->batch, 1, 65536));
    TRY(args_check("--limit", c->limit, 0, UINT32_MAX));
    TRY(args_check("--validation", c->validation, 0, UINT32_MAX));
    if (!(c->target >= 0 && c->target < 1))
        TRY(st_fail(ST_INPUT, "--accuracy is %g, must be from 0 to below 1", c->target));
    o->epochs = (int)c->epochs;
    o->batch = (int)c->batch;
    if (strlen(c->optimizer) >= sizeof o->optimizer || strlen(c->schedule) >= sizeof o->schedule)
        TRY(st_fail(ST_INPUT, "'%s' or '%s' is too long a name", c->optimizer, c->schedule));
    snprintf(o->optimizer, sizeof o->optimizer, "%s", c->optimizer);
    snprintf(o->schedule, sizeof o->schedule, "%s", c->schedule);
    TRY(train_check_options(o));
    TRY(read_seeds(c));
out:
    return s;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static double median(double *v, int n)
{
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && v[k - 1] > v[k]; k--) {
            double t = v[k];
            v[k] = v[k - 1];
            v[k - 1] = t;
        }
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

/* The modules as they are placed, with this row's coupling; or the whole net on one device. */
static enum st open_row(const struct compare *c, const struct compare_row *r, const struct train_options *o,
                        struct train **out)
{
    struct modules where = c->where;
    where.placement.device = where.hold.device;
    if (!r->words) {
        where.hold.device[0] = *c->single;
        where.placement.on[0] = 0;
        return modules_train(&where, c->joined, o, c->set, &c->scaling, NULL, out);
    }
    enum st s = train_couplings(c->net, r->words, where.placement.coupling);
    return s != ST_OK ? s : modules_train(&where, c->net, o, c->set, &c->scaling, NULL, out);
}

/* Room for what its modules will do; how many they are is known once it is open. */
static enum st know_modules(struct compare_row *r, const struct train *t)
{
    if (r->part)
        return ST_OK;
    r->modules = train_module_count(t);
    return NEW(r->part, (size_t)r->seeds * (size_t)r->epochs * (size_t)r->modules);
}

/* An epoch, and what it left; the probe of gradients takes nothing from the time of training. */
static enum st run_epoch(const struct compare *c, struct compare_row *r, struct train *t, int seed,
                         struct train_epoch *e)
{
    enum st s = ST_OK;
    struct train_result held;
    struct train_alignment cut[PLAN_MODULES_MAX];
    TRY(train_epoch_run(t, NULL, e));
    TRY(train_evaluate(t, c->validation ? TRAIN_VALIDATION : TRAIN_TEST, &held));
    TRY(train_probe(t, cut));
    int i = seed * r->epochs + e->epoch - 1;
    r->accuracy[i] = held.accuracy;
    r->loss[i] = held.loss;
    r->train_loss[i] = e->train.loss;
    for (int k = 0; k < r->modules; k++) {
        struct compare_part *part = &r->part[(size_t)i * (size_t)r->modules + (size_t)k];
        part->did = e->module[k];
        if (k + 1 < r->modules)
            part->cut = cut[k];
    }
out:
    return s;
}

static enum st run_seed(const struct compare *c, struct compare_row *r, int seed)
{
    enum st s = ST_OK;
    struct train *t = NULL;
    struct train_options o = c->options;
    double rates[COMPARE_EPOCHS_MAX], seconds = 0;
    o.seed = (uint64_t)c->seed[seed];
    TRY(open_row(c, r, &o, &t));
    TRY(know_modules(r, t));
    TRY(train_init(t));
    for (int i = 0; i < o.epochs; i++) {
        struct train_epoch e;
        TRY(run_epoch(c, r, t, seed, &e));
        seconds += e.seconds;
        r->seconds[seed * r->epochs + i] = seconds;
        rates[i] = (double)(e.step / (uint64_t)e.epoch) / e.seconds;
    }
    r->steps_per_second[seed] = median(rates, o.epochs);
out:
    train_close(t);
    return s;
}

/* Some steps of each row, thrown away: what cannot run is refused before anything is trained, and what is compiled, or
 * finished by a driver at its first launch, takes no time from a row. */
static enum st try_rows(const struct compare *c)
{
    enum st s = ST_OK;
    struct train *t = NULL;
    struct train_options o = c->options;
    bool chains = (uint64_t)o.epochs * (c->set->train.n / (uint32_t)o.batch) > OCL_CHAIN_AFTER;
    double losses[2];
    o.seed = (uint64_t)c->seed[0];
    for (int i = 0; i < c->rows; i++) {
        s = open_row(c, &c->row[i], &o, &t);
        if (s == ST_OK)
            s = train_init(t);
        if (s == ST_OK)
            s = train_steps(t, 1, losses); /* its kernels launched one by one, as the first steps are */
        if (s == ST_OK && chains) {
            train_chain_at_once(t);
            s = train_steps(t, 2, losses);
        }
        TRY(i > 0 ? st_context(s, "%s", c->row[i].name) : s);
        train_close(t);
        t = NULL;
    }
out:
    train_close(t);
    return s;
}

static enum st run_rows(struct compare *c)
{
    enum st s = ST_OK;
    for (int i = 0; i < c->rows; i++)
        for (int k = 0; k < c->seeds; k++) {
            TRY(st_context(run_seed(c, &c->row[i], k), "%s, seed %lld", c->row[i].name, (long long)c->seed[k]));
            if (!c->json)
                compare_progress(c, &c->row[i], k);
        }
out:
    return s;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

/* Cuts are chosen for csg, the heaviest coupling of the usual ones, and stay for all rows. */
static enum st place(struct compare *c)
{
    enum st s = ST_OK;
    struct modules_wish wish = {.devices = c->devices, .optimizer = c->options.optimizer, .cuts = c->cuts,
                                .queue = c->queue, .batch = c->options.batch, .no_tune = c->no_tune,
                                .fresh = c->fresh, .figures = true, .cut_option = c->cut_option};
    TRY(modules_open(c->net, &wish, &c->where));
    if (c->where.split) {
        nn_net_free(c->net);
        c->net = c->where.split;
        c->where.split = NULL;
    }
    TRY(nn_net_join(c->net, &c->joined));
    int best = c->where.plan.modules && c->where.plan.best_device >= 0 ? c->where.plan.best_device : 0;
    c->single = &c->where.hold.device[best];
    if (devices_are_parts(&c->where.hold)) { /* who has one device takes all of it */
        const struct ocl_facts *f = ocl_device_facts(c->single->device);
        char word[64];
        snprintf(word, sizeof word, "%d:%d", f->platform, f->index);
        TRY(devices_open(word, &c->whole));
        TRY(tune_at_first_use(c->whole.device[0].device, c->no_tune));
        c->single = &c->whole.device[0];
    }
    c->bound = c->where.plan.modules ? c->where.plan.bound : 0;
out:
    return s;
}

/* In a net without cuts there is nothing to couple. */
static void drop_couplings(struct compare *c)
{
    for (; c->rows > 1; c->rows--)
        free_row(&c->row[c->rows - 1]);
}

static enum st compare(struct compare *c)
{
    enum st s = ST_OK;
    char list[1024];
    TRY(check(c));
    if (snprintf(list, sizeof list, "%s", c->couplings) >= (int)sizeof list)
        TRY(st_fail(ST_INPUT, "--couplings is too long"));
    TRY(add_rows(c, list));
    TRY(net_open(c->net_word, &c->net));
    TRY(data_open(c->data, (uint64_t)c->seed[0], &c->set));
    TRY(data_hold_out(c->set, (uint32_t)c->limit, (uint32_t)c->validation, (uint64_t)c->seed[0]));
    TRY(train_check_set(c->net, c->set)); /* before devices are measured */
    c->scaling.channels = c->set->c;
    data_moments(c->set, c->scaling.mean, c->scaling.deviation);
    TRY(place(c));
    if (c->net->section_count == 1)
        drop_couplings(c);
    TRY(try_rows(c));
    if (!c->json)
        TRY(compare_head(c));
    TRY(run_rows(c));
    TRY(compare_show(c));
out:
    return s;
}

static void close_compare(struct compare *c)
{
    for (int i = 0; i < c->rows; i++)
        free_row(&c->row[i]);
    devices_close(&c->whole);
    modules_close(&c->where);
    data_free(c->set);
    nn_net_free(c->joined);
    nn_net_free(c->net);
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    const char *positional[2] = {0};
    struct compare c = {.couplings = "exact,exact micro=4,csg,sg,local,predsim,none", .seeds_word = "1", .epochs = 10,
                        .batch = 128, .queue = TRAIN_QUEUE, .optimizer = "adam", .schedule = "cosine",
                        .options = train_defaults()};
    const struct arg args[] = {
        {"--data", ARG_TEXT, &c.data, "DATA",
         "fashion-mnist, mnist, digits, or a folder: IDX files, or PNGs in a folder a class"},
        {"--devices", ARG_TEXT, &c.devices, "SPEC",
         "as in train, where modules go: 0:0/2, 0:0,1:0, virtual:4@8 (the best one)"},
        {"--modules", ARG_WHOLE, &c.cuts.modules, "N", "cut the net into N modules, a device each (as many as pay)"},
        {"--cuts", ARG_TEXT, &c.cuts.cuts, "LIST", "cut before these layers, with commas (as is measured)"},
        {"--on", ARG_TEXT, &c.cuts.on, "LIST", "device of each module, 0 for the first of --devices (as is measured)"},
        {"--fresh", ARG_FLAG, &c.fresh, NULL, "measure anew where modules go, and not by what was kept before"},
        {"--couplings", ARG_TEXT, &c.couplings, "LIST",
         "with commas (exact,exact micro=4,csg,sg,local,predsim,none); the net on one device always"},
        {"--seeds", ARG_TEXT, &c.seeds_word, "LIST", "with commas: each coupling trains with each (1)"},
        {"--accuracy", ARG_REAL, &c.target, "X",
         "0 to 1: how long each takes to it is told (0.005 below what exact ends with)"},
        {"--epochs", ARG_WHOLE, &c.epochs, "N", "of each run (10)"},
        {"--batch", ARG_WHOLE, &c.batch, "B", "samples a step (128)"},
        {"--optimizer", ARG_TEXT, &c.optimizer, "adam|adamw|sgd", "how weights are updated (adam)"},
        {"--lr", ARG_REAL, &c.options.lr, "X", "learning rate (0.001)"},
        {"--schedule", ARG_TEXT, &c.schedule, "cosine|step|none", schedule_help},
        {"--queue", ARG_WHOLE, &c.queue, "N", "messages that may wait between two modules (4)"},
        {"--limit", ARG_WHOLE, &c.limit, "N", "train on the first N samples (all)"},
        {"--validation", ARG_WHOLE, &c.validation, "N", "hold N training samples out, and measure accuracy on them"},
        {"--no-tune", ARG_FLAG, &c.no_tune, NULL, "do not measure products on a device that is not tuned"},
        {"--json", ARG_FLAG, &c.json, NULL, "print it as JSON, with the accuracy of each epoch"},
    };
    struct arg_list list = {.usage = "compare NET --data DATA [options]   (NET: a file, or the net as a string)",
                            .args = args, .n = COUNT_OF(args), .least = 1, .most = 1, .positional = positional};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    c.net_word = positional[0];
    c.cut_option = args_given(&list, "--couplings") ? "--couplings" : args_given(&list, "--queue") ? "--queue" : NULL;
    TRY(compare(&c));
out:
    close_compare(&c);
    return s;
}

const struct command cmd_compare = {.name = "compare",
                                    .summary = "couplings side by side, on the same modules and data",
                                    .run = run};

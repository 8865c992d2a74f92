/* clutch train: a net, data, a device, a run folder. */
#include "pictures.h"
#include "progress.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Everything a run holds, opened in this order and closed in the other. */
struct session {
    struct run_facts facts;
    struct nn_net *net;
    struct data_set *set;
    struct modules modules;
    struct train *train;
    struct store_run *run;
    struct drawer *drawer; /* NULL: nothing is drawn */
    const char *folder;
    double seconds; /* of training, since the start of the run */
    struct train_alignment alignment[PLAN_MODULES_MAX]; /* of the last epoch, at the cut above each module */
};

struct wishes {
    const char *net, *data, *devices, *couple, *out, *resume;
    bool json, force, no_tune, lockstep;
    int64_t modules, queue, epochs, batch, seed, limit, validation, draw_every;
    const char *optimizer, *schedule;
    struct train_options options;
};

/* ---- the command line -------------------------------------------------------------------------------------------- */

static enum st take_name(char *out, size_t size, const char *name)
{
    if (snprintf(out, size, "%s", name) >= (int)size)
        return st_fail(ST_INPUT, "'%s' is too long a name", name);
    return ST_OK;
}

static enum st check_wishes(struct wishes *w)
{
    enum st s = ST_OK;
    struct train_options *o = &w->options;
    TRY(args_check("--epochs", w->epochs, 1, 100000));
    TRY(args_check("--batch", w->batch, 1, 65536));
    TRY(args_check("--seed", w->seed, 0, INT64_MAX));
    TRY(args_check("--limit", w->limit, 0, UINT32_MAX));
    TRY(args_check("--validation", w->validation, 0, UINT32_MAX));
    if (w->draw_every != DRAWER_CHOOSES)
        TRY(args_check("--draw-every", w->draw_every, 0, 100000));
    o->epochs = (int)w->epochs;
    o->batch = (int)w->batch;
    o->seed = (uint64_t)w->seed;
    TRY(take_name(o->optimizer, sizeof o->optimizer, w->optimizer));
    TRY(take_name(o->schedule, sizeof o->schedule, w->schedule));
    TRY(train_check_options(o));
out:
    return s;
}

static enum st check_resume(const struct arg_list *l, const char *net)
{
    static const char *const allowed[] = {"--resume", "--devices", "--draw-every", "--json"};
    if (net)
        return st_fail(ST_INPUT, "--resume takes no NET: the run folder says which");
    for (int k = 0; k < l->n; k++) {
        bool good = !(l->given >> k & 1);
        for (size_t i = 0; i < COUNT_OF(allowed); i++)
            good = good || strcmp(allowed[i], l->args[k].name) == 0;
        if (!good)
            return st_fail(ST_INPUT,
                           "--resume goes on with what the run folder says: it takes --devices, --draw-every and "
                           "--json, not %s",
                           l->args[k].name);
    }
    return ST_OK;
}

static enum st read_wishes(int argc, char **argv, struct wishes *w, bool *help)
{
    struct train_options d = train_defaults();
    const char *positional[2] = {0};
    *w = (struct wishes){.epochs = d.epochs, .batch = d.batch, .seed = (int64_t)d.seed, .optimizer = "adam",
                         .schedule = "cosine", .queue = TRAIN_QUEUE, .draw_every = DRAWER_CHOOSES, .options = d};
    struct train_options *o = &w->options;
    const struct arg args[] = {
        {"--data", ARG_TEXT, &w->data, "DATA",
         "fashion-mnist, mnist, digits, or a folder: IDX files, or PNGs in a folder a class"},
        {"--epochs", ARG_WHOLE, &w->epochs, "N", "times over the training set (10)"},
        {"--batch", ARG_WHOLE, &w->batch, "B", "samples a step (128)"},
        {"--optimizer", ARG_TEXT, &w->optimizer, "NAME", "adam, adamw or sgd (adam)"},
        {"--lr", ARG_REAL, &o->lr, "X", "learning rate (0.001)"},
        {"--momentum", ARG_REAL, &o->momentum, "X", "of sgd (0.9)"},
        {"--nesterov", ARG_FLAG, &o->nesterov, NULL, "sgd looks ahead"},
        {"--weight-decay", ARG_REAL, &o->weight_decay, "X", "pull towards zero (0)"},
        {"--schedule", ARG_TEXT, &w->schedule, "NAME", "of the rate: cosine, step or none (cosine)"},
        {"--warmup", ARG_REAL, &o->warmup, "EPOCHS", "over which the rate rises to --lr (0)"},
        {"--seed", ARG_WHOLE, &w->seed, "S", "of weights, order and dropout (1)"},
        {"--devices", ARG_TEXT, &w->devices, "SPEC",
         "0:0, gpu, cpu, accel, part of a name, all; 0:0/2: its halves; virtual:N@S: emulated; commas (the best one)"},
        {"--modules", ARG_WHOLE, &w->modules, "N",
         "cut the net into N modules, a device each (as many as pay on these devices)"},
        {"--couple", ARG_TEXT, &w->couple, "WORDS",
         "a module's gradient at all cuts: csg, sg, local, predsim, exact, none, with options (the net's, or csg)"},
        {"--lockstep", ARG_FLAG, &w->lockstep, NULL,
         "modules wait for each other in every step: slower, and the same bits each time"},
        {"--queue", ARG_WHOLE, &w->queue, "N", "messages that may wait between two modules (4)"},
        {"--out", ARG_TEXT, &w->out, "DIR", "run folder (runs/NAME-001, -002, ...)"},
        {"--force", ARG_FLAG, &w->force, NULL, "overwrite a run folder"},
        {"--resume", ARG_TEXT, &w->resume, "DIR",
         "go on with an interrupted run; only --devices, --draw-every and --json beside"},
        {"--limit", ARG_WHOLE, &w->limit, "N", "train on the first N samples (all)"},
        {"--validation", ARG_WHOLE, &w->validation, "N", "hold N training samples out, and report on them (0)"},
        {"--stream", ARG_FLAG, &o->stream, NULL, "keep the pictures in host memory even where they fit the device"},
        {"--draw-every", ARG_WHOLE, &w->draw_every, "N",
         "epochs between pictures of the weights, which are kept as frames; 0: draw nothing (20 frames, or fewer)"},
        {"--no-tune", ARG_FLAG, &w->no_tune, NULL, "do not measure products on a device that is not tuned"},
        {"--json", ARG_FLAG, &w->json, NULL, "print the lines of metrics.jsonl and nothing else"},
    };
    struct arg_list list = {.usage = "train NET --data DATA [options]   (NET: a file, or the net as a string)",
                            .args = args, .n = COUNT_OF(args), .least = 0, .most = 1, .positional = positional};
    enum st s = ST_OK;
    TRY(args_parse(&list, argc, argv));
    *help = list.help;
    if (list.help)
        return ST_OK;
    w->net = positional[0];
    if (w->resume)
        TRY(check_resume(&list, w->net));
    else if (!w->net || !w->data)
        TRY(st_fail(ST_INPUT, "%s is missing; usage: clutch %s", w->net ? "--data" : "NET", list.usage));
    TRY(check_wishes(w));
out:
    return s;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* JSON is UTF-8, file names and comments may be anything. */
static enum st check_utf8(const char *what, const char *text)
{
    json_t *value = json_string(text);
    json_decref(value);
    return value ? ST_OK : st_fail(ST_INPUT, "%s is not UTF-8 text", what);
}

/* What run.json will say, from the wishes and the data. */
static enum st gather_facts(struct session *c, const struct wishes *w)
{
    struct run_facts *f = &c->facts;
    f->net_text = c->net->text;
    f->net_origin = c->net->origin;
    f->data = w->data;
    f->options = w->options;
    f->channels = c->set->c;
    f->height = c->set->h;
    f->width = c->set->w;
    f->limit = (uint32_t)w->limit;
    f->validation = (uint32_t)w->validation;
    f->devices = w->devices;
    f->couple = w->couple;
    f->lockstep = w->lockstep;
    f->queue = (int)w->queue;
    if (c->net->classes > DATA_CLASSES_MAX)
        return st_fail(ST_INPUT, "%s: %d classes, %d at most", c->net->origin, c->net->classes, DATA_CLASSES_MAX);
    f->class_count = c->net->classes;
    f->scaling.channels = c->set->c;
    data_moments(c->set, f->scaling.mean, f->scaling.deviation);
    enum st s = check_utf8("the name of the net", f->net_origin);
    for (int i = 0; i < f->class_count && s == ST_OK; i++) {
        f->class_name[i] = c->set->class_name[i];
        s = check_utf8("the name of a class folder", f->class_name[i]);
    }
    if (s == ST_OK)
        s = check_utf8(f->net_origin, f->net_text);
    if (s == ST_OK && f->devices)
        s = check_utf8("--devices", f->devices);
    return s != ST_OK ? s : check_utf8("--data", f->data);
}

static void print_memory(const struct train_memory *m)
{
    const struct {
        const char *name;
        uint64_t bytes;
    } row[] = {{"parameters", m->net.params + m->net.state},
               {"gradients", m->net.grads},
               {"optimizer", m->net.slots},
               {"activations", m->net.activations + m->net.deltas + m->batch},
               {"couplings", m->couplings},
               {"scratch", m->net.scratch},
               {m->streams ? "pictures (streamed)" : "pictures", m->pictures}};
    char text[32];
    printf("memory:");
    for (size_t i = 0; i < COUNT_OF(row); i++)
        if (row[i].bytes || i != 4)
            printf("%s %s %s", i ? "," : "", row[i].name, show_bytes(text, sizeof text, row[i].bytes));
    printf("; in all %s", show_bytes(text, sizeof text, m->total));
    printf(" of %s\n", show_bytes(text, sizeof text, m->available));
}

static void print_modules(const struct session *c)
{
    int n = train_module_count(c->train);
    for (int k = 0; k < n; k++) {
        struct train_module m = train_module_at(c->train, k);
        char words[256];
        if (n > 1)
            printf("module %d: layers %d to %d on %s, GEMM %s (%s)%s%s\n", k, m.first, m.first + m.count - 1, m.device,
                   mx_gemm_name(m.mx), mx_tuning_note(m.mx), m.spec ? "; gradient: " : "",
                   m.spec ? sg_spec_show(m.spec, words, sizeof words) : "");
        else
            printf("device: %s, GEMM %s (%s)\n", m.device, mx_gemm_name(m.mx), mx_tuning_note(m.mx));
    }
    if (n == 1 && c->modules.hold.n > 1)
        printf("        the fastest of the %d devices alone: more modules would not be 5 %% faster (clutch plan tells "
               "why, --modules N does it)\n", c->modules.hold.n);
    if (n > 1)
        printf("modules run %s\n", c->facts.lockstep ? "in lockstep" : "freely, each at its own pace");
}

static enum st print_head(const struct session *c, const struct train_memory *m)
{
    struct text table = {0};
    const struct data_set *d = c->set;
    const struct train_options *o = &c->facts.options;
    printf("net:    %s\n", c->net->origin);
    nn_net_show(c->net, &table);
    enum st s = text_status(&table);
    if (s == ST_OK)
        printf("%s", table.s);
    text_free(&table);
    printf("data:   %s%s%s%s: %u to train on, ", d->name, d->path ? " (" : "", d->path ? d->path : "",
           d->path ? ")" : "", d->train.n);
    if (d->validation.n)
        printf("%u held out, ", d->validation.n);
    printf("%u to test, %d classes\n", d->test.n, d->classes);
    print_modules(c);
    print_memory(m);
    printf("train:  %s, rate %g (%s), batch %d, %d epochs, seed %llu\n", o->optimizer, o->lr, o->schedule, o->batch,
           o->epochs, (unsigned long long)o->seed);
    return s;
}

static enum st open_data(struct session *c, const char *data, uint32_t limit, uint32_t validation, uint64_t seed)
{
    enum st s = ST_OK;
    TRY(data_open(data, seed, &c->set));
    TRY(data_hold_out(c->set, limit, validation, seed));
out:
    return s;
}

/* Devices and modules; the net may be cut on the way. */
static enum st place(struct session *c, const struct modules_wish *wish)
{
    enum st s = ST_OK;
    TRY(modules_open(c->net, wish, &c->modules));
    if (c->modules.split) {
        nn_net_free(c->net);
        c->net = c->modules.split;
        c->modules.split = NULL;
    }
    memcpy(c->facts.on, c->modules.placement.on, sizeof c->facts.on);
out:
    return s;
}

static enum st open_training(struct session *c, const struct wishes *w)
{
    struct train_memory m;
    enum st s = modules_train(&c->modules, c->net, &c->facts.options, c->set, &c->facts.scaling, &m, &c->train);
    return s != ST_OK || w->json ? s : print_head(c, &m);
}

/* The name of an unnamed run: that of the net's file, without folder and ending. */
static void run_name(const struct nn_net *net, char *out, size_t size)
{
    const char *slash = strrchr(net->origin, '/'), *name = slash ? slash + 1 : net->origin;
    snprintf(out, size, "%.*s", (int)strcspn(name, "."), name);
}

static enum st start(struct session *c, const struct wishes *w)
{
    enum st s = ST_OK;
    char name[NAME_MAX];
    TRY(nn_net_open(w->net, &c->net));
    TRY(open_data(c, w->data, (uint32_t)w->limit, (uint32_t)w->validation, w->options.seed));
    TRY(train_check_set(c->net, c->set)); /* before devices are measured */
    TRY(place(c, &(struct modules_wish){.devices = w->devices, .couple = w->couple, .optimizer = w->options.optimizer,
                                        .modules = w->modules, .queue = w->queue, .batch = w->options.batch,
                                        .lockstep = w->lockstep, .no_tune = w->no_tune}));
    TRY(gather_facts(c, w));
    TRY(open_training(c, w));
    TRY(train_init(c->train));
    run_name(c->net, name, sizeof name);
    TRY(store_run_create(w->out, name, w->force, &c->run));
    c->folder = store_run_path(c->run);
    TRY(run_facts_write(c->folder, &c->facts, c->train, c->net));
out:
    return s;
}

/* Sums in another order round otherwise: a resumed run then ends near the same place, but not on the same bits. Devices
 * that were asked for now are no news. */
static void note_changes(const struct session *c, bool other_devices)
{
    for (int k = 0; k < train_module_count(c->train); k++) {
        const json_t *module = json_array_get(json_object_get(c->facts.json, "modules"), (size_t)k);
        const char *tuning = json_string_value(json_object_get(module, "tuning"));
        const char *device = json_string_value(json_object_get(module, "device"));
        struct train_module m = train_module_at(c->train, k);
        if (device && !other_devices && strcmp(device, m.device) != 0)
            note("module %d was on %s when the run began, and is on %s now: other bits will come out", k, device,
                 m.device);
        else if (tuning && strcmp(tuning, mx_tuning_note(m.mx)) != 0)
            note("products are computed otherwise than when the run began (%s; now %s): other bits will come out",
                 tuning, mx_tuning_note(m.mx));
    }
}

static enum st resume(struct session *c, const struct wishes *w)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    json_t *metrics = NULL;
    struct run_facts *f = &c->facts;
    TRY(run_facts_read(w->resume, f));
    TRY(run_facts_net(w->resume, f, &c->net));
    TRY(store_path(w->resume, "checkpoint.safetensors", path, sizeof path));
    if (!file_exists(path))
        TRY(st_fail(ST_INPUT,
                    "%s cannot be resumed: it has no checkpoint.safetensors, which is written after each epoch; "
                              "train anew with --out %s --force", w->resume, w->resume));
    TRY(open_data(c, f->data, f->limit, f->validation, f->options.seed));
    bool same_places = !w->devices && f->module_count == c->net->section_count;
    TRY(place(c, &(struct modules_wish){.devices = w->devices ? w->devices : f->devices, .couple = f->couple,
                                        .optimizer = f->options.optimizer, .queue = f->queue,
                                        .batch = f->options.batch, .lockstep = f->lockstep, .no_tune = true,
                                        .modules = c->net->section_count, .on = same_places ? f->on : NULL}));
    TRY(open_training(c, w));
    note_changes(c, w->devices != NULL);
    TRY(train_load_checkpoint(c->train, path));
    TRY(store_run_open(w->resume, &c->run));
    c->folder = store_run_path(c->run);
    TRY(metrics_read(w->resume, &metrics));
    c->seconds = metrics_last(metrics, "seconds");
    if (!w->json)
        printf("resume: %s, %d of %d epochs are done\n", w->resume, train_epochs_done(c->train), f->options.epochs);
out:
    json_decref(metrics);
    return s;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

/* A row a module; with those that train on devices of their own go what they waited for, and how good the gradient at
 * the cut above is. */
static json_t *modules_json(const struct session *c, const struct train_epoch *e)
{
    json_t *all = json_array();
    for (int k = 0; k < e->modules; k++) {
        const struct train_module_epoch *m = &e->module[k];
        struct train_module facts = train_module_at(c->train, k);
        json_t *one = json_pack("{s:s, s:o, s:f}", "device", facts.device, "busy", number(m->busy), "stale_steps",
                                m->stale_steps);
        json_t *more = json_pack("{s:I, s:I, s:I, s:f, s:f, s:f}", "stale_most", (json_int_t)m->stale_most, "updates",
                                 (json_int_t)m->updates, "targets", (json_int_t)m->targets, "wait_input", m->wait_input,
                                 "wait_space", m->wait_space, "wait_gradient", m->wait_gradient);
        if (e->modules > 1)
            json_object_update(one, more);
        json_decref(more);
        if (facts.emulated)
            json_object_set_new(one, "late", json_real(m->late));
        if (facts.spec) {
            json_object_set_new(one, "cosine", number(c->alignment[k].cosine));
            json_object_set_new(one, "norm_ratio", number(c->alignment[k].norm_ratio));
        }
        json_array_append_new(all, one);
    }
    return all;
}

static json_t *metrics_json(const struct session *c, const struct train_epoch *e, const struct train_result *test,
                            const struct train_result *validation)
{
    json_t *one = json_pack("{s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "epoch", e->epoch, "step",
                            (json_int_t)e->step, "seconds", c->seconds, "train_loss", e->train.loss, "train_accuracy",
                            e->train.accuracy, "test_loss", test->loss, "test_accuracy", test->accuracy,
                            "samples_per_second", (double)e->train.samples / e->seconds, "learning_rate", e->rate);
    if (one && validation->samples) {
        json_object_set_new(one, "validation_loss", json_real(validation->loss));
        json_object_set_new(one, "validation_accuracy", json_real(validation->accuracy));
    }
    json_t *modules = modules_json(c, e);
    if (one && modules)
        json_object_set_new(one, "modules", modules);
    else
        json_decref(modules);
    return one;
}

static enum st write_metrics(const struct session *c, const struct wishes *w, const struct train_epoch *e,
                             const struct train_result *test, const struct train_result *validation)
{
    enum st s = ST_OK;
    struct text line = {0};
    json_t *one = metrics_json(c, e, test, validation);
    TRY(json_check(one));
    TRY(json_line(one, &line));
    TRY(store_run_metrics(c->run, line.s));
    if (w->json) {
        printf("%s\n", line.s);
        fflush(stdout); /* who reads a pipe wants each epoch when it is done */
    }
out:
    json_decref(one);
    text_free(&line);
    return s;
}

static enum st save(const struct session *c)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    bool none;
    TRY(store_path(c->folder, "model.safetensors", path, sizeof path));
    TRY(train_save(c->train, path));
    TRY(store_path(c->folder, "checkpoint.safetensors", path, sizeof path));
    TRY(train_save_checkpoint(c->train, path));
    TRY(store_path(c->folder, "couplings.safetensors", path, sizeof path));
    TRY(train_save_couplings(c->train, path, &none));
out:
    return s;
}

static enum st train_all(struct session *c, const struct wishes *w)
{
    enum st s = ST_OK;
    struct progress p;
    int epochs = c->facts.options.epochs;
    progress_open(&p, epochs, train_epochs_done(c->train), w->json);
    progress_head(&p, c->set->validation.n > 0, train_module_count(c->train));
    while (train_epochs_done(c->train) < epochs) {
        struct train_epoch e;
        struct train_result test, validation = {0};
        TRY(train_epoch_run(c->train, &(struct train_watch){progress_step, &p}, &e));
        c->seconds += e.seconds;
        TRY(train_evaluate(c->train, TRAIN_TEST, &test));
        if (c->set->validation.n)
            TRY(train_evaluate(c->train, TRAIN_VALIDATION, &validation));
        TRY(train_probe(c->train, c->alignment));
        if (!w->json)
            progress_epoch(&p, &e, validation.samples ? &validation : &test);
        if (!w->json)
            progress_modules(&e, c->alignment);
        TRY(save(c));
        TRY(write_metrics(c, w, &e, &test, &validation));
        TRY(drawer_epoch(c->drawer, c->train));
        if (!w->json && e.epoch == epochs)
            printf("test accuracy %.4f, loss %.4f after %d epochs and %.1f s of training\n", test.accuracy, test.loss,
                   epochs, c->seconds);
    }
out:
    return s;
}

static void close_session(struct session *c)
{
    drawer_close(c->drawer);
    train_close(c->train);
    store_run_free(c->run);
    modules_close(&c->modules);
    data_free(c->set);
    nn_net_free(c->net);
    run_facts_free(&c->facts);
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    struct wishes w;
    struct session c = {0};
    bool help = false;
    TRY(read_wishes(argc, argv, &w, &help));
    if (help)
        return ST_OK;
    s = w.resume ? resume(&c, &w) : start(&c, &w);
    if (s != ST_OK && c.run)
        store_run_abandon(c.run);
    TRY(s);
    TRY(drawer_open(c.folder, &c.facts, c.train, (int)w.draw_every, &c.drawer));
    TRY(train_all(&c, &w));
    if (train_module_count(c.train) > 1)
        TRY(trace_write(c.train, c.folder));
    drawer_finish(c.drawer, w.json);
    c.drawer = NULL;
    if (!w.json)
        printf("run folder: %s\n", c.folder);
out:
    close_session(&c);
    return s;
}

const struct command cmd_train = {.name = "train", .summary = "train a net on data", .run = run};

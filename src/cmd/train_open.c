/* Opening a training run: a new one, one that goes on, one that is repeated. */
#include "session.h"

#include <stdio.h>
#include <string.h>

/* JSON is UTF-8, file names and comments may be anything; what a resumed run reads again has to be exact. */
static enum st check_utf8(const char *what, const char *text, bool show)
{
    int n = 1;
    for (const char *at = text; *at && n; at += n)
        utf8_at(at, &n);
    return n ? ST_OK : st_fail(ST_INPUT, show ? "%s is not UTF-8 text: %s" : "%s is not UTF-8 text", what, text);
}

/* Where the files are that the word meant; NULL: it is a name, not a path. */
static const char *meant_path(struct session *c, const char *word)
{
    const char *path = c->set->path;
    if (!path || strncmp(path, word, strlen(word)) != 0 || !file_absolute(word, c->data_path, sizeof c->data_path))
        return NULL;
    return c->data_path;
}

static void show_fingerprint(const struct data_set *set, char out[17])
{
    snprintf(out, 17, "%016llx", (unsigned long long)data_fingerprint(set));
}

/* What run.json will say, from the wishes and the data, which were opened by the word `data`. */
static enum st gather_facts(struct session *c, const struct wishes *w, const char *data)
{
    struct run_facts *f = &c->facts;
    f->net_text = c->net->text;
    f->net_origin = c->net->origin;
    f->data = w->data;
    f->data_path = meant_path(c, data);
    f->samples = c->set->train.n;
    show_fingerprint(c->set, f->fingerprint);
    f->options = f->first = w->options;
    f->patience = f->first_patience = (int)w->patience;
    f->keep = (int)w->keep;
    f->checkpoint_minutes = w->checkpoint_minutes;
    f->restore = strcmp(w->on_divergence, "restore") == 0;
    f->draw_every = (int)w->draw_every;
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
    enum st s = check_utf8("the name of the net", f->net_origin, true);
    for (int i = 0; i < f->class_count; i++)
        f->class_name[i] = c->set->class_name[i];
    if (s == ST_OK)
        s = check_utf8(f->net_origin, f->net_text, false);
    if (s == ST_OK && f->devices)
        s = check_utf8("--devices", f->devices, true);
    if (s == ST_OK)
        s = check_utf8("--data", f->data, true);
    return s != ST_OK || !f->data_path ? s : check_utf8("the path of the data", f->data_path, true);
}

static enum st open_data(struct session *c, const char *data, uint32_t limit, uint32_t validation, uint64_t seed)
{
    enum st s = ST_OK;
    TRY(data_open(data, seed, &c->set));
    TRY(data_hold_out(c->set, limit, validation, seed));
    TRY(train_check_set(c->net, c->set)); /* before devices are measured */
out:
    return s;
}

/* Whether these are the data that `f` tells of: so many of them, and then the same ones. */
static enum st check_same_data(const struct session *c, const struct run_facts *f)
{
    char fingerprint[17];
    if (f->samples && f->samples != c->set->train.n)
        return st_fail(ST_INPUT, "%s has %u sample%s to train on, the run began with %u", c->set->name,
                       c->set->train.n, plural(c->set->train.n), f->samples);
    show_fingerprint(c->set, fingerprint);
    if (f->fingerprint[0] && strcmp(fingerprint, f->fingerprint) != 0)
        note("the data of %s are not those that the run began with: other bits will come out", c->set->name);
    return ST_OK;
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

static enum st open_training(struct session *c)
{
    struct train_memory m;
    enum st s = modules_train(&c->modules, c->net, &c->facts.options, c->set, &c->facts.scaling, &m, &c->train);
    return s != ST_OK || c->json ? s : head_print(c, &m);
}

/* The name of an unnamed run: that of the net's file, without folder and ending. */
static void run_name(const struct nn_net *net, char *out, size_t size)
{
    const char *slash = strrchr(net->origin, '/'), *name = slash ? slash + 1 : net->origin;
    snprintf(out, size, "%.*s", (int)strcspn(name, "."), name);
}

/* Sums in another order round otherwise: a resumed run then ends near the same place, but not on the same bits. Devices
 * that were asked for now are no news. */
static void note_changes(const struct session *c, const json_t *then, bool other_devices)
{
    for (int k = 0; k < train_module_count(c->train); k++) {
        const json_t *module = json_array_get(json_object_get(then, "modules"), (size_t)k);
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

/* ---- a new run --------------------------------------------------------------------------------------------------- */

/* From a net and checked wishes to a run folder. `places`: of the modules, as an earlier run had them; NULL: none. */
static enum st begin(struct session *c, const struct wishes *w, const char *data, const int *places)
{
    enum st s = ST_OK;
    char name[NAME_MAX];
    if (w->out)
        TRY(store_run_check(w->out, w->force)); /* before anything takes time */
    TRY(open_data(c, data, (uint32_t)w->limit, (uint32_t)w->validation, w->options.seed));
    if (c->repeated.json)
        TRY(check_same_data(c, &c->repeated));
    TRY(place(c, &(struct modules_wish){.devices = w->devices, .couple = w->couple, .optimizer = w->options.optimizer,
                                        .cuts = w->cuts, .queue = w->queue, .batch = w->options.batch,
                                        .lockstep = w->lockstep, .no_tune = w->no_tune || places, .fresh = w->fresh,
                                        .on = places, .cut_option = w->cut_option}));
    TRY(gather_facts(c, w, data));
    TRY(open_training(c));
    TRY(train_init(c->train));
    run_name(c->net, name, sizeof name);
    TRY(store_run_create(w->out, name, w->force, &c->run));
    c->folder = store_run_path(c->run);
    TRY(run_facts_write(c->folder, &c->facts, c->train, c->net));
    if (c->facts.restore) /* to the start, if need be */
        TRY(session_save(c, NULL, 0));
out:
    return s;
}

enum st session_start(struct session *c, const struct wishes *w)
{
    enum st s = net_open(w->net, &c->net);
    return s != ST_OK ? s : begin(c, w, w->data, NULL);
}

enum st session_repeat(struct session *c, const struct wishes *w)
{
    enum st s = ST_OK;
    struct run_facts *f = &c->repeated;
    struct wishes all = *w;
    TRY(run_facts_read(w->repeat, f));
    TRY(run_facts_net(w->repeat, f, &c->net));
    all.options = f->first;
    all.data = w->data ? w->data : f->data;
    all.devices = f->devices;
    all.couple = f->couple;
    all.lockstep = f->lockstep;
    all.queue = f->queue;
    all.limit = f->limit;
    all.validation = f->validation;
    all.patience = f->first_patience;
    all.keep = f->keep;
    all.checkpoint_minutes = f->checkpoint_minutes;
    if (w->draw_every == DRAWER_CHOOSES)
        all.draw_every = f->draw_every;
    all.on_divergence = "stop"; /* what brought the run back then is among its changes */
    TRY(begin(c, &all, w->data ? w->data : run_facts_data(f), f->module_count ? f->on : NULL));
    note_changes(c, f->json, false);
out:
    return s;
}

/* ---- a run that goes on ------------------------------------------------------------------------------------------ */

/* What --resume changes for the rest of the run; *change: options of training are among it. */
static enum st take_wishes(struct session *c, const struct wishes *w, int64_t epoch, int64_t step,
                           struct run_change *change, bool *changed)
{
    enum st s = ST_OK;
    struct run_facts *f = &c->facts;
    if (w->given.keep)
        f->keep = (int)w->keep;
    if (w->given.checkpoint)
        f->checkpoint_minutes = w->checkpoint_minutes;
    if (w->given.divergence)
        f->restore = strcmp(w->on_divergence, "restore") == 0;
    if (w->draw_every != DRAWER_CHOOSES)
        f->draw_every = (int)w->draw_every;
    *change = (struct run_change){.step = (uint64_t)step, .epochs = f->options.epochs, .patience = f->patience,
                                  .lr = f->options.lr};
    if (w->given.epochs)
        change->epochs = w->options.epochs;
    if (w->given.lr)
        change->lr = w->options.lr;
    if (w->given.patience)
        change->patience = (int)w->patience;
    *changed = change->epochs != f->options.epochs || change->lr != f->options.lr || change->patience != f->patience;
    if (change->epochs < epoch)
        TRY(st_fail(ST_INPUT, "--epochs is %d, but %lld of %d are done; allowed are %lld and more", change->epochs,
                    (long long)epoch, f->options.epochs, (long long)epoch + 1));
out:
    return s;
}

static void show_change(const struct session *c, const struct train_options *before)
{
    const struct train_options *o = &c->facts.options;
    uint64_t step = train_steps_done(c->train), each = train_steps_per_epoch(c->train);
    uint64_t then = (uint64_t)before->epochs * each;
    output("change:");
    if (o->epochs != before->epochs)
        output(" %d epoch%s instead of %d;", o->epochs, plural((uint64_t)o->epochs), before->epochs);
    if (o->lr != before->lr)
        output(" rate %g instead of %g;", o->lr, before->lr);
    output(" by the schedule (%s) the next step takes %.4g", o->schedule,
           train_rate(o, step, (uint64_t)o->epochs * each, each));
    if (step < then)
        output(" instead of %.4g", train_rate(before, step, then, each));
    output("\n");
}

static enum st check_has_checkpoint(const struct session *c)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    TRY(store_path(c->folder, "checkpoint.safetensors", path, sizeof path));
    if (!file_exists(path))
        TRY(st_fail(ST_INPUT, "%s cannot be resumed: it has no checkpoint.safetensors, which is written after each "
                    "epoch; train anew with --out %s --force", c->folder, c->folder));
out:
    return s;
}

static enum st open_again(struct session *c, const struct wishes *w)
{
    enum st s = ST_OK;
    struct run_facts *f = &c->facts;
    TRY(open_data(c, w->data ? w->data : run_facts_data(f), f->limit, f->validation, f->options.seed));
    TRY(check_same_data(c, f));
    bool same_places = !w->devices && f->module_count == c->net->section_count;
    TRY(place(c, &(struct modules_wish){.devices = w->devices ? w->devices : f->devices, .couple = f->couple,
                                        .optimizer = f->options.optimizer, .queue = f->queue,
                                        .batch = f->options.batch, .lockstep = f->lockstep, .no_tune = true,
                                        .on = same_places ? f->on : NULL}));
    TRY(open_training(c));
    note_changes(c, f->json, w->devices != NULL);
out:
    return s;
}

enum st session_resume(struct session *c, const struct wishes *w, bool *finished)
{
    enum st s = ST_OK;
    int64_t epoch, step;
    struct run_facts *f = &c->facts;
    struct run_change change;
    bool changed;
    TRY(run_facts_read(w->resume, f));
    TRY(run_facts_net(w->resume, f, &c->net));
    TRY(store_run_open(w->resume, &c->run));
    c->folder = store_run_path(c->run);
    TRY(check_has_checkpoint(c));
    TRY(session_look(c, &epoch, &step));
    struct train_options before = f->options;
    TRY(take_wishes(c, w, epoch, step, &change, &changed));
    f->options.epochs = change.epochs;
    f->options.lr = change.lr;
    f->patience = change.patience;
    *finished = session_ends_after(c, epoch);
    if (*finished) {
        c->done = (int)epoch;
        TRY(session_load(c)); /* its files alone: there is nothing to train */
        goto out;
    }
    TRY(open_again(c, w));
    TRY(session_load(c));
    if (changed) /* now that the run can go on */
        TRY(run_facts_change(c->folder, f, &change));
    if (changed && !c->json && (change.epochs != before.epochs || change.lr != before.lr))
        show_change(c, &before);
    if (!c->json)
        output("resume: %s, %lld of %d epoch%s %s done\n", c->folder, (long long)epoch, f->options.epochs,
               plural((uint64_t)f->options.epochs), f->options.epochs == 1 ? "is" : "are");
out:
    return s;
}

enum st session_reopen(struct session *c)
{
    train_close(c->train);
    c->train = NULL;
    return modules_train(&c->modules, c->net, &c->facts.options, c->set, &c->facts.scaling, NULL, &c->train);
}

void session_close(struct session *c)
{
    drawer_close(c->drawer);
    train_close(c->train);
    modules_close(&c->modules);
    data_free(c->set);
    store_run_free(c->run);
    nn_net_free(c->net);
    run_facts_free(&c->facts);
    run_facts_free(&c->repeated);
}

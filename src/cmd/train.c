/* clutch train: a net, data, a device, a run folder. */
#include "session.h"

#include "progress.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* JSON is UTF-8, file names and comments may be anything; what a resumed run reads again has to be exact. */
static enum st check_utf8(const char *what, const char *text, bool show)
{
    int n = 1;
    for (const char *at = text; *at && n; at += n)
        utf8_at(at, &n);
    return n ? ST_OK : st_fail(ST_INPUT, show ? "%s is not UTF-8 text: %s" : "%s is not UTF-8 text", what, text);
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
    enum st s = check_utf8("the name of the net", f->net_origin, true);
    for (int i = 0; i < f->class_count; i++)
        f->class_name[i] = c->set->class_name[i];
    if (s == ST_OK)
        s = check_utf8(f->net_origin, f->net_text, false);
    if (s == ST_OK && f->devices)
        s = check_utf8("--devices", f->devices, true);
    return s != ST_OK ? s : check_utf8("--data", f->data, true);
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
    return s != ST_OK || w->json ? s : head_print(c, &m);
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
    TRY(net_open(w->net, &c->net));
    TRY(open_data(c, w->data, (uint32_t)w->limit, (uint32_t)w->validation, w->options.seed));
    TRY(train_check_set(c->net, c->set)); /* before devices are measured */
    TRY(place(c, &(struct modules_wish){.devices = w->devices, .couple = w->couple, .optimizer = w->options.optimizer,
                                        .cuts = w->cuts, .queue = w->queue, .batch = w->options.batch,
                                        .lockstep = w->lockstep, .no_tune = w->no_tune, .fresh = w->fresh,
                                        .cut_option = w->cut_option}));
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
                                        .on = same_places ? f->on : NULL}));
    TRY(open_training(c, w));
    note_changes(c, w->devices != NULL);
    TRY(train_load_checkpoint(c->train, path));
    TRY(store_run_open(w->resume, &c->run));
    c->folder = store_run_path(c->run);
    TRY(metrics_read(w->resume, &metrics));
    c->seconds = metrics_last(metrics, "seconds");
    if (!w->json)
        output("resume: %s, %d of %d epochs are done\n", w->resume, train_epochs_done(c->train), f->options.epochs);
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
        output("%s\n", line.s);
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
    TRY(model_write(path, &c->facts, c->net, c->train));
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
        TRY(train_epoch_run(c->train, &(struct train_watch){.progress = progress_step, .user = &p}, &e));
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
            output("test accuracy %.4f, loss %.4f after %d epochs and %.1f s of training\n", test.accuracy, test.loss,
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
    TRY(wishes_read(argc, argv, &w, &help));
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
        output("run folder: %s\n", c.folder);
out:
    close_session(&c);
    return s;
}

const struct command cmd_train = {.name = "train", .summary = "train a net on data", .run = run};

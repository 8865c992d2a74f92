/* run.json: everything needed to repeat a run, to evaluate what it learned, and to go on with it. */
#include "pictures.h"

#include <float.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RUN_JSON_BYTES_MAX = 1 << 24, SIDE_MAX = 4096 };

/* As the run began. */
static json_t *options_json(const struct run_facts *f)
{
    const struct train_options *o = &f->first;
    json_t *all = json_pack("{s:i, s:i, s:s, s:s, s:f, s:f, s:b, s:f, s:f, s:I, s:b}", "epochs", o->epochs, "batch",
                            o->batch, "optimizer", o->optimizer, "schedule", o->schedule, "lr", o->lr, "momentum",
                            o->momentum, "nesterov", (int)o->nesterov, "weight_decay", o->weight_decay, "warmup",
                            o->warmup, "seed", (json_int_t)o->seed, "stream", (int)o->stream);
    json_t *draw = f->draw_every == DRAWER_CHOOSES ? NULL : json_integer(f->draw_every);
    json_t *more = json_pack("{s:s?, s:s?, s:b, s:i, s:i, s:i, s:f, s:s, s:o*}", "devices", f->devices, "couple",
                             f->couple, "lockstep", (int)f->lockstep, "queue", f->queue, "patience", f->first_patience,
                             "keep", f->keep, "checkpoint_every", f->checkpoint_minutes, "on_divergence",
                             f->restore ? "restore" : "stop", "draw_every", draw);
    if (!all || !more || json_object_update(all, more) != 0) {
        json_decref(all);
        all = NULL;
    }
    json_decref(more);
    return all;
}

static json_t *modules_json(const struct run_facts *f, struct train *t)
{
    json_t *all = json_array();
    for (int k = 0; k < train_module_count(t); k++) {
        struct train_module m = train_module_at(t, k);
        const struct ocl_facts *d = ocl_device_facts(ocl_queue_device(mx_queue(m.mx)));
        char words[256];
        const char *file = mx_tuning_file(m.mx);
        json_t *coupling = m.spec ? json_string(sg_spec_show(m.spec, words, sizeof words)) : json_null();
        json_push(&all, json_pack("{s:o, s:i, s:b, s:o, s:o, s:s, s:s, s:o, s:i, s:i, s:o}", "device",
                                  json_foreign(m.device), "place", f->on[k], "emulated", (int)m.emulated, "version",
                                  json_foreign(d->version), "driver", json_foreign(d->driver), "gemm",
                                  mx_gemm_name(m.mx), "tuning", mx_tuning_note(m.mx), "tuning_file",
                                  file[0] ? json_foreign(file) : json_null(), "first", m.first, "layers", m.count,
                                  "coupling", coupling));
    }
    return all;
}

static json_t *data_json(const struct run_facts *f)
{
    json_t *mean = json_array(), *deviation = json_array(), *names = json_array();
    for (int k = 0; k < f->channels; k++) {
        json_push(&mean, json_real(f->scaling.mean[k]));
        json_push(&deviation, json_real(f->scaling.deviation[k]));
    }
    for (int k = 0; k < f->class_count; k++)
        json_push(&names, json_string(f->class_name[k]));
    return json_pack("{s:s, s:s?, s:[i, i, i], s:o, s:o, s:o, s:I, s:I, s:I, s:s}", "data", f->data, "path",
                     f->data_path, "shape", f->channels, f->height, f->width, "mean", mean, "deviation", deviation,
                     "classes", names, "limit", (json_int_t)f->limit, "validation", (json_int_t)f->validation,
                     "samples", (json_int_t)f->samples, "fingerprint", f->fingerprint);
}

static enum st write_root(const char *folder, const json_t *root)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct text text = {0};
    TRY(json_text(root, JSON_INDENT(2), &text));
    TRY(store_path(folder, "run.json", path, sizeof path));
    TRY(file_write(path, text.s, text.len));
out:
    text_free(&text);
    return s;
}

enum st run_facts_write(const char *folder, struct run_facts *f, struct train *t, const struct nn_net *net)
{
    enum st s = ST_OK;
    char when[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    json_t *root = json_pack("{s:s, s:s, s:{s:s, s:s, s:I}, s:o, s:o, s:o}", "clutch", cmd_version(), "started", when,
                             "net", "origin", f->net_origin, "text", f->net_text, "parameters",
                             (json_int_t)nn_net_params(net), "data", data_json(f), "options", options_json(f),
                             "modules", modules_json(f, t));
    TRY(json_check(root));
    TRY(write_root(folder, root));
    f->written = root;
    root = NULL;
out:
    json_decref(root);
    return s;
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static void put_in_force(struct run_facts *f, const struct run_change *change)
{
    f->options.epochs = change->epochs;
    f->options.lr = change->lr;
    f->patience = change->patience;
}

enum st run_facts_change(const char *folder, struct run_facts *f, const struct run_change *change)
{
    enum st s = ST_OK;
    json_t *root = f->written ? f->written : f->json, *all = json_object_get(root, "changes");
    if (f->change_count == RUN_CHANGES_MAX)
        TRY(st_fail(ST_INPUT, "%s was changed %d times, which is the most a run keeps", folder, RUN_CHANGES_MAX));
    if (!all) {
        all = json_array();
        TRY(json_check(all));
        if (json_object_set_new(root, "changes", all) != 0)
            TRY(json_check(NULL));
    }
    if (json_array_append_new(all, json_pack("{s:I, s:i, s:i, s:f}", "step", (json_int_t)change->step, "epochs",
                                             change->epochs, "patience", change->patience, "lr", change->lr)) != 0)
        TRY(json_check(NULL));
    TRY(write_root(folder, root));
    f->change[f->change_count++] = *change;
    put_in_force(f, change);
out:
    return s;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static enum st read_data(const json_t *data, struct run_facts *f)
{
    const json_t *mean = json_object_get(data, "mean"), *deviation = json_object_get(data, "deviation");
    const json_t *names = json_object_get(data, "classes");
    size_t n = json_array_size(mean);
    const int side[] = {f->channels, f->height, f->width};
    for (size_t k = 0; k < COUNT_OF(side); k++)
        if (side[k] < 1 || side[k] > SIDE_MAX)
            return st_fail(ST_INPUT, "shape has a side of %d, must be from 1 to %d", side[k], SIDE_MAX);
    if (n == 0 || n > TRAIN_CHANNELS_MAX || json_array_size(deviation) != n || (int)n != f->channels ||
        json_array_size(names) < 2 || json_array_size(names) > DATA_CLASSES_MAX)
        return st_fail(ST_INPUT, "means, deviations or classes do not fit");
    for (size_t k = 0; k < n; k++) {
        f->scaling.mean[k] = json_number_value(json_array_get(mean, k));
        f->scaling.deviation[k] = json_number_value(json_array_get(deviation, k));
        if (!(f->scaling.deviation[k] > 0))
            return st_fail(ST_INPUT, "a deviation is not above 0");
    }
    f->scaling.channels = (int)n;
    f->class_count = (int)json_array_size(names);
    for (int k = 0; k < f->class_count; k++) {
        f->class_name[k] = json_string_value(json_array_get(names, (size_t)k));
        if (!f->class_name[k])
            return st_fail(ST_INPUT, "a class name is no text");
    }
    return ST_OK;
}

static enum st read_name(const json_t *options, const char *key, char out[NN_WORD_MAX])
{
    const char *word;
    enum st s = json_word(options, key, &word);
    if (s == ST_OK && snprintf(out, NN_WORD_MAX, "%s", word) >= NN_WORD_MAX)
        s = st_fail(ST_INPUT, "%s '%s' is unknown", key, word);
    return s;
}

static enum st read_options(const json_t *options, struct train_options *o)
{
    enum st s = ST_OK;
    int64_t epochs, batch, seed;
    *o = train_defaults();
    TRY(json_whole(options, "epochs", 1, 100000, &epochs));
    TRY(json_whole(options, "batch", 1, 65536, &batch));
    TRY(json_whole(options, "seed", 0, INT64_MAX, &seed));
    TRY(read_name(options, "optimizer", o->optimizer));
    TRY(read_name(options, "schedule", o->schedule));
    TRY(json_real_in(options, "lr", 0, DBL_MAX, &o->lr));
    TRY(json_real_in(options, "momentum", 0, DBL_MAX, &o->momentum));
    TRY(json_real_in(options, "weight_decay", 0, DBL_MAX, &o->weight_decay));
    TRY(json_real_in(options, "warmup", 0, DBL_MAX, &o->warmup));
    TRY(json_flag(options, "nesterov", &o->nesterov));
    TRY(json_flag(options, "stream", &o->stream));
    o->epochs = (int)epochs;
    o->batch = (int)batch;
    o->seed = (uint64_t)seed;
    TRY(train_check_options(o));
out:
    return s;
}

/* How the run is kept; runs of before there was such a choice kept what the defaults say. */
static enum st read_keeping(const json_t *options, struct run_facts *f)
{
    enum st s = ST_OK;
    int64_t patience = 0, keep = 1, draw = DRAWER_CHOOSES;
    const char *on_divergence = "stop";
    f->checkpoint_minutes = CHECKPOINT_MINUTES;
    if (json_object_get(options, "patience"))
        TRY(json_whole(options, "patience", 0, 100000, &patience));
    if (json_object_get(options, "keep"))
        TRY(json_whole(options, "keep", 1, RUN_KEEP_MAX, &keep));
    if (json_object_get(options, "checkpoint_every"))
        TRY(json_real_in(options, "checkpoint_every", 0, CHECKPOINT_MINUTES_MAX, &f->checkpoint_minutes));
    if (json_object_get(options, "on_divergence"))
        TRY(json_word(options, "on_divergence", &on_divergence));
    if (json_object_get(options, "draw_every"))
        TRY(json_whole(options, "draw_every", 0, 100000, &draw));
    f->draw_every = (int)draw;
    f->patience = f->first_patience = (int)patience;
    f->keep = (int)keep;
    f->restore = strcmp(on_divergence, "restore") == 0;
out:
    return s;
}

static enum st read_changes(const json_t *root, struct run_facts *f)
{
    enum st s = ST_OK;
    const json_t *all = json_object_get(root, "changes");
    for (size_t k = 0; k < json_array_size(all); k++) {
        const json_t *one = json_array_get(all, k);
        int64_t step, epochs, patience;
        struct run_change change;
        if (k == RUN_CHANGES_MAX)
            TRY(st_fail(ST_INPUT, "%zu changes, %d at most", json_array_size(all), RUN_CHANGES_MAX));
        TRY(json_whole(one, "step", 0, INT64_MAX, &step));
        TRY(json_whole(one, "epochs", 1, 100000, &epochs));
        TRY(json_whole(one, "patience", 0, 100000, &patience));
        TRY(json_real_in(one, "lr", 0, DBL_MAX, &change.lr));
        change.step = (uint64_t)step;
        change.epochs = (int)epochs;
        change.patience = (int)patience;
        put_in_force(f, &change);
        f->change[f->change_count++] = change;
    }
    TRY(train_check_options(&f->options));
out:
    return st_context(s, "changes");
}

/* A text that may be missing or null. */
static enum st read_word(const json_t *options, const char *name, const char **out)
{
    const json_t *word = json_object_get(options, name);
    *out = json_string_value(word);
    return *out || !word || json_is_null(word) ? ST_OK : st_fail(ST_INPUT, "%s is no text", name);
}

/* What runs in modules have besides; older runs do not. */
static enum st read_modules(json_t *root, json_t *options, struct run_facts *f)
{
    enum st s = ST_OK;
    json_t *modules = json_object_get(root, "modules");
    int64_t queue = TRAIN_QUEUE;
    TRY(read_word(options, "devices", &f->devices));
    TRY(read_word(options, "couple", &f->couple));
    if (json_object_get(options, "lockstep"))
        TRY(json_flag(options, "lockstep", &f->lockstep));
    if (json_object_get(options, "queue"))
        TRY(json_whole(options, "queue", 1, TRAIN_QUEUE_MAX, &queue));
    f->queue = (int)queue;
    for (size_t k = 0; k < json_array_size(modules) && k < PLAN_MODULES_MAX; k++) {
        const json_t *place = json_object_get(json_array_get(modules, k), "place");
        if (!json_is_integer(place) || json_integer_value(place) < 0 || json_integer_value(place) >= PLAN_DEVICES_MAX)
            break;
        f->on[k] = (int)json_integer_value(place);
        f->module_count = (int)k + 1;
    }
out:
    return s;
}

/* Where the data was, how much of it there is, which it is; runs of before there were such do not say. */
static enum st read_source(const json_t *data, struct run_facts *f)
{
    enum st s = ST_OK;
    int64_t samples = 0;
    const char *fingerprint = NULL;
    TRY(json_word(data, "data", &f->data));
    TRY(read_word(data, "path", &f->data_path));
    TRY(read_word(data, "fingerprint", &fingerprint));
    if (json_object_get(data, "samples"))
        TRY(json_whole(data, "samples", 0, UINT32_MAX, &samples));
    f->samples = (uint32_t)samples;
    snprintf(f->fingerprint, sizeof f->fingerprint, "%s", fingerprint ? fingerprint : "");
out:
    return s;
}

static enum st read_root(json_t *root, struct run_facts *f)
{
    enum st s = ST_OK;
    json_t *data, *options;
    json_error_t error;
    int64_t limit, validation;
    if (json_unpack_ex(root, &error, 0, "{s:{s:s, s:s}, s:o, s:o}", "net", "origin", &f->net_origin, "text",
                       &f->net_text, "data", &data, "options", &options) != 0 ||
        json_unpack_ex(data, &error, 0, "{s:[i, i, i]}", "shape", &f->channels, &f->height, &f->width) != 0)
        TRY(st_fail(ST_INPUT, "%s", error.text));
    TRY(json_whole(data, "limit", 0, UINT32_MAX, &limit));
    TRY(json_whole(data, "validation", 0, UINT32_MAX, &validation));
    f->limit = (uint32_t)limit;
    f->validation = (uint32_t)validation;
    TRY(read_source(data, f));
    TRY(read_data(data, f));
    TRY(st_context(read_options(options, &f->first), "options"));
    f->options = f->first;
    TRY(st_context(read_keeping(options, f), "options"));
    TRY(st_context(read_modules(root, options, f), "options"));
    TRY(read_changes(root, f));
out:
    return s;
}

enum st run_facts_read(const char *folder, struct run_facts *f)
{
    enum st s = ST_OK;
    char path[PATH_MAX], *text = NULL;
    size_t len;
    json_error_t error;
    *f = (struct run_facts){0};
    if (!dir_exists(folder))
        TRY(st_fail(ST_INPUT, "%s is not a run folder: there is no such folder", folder));
    TRY(store_path(folder, "run.json", path, sizeof path));
    TRY(st_context(file_read(path, RUN_JSON_BYTES_MAX, &text, &len), "%s is not a run folder", folder));
    f->json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!f->json)
        TRY(st_fail(ST_INPUT, "%s:%d: %s", path, error.line, error.text));
    TRY(st_context(read_root(f->json, f), "%s", path));
out:
    mem_free(text);
    if (s != ST_OK)
        run_facts_free(f);
    return s;
}

enum st run_facts_net(const char *folder, const struct run_facts *f, struct nn_net **out)
{
    enum st s = ST_OK;
    struct nn_net *net = NULL;
    TRY(nn_net_parse(f->net_text, f->net_origin, &net));
    if (net->classes != f->class_count || nn_size(net->input) != f->channels * f->height * f->width)
        TRY(st_fail(ST_INPUT,
                    "the net takes %d value%s and has %d output%s, but the run's pictures are %dx%dx%d of %d classes",
                    nn_size(net->input), plural((uint64_t)nn_size(net->input)), net->classes,
                    plural((uint64_t)net->classes), f->channels, f->height, f->width, f->class_count));
    *out = net;
    net = NULL;
out:
    nn_net_free(net);
    return st_context(s, "%s/run.json", folder);
}

const char *run_facts_data(const struct run_facts *f)
{
    return f->data_path && file_exists(f->data_path) ? f->data_path : f->data;
}

void run_facts_free(struct run_facts *f)
{
    json_decref(f->json);
    json_decref(f->written);
    *f = (struct run_facts){0};
}

/* run.json: everything needed to repeat a run, to evaluate what it learned, and to go on with it. */
#include "inside.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

enum { RUN_JSON_BYTES_MAX = 1 << 24, SIDE_MAX = 4096 };

static json_t *options_json(const struct run_facts *f)
{
    const struct train_options *o = &f->options;
    json_t *all = json_pack("{s:i, s:i, s:s, s:s, s:f, s:f, s:b, s:f, s:f, s:I, s:b}", "epochs", o->epochs, "batch",
                            o->batch, "optimizer", o->optimizer, "schedule", o->schedule, "lr", o->lr, "momentum",
                            o->momentum, "nesterov", (int)o->nesterov, "weight_decay", o->weight_decay, "warmup",
                            o->warmup, "seed", (json_int_t)o->seed, "stream", (int)o->stream);
    json_t *more = json_pack("{s:s?, s:s?, s:b, s:i}", "devices", f->devices, "couple", f->couple, "lockstep",
                             (int)f->lockstep, "queue", f->queue);
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
        json_t *coupling = m.spec ? json_string(sg_spec_show(m.spec, words, sizeof words)) : json_null();
        json_array_append_new(all, json_pack("{s:s, s:i, s:b, s:s, s:s, s:s, s:s, s:i, s:i, s:o}", "device", m.device,
                                             "place", f->on[k], "emulated", (int)m.emulated, "version", d->version,
                                             "driver", d->driver, "gemm", mx_gemm_name(m.mx), "tuning",
                                             mx_tuning_note(m.mx), "first", m.first, "layers", m.count, "coupling",
                                             coupling));
    }
    return all;
}

static json_t *data_json(const struct run_facts *f)
{
    json_t *mean = json_array(), *deviation = json_array(), *names = json_array();
    for (int k = 0; k < f->channels; k++) {
        json_array_append_new(mean, json_real(f->scaling.mean[k]));
        json_array_append_new(deviation, json_real(f->scaling.deviation[k]));
    }
    for (int k = 0; k < f->class_count; k++)
        json_array_append_new(names, json_string(f->class_name[k]));
    return json_pack("{s:s, s:[i, i, i], s:o, s:o, s:o, s:I, s:I}", "data", f->data, "shape", f->channels, f->height,
                     f->width, "mean", mean, "deviation", deviation, "classes", names, "limit", (json_int_t)f->limit,
                     "validation", (json_int_t)f->validation);
}

enum st run_facts_write(const char *folder, const struct run_facts *f, struct train *t, const struct nn_net *net)
{
    enum st s = ST_OK;
    char path[PATH_MAX], when[32];
    struct text text = {0};
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    json_t *root = json_pack("{s:s, s:s, s:{s:s, s:s, s:I}, s:o, s:o, s:o}", "clutch", cmd_version(), "started", when,
                             "net", "origin", f->net_origin, "text", f->net_text, "parameters",
                             (json_int_t)nn_net_params(net), "data", data_json(f), "options", options_json(f),
                             "modules", modules_json(f, t));
    TRY(json_check(root));
    TRY(json_text(root, JSON_INDENT(2), &text));
    TRY(store_path(folder, "run.json", path, sizeof path));
    TRY(file_write(path, text.s, text.len));
out:
    json_decref(root);
    text_free(&text);
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

static enum st read_options(json_t *options, struct train_options *o)
{
    const char *optimizer, *schedule;
    int nesterov, stream;
    json_int_t seed;
    json_error_t error;
    *o = train_defaults();
    if (json_unpack_ex(options, &error, 0, "{s:i, s:i, s:s, s:s, s:F, s:F, s:b, s:F, s:F, s:I, s:b}", "epochs",
                       &o->epochs, "batch", &o->batch, "optimizer", &optimizer, "schedule", &schedule, "lr", &o->lr,
                       "momentum", &o->momentum, "nesterov", &nesterov, "weight_decay", &o->weight_decay, "warmup",
                       &o->warmup, "seed", &seed, "stream", &stream) != 0)
        return st_fail(ST_INPUT, "options: %s", error.text);
    snprintf(o->optimizer, sizeof o->optimizer, "%s", optimizer);
    snprintf(o->schedule, sizeof o->schedule, "%s", schedule);
    o->nesterov = nesterov;
    o->stream = stream;
    o->seed = (uint64_t)seed;
    return train_check_options(o);
}

/* What runs in modules have besides; older runs do not. */
static enum st read_modules(json_t *root, json_t *options, struct run_facts *f)
{
    json_t *modules = json_object_get(root, "modules");
    int lockstep = 0;
    json_error_t error;
    f->queue = TRAIN_QUEUE;
    if (json_unpack_ex(options, &error, 0, "{s?:s?, s?:s?, s?:b, s?:i}", "devices", &f->devices, "couple", &f->couple,
                       "lockstep", &lockstep, "queue", &f->queue) != 0)
        return st_fail(ST_INPUT, "options: %s", error.text);
    f->lockstep = lockstep;
    for (size_t k = 0; k < json_array_size(modules) && k < PLAN_MODULES_MAX; k++) {
        const json_t *place = json_object_get(json_array_get(modules, k), "place");
        if (!json_is_integer(place) || json_integer_value(place) < 0 || json_integer_value(place) >= PLAN_DEVICES_MAX)
            return ST_OK;
        f->on[k] = (int)json_integer_value(place);
        f->module_count = (int)k + 1;
    }
    return ST_OK;
}

static enum st read_root(json_t *root, struct run_facts *f)
{
    enum st s = ST_OK;
    json_t *data, *options;
    json_int_t limit, validation;
    json_error_t error;
    if (json_unpack_ex(root, &error, 0, "{s:{s:s, s:s}, s:o, s:o}", "net", "origin", &f->net_origin, "text",
                       &f->net_text, "data", &data, "options", &options) != 0 ||
        json_unpack_ex(data, &error, 0, "{s:s, s:[i, i, i], s:I, s:I}", "data", &f->data, "shape", &f->channels,
                       &f->height, &f->width, "limit", &limit, "validation", &validation) != 0)
        TRY(st_fail(ST_INPUT, "%s", error.text));
    f->limit = (uint32_t)limit;
    f->validation = (uint32_t)validation;
    TRY(read_data(data, f));
    TRY(read_options(options, &f->options));
    TRY(read_modules(root, options, f));
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
                    "the net takes %d values and has %d outputs, but the run's pictures are %dx%dx%d of %d classes",
                    nn_size(net->input), net->classes, f->channels, f->height, f->width, f->class_count));
    *out = net;
    net = NULL;
out:
    nn_net_free(net);
    return st_context(s, "%s/run.json", folder);
}

void run_facts_free(struct run_facts *f)
{
    json_decref(f->json);
    *f = (struct run_facts){0};
}

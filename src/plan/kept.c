/*
 * Figures that were measured, kept: JSON, a file a net and device, in the folder `plan` of the user's configuration
 * folder. They decide what is computed, so they are believed only where nobody else can have written them.
 *
 *   format, clutch, date
 *   key      all that the figures depend on: net, cuts (layers that begin a module), batch, optimizer; device (as it is
 *            numbered), name, platform, driver, units; products [what each is computed with]
 *   layers   [[forward, backward]]; whole, per_mac, link, per_byte: nanoseconds
 *
 * The name of a file is a hash of its key, which is compared whole. Numbers are written with all their digits, so that
 * who reads them chooses as did who measured them.
 */
#include "inside.h"

#include "json.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FORMAT = 1, FILE_BYTES_MAX = 1 << 20 };
static const double ns_max = 1e18;

struct kept_file {
    char folder[PLAN_FOLDER_MAX], path[PATH_MAX];
    json_t *key;
};

/* ---- the key ----------------------------------------------------------------------------------------------------- */

static json_t *cuts_json(const struct nn_net *net)
{
    json_t *all = json_array();
    for (int k = 1; k < net->section_count; k++)
        json_push(&all, json_integer(net->section[k].first));
    return all;
}

/* The three products of each layer that has some, as a step has them. */
static json_t *products_json(const struct nn_net *net, const struct mx *mx, int batch)
{
    json_t *all = json_array();
    for (int i = 0; i < net->layer_count; i++) {
        int in = nn_size(net->layer[i].in), out = nn_size(net->layer[i].out);
        const struct mx_product form[] = {{false, true, batch, out, in}, {true, false, out, in, batch},
                                          {false, false, batch, in, out}};
        for (size_t k = 0; k < COUNT_OF(form) && net->layer[i].macs > 0; k++) {
            const struct mx_product *p = &form[k];
            char choice[MX_TEXT_MAX], line[MX_TEXT_MAX + 64];
            snprintf(line, sizeof line, "%s %dx%dx%d %s", mx_form_name(p), p->M, p->N, p->K,
                     mx_gemm_choice(mx, p, choice));
            json_push(&all, json_string(line));
        }
    }
    return all;
}

static enum st make_key(const struct nn_net *net, struct mx *mx, int batch, const char *optimizer, json_t **out)
{
    enum st s = ST_OK;
    const struct ocl_facts *f = ocl_device_facts(ocl_queue_device(mx_queue(mx)));
    struct text layers = {0};
    json_t *cuts = cuts_json(net), *products = products_json(net, mx, batch);
    char device[32], platform[264];
    snprintf(device, sizeof device, "%d:%d", f->platform, f->index);
    snprintf(platform, sizeof platform, "%s, %s", f->platform_name, f->platform_version);
    nn_net_write(net, &layers);
    TRY(text_status(&layers));
    TRY(json_check(cuts));
    TRY(json_check(products));
    *out = json_pack("{s:s, s:O, s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:O}", "net", layers.s, "cuts", cuts,
                     "batch", batch, "optimizer", optimizer, "device", device, "name", f->name, "platform", platform,
                     "driver", f->driver, "units", (int)f->compute_units, "products", products);
out:
    json_decref(cuts);
    json_decref(products);
    text_free(&layers);
    return s;
}

static enum st name_file(struct kept_file *f)
{
    enum st s = ST_OK;
    struct text key = {0};
    TRY(json_text(f->key, JSON_COMPACT, &key));
    if (snprintf(f->path, sizeof f->path, "%s/%016llx.json", f->folder,
                 (unsigned long long)hash_bytes(HASH_START, key.s, key.len)) >= (int)sizeof f->path)
        TRY(st_fail(ST_SYSTEM, "the folder's name is too long"));
out:
    text_free(&key);
    return s;
}

/* Figures that cannot be kept serve this run alone, and it says so. */
static void not_kept(struct plan_kept *kept, const char *why)
{
    if (kept->kept)
        note("what was measured for the places of modules is not kept: %s", why);
    kept->kept = false;
}

enum st kept_open(const struct nn_net *net, struct mx *mx, int batch, const char *optimizer, struct plan_kept *kept,
                  struct kept_file **out)
{
    enum st s = ST_OK;
    struct kept_file *f = NULL;
    char config[PATH_MAX];
    TRY(NEW(f, 1));
    if (!dir_config(config, sizeof config) ||
        snprintf(f->folder, sizeof f->folder, "%s/plan", config) >= (int)sizeof f->folder) {
        not_kept(kept, "neither XDG_CONFIG_HOME nor HOME is a path");
        goto out;
    }
    if (dir_exists(f->folder) && !trust_folder(f->folder)) { /* which a note tells */
        kept->kept = false;
        goto out;
    }
    memcpy(kept->folder, f->folder, sizeof kept->folder);
    TRY(make_key(net, mx, batch, optimizer, &f->key));
    if (!f->key) {
        not_kept(kept, "the name of a device is not UTF-8");
        goto out;
    }
    TRY(name_file(f));
    *out = f;
    f = NULL;
out:
    kept_close(f);
    return s;
}

void kept_close(struct kept_file *f)
{
    if (f)
        json_decref(f->key);
    mem_free(f);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static enum st read_ns(const json_t *value, const char *key, double *out)
{
    double v = json_number_value(value);
    if (!json_is_number(value) || !(v >= 0 && v <= ns_max))
        return st_fail(ST_INPUT, "%s: a time is missing, or no number from 0 to %g", key, ns_max);
    *out = v;
    return ST_OK;
}

static enum st read_date(const json_t *root, char out[16])
{
    const char *date = json_string_value(json_object_get(root, "date"));
    size_t n = date ? strspn(date, "0123456789-") : 0;
    if (n != 10)
        return st_fail(ST_INPUT, "date is missing, or does not begin with a day as 2026-11-28");
    snprintf(out, 16, "%.10s", date);
    return ST_OK;
}

/* All or nothing: `c` is filled by a file that is good as a whole. */
static enum st read_figures(const json_t *root, const struct device_costs *c)
{
    enum st s = ST_OK;
    const json_t *layers = json_object_get(root, "layers");
    struct {
        const char *key;
        double *to, v;
    } one[] = {{"whole", c->whole_ns, 0}, {"per_mac", c->ns_per_mac, 0}, {"link", c->link_ns, 0},
               {"per_byte", c->ns_per_byte, 0}};
    struct plan_layer_cost *cost = NULL;
    if (json_array_size(layers) != (size_t)c->layers)
        TRY(st_fail(ST_INPUT, "layers are %zu, must be %d", json_array_size(layers), c->layers));
    TRY(NEW(cost, (size_t)c->layers));
    for (int i = 0; i < c->layers; i++) {
        const json_t *row = json_array_get(layers, (size_t)i);
        TRY(read_ns(json_array_get(row, 0), "layers", &cost[i].forward_ns));
        TRY(read_ns(json_array_get(row, 1), "layers", &cost[i].backward_ns));
    }
    for (size_t i = 0; i < COUNT_OF(one); i++)
        TRY(read_ns(json_object_get(root, one[i].key), one[i].key, &one[i].v));
    memcpy(c->cost, cost, (size_t)c->layers * sizeof *cost);
    for (size_t i = 0; i < COUNT_OF(one); i++)
        *one[i].to = one[i].v;
out:
    mem_free(cost);
    return s;
}

static enum st read_root(const struct kept_file *f, const json_t *root, char date[16], const struct device_costs *c)
{
    enum st s = ST_OK;
    const json_t *format = json_object_get(root, "format");
    if (!json_is_integer(format))
        TRY(st_fail(ST_INPUT, "it holds no measured figures: format is missing"));
    if (json_integer_value(format) != FORMAT)
        TRY(st_fail(ST_INPUT, "format %lld, this program knows %d", (long long)json_integer_value(format), FORMAT));
    if (!json_equal(json_object_get(root, "key"), f->key))
        TRY(st_fail(ST_INPUT, "it is of something else than its name says"));
    TRY(read_date(root, date));
    TRY(read_figures(root, c));
out:
    return s;
}

static enum st read_file(const struct kept_file *f, char date[16], const struct device_costs *c)
{
    enum st s = ST_OK;
    char *text = NULL;
    size_t len;
    json_t *root = NULL;
    json_error_t error;
    TRY(trust_read(f->path, FILE_BYTES_MAX, &text, &len));
    if (fault_here())
        TRY(st_fail(ST_MEMORY, "%s: out of memory", f->path));
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        TRY(st_fail(ST_INPUT, "%s:%d: %s", f->path, error.line, error.text));
    TRY(st_context(read_root(f, root, date, c), "%s", f->path));
out:
    json_decref(root);
    mem_free(text);
    return s;
}

static void take_date(struct plan_kept *kept, const char *date)
{
    if (!kept->date[0] || strcmp(date, kept->date) < 0)
        snprintf(kept->date, sizeof kept->date, "%s", date);
}

bool kept_read(const struct kept_file *f, struct plan_kept *kept, const struct device_costs *c)
{
    char date[16];
    if (!file_exists(f->path))
        return false;
    if (read_file(f, date, c) != ST_OK) {
        note("no use of measured figures: %s", st_message());
        return false;
    }
    take_date(kept, date);
    return true;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static json_t *layers_json(const struct device_costs *c)
{
    json_t *all = json_array();
    for (int i = 0; i < c->layers; i++)
        json_push(&all, json_pack("[f, f]", c->cost[i].forward_ns, c->cost[i].backward_ns));
    return all;
}

static enum st write_file(const struct kept_file *f, const struct plan_kept *kept, const char *when,
                          const struct device_costs *c)
{
    enum st s = ST_OK;
    struct text out = {0};
    json_t *root = json_pack("{s:i, s:s, s:s, s:O, s:o, s:f, s:f, s:f, s:f}", "format", FORMAT, "clutch",
                             kept->version ? kept->version : "", "date", when, "key", f->key, "layers",
                             layers_json(c), "whole", *c->whole_ns, "per_mac", *c->ns_per_mac, "link", *c->link_ns,
                             "per_byte", *c->ns_per_byte);
    TRY(json_text(root, JSON_COMPACT, &out));
    text_add(&out, "\n");
    TRY(text_status(&out));
    TRY(trust_write(f->path, out.s, out.len, true));
out:
    json_decref(root);
    text_free(&out);
    return s;
}

enum st kept_write(const struct kept_file *f, struct plan_kept *kept, const struct device_costs *c)
{
    char when[32], date[16];
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    if (f && !kept->fresh && file_exists(f->path) && read_file(f, date, c) == ST_OK) {
        take_date(kept, date);
        return ST_OK;
    }
    snprintf(date, sizeof date, "%.10s", when);
    take_date(kept, date);
    enum st s = f ? write_file(f, kept, when, c) : ST_OK;
    if (s == ST_SYSTEM || s == ST_INPUT) { /* a full disk, a folder that is none */
        not_kept(kept, st_message());
        s = ST_OK;
    }
    return s;
}

/*
 * Tuning files: JSON, one a device, below the user's configuration folder, small enough to share. A shared one decides
 * what products are computed with, so it is believed in nothing: sizes, names and values are checked, and a file that
 * is damaged or of another format is named in a note and passed over.
 *
 *   format    1
 *   device, platform, driver, units, family     what it was measured on
 *   clutch, date, effort ("quick" or "full"), complete, peak_gflops
 *   products  [{form, m, n, k, provider, parameters {name: value}, gflops}]: what was chosen for each
 *   measured  [{form, m, n, k}]: the products, in the order of the figures below
 *   tried     [{provider, parameters, gflops [number or null]} or {provider, parameters, refused}]
 */
#include "tuning.h"

#include "json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FORMAT = 1, FILE_BYTES_MAX = 1 << 20, SIDE_MAX = 1 << 20 };

/* ---- what a device is called ------------------------------------------------------------------------------------- */

static void show_platform(const struct ocl_facts *f, char *out, size_t size)
{
    snprintf(out, size, "%s, %s", f->platform_name, f->platform_version);
}

void tuning_family(const struct ocl_facts *f, char *out, size_t size)
{
    snprintf(out, size, "%s / %s / vectors of %u", f->platform_name, ocl_kind_name(f->kind), f->vector_width);
}

bool tuning_folder(char *out, size_t size)
{
    char config[PATH_MAX];
    return dir_config(config, sizeof config) && snprintf(out, size, "%s/tune", config) < (int)size;
}

/* The name of a device's file: readable, and told apart by a hash of what makes it the exact device. */
void tuning_path(const struct ocl_facts *f, char *out, size_t size)
{
    char folder[PATH_MAX], slug[48], platform[264], units[16];
    size_t n = 0;
    out[0] = '\0';
    if (!tuning_folder(folder, sizeof folder))
        return;
    for (const char *c = f->name; *c && n + 1 < sizeof slug; c++) {
        bool good = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (good || (n && slug[n - 1] != '-'))
            slug[n++] = good ? *c : '-';
    }
    slug[n] = '\0';
    show_platform(f, platform, sizeof platform);
    snprintf(units, sizeof units, "%u", f->compute_units);
    uint64_t h = hash_bytes(HASH_START, f->name, strlen(f->name) + 1);
    h = hash_bytes(h, platform, strlen(platform) + 1);
    h = hash_bytes(h, f->driver, strlen(f->driver) + 1);
    h = hash_bytes(h, units, strlen(units) + 1);
    if (snprintf(out, size, "%s/%s-%08x.json", folder, slug, (unsigned)(h ^ h >> 32)) >= (int)size)
        out[0] = '\0';
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static enum st read_text(const json_t *root, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(root, key));
    if (!text)
        return st_fail(ST_INPUT, "%s is missing or no text", key);
    if (strlen(text) >= size)
        return st_fail(ST_INPUT, "%s is longer than %zu bytes", key, size - 1);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) /* it will stand in a terminal */
            return st_fail(ST_INPUT, "%s holds control characters", key);
    memcpy(out, text, strlen(text) + 1);
    return ST_OK;
}

static enum st read_array(const json_t *root, const char *key, size_t most, size_t *n)
{
    const json_t *array = json_object_get(root, key);
    *n = json_array_size(array);
    if (array && !json_is_array(array))
        return st_fail(ST_INPUT, "%s is no list", key);
    if (*n > most)
        return st_fail(ST_INPUT, "%s has %zu rows, %zu at most", key, *n, most);
    return ST_OK;
}

static enum st read_speed(const json_t *value, double *out)
{
    *out = json_number_value(value);
    if (!json_is_number(value) || !(*out >= 0 && *out <= 1e9))
        return st_fail(ST_INPUT, "a speed is missing or no number from 0 to 1e9 GFLOP/s");
    return ST_OK;
}

static enum st read_product(const json_t *row, struct mx_product *p)
{
    static const char *const key[] = {"m", "n", "k"};
    const char *form = json_string_value(json_object_get(row, "form"));
    int side[3];
    if (!form || (strcmp(form, "NN") != 0 && strcmp(form, "NT") != 0 && strcmp(form, "TN") != 0))
        return st_fail(ST_INPUT, "form is missing, or none of NN, NT and TN");
    for (int i = 0; i < 3; i++) {
        const json_t *value = json_object_get(row, key[i]);
        if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > SIDE_MAX)
            return st_fail(ST_INPUT, "%s is missing or no whole number from 1 to %d", key[i], SIDE_MAX);
        side[i] = (int)json_integer_value(value);
    }
    *p = (struct mx_product){form[0] == 'T', form[1] == 'T', side[0], side[1], side[2]};
    return ST_OK;
}

/* Names and values are those of the provider's table, and the device can take them together. */
static enum st read_params(const json_t *params, const struct ocl_facts *f, const struct gemm_provider *g, int *param)
{
    int n = gemm_param_count(g);
    size_t known = 0;
    for (int i = 0; i < n; i++) {
        const struct gemm_param *p = &g->params[i];
        const json_t *value = json_object_get(params, p->name);
        bool good = !value;
        param[i] = p->value[0];
        if (value && json_is_integer(value))
            for (int v = 0; v < p->count; v++)
                if (json_integer_value(value) == p->value[v]) {
                    param[i] = p->value[v];
                    good = true;
                }
        if (!good)
            return st_fail(ST_INPUT, "%s: %s is none of its values", g->name, p->name);
        known += value != NULL;
    }
    if ((params && !json_is_object(params)) || known != json_object_size(params))
        return st_fail(ST_INPUT, "%s: a parameter it does not have", g->name);
    const char *why = g->refuse ? g->refuse(f, param) : NULL;
    return why ? st_fail(ST_INPUT, "%s: %s", g->name, why) : ST_OK;
}

static enum st read_candidate(const json_t *row, const struct ocl_facts *f, struct mx_tuning *t, int *c)
{
    const char *name = json_string_value(json_object_get(row, "provider"));
    const struct gemm_provider *provider = name ? gemm_find(name) : NULL;
    int param[GEMM_PARAMS_MAX] = {0};
    if (!provider)
        return st_fail(ST_INPUT, "provider is missing or unknown");
    enum st s = read_params(json_object_get(row, "parameters"), f, provider, param);
    if (s != ST_OK)
        return s;
    *c = tuning_candidate(t, provider, param);
    return *c >= 0 ? ST_OK : st_fail(ST_INPUT, "more than %d candidates", CANDIDATES_MAX);
}

static enum st read_tried(const json_t *row, const struct ocl_facts *f, int products, struct mx_tuning *t)
{
    enum st s = ST_OK;
    int c;
    const json_t *gflops = json_object_get(row, "gflops");
    TRY(read_candidate(row, f, t, &c));
    if (json_object_get(row, "refused"))
        TRY(read_text(row, "refused", t->candidate[c].refused, sizeof t->candidate[c].refused));
    if (json_array_size(gflops) > (size_t)products)
        TRY(st_fail(ST_INPUT, "more speeds than products"));
    for (size_t p = 0; p < json_array_size(gflops); p++)
        if (!json_is_null(json_array_get(gflops, p)))
            TRY(read_speed(json_array_get(gflops, p), &t->candidate[c].gflops[p]));
out:
    return s;
}

/* Those chosen must fit into m->how, and CLBlast knows one set of parameters at a time. */
static enum st check_chosen(const struct mx_tuning *t)
{
    int used = 0, library = -1;
    bool seen[CANDIDATES_MAX] = {false};
    for (int p = 0; p < t->product_count; p++) {
        int c = t->chosen[p];
        if (c < 0 || seen[c])
            continue;
        seen[c] = true;
        used++;
        if (!t->candidate[c].provider->set)
            continue;
        if (library >= 0)
            return st_fail(ST_INPUT, "%s is used with more than one set of parameters",
                           t->candidate[c].provider->name);
        library = c;
    }
    if (used > GEMM_HOWS_MAX)
        return st_fail(ST_INPUT, "products use %d candidates, %d at most", used, GEMM_HOWS_MAX);
    return ST_OK;
}

static enum st read_rows(const json_t *root, const struct ocl_facts *f, struct mx_tuning *t)
{
    enum st s = ST_OK;
    size_t products, measured, tried;
    struct mx_product product;
    TRY(read_array(root, "products", TUNED_MAX, &products));
    TRY(read_array(root, "measured", TUNED_MAX, &measured));
    TRY(read_array(root, "tried", CANDIDATES_MAX, &tried));
    for (size_t i = 0; i < measured; i++) {
        TRY(st_context(read_product(json_array_get(json_object_get(root, "measured"), i), &product), "measured"));
        if (tuning_product(t, product) != (int)i)
            TRY(st_fail(ST_INPUT, "measured: a product twice"));
    }
    for (size_t i = 0; i < tried; i++)
        TRY(st_context(read_tried(json_array_get(json_object_get(root, "tried"), i), f, (int)measured, t), "tried"));
    for (size_t i = 0; i < products; i++) {
        const json_t *row = json_array_get(json_object_get(root, "products"), i);
        int c, p;
        TRY(st_context(read_product(row, &product), "products"));
        TRY(st_context(read_candidate(row, f, t, &c), "products"));
        p = tuning_product(t, product);
        if (p < 0 || t->chosen[p] >= 0)
            TRY(st_fail(ST_INPUT, "products: a product twice, or more than %d", TUNED_MAX));
        TRY(st_context(read_speed(json_object_get(row, "gflops"), &t->candidate[c].gflops[p]), "products"));
        t->chosen[p] = c;
    }
    TRY(check_chosen(t));
out:
    return s;
}

static enum st read_root(const json_t *root, const struct ocl_facts *f, struct mx_tuning *t)
{
    enum st s = ST_OK;
    char platform[264], mine[264], driver[128], family[256], effort[16];
    const json_t *format = json_object_get(root, "format"), *units = json_object_get(root, "units");
    if (!json_is_integer(format))
        TRY(st_fail(ST_INPUT, "it is no tuning file: format is missing"));
    if (json_integer_value(format) != FORMAT)
        TRY(st_fail(ST_INPUT, "format %lld, this program knows %d", (long long)json_integer_value(format), FORMAT));
    TRY(read_text(root, "device", t->device, sizeof t->device));
    TRY(read_text(root, "platform", platform, sizeof platform));
    TRY(read_text(root, "driver", driver, sizeof driver));
    TRY(read_text(root, "family", t->family, sizeof t->family));
    TRY(read_text(root, "clutch", t->clutch, sizeof t->clutch));
    TRY(read_text(root, "date", t->date, sizeof t->date));
    TRY(read_text(root, "effort", effort, sizeof effort));
    TRY(st_context(read_speed(json_object_get(root, "peak_gflops"), &t->peak), "peak_gflops"));
    t->quick = strcmp(effort, "full") != 0;
    t->complete = json_is_true(json_object_get(root, "complete"));
    show_platform(f, mine, sizeof mine);
    tuning_family(f, family, sizeof family);
    t->exact = strcmp(t->device, f->name) == 0 && strcmp(platform, mine) == 0 && strcmp(driver, f->driver) == 0 &&
               json_integer_value(units) == f->compute_units;
    if (!t->exact && strcmp(t->family, family) != 0)
        goto out; /* of another device, which is no mistake: its rows are none of our business */
    TRY(read_rows(root, f, t));
out:
    return s;
}

enum st tuning_read(const char *path, const struct ocl_facts *f, struct mx_tuning *t)
{
    enum st s = ST_OK;
    char *text = NULL;
    size_t len;
    json_t *root = NULL;
    json_error_t error;
    *t = (struct mx_tuning){.facts = *f};
    TRY(trust_read(path, FILE_BYTES_MAX, &text, &len));
    if (fault_here())
        TRY(st_fail(ST_MEMORY, "%s: out of memory", path));
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        TRY(st_fail(ST_INPUT, "%s:%d: %s", path, error.line, error.text));
    TRY(st_context(read_root(root, f, t), "%s", path));
out:
    json_decref(root);
    mem_free(text);
    return s;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static json_t *product_json(const struct mx_product *p)
{
    return json_pack("{s:s, s:i, s:i, s:i}", "form", mx_form_name(p), "m", p->M, "n", p->N, "k", p->K);
}

/* Adds provider and parameters to a row, as json_put(). */
static void add_candidate(json_t **row, const struct candidate *c)
{
    json_t *params = json_object();
    for (int i = 0; i < gemm_param_count(c->provider); i++)
        json_put(&params, c->provider->params[i].name, json_integer(c->param[i]));
    json_put(row, "provider", json_string(c->provider->name));
    json_put(row, "parameters", params);
}

/* Figures of four digits are as exact as they are. */
static json_t *speed_json(double gflops)
{
    char text[32];
    double v = 0;
    snprintf(text, sizeof text, "%.4g", gflops);
    return parse_f64(text, &v) ? json_real(v) : json_null();
}

static json_t *tried_json(const struct mx_tuning *t, const struct candidate *c)
{
    json_t *row = json_object(), *gflops = json_array();
    add_candidate(&row, c);
    if (c->refused[0])
        json_put(&row, "refused", json_string(c->refused));
    for (int p = 0; p < t->product_count; p++)
        json_push(&gflops, speed_json(c->gflops[p])); /* NAN becomes null */
    json_put(&row, "gflops", gflops);
    return row;
}

/* One value a line, and of lists one row a line: files are looked at, compared and shared. Frees the value. */
static void add_line(struct text *out, const char *before, json_t *value)
{
    text_add(out, "%s", before);
    if (json_text(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6), out) != ST_OK)
        out->failed = true;
    json_decref(value);
}

static void add_text(struct text *out, const char *key, const char *value)
{
    text_add(out, ",\n\"%s\": ", key);
    add_line(out, "", json_string(value));
}

static void add_rows(const struct mx_tuning *t, struct text *out)
{
    const char *before = "\n  ";
    text_add(out, ",\n\"products\": [");
    for (int p = 0; p < t->product_count; p++) {
        if (t->chosen[p] < 0)
            continue;
        json_t *row = product_json(&t->product[p]);
        add_candidate(&row, &t->candidate[t->chosen[p]]);
        json_put(&row, "gflops", speed_json(t->candidate[t->chosen[p]].gflops[p]));
        add_line(out, before, row);
        before = ",\n  ";
    }
    text_add(out, "],\n\"measured\": [");
    for (int p = 0; p < t->product_count; p++)
        add_line(out, p ? ",\n  " : "\n  ", product_json(&t->product[p]));
    text_add(out, "],\n\"tried\": [");
    before = "\n  ";
    for (int c = 0; c < t->candidate_count; c++) {
        const struct candidate *one = &t->candidate[c];
        bool tried = one->refused[0] != '\0';
        for (int p = 0; p < t->product_count; p++)
            tried = tried || !isnan(one->gflops[p]);
        if (!tried)
            continue;
        add_line(out, before, tried_json(t, one));
        before = ",\n  ";
    }
    text_add(out, "]");
}

enum st mx_tuning_save(struct mx_tuning *t, bool complete)
{
    enum st s = ST_OK;
    char platform[264];
    struct text out = {0};
    time_t now = time(NULL);
    struct tm utc;
    if (!t->path[0])
        TRY(st_fail(ST_SYSTEM, "there is no folder for tuning files: neither XDG_CONFIG_HOME nor HOME is a path"));
    t->complete = complete;
    strftime(t->date, sizeof t->date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    show_platform(&t->facts, platform, sizeof platform);
    text_add(&out, "{\"format\": %d", FORMAT);
    add_text(&out, "device", t->device);
    add_text(&out, "platform", platform);
    add_text(&out, "driver", t->facts.driver);
    text_add(&out, ",\n\"units\": %u", t->facts.compute_units);
    add_text(&out, "family", t->family);
    add_text(&out, "clutch", t->clutch);
    add_text(&out, "date", t->date);
    add_text(&out, "effort", t->quick ? "quick" : "full");
    text_add(&out, ",\n\"complete\": %s,\n\"peak_gflops\": %.6g", complete ? "true" : "false", t->peak);
    add_rows(t, &out);
    text_add(&out, "}\n");
    TRY(st_context(text_status(&out), "%s", t->path));
    TRY(trust_write(t->path, out.s, out.len, true));
out:
    text_free(&out);
    return s;
}

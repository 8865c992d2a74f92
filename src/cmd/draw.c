/* clutch draw: pictures of what a run learned, how it went, and what its devices did; and a page with all of them. */
#include "pictures.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { RUNS_MAX = 16, UNITS_MAX = 400, SIDE_LEAST = 1024, SIDE_MOST = 16000 };

struct wishes {
    const char *positional[RUNS_MAX + 1], *out, *data, *devices, *range, *input;
    int runs;
    int64_t units, side;
    bool motion, no_data, json;
};

/* ---- the command line -------------------------------------------------------------------------------------------- */

static enum st read_input(const char *word, int out[3])
{
    int64_t side[3];
    char number[3][16];
    int at = 0;
    for (const char *c = word; at < 3; at++) {
        size_t n = strcspn(c, "x");
        snprintf(number[at], sizeof number[at], "%.*s", (int)n, c);
        if (!parse_i64(number[at], &side[at]) || side[at] < 1 || side[at] > 4096 || (c[n] == '\0') != (at == 2))
            return st_fail(ST_INPUT, "--input is '%s', must be channels x height x width, as 1x28x28", word);
        out[at] = (int)side[at];
        c += n + 1;
    }
    return ST_OK;
}

static enum st check_wishes(const struct wishes *w)
{
    enum st s = ST_OK;
    if (w->range && strcmp(w->range, "layer") != 0 && strcmp(w->range, "tile") != 0)
        TRY(st_fail(ST_INPUT, "--range is '%s', must be layer or tile", w->range));
    TRY(args_check("--units", w->units, 0, UNITS_MAX));
    TRY(args_check("--side", w->side, SIDE_LEAST, SIDE_MOST));
out:
    return s;
}

static bool is_tensors(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".safetensors") == 0;
}

static enum st check_effects(const struct arg_list *l, const struct wishes *w)
{
    static const char none[] = "--no-data draws what needs neither data nor a device";
    static const char tensors[] = "a file of tensors has neither data, nor epochs, to ask about";
    bool file = is_tensors(w->positional[0]);
    const struct arg_effect rows[] = {
        {"--data", w->no_data, none}, {"--devices", w->no_data, none},   {"--units", w->no_data, none},
        {"--data", file, tensors},    {"--devices", file, tensors},      {"--units", file, tensors},
        {"--no-data", file, tensors}, {"--motion", file, tensors},
    };
    return args_check_effects(l, rows, COUNT_OF(rows));
}

static enum st read_wishes(int argc, char **argv, struct wishes *w, bool *help)
{
    enum st s = ST_OK;
    *w = (struct wishes){.units = 36, .side = STORE_SIDE_MAX};
    const struct arg args[] = {
        {"--out", ARG_TEXT, &w->out, "DIR", "folder for pictures/ and index.html (the run folder)"},
        {"--data", ARG_TEXT, &w->data, "DATA", "other data than the run's, for what needs data"},
        {"--devices", ARG_TEXT, &w->devices, "SPEC", "the device; default: the best one"},
        {"--no-data", ARG_FLAG, &w->no_data, NULL, "only what needs neither data nor a device"},
        {"--range", ARG_TEXT, &w->range, "layer|tile", "whose values the colours of weights span (layer)"},
        {"--motion", ARG_FLAG, &w->motion, NULL, "frames over the epochs of all weights, not of the first layer alone"},
        {"--units", ARG_WHOLE, &w->units, "N", "units of each hidden layer to make inputs for (36)"},
        {"--side", ARG_WHOLE, &w->side, "N", "most pixels a side of pictures of weights (4096)"},
        {"--input", ARG_TEXT, &w->input, "CxHxW", "of FILE.safetensors: the pictures its first tensor looks at"},
        {"--json", ARG_FLAG, &w->json, NULL, "as JSON, a line a picture"},
    };
    struct arg_list list = {.usage = "draw RUN [OTHER RUNS, whose curves are laid over] [options]\n"
                                     "       clutch draw FILE.safetensors [options]",
                            .args = args, .n = COUNT_OF(args), .least = 1, .most = RUNS_MAX,
                            .positional = w->positional};
    TRY(args_parse(&list, argc, argv));
    *help = list.help;
    if (list.help)
        return ST_OK;
    while (w->positional[w->runs])
        w->runs++;
    TRY(check_wishes(w));
    TRY(check_effects(&list, w));
out:
    return s;
}

static void wish(const struct wishes *w, struct drawing *d)
{
    d->each = w->range && strcmp(w->range, "tile") == 0;
    d->all_motion = w->motion;
    d->side_max = (int)w->side;
}

/* Lets go of the folder drawn into; a failure that came before the first picture takes it back. */
static void close_folder(struct store_run *into, enum st s)
{
    if (s != ST_OK)
        store_run_abandon(into);
    store_run_free(into);
}

static enum st print(const struct drawing *d, const struct wishes *w)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    for (int i = 0; i < d->n; i++) {
        const struct picture *p = &d->picture[i];
        TRY(drawing_path(d, p->file, path));
        if (w->json)
            TRY(json_print(json_pack("{s:s, s:s, s:i, s:i, s:s, s:s?}", "picture", path, "section", p->section, "width",
                                     p->w, "height", p->h, "caption", p->caption, "numbers", p->numbers)));
        else
            output("%s: %s\n", path, p->caption);
    }
    TRY(drawing_path(d, "index.html", path));
    if (w->json)
        TRY(json_print(json_pack("{s:s}", "page", path)));
    else
        output("%d picture%s on one page: %s\n", d->n, plural((uint64_t)d->n), path);
out:
    return s;
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

/* What the trained net is asked about: the test set. It must be of the kind that the net was trained for. */
static enum st open_test(const struct wishes *w, const struct run_facts *f, struct device_hold *hold,
                         struct draw_test *t, struct data_set **set)
{
    enum st s = ST_OK;
    const char *word = w->data ? w->data : run_facts_data(f);
    TRY(st_context(data_open(word, f->options.seed, set),
                   "no data to ask the net about (--no-data draws what needs none)"));
    const struct data_set *d = *set;
    if (d->c != f->channels || d->h != f->height || d->w != f->width || d->classes > f->class_count)
        TRY(st_fail(ST_INPUT, "the pictures of %s are %dx%dx%d of %d classes, those of the run %dx%dx%d of %d",
                    d->name, d->c, d->h, d->w, d->classes, f->channels, f->height, f->width, f->class_count));
    TRY(device_open(w->devices, hold));
    t->device = hold->device;
    t->set = d;
    t->units = (int)w->units;
out:
    return s;
}

static enum st draw_tested(struct drawing *d, const struct draw_test *t)
{
    enum st s = ST_OK;
    TRY(draw_confusion(d, t));
    TRY(draw_dissimilarity(d, t));
    s = draw_inputs(d, t);
    if (s == ST_NUMERIC) { /* all else can be shown, and shows why */
        note("inputs that excite units were not made: %s", st_message());
        s = ST_OK;
    }
out:
    return s;
}

static enum st draw_folder(const struct wishes *w)
{
    enum st s = ST_OK;
    const char *run = w->positional[0];
    char model[PATH_MAX];
    json_t *metrics = NULL;
    struct run_facts facts = {0};
    struct nn_net *net = NULL;
    struct device_hold hold = {0};
    struct data_set *set = NULL;
    struct drawing d = {0};
    struct draw_test test = {.model = model};
    struct store_run *into = NULL;
    const char *folder = w->out ? w->out : run;
    if (w->input)
        TRY(st_fail(ST_INPUT, "--input is for FILE.safetensors: a run knows its pictures"));
    TRY(run_facts_read(run, &facts));
    TRY(run_facts_net(run, &facts, &net));
    test.net = net;
    TRY(store_path(run, "model.safetensors", model, sizeof model));
    if (!file_exists(model))
        TRY(st_fail(ST_INPUT, "%s has no model.safetensors, which is written after each epoch", run));
    TRY(store_run_open(folder, &into)); /* which is refused while the run trains, unless it is another */
    TRY(metrics_read(run, &metrics));
    if (!w->no_data)
        TRY(open_test(w, &facts, &hold, &test, &set));
    drawing_of_run(run, folder, &facts, (int)metrics_last(metrics, "epoch"), &d);
    wish(w, &d);
    TRY(draw_run(&d, w->positional + 1, w->runs - 1));
    if (!w->no_data)
        TRY(draw_tested(&d, &test));
    TRY(draw_page(&d));
    TRY(print(&d, w));
out:
    close_folder(into, s);
    json_decref(metrics);
    drawing_close(&d);
    data_free(set);
    device_close(&hold);
    nn_net_free(net);
    run_facts_free(&facts);
    return s;
}

/* ---- tensors of any origin --------------------------------------------------------------------------------------- */

/* "model.safetensors" -> "model-pictures" */
static enum st folder_of(const char *file, char *out, size_t size)
{
    size_t len = strlen(file), end = strlen(".safetensors");
    int n = snprintf(out, size, "%.*s-pictures", (int)(len > end ? len - end : len), file);
    return n < (int)size ? ST_OK : st_fail(ST_INPUT, "name too long: %s", file);
}

static bool has_matrix(const struct drawing *d, const struct store_file *file)
{
    struct layout l;
    for (int i = 0; i < store_tensors_count(file); i++)
        if (lay_out(d, store_tensors_at(file, i), false, &l))
            return true;
    return false;
}

static enum st draw_tensors(const struct wishes *w)
{
    enum st s = ST_OK;
    char folder[PATH_MAX];
    struct store_file *file = NULL;
    struct store_run *into = NULL;
    struct drawing d = {.epoch = -1, .origin = w->positional[0], .folder = w->out ? w->out : folder};
    if (w->runs > 1)
        TRY(st_fail(ST_INPUT, "%s: one file of tensors at a time, and no runs beside it", w->positional[1]));
    TRY(folder_of(w->positional[0], folder, sizeof folder));
    if (w->input)
        TRY(read_input(w->input, d.input));
    wish(w, &d);
    TRY(store_tensors_open(w->positional[0], &file));
    if (!has_matrix(&d, file))
        TRY(st_fail(ST_INPUT, "%s has no tensor of two dimensions or more", w->positional[0]));
    TRY(store_run_open(d.folder, &into));
    TRY(draw_weights(&d, &owner_net, store_tensors_at(file, 0), store_tensors_count(file)));
    TRY(draw_page(&d));
    TRY(print(&d, w));
out:
    close_folder(into, s);
    drawing_close(&d);
    store_tensors_close(file);
    return s;
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    struct wishes w;
    bool help = false;
    TRY(read_wishes(argc, argv, &w, &help));
    if (help)
        return ST_OK;
    TRY(is_tensors(w.positional[0]) ? draw_tensors(&w) : draw_folder(&w));
out:
    return s;
}

const struct command cmd_draw = {.name = "draw", .summary = "pictures of what a run learned, on one page", .run = run};

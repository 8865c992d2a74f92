/* metrics.jsonl as charts: loss and accuracy by epoch and by time, of one run or several; how modules and cuts did. */
#include "pictures.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RUNS_MAX = 16 };

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct history {
    json_t *line; /* array of the lines of metrics.jsonl */
    int n, modules;
    const char *name;
};

static void history_close(struct history *h)
{
    json_decref(h->line);
    *h = (struct history){0};
}

static enum st history_open(const char *run, struct history *out)
{
    enum st s = ST_OK;
    *out = (struct history){.name = run};
    TRY(metrics_read(run, &out->line));
    out->n = (int)json_array_size(out->line);
    if (out->n > 0)
        out->modules = (int)json_array_size(json_object_get(json_array_get(out->line, 0), "modules"));
out:
    return s;
}

/* A number of each line; of a module where `module` is not negative. What is not there is NAN. */
static enum st column(struct drawing *d, const struct history *h, int module, const char *name, double **out)
{
    *out = arena_alloc(&d->arena, (size_t)h->n, sizeof **out);
    if (!*out)
        return ST_MEMORY;
    for (int i = 0; i < h->n; i++) {
        const json_t *from = json_array_get(h->line, (size_t)i);
        if (module >= 0)
            from = json_array_get(json_object_get(from, "modules"), (size_t)module);
        const json_t *value = json_object_get(from, name);
        (*out)[i] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    return ST_OK;
}

/* ---- loss and accuracy ------------------------------------------------------------------------------------------- */

/* Lines of all runs that show `name` over `x`. */
struct curve {
    const char *x, *name, *label;
    bool dashed;
};

static enum st add_line(struct drawing *d, const struct history *h, int run, const struct curve *c, bool many,
                        struct store_line *out)
{
    enum st s = ST_OK;
    double *x, *y;
    char name[PATH_MAX + 32];
    TRY(column(d, h, -1, c->x, &x));
    TRY(column(d, h, -1, c->name, &y));
    snprintf(name, sizeof name, "%s%s%s", many ? h->name : "", many ? " " : "", c->label);
    *out = (struct store_line){.x = x, .y = y, .n = h->n, .color = many ? run : c->dashed, .dashed = c->dashed,
                               .name = arena_copy(&d->arena, name, strlen(name))};
    if (!out->name)
        TRY(ST_MEMORY);
out:
    return s;
}

enum { CURVES = 2 };
static enum st fill_panel(struct drawing *d, const struct history *h, int runs, const struct curve curve[CURVES],
                          struct store_panel *p)
{
    enum st s = ST_OK;
    struct store_line *line = arena_alloc(&d->arena, CURVES * (size_t)runs, sizeof *line);
    if (!line)
        TRY(ST_MEMORY);
    p->line = line;
    for (int r = 0; r < runs; r++)
        for (int k = 0; k < CURVES; k++)
            TRY(add_line(d, &h[r], r, &curve[k], runs > 1, &line[p->n++]));
out:
    return s;
}

static enum st draw_learning(struct drawing *d, const struct history *h, int runs)
{
    enum st s = ST_OK;
    struct store_picture picture = {0};
    static const struct curve by_epoch[] = {{"epoch", "train_loss", "training", true},
                                            {"epoch", "test_loss", "test", false},
                                            {"epoch", "train_accuracy", "training", true},
                                            {"epoch", "test_accuracy", "test", false}};
    static const struct curve by_time[] = {{"seconds", "train_loss", "training", true},
                                           {"seconds", "test_loss", "test", false},
                                           {"seconds", "train_accuracy", "training", true},
                                           {"seconds", "test_accuracy", "test", false}};
    struct store_panel panel[] = {
        {.title = "Loss", .x_title = "epoch", .whole_x = true},
        {.title = "Accuracy", .x_title = "epoch", .whole_x = true},
        {.title = "Loss", .x_title = "seconds of training"},
        {.title = "Accuracy", .x_title = "seconds of training"},
    };
    for (int k = 0; k < 2; k++) {
        TRY(fill_panel(d, h, runs, by_epoch + CURVES * k, &panel[k]));
        TRY(fill_panel(d, h, runs, by_time + CURVES * k, &panel[2 + k]));
    }
    TRY(store_panels_draw(runs > 1 ? "Loss and accuracy, several runs" : "Loss and accuracy", panel, COUNT_OF(panel),
                          2, &picture));
    TRY(drawing_write(d, (struct picture){.section = "The run", .file = "pictures/curves.png",
                                          .caption = "Loss and accuracy by epoch and by time of training; training "
                                                     "dashed (means over the epoch, while weights move), test solid",
                                          .numbers = "metrics.jsonl"}, &picture, NULL, 0));
out:
    store_picture_free(&picture);
    return s;
}

/* ---- modules and cuts -------------------------------------------------------------------------------------------- */

/* A line a module, or a cut, which is that above it. */
static enum st module_panel(struct drawing *d, const struct history *h, const char *name, bool cuts,
                            struct store_panel *p)
{
    enum st s = ST_OK;
    struct store_line *line = arena_alloc(&d->arena, (size_t)h->modules, sizeof *line);
    double *x, *y;
    char label[32];
    if (!line)
        TRY(ST_MEMORY);
    p->line = line;
    p->n = h->modules - cuts;
    TRY(column(d, h, -1, "epoch", &x));
    for (int k = 0; k < p->n; k++) {
        TRY(column(d, h, k, name, &y));
        snprintf(label, sizeof label, cuts ? "cut above module %d" : "module %d", k);
        line[k] = (struct store_line){.x = x, .y = y, .n = h->n, .color = k,
                                      .name = arena_copy(&d->arena, label, strlen(label))};
        if (!line[k].name)
            TRY(ST_MEMORY);
    }
out:
    return s;
}

static enum st draw_modules(struct drawing *d, const struct history *h)
{
    enum st s = ST_OK;
    struct store_picture picture = {0};
    struct store_panel panel[] = {
        {.title = "Busy share of each device", .x_title = "epoch", .whole_x = true, .from_zero = true},
        {.title = "Steps that targets came late", .x_title = "epoch", .whole_x = true, .from_zero = true},
        {.title = "Cosine to the true gradient", .x_title = "epoch", .whole_x = true},
        {.title = "Norm, relative to the true gradient", .x_title = "epoch", .whole_x = true, .from_zero = true},
    };
    TRY(module_panel(d, h, "busy", false, &panel[0]));
    TRY(module_panel(d, h, "stale_steps", true, &panel[1]));
    TRY(module_panel(d, h, "cosine", true, &panel[2]));
    TRY(module_panel(d, h, "norm_ratio", true, &panel[3]));
    TRY(store_panels_draw("Modules, and the gradients at their cuts", panel, COUNT_OF(panel), 2, &picture));
    TRY(drawing_write(d, (struct picture){.section = "The run", .file = "pictures/cuts.png",
                                          .caption = "How busy each module's device was, how many steps late targets "
                                                     "came, and how the gradient at each cut compares with the true "
                                                     "one, on a batch after each epoch", .numbers = "metrics.jsonl"},
                      &picture, NULL, 0));
out:
    store_picture_free(&picture);
    return s;
}

enum st draw_curves(struct drawing *d, const char *const *other, int others)
{
    enum st s = ST_OK;
    struct history h[RUNS_MAX] = {0};
    int runs = 0;
    if (others >= RUNS_MAX)
        TRY(st_fail(ST_INPUT, "%d runs, %d at most go into one chart", others + 1, RUNS_MAX));
    TRY(history_open(d->run, &h[runs++]));
    for (int i = 0; i < others; i++)
        TRY(history_open(other[i], &h[runs++]));
    TRY(draw_learning(d, h, runs));
    if (h[0].modules > 1)
        TRY(draw_modules(d, &h[0]));
out:
    for (int i = 0; i < RUNS_MAX; i++)
        history_close(&h[i]);
    return s;
}

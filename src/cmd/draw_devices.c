/* trace.json as a time line: what each device did, and what each thread waited for, in a few steps. */
#include "pictures.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_BYTES_MAX = 1 << 28, RUNS_MAX = 8, BARS_MAX = 20000, NAME_ROOM = 160 };

/* Colours by what is done or waited for; the legend of all time lines. */
static const char *const meaning[] = {"computing", "waits for the gradient", "waits for input",
                                      "waits for the module above to take"};
enum { COMPUTES, WAITS_GRADIENT, WAITS_INPUT, WAITS_SPACE };

struct event {
    int module;
    bool waiting;
    int64_t step;
    double start, end; /* microseconds */
    const char *name;
};

struct timeline {
    json_t *root; /* holds the names */
    struct event *event;
    int n, modules;
    struct store_bar *bar;
    char (*row_name)[NAME_ROOM];
    const char **row;
    char title[PATH_MAX + 64];
    struct store_lanes lanes;
};

static void timeline_close(struct timeline *t)
{
    json_decref(t->root);
    mem_free(t->event);
    mem_free(t->bar);
    mem_free(t->row_name);
    mem_free(t->row);
    *t = (struct timeline){0};
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static enum st read_events(struct timeline *t, const json_t *events)
{
    enum st s = ST_OK;
    TRY(NEW(t->event, json_array_size(events)));
    for (size_t i = 0; i < json_array_size(events); i++) {
        json_t *e = json_array_get(events, i);
        const char *name, *phase = json_string_value(json_object_get(e, "ph")), *kind;
        double at, length;
        int module;
        json_int_t step;
        if (!phase || strcmp(phase, "X") != 0)
            continue;
        if (json_unpack(e, "{s:s, s:s, s:F, s:F, s:i, s:{s:I}}", "name", &name, "cat", &kind, "ts", &at, "dur",
                        &length, "pid", &module, "args", "step", &step) != 0 || module < 0 ||
            module >= PLAN_MODULES_MAX)
            TRY(st_fail(ST_INPUT, "event %zu is none of ours", i));
        t->event[t->n++] = (struct event){module, strcmp(kind, "wait") == 0, step, at, at + length, name};
        t->modules = module >= t->modules ? module + 1 : t->modules;
    }
out:
    return s;
}

/* *found false: the run has no trace, for it trained in one module. */
static enum st timeline_open(const char *run, struct timeline *t, bool *found)
{
    enum st s = ST_OK;
    char path[PATH_MAX], *text = NULL;
    size_t len;
    json_error_t error;
    *t = (struct timeline){0};
    TRY(store_path(run, "trace.json", path, sizeof path));
    *found = file_exists(path);
    if (!*found)
        return ST_OK;
    TRY(file_read(path, TRACE_BYTES_MAX, &text, &len));
    t->root = json_loadb(text, len, 0, &error);
    if (!t->root)
        TRY(st_fail(ST_INPUT, "%s:%d: %s", path, error.line, error.text));
    TRY(st_context(read_events(t, json_object_get(t->root, "traceEvents")), "%s", path));
    *found = t->n > 0;
out:
    mem_free(text);
    if (s != ST_OK)
        timeline_close(t);
    return s;
}

/* ---- choosing a stretch of time ---------------------------------------------------------------------------------- */

/*
 * Devices are traced for a few steps in each hundred: a window. All modules take the same steps, which free ones reach
 * at different times. Shown is the part of a window in which all were watched, of the window that has most of it.
 */
enum { NEAR_STEPS = 50 }; /* half of the distance between two windows */

static bool in_window(const struct event *e, int64_t window)
{
    return llabs((long long)(e->step - window)) < NEAR_STEPS;
}

struct stretch {
    int64_t window; /* its first step */
    double start, end;
    double share;   /* of the time from the first module's start to the last one's end */
};

static struct stretch stretch_of(const struct timeline *t, int64_t window)
{
    struct stretch s = {.window = window, .start = -INFINITY, .end = INFINITY};
    double least = INFINITY, most = -INFINITY;
    for (int k = 0; k < t->modules; k++) {
        double first = INFINITY, last = -INFINITY;
        for (int i = 0; i < t->n; i++) {
            const struct event *e = &t->event[i];
            if (e->waiting || e->module != k || !in_window(e, window))
                continue;
            first = fmin(first, e->start);
            last = fmax(last, e->end);
        }
        s.start = fmax(s.start, first);
        s.end = fmin(s.end, last);
        least = fmin(least, first);
        most = fmax(most, last);
    }
    s.share = s.end > s.start ? (s.end - s.start) / (most - least) : 0;
    return s;
}

static struct stretch best_stretch(const struct timeline *t)
{
    struct stretch best = {0};
    int64_t before = INT64_MIN;
    for (;;) { /* windows in the order of their steps */
        int64_t next = INT64_MAX;
        for (int i = 0; i < t->n; i++)
            if (!t->event[i].waiting && t->event[i].step < next &&
                (before == INT64_MIN || t->event[i].step >= before + NEAR_STEPS))
                next = t->event[i].step;
        if (next == INT64_MAX)
            return best;
        struct stretch s = stretch_of(t, next);
        if (s.share >= best.share)
            best = s;
        before = next;
    }
}

/* ---- bars -------------------------------------------------------------------------------------------------------- */

static int color_of(const struct event *e)
{
    if (!e->waiting)
        return COMPUTES;
    return strstr(e->name, "gradient") ? WAITS_GRADIENT : strstr(e->name, "input") ? WAITS_INPUT : WAITS_SPACE;
}

static int by_row_and_start(const void *left, const void *right)
{
    const struct store_bar *a = left, *b = right;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return (a->start_ms > b->start_ms) - (a->start_ms < b->start_ms);
}

/* Launches that follow one another within a hair become one bar. */
static int join_bars(struct store_bar *bar, int n, double hair_ms)
{
    int kept = 0;
    qsort(bar, (size_t)n, sizeof *bar, by_row_and_start);
    for (int i = 0; i < n; i++) {
        struct store_bar *last = kept ? &bar[kept - 1] : NULL;
        if (last && last->row == bar[i].row && last->color == bar[i].color && bar[i].start_ms - last->end_ms < hair_ms)
            last->end_ms = fmax(last->end_ms, bar[i].end_ms);
        else
            bar[kept++] = bar[i];
    }
    return kept;
}

static enum st make_bars(struct timeline *t)
{
    enum st s = ST_OK;
    int n = 0;
    struct stretch best = best_stretch(t);
    double start = best.start, end = best.end;
    TRY(NEW(t->bar, (size_t)t->n));
    for (int i = 0; i < t->n; i++) {
        const struct event *e = &t->event[i];
        if (!in_window(e, best.window) || !(e->end > start && e->start < end))
            continue;
        t->bar[n++] = (struct store_bar){.row = 2 * e->module + e->waiting, .color = color_of(e),
                                         .start_ms = 1e-3 * (fmax(e->start, start) - start),
                                         .end_ms = 1e-3 * (fmin(e->end, end) - start)};
    }
    t->lanes.span_ms = n ? 1e-3 * (end - start) : 0;
    t->lanes.n = join_bars(t->bar, n, t->lanes.span_ms / 1000);
    t->lanes.bar = t->bar;
out:
    return s;
}

static enum st name_rows(struct timeline *t, bool emulated)
{
    enum st s = ST_OK;
    int rows = 2 * t->modules;
    TRY(NEW(t->row_name, (size_t)rows));
    TRY(NEW(t->row, (size_t)rows));
    for (int k = 0; k < rows; k++) {
        snprintf(t->row_name[k], NAME_ROOM, "module %d %s%s", k / 2, k % 2 ? "thread" : "device",
                 emulated && k % 2 == 0 ? " (emulated)" : "");
        t->row[k] = t->row_name[k];
    }
    t->lanes.row = t->row;
    t->lanes.rows = rows;
out:
    return s;
}

/* What is known of how a run trained, for its title: "csg, free". */
static void name_line(struct timeline *t, const char *run, const struct run_facts *f)
{
    const json_t *module = json_array_get(json_object_get(f->json, "modules"), 0);
    const char *coupling = json_string_value(json_object_get(module, "coupling"));
    snprintf(t->title, sizeof t->title, "%s: %s, %s", run, coupling ? coupling : "?",
             coupling && strncmp(coupling, "exact", 5) == 0 ? "locked" : f->lockstep ? "in lockstep" : "free running");
    t->lanes.title = t->title;
    t->lanes.legend = meaning;
    t->lanes.legend_n = COUNT_OF(meaning);
}

static enum st add_timeline(struct timeline *all, int *n, const char *run)
{
    enum st s = ST_OK;
    struct run_facts f = {0};
    bool found;
    struct timeline *t = &all[*n];
    TRY(run_facts_read(run, &f));
    TRY(timeline_open(run, t, &found));
    if (!found)
        goto out;
    ++*n;
    const json_t *module = json_array_get(json_object_get(f.json, "modules"), 0);
    TRY(make_bars(t));
    TRY(name_rows(t, json_is_true(json_object_get(module, "emulated"))));
    name_line(t, run, &f);
out:
    run_facts_free(&f);
    return s;
}

enum st draw_devices(struct drawing *d, const char *const *other, int others)
{
    enum st s = ST_OK;
    struct timeline t[RUNS_MAX] = {0};
    struct store_lanes lanes[RUNS_MAX];
    struct store_picture picture = {0};
    int n = 0;
    TRY(add_timeline(t, &n, d->run));
    for (int i = 0; i < others && n < RUNS_MAX; i++)
        TRY(add_timeline(t, &n, other[i]));
    if (n == 0)
        goto out;
    for (int i = 0; i < n; i++)
        lanes[i] = t[i].lanes;
    TRY(store_lanes_draw(lanes, n, &picture));
    TRY(drawing_write(d, (struct picture){.section = "The run", .file = "pictures/devices.png",
                                          .caption = "What each device did and each thread waited for, in a few steps "
                                                     "that were traced", .numbers = "trace.json"}, &picture, NULL, 0));
out:
    for (int i = 0; i < RUNS_MAX; i++)
        timeline_close(&t[i]);
    store_picture_free(&picture);
    return s;
}

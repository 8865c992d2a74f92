/*
 * trace.json: what devices and threads did, as Chrome trace events (opens in Perfetto and chrome://tracing). A process
 * a module, in it a row for the device and one for the waits of the thread. Times in microseconds from the first span.
 */
#include "inside.h"

#include <limits.h>
#include <stdio.h>

enum { DEVICE_ROW = 1, THREAD_ROW = 2 };

static json_t *name_event(const char *what, int module, int row, const char *name)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "name", what, "ph", "M", "pid", module, "tid", row, "args",
                     "name", name);
}

static enum st add(json_t *events, json_t *one)
{
    return json_array_append_new(events, one) == 0 ? ST_OK : json_check(NULL);
}

static enum st add_names(struct train *t, json_t *events)
{
    enum st s = ST_OK;
    for (int k = 0; k < train_module_count(t); k++) {
        struct train_module m = train_module_at(t, k);
        char name[PLAN_LABEL_MAX + 80];
        snprintf(name, sizeof name, "module %d: layers %d to %d on %s", k, m.first, m.first + m.count - 1, m.device);
        TRY(add(events, name_event("process_name", k, DEVICE_ROW, name)));
        TRY(add(events, name_event("thread_name", k, DEVICE_ROW, m.emulated ? "device (emulated)" : "device")));
        TRY(add(events, name_event("thread_name", k, THREAD_ROW, "waits of its thread")));
    }
out:
    return s;
}

static json_t *span_event(const struct train_span *span, uint64_t start_ns)
{
    double at_us = (double)(span->start_ns - start_ns) * 1e-3, us = (double)(span->end_ns - span->start_ns) * 1e-3;
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i, s:{s:I}}", "name", span->name, "cat",
                     span->waiting ? "wait" : "work", "ph", "X", "ts", at_us, "dur", us, "pid", span->module, "tid",
                     span->waiting ? THREAD_ROW : DEVICE_ROW, "args", "step", (json_int_t)span->step);
}

enum st trace_write(struct train *t, const char *folder)
{
    enum st s = ST_OK;
    const struct train_span *spans;
    int n;
    uint64_t start = UINT64_MAX;
    char path[PATH_MAX];
    struct text text = {0};
    json_t *events = json_array(), *root = json_pack("{s:O, s:s}", "traceEvents", events, "displayTimeUnit", "ms");
    TRY(json_check(root));
    TRY(train_spans(t, &spans, &n));
    for (int i = 0; i < n; i++)
        start = spans[i].start_ns < start ? spans[i].start_ns : start;
    TRY(add_names(t, events));
    for (int i = 0; i < n; i++)
        TRY(add(events, span_event(&spans[i], start)));
    TRY(json_line(root, &text));
    TRY(store_path(folder, "trace.json", path, sizeof path));
    TRY(file_write(path, text.s, text.len));
out:
    json_decref(events);
    json_decref(root);
    text_free(&text);
    return s;
}

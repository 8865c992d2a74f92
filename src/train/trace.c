/*
 * What a worker's device and thread do in some windows of steps: launches timed by the device's own profiling, pieces
 * of work of emulated devices, waits. All workers look at the same steps of an epoch. From the launches comes also the
 * share of time that the device is busy. One wait for the device a window, so one in a hundred steps.
 */
#include "team.h"

enum { FIRST_STEP = 50 };

void worker_span(struct worker *w, const char *name, bool waiting, uint64_t start_ns, uint64_t end_ns)
{
    if (w->window_left == 0 || w->spans == SPANS_MAX || end_ns <= start_ns)
        return;
    w->span[w->spans++] = (struct train_span){.name = name, .module = w->index, .waiting = waiting, .step = w->step,
                                              .start_ns = start_ns, .end_ns = end_ns};
}

/* In the middle of each hundred steps, or of an epoch shorter than that. */
static bool window_starts(const struct worker *w)
{
    uint64_t epoch = w->team->train->steps_per_epoch;
    return w->step_in_epoch % WINDOW == (epoch > FIRST_STEP + WINDOW_STEPS_MAX ? FIRST_STEP : epoch / 2);
}

enum st window_before_step(struct worker *w)
{
    if (!w->team->training || w->window_left > 0 || w->window_rest > 0 || !window_starts(w))
        return ST_OK;
    w->window_left = w->window_steps;
    w->window_at = w->step;
    return w->emulated.shared ? ST_OK : ocl_trace_begin(w->queue, OCL_TRACE_KERNELS);
}

/* Launches of the window become spans; their number tells how many steps the next window may have. */
static void read_window(struct worker *w, int steps)
{
    struct ocl_times times = ocl_trace_read(w->queue, w->listen);
    if (times.launches <= 0)
        return;
    w->traced_steps += (uint64_t)steps;
    w->traced_ns += times.busy_ns;
    for (int i = 0; i < times.launches && w->spans < SPANS_MAX; i++)
        w->span[w->spans++] = (struct train_span){.name = w->listen[i].name, .module = w->index, .step = w->window_at,
                                                  .start_ns = w->listen[i].start_ns,
                                                  .end_ns = w->listen[i].start_ns + w->listen[i].ns};
    int fit = OCL_TRACE_MAX * steps / (times.launches + 1);
    w->window_steps = fit < 1 ? 1 : fit > WINDOW_STEPS_MAX ? WINDOW_STEPS_MAX : fit;
}

enum st window_after_step(struct worker *w, bool last)
{
    enum st s = ST_OK;
    if (w->window_left > 0 && (--w->window_left == 0 || last)) {
        TRY(ocl_trace_end(w->queue));
        w->window_rest = last ? 1 : 3; /* until the device is surely done with it */
        if (w->window_left > 0)
            w->window_steps -= w->window_left;
        w->window_left = 0;
    }
    if (w->window_rest == 0 || (--w->window_rest > 0 && !last))
        return ST_OK;
    w->window_rest = 0;
    if (w->emulated.shared)
        return ST_OK;
    TRY(ocl_wait(w->queue));
    read_window(w, w->window_steps);
out:
    return s;
}

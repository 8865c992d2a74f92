/* Where a step's time goes. */
#include "inside.h"

#include <string.h>

enum { FIRST_WINDOWS = 2, UNTIMED_WINDOWS = 5 };

static struct train_kernel *find_kernel(struct train_profile *p, const char *name)
{
    for (int i = 0; i < p->kernel_count; i++)
        if (strcmp(p->kernel[i].name, name) == 0)
            return &p->kernel[i];
    if (p->kernel_count == TRAIN_KERNELS_MAX)
        return &p->kernel[TRAIN_KERNELS_MAX - 1];
    p->kernel[p->kernel_count].name = name;
    return &p->kernel[p->kernel_count++];
}

/* The launches of t->listen, in a window of so many nanoseconds and p->steps steps. */
static void account(const struct train *t, double window_ns, struct train_profile *p)
{
    double share = 1.0 / p->steps;
    p->traced_ns = p->outside_ns = share * window_ns;
    p->between_ns = 0;
    p->kernel_count = 0;
    memset(p->kernel, 0, sizeof p->kernel);
    for (int i = 0; i < t->listened; i++) {
        const struct ocl_launch *l = &t->listen[i];
        struct train_kernel *k = find_kernel(p, l->name);
        k->launches += share;
        k->ns += share * (double)l->ns;
        k->flops += share * l->flops;
        k->bytes += share * l->bytes;
        p->between_ns += share * (double)l->gap_ns;
        p->outside_ns -= share * (double)(l->ns + l->gap_ns);
    }
}

/* A window of `steps` steps, every launch traced; it becomes the profile where it is the first or the fastest. */
static enum st trace_window(struct train *t, int steps, struct train_profile *p)
{
    enum st s = ST_OK;
    double losses[WINDOW];
    uint64_t left = t->steps_per_epoch - t->step_in_epoch;
    if (left < (uint64_t)steps) /* a window that crosses the end of an epoch would hold a wait */
        TRY(train_steps(t, (int)left, losses));
    TRY(ocl_trace_begin(t->queue, OCL_TRACE_KERNELS));
    uint64_t start = clock_ns();
    TRY(train_steps(t, steps, losses));
    if (t->listened < 0)
        TRY(st_fail(ST_DEVICE, "device %s does not tell how long its kernels take", ocl_device_label(t->device)));
    double ns = (double)(t->collected_ns - start);
    if (p->steps != steps || ns < p->traced_ns * steps) {
        p->steps = steps;
        account(t, ns, p);
    }
out:
    (void)!ocl_trace_end(t->queue); /* nothing is held back behind a wait */
    return s;
}

static enum st trace_windows(struct train *t, int windows, struct train_profile *p)
{
    enum st s = ST_OK;
    TRY(NEW(t->listen, OCL_TRACE_MAX));
    TRY(trace_window(t, 1, p)); /* tells the launches of a step */
    int steps = t->listened ? OCL_TRACE_MAX / t->listened : 1;
    if (steps > WINDOW)
        steps = WINDOW;
    if ((uint64_t)steps > t->steps_per_epoch)
        steps = (int)t->steps_per_epoch;
    for (int i = 0; i < windows; i++)
        TRY(trace_window(t, steps > 0 ? steps : 1, p));
out:
    mem_free(t->listen);
    t->listen = NULL;
    return s;
}

enum st train_profile_run(struct train *t, int windows, struct train_profile *out)
{
    enum st s = ST_OK;
    double losses[WINDOW], ns[UNTIMED_WINDOWS];
    *out = (struct train_profile){0};
    for (int i = 0; i < FIRST_WINDOWS; i++) /* the first steps are not like the others, and not in chains */
        TRY(train_steps(t, WINDOW, losses));
    uint64_t launches = ocl_counts().launches;
    for (int i = 0; i < UNTIMED_WINDOWS; i++) {
        uint64_t start = clock_ns();
        TRY(train_steps(t, WINDOW, losses));
        double mine = (double)(clock_ns() - start) / WINDOW;
        int at = i; /* sorted as they come */
        for (; at > 0 && ns[at - 1] > mine; at--)
            ns[at] = ns[at - 1];
        ns[at] = mine;
    }
    out->launches = (double)(ocl_counts().launches - launches) / (UNTIMED_WINDOWS * WINDOW);
    out->wall_ns = ns[0];
    out->median_ns = ns[UNTIMED_WINDOWS / 2];
    TRY(trace_windows(t, windows, out));
out:
    return s;
}

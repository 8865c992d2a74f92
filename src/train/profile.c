/* Where a step's time goes. */
#include "inside.h"

#include <string.h>

enum { WINDOWS = 5 };

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

/* One step with every launch timed, added to the profile with the share 1 / steps. */
static enum st time_step(struct train *t, int steps, struct ocl_launch *each, struct train_profile *p)
{
    enum st s = ST_OK;
    double loss, share = 1.0 / steps;
    t->listen = each;
    TRY(train_steps(t, 1, &loss));
    if (t->listened < 0)
        TRY(st_fail(ST_DEVICE, "device %s does not tell how long its kernels take", ocl_device_label(t->device)));
    for (int i = 0; i < t->listened; i++) {
        struct train_kernel *k = find_kernel(p, each[i].name);
        k->launches += share;
        k->ns += share * (double)each[i].ns;
        k->flops += share * each[i].flops;
        k->bytes += share * each[i].bytes;
    }
out:
    t->listen = NULL;
    return s;
}

enum st train_profile_run(struct train *t, int steps, struct train_profile *out)
{
    enum st s = ST_OK;
    struct ocl_launch *each = NULL;
    double losses[WINDOW], ns[WINDOWS];
    *out = (struct train_profile){0};
    TRY(NEW(each, OCL_TRACE_MAX));
    TRY(train_steps(t, WINDOW, losses)); /* the first steps are not like the others */
    for (int i = 0; i < WINDOWS; i++) {
        uint64_t start = clock_ns();
        TRY(train_steps(t, WINDOW, losses));
        double mine = (double)(clock_ns() - start) / WINDOW;
        int at = i; /* sorted as they come */
        for (; at > 0 && ns[at - 1] > mine; at--)
            ns[at] = ns[at - 1];
        ns[at] = mine;
    }
    out->wall_ns = ns[0];
    out->median_ns = ns[WINDOWS / 2];
    for (int i = 0; i < steps; i++)
        TRY(time_step(t, steps, each, out));
out:
    mem_free(each);
    return s;
}

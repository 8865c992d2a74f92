#include "measure.h"

enum { REPETITIONS_MAX = 99, LOOPS = 20000, COPY_FLOATS = 1 << 24 };

/* Seconds of `calls` calls and the wait behind them. */
static enum st time_calls(struct mx *mx, enum st (*enqueue)(struct mx *mx, void *user), void *user, int calls,
                          double *seconds)
{
    enum st s = ST_OK;
    uint64_t start = clock_ns();
    for (int i = 0; i < calls; i++)
        TRY(enqueue(mx, user));
    TRY(ocl_wait(mx_queue(mx)));
    *seconds = (double)(clock_ns() - start) * 1e-9;
out:
    return s;
}

enum st measure(struct mx *mx, enum st (*enqueue)(struct mx *mx, void *user), void *user, int repetitions,
                double seconds, struct measured *out)
{
    enum st s = ST_OK;
    double took[REPETITIONS_MAX], once;
    int n = repetitions < REPETITIONS_MAX ? repetitions : REPETITIONS_MAX;
    TRY(time_calls(mx, enqueue, user, 1, &once)); /* compiles and touches what the first call does */
    TRY(time_calls(mx, enqueue, user, 1, &once));
    int calls = once > 0 && seconds / once < 100000 ? (int)(seconds / once) + 1 : 100000;
    for (int i = 0; i < n; i++) {
        double mine;
        TRY(time_calls(mx, enqueue, user, calls, &mine));
        mine /= calls;
        int at = i; /* sorted as they come */
        for (; at > 0 && took[at - 1] > mine; at--)
            took[at] = took[at - 1];
        took[at] = mine;
    }
    *out = (struct measured){.best = took[0], .median = took[n / 2]};
out:
    return s;
}

static enum st run_tiny(struct mx *mx, void *user)
{
    struct mx_tensor *t = user;
    return mx_act(mx, (struct mx_activation){MX_IDENTITY, 0}, *t, *t);
}

static enum st run_tiny_and_wait(struct mx *mx, void *user)
{
    enum st s = run_tiny(mx, user);
    return s != ST_OK ? s : ocl_wait(mx_queue(mx));
}

enum st measure_launch(struct mx *mx, struct measured *in_a_row, struct measured *waited)
{
    enum st s = ST_OK;
    struct ocl_buf *buf = NULL;
    TRY(ocl_buf_create(ocl_queue_device(mx_queue(mx)), 64, &buf));
    TRY(ocl_zero(mx_queue(mx), buf, 0, 64));
    struct mx_tensor t = mx_view(buf, 0, 1, 16);
    TRY(measure(mx, run_tiny, &t, 9, 0.02, in_a_row));
    TRY(measure(mx, run_tiny_and_wait, &t, 9, 0.02, waited));
out:
    (void)!ocl_wait(mx_queue(mx)); /* nothing may use the buffer any more */
    ocl_buf_free(buf);
    return s;
}

static enum st run_fma(struct mx *mx, void *user)
{
    return mx_fma_chains(mx, LOOPS, 0.5f, 0.25f, *(struct mx_tensor *)user);
}

static enum st run_copy(struct mx *mx, void *user)
{
    struct mx_tensor *t = user;
    return mx_act(mx, (struct mx_activation){MX_IDENTITY, 0}, t[0], t[1]);
}

enum st measure_peaks(struct mx *mx, struct peaks *out)
{
    enum st s = ST_OK;
    struct ocl_buf *buf = NULL;
    struct ocl_device *d = ocl_queue_device(mx_queue(mx));
    const struct ocl_facts *f = ocl_device_facts(d);
    size_t n = COPY_FLOATS; /* larger than the caches, smaller than a device's memory */
    while (n > 1024 && !ocl_fits(f, 4 * 8 * n, 8 * n))
        n /= 2;
    TRY(ocl_buf_create(d, 2 * n * sizeof(float), &buf));
    TRY(ocl_zero(mx_queue(mx), buf, 0, 2 * n * sizeof(float)));
    struct mx_tensor half[2] = {mx_view(buf, 0, 1, (int)n), mx_view(buf, n, 1, (int)n)};
    struct mx_tensor sums = mx_view(buf, 0, 1, (int)(f->compute_units * (f->kind == OCL_CPU ? 4 : 2048)));
    TRY(measure(mx, run_copy, half, 11, 0.02, &out->copy));
    out->bytes = 8.0 * (double)n / out->copy.best;
    TRY(measure(mx, run_fma, &sums, 11, 0.02, &out->fma));
    out->flops = mx_fma_flops(mx, LOOPS, sums) / out->fma.best;
out:
    (void)!ocl_wait(mx_queue(mx)); /* nothing may use the buffer any more */
    ocl_buf_free(buf);
    return s;
}

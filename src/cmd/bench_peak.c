/* clutch bench peak, launch: what a device does at most, and what a launch costs. */
#include "bench.h"

#include <stdio.h>

enum st bench_peak(struct bench *b)
{
    struct peaks p;
    enum st s = measure_peaks(b->mx, &p);
    if (s != ST_OK)
        return s;
    double flops = p.flops * p.fma.best / p.fma.median, bytes = p.bytes * p.copy.best / p.copy.median;
    if (b->json)
        return bench_row(b, json_pack("{s:s, s:f, s:f, s:f, s:f}", "bench", "peak", "gflops_best", p.flops * 1e-9,
                                      "gflops_median", flops * 1e-9, "gbytes_best", p.bytes * 1e-9, "gbytes_median",
                                      bytes * 1e-9));
    printf("multiply-add   %8.1f GFLOP/s  (median %.1f)\n", p.flops * 1e-9, flops * 1e-9);
    printf("memory, copy   %8.1f GB/s     (median %.1f)\n", p.bytes * 1e-9, bytes * 1e-9);
    return ST_OK;
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

enum st bench_launch(struct bench *b)
{
    enum st s = ST_OK;
    struct ocl_buf *buf = NULL;
    struct measured row, waited;
    TRY(ocl_buf_create(b->device, 64, &buf));
    TRY(ocl_zero(mx_queue(b->mx), buf, 0, 64));
    struct mx_tensor t = mx_view(buf, 0, 1, 16);
    TRY(measure(b->mx, run_tiny, &t, 9, 0.02, &row));
    TRY(measure(b->mx, run_tiny_and_wait, &t, 9, 0.02, &waited));
    if (b->json)
        TRY(bench_row(b, json_pack("{s:s, s:f, s:f, s:f, s:f}", "bench", "launch", "us_best", row.best * 1e6,
                                   "us_median", row.median * 1e6, "waited_us_best", waited.best * 1e6,
                                   "waited_us_median", waited.median * 1e6)));
    else
        printf("launch         %8.2f us each in a row (median %.2f)\nlaunch, waited %8.2f us (median %.2f)\n",
               row.best * 1e6, row.median * 1e6, waited.best * 1e6, waited.median * 1e6);
out:
    (void)!ocl_wait(mx_queue(b->mx));
    ocl_buf_free(buf);
    return s;
}

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
    output("multiply-add   %8.1f GFLOP/s  (median %.1f)\n", p.flops * 1e-9, flops * 1e-9);
    output("memory, copy   %8.1f GB/s     (median %.1f)\n", p.bytes * 1e-9, bytes * 1e-9);
    return ST_OK;
}

enum st bench_launch(struct bench *b)
{
    struct measured row, waited;
    enum st s = measure_launch(b->mx, &row, &waited);
    if (s != ST_OK)
        return s;
    if (b->json)
        return bench_row(b, json_pack("{s:s, s:f, s:f, s:f, s:f}", "bench", "launch", "us_best", row.best * 1e6,
                                      "us_median", row.median * 1e6, "waited_us_best", waited.best * 1e6,
                                      "waited_us_median", waited.median * 1e6));
    output("launch         %8.2f us each in a row (median %.2f)\nlaunch, waited %8.2f us (median %.2f)\n",
           row.best * 1e6, row.median * 1e6, waited.best * 1e6, waited.median * 1e6);
    return ST_OK;
}

/* What the benches share. A bench is a function and a row in the table of bench.c. */
#ifndef CLUTCH_CMD_BENCH_H
#define CLUTCH_CMD_BENCH_H

#include "inside.h"
#include "measure.h"

struct bench {
    struct ocl_device *device;
    struct mx *mx;         /* with the plain kernels for products */
    bool json, no_tune;
    const char *net;       /* of `step`: a file or the net itself */
    const char *optimizer; /* likewise */
    int batch;             /* likewise */
    const char *shape;     /* of `gemm`: MxNxK; NULL: the list */
    const char *provider;  /* likewise: one of them; NULL: all */
};

MUST_USE enum st bench_peak(struct bench *b);
MUST_USE enum st bench_launch(struct bench *b);
MUST_USE enum st bench_gemm(struct bench *b);
MUST_USE enum st bench_step(struct bench *b);

/* Prints a JSON object with device, driver and version added, and frees it; NULL is ST_MEMORY. */
MUST_USE enum st bench_row(const struct bench *b, json_t *row);

#endif

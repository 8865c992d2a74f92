/* clutch tune: what its files share. */
#ifndef CLUTCH_CMD_TUNE_H
#define CLUTCH_CMD_TUNE_H

#include "inside.h"

struct tune {
    const char *devices, *provider, *net;
    bool quick, fresh, json;
    int64_t batch, timeout; /* seconds a candidate may take */
    double seconds;         /* in all; 0: until done */
    uint64_t start_ns;
};

/* What people see, and JSON: tune_show.c. */
void tune_show_device(const struct tune *w, const struct mx_tuning *t, const struct ocl_facts *f, const char *device);
void tune_show_start(const struct tune *w, const struct mx_tuning *t, int c);
void tune_show_candidate(const struct tune *w, const struct mx_tuning *t, int c);
MUST_USE enum st tune_show_result(const struct tune *w, const struct mx_tuning *t, const char *device, bool complete,
                                  double seconds);

#endif

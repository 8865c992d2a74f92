/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_PLAN_INSIDE_H
#define CLUTCH_PLAN_INSIDE_H

#include "plan.h"

/* What a module costs its device in a step, alone there. */
struct load {
    double compute_ns, coupling_ns, message_ns;
    double flight_ns; /* of the longest of its messages, that its link can carry no faster */
};

double layer_ns(const struct plan_costs *c, int device, int layer);
/* What device `device` does for a message over the cut before layer `cut`. */
double message_ns(const struct plan_costs *c, int device, int cut);
/* Layers first..last-1, which take compute_ns; whether the modules below and above them are on other devices. */
struct run {
    int first, last;
    double compute_ns;
    bool sends_down, sends_up;
};
struct load load_of(const struct plan_costs *c, int device, const struct run *r);
/* How often the device can do it at most, as the time from one to the next. */
double load_pace(const struct plan_costs *c, int device, const struct load *l);

/* ---- kept.c ------------------------------------------------------------------------------------------------------ */

/* All of a device's own figures. */
struct device_costs {
    int layers;
    struct plan_layer_cost *cost; /* (layers) */
    double *whole_ns, *ns_per_mac, *link_ns, *ns_per_byte;
};

/* The file of one net on one device. */
struct kept_file;
/* NULL in *out where there is no place for it. mx: of that device. Caller closes. */
MUST_USE enum st kept_open(const struct nn_net *net, struct mx *mx, int batch, const char *optimizer,
                           struct plan_kept *kept, struct kept_file **out);
void kept_close(struct kept_file *f); /* accepts NULL */
/* Fills in what the file has; false where it has nothing that can be used. */
bool kept_read(const struct kept_file *f, struct plan_kept *kept, const struct device_costs *c);
/* Writes what was measured. Where another process did so meanwhile, its figures are taken instead, so that all runs
 * have the same. */
MUST_USE enum st kept_write(const struct kept_file *f, struct plan_kept *kept, const struct device_costs *c);

#endif

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

#endif

/*
 * plan: what layers cost on devices, and where modules should go. Stands on nn; knows no couplings: what they
 * cost is given to it as multiply-accumulates.
 */
#ifndef CLUTCH_PLAN_H
#define CLUTCH_PLAN_H

#include "nn.h"

enum { PLAN_DEVICES_MAX = 64, PLAN_MODULES_MAX = 64, PLAN_LABEL_MAX = 360, PLAN_FOLDER_MAX = 4096 };

/* A place for a module: a device, or an emulated one that shares it with others. */
struct plan_device {
    struct ocl_device *device;
    struct ocl_emulation emulation; /* slowness 0: the device itself */
    char label[PLAN_LABEL_MAX];     /* "0:0 NAME", "virtual#1 (emulated, 8x slower than 0:0 NAME)" */
};

/* ---- costs ------------------------------------------------------------------------------------------------------- */

/* Measured nanoseconds of one step's batch. A layer that another one computes along (nn_layer.fused) costs nothing. The
 * first layer's forward gathers the batch, the last one's backward begins with the loss. */
struct plan_layer_cost {
    double forward_ns, backward_ns; /* backward: gradients and the optimiser's step */
};

struct plan_costs {
    int layers, devices, batch;
    struct plan_layer_cost *cost; /* (devices, layers) */
    double *whole_ns;      /* (devices): a step of the whole net there, measured as one; the layers' costs are scaled
                              so that they add up to it. 0: there is no room for it, and they are as measured */
    double *ns_per_mac;    /* (devices): of the net's products there, forward */
    double *link_ns, *ns_per_byte; /* (devices): what a message from that device to any other costs there: it is read
                                      into host memory and written from there */
    double *latency_ns, *flight_ns_per_byte; /* (devices): how long it is under way besides, on an emulated link */
    bool *emulated;          /* (devices): a message's cost there is not overlapped with computing */
    double *message_bytes;   /* (layers + 1): of what goes over a cut before layer i, one way */
    uint64_t *coupling_macs; /* (layers + 1): of one sample: what a coupling before layer i costs below it */
    uint64_t *memory;        /* (layers): bytes with gradients and the optimiser's slots, roughly */
};

/* Zeros for a net of so many layers on so many devices. Caller frees. */
MUST_USE enum st plan_costs_new(int layers, int devices, int batch, struct plan_costs *out);
void plan_costs_free(struct plan_costs *c); /* accepts one of zeros */
/*
 * Figures that were measured are kept, a file a net and device in the user's configuration folder, and used again: what
 * is chosen by them is then chosen again, until somebody wants them fresh. A file holds all that they depend on (layers
 * and cuts, device and driver, batch, optimizer, what products are computed with), which is compared whole. One that is
 * damaged, or another's, is named in a note, passed over and replaced.
 */
struct plan_kept {
    bool fresh;          /* wish: measure anew, and replace what is kept */
    const char *version; /* wish: of the program, for the files */
    char folder[PLAN_FOLDER_MAX]; /* where they are; "" where there is no place for them */
    char date[16];       /* the day that the oldest of the figures were measured on */
    bool kept;           /* all are there now; else why not was told in a note */
};
/* Measures each kind of layer once on each kind of device (equal parts of one device, and emulated devices that share
 * one, are measured once, with nothing else going on there), or takes what is kept; emulated costs are the real ones
 * times the slowness. Takes about half a second a device. `optimizer` as nn_optimizer_find() knows it. `kept` NULL:
 * nothing is read or left. coupling_macs is left at zero, for the caller to fill. Caller frees. WAITS. */
MUST_USE enum st plan_measure(const struct nn_net *net, const struct plan_device *devices, int n, int batch,
                              const char *optimizer, struct plan_kept *kept, struct plan_costs *out);

/* ---- placement --------------------------------------------------------------------------------------------------- */

struct plan_wish {
    int modules;       /* how many; 0: as many as pay, at most one a device: another one must make the decoupled rate at
                          least 5 % higher */
    const int *cuts;   /* (modules - 1) layers before which cuts stand already; NULL: to be chosen */
    const int *pinned; /* (modules) devices that the net demands, -1 for any; NULL: any */
    int micro_batches; /* of the pipeline that is estimated; 1 or more */
};

struct plan_module {
    int first, count;   /* layers */
    int device;
    double compute_ns;  /* forward, backward and update of a step */
    double coupling_ns; /* of the coupling at the cut above it */
    double message_ns;  /* of what it sends, overlapped with computing where devices are real */
    double busy;        /* share of the time that it computes when decoupled, 0..1 */
    uint64_t memory;    /* bytes, roughly */
    int heaviest;       /* the layer that takes most of compute_ns, */
    double heaviest_ns; /* and how much of it */
};

struct plan {
    int modules, batch, micro_batches;
    struct plan_module module[PLAN_MODULES_MAX];
    int slowest;           /* the module that sets the pace */
    /* steps a second to expect */
    int best_device;       /* for the whole net on one device; -1: no device has room for it; */
    double exact_single;   /* and how fast that is */
    double exact;          /* locked over the placement */
    double pipeline;       /* the same with micro-batches, taken to be as efficient as whole ones */
    double decoupled;      /* the slowest module sets the pace */
    double bound;          /* time of all modules over that of the slowest: what decoupling can gain at most over locked
                              training of the same placement, couplings and messages for free */
    bool single_is_best;   /* one device alone is at least as fast as the placement, decoupled */
};

/* Whether a placement may have a cut before layer i: nn_net_may_cut(), and there is something to multiply behind it. */
bool plan_may_cut(const struct nn_net *net, int i);
/* What plan_choose() refuses, told before anything is measured. */
MUST_USE enum st plan_check(const struct nn_net *net, int devices, const struct plan_wish *wish);
/* The placement whose slowest module is fastest, and among those the most even one: all cuts into contiguous runs of
 * layers by dynamic programming, over all orders of unequal devices. Where those are too many to go through (a dozen
 * devices that all differ), devices keep the order they were given in. One module a device, but where the net pins
 * several to one, or there is only one device. A pure function of its arguments. ST_INPUT where it cannot be had: more
 * modules than devices, or than places for cuts. */
MUST_USE enum st plan_choose(const struct nn_net *net, const struct plan_costs *costs, const struct plan_wish *wish,
                             struct plan *out);
/* What to expect of exactly this placement: module k of the layers from first[k] on device[k]. Modules on one device
 * take turns there. */
MUST_USE enum st plan_rate(const struct nn_net *net, const struct plan_costs *costs, const int *first,
                           const int *device, int modules, int micro_batches, struct plan *out);
/* The table for people: each module with its layers, device and times, and what to expect with its causes. */
void plan_show(const struct nn_net *net, const struct plan_device *devices, const struct plan *p, struct text *out);
/* "dense batchnorm relu": the kinds of `count` layers, the middle ones left out where they are many. Returns `out`. */
char *plan_layers_show(const struct nn_net *net, int first, int count, char *out, size_t size);
/* The word of a label that names the place: "0:0/2#1", "virtual#3". Returns `out`. */
char *plan_device_id(const struct plan_device *device, char *out, size_t size);

#endif

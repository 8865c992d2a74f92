/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_SG_INSIDE_H
#define CLUTCH_SG_INSIDE_H

#include "sg.h"

enum { SG_OPS_MAX = 8 };

/* A kind of coupling is one file and one row in table.c. */
struct sg_kind {
    const char *name, *help;
    const char *solver; /* kinds of the same name are told apart by it, the first row being the default; else NULL */
    struct nn_option options[SG_OPTIONS_MAX]; /* ends with a NULL key; "p", "lambda", "micro" and "lr" mean what the
                                                 functions of sg.h say, whoever has them, "frozen" what stays() does */
    bool waits, targets, frozen;              /* see sg_waits(), sg_wants_targets(), sg_frozen() */
    bool label_input;                         /* its net sees the label behind h */
    bool solved;                              /* net 0 has no optimiser: its parameters are solved for */
    bool constant;                            /* its nets stay as they start */
    int batch_min;                            /* samples that it needs to learn from; 0 for any */
    enum mx_op ops[SG_OPS_MAX];               /* kernels it runs beside those of its nets; ends with MX_NO_OP */

    /* Net i, its input and its layers; nothing is added where there is no such net. NULL: no nets. */
    void (*net)(const struct sg_spec *spec, int i, int n, int classes, struct text *out);
    /* Multiply-accumulates of one sample beside those of its nets; may be NULL for none. */
    uint64_t (*macs)(const struct sg_spec *spec, int n, int classes, int batch);
    /* Rows and columns of what it keeps between steps beside its nets, zero at the start; may be NULL for nothing. */
    void (*state)(const struct sg_spec *spec, int n, int classes, int *rows, int *cols);
    /* Floats of work memory, and of scratch beside that of the nets; may be NULL for none. */
    enum st (*work)(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch);
    /* As told in sg.h; `learn` false: parameters and what is kept stay as they are. */
    enum st (*gradient)(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn);
    enum st (*learn)(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor target);
};

/* Options that several kinds have. */
#define OPTION_P                                                                                                     \
    {.key = "p", .help = "probability that a step updates the module", .least = 0, .most = 1, .otherwise = 1}
#define OPTION_LAMBDA                                                                                                \
    {.key = "lambda", .help = "share of the true gradient; above 0 the module waits for it", .least = 0, .most = 1}
#define OPTION_WIDTH                                                                                                 \
    {.key = "width", .help = "of a hidden layer; 0: that of h", .least = 0, .most = 1 << 20, .whole = true,          \
     .needs = "hidden"}
#define OPTION_LR(whose)                                                                                             \
    {.key = "lr", .help = "rate of " whose, .least = 1e-12, .most = 10, .otherwise = 1e-3}

extern const struct sg_kind sg_exact, sg_csg_adam, sg_sg_adam, sg_csg_ls, sg_sg_ls, sg_local, sg_predsim, sg_vir,
    sg_classmean, sg_fixed, sg_none;

struct sg_coupling {
    struct sg_spec spec;
    struct ocl_queue *queue;
    struct mx *mx;               /* for the coupling's own operations */
    struct mx *net_mx[SG_NETS_MAX]; /* a net's scratch belongs to its mx */
    struct nn_net *net[SG_NETS_MAX];
    struct nn_module *module[SG_NETS_MAX];
    int net_count, n, classes, batch, ring;
    struct ocl_buf *work, *scratch;
    struct mx_tensor state; /* kind->state; no buffer: none */
    uint64_t updates;
    uint64_t kept, learned; /* steps so far: kept for a target, and whose target came */
    uint64_t fresh;         /* the kept step (from 1) that the net's activations are of; 0: of none any more */
    int *rows;              /* (ring) of each step kept */
};

/* The value of the option with that key; `otherwise` where the kind has no such. */
double option_of(const struct sg_spec *spec, const char *key, double otherwise);
/* Its nets keep their starting values: by its kind, or by an option "frozen". Then no target comes to it. */
bool stays(const struct sg_spec *spec);
/* "dense W; batchnorm; relu" as often as `hidden` says. */
void hidden_layers(const struct sg_spec *spec, int n, struct text *out);
/* An Adam step of net i from its gradients, the coupling's update number t, from 1. */
enum st update_net(struct sg_coupling *c, int i, uint64_t t, const struct sg_learning *l);
/* The ring of steps that wait for their target: the slot of a new one, .. */
enum st ring_keep(struct sg_coupling *c, int rows, int *slot);
/* .. and the oldest one's, which leaves; -1 where its target has no rows, so that there is none. */
enum st ring_take(struct sg_coupling *c, struct mx_tensor target, int *slot);
/* The first tensor of net i's parameters, the weight of a dense layer, as (rows, cols). */
struct mx_tensor weight_of(const struct sg_coupling *c, int i, int rows, int cols);
/* Adds the pairs of a target to what c->state has of those before, S (D, D) and below it C (n, D): means of x^T x and
 * of t^T x over all seen so far, of which each step leaves the share `forget`. It is the coupling's next update. */
enum st moments_add(struct sg_coupling *c, double forget, struct mx_tensor x, struct mx_tensor target);
struct mx_tensor work_view(const struct sg_coupling *c, size_t off, int rows, int cols);
/* A training pass through a net that leaves its running moments alone where nothing shall be learned. */
struct nn_pass net_pass(int rows, const struct sg_learning *l, bool learn);

#endif

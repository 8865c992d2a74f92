/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_SG_INSIDE_H
#define CLUTCH_SG_INSIDE_H

#include "sg.h"

enum { SG_OPS_MAX = 4 };

/* A kind of coupling is one file and one row in table.c. */
struct sg_kind {
    const char *name, *help;
    struct nn_option options[SG_OPTIONS_MAX]; /* ends with a NULL key; "p", "lambda", "micro" and "lr" mean what the
                                                 functions of sg.h say, whoever has them */
    bool waits, targets, frozen;              /* see sg_waits(), sg_wants_targets(), sg_frozen() */
    bool label_input;                         /* its net sees the label behind h */
    enum mx_op ops[SG_OPS_MAX];               /* kernels it runs beside those of its nets; ends with MX_NO_OP */

    /* The layers of net i, without the input; nothing is added where there is no such net. NULL: no nets. */
    void (*net)(const struct sg_spec *spec, int i, int n, int classes, struct text *out);
    /* Multiply-accumulates of one sample beside those of its nets; may be NULL for none. */
    uint64_t (*macs)(int n, int batch);
    /* Floats of work memory, and of scratch beside that of the nets; may be NULL for none. */
    enum st (*work)(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch);
    /* As told in sg.h; `learn` false: parameters and what is kept stay as they are. */
    enum st (*gradient)(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn);
    enum st (*learn)(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor target);
};

extern const struct sg_kind sg_exact, sg_csg, sg_sg, sg_local, sg_predsim, sg_none;

struct sg_coupling {
    struct sg_spec spec;
    struct ocl_queue *queue;
    struct mx *mx;               /* for the coupling's own operations */
    struct mx *net_mx[SG_NETS_MAX]; /* a net's scratch belongs to its mx */
    struct nn_net *net[SG_NETS_MAX];
    struct nn_module *module[SG_NETS_MAX];
    int net_count, n, classes, batch, ring;
    struct ocl_buf *work, *scratch;
    uint64_t updates;
    uint64_t kept, learned; /* steps so far: kept for a target, and whose target came */
    uint64_t fresh;         /* the kept step (from 1) that the net's activations are of; 0: of none any more */
    int *rows;              /* (ring) of each step kept */
};

/* The value of the option with that key; `otherwise` where the kind has no such. */
double option_of(const struct sg_spec *spec, const char *key, double otherwise);
/* "dense W; batchnorm; relu" as often as `hidden` says. */
void hidden_layers(const struct sg_spec *spec, int n, struct text *out);
/* An Adam step of net i from its gradients. */
enum st update_net(struct sg_coupling *c, int i, const struct sg_learning *l);
struct mx_tensor work_view(const struct sg_coupling *c, size_t off, int rows, int cols);
/* A training pass through a net that leaves its running moments alone where nothing shall be learned. */
struct nn_pass net_pass(int rows, const struct sg_learning *l, bool learn);

#endif

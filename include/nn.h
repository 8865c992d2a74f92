/*
 * nn: the net language, layers, and modules (a run of layers with its memory on one device). Stands on mx.
 *
 * A net is text, one layer a line (in an inline string `;` ends a line), `#` comments, options as `key=value`; a
 * layer's first option may stand without its key:
 *
 *     input 1x28x28
 *     dense 256
 *     relu
 *     dense 10
 *     loss softmax
 *
 * `cut [COUPLING [options]]` between two layers ends a module; `on DEVICE` says where the module it stands in shall be.
 */
#ifndef CLUTCH_NN_H
#define CLUTCH_NN_H

#include "mx.h"

/* ---- layers ------------------------------------------------------------------------------------------------------ */

struct nn_shape {
    int c, h, w; /* of one sample: channels, height, width; a vector is n x 1 x 1 */
};

static inline int nn_size(struct nn_shape s)
{
    return s.c * s.h * s.w;
}

enum { NN_SIDE_MAX = 4096 }; /* of each number of a net's input */
enum { NN_OPTIONS_MAX = 4, NN_PARAMS_MAX = 2, NN_RANK_MAX = 4, NN_OPS_MAX = 4, NN_WORD_MAX = 32 };

struct nn_option {
    const char *key, *help;
    double least, most;
    double otherwise; /* the default; NAN: must be given */
    bool whole;       /* a whole number */
    const char *needs; /* of couplings: the option without which, at 0, this one has no effect; NULL: none */
    const char *bars;  /* the same: the option with which, at 1, this one has none */
};

enum nn_init { NN_ZERO, NN_ONE, NN_UNIFORM };

/* A tensor a layer owns: a trained parameter, or state such as a running mean. */
struct nn_param {
    const char *name; /* as PyTorch calls it: "weight" */
    int rank;
    int64_t shape[NN_RANK_MAX];
    size_t count;
    enum nn_init init;
    double bound; /* NN_UNIFORM draws from -bound..bound */
    size_t off;   /* elements from the start of the module's buffer */
};

struct nn_layer {
    const struct nn_kind *kind;
    int line;  /* of the net's text */
    int index; /* among the layers; PyTorch's index in a Sequential */
    double option[NN_OPTIONS_MAX]; /* in the order of kind->options */
    struct nn_shape in, out;
    enum mx_op ops[NN_OPS_MAX]; /* kind->ops, which shape() may add to */
    int param_count, state_count;
    struct nn_param param[NN_PARAMS_MAX], state[NN_PARAMS_MAX];
    size_t saved;  /* floats kept from forward to backward beside input and output */
    uint64_t macs; /* multiply-accumulates of one sample's forward pass */
    struct mx_activation phi; /* computed with this layer: the activation layer behind it, else identity */
    bool fused;    /* an activation that the layer before it computes */
    struct mx_activation below; /* phi of the layer below, whose slope backward multiplies dx by; or identity */
    bool given_da; /* the layer above does so for this one: dy comes as da = dy * phi'(.) */
};

/* One forward or backward pass over a batch. */
struct nn_pass {
    int rows;          /* samples, at most the module's batch */
    bool training;
    uint64_t seed;     /* of dropout, with `step` and `micro` */
    uint32_t step;
    uint32_t micro;    /* number of a micro-batch within its step */
    int set;           /* whose activations: from 0, below the module's sets; backward takes its forward pass's */
    bool keep_state;   /* in training: batch statistics as ever, but running moments stay as they are */
};

/* Where a layer finds its tensors during a pass; `x`, `y`: its input and output, (rows, size). */
struct nn_place {
    struct mx *mx;
    const struct nn_pass *pass;
    struct mx_tensor x, y;
    struct mx_tensor dy, dx; /* backward only; dx.buf NULL: not wanted; dx is dy where kind->in_place */
    struct mx_tensor param[NN_PARAMS_MAX], grad[NN_PARAMS_MAX], state[NN_PARAMS_MAX]; /* (1, count) */
    struct mx_tensor saved; /* (1, saved) */
};

/* A kind of layer is one file and one row in the table of src/nn/table.c. */
struct nn_kind {
    const char *name, *help;
    struct nn_option options[NN_OPTIONS_MAX]; /* ends with a NULL key */
    enum mx_op ops[NN_OPS_MAX];               /* groups of kernels it runs; ends with MX_NO_OP */
    enum mx_act act;     /* an activation layer: which; else MX_IDENTITY */
    bool fuses_act;      /* computes an activation behind it in its own pass */
    bool trades_da;      /* backward takes da from a layer above that can give it, and gives it to the one below */
    bool in_place;       /* backward may overwrite dy with dx */
    bool counts_batches; /* PyTorch saves a num_batches_tracked behind its state */
    int batch_min;       /* samples it needs to train on; 0 for any */

    /* From `in` and the options: out, params, state, saved, macs. ST_INPUT where they do not fit. */
    enum st (*shape)(struct nn_layer *l);
    /* Floats of scratch for a batch; may be NULL for none. */
    enum st (*scratch)(const struct nn_layer *l, struct mx *mx, int batch, size_t *floats);
    enum st (*forward)(const struct nn_layer *l, struct nn_place *p);
    /* grad = mean over the batch; dx as told in nn_place. */
    enum st (*backward)(const struct nn_layer *l, struct nn_place *p);
};

const struct nn_kind *nn_kind_at(int i); /* NULL behind the last */

/* ---- losses ------------------------------------------------------------------------------------------------------ */

/* What a net's outputs z (B, classes) are held against, the labels (B). A loss is one file and one row in the table of
 * src/nn/table.c. */
struct nn_loss {
    const char *name, *help;
    enum mx_op op; /* the group of kernels it runs */
    /* delta (B, classes): the gradient of each sample's own loss; per_row (2, B): that loss, and 1 where the largest
     * output (the first of equals) is the label's */
    enum st (*measure)(struct mx *mx, struct mx_tensor z, struct ocl_buf *labels, struct mx_tensor delta,
                       struct mx_tensor per_row);
    /* Outputs become probabilities in their place; NULL: this loss does not make any of them. */
    enum st (*probabilities)(struct mx *mx, struct mx_tensor z);
    double (*guess)(int classes); /* its mean for a net that says the same of all samples, at best */
};

const struct nn_loss *nn_loss_at(int i); /* NULL behind the last */

/* ---- nets -------------------------------------------------------------------------------------------------------- */

/* The layers between two cuts. */
struct nn_section {
    int first, count;     /* layers */
    int line;             /* of the cut behind it; of the loss, for the last one */
    const char *coupling; /* the words behind `cut`: "csg hidden=1"; "" for none, and for the last one */
    const char *on;       /* the word behind `on`: a device of the device grammar; "" for none */
    int on_line;          /* where it stands */
};

struct nn_net {
    struct arena arena;
    const char *text;   /* as it was given */
    const char *origin; /* file name, or "net" for an inline string: for messages */
    struct nn_shape input;
    int layer_count;
    struct nn_layer *layer;
    int section_count;     /* 1 where there is no cut */
    struct nn_section *section;
    int classes;        /* outputs of the last layer, which the loss takes */
    const struct nn_loss *loss; /* the whole net's; NULL: layers alone */
    int tensor_first;   /* of a section: its first tensor's number in the whole net */
};

/* `word` is a net file's name or the net itself (it holds a blank or `;`). ST_INPUT names file, line, word and what is
 * known. Caller frees. */
MUST_USE enum st nn_net_open(const char *word, struct nn_net **out);
MUST_USE enum st nn_net_parse(const char *text, const char *origin, struct nn_net **out);
void nn_net_free(struct nn_net *net); /* accepts NULL */
/* Layers alone, as text without a loss: for the small nets of couplings. */
MUST_USE enum st nn_net_parse_layers(const char *text, const char *origin, struct nn_net **out);
/* Section `k` as a net of its own: its layers keep their index, its tensors their name and starting values. Where it is
 * not the last, `classes` is the size of what it hands up. Caller frees, before the whole. */
MUST_USE enum st nn_net_section(const struct nn_net *net, int k, struct nn_net **out);
/* `count` layers from `first` on as a net of their own, computed as they are within the whole: neighbours that are not
 * there are taken to hand over what they would. For measuring. Caller frees. */
MUST_USE enum st nn_net_layers(const struct nn_net *net, int first, int count, struct nn_net **out);
/* The same net with cuts before the `n` layers `at` (rising, 1 or more), the words `coupling` behind each. The net must
 * have no cuts. Caller frees. */
MUST_USE enum st nn_net_split(const struct nn_net *net, const int *at, int n, const char *coupling,
                              struct nn_net **out);
/* The same net without its cuts, and without `on`. Caller frees. */
MUST_USE enum st nn_net_join(const struct nn_net *net, struct nn_net **out);
/* Whether a cut before layer i may stand there: an activation that the layer before it computes cannot be parted from
 * it. */
bool nn_net_may_cut(const struct nn_net *net, int i);
size_t nn_net_params(const struct nn_net *net);
uint64_t nn_net_macs(const struct nn_net *net); /* forward, one sample */
/* The net as text in its plainest form, a layer a line: without comments, cuts, `on`, and options at their default. */
void nn_net_write(const struct nn_net *net, struct text *out);
/* The table that a run prints before it starts: layer, output, parameters, multiply-accumulates. */
void nn_net_show(const struct nn_net *net, struct text *out);

/* ---- modules ----------------------------------------------------------------------------------------------------- */

/* A section of a net, or all of it: whatever struct nn_net is given. */

struct nn_module; /* layers of a net with their memory on one device; used by one thread */

/* Bytes of each buffer a module needs. `slots`: copies of the parameters an optimiser keeps; -1: no training at all.
 * `sets` (1 or more): copies of the activations, for so many batches under way between forward and backward. */
struct nn_memory {
    uint64_t params, grads, slots, state, activations, deltas, scratch;
};
MUST_USE enum st nn_memory_plan(const struct nn_net *net, struct mx *mx, int batch, int slots, int sets,
                                struct nn_memory *out);
uint64_t nn_memory_total(const struct nn_memory *m);

/* The whole net as one module: buffers made, kernels built, gradients and slots zero; parameters undefined until
 * nn_module_init or nn_module_write. The net must outlive it. Caller closes before the queue. */
MUST_USE enum st nn_module_open(const struct nn_net *net, struct mx *mx, int batch, int slots, int sets,
                                struct nn_module **out);
void nn_module_close(struct nn_module *m); /* accepts NULL */

/* Starting values as PyTorch's defaults, from the seed alone (the same on every device). WAITS. */
MUST_USE enum st nn_module_init(struct nn_module *m, uint64_t seed);

/* x (rows, input size) -> *y (rows, classes), a view of the module's memory: of the pass's set. */
MUST_USE enum st nn_module_forward(struct nn_module *m, const struct nn_pass *pass, struct mx_tensor x,
                                   struct mx_tensor *y);
/* The output of the last forward pass of set 0 again. */
struct mx_tensor nn_module_output(const struct nn_module *m, int rows);
/* Where the gradient at the module's top goes: (rows, classes). One place for all sets; the next backward pass takes
 * it. */
struct mx_tensor nn_module_delta(const struct nn_module *m, int rows);
/* After a forward pass with the same `pass` and `x`, and nn_module_delta() filled: all parameters' gradients. `*dx` is
 * the gradient at the input, (rows, input size); dx NULL: not wanted. In evaluation, those of what evaluation computes:
 * a sample's dx does not depend on the others. */
MUST_USE enum st nn_module_backward(struct nn_module *m, const struct nn_pass *pass, struct mx_tensor x,
                                    struct mx_tensor *dx);

/* All parameters, gradients, or one slot of the optimiser, flat: (1, n) with zeros between tensors. */
struct mx_tensor nn_module_params(const struct nn_module *m);
struct mx_tensor nn_module_grads(const struct nn_module *m);
struct mx_tensor nn_module_slot(const struct nn_module *m, int slot);

/* Tensors by name, in PyTorch's order: those of each layer, parameters before state. */
enum nn_part { NN_PARAM, NN_GRAD, NN_STATE, NN_SLOT };
struct nn_tensor {
    char name[64]; /* "0.weight" */
    bool is_state;
    const struct nn_param *param;
};
int nn_tensor_count(const struct nn_net *net);
struct nn_tensor nn_tensor_at(const struct nn_net *net, int i);
/* Copies one tensor to or from the device: part NN_PARAM (or its NN_GRAD, NN_SLOT `slot`), NN_STATE. WAITS. */
MUST_USE enum st nn_module_read(struct nn_module *m, int tensor, enum nn_part part, int slot, float *out);
MUST_USE enum st nn_module_write(struct nn_module *m, int tensor, enum nn_part part, int slot, const float *in);

/* ---- optimisers: a row each in optimizer.c, their kernels in cl/optimizer.cl ------------------------------------- */

struct nn_update {
    double rate, momentum, weight_decay;
    bool nesterov;
    uint64_t t; /* updates of this module so far, this one included */
};

struct nn_optimizer {
    const char *name;
    int slots; /* copies of the parameters it keeps */
    const char *takes[4]; /* options of a run that it heeds, of those that not every one does; NULL behind the last */
    const char *fixed;    /* what else it works with; NULL: nothing */
    enum st (*step)(struct mx *mx, struct nn_module *m, const struct nn_update *u);
};

const struct nn_optimizer *nn_optimizer_at(int i);               /* NULL behind the last */
const struct nn_optimizer *nn_optimizer_find(const char *name); /* NULL: unknown */

#endif

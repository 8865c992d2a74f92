/*
 * mx: maths on one queue: GEMM, activations, reductions, batch norm, softmax, losses, dropout, optimiser steps, batch
 * gathering. Stands on ocl. All functions enqueue and return; none waits, allocates or (once prepared) compiles.
 *
 * Shapes: B rows of a batch (samples), M N K of a product, C columns. Matrices are row-major float32.
 * `delta` is the gradient of one sample's own loss; the factor 1/B comes in once, where a parameter's gradient is
 * summed.
 */
#ifndef CLUTCH_MX_H
#define CLUTCH_MX_H

#include "ocl.h"

/* A view of a planned buffer; owns nothing. */
struct mx_tensor {
    struct ocl_buf *buf;
    size_t off; /* elements from the start of buf */
    int rows, cols;
    int ld; /* elements from row to row; all but GEMM want ld == cols */
};

static inline struct mx_tensor mx_view(struct ocl_buf *buf, size_t off, int rows, int cols)
{
    return (struct mx_tensor){.buf = buf, .off = off, .rows = rows, .cols = cols, .ld = cols};
}

enum mx_act { MX_IDENTITY, MX_RELU, MX_LEAKY_RELU, MX_TANH, MX_SIGMOID, MX_ACTS };

/* An activation phi. `slope` is that of leaky ReLU below zero. All derivatives are taken from y = phi(x), so that x
 * need not be kept; leaky ReLU wants slope > 0 for that. */
struct mx_activation {
    enum mx_act kind;
    float slope;
};

/* Groups of kernels that mx_prepare() builds. */
enum mx_op {
    MX_NO_OP,
    MX_GEMM,  /* mx_gemm */
    MX_DENSE, /* the calls of a dense layer, and of the one above it, with that activation */
    MX_ACTIVATION,
    MX_BIAS,
    MX_BLEND,
    MX_LABEL_ROWS,
    MX_COLUMNS,
    MX_BATCHNORM,
    MX_SOFTMAX,
    MX_LABEL_DISTANCE,
    MX_SQUARED_LOSS,
    MX_SIMILARITY, /* mx_similarity_loss, with the products in it */
    MX_RIDGE,      /* mx_ridge_solve, with the products in it; MX_BLEND besides */
    MX_DROPOUT,
    MX_OPTIMIZER,
    MX_GATHER,
    MX_PEAK,
    MX_OPS
};

struct mx; /* belongs to its queue's thread */

/* `provider` names the source of GEMM ("plain", "clblast", "tile"), with parameters as mx_gemm_choice() writes them
 * ("tile kc=272 items=2"); NULL takes for each product what was measured to be fastest (see tuning below), or where
 * nothing was, chooses by device: tile on CPUs (plain where they have no vectors), else CLBlast. ST_INPUT for unknown
 * words. Caller closes before the queue. */
MUST_USE enum st mx_open(struct ocl_queue *q, const char *provider, struct mx **out);
void mx_close(struct mx *m); /* accepts NULL */
struct ocl_queue *mx_queue(const struct mx *m);
const char *mx_gemm_name(const struct mx *m); /* of all in use: "tile", "tile+plain" */
/* Names of the GEMM providers, for tests and messages; NULL behind the last. */
const char *mx_gemm_provider(int i);

/* Builds the kernels of one group now, so that no step compiles. */
MUST_USE enum st mx_prepare(struct mx *m, enum mx_op op, enum mx_act act);

/* ---- scratch: asked for first, given once ------------------------------------------------------------------------ */

/* Floats of scratch an operation of that size needs. */
MUST_USE enum st mx_gemm_scratch(struct mx *m, bool trans_a, bool trans_b, int M, int N, int K, size_t *floats);
size_t mx_columns_scratch(int rows, int cols); /* for every function below that sums over rows */
MUST_USE enum st mx_similarity_scratch(struct mx *m, int B, int n, size_t *floats); /* enough for fewer rows too */
/* Memory for it, used by every call in turn; `buf` stays the caller's. */
void mx_give_scratch(struct mx *m, struct ocl_buf *buf);

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* C (M, N) = alpha op(A) op(B) + beta C, op(X) = X or its transpose. With beta 0, C may hold anything, NaN included. */
MUST_USE enum st mx_gemm(struct mx *m, bool trans_a, bool trans_b, float alpha, struct mx_tensor a, struct mx_tensor b,
                         float beta, struct mx_tensor c);

/* A dense layer, y (B, out) = phi(x W^T + b) from x (B, in), w (out, in), bias (1, out), and its backward pass from
 * da = dy * phi'(.): each a product that computes what comes with it before its last store, where the provider can.
 * Scratch holds mx_dense_scratch floats for B rows, or fewer rows. */
MUST_USE enum st mx_dense_scratch(struct mx *m, int B, int in, int out, size_t *floats);
MUST_USE enum st mx_dense_forward(struct mx *m, struct mx_activation phi, struct mx_tensor x, struct mx_tensor w,
                                  struct mx_tensor bias, struct mx_tensor y);
/* dw = 1/B da^T x, dbias = 1/B sum of da over the rows */
MUST_USE enum st mx_dense_backward_params(struct mx *m, struct mx_tensor da, struct mx_tensor x, struct mx_tensor dw,
                                          struct mx_tensor dbias);
/* dx = da W * phi'(.), phi that of the layer which computed x = phi(.), so that dx is its da */
MUST_USE enum st mx_dense_backward_input(struct mx *m, struct mx_activation phi, struct mx_tensor da,
                                         struct mx_tensor w, struct mx_tensor x, struct mx_tensor dx);

/* ---- element-wise; in place is allowed --------------------------------------------------------------------------- */

/* y = phi(x) */
MUST_USE enum st mx_act(struct mx *m, struct mx_activation phi, struct mx_tensor x, struct mx_tensor y);
/* dx = dy * phi'(x), from y = phi(x) */
MUST_USE enum st mx_act_backward(struct mx *m, struct mx_activation phi, struct mx_tensor y, struct mx_tensor dy,
                                 struct mx_tensor dx);
/* y (B, C) = phi(x + bias (1, C)) */
MUST_USE enum st mx_bias_act(struct mx *m, struct mx_activation phi, struct mx_tensor x, struct mx_tensor bias,
                             struct mx_tensor y);
/* y = a x + b y. With b 0, y may hold anything, NaN included. */
MUST_USE enum st mx_blend(struct mx *m, float a, struct mx_tensor x, float b, struct mx_tensor y);
/* y = x / by, `by` (1, 1) being on the device too; zeros where that is 0. */
MUST_USE enum st mx_divide(struct mx *m, struct mx_tensor x, struct mx_tensor by, struct mx_tensor y);
/* Rows with more behind them: out (B, n + k + classes) = [x (B, n) | more (B, k) | onehot(label)]; not in place.
 * labels: uint32 (B); NULL will do for 0 classes. One class without labels is a column of ones. more.buf NULL: k = 0.
 * x may have no columns. */
MUST_USE enum st mx_label_rows(struct mx *m, struct mx_tensor x, struct mx_tensor more, struct ocl_buf *labels,
                               int classes, struct mx_tensor out);

/* ---- reductions, in a fixed order -------------------------------------------------------------------------------- */

/* out (1, C) = alpha * sum over the rows of x (B, C) + beta * out */
MUST_USE enum st mx_column_sum(struct mx *m, float alpha, struct mx_tensor x, float beta, struct mx_tensor out);
/* out (1, B) = sum over the columns of x (B, C) */
MUST_USE enum st mx_row_sum(struct mx *m, struct mx_tensor x, struct mx_tensor out);

/* ---- batch norm (Ioffe and Szegedy, arXiv 1502.03167), fused with the activation behind it ----------------------- */

struct mx_batchnorm {
    struct mx_tensor gamma, beta;                /* (1, C) parameters */
    struct mx_tensor running_mean, running_var;  /* (1, C); the variance is the unbiased one, as in PyTorch */
    struct mx_tensor saved;                      /* (2, C): mean and 1/sqrt(var + eps), kept for backward */
    float eps, momentum;                         /* running = (1 - momentum) running + momentum batch; at 0 as it is */
    struct mx_activation phi;
};

/* y = phi(gamma (x - mean) / sqrt(var + eps) + beta) with the batch's own moments (training, B >= 2) or the running
 * ones. */
MUST_USE enum st mx_batchnorm_forward(struct mx *m, const struct mx_batchnorm *bn, bool training, struct mx_tensor x,
                                      struct mx_tensor y);
/* dgamma, dbeta (1, C): means over the batch; dx in training through mean and variance too, which in evaluation are
 * constants. `training`, x and y are those of the forward pass. dx may be dy. */
MUST_USE enum st mx_batchnorm_backward(struct mx *m, const struct mx_batchnorm *bn, bool training, struct mx_tensor x,
                                       struct mx_tensor y, struct mx_tensor dy, struct mx_tensor dgamma,
                                       struct mx_tensor dbeta, struct mx_tensor dx);

/* ---- losses of a net --------------------------------------------------------------------------------------------- */

/* Cross-entropy of softmax(z) with labels: delta (B, C) = softmax(z) - onehot(label); per_row (2, B): loss of each row,
 * and 1 where the largest logit (the first of equals) is the label's. labels: uint32 (B) */
MUST_USE enum st mx_softmax_loss(struct mx *m, struct mx_tensor z, struct ocl_buf *labels, struct mx_tensor delta,
                                 struct mx_tensor per_row);
/* p (B, C) = softmax over each row of z */
MUST_USE enum st mx_softmax(struct mx *m, struct mx_tensor z, struct mx_tensor p);
/* dz from dp, the gradient at p = softmax(z): dz = p (dp - <p, dp>) in each row. dz may be dp. */
MUST_USE enum st mx_softmax_backward(struct mx *m, struct mx_tensor p, struct mx_tensor dp, struct mx_tensor dz);
/* Half the squared distance to the label's one-hot: delta (B, C) = z - onehot(label); per_row (2, B): the sum over the
 * columns of (z - onehot(label))^2 / 2, and as above. labels: uint32 (B) */
MUST_USE enum st mx_label_distance(struct mx *m, struct mx_tensor z, struct ocl_buf *labels, struct mx_tensor delta,
                                   struct mx_tensor per_row);

/* ---- losses that couple modules ---------------------------------------------------------------------------------- */

/* Regression of a synthetic gradient (Jaderberg et al., arXiv 1608.05343), |y - target|^2 of each sample:
 * delta (B, n) = 2 (y - target), which may be y; per_row (1, B): the sum over the columns of (y - target)^2. */
MUST_USE enum st mx_squared_loss(struct mx *m, struct mx_tensor y, struct mx_tensor target, struct mx_tensor delta,
                                 struct mx_tensor per_row);

/* What mx_similarity_loss() works in, and leaves behind. */
struct mx_similarity {
    struct mx_tensor normed; /* (B, n): N, the rows of V less their mean, of length 1 */
    struct mx_tensor error;  /* (B, B): E */
    struct mx_tensor rnorm;  /* (1, B): what each row was multiplied by, 1 / (norm + 1e-8) */
};

/* Similarity matching of predsim (Nokland and Eidnes, ICML 2019, arXiv 1901.06656) for V (B, n):
 * L = mean over B x B of E^2, E = S - T, S = N N^T in [-1, 1], T = 1 for equal labels, else -1 / (classes - 1).
 * delta (B, n) = B dL/dV, which may be V; per_row (1, B): B times the row's share of L, so that the mean over the rows
 * is L. A row of equal values has no direction: its N and delta are zeros. labels: uint32 (B); classes >= 2. Scratch:
 * mx_similarity_scratch. */
MUST_USE enum st mx_similarity_loss(struct mx *m, struct ocl_buf *labels, int classes, struct mx_tensor v,
                                    const struct mx_similarity *work, struct mx_tensor delta,
                                    struct mx_tensor per_row);

/* ---- least squares ----------------------------------------------------------------------------------------------- */

/* Ridge regression of outputs t (B, n) on inputs x (B, D) by the normal equations, from their moments. */
struct mx_ridge {
    struct mx_tensor moments; /* (D + n, D): S, the mean of x^T x, and below it C, the mean of t^T x */
    struct mx_tensor work;    /* (1, mx_ridge_work) */
    int scaled;               /* of the first so many inputs, 1 or more, the ridge is .. */
    float ridge;              /* .. that many times the mean of their squares (1 where all are zero), */
    float least;              /* of the others this */
};
size_t mx_ridge_work(int inputs, int outputs); /* floats */
MUST_USE enum st mx_ridge_scratch(struct mx *m, int inputs, int outputs, size_t *floats);
/* W (n, D) = C (S + diag(ridge))^-1, so that t is about x W^T. S is symmetric; with its ridge it must be positive
 * definite, or W is not finite. Scratch: mx_ridge_scratch. */
MUST_USE enum st mx_ridge_solve(struct mx *m, const struct mx_ridge *r, struct mx_tensor w);

/* ---- dropout (Srivastava et al., JMLR 2014), inverted: kept values are divided by 1 - p -------------------------- */

struct mx_dropout {
    float p;           /* share set to zero, 0 <= p < 1 */
    uint32_t key[2];   /* seed */
    uint32_t step, layer;
};

/* Element i is kept by a Philox number of (key; i/4, step, layer): the same call on dy is the backward pass. */
MUST_USE enum st mx_dropout(struct mx *m, const struct mx_dropout *d, struct mx_tensor x, struct mx_tensor y);

/* ---- optimisers: one pass over all parameters of a module; moments below FLT_MIN become zero --------------------- */

/* SGD as in PyTorch: g += decay w;
 * v = momentum v + g; w -= lr (nesterov ? g + momentum v : v). v is not used at momentum 0. */
struct mx_sgd {
    float lr, momentum, decay;
    bool nesterov;
};
MUST_USE enum st mx_sgd(struct mx *m, const struct mx_sgd *o, struct mx_tensor w, struct mx_tensor g,
                        struct mx_tensor v);

/* Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101), as in PyTorch. `t` counts
 * steps from 1; v, s: first and second moment, zero at the start. */
struct mx_adam {
    float lr, beta1, beta2, eps, decay;
    bool decoupled; /* AdamW: decay acts on w directly */
    uint32_t t;
};
MUST_USE enum st mx_adam(struct mx *m, const struct mx_adam *o, struct mx_tensor w, struct mx_tensor g,
                         struct mx_tensor v, struct mx_tensor s);

/* ---- batches ----------------------------------------------------------------------------------------------------- */

struct mx_gather {
    const struct ocl_buf *pixels;    /* bytes (n, channels, hw) */
    const struct ocl_buf *labels;    /* bytes (n) */
    const struct ocl_buf *order;     /* uint32; NULL: sample `first + row` itself */
    const struct ocl_buf *scale;     /* floats (2, channels): x = pixel * scale[0] + scale[1] */
    uint32_t first;
    int channels, hw;
};
/* Row r of x (B, channels * hw) and of out_labels (uint32, B) from sample order[first + r]. */
MUST_USE enum st mx_gather(struct mx *m, const struct mx_gather *g, struct mx_tensor x, struct ocl_buf *out_labels);

/* ---- measuring --------------------------------------------------------------------------------------------------- */

/* Every element of `out` runs chains of multiply-adds x = x b + a for `loops` turns and is their sum: no memory traffic
 * but its store. The second tells how many floating-point operations one call is. */
MUST_USE enum st mx_fma_chains(struct mx *m, uint32_t loops, float a, float b, struct mx_tensor out);
double mx_fma_flops(const struct mx *m, uint32_t loops, struct mx_tensor out);

/* ---- tuning: what each product is computed with ------------------------------------------------------------------ */

/* A form and shape: op(A) (M, K) op(B) (K, N). */
struct mx_product {
    bool trans_a, trans_b;
    int M, N, K;
};
enum { MX_TEXT_MAX = 320 };
const char *mx_form_name(const struct mx_product *p); /* "NN", "NT", "TN", "TT": which of A and B are transposed */

/* "tuned for this device on 2026-11-22", with ", quickly" behind it where it was a quick tune, "tuned on NAME of the
 * same family", "not tuned: defaults"; and the file it comes from, "" where none is in force. */
const char *mx_tuning_note(const struct mx *m);
const char *mx_tuning_file(const struct mx *m);
/* What a product of that form and shape is computed with: "tile kc=256", parameters that are not the default named.
 * Writes at most MX_TEXT_MAX bytes and returns `out`. */
const char *mx_gemm_choice(const struct mx *m, const struct mx_product *p, char *out);

/* What a tuning file holds for a device. mx_open() takes that of the exact device (name, platform, driver, units), else
 * one of the same family (platform, kind, vectors); a file that cannot be used is named in a note. */
struct mx_tuned {
    enum { MX_NOT_TUNED, MX_TUNED_FAMILY, MX_TUNED } kind;
    bool begun, quick;           /* there is a file of the exact device; made by a quick tune */
    char device[256], date[32];  /* where and when it was measured */
    struct mx_product product;   /* the one with the most operations, and how fast it is with what */
    char choice[MX_TEXT_MAX];
    double gflops, peak_gflops;  /* 0: not known */
};
void mx_tuned_find(const struct ocl_facts *f, struct mx_tuned *out);

/* Candidates (providers with parameters) and how fast each is at each product, on one device. Candidate 0 is what the
 * device uses untuned. */
struct mx_tuning;

/* `quick`: short measurements of few candidates. Takes over what the device's own file has, unless `fresh`, or that is
 * of a quick tune and this is none. `version`: of this program. Caller frees. */
MUST_USE enum st mx_tuning_open(const struct ocl_facts *f, bool quick, bool fresh, const char *version,
                                struct mx_tuning **out);
void mx_tuning_free(struct mx_tuning *t); /* accepts NULL */
/* Adds the usual products; one more; all candidates (of one provider, where it is named, and candidate 0). The same
 * calls in the same order give the same numbering. */
MUST_USE enum st mx_tuning_add_products(struct mx_tuning *t);
MUST_USE enum st mx_tuning_add_product(struct mx_tuning *t, struct mx_product p);
MUST_USE enum st mx_tuning_add_candidates(struct mx_tuning *t, const char *provider);
/* Takes over what the file had of them; the other candidates of the file come behind. */
MUST_USE enum st mx_tuning_resume(struct mx_tuning *t);

/* Measures candidate `c` at products that it was not measured at: right first (against sums in double precision), then
 * timed. None is begun after `deadline_ns`. `told` (may be NULL) hears of each product. A candidate that fails or is
 * wrong is refused, with the reason; that is no failure of this call. Opens an mx on `q` for it. WAITS. */
MUST_USE enum st mx_tuning_measure(struct mx_tuning *t, int c, struct ocl_queue *q, uint64_t deadline_ns,
                                   void (*told)(void *user, int product, double gflops), void *user);
/* GFLOP/s of multiply-adds without memory. WAITS. */
MUST_USE enum st mx_tuning_measure_peak(struct mx_tuning *t, struct ocl_queue *q);
/* The same from elsewhere. 0 GFLOP/s: not measured, for it would have taken too long. */
void mx_tuning_record(struct mx_tuning *t, int c, int product, double gflops);
void mx_tuning_record_peak(struct mx_tuning *t, double gflops);
void mx_tuning_refuse(struct mx_tuning *t, int c, const char *reason);
/* Chooses for each product from what is measured, so that noise flips no choice: another candidate than 0 must be at
 * least 5 % faster. At most four candidates are used, and of CLBlast one set of parameters. */
void mx_tuning_choose(struct mx_tuning *t);

/* Quick and whole: peak, products, candidates, in this process, in about `seconds` behind compiling; chooses. WAITS. */
MUST_USE enum st mx_tuning_run_quick(struct mx_tuning *t, struct ocl_queue *q, double seconds);

/* Written at once, by rename. ST_SYSTEM where there is no such place or it cannot be written. */
MUST_USE enum st mx_tuning_save(struct mx_tuning *t, bool complete);
const char *mx_tuning_path(const struct mx_tuning *t); /* "" where there is no place for it */

int mx_tuning_products(const struct mx_tuning *t);
int mx_tuning_candidates(const struct mx_tuning *t); /* of mx_tuning_add_candidates() */
const struct mx_product *mx_tuning_product(const struct mx_tuning *t, int p);
const char *mx_tuning_text(const struct mx_tuning *t, int c, char *out); /* as mx_gemm_choice() */
bool mx_tuning_done(const struct mx_tuning *t, int c);           /* refused, or measured at all products */
const char *mx_tuning_refused(const struct mx_tuning *t, int c); /* why; NULL where it was not */
double mx_tuning_gflops(const struct mx_tuning *t, int c, int p); /* NAN: not measured */
double mx_tuning_peak(const struct mx_tuning *t);                /* 0: not measured */
int mx_tuning_chosen(const struct mx_tuning *t, int p);          /* candidate; -1: none */

#endif

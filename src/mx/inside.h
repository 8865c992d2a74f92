/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_MX_INSIDE_H
#define CLUTCH_MX_INSIDE_H

#include "mx.h"

#include <limits.h>

enum kernel {
    K_ACT_FORWARD,
    K_ACT_BACKWARD,
    K_BIAS_ACT,
    K_BLEND,
    K_DIVIDE,
    K_LABEL_ROWS,
    K_COLUMN_PARTIAL,
    K_COLUMN_FINISH,
    K_ROW_SUM,
    K_BN_MOMENTS,
    K_BN_BATCH,
    K_BN_RUNNING,
    K_BN_BACKWARD_PARTIAL,
    K_BN_BACKWARD,
    K_SOFTMAX_LOSS,
    K_SOFTMAX,
    K_SOFTMAX_BACKWARD,
    K_LABEL_DISTANCE,
    K_SQUARED_LOSS,
    K_SIMILARITY_ROWS,
    K_SIMILARITY_ERROR,
    K_SIMILARITY_DELTA,
    K_RIDGE_WEIGHT,
    K_RIDGE_START,
    K_RIDGE_INVERT,
    K_RIDGE_INVERT_ALONE,
    K_RIDGE_ROW,
    K_RIDGE_CLEAR,
    K_DROPOUT,
    K_SGD,
    K_ADAM,
    K_GATHER,
    K_FMA_CHAINS,
    KERNELS
};

/* What a product computes with its last store; EPILOGUE of cl/tile.cl. */
enum gemm_epilogue {
    GEMM_NOTHING,
    GEMM_BIAS_ACT,     /* C = phi(C + extra), extra (1, N) */
    GEMM_ACT_BACKWARD, /* C = C * phi'(.) from extra = phi(.), (M, N) */
    GEMM_ROW_SUMS,     /* extra (1, M) = alpha * sum over k of op(A) */
    GEMM_EPILOGUES
};

struct gemm_call {
    bool trans_a, trans_b;
    int M, N, K;
    float alpha, beta;
    struct mx_tensor a, b, c;
    enum gemm_epilogue epilogue;
    struct mx_activation phi;
    struct mx_tensor extra;
};

enum { GEMM_PARAMS_MAX = 20, GEMM_KERNELS_MAX = 4 * GEMM_EPILOGUES * MX_ACTS, GEMM_HOWS_MAX = 8 };

/* A whole number that a provider can be tuned by. */
struct gemm_param {
    const char *name;
    int count;
    int value[8]; /* (count): what may be tried, the default first */
};

/* A provider with its parameters, and the kernels it built for them. */
struct gemm_how {
    const struct gemm_provider *provider;
    int param[GEMM_PARAMS_MAX];                  /* in the order of provider->params */
    struct ocl_kernel *kernel[GEMM_KERNELS_MAX]; /* as the provider counts them; NULL until asked for */
};

/* Where products come from. A provider is one file and one row in the table of gemm.c. */
struct gemm_provider {
    const char *name;
    bool epilogues;                  /* computes them itself */
    const struct gemm_param *params; /* ends with a NULL name; NULL: none */
    /* builds what run() needs for such a call, whatever its sizes */
    enum st (*prepare)(struct mx *m, struct gemm_how *how, const struct gemm_call *g);
    /* floats of scratch, no fewer for a product with more rows; may be NULL for none */
    enum st (*scratch)(struct mx *m, const struct gemm_how *how, const struct gemm_call *g, size_t *floats);
    enum st (*run)(struct mx *m, struct gemm_how *how, const struct gemm_call *g);
    /* The rest is for tuning, and may be NULL. */
    const int (*known)[GEMM_PARAMS_MAX]; /* (known_count): good parameters, tried first */
    int known_count;
    /* whether a device can take these parameters, each of which is one of its values; NULL: it can, else why not */
    const char *(*refuse)(const struct ocl_facts *f, const int *param);
    /* tells a library its parameters, before anything else is asked of it */
    enum st (*set)(struct mx *m, const struct gemm_how *how);
};

extern const struct gemm_provider gemm_plain, gemm_clblast, gemm_tile;

enum { TUNED_MAX = 96 };

/* One measured product, and what is fastest for it. */
struct tuned {
    bool trans_a, trans_b;
    float log2[3]; /* of M, N, K */
    int how;
};

struct mx {
    struct ocl_queue *queue;
    int vec;         /* floats a work-item handles at once: VEC of the kernels */
    size_t group;    /* work-items along the first dimension of element-wise and column kernels */
    struct gemm_how how[GEMM_HOWS_MAX]; /* (how_count): the first is for every product */
    int how_count;
    struct tuned tuned[TUNED_MAX]; /* (tuned_count) */
    int tuned_count;
    char gemm_name[64], tuning_note[MX_TEXT_MAX];
    char tuning_file[PATH_MAX]; /* "": none is in force */
    struct ocl_buf *scratch; /* the caller's */
    struct ocl_kernel *kernel[KERNELS][MX_ACTS]; /* NULL until asked for */
};

/* Sets m->how by name, or by device where the name is NULL. */
MUST_USE enum st mx_choose_gemm(struct mx *m, const char *provider);
/* Builds what mx_gemm, or a dense layer with that activation and the one above it, will run. */
MUST_USE enum st mx_gemm_prepare(struct mx *m);
MUST_USE enum st mx_dense_prepare(struct mx *m, enum mx_act act);

/* What a device of no known speed gets, with its default parameters; NULL for an unknown name. */
const struct gemm_provider *gemm_default(const struct ocl_facts *f);
const struct gemm_provider *gemm_find(const char *name);
/* ST_INPUT: the first `len` bytes of the word are none of their names. */
MUST_USE enum st gemm_unknown(const char *word, size_t len);
int gemm_param_count(const struct gemm_provider *provider);
/* Another row of m->how; `param` NULL: the defaults. There must be room. */
MUST_USE enum st gemm_use(struct mx *m, const struct gemm_provider *provider, const int *param);
const char *gemm_text(const struct gemm_provider *provider, const int *param, char *out);
int mx_vector_width(const struct ocl_facts *f);

bool mx_on_cpu(const struct mx *m);

/* The kernel, built at the first call for it. */
MUST_USE enum st mx_kernel(struct mx *m, enum kernel which, enum mx_act act, struct ocl_kernel **out);

/* Runs `which` over ceil(cols / vec) x rows work-items. */
MUST_USE enum st mx_run(struct mx *m, enum kernel which, enum mx_act act, size_t cols, size_t rows,
                        const struct ocl_arg *args, int n);
/* Runs `which` with a work-item a row. */
MUST_USE enum st mx_run_rows(struct mx *m, enum kernel which, size_t rows, const struct ocl_arg *args, int n);

/* out = alpha * sum of the chunks in scratch + beta * out */
MUST_USE enum st mx_column_finish(struct mx *m, size_t chunks, float alpha, float beta, struct mx_tensor out);

/* Chunks that a sum over `rows` is split into. */
int mx_chunks(int rows);

static inline size_t mx_size(struct mx_tensor t)
{
    return (size_t)t.rows * (size_t)t.cols;
}

/* Says of the next launch that it moves `n` values between device memory and itself. */
static inline void mx_moves(struct mx *m, size_t n)
{
    ocl_trace_work(m->queue, 0, 4.0 * (double)n);
}

/* The two kernel arguments of a tensor. */
#define MX_ARG(t) ocl_b((t).buf), ocl_u((t).off)

#endif

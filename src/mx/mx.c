/* The context of this floor: the table of kernels, and how wide a device likes to work. */
#include "inside.h"

#include <stdio.h>

struct kernel_row {
    enum mx_op op;
    const char *file, *name;
    bool by_act; /* one variant an activation */
    bool chains; /* ocl_kernel_chains() */
    enum { ANYWHERE, ON_CPUS, ON_OTHERS } runs; /* where it does: some are written twice */
};

static const struct kernel_row kernels[KERNELS] = {
    [K_ACT_FORWARD] = {MX_ACTIVATION, "activation", "act_forward", true, true, ANYWHERE},
    [K_ACT_BACKWARD] = {MX_ACTIVATION, "activation", "act_backward", true, true, ANYWHERE},
    [K_BIAS_ACT] = {MX_BIAS, "bias", "bias_act", true, true, ANYWHERE},
    [K_BLEND] = {MX_BLEND, "blend", "blend", false, true, ANYWHERE},
    [K_DIVIDE] = {MX_BLEND, "blend", "divide", false, true, ANYWHERE},
    [K_LABEL_ROWS] = {MX_LABEL_ROWS, "label_rows", "label_rows", false, true, ANYWHERE},
    [K_COLUMN_PARTIAL] = {MX_COLUMNS, "columns", "column_partial", false, true, ANYWHERE},
    [K_COLUMN_FINISH] = {MX_COLUMNS, "columns", "column_finish", false, true, ANYWHERE},
    [K_ROW_SUM] = {MX_COLUMNS, "columns", "row_sum", false, true, ANYWHERE},
    [K_BN_MOMENTS] = {MX_BATCHNORM, "batchnorm", "bn_moments", true, true, ANYWHERE},
    [K_BN_BATCH] = {MX_BATCHNORM, "batchnorm", "bn_batch", true, true, ANYWHERE},
    [K_BN_RUNNING] = {MX_BATCHNORM, "batchnorm", "bn_running", true, true, ANYWHERE},
    [K_BN_BACKWARD_PARTIAL] = {MX_BATCHNORM, "batchnorm", "bn_backward_partial", true, true, ANYWHERE},
    [K_BN_BACKWARD] = {MX_BATCHNORM, "batchnorm", "bn_backward", true, true, ANYWHERE},
    [K_SOFTMAX_LOSS] = {MX_SOFTMAX, "softmax", "softmax_loss", false, true, ANYWHERE},
    [K_SOFTMAX] = {MX_SOFTMAX, "softmax", "softmax", false, true, ANYWHERE},
    [K_SOFTMAX_BACKWARD] = {MX_SOFTMAX, "softmax", "softmax_backward", false, true, ANYWHERE},
    [K_LABEL_DISTANCE] = {MX_LABEL_DISTANCE, "label_distance", "label_distance", false, true, ANYWHERE},
    [K_SQUARED_LOSS] = {MX_SQUARED_LOSS, "squared_loss", "squared_loss", false, true, ANYWHERE},
    [K_SIMILARITY_ROWS] = {MX_SIMILARITY, "similarity", "similarity_rows", false, true, ANYWHERE},
    [K_SIMILARITY_ERROR] = {MX_SIMILARITY, "similarity", "similarity_error", false, true, ANYWHERE},
    [K_SIMILARITY_DELTA] = {MX_SIMILARITY, "similarity", "similarity_delta", false, true, ANYWHERE},
    [K_RIDGE_WEIGHT] = {MX_RIDGE, "ridge", "ridge_weight", false, true, ANYWHERE},
    [K_RIDGE_START] = {MX_RIDGE, "ridge", "ridge_start", false, true, ANYWHERE},
    [K_RIDGE_INVERT] = {MX_RIDGE, "ridge_invert", "ridge_invert", false, false, ON_OTHERS},
    [K_RIDGE_INVERT_ALONE] = {MX_RIDGE, "ridge", "ridge_invert_alone", false, true, ON_CPUS},
    [K_RIDGE_ROW] = {MX_RIDGE, "ridge", "ridge_row", false, true, ANYWHERE},
    [K_RIDGE_CLEAR] = {MX_RIDGE, "ridge", "ridge_clear", false, true, ANYWHERE},
    [K_DROPOUT] = {MX_DROPOUT, "dropout", "dropout", false, true, ANYWHERE},
    [K_SGD] = {MX_OPTIMIZER, "optimizer", "sgd", false, true, ANYWHERE},
    [K_ADAM] = {MX_OPTIMIZER, "optimizer", "adam", false, true, ANYWHERE},
    [K_GATHER] = {MX_GATHER, "gather", "gather", false, true, ANYWHERE},
    [K_FMA_CHAINS] = {MX_PEAK, "peak", "fma_chains", false, false, ANYWHERE},
};

/* The widest vector that OpenCL C has and the device says it computes with; GPUs say 1 and work item by item. */
int mx_vector_width(const struct ocl_facts *f)
{
    int vec = 1;
    while (vec * 2 <= (int)f->vector_width && vec < 16)
        vec *= 2;
    return vec;
}

enum st mx_open(struct ocl_queue *q, const char *provider, struct mx **out)
{
    enum st s = ST_OK;
    struct mx *m = NULL;
    const struct ocl_facts *f = ocl_device_facts(ocl_queue_device(q));
    TRY(NEW(m, 1));
    m->queue = q;
    m->vec = mx_vector_width(f);
    m->group = f->kind == OCL_CPU ? 16 : 64;
    TRY(mx_choose_gemm(m, provider));
    *out = m;
    m = NULL;
out:
    mx_close(m);
    return s;
}

void mx_close(struct mx *m)
{
    mem_free(m); /* kernels belong to the queue, scratch to the caller */
}

struct ocl_queue *mx_queue(const struct mx *m)
{
    return m->queue;
}

void mx_give_scratch(struct mx *m, struct ocl_buf *buf)
{
    m->scratch = buf;
}

enum st mx_kernel(struct mx *m, enum kernel which, enum mx_act act, struct ocl_kernel **out)
{
    const struct kernel_row *row = &kernels[which];
    if (!row->by_act)
        act = MX_IDENTITY;
    if (!m->kernel[which][act]) {
        char options[128];
        int used = snprintf(options, sizeof options, "-DVEC=%d", m->vec);
        if (row->by_act)
            snprintf(options + used, sizeof options - (size_t)used, " -DACT=%d", (int)act);
        enum st s = ocl_kernel_get(m->queue, row->file, row->name, options, &m->kernel[which][act]);
        if (s != ST_OK)
            return s;
        if (row->chains)
            ocl_kernel_chains(m->kernel[which][act]);
    }
    *out = m->kernel[which][act];
    return ST_OK;
}

bool mx_on_cpu(const struct mx *m)
{
    return ocl_device_facts(ocl_queue_device(m->queue))->kind == OCL_CPU;
}

enum st mx_prepare(struct mx *m, enum mx_op op, enum mx_act act)
{
    enum st s = ST_OK;
    struct ocl_kernel *unused;
    if (op == MX_GEMM)
        return mx_gemm_prepare(m);
    if (op == MX_DENSE)
        return mx_dense_prepare(m, act);
    if (op == MX_SIMILARITY || op == MX_RIDGE)
        TRY(mx_gemm_prepare(m));
    for (int k = 0; k < KERNELS; k++)
        if (kernels[k].op == op && kernels[k].runs != (mx_on_cpu(m) ? ON_OTHERS : ON_CPUS))
            TRY(mx_kernel(m, (enum kernel)k, act, &unused));
out:
    return s;
}

enum st mx_run(struct mx *m, enum kernel which, enum mx_act act, size_t cols, size_t rows, const struct ocl_arg *args,
               int n)
{
    struct ocl_kernel *k;
    size_t vec = (size_t)m->vec;
    enum st s = mx_kernel(m, which, act, &k);
    if (s != ST_OK)
        return s;
    size_t items[2] = {(cols + vec - 1) / vec, rows};
    return ocl_run(k, items, (size_t[2]){m->group, 1}, args, n);
}

enum st mx_run_rows(struct mx *m, enum kernel which, size_t rows, const struct ocl_arg *args, int n)
{
    struct ocl_kernel *k;
    enum st s = mx_kernel(m, which, MX_IDENTITY, &k);
    return s != ST_OK ? s : ocl_run(k, (size_t[2]){rows, 1}, (size_t[2]){m->group, 1}, args, n);
}

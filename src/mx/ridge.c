/*
 * Ridge regression W = C (S + diag)^-1, by Gauss-Jordan elimination over blocks of columns, nearly all of it products.
 * Let A_k be block k's columns in the rows below the block, I the inverse of the block itself, P = A_k I, and Q the
 * block's rows with minus the identity in the block's own place. A_k is cleared, and A -= P Q in the rows below: that
 * multiplies A from the right by what makes the block's rows those of an identity. What C has become at the end is W.
 *
 * Work memory: A (D + n, D), P (D + n, RIDGE_BLOCK), Q (RIDGE_BLOCK, D), the inverse, and the ridge's weight.
 */
#include "inside.h"

enum { RIDGE_BLOCK = 64 };

size_t mx_ridge_work(int inputs, int outputs)
{
    size_t D = (size_t)inputs, rows = D + (size_t)outputs;
    return rows * D + rows * RIDGE_BLOCK + RIDGE_BLOCK * D + (size_t)RIDGE_BLOCK * RIDGE_BLOCK + 1;
}

enum st mx_ridge_scratch(struct mx *m, int inputs, int outputs, size_t *floats)
{
    enum st s = ST_OK;
    int rows = inputs + outputs;
    size_t panel, rest;
    TRY(mx_gemm_scratch(m, false, false, rows, RIDGE_BLOCK, RIDGE_BLOCK, &panel));
    TRY(mx_gemm_scratch(m, false, false, rows, inputs, RIDGE_BLOCK, &rest));
    *floats = panel > rest ? panel : rest;
out:
    return s;
}

/* Where the parts of work memory lie. */
struct parts {
    struct mx_tensor a, weight;
    size_t panel, row, inverse; /* offsets: their sizes are the block's */
};

static struct parts parts_of(const struct mx_ridge *r)
{
    int rows = r->moments.rows, cols = r->moments.cols;
    size_t at = r->work.off + (size_t)rows * (size_t)cols;
    struct parts p = {.a = mx_view(r->work.buf, r->work.off, rows, cols), .panel = at};
    p.row = p.panel + (size_t)rows * RIDGE_BLOCK;
    p.inverse = p.row + RIDGE_BLOCK * (size_t)cols;
    p.weight = mx_view(r->work.buf, p.inverse + (size_t)RIDGE_BLOCK * RIDGE_BLOCK, 1, 1);
    return p;
}

static enum st start(struct mx *m, const struct mx_ridge *r, const struct parts *p)
{
    enum st s = ST_OK;
    size_t rows = (size_t)p->a.rows, cols = (size_t)p->a.cols, scaled = (size_t)r->scaled;
    TRY(mx_run_rows(m, K_RIDGE_WEIGHT, 1,
                    OCL_ARGS(ocl_u(cols), ocl_u(scaled), ocl_f(r->ridge), MX_ARG(r->moments), MX_ARG(p->weight))));
    mx_moves(m, 2 * rows * cols);
    TRY(mx_run(m, K_RIDGE_START, MX_IDENTITY, cols, rows,
               OCL_ARGS(ocl_u(rows), ocl_u(cols), ocl_u(scaled), ocl_f(r->least), MX_ARG(r->moments),
                        MX_ARG(p->weight), MX_ARG(p->a))));
out:
    return s;
}

static enum st invert(struct mx *m, struct mx_tensor block, struct mx_tensor inverse)
{
    enum st s = ST_OK;
    struct ocl_kernel *group;
    size_t size = (size_t)block.rows, ld = (size_t)block.ld;
    if (mx_on_cpu(m)) {
        /* few at a time where there are no vectors: llvmpipe ends a work-item after 65,535 turns of its loops */
        size_t step = m->vec > 1 ? RIDGE_BLOCK : 8;
        for (size_t first = 0; first < size; first += step)
            TRY(mx_run_rows(m, K_RIDGE_INVERT_ALONE, 1,
                            OCL_ARGS(ocl_u(size), ocl_u(ld), ocl_u(first),
                                     ocl_u(first + step < size ? first + step : size), MX_ARG(block),
                                     MX_ARG(inverse))));
        return ST_OK;
    }
    TRY(mx_kernel(m, K_RIDGE_INVERT, MX_IDENTITY, &group));
    TRY(ocl_run(group, (size_t[2]){RIDGE_BLOCK, 1}, (size_t[2]){RIDGE_BLOCK, 1},
                OCL_ARGS(ocl_u(size), ocl_u(ld), MX_ARG(block), MX_ARG(inverse))));
out:
    return s;
}

/* Eliminates the block of `size` columns from `first` on. */
static enum st eliminate(struct mx *m, const struct parts *p, int first, int size)
{
    enum st s = ST_OK;
    int cols = p->a.cols, left = p->a.rows - first - size;
    struct ocl_buf *buf = p->a.buf;
    struct mx_tensor block = p->a, below = p->a, rest = p->a;
    struct mx_tensor inverse = mx_view(buf, p->inverse, size, size), panel = mx_view(buf, p->panel, left, size);
    inverse.ld = RIDGE_BLOCK;
    struct mx_tensor row = mx_view(buf, p->row, size, cols);
    block.off += (size_t)first * (size_t)cols + (size_t)first;
    rest.off += (size_t)(first + size) * (size_t)cols;
    rest.rows = below.rows = left;
    below.off = rest.off + (size_t)first;
    below.cols = size;
    block.rows = size;
    TRY(invert(m, block, inverse));
    TRY(mx_gemm(m, false, false, 1, below, inverse, 0, panel));
    block.off -= (size_t)first; /* all of its rows */
    TRY(mx_run(m, K_RIDGE_ROW, MX_IDENTITY, (size_t)cols, (size_t)size,
               OCL_ARGS(ocl_u((size_t)size), ocl_u((size_t)cols), ocl_u((size_t)first), MX_ARG(block), MX_ARG(row))));
    TRY(mx_run(m, K_RIDGE_CLEAR, MX_IDENTITY, (size_t)size, (size_t)left,
               OCL_ARGS(ocl_u((size_t)left), ocl_u((size_t)cols), ocl_u((size_t)size), MX_ARG(below))));
    TRY(mx_gemm(m, false, false, -1, panel, row, 1, rest));
out:
    return s;
}

enum st mx_ridge_solve(struct mx *m, const struct mx_ridge *r, struct mx_tensor w)
{
    enum st s = ST_OK;
    const struct parts p = parts_of(r);
    int cols = p.a.cols;
    if (w.cols != cols || w.rows != p.a.rows - cols || r->scaled < 1 || r->scaled > cols)
        return st_fail(ST_INTERNAL, "ridge regression of (%d, %d) moments into (%d, %d)", p.a.rows, cols, w.rows,
                       w.cols);
    TRY(start(m, r, &p));
    for (int first = 0; first < cols; first += RIDGE_BLOCK)
        TRY(eliminate(m, &p, first, first + RIDGE_BLOCK < cols ? RIDGE_BLOCK : cols - first));
    TRY(mx_blend(m, 1, mx_view(p.a.buf, p.a.off + (size_t)cols * (size_t)cols, w.rows, cols), 0, w));
out:
    return s;
}

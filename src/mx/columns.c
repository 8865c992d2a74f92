/* Sums over rows and columns. A sum over rows goes in chunks, so that many work-items share it and its order stays
 * fixed. */
#include "inside.h"

enum { CHUNK_ROWS = 32, CHUNKS_MAX = 64 };

int mx_chunks(int rows)
{
    int chunks = rows / CHUNK_ROWS + (rows % CHUNK_ROWS != 0);
    return chunks < CHUNKS_MAX ? chunks : CHUNKS_MAX;
}

size_t mx_columns_scratch(int rows, int cols)
{
    return 2 * (size_t)mx_chunks(rows) * (size_t)cols; /* batch norm keeps two sums */
}

enum st mx_column_finish(struct mx *m, size_t chunks, float alpha, float beta, struct mx_tensor out)
{
    mx_moves(m, chunks * mx_size(out));
    return mx_run(m, K_COLUMN_FINISH, MX_IDENTITY, (size_t)out.cols, 1,
                  OCL_ARGS(ocl_u((size_t)out.cols), ocl_u(chunks), ocl_b(m->scratch), ocl_f(alpha), ocl_f(beta),
                           MX_ARG(out)));
}

enum st mx_column_sum(struct mx *m, float alpha, struct mx_tensor x, float beta, struct mx_tensor out)
{
    size_t chunks = (size_t)mx_chunks(x.rows);
    mx_moves(m, mx_size(x));
    enum st s = mx_run(m, K_COLUMN_PARTIAL, MX_IDENTITY, (size_t)x.cols, chunks,
                       OCL_ARGS(ocl_u((size_t)x.rows), ocl_u((size_t)x.cols), ocl_u(chunks), MX_ARG(x),
                                ocl_b(m->scratch)));
    return s != ST_OK ? s : mx_column_finish(m, chunks, alpha, beta, out);
}

enum st mx_row_sum(struct mx *m, struct mx_tensor x, struct mx_tensor out)
{
    mx_moves(m, mx_size(x));
    return mx_run_rows(m, K_ROW_SUM, (size_t)x.rows,
                       OCL_ARGS(ocl_u((size_t)x.rows), ocl_u((size_t)x.cols), MX_ARG(x), MX_ARG(out)));
}

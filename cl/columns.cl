// Sums over rows: partial[chunk] = sum of the chunk's rows; out = alpha * sum of the chunks + beta * out. Sums over
// columns. Shapes: x (rows, cols); partial (chunks, cols); out (cols) or, for row_sum, (rows).
// Launch: column_partial ceil(cols / VEC) x chunks; column_finish ceil(cols / VEC) x 1; row_sum rows x 1. Defines: VEC.
// Twin: ref_column_sum, ref_row_sum.

kernel void column_partial(uint rows, uint cols, uint chunks, global const float *x, uint xo, global float *partial)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    floatv sum = 0.0f;
    uint last = CHUNK_FIRST(chunk + 1, rows, chunks);
    for (size_t r = CHUNK_FIRST(chunk, rows, chunks); r < last; r++)
        sum += load(x + xo + r * cols, c, cols);
    store(sum, partial + (size_t)chunk * cols, c, cols);
}

kernel void column_finish(uint cols, uint chunks, global const float *partial, float alpha, float beta,
                          global float *out, uint oo)
{
    size_t c = get_global_id(0) * VEC;
    if (c >= cols)
        return;
    floatv sum = 0.0f;
    for (size_t k = 0; k < chunks; k++)
        sum += load(partial + k * cols, c, cols);
    sum *= alpha;
    if (beta != 0.0f) // out may hold NaN where beta is 0
        sum += beta * load(out + oo, c, cols);
    store(sum, out + oo, c, cols);
}

kernel void row_sum(uint rows, uint cols, global const float *x, uint xo, global float *out, uint oo)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    floatv sum = 0.0f;
    for (size_t c = 0; c < cols; c += VEC)
        sum += load(x + xo + r * cols, c, cols);
    out[oo + r] = sum_of(sum);
}

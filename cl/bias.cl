// y = phi(x + bias), and backward: dx = dy * phi'(.) from y with the sums of dx over chunks of rows.
// Shapes: x, y, dy, dx (rows, cols); bias (cols); partial (chunks, cols).
// Launch: bias_act ceil(cols / VEC) x rows; bias_act_backward ceil(cols / VEC) x chunks. Defines: VEC, ACT (common.cl).
// Twin: ref_bias_act, ref_bias_act_backward.

kernel void bias_act(uint rows, uint cols, global const float *x, uint xo, global const float *bias, uint bo,
                     global float *y, uint yo, float slope)
{
    size_t c = get_global_id(0) * VEC, r = get_global_id(1);
    if (c < cols && r < rows)
        store(act(load(x + xo + r * cols, c, cols) + load(bias + bo, c, cols), slope), y + yo + r * cols, c, cols);
}

kernel void bias_act_backward(uint rows, uint cols, uint chunks, global const float *y, uint yo, global const float *dy,
                              uint dyo, global float *dx, uint dxo, global float *partial, float slope)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    floatv sum = 0.0f;
    uint last = CHUNK_FIRST(chunk + 1, rows, chunks);
    for (size_t r = CHUNK_FIRST(chunk, rows, chunks); r < last; r++) {
        floatv g = act_gradient(load(dy + dyo + r * cols, c, cols), load(y + yo + r * cols, c, cols), slope);
        store(g, dx + dxo + r * cols, c, cols);
        sum += g;
    }
    store(sum, partial + (size_t)chunk * cols, c, cols);
}

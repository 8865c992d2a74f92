// y = phi(x + bias).
// Shapes: x, y (rows, cols); bias (cols). Launch: ceil(cols / VEC) x rows. Defines: VEC, ACT (common.cl).
// Twin: ref_bias_act.

kernel void bias_act(uint rows, uint cols, global const float *x, uint xo, global const float *bias, uint bo,
                     global float *y, uint yo, float slope)
{
    size_t c = get_global_id(0) * VEC, r = get_global_id(1);
    if (c < cols && r < rows)
        store(act(load(x + xo + r * cols, c, cols) + load(bias + bo, c, cols), slope), y + yo + r * cols, c, cols);
}

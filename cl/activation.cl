// y = phi(x); dx = dy * phi'(x) from y.
// Shapes: n elements, flat. Launch: ceil(n / VEC) x 1 work-items. Defines: VEC, ACT (common.cl).
// Twin: ref_act, ref_act_backward.

kernel void act_forward(uint n, global const float *x, uint xo, global float *y, uint yo, float slope)
{
    size_t i = get_global_id(0) * VEC;
    if (i < n)
        store(act(load(x + xo, i, n), slope), y + yo, i, n);
}

kernel void act_backward(uint n, global const float *y, uint yo, global const float *dy, uint dyo, global float *dx,
                         uint dxo, float slope)
{
    size_t i = get_global_id(0) * VEC;
    if (i < n)
        store(act_gradient(load(dy + dyo, i, n), load(y + yo, i, n), slope), dx + dxo, i, n);
}

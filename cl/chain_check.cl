// What shows that chains are right on a device: y[i] = sqrt(x[j] * x[j] + a) * 0.5 + (i mod 8) / 8, from an element
// j = (i * stride + 1) mod n that another work-item wrote.
// Shapes: x, y (n). Launch: n x 1. Defines: none. Twin: ref_chain_check.

kernel void chain_check(uint n, uint stride, float a, global const float *x, global float *y)
{
    uint i = get_global_id(0);
    if (i >= n)
        return;
    float v = x[(i * stride + 1) % n];
    y[i] = sqrt(v * v + a) * 0.5f + (float)(i % 8) * 0.125f;
}

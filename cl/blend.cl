// y = a * x + b * y; where b is 0, y is not read.
// Shapes: n elements, flat. Launch: ceil(n / VEC) x 1. Defines: VEC.
// Twin: ref_blend.

kernel void blend(uint n, float a, global const float *x, uint xo, float b, global float *y, uint yo)
{
    size_t i = get_global_id(0) * VEC;
    if (i >= n)
        return;
    floatv sum = a * load(x + xo, i, n);
    if (b != 0.0f) // y may hold NaN where b is 0
        sum += b * load(y + yo, i, n);
    store(sum, y + yo, i, n);
}

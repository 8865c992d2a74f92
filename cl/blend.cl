// blend: y = a * x + b * y; where b is 0, y is not read. divide: y = x / by, zeros where by is 0.
// Shapes: n elements, flat; by (1). Launch: ceil(n / VEC) x 1. Defines: VEC.
// Twin: ref_blend, ref_divide.

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

kernel void divide(uint n, global const float *x, uint xo, global const float *by, uint byo, global float *y, uint yo)
{
    size_t i = get_global_id(0) * VEC;
    if (i >= n)
        return;
    float d = by[byo];
    floatv quotient = d == 0.0f ? (floatv)0.0f : load(x + xo, i, n) / d;
    store(quotient, y + yo, i, n);
}

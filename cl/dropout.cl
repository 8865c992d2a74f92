// Inverted dropout: y[i] = keep(i) ? x[i] / (1 - p) : 0, where keep(i) is u >= threshold for the Philox 4x32-10 number
// u of counter (i / 4, step, layer, 0), word i % 4 (Salmon et al., SC 2011; constants as in src/base/rng.c).
// Shapes: n elements, flat. Launch: ceil(n / 4) x 1. threshold = p * 2^32. Twin: ref_dropout.

static uint4 philox(uint4 c, uint2 key)
{
    for (int round = 0; round < 10; round++) {
        uint high0 = mul_hi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        uint high1 = mul_hi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = (uint4)(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
        key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

kernel void dropout(uint n, uint key0, uint key1, uint step, uint layer, uint threshold, float scale,
                    global const float *x, uint xo, global float *y, uint yo)
{
    size_t i = get_global_id(0) * 4;
    if (i >= n)
        return;
    uint4 random = philox((uint4)((uint)(i / 4), step, layer, 0), (uint2)(key0, key1));
    uint word[4] = {random.x, random.y, random.z, random.w};
    for (uint e = 0; e < 4 && i + e < n; e++)
        y[yo + i + e] = word[e] >= threshold ? x[xo + i + e] * scale : 0.0f;
}

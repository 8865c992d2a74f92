// A batch from the bytes of a data set: x[r, k, i] = pixels[sample, k, i] * scale[0, k] + scale[1, k] with sample =
// order[first + r], or first + r without an order; label[r] = labels[sample].
// Shapes: pixels (n, channels, hw) bytes; labels (n) bytes; order (n); scale (2, channels); x (rows, channels * hw).
// Launch: ceil(channels * hw / STRIP) x rows. Twin: ref_gather.

#define STRIP 16

kernel void gather(uint rows, uint channels, uint hw, uint first, global const uchar *pixels,
                   global const uchar *labels, global const uint *order, global const float *scale, global float *x,
                   uint xo, global uint *label)
{
    uint i = get_global_id(0) * STRIP, n = channels * hw;
    size_t r = get_global_id(1);
    if (i >= n || r >= rows)
        return;
    size_t sample = order ? order[first + r] : first + r;
    pixels += sample * n;
    x += xo + r * n;
    if (i == 0)
        label[r] = labels[sample];
    if (i + STRIP <= n && i / hw == (i + STRIP - 1) / hw) { // whole strip in one channel
        uint k = i / hw;
        vstore16(convert_float16(vload16(0, pixels + i)) * scale[k] + scale[channels + k], 0, x + i);
        return;
    }
    for (uint e = i; e < n && e < i + STRIP; e++)
        x[e] = pixels[e] * scale[e / hw] + scale[channels + e / hw];
}

// A batch from the bytes of a data set: x[r, k, i] = pixels[sample, k, i] * scale[0, k] + scale[1, k] with sample =
// order[first + r], or first + r without an order; label[r] = labels[sample].
// Shapes: pixels (n, channels, hw) bytes; labels (n) bytes; order (n); scale (2, channels); x (rows, channels * hw).
// Launch: lanes x (rows * channels); lane l of a channel takes its strips of VEC pixels l, l + lanes, ... Defines: VEC.
// Twin: ref_gather.

#if VEC == 1
#define PIXELS(p) convert_float(*(p))
#else
#define PIXELS(p) JOIN(convert_float, VEC)(JOIN(vload, VEC)(0, p))
#endif

kernel void gather(uint rows, uint channels, uint hw, uint lanes, uint first, global const uchar *pixels,
                   global const uchar *labels, global const uint *order, global const float *scale, global float *x,
                   uint xo, global uint *label)
{
    uint lane = get_global_id(0), line = get_global_id(1), r = line / channels, k = line - r * channels;
    if (lane >= lanes || r >= rows)
        return;
    size_t sample = order ? order[first + r] : first + r;
    if (lane == 0 && k == 0)
        label[r] = labels[sample];
    pixels += (sample * channels + k) * hw;
    x += xo + (size_t)line * hw;
    float factor = scale[k], shift = scale[channels + k];
    size_t i = (size_t)lane * VEC;
    for (; i + VEC <= hw; i += (size_t)lanes * VEC)
        STORE_ALL(PIXELS(pixels + i) * factor + shift, x + i);
    for (size_t e = i; e < hw && e < i + VEC; e++) // of one lane, what is no whole strip
        x[e] = pixels[e] * factor + shift;
}

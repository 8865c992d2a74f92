// Softmax of each row, alone or with cross-entropy: p = exp(z - max) / sum, loss = log(sum) + max - z[label],
// delta = p - onehot(label), correct = 1 where the first largest logit is the label's. Back: dz = p (dp - <p, dp>).
// Shapes: z, p, delta, dp, dz (rows, cols); label (rows); per_row (2, rows): loss, correct. Launch: rows x 1.
// Defines: VEC.
// Twin: ref_softmax, ref_softmax_loss, ref_softmax_backward.

#if VEC == 1
#define PLACES 0
#elif VEC == 2
#define PLACES (int2)(0, 1)
#elif VEC == 4
#define PLACES (int4)(0, 1, 2, 3)
#elif VEC == 8
#define PLACES (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define PLACES (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif

// z[c .. c+VEC), what changes neither a largest value nor a sum of exp at cols and beyond
static floatv load_logits(global const float *z, size_t c, uint cols)
{
    if (c + VEC <= cols)
        return LOAD_ALL(z + c);
    float part[VEC];
    for (int e = 0; e < VEC; e++)
        part[e] = c + e < cols ? z[c + e] : -INFINITY;
    return LOAD_ALL(part);
}

// Largest of z[0 .. whole) and `rest` behind it. Each element of the vector keeps its own and where it was first; of
// equal ones the first in the row counts.
static float row_max(global const float *z, uint whole, floatv rest, uint *where)
{
    floatv most = -INFINITY;
    intv strip = 0;
    for (uint c = 0; c <= whole; c += VEC) {
        floatv v = c < whole ? LOAD_ALL(z + c) : rest;
        strip = select(strip, (intv)(int)c, v > most);
        most = fmax(most, v); // leaves out NaN, which the sum of exp will have
    }
    float top = FOLD(fmax, most);
    intv at = select((intv)INT_MAX, strip + PLACES, most == top);
    *where = FOLD(min, at);
    return top;
}

// p = softmax(z); the sum of exp(z - most)
static float row_softmax(global const float *z, uint cols, global float *p, float *most, uint *where)
{
    uint whole = (cols - 1) / VEC * VEC; // the rest, 1 to VEC logits, stays in a register
    floatv rest = load_logits(z, whole, cols);
    *most = row_max(z, whole, rest, where);
    floatv sum = rest = exp(rest - *most);
    for (uint c = 0; c < whole; c += VEC) {
        floatv v = exp(LOAD_ALL(z + c) - *most);
        STORE_ALL(v, p + c);
        sum += v;
    }
    float total = sum_of(sum);
    for (uint c = 0; c < whole; c += VEC)
        STORE_ALL(LOAD_ALL(p + c) / total, p + c);
    store(rest / total, p, whole, cols);
    return total;
}

kernel void softmax_loss(uint rows, uint cols, global const float *z, uint zo, global const uint *label,
                         global float *delta, uint dlo, global float *per_row, uint pro)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    z += zo + r * cols;
    delta += dlo + r * cols;
    uint mine = label[r], best;
    float most, own = z[mine], sum = row_softmax(z, cols, delta, &most, &best);
    delta[mine] -= 1.0f;
    per_row[pro + r] = log(sum) + (most - own); // most may be large beside the loss
    per_row[pro + rows + r] = best == mine;
}

kernel void softmax(uint rows, uint cols, global const float *z, uint zo, global float *p, uint po)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    float most;
    uint best;
    row_softmax(z + zo + r * cols, cols, p + po + r * cols, &most, &best);
}

kernel void softmax_backward(uint rows, uint cols, global const float *p, uint po, global const float *dp, uint dpo,
                             global float *dz, uint dzo)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    p += po + r * cols;
    dp += dpo + r * cols;
    dz += dzo + r * cols;
    floatv sum = 0.0f;
    for (size_t c = 0; c < cols; c += VEC)
        sum += load(p, c, cols) * load(dp, c, cols);
    float along = sum_of(sum);
    for (size_t c = 0; c < cols; c += VEC)
        store(load(p, c, cols) * (load(dp, c, cols) - along), dz, c, cols);
}

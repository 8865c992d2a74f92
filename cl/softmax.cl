// Softmax of each row, alone or with cross-entropy: p = exp(z - max) / sum, loss = log(sum) + max - z[label],
// delta = p - onehot(label), correct = 1 where the first largest logit is the label's.
// Shapes: z, p, delta (rows, cols); label (rows); per_row (2, rows): loss, correct. Launch: rows x 1.
// Twin: ref_softmax, ref_softmax_loss.

static float row_max(global const float *z, uint cols, uint *where)
{
    float most = z[0];
    *where = 0;
    for (uint c = 1; c < cols; c++)
        if (z[c] > most) {
            most = z[c];
            *where = c;
        }
    return most;
}

static float row_exp_sum(global const float *z, uint cols, float most)
{
    float sum = 0.0f;
    for (uint c = 0; c < cols; c++)
        sum += exp(z[c] - most);
    return sum;
}

kernel void softmax_loss(uint rows, uint cols, global const float *z, uint zo, global const uint *label,
                         global float *delta, uint dlo, global float *per_row, uint pro)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    z += zo + r * cols;
    delta += dlo + r * cols;
    uint best;
    float most = row_max(z, cols, &best), sum = row_exp_sum(z, cols, most);
    per_row[pro + r] = log(sum) + (most - z[label[r]]); // most may be large beside the loss
    per_row[pro + rows + r] = best == label[r];
    for (uint c = 0; c < cols; c++)
        delta[c] = exp(z[c] - most) / sum - (c == label[r] ? 1.0f : 0.0f);
}

kernel void softmax(uint rows, uint cols, global const float *z, uint zo, global float *p, uint po)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    z += zo + r * cols;
    p += po + r * cols;
    uint best;
    float most = row_max(z, cols, &best), sum = row_exp_sum(z, cols, most);
    for (uint c = 0; c < cols; c++)
        p[c] = exp(z[c] - most) / sum;
}

// Squared distance of each row to its label's one-hot: loss = sum over the columns of (z - onehot(label))^2 / 2,
// delta = z - onehot(label), correct = 1 where the first largest output is the label's.
// Shapes: z, delta (rows, cols); label (rows); per_row (2, rows): loss, correct. Launch: rows x 1. Defines: none.
// Twin: ref_label_distance.

kernel void label_distance(uint rows, uint cols, global const float *z, uint zo, global const uint *label,
                           global float *delta, uint dlo, global float *per_row, uint pro)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    z += zo + r * cols;
    delta += dlo + r * cols;
    uint mine = label[r], best = 0;
    float most = z[0], sum = 0.0f;
    for (uint c = 0; c < cols; c++) {
        float v = z[c], d = v - (c == mine ? 1.0f : 0.0f);
        best = v > most ? c : best;
        most = fmax(most, v); // leaves out NaN, which the sum will have
        delta[c] = d;
        sum += d * d;
    }
    per_row[pro + r] = 0.5f * sum;
    per_row[pro + rows + r] = best == mine;
}

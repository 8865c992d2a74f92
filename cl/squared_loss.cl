// Squared distance of each row to its target: per_row = sum over the columns of (y - target)^2, delta = 2 (y - target).
// Shapes: y, target, delta (rows, cols); per_row (rows). Launch: rows x 1. Defines: VEC.
// Twin: ref_squared_loss.

kernel void squared_loss(uint rows, uint cols, global const float *y, uint yo, global const float *target, uint to,
                         global float *delta, uint dlo, global float *per_row, uint pro)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    y += yo + r * cols;
    target += to + r * cols;
    delta += dlo + r * cols;
    floatv sum = 0.0f;
    for (size_t c = 0; c < cols; c += VEC) {
        floatv d = load(y, c, cols) - load(target, c, cols);
        sum += d * d;
        store(2.0f * d, delta, c, cols);
    }
    per_row[pro + r] = sum_of(sum);
}
